/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_AUDIT_H
#define SWAPCAL_AUDIT_H

#include <jansson.h>

#include "harness/domain.h"
#include "harness/image.h"

/**
 * Every fact needed to repeat a run, besides its plan: host (kernel, CPU, memory, load), versions,
 * connection, accelerator, image manifest, arguments. A new reference.
 */
json_t *audit_create(struct domain_conn *conn, const struct image *image, const char *accel, int argc,
		     char **argv);

#endif
