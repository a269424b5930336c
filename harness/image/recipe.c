/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/image/image.h"
#include "harness/base/yaml.h"

DEFINE_CLEANUP(cleanup_yaml, struct yaml_file *, yaml_close)

/* The first character of a word; the others may be more. */
#define FIRST_CHARS "abcdefghijklmnopqrstuvwxyz0123456789"
#define NAME_CHARS  FIRST_CHARS ".-"
/* Debian policy 5.6.7. */
#define PACKAGE_CHARS NAME_CHARS "+"
#define MODULE_CHARS  NAME_CHARS "_"

/* Long enough for any Debian package; file names made from it stay far below NAME_MAX. */
#define WORD_MAX 100

/**
 * A word that becomes part of paths and command lines: it starts with a letter or digit, so it cannot be an
 * option or a hidden file, and has no slash.
 */
static struct err *get_word(struct yaml_node node, const char *what, const char *chars, char **ret)
{
	const char *s;
	struct err *e = yaml_str(node, &s);

	if (e)
		return e;
	/* For apt, a minus at the end of a package means: remove it. */
	if (!strchr(FIRST_CHARS, s[0]) || s[strspn(s, chars)] || s[strlen(s) - 1] == '-')
		return yaml_error(
			node, "bad %s name '%s': use lower-case letters, digits and, between them, any of %s",
			what, s, chars + strlen(FIRST_CHARS));
	if (strlen(s) > WORD_MAX)
		return yaml_error(node, "this %s name is longer than %d characters", what, WORD_MAX);
	*ret = xstrdup(s);
	return NULL;
}

static struct err *need_word(struct yaml_node root, const char *key, const char *what, const char *chars,
			     char **ret)
{
	struct yaml_node node;
	struct err *e = yaml_need(root, key, &node);

	return e ? e : get_word(node, what, chars, ret);
}

static struct err *need_words(struct yaml_node root, const char *key, const char *what, const char *chars,
			      struct name_list *ret)
{
	struct yaml_node node;
	struct err *e = yaml_need(root, key, &node);

	if (e)
		return e;
	if (yaml_count(node) == 0)
		return yaml_error(node, "the list '%s' is empty", key);
	for (size_t i = 0; i < yaml_count(node); i++) {
		char *word;

		e = get_word(yaml_at(node, i), what, chars, &word);
		if (e)
			return e;
		*array_push(ret->v, ret->n, ret->cap) = word;
	}
	return NULL;
}

static struct err *get_mirror(struct yaml_node node, char **ret)
{
	const char *s;

	if (!yaml_is_present(node))
		return NULL;

	struct err *e = yaml_str(node, &s);

	if (e)
		return e;
	/* mmdebstrap would take other words for options, files or whole source lists. */
	if ((strncmp(s, "http://", 7) && strncmp(s, "https://", 8)) || strpbrk(s, " \t\n\r\"'\\"))
		return yaml_error(node, "'%s' is not a mirror: use a http:// or https:// address", s);
	*ret = xstrdup(s);
	return NULL;
}

static struct err *read_recipe(const struct yaml_file *file, struct image_recipe *r)
{
	static const char *const keys[] = {
		"name", "suite", "mirror", "kernel", "packages", "modules", NULL
	};
	struct yaml_node root = yaml_root(file);
	struct err *e = yaml_check_keys(root, keys);

	if (!e)
		e = need_word(root, "name", "image", NAME_CHARS, &r->name);
	if (!e)
		e = need_word(root, "suite", "suite", NAME_CHARS, &r->suite);
	if (!e)
		e = get_mirror(yaml_get(root, "mirror"), &r->mirror);
	if (!e)
		e = need_word(root, "kernel", "package", PACKAGE_CHARS, &r->kernel);
	if (!e)
		e = need_words(root, "packages", "package", PACKAGE_CHARS, &r->packages);
	if (!e)
		e = need_words(root, "modules", "module", MODULE_CHARS, &r->modules);
	return e;
}

struct err *image_recipe_load(const char *path, struct image_recipe **ret)
{
	cleanup(cleanup_yaml_) struct yaml_file *file = NULL;
	struct err *e = yaml_open(path, &file);

	if (e)
		return e;

	cleanup(cleanup_recipe_) struct image_recipe *r = xcalloc(1, sizeof(*r));

	r->text = xstrdup(yaml_text(file));
	e = read_recipe(file, r);
	if (e)
		return e;
	*ret = take_ptr(r);
	return NULL;
}

void image_recipe_destroy(struct image_recipe *r)
{
	if (!r)
		return;
	free(r->text);
	free(r->name);
	free(r->suite);
	free(r->mirror);
	free(r->kernel);
	name_list_deinit(&r->packages);
	name_list_deinit(&r->modules);
	free(r);
}
