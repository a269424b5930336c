/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <jansson.h>

#include "harness/vm/domain.h"
#include "harness/image/image.h"

/**
 * Every fact needed to repeat a run, besides its plan: host (kernel, CPU, memory, load), versions,
 * connection, accelerator, the manifests of the n images, arguments. A new reference.
 */
json_t *audit_create(struct domain_conn *conn, struct image *const *images, size_t n, const char *accel,
		     int argc, char **argv);
