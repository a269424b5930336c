/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "harness/base/err.h"
#include "harness/base/file.h"
#include "harness/image/workloads.h"

/*
 * Guest images: built from a recipe (vm-images/NAME.yaml) with mmdebstrap and libguestfs, kept in the user's
 * cache, keyed by content.
 *
 * An image is a directory $CACHE/images/NAME-KEY/ with: vmlinuz, config (the kernel's), modules/NN-name.ko
 * (plain, not compressed, numbered in load order), root.qcow2 (ext4) and manifest.json. KEY is the start of
 * the sha256 of everything that decides what goes in: the recipe, the workloads, the builder's version. A
 * directory of that name is always a whole image: it is made elsewhere and renamed when done.
 *
 * The manifest:
 *
 * - format: 1
 * - name, suite, key, recipe (its text), built_at (UTC, ISO 8601)
 * - tools: {mmdebstrap, libguestfs}, versions
 * - kernel: {release, config: {CONFIG_X: "y", "m", "n", a value; null when this kernel does not know it}}
 * - modules: names in load order
 * - workloads: file names in /usr/share/swapcal/workloads
 * - interpreters: {NAME: {path, version}}, packages of the recipe with a program of the same name
 * - packages: {NAME: version}, all that are installed
 * - files: {PATH: {bytes, sha256}}
 */

/** What a recipe says. */
struct image_recipe {
	char *text; /**< the file as it is */
	char *name;
	char *suite;
	char *mirror; /**< NULL: mmdebstrap's default for the suite */
	char *kernel; /**< kernel package */
	struct name_list packages;
	struct name_list modules; /**< kernel modules the guest needs; their dependencies follow */
};

/** A built image. */
struct image {
	char *dir;
	char *key; /**< 64 hex digits; dir ends in the first 12 */
	json_t *manifest;
};

/** Reads and checks a recipe; errors name file and line. */
struct err *image_recipe_load(const char *path, struct image_recipe **ret) must_check;
void image_recipe_destroy(struct image_recipe *r);
DEFINE_CLEANUP(cleanup_recipe, struct image_recipe *, image_recipe_destroy)

struct image_build_options {
	const char *workload_dir; /**< its files are copied to /usr/share/swapcal/workloads in the guest */
	bool force;               /**< build even when the cache has it */
	/** May the libguestfs appliance use KVM? Asked only when there is something to build. */
	bool (*kvm_works)(void);
};

/**
 * Builds the image of a recipe unless the cache has it: *ret_was_cached tells. One build runs at a time,
 * others wait. An interrupted build leaves nothing that looks like an image; what a killed one left is
 * removed by the next.
 */
struct err *image_build(const struct image_recipe *recipe, const struct image_build_options *options,
			struct image **ret, bool *ret_was_cached) must_check;

/**
 * The image of that name that was built, or found up to date by image_build(), last. Its files are checked
 * against the sizes in its manifest. The error for a missing one says what to run.
 */
struct err *image_find(const char *name, struct image **ret) must_check;

void image_destroy(struct image *image);
DEFINE_CLEANUP(cleanup_image, struct image *, image_destroy)

/** All built images, newest first; an array the caller frees with its elements. */
struct err *image_list(struct image ***ret, size_t *ret_n) must_check;

/** Removes every built image of that name from the cache; an error when there is none. */
struct err *image_remove(const char *name) must_check;

/* Questions to an image's manifest. */

/** Release of the guest's kernel, as uname -r gives it; "" when the manifest does not say. */
const char *image_kernel_release(const struct image *image);

/**
 * SHA-256 of what can differ in guests of this image: kernel, installed packages with their versions, and the
 * build's key (recipe and workloads). Images built at two times or places from the same packages have the
 * same; their files have not.
 */
void image_content_hash(const struct image *image, char hex[65]);

/** Path of an interpreter in the guest, or NULL when the image has none of that name. */
const char *image_interpreter_path(const struct image *image, const char *name);

/** Has the image a workload with that file? */
bool image_has_workload_file(const struct image *image, const char *file);

/** The files of its workloads, comma separated, to be freed. */
char *image_workload_names(const struct image *image);

/* What is in it of texts of the root. */

/** {NAME: version} of the packages that a dpkg status file calls installed. A new reference. */
json_t *manifest_packages(const char *dpkg_status);

/**
 * The options of a kernel's config that decide how it reclaims, swaps and counts memory: {OPTION: "y", "m",
 * "n" or a value without its quotes; null when the kernel does not know the option}. A new reference.
 */
json_t *manifest_kernel_config(const char *config);

/* How images are kept. */

/** Where images are kept: entries of this part of the cache. */
#define IMAGE_CACHE_PART "images"

/** The key of what a recipe and workloads make, 64 hex digits and a NUL. */
void image_cache_key(const struct image_recipe *recipe, const struct workloads *workloads, char key[65]);

/** The image of that name and key, or NULL in *ret when the cache has none that is whole. */
struct err *image_cache_get(const char *name, const char *key, struct image **ret) must_check;

/** The entry of the cache that this image is, to be freed. */
char *image_cache_entry(const char *name, const char *key);

/** Makes the image the newest of its name for image_find(). */
struct err *image_cache_touch(const struct image *image) must_check;
