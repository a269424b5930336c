/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_IMAGE_H
#define SWAPCAL_IMAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "harness/base/err.h"

/*
 * Guest images: built from a recipe (vm-images/NAME.yaml) with mmdebstrap and libguestfs, kept in the user's cache,
 * keyed by content. image.c is the only file that includes <guestfs.h>.
 *
 * An image is a directory $CACHE/images/NAME-KEY/ with: vmlinuz, modules/*.ko (plain, not compressed), config (the kernel's), root.qcow2 (ext4), manifest.json.
 * KEY is the start of the sha256 of everything that goes into it: the recipe, the workloads, the builder's version.
 */

/** What a recipe says. */
struct image_recipe {
	char *name;
	char *suite;
	char *mirror; /**< NULL: mmdebstrap's default for the suite */
	char *kernel; /**< kernel package */
	char **packages;
	unsigned packages_count;
	char **modules; /**< kernel modules the guest needs; their dependencies follow */
	unsigned modules_count;
};

/** A built image. */
struct image {
	char *dir;
	char *key;       /**< 64 hex digits */
	json_t *manifest;
};

/** Reads and checks a recipe; errors name file and line. */
struct err *image_recipe_load(const char *path, struct image_recipe **ret) must_check;
void image_recipe_destroy(struct image_recipe *r);

struct image_build_options {
	bool force_tcg;         /**< the libguestfs appliance must not use KVM */
	const char *workload_dir; /**< copied to /usr/share/swapcal/workloads in the guest */
};

/**
 * Builds the image of a recipe unless the cache has it: *ret_was_cached tells. Calls progress(arg, text) as it goes on. An
 * interrupted build leaves nothing that looks like an image.
 */
struct err *image_build(const struct image_recipe *recipe, const struct image_build_options *options,
			void (*progress)(void *arg, const char *text), void *arg, struct image **ret,
			bool *ret_was_cached) must_check;

/** The newest built image of that name, files checked against the sizes in its manifest. The error for a missing one says what to run. */
struct err *image_find(const char *name, struct image **ret) must_check;

void image_destroy(struct image *image);

/** All built images, newest first; an array the caller frees element by element. */
struct err *image_list(struct image ***ret, size_t *ret_n) must_check;

/** Removes every built image of that name from the cache; an error when there is none. */
struct err *image_remove(const char *name) must_check;

#endif
