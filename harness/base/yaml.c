/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/base/yaml.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"
#include "harness/base/strbuf.h"

struct yaml_file {
	char *path;
	char *text;
	yaml_document_t document;
};

static struct err *parser_error(const char *path, const yaml_parser_t *parser)
{
	return err_new_kind(ERR_USAGE, "%s:%zu: not valid YAML: %s", path, parser->problem_mark.line + 1,
			    parser->problem ? parser->problem : "unknown problem");
}

/* The document of the parser's input, which must be the only one. */
static struct err *load(const char *path, yaml_parser_t *parser, yaml_document_t *ret)
{
	yaml_document_t more;
	struct err *e = NULL;

	if (!yaml_parser_load(parser, ret))
		return parser_error(path, parser);
	if (!yaml_document_get_root_node(ret))
		return err_new_kind(ERR_USAGE, "%s:1: the file is empty", path);
	if (!yaml_parser_load(parser, &more))
		return parser_error(path, parser);
	if (yaml_document_get_root_node(&more))
		e = err_new_kind(ERR_USAGE, "%s: more than one document", path);
	yaml_document_delete(&more);
	return e;
}

struct err *yaml_parse(const char *path, const char *text, struct yaml_file **ret)
{
	struct yaml_file *file = xcalloc(1, sizeof(*file));
	yaml_parser_t parser;
	struct err *e;

	file->path = xstrdup(path);
	file->text = xstrdup(text);
	if (!yaml_parser_initialize(&parser))
		abort();
	yaml_parser_set_input_string(&parser, (const unsigned char *)file->text, strlen(file->text));
	e = load(path, &parser, &file->document);
	yaml_parser_delete(&parser);
	if (e) {
		yaml_close(file);
		return e;
	}
	*ret = file;
	return NULL;
}

struct err *yaml_open(const char *path, struct yaml_file **ret)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	/* 1 MiB: far above any plan written by hand, far below what could hurt. */
	struct err *e = file_read(path, 1 << 20, &text);

	if (e)
		return err_set_kind(e, ERR_USAGE);
	if (strlen(strbuf_str(&text)) != text.len)
		return err_new_kind(ERR_USAGE, "%s: not valid YAML: it has a NUL byte", path);
	return yaml_parse(path, strbuf_str(&text), ret);
}

void yaml_close(struct yaml_file *file)
{
	if (!file)
		return;
	yaml_document_delete(&file->document);
	free(file->path);
	free(file->text);
	free(file);
}

const char *yaml_text(const struct yaml_file *file)
{
	return file->text;
}

/* libyaml's getters take a pointer to non-const but do not change the document. */
static yaml_node_t *raw(struct yaml_node node)
{
	return yaml_document_get_node((yaml_document_t *)&node.file->document, node.id);
}

struct yaml_node yaml_root(const struct yaml_file *file)
{
	return (struct yaml_node){ file, 1 };
}

bool yaml_is_present(struct yaml_node node)
{
	return node.id != 0;
}

struct err *yaml_error(struct yaml_node node, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	cleanup_free char *text = xvasprintf(fmt, ap);
	va_end(ap);
	return err_new_kind(ERR_USAGE, "%s:%zu: %s", node.file->path, raw(node)->start_mark.line + 1, text);
}

/**
 * The text of a scalar; NULL for anything else, and for one with a NUL ("a\0b"), which would be cut there.
 */
static const char *scalar(const yaml_node_t *n)
{
	if (n->type != YAML_SCALAR_NODE || memchr(n->data.scalar.value, '\0', n->data.scalar.length))
		return NULL;
	return (const char *)n->data.scalar.value;
}

/** The list as "'a', 'b' or 'c'". */
static char *join_choices(const char *const *list)
{
	struct strbuf sb = STRBUF_INIT;

	for (size_t i = 0; list[i]; i++)
		strbuf_addf(&sb, "%s'%s'", i == 0 ? "" : list[i + 1] ? ", " : " or ", list[i]);
	return strbuf_steal(&sb);
}

static bool is_listed(const char *const *list, const char *s)
{
	for (; *list; list++)
		if (strcmp(*list, s) == 0)
			return true;
	return false;
}

struct err *yaml_check_keys(struct yaml_node node, const char *const *keys)
{
	const yaml_node_t *n = raw(node);

	if (n->type != YAML_MAPPING_NODE)
		return yaml_error(node, "expected a mapping (key: value)");
	for (const yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
		struct yaml_node key = { node.file, p->key };
		const char *name = scalar(raw(key));

		if (!name)
			return yaml_error(key, "a key must be a plain word");
		if (!is_listed(keys, name)) {
			cleanup_free char *known = join_choices(keys);

			return yaml_error(key, "unknown key '%s'; known here: %s", name, known);
		}
		if (yaml_get(node, name).id != p->value)
			return yaml_error(key, "key '%s' stands twice", name);
	}
	return NULL;
}

struct yaml_node yaml_get(struct yaml_node mapping, const char *key)
{
	const yaml_node_t *n = yaml_is_present(mapping) ? raw(mapping) : NULL;

	if (n && n->type == YAML_MAPPING_NODE)
		for (const yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top;
		     p++) {
			const char *name = scalar(raw((struct yaml_node){ mapping.file, p->key }));

			if (name && strcmp(name, key) == 0)
				return (struct yaml_node){ mapping.file, p->value };
		}
	return (struct yaml_node){ mapping.file, 0 };
}

struct err *yaml_need(struct yaml_node mapping, const char *key, struct yaml_node *ret)
{
	struct yaml_node node = yaml_get(mapping, key);

	if (!yaml_is_present(node))
		return yaml_error(mapping, "key '%s' is missing", key);
	*ret = node;
	return NULL;
}

size_t yaml_pairs(struct yaml_node mapping)
{
	const yaml_node_t *n = yaml_is_present(mapping) ? raw(mapping) : NULL;

	if (!n || n->type != YAML_MAPPING_NODE)
		return 0;
	return (size_t)(n->data.mapping.pairs.top - n->data.mapping.pairs.start);
}

struct err *yaml_pair(struct yaml_node mapping, size_t i, const char **ret_key, struct yaml_node *ret_value)
{
	const yaml_node_pair_t *p = &raw(mapping)->data.mapping.pairs.start[i];
	struct yaml_node key = { mapping.file, p->key };
	const char *name = scalar(raw(key));

	if (!name || !*name)
		return yaml_error(key, "a key must be a plain word");
	if (yaml_get(mapping, name).id != p->value)
		return yaml_error(key, "key '%s' stands twice", name);
	*ret_key = name;
	*ret_value = (struct yaml_node){ mapping.file, p->value };
	return NULL;
}

size_t yaml_count(struct yaml_node node)
{
	if (!yaml_is_present(node))
		return 0;

	const yaml_node_t *n = raw(node);

	if (n->type != YAML_SEQUENCE_NODE)
		return 1;
	return (size_t)(n->data.sequence.items.top - n->data.sequence.items.start);
}

struct yaml_node yaml_at(struct yaml_node node, size_t i)
{
	const yaml_node_t *n = raw(node);

	if (n->type != YAML_SEQUENCE_NODE)
		return node;
	return (struct yaml_node){ node.file, n->data.sequence.items.start[i] };
}

struct err *yaml_str(struct yaml_node node, const char **ret)
{
	const char *s = scalar(raw(node));

	if (!s)
		return yaml_error(node, "expected one value, not a list, a mapping or binary text");
	if (!*s)
		return yaml_error(node, "the value is empty");
	*ret = s;
	return NULL;
}

struct err *yaml_line(struct yaml_node node, const char **ret)
{
	const char *s;
	struct err *e = yaml_str(node, &s);

	if (e)
		return e;
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return yaml_error(node, "the value holds the control character 0x%02x", (unsigned)*p);
	*ret = s;
	return NULL;
}

struct err *yaml_uint(struct yaml_node node, unsigned long min, unsigned long max, unsigned *ret)
{
	const char *s;
	struct err *e = yaml_str(node, &s);

	if (e)
		return e;

	char *end;

	errno = 0;
	unsigned long v = strtoul(s, &end, 10);

	if (s[0] < '0' || s[0] > '9' || *end)
		return yaml_error(node, "'%s' is not a whole number", s);
	if (errno || v < min || v > max)
		return yaml_error(node, "%s is out of range: %lu to %lu", s, min, max);
	*ret = (unsigned)v;
	return NULL;
}

struct err *yaml_double(struct yaml_node node, double min, double max, double *ret)
{
	const char *s;
	struct err *e = yaml_str(node, &s);

	if (e)
		return e;

	char *end;
	double v = strtod(s, &end);

	if (*end || !isfinite(v))
		return yaml_error(node, "'%s' is not a number", s);
	if (v < min || v > max)
		return yaml_error(node, "%s is out of range: %g to %g", s, min, max);
	*ret = v;
	return NULL;
}

struct err *yaml_choice(struct yaml_node node, const char *const *choices, unsigned *ret)
{
	const char *s;
	struct err *e = yaml_str(node, &s);

	if (e)
		return e;
	for (unsigned i = 0; choices[i]; i++)
		if (strcmp(choices[i], s) == 0) {
			*ret = i;
			return NULL;
		}

	cleanup_free char *known = join_choices(choices);

	return yaml_error(node, "'%s' is not known; use %s", s, known);
}
