/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "harness/base/err.h"
#include "harness/image/build-cache.h"
#include "harness/image/image.h"
#include "harness/image/workloads.h"

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
