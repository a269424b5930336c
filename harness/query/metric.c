/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/query/metric.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"
#include "harness/base/datadir.h"

static const struct {
	const char *key;
	size_t offset;
	bool is_needed;
} fields[] = {
	{ "name", offsetof(struct metric, name), true },
	{ "summary", offsetof(struct metric, summary), true },
	{ "meaning", offsetof(struct metric, meaning), true },
	{ "wrong when", offsetof(struct metric, wrong_when), true },
	{ "source", offsetof(struct metric, source), true },
	{ "best for", offsetof(struct metric, best_for), false },
};

static char **field_of(struct metric *m, size_t i)
{
	return (char **)((char *)m + fields[i].offset);
}

/* The field that "KEY: value" (len bytes) sets, and its value; NULL when there is no such key. */
static char **find_field(struct metric *m, char *line, char **ret_value)
{
	for (size_t i = 0; i < COUNT(fields); i++) {
		size_t len = strlen(fields[i].key);

		if (strncmp(line, fields[i].key, len) != 0 || line[len] != ':')
			continue;
		*ret_value = line + len + 1 + strspn(line + len + 1, " ");
		return field_of(m, i);
	}
	return NULL;
}

/* One line of the header, without its "--". *current is the field that an indented line goes on with. */
static struct err *parse_header_line(struct metric *m, char *line, char ***current)
{
	size_t indent = strspn(line, " ");
	char *text = line + indent, *value;

	if (*text == '\0')
		return NULL;
	if (indent >= 3 && *current) {
		char *joined = xasprintf("%s %s", **current, text);

		free(**current);
		**current = joined;
		return NULL;
	}
	*current = find_field(m, text, &value);
	if (!*current)
		return err_new_kind(
			ERR_USAGE, "'%s' is not one of: name, summary, meaning, wrong when, source, best for",
			text);
	if (**current)
		return err_new_kind(ERR_USAGE, "given a second time: '%s'", text);
	**current = xstrdup(value);
	return NULL;
}

static struct err *parse(struct metric *m, const char *path, char *text)
{
	char **current = NULL, *line = text;
	unsigned number = 1;

	for (; strncmp(line, "--", 2) == 0; number++) {
		size_t len = strcspn(line, "\n");
		char *next = line + len + (line[len] == '\n');

		line[len] = '\0';

		struct err *e = parse_header_line(m, line + 2, &current);

		if (e)
			return err_wrap(e, "%s:%u", path, number);
		line = next;
	}
	for (size_t i = 0; i < COUNT(fields); i++)
		if (!*field_of(m, i) && !fields[i].is_needed)
			*field_of(m, i) = xstrdup("");
		else if (!*field_of(m, i))
			return err_new_kind(ERR_USAGE, "%s:%u: the header has no line '-- %s: ...'", path,
					    number, fields[i].key);
	m->sql = xstrdup(line);
	m->line = number;
	return NULL;
}

static struct err *read_text(const char *path, struct strbuf *text)
{
	struct err *e = file_read(path, METRIC_BYTES_MAX, text);

	if (e)
		return err_wrap(e, "metric");
	if (strlen(strbuf_str(text)) != text->len)
		return err_new_kind(ERR_USAGE, "%s:1: is not text", path);
	if (text->len == 0)
		return err_new_kind(ERR_USAGE, "%s:1: is empty", path);
	return NULL;
}

static struct err *check_name(const struct metric *m)
{
	if (*m->name == '\0' || m->name[strspn(m->name, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0')
		return err_new_kind(ERR_USAGE,
				    "%s: name '%s' must be lower-case letters, digits and underscores",
				    m->path, m->name);

	cleanup_free char *copy = xstrdup(m->path), *expected = xasprintf("%s.sql", m->name);

	if (strcmp(basename(copy), expected) != 0)
		return err_new_kind(ERR_USAGE, "%s: metric '%s' must be in a file of that name", m->path,
				    m->name);
	return NULL;
}

static bool is_sql(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && strcmp(name + len - 4, ".sql") == 0;
}

/* A file that is nothing but a query. */
static void take_query(struct metric *m, const char *text)
{
	cleanup_free char *copy = xstrdup(m->path);
	const char *file = basename(copy);

	m->name = xmemdup0(file, strlen(file) - (is_sql(file) ? strlen(".sql") : 0));
	for (size_t i = 0; i < COUNT(fields); i++)
		if (!*field_of(m, i))
			*field_of(m, i) = xstrdup("");
	m->sql = xstrdup(text);
	m->line = 1;
}

static bool has_header(const char *text)
{
	return strncmp(text, "-- name:", strlen("-- name:")) == 0;
}

static struct err *read_metric(struct metric *m, bool needs_header)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	struct err *e = read_text(m->path, &text);

	if (e)
		return e;
	if (!needs_header && !has_header(text.data)) {
		take_query(m, text.data);
		return NULL;
	}
	e = parse(m, m->path, text.data);
	return e ? e : check_name(m);
}

static struct err *load(const char *path, bool needs_header, struct metric *ret)
{
	struct metric m = { .path = xstrdup(path) };
	struct err *e = read_metric(&m, needs_header);

	if (e)
		metric_deinit(&m);
	else
		*ret = m;
	return e;
}

struct err *metric_load_shipped(struct metric **ret, size_t *ret_n)
{
	cleanup_free char *dir = NULL;
	cleanup_name_list struct name_list names = { 0 };
	struct metric *metrics = NULL;
	size_t n = 0, cap = 0;
	struct err *e = datadir_find("calibrate/metrics", &dir);

	if (!e)
		e = file_list(dir, &names);
	for (size_t i = 0; !e && i < names.n; i++) {
		cleanup_free char *path = xasprintf("%s/%s", dir, names.v[i]);

		if (is_sql(names.v[i]))
			e = load(path, true, array_push(metrics, n, cap));
	}
	if (!e && !n)
		e = err_new("no metrics (*.sql) in '%s'", dir);
	if (e) {
		metrics_free(metrics, n);
		return e;
	}
	*ret = metrics;
	*ret_n = n;
	return NULL;
}

struct err *metric_find(const char *name, struct metric *ret)
{
	cleanup_free char *dir = NULL, *path = NULL;
	struct err *e = datadir_find("calibrate/metrics", &dir);

	if (e)
		return e;
	path = xasprintf("%s/%s.sql", dir, name);
	if (strchr(name, '/') || access(path, F_OK))
		return err_new_kind(
			ERR_USAGE,
			"there is no metric '%s': 'swapcal metrics list' shows all; a file of your own is named by its path, which ends in .sql",
			name);
	return load(path, true, ret);
}

struct err *metric_load_trial(const char *name_or_path, struct metric **ret, size_t *ret_n)
{
	struct metric trial, *metrics;
	size_t n;
	struct err *e = strchr(name_or_path, '/') || is_sql(name_or_path) ? load(name_or_path, false, &trial)
									  : metric_find(name_or_path, &trial);

	if (e)
		return e;
	e = metric_load_shipped(&metrics, &n);
	if (e) {
		metric_deinit(&trial);
		return e;
	}
	metrics = xreallocarray(metrics, n + 1, sizeof(*metrics));
	metrics[n] = trial;
	*ret = metrics;
	*ret_n = n + 1;
	return NULL;
}

void metric_deinit(struct metric *m)
{
	for (size_t i = 0; i < COUNT(fields); i++)
		free(*field_of(m, i));
	free(m->sql);
	free(m->path);
	memset(m, 0, sizeof(*m));
}

void metrics_free(struct metric *metrics, size_t n)
{
	for (size_t i = 0; i < n; i++)
		metric_deinit(&metrics[i]);
	free(metrics);
}
