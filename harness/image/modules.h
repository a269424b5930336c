/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>

#include "harness/base/err.h"

/** Kernel modules in the order they must be loaded. */
struct modules {
	char **paths; /**< relative to lib/modules/RELEASE: kernel/drivers/block/virtio_blk.ko[.xz] */
	size_t n;
};

void modules_deinit(struct modules *m);

/**
 * Finds modules and what they depend on. dep and builtin are the texts of modules.dep and modules.builtin.
 * Modules built into the kernel are left out; a name in neither is an error. As for modprobe, '-' and '_' are
 * the same in a name.
 */
struct err *modules_resolve(const char *dep, const char *builtin, char *const *wanted, size_t wanted_n,
			    struct modules *ret) must_check;

/** The name of the module in a file: "kernel/a/virtio-x.ko.xz" is "virtio_x". Freed by the caller. */
char *modules_name(const char *path);
