/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "harness/vm/domain.h"
#include "harness/vm/guest.h"
#include "harness/image/image.h"

/**
 * Real guests: libvirt domains that boot an image, with the agent behind a virtio-serial port. Its context is
 * a struct guest_vm_host.
 */
extern const struct guest_ops guest_vm_ops;

/**
 * The command line of the guest's kernel; it decides what a guest is like, so it is part of a cell's
 * identity.
 */
const char *guest_vm_cmdline(bool icount);

struct guest_vm_host;

/**
 * Makes an image's files reachable for QEMU and writes the initramfs. Guests also get user_disk (see
 * userdisk.h) unless it is NULL. conn is borrowed until the host is destroyed, all else for the time of the
 * call.
 */
struct err *guest_vm_host_create(struct domain_conn *conn, const struct image *image, const char *user_disk,
				 struct guest_vm_host **ret) must_check;
void guest_vm_host_destroy(struct guest_vm_host *host);
DEFINE_CLEANUP(cleanup_host, struct guest_vm_host *, guest_vm_host_destroy)

/**
 * Waits for the agent's hello. Its error: none came within timeout_ms, the guest does not run any more, or it
 * says that it is unfit; or the user asked to stop (ERR_INTERRUPTED).
 */
struct err *guest_vm_await_hello(struct guest *g, int timeout_ms) must_check;
