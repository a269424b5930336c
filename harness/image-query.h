/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_IMAGE_QUERY_H
#define SWAPCAL_IMAGE_QUERY_H

#include <stdbool.h>

#include "harness/image.h"

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

/** The interpreters' names, comma separated, to be freed. */
char *image_interpreter_names(const struct image *image);

/** Has the image a workload of that name? */
bool image_has_workload(const struct image *image, const char *name);

/** The workloads' names, comma separated, to be freed. */
char *image_workload_names(const struct image *image);

#endif
