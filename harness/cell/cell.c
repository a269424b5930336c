/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/cell/cell.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"

const char *const method_names[] = { [METHOD_THRESHOLD] = "threshold",
				     [METHOD_GROWTH] = "growth",
				     [METHOD_POPULATION] = "population",
				     [METHOD_DISPLACEMENT] = "displacement",
				     [METHOD_RAM] = "ram",
				     NULL };

/** Which cells have a member. */
enum owner {
	OF_ALL,
	OF_ALWAYS = OF_ALL, /**< of a setting */
	OF_SIZED,           /**< of a guest of known size: every method but ram */
	OF_SEARCHED,        /**< of method ram */
	OF_WORKLOAD,
	OF_KNOWN,   /**< of a known-answer load */
	OF_CHANGED, /**< where a setting has another value than its default */
};

enum type {
	NUMBER,
	FLAG,
	STRING,
	STRINGS,
};

const char *const weighing_names[] = { "usual",    "unseen",     "keep-caches", "forget-files",
				       "tick-5ms", "tick-100ms", "long-rest",   NULL };

struct member {
	const char *name;
	enum type type;
	size_t offset;
	enum owner owner;
};

#define SETTING(type_, member_, stands)                                                                      \
	{ #member_, type_, offsetof(struct cell, settings.member_), OF_##stands },
#define SETTING_NUMBER(member_, stands, ...) SETTING(NUMBER, member_, stands)
#define SETTING_FLAG(member_, stands, ...)   SETTING(FLAG, member_, stands)
#define SETTING_CHOICE(member_, stands, ...) SETTING(STRING, member_, stands)
#define MEMBER(type_, member_, owner_)                                                                       \
	{                                                                                                    \
#member_, type_, offsetof(struct cell, member_), owner_                                      \
	}

static const struct member members[] = {
	MEMBER(STRING, method, OF_ALL),
	MEMBER(STRING, workload, OF_ALL),
	MEMBER(STRING, interpreter, OF_ALL),
	MEMBER(NUMBER, processes, OF_ALL),
	MEMBER(STRING, launch, OF_ALL),
	MEMBER(STRING, size, OF_ALL),
	MEMBER(NUMBER, size_kib, OF_WORKLOAD),
	MEMBER(STRINGS, command, OF_WORKLOAD),
	MEMBER(STRINGS, env, OF_WORKLOAD),
	MEMBER(STRING, extension, OF_WORKLOAD),
	MEMBER(STRING, file, OF_WORKLOAD),
	MEMBER(STRING, activity, OF_WORKLOAD),
	MEMBER(STRING, weighing, OF_CHANGED),
	MEMBER(FLAG, checkpoints, OF_WORKLOAD),
	MEMBER(NUMBER, kib, OF_KNOWN),
	MEMBER(NUMBER, children, OF_KNOWN),
	MEMBER(NUMBER, dirty_pct, OF_KNOWN),
	MEMBER(NUMBER, x_mib, OF_SIZED),
	MEMBER(NUMBER, x_lo_mib, OF_SEARCHED),
	MEMBER(NUMBER, x_hi_mib, OF_SEARCHED),
	/* clang-format off */
	GUEST_SETTINGS(SETTING_NUMBER, SETTING_FLAG, SETTING_CHOICE)
	BALLAST_SETTINGS(SETTING_NUMBER, SETTING_FLAG, SETTING_CHOICE)
	/* clang-format on */
	MEMBER(NUMBER, scratch_mib, OF_ALL),
	MEMBER(STRING, image, OF_ALL),
	MEMBER(STRING, image_content, OF_ALL),
	MEMBER(STRING, kernel, OF_ALL),
	MEMBER(STRING, workloads, OF_ALL),
	MEMBER(STRING, accel, OF_ALL),
	MEMBER(STRING, cpu, OF_ALL),
	MEMBER(STRING, cmdline, OF_ALL),
	MEMBER(FLAG, icount, OF_ALL),
	MEMBER(STRING, onset, OF_ALL),
	MEMBER(NUMBER, onset_version, OF_ALL),
	MEMBER(NUMBER, tick_ms, OF_ALL),
	MEMBER(NUMBER, ramp_kib_s, OF_ALL),
	MEMBER(NUMBER, settle_ms, OF_ALL),
	MEMBER(NUMBER, protocol, OF_ALL),
	MEMBER(STRING, course, OF_ALL),
	MEMBER(STRING, agent, OF_ALL),
};

static bool is_strings(const json_t *array)
{
	size_t i;
	const json_t *item;

	json_array_foreach(array, i, item) if (!json_is_string(item)) return false;
	return json_is_array(array);
}

/** Reads one member, v NULL: that the identity lacks; false when v has another type. */
static bool decode(void *member, enum type type, const json_t *v)
{
	json_int_t number = json_integer_value(v);

	switch (type) {
	case NUMBER:
		*(unsigned *)member = (unsigned)number;
		return !v || (json_is_integer(v) && number >= 0 && number <= UINT32_MAX);
	case FLAG:
		*(bool *)member = json_is_true(v);
		return !v || json_is_boolean(v);
	case STRING:
		*(const char **)member = v ? json_string_value(v) : "";
		return !v || json_is_string(v);
	case STRINGS:
		*(const json_t **)member = v;
		return !v || is_strings(v);
	}
	return false;
}

struct err *cell_decode(struct cell *cell)
{
	static const char *const types[] = { "a number of 32 bits", "true or false", "a string",
					     "an array of strings" };

	for (size_t i = 0; i < COUNT(members); i++) {
		const struct member *m = &members[i];

		if (!decode((char *)cell + m->offset, m->type, json_object_get(cell->identity, m->name)))
			return err_new("'%s' in the identity of cell %.12s is not %s", m->name, cell->key,
				       types[m->type]);
	}

	const struct setting *s;

	for (size_t i = 0; (s = setting_at(i)); i++)
		if (!json_object_get(cell->identity, s->name))
			setting_set(&cell->settings, s, setting_default(s));
	if (!*cell->weighing)
		cell->weighing = weighing_names[0];
	return NULL;
}

static json_t *encode(const void *member, enum type type)
{
	switch (type) {
	case NUMBER:
		return json_integer(*(const unsigned *)member);
	case FLAG:
		return json_boolean(*(const bool *)member);
	case STRING:
		return json_string(*(const char *const *)member);
	case STRINGS:
		return json_deep_copy(*(const json_t *const *)member);
	}
	return NULL;
}

static bool owns(const struct cell *cell, const struct member *m, const json_t *value)
{
	bool is_known = strcmp(cell->interpreter, CELL_KNOWN_INTERPRETER) == 0;
	const struct cell usual = { .settings = settings_default(), .weighing = weighing_names[0] };

	switch (m->owner) {
	case OF_ALL:
		return true;
	case OF_SIZED:
		return !cell_is(cell, METHOD_RAM);
	case OF_SEARCHED:
		return cell_is(cell, METHOD_RAM);
	case OF_WORKLOAD:
		return !is_known && !cell_is(cell, METHOD_THRESHOLD);
	case OF_KNOWN:
		return is_known;
	case OF_CHANGED: {
		json_t *default_value = encode((const char *)&usual + m->offset, m->type);
		bool is_changed = !json_equal(value, default_value);

		json_decref(default_value);
		return is_changed;
	}
	}
	return false;
}

void cell_encode(struct cell *cell)
{
	json_t *identity = json_object();

	for (size_t i = 0; i < COUNT(members); i++) {
		const struct member *m = &members[i];
		json_t *value = encode((const char *)cell + m->offset, m->type);

		if (owns(cell, m, value))
			json_object_set(identity, m->name, value);
		json_decref(value);
	}
	cell->identity = identity;

	cleanup_free char *text = json_dumps(identity, JSON_COMPACT | JSON_SORT_KEYS);

	hash_sha256(text, strlen(text), cell->key);
	/* It cannot fail: each member was made with its type. */
	err_free(cell_decode(cell));
}

void cell_deinit(struct cell *cell)
{
	json_decref(cell->identity);
	cell->identity = NULL;
}

bool cell_is(const struct cell *cell, enum method method)
{
	return strcmp(cell->method, method_names[method]) == 0;
}

bool cell_is_weighed(const struct cell *cell, const char *weighing)
{
	return strcmp(cell->weighing, weighing) == 0;
}

bool cell_has_same_load(const struct cell *a, const struct cell *b)
{
	return strcmp(a->workload, b->workload) == 0 && strcmp(a->interpreter, b->interpreter) == 0 &&
	       strcmp(a->size, b->size) == 0 && strcmp(a->launch, b->launch) == 0 &&
	       strcmp(a->activity, b->activity) == 0 && a->processes == b->processes && a->kib == b->kib;
}

bool cell_is_restored(const struct cell *cell)
{
	return strcmp(cell->settings.start, "restore") == 0;
}

bool cell_is_forked(const struct cell *cell)
{
	return strcmp(cell->launch, "forked") == 0;
}

bool cell_known(const struct cell *cell, struct known_spec *ret)
{
	struct known_spec spec = {
		.kib = cell->kib,
		.children = cell->children,
		.dirty_pct = cell->dirty_pct,
	};

	if (strcmp(cell->interpreter, CELL_KNOWN_INTERPRETER) != 0 ||
	    !known_kind_parse(cell->workload, &spec.kind))
		return false;
	if (!spec.kib || spec.kib % 2048 || spec.dirty_pct > 100 || spec.children > 64 ||
	    (spec.kind == KNOWN_FORKED_COW) != (spec.children > 0))
		return false;
	*ret = spec;
	return true;
}

/* A few digits of the key of the plan's own workloads tell two states of them apart. */
#define KEY_DIGITS 12

static const struct cell_trait traits[] = {
#define TOLD_NUMBER(member, stands, section, key, nesting, least, most, default_, before, after, usual)      \
	{ #member, before, after, usual, 0 },
#define TOLD_FLAG(member, stands, section, key, nesting, before, after, usual)                               \
	{ #member, before, after, usual, 0 },
#define TOLD_CHOICE(member, stands, section, key, nesting, choices, before, after, usual)                    \
	{ #member, before, after, usual, 0 },
	{ "image", "image ", "", NULL, 0 },
	{ "kernel", "kernel ", "", NULL, 0 },
	{ "accel", "accel ", "", NULL, 0 },
	{ "icount", "icount", "", "off", 0 },
	/* clang-format off */
	GUEST_SETTINGS(TOLD_NUMBER, TOLD_FLAG, TOLD_CHOICE)
	{ "onset", "onset ", "", NULL, 0 },
	BALLAST_SETTINGS(TOLD_NUMBER, TOLD_FLAG, TOLD_CHOICE)
	/* clang-format on */
	{ "workloads", "own workloads ", "", "", KEY_DIGITS },
};

const struct cell_trait *cell_trait_at(size_t i)
{
	return i < COUNT(traits) ? &traits[i] : NULL;
}

/** A number from 1 to SHARDS_MAX in digits alone, and what follows it; 0 for anything else. */
static unsigned parse_number(const char *text, const char **ret_end)
{
	size_t digits = strspn(text, "0123456789");

	*ret_end = text + digits;
	if (digits == 0 || digits > 5)
		return 0;

	unsigned long number = strtoul(text, NULL, 10);

	return number <= SHARDS_MAX ? (unsigned)number : 0;
}

struct err *shard_parse(const char *text, struct shard *ret)
{
	const char *slash, *end = text;
	unsigned k = parse_number(text, &slash);
	unsigned n = *slash == '/' ? parse_number(slash + 1, &end) : 0;

	if (k == 0 || n == 0 || k > n || *end)
		return err_new_kind(
			ERR_USAGE,
			"--shard: '%s' is not K/N with K from 1 to N and N at most %d, such as 2/8", text,
			SHARDS_MAX);
	*ret = (struct shard){ k, n };
	return NULL;
}
