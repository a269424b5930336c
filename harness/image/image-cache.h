/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_IMAGE_CACHE_H
#define SWAPCAL_IMAGE_CACHE_H

#include <stdbool.h>

#include "harness/base/err.h"
#include "harness/image/image.h"
#include "harness/image/workloads.h"

/*
 * Where images are kept: entries of the part `images` of the cache (see build-cache.h).
 */

/** The key of what a recipe and workloads make, 64 hex digits and a NUL. */
void image_cache_key(const struct image_recipe *recipe, const struct workloads *workloads, char key[65]);

/** The image of that name and key, or NULL in *ret when the cache has none that is whole. */
struct err *image_cache_get(const char *name, const char *key, struct image **ret) must_check;

/** Takes the build lock, waiting for another build to end; calls waiting(arg) once when it has to. Sets *ret
 * to a file descriptor. */
struct err *image_cache_lock(bool (*cancelled)(void), void (*waiting)(void *arg), void *arg,
			     int *ret) must_check;

/** With the lock held: removes what dead builds left and makes a new private work directory. */
struct err *image_cache_workdir(char **ret) must_check;

/** With the lock held: turns a finished directory into an image, in place of an older one of the same key. */
struct err *image_cache_publish(const char *dir, const char *name, const char *key) must_check;

/** Makes the image the newest of its name for image_find(). */
struct err *image_cache_touch(const struct image *image) must_check;

#endif
