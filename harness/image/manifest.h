/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <jansson.h>

#include "harness/base/err.h"
#include "harness/image/image.h"
#include "harness/image/rootfs.h"

/** Writes DIR/manifest.json (its form: see image.h) for the finished files in dir. */
struct err *manifest_write(const char *dir, const struct image_recipe *recipe, const char *key,
			   const struct rootfs *root, const struct name_list *modules,
			   const struct workloads *workloads, const char *mmdebstrap_version,
			   const char *libguestfs_version) must_check;

/**
 * Reads DIR/manifest.json and checks what others rely on: that the members image.h tells of are there, and
 * that the files exist and have their recorded sizes.
 */
struct err *manifest_load(const char *dir, json_t **ret) must_check;

/** {NAME: version} of the packages that a dpkg status file calls installed. A new reference. */
json_t *manifest_packages(const char *dpkg_status);

/**
 * The options of a kernel's config that decide how it reclaims, swaps and counts memory: {OPTION: "y", "m",
 * "n" or a value without its quotes; null when the kernel does not know the option}. A new reference.
 */
json_t *manifest_kernel_config(const char *config);
