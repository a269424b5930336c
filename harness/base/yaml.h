/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "harness/base/err.h"

/*
 * Typed access to a YAML file, where every error names file and line (over libyaml, which keeps the place of
 * each node). The caller says which keys a mapping may have and reads them by name; errors are of kind
 * ERR_USAGE.
 */

struct yaml_file;

/** A node of a file: a mapping, a list or a scalar. Valid as long as the file. */
struct yaml_node {
	const struct yaml_file *file;
	int id; /**< libyaml's index; 0: absent */
};

/** Reads a file of at most 1 MiB holding one document. */
struct err *yaml_open(const char *path, struct yaml_file **ret) must_check;

/** The same of a text; path stands for it in errors. */
struct err *yaml_parse(const char *path, const char *text, struct yaml_file **ret) must_check;
void yaml_close(struct yaml_file *file);

/** The file's text as it is on disk. Borrowed. */
const char *yaml_text(const struct yaml_file *file);

struct yaml_node yaml_root(const struct yaml_file *file);

bool yaml_is_present(struct yaml_node node);

/** An error "FILE:LINE: text" at the place of node. */
struct err *yaml_error(struct yaml_node node, const char *fmt, ...)
	__attribute__((format(printf, 2, 3))) must_check;

/** Checks that node is a mapping whose keys are all in the NULL-terminated list, none twice. */
struct err *yaml_check_keys(struct yaml_node node, const char *const *keys) must_check;

/** The value of a key, absent when the mapping has none. */
struct yaml_node yaml_get(struct yaml_node mapping, const char *key);

/** The value of a key; an error at the mapping when absent. */
struct err *yaml_need(struct yaml_node mapping, const char *key, struct yaml_node *ret) must_check;

/** Number of keys of a mapping; 0 for anything else. */
size_t yaml_pairs(struct yaml_node mapping);

/** Key and value of the i-th pair of a mapping, in the order of the file. */
struct err *yaml_pair(struct yaml_node mapping, size_t i, const char **ret_key,
		      struct yaml_node *ret_value) must_check;

/** Number of values: the length of a list, 1 for anything else that is present, 0 when absent. */
size_t yaml_count(struct yaml_node node);

/** The i-th value of a list; the node itself for anything else: one value is a list of one. */
struct yaml_node yaml_at(struct yaml_node node, size_t i);

/** Scalars. A string is borrowed from the file. Numbers are decimal, within [min, max]. */
struct err *yaml_str(struct yaml_node node, const char **ret) must_check;

/** The same of what is shown to people: an error when it holds control characters. */
struct err *yaml_line(struct yaml_node node, const char **ret) must_check;
struct err *yaml_uint(struct yaml_node node, unsigned long min, unsigned long max, unsigned *ret) must_check;
struct err *yaml_double(struct yaml_node node, double min, double max, double *ret) must_check;

/** A string that is one of a NULL-terminated list; *ret is the index. */
struct err *yaml_choice(struct yaml_node node, const char *const *choices, unsigned *ret) must_check;
