/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>

#include "harness/base/err.h"
#include "harness/vm/domain.h"

/*
 * Which accelerator runs the guests. That KVM opens and makes CPUs proves nothing (a host that is itself a
 * nested guest may do all of that and never run a kernel): only a kernel that boots under it does.
 */

/**
 * Boots a kernel (NULL: of the newest built image, else of /boot) without a root file system under "kvm" or
 * "tcg". *ret: did it get to the end of its own boot, where it panics for want of a root? *ret_why (to be
 * freed): "a kernel boots in 1.9 s", or what was seen instead. Takes up to 15 s under KVM, a minute under
 * TCG; the user can interrupt it.
 */
struct err *accel_try_boot(struct domain_conn *conn, const char *accel, const char *kernel, bool *ret,
			   char **ret_why) must_check;

/**
 * Does KVM work here, for QEMU's user? The verdict of a boot is kept in the cache (accel.json) for this
 * boot of the host, host kernel and QEMU; when /dev/kvm cannot be opened no boot is tried. *ret_why says
 * why, to be freed.
 */
struct err *accel_ask_kvm(struct domain_conn *conn, bool *ret, char **ret_why) must_check;

/** accel_ask_kvm() over a connection of its own. */
struct err *accel_kvm_works(bool *ret) must_check;

/**
 * What the user asked for ("auto", "kvm", "tcg") as what guests get: *ret is "kvm" or "tcg". kvm where it
 * does not work is an error.
 */
struct err *accel_resolve(const char *wanted, struct domain_conn *conn, const char **ret) must_check;

/** The newest kernel in /boot that we can read, to be freed. */
struct err *accel_find_boot_kernel(char **ret) must_check;
