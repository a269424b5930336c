/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_IMAGE_QUERY_H
#define SWAPCAL_IMAGE_QUERY_H

#include <stdbool.h>

#include "harness/image/image.h"

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

/** The name of a workload's script in a language: "strings" and "py" is "strings.py". To be freed. */
char *workload_file(const char *workload, const char *extension);

/** Has the image a workload with that file? */
bool image_has_workload_file(const struct image *image, const char *file);

/** The files of its workloads, comma separated, to be freed. */
char *image_workload_names(const struct image *image);

#endif
