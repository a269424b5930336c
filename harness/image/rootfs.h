/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdint.h>

#include "harness/base/err.h"
#include "harness/base/strbuf.h"
#include "harness/image/image.h"

/*
 * The tar that mmdebstrap makes, taken apart with libarchive: what the guest's root disk gets, and the
 * kernel, which stays outside; and the initramfs that it boots from.
 */

struct rootfs {
	char *release;        /**< of the kernel */
	struct strbuf config; /**< texts of files of the same names */
	struct strbuf modules_dep;
	struct strbuf modules_builtin;
	struct strbuf dpkg_status;
	struct strbuf programs; /**< names in /usr/bin, each after and before a newline */
	uint64_t entries;       /**< files, directories and links of the root */
	uint64_t bytes;         /**< their data, each rounded up to 4 KiB */
};

void rootfs_deinit(struct rootfs *r);

/**
 * Reads the tar and writes two files: root_tar, the root without kernel, documentation and caches but with
 * the workloads; and vmlinuz.
 */
struct err *rootfs_split(const char *tar, const struct workloads *workloads, const char *root_tar,
			 const char *vmlinuz, struct rootfs *ret) must_check;

/**
 * Writes a tar of these files and the directories they are in, owned by root, as old as time. *ret_entries
 * and *ret_bytes as in struct rootfs.
 */
struct err *rootfs_pack(const struct workloads *files, const char *tar, uint64_t *ret_entries,
			uint64_t *ret_bytes) must_check;

/** Writes the modules of a kernel release to DIR/NN-name.ko, decompressed. DIR must exist. */
struct err *rootfs_extract_modules(const char *tar, const char *release, const struct name_list *modules,
				   const char *dir) must_check;

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

/**
 * Writes the initramfs of a guest (newc cpio, not compressed) to path, with mode 0600: /init (the agent),
 * /ballast, /known, /modules/NN-name.ko in load order, and the directories and /dev/console the kernel needs.
 * The programs are those embedded in this binary. Same input, same bytes.
 */
struct err *initramfs_write(const struct image *image, const char *path) must_check;

/** The guest programs in this binary (embed.S). */
extern const unsigned char swapcal_agent[], swapcal_ballast[], swapcal_known[];
extern const uint64_t swapcal_agent_len, swapcal_ballast_len, swapcal_known_len;
