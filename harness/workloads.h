/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_WORKLOADS_H
#define SWAPCAL_WORKLOADS_H

#include <stdbool.h>
#include <stddef.h>

#include "harness/base/err.h"
#include "harness/base/strbuf.h"

/** The files of a workload directory, in the order of their names. */
struct workloads {
	struct workload_file {
		char *name;
		bool executable;
		struct strbuf text;
	} * files;
	size_t n;
};

void workloads_deinit(struct workloads *w);

/** Reads the regular files of dir, but not hidden ones or an editor's backups. */
struct err *workloads_load(const char *dir, struct workloads *ret) must_check;

#endif
