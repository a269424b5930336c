/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The JSON of guest/proto.h: one flat object of strings, integers, booleans and arrays of strings. All else
 * is refused, and so are duplicate keys, escapes of surrogates and of the zero byte.
 */

/* The longest message, start, has six members. */
#define JSON_MEMBERS_MAX 16

/* Strings in the arrays of one object: an argv and an environment. */
#define JSON_ITEMS_MAX 256

enum json_type {
	JSON_TYPE_STRING,
	JSON_TYPE_INT,
	JSON_TYPE_BOOL,
	JSON_TYPE_ARRAY,
};

struct json_member {
	const char *key;
	enum json_type type;
	char *string;   /**< JSON_TYPE_STRING */
	int64_t number; /**< JSON_TYPE_INT; JSON_TYPE_BOOL as 0 or 1 */
	char **items;   /**< JSON_TYPE_ARRAY, n_items of them */
	size_t n_items;
};

struct json_object {
	size_t n_members;
	struct json_member members[JSON_MEMBERS_MAX];
	size_t n_items;
	char *items[JSON_ITEMS_MAX];
};

/**
 * Reads len bytes of text in place: the strings of the object point into it. NULL, or what is wrong.
 * text[len] must be 0.
 */
const char *json_parse(char *text, size_t len, struct json_object *ret);

/** The member of that name and type, or NULL. */
const struct json_member *json_find(const struct json_object *o, const char *key, enum json_type type);

/** A JSON object being written to buf. What does not fit is cut so that the object stays well-formed. */
struct json_writer {
	char *buf;
	size_t size, len;
};

/** Starts an object; size at least 64. */
void json_open(struct json_writer *w, char *buf, size_t size);
/** A string of len bytes; each byte that is not printable ASCII, a tab or a newline becomes '?'. */
void json_put_text(struct json_writer *w, const char *key, const char *text, size_t len);
void json_put_int(struct json_writer *w, const char *key, int64_t value);
void json_put_bool(struct json_writer *w, const char *key, bool value);
/** Ends the object; its length. */
size_t json_close(struct json_writer *w);
