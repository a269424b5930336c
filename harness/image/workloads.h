/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "harness/base/err.h"
#include "harness/base/strbuf.h"

/** Where workloads that come with swapcal are in a guest. */
#define WORKLOADS_GUEST_DIR "/usr/share/swapcal/workloads"

/** The files of a workload directory, in the order of their names, which may be paths relative to it. */
struct workloads {
	struct workload_file {
		char *name;
		bool executable;
		struct strbuf text;
	} * files;
	size_t n, cap;
};

void workloads_deinit(struct workloads *w);

/** Reads the regular files of dir, but not hidden ones or an editor's backups. */
struct err *workloads_load(const char *dir, struct workloads *ret) must_check;

/**
 * Reads a user's directory with all that is below it; names are relative paths. Left out are hidden files, an
 * editor's backups, and __pycache__, which comes and goes as workloads are tried. What cannot be the same in
 * a guest (symbolic links, devices) and what is too much is an error of kind ERR_USAGE, as is a directory
 * without a file.
 */
struct err *workloads_load_tree(const char *dir, struct workloads *ret) must_check;

/** The file of that name, or NULL. */
const struct workload_file *workloads_find(const struct workloads *w, const char *name);

/** The name of a workload's script in a language: "strings" and "py" is "strings.py". To be freed. */
char *workload_file(const char *workload, const char *extension);
