/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "harness/base/err.h"
#include "harness/base/file.h"

/**
 * Finds modules and what they depend on, in the order they must be loaded, as paths relative to
 * lib/modules/RELEASE: kernel/drivers/block/virtio_blk.ko[.xz]. dep and builtin are the texts of modules.dep
 * and modules.builtin. Modules built into the kernel are left out; a name in neither is an error. As for
 * modprobe, '-' and '_' are the same in a name.
 */
struct err *modules_resolve(const char *dep, const char *builtin, const struct name_list *wanted,
			    struct name_list *ret) must_check;

/** The name of the module in a file: "kernel/a/virtio-x.ko.xz" is "virtio_x". Freed by the caller. */
char *modules_name(const char *path);
