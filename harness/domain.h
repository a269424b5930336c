/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_DOMAIN_H
#define SWAPCAL_DOMAIN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/guest.h"

/*
 * libvirt, and nothing above it knows more: domain.c is the only file that includes its header.
 */

/** A connection with its event loop running in a thread of its own. */
struct domain_conn;

/**
 * Opens a connection. uri NULL: the embedded QEMU driver in a private work directory (qemu:///embed?root=...) that this process has to itself; what a dead
 * process left running there, or under a `swapcal-` name of ours elsewhere, is ended first, and said with log_note().
 */
struct err *domain_conn_open(const char *uri, struct domain_conn **ret) must_check;

/** Ends every guest of this connection, then closes it. */
void domain_conn_close(struct domain_conn *conn);

/** {"uri":..., "libvirt":"9.0.0", "qemu":"7.2.22", "emulator":..., "qemu_user":...}: for the audit. A new reference. */
json_t *domain_conn_describe(struct domain_conn *conn);

/**
 * Directory for files that a guest's QEMU has to reach (swap disks, initramfs, staged images): QEMU's user can enter it. Borrowed.
 */
const char *domain_conn_workdir(struct domain_conn *conn);

/**
 * Makes a file of the cache reachable for QEMU's user: sets *ret to a path (to be freed) to the same
 * content: the file itself where it can be read by that user, else a hard link or copy in the work directory.
 */
struct err *domain_stage_file(struct domain_conn *conn, const char *path, char **ret) must_check;

/** Gives a file in the work directory to QEMU's user. */
struct err *domain_own_file(struct domain_conn *conn, const char *path) must_check;

struct domain_spec {
	const char *name;
	const char *accel; /**< "kvm" or "tcg" */
	bool icount;
	unsigned ram_mib;
	unsigned vcpus;
	const char *kernel;       /**< paths that QEMU's user can read */
	const char *initrd;
	const char *cmdline;
	const char *root_disk;    /**< qcow2, attached read-only; NULL for none */
	const char *swap_disk;    /**< raw; NULL for none */
};

struct domain;

/** Starts a transient guest that dies with the connection, and connects to its agent port before the guest runs. */
struct err *domain_start(struct domain_conn *conn, const struct domain_spec *spec, struct domain **ret) must_check;

/** The agent port: a stream socket, owned by the domain, non-blocking. */
int domain_agent_fd(struct domain *d);

enum guest_state domain_state(struct domain *d);

struct err *domain_swap_written(struct domain *d, uint64_t *ret_bytes) must_check;

/** The last 16 KiB of what the serial console printed, as text, to be freed. Never NULL. */
char *domain_console(struct domain *d);

/** The full command line of the QEMU process, shell-quoted, to be freed. */
char *domain_command_line(struct domain *d);

/** Ends the guest at once, waits until its process is gone, removes its files, frees d. */
void domain_stop(struct domain *d);

#endif
