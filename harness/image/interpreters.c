/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/image/interpreters.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/strbuf.h"

/* guest/interpreters.yaml in this program (embed.S). */
extern const char swapcal_interpreters[];
extern const size_t swapcal_interpreters_len;

/* Python is what most workloads are written in. */
#define DEFAULT_EXTENSION "py"

#define WORD_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static struct err *read_command(struct yaml_node node, struct interpreter *ret)
{
	size_t n = yaml_count(node);
	struct err *e = NULL;

	if (n == 0 || n > INTERPRETER_WORDS_MAX)
		return yaml_error(node, "a command has 1 to %d words", INTERPRETER_WORDS_MAX);
	for (size_t i = 0; !e && i < n; i++)
		e = yaml_str(yaml_at(node, i), &ret->command[i]);
	return e;
}

static struct err *read_extension(struct yaml_node node, struct interpreter *ret)
{
	struct err *e;

	ret->extension = DEFAULT_EXTENSION;
	if (!yaml_is_present(node))
		return NULL;
	e = yaml_str(node, &ret->extension);
	if (!e && ret->extension[strspn(ret->extension, WORD_CHARS)])
		e = yaml_error(node, "'%s' is not an extension: use letters and digits, without a dot",
			       ret->extension);
	return e;
}

static struct err *read_env(struct yaml_node node, struct interpreter *ret)
{
	size_t n = yaml_pairs(node);
	struct err *e = NULL;

	if (yaml_is_present(node) && n == 0)
		return yaml_error(node, "expected variables (NAME: value)");
	if (n > INTERPRETER_ENV_MAX)
		return yaml_error(node, "more than %d variables", INTERPRETER_ENV_MAX);
	for (size_t i = 0; !e && i < n; i++) {
		const char *key, *value;
		struct yaml_node v;

		e = yaml_pair(node, i, &key, &v);
		if (!e && key[strspn(key, WORD_CHARS "_")])
			e = yaml_error(v, "'%s' is not the name of a variable", key);
		if (!e)
			e = yaml_str(v, &value);
		if (!e)
			ret->env[i] = xasprintf("%s=%s", key, value);
	}
	return e;
}

static struct err *read_interpreter(struct yaml_node node, struct interpreter *ret)
{
	static const char *const keys[] = { "command", "extension", "env", "about", NULL };
	struct yaml_node command = { NULL, 0 };
	const char *about;
	struct err *e = yaml_check_keys(node, keys);

	if (!e)
		e = yaml_need(node, "command", &command);
	if (!e)
		e = read_command(command, ret);
	if (!e)
		e = read_extension(yaml_get(node, "extension"), ret);
	if (!e && yaml_is_present(yaml_get(node, "about")))
		e = yaml_str(yaml_get(node, "about"), &about);
	return e ? e : read_env(yaml_get(node, "env"), ret);
}

/** Names are in every report; "-" and "ballast" stand there for what has no interpreter. */
static bool is_name(const char *name)
{
	return strspn(name, WORD_CHARS) && !name[strspn(name, WORD_CHARS "._+-")] &&
	       strcmp(name, "ballast") != 0;
}

struct err *interpreters_add(struct interpreters *list, struct yaml_node mapping)
{
	struct err *e = NULL;

	if (yaml_pairs(mapping) == 0)
		return yaml_error(mapping, "expected interpreters (NAME: {command: ...})");
	for (size_t i = 0; !e && i < yaml_pairs(mapping); i++) {
		struct yaml_node node;
		const char *name;

		e = yaml_pair(mapping, i, &name, &node);
		if (!e && !is_name(name))
			e = yaml_error(
				node,
				"'%s' is not a name for an interpreter: use letters and digits, and after the first of them also '._+-'; 'ballast' is taken",
				name);
		if (!e && interpreters_find(list, name))
			e = yaml_error(node, "an interpreter '%s' already exists: give yours another name",
				       name);
		if (e)
			break;

		struct interpreter *interpreter = array_push(list->v, list->n, list->cap);

		*interpreter = (struct interpreter){ .name = name };
		e = read_interpreter(node, interpreter);
	}
	return e;
}

struct err *interpreters_load(struct interpreters *ret)
{
	cleanup_free char *text = xmemdup0(swapcal_interpreters, swapcal_interpreters_len);
	struct interpreters list = { NULL, NULL, 0, 0 };
	struct err *e = yaml_parse("guest/interpreters.yaml", text, &list.shipped);

	if (e)
		return e;
	/* The one that is always there. */
	*array_push(list.v, list.n, list.cap) =
		(struct interpreter){ .name = INTERPRETER_NONE, .extension = "" };
	e = interpreters_add(&list, yaml_root(list.shipped));
	if (e) {
		interpreters_deinit(&list);
		return e;
	}
	*ret = list;
	return NULL;
}

const struct interpreter *interpreters_find(const struct interpreters *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i].name, name) == 0)
			return &list->v[i];
	return NULL;
}

char *interpreters_names(const struct interpreters *list)
{
	struct strbuf names = STRBUF_INIT;

	for (size_t i = 0; i < list->n; i++)
		strbuf_addf(&names, "%s%s", i ? ", " : "", list->v[i].name);
	return strbuf_steal(&names);
}

void interpreters_deinit(struct interpreters *list)
{
	for (size_t i = 0; i < list->n; i++)
		for (char **env = list->v[i].env; *env; env++)
			free(*env);
	free(list->v);
	yaml_close(list->shipped);
	*list = (struct interpreters){ 0 };
}
