/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/image/modules.h"

#include <stdbool.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

/* A chain of dependencies this long is a broken modules.dep; real ones are below 10. */
#define DEPTH_MAX 32

static char *name_of(const char *path, size_t len)
{
	const char *base = memrchr(path, '/', len);

	base = base ? base + 1 : path;

	char *name = xmemdup0(base, len - (size_t)(base - path));
	char *suffix = strstr(name, ".ko");

	if (suffix)
		*suffix = '\0';
	for (char *p = name; *p; p++)
		if (*p == '-')
			*p = '_';
	return name;
}

char *modules_name(const char *path)
{
	return name_of(path, strlen(path));
}

/** The line of text for the module at path or of that name: each line begins with a path, then a colon or
 * nothing. */
static const char *find_line(const char *text, const char *name, size_t *ret_path_len)
{
	for (const char *line = text; *line;) {
		size_t len = strcspn(line, ":\n");
		cleanup_free char *have = name_of(line, len);

		if (strcmp(have, name) == 0) {
			*ret_path_len = len;
			return line;
		}
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return NULL;
}

struct resolver {
	const char *dep;
	const char *builtin;
	struct name_list found;
};

static bool is_found(const struct name_list *m, const char *path, size_t len)
{
	for (size_t i = 0; i < m->n; i++)
		if (strlen(m->v[i]) == len && memcmp(m->v[i], path, len) == 0)
			return true;
	return false;
}

static bool is_safe_path(const char *path, size_t len)
{
	cleanup_free char *s = xmemdup0(path, len);

	return s[0] != '/' && !strstr(s, "..") && strstr(s, ".ko");
}

static struct err *add_module(struct resolver *r, const char *name, unsigned depth)
{
	size_t len;
	const char *line = find_line(r->dep, name, &len);

	if (!line) {
		if (find_line(r->builtin, name, &len))
			return NULL;
		return err_new("the kernel has no module '%s'", name);
	}
	if (is_found(&r->found, line, len))
		return NULL;
	if (depth > DEPTH_MAX || line[len] != ':' || !is_safe_path(line, len))
		return err_new("modules.dep: bad entry for '%s'", name);

	/* Dependencies first. The line lists them all; each has a line of its own, so their order here does
	 * not matter. */
	const char *p = line + len + 1;

	for (p += strspn(p, " "); *p && *p != '\n'; p += strspn(p, " ")) {
		size_t dep_len = strcspn(p, " \n");
		cleanup_free char *dep_name = name_of(p, dep_len);
		struct err *e = add_module(r, dep_name, depth + 1);

		if (e)
			return err_wrap(e, "module '%s'", name);
		p += dep_len;
	}
	*array_push(r->found.v, r->found.n, r->found.cap) = xmemdup0(line, len);
	return NULL;
}

struct err *modules_resolve(const char *dep, const char *builtin, const struct name_list *wanted,
			    struct name_list *ret)
{
	struct resolver r = { .dep = dep, .builtin = builtin };

	for (size_t i = 0; i < wanted->n; i++) {
		cleanup_free char *name = modules_name(wanted->v[i]);
		struct err *e = add_module(&r, name, 0);

		if (e) {
			name_list_deinit(&r.found);
			return e;
		}
	}
	*ret = r.found;
	return NULL;
}
