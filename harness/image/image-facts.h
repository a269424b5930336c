/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_IMAGE_FACTS_H
#define SWAPCAL_IMAGE_FACTS_H

#include <jansson.h>

/*
 * What texts of a guest's root say about it, as parts of its manifest. New references.
 */

/** {NAME: version} of the packages that a dpkg status file calls installed. */
json_t *image_facts_packages(const char *dpkg_status);

/**
 * The options of a kernel's config that decide how it reclaims, swaps and counts memory: {OPTION: "y", "m",
 * "n" or a value without its quotes; null when the kernel does not know the option}.
 */
json_t *image_facts_kernel_config(const char *config);

#endif
