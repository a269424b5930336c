/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "harness/base/cleanup.h"
#include "harness/base/err.h"
#include "harness/host/stage.h"
#include "harness/vm/guest.h"

/*
 * Guests as libvirt domains. Nothing above knows more of libvirt than this: only virt.c and domain*.c
 * include its header. All functions may be called from several threads; one guest only from one
 * thread at a time.
 */

/** All guests of ours are called so, and no others are touched. */
#define DOMAIN_NAME_PREFIX "swapcal-"

/**
 * The x86-64-v2 instructions, and nothing that depends on the host: one guest is the same under every
 * accelerator.
 */
#define DOMAIN_CPU_MODEL "Nehalem"

/** How libvirt calls the swap disk. */
#define DOMAIN_SWAP_TARGET "vdb"

/** A connection with its event loop running in a thread of its own. */
struct domain_conn;

/**
 * Opens a connection. uri NULL: that of $LIBVIRT_DEFAULT_URI, or when that is not set the embedded QEMU
 * driver (qemu:///embed?root=...) in a private work directory that this process keeps until it ends;
 * libvirt allows one such directory per process, so that a later embedded connection finds the same one.
 * What a dead process left running there, or under a `swapcal-` name on another local connection, is ended
 * first, and said with log_note(). A uri that names another machine is refused: the agent's socket cannot
 * be reached there.
 */
struct err *domain_conn_open(const char *uri, struct domain_conn **ret) must_check;

/** Ends every guest of this connection, then closes it. Their struct guest are freed. */
void domain_conn_close(struct domain_conn *conn);
DEFINE_CLEANUP(cleanup_domain_conn, struct domain_conn *, domain_conn_close)

/**
 * {"uri":..., "libvirt":"9.0.0", "qemu":"7.2.22", "emulator":..., "qemu_user":..., "cpu_model":...}: for
 * the audit. A new reference.
 */
json_t *domain_conn_describe(struct domain_conn *conn);

/**
 * Directory for files that a guest's QEMU has to reach (swap disks, initramfs): QEMU's user can pass
 * through it. Emptied when the connection is closed. Borrowed.
 */
const char *domain_conn_workdir(struct domain_conn *conn);

/** Whom QEMU runs as: for what else it has to reach (see stage.h). Borrowed. */
const struct stage_user *domain_conn_user(const struct domain_conn *conn);

/**
 * Makes a file of the cache reachable for QEMU's user: sets *ret to a path (to be freed) to the same
 * content: the file itself where it can be read by that user, else a hard link or copy in the work directory.
 */
struct err *domain_stage_file(struct domain_conn *conn, const char *path, char **ret) must_check;

struct domain_spec {
	/** The name: a-z, 0-9, '-', at most 60 characters. Its disks, where it has any, are made. */
	const struct guest_config *config;
	const char *kernel; /**< paths that QEMU's user can read */
	const char *initrd; /**< NULL for none */
	const char *cmdline;
	const char *root_disk; /**< qcow2, attached read-only; NULL for none */
	const char *user_disk; /**< like root_disk */
	/**
	 * What domain_save() wrote of a guest that differs from this one in name and paths only, for the
	 * guest to go on from; NULL: it boots. A file of it is changed, so it serves one start at a time.
	 */
	const char *saved_dir;
};

/**
 * Starts a transient guest that dies with the connection. Its agent port is connected from the first
 * instruction on. An error has QEMU's log as its detail. A connection whose daemon was restarted is opened
 * again; when that fails, the error is of kind ERR_HOST. No call about a guest takes longer than a minute or
 * so, saving and restoring five: QEMU is killed when it does not answer.
 */
struct err *domain_start(struct domain_conn *conn, const struct domain_spec *spec,
			 struct guest **ret) must_check;

/**
 * Writes the guest's memory and scratch disk to files in dir, from which others can go on, and ends it.
 * libvirt opens the first: in this process with an embedded driver, else in its daemon. After an error there
 * may be a part of it.
 */
struct err *domain_save(struct guest *g, const char *dir) must_check;

/* What struct guest_ops says of them holds for these too. */

struct err *domain_send(struct guest *g, json_t *json) must_check;
struct err *domain_recv(struct guest *g, int timeout_ms, struct guest_msg **ret) must_check;

/** Cheap enough to be asked every second. A panic counts also when it is only found on the console. */
enum guest_state domain_state(struct guest *g);

/** Fails once the guest is gone, or stopped. */
struct err *domain_swap_written(struct guest *g, uint64_t *ret_bytes) must_check;

/**
 * The last 16 KiB of what the serial console printed, as text: bytes that are no printable ASCII, tab or
 * newline are shown as '?'.
 */
char *domain_console(struct guest *g);

/** The same of QEMU's log; "" when there is none, or it may not be read. */
char *domain_log(struct guest *g);

/** "exit status 1", "signal 9 (Killed)"; "running" or "stopped" when QEMU did not end. */
char *domain_ending(struct guest *g);

/** Shell-quoted; "" when it cannot be read. */
char *domain_command_line(struct guest *g);

/**
 * Ends the guest at once, waits until its process is gone, removes its disks, sockets, console and log, frees
 * g.
 */
void domain_stop(struct guest *g);
DEFINE_CLEANUP(cleanup_guest, struct guest *, domain_stop)
