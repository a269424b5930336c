/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/plan/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/stats/agreement.h"
#include "guest/proto.h"
#include "harness/base/alloc.h"
#include "harness/base/strbuf.h"
#include "harness/image/userdisk.h"

/* Faster than any guest can fill its memory. */
#define BALLAST_MIB_S_MAX 4096

static const char *const determinism_names[] = { "none", "icount", NULL };

/** A key of a mapping, and what of the structure that is filled has its values. */
struct key {
	const char *name;
	enum setting_type type;
	size_t offset;  /**< of a struct plan_values for a list, else of what its type is */
	bool is_list;   /**< it may list values */
	bool is_single; /**< of a list: it has one value, which is no list */
	bool is_needed;
	const char *const *choices;    /**< of a flag its words; of a choice NULL: any line of text */
	unsigned least, most;          /**< of a number */
	struct setting_value fallback; /**< of choices the first, if this says nothing */
	/** Reads it in another way, to what is at offset; node is absent when the key is. */
	struct err *(*read)(struct yaml_node node, void *to);
	bool is_later; /**< it may be there, and is read when the others are */
};

/* More than a mapping has, its settings included. */
#define KEYS_MAX 32

static struct err *read_value(struct yaml_node node, const struct key *k, struct setting_value *ret)
{
	static const char *const flags[] = { "false", "true", NULL };
	const char *const *choices = k->type == SETTING_FLAG && !k->choices ? flags : k->choices;
	struct err *e;

	if (k->type == SETTING_NUMBER)
		return yaml_uint(node, k->least, k->most, &ret->number);
	if (!choices)
		return yaml_line(node, &ret->choice);
	e = yaml_choice(node, choices, &ret->number);
	if (!e && k->type == SETTING_CHOICE)
		ret->choice = choices[ret->number];
	return e;
}

static struct err *twice(struct yaml_node list, size_t i, const struct key *k,
			 const struct setting_value *value)
{
	if (k->type == SETTING_FLAG)
		return yaml_error(list, "%s lists a value twice", k->name);
	if (k->type == SETTING_CHOICE)
		return yaml_error(yaml_at(list, i), "%s lists '%s' twice", k->name, value->choice);
	return yaml_error(yaml_at(list, i), "%s lists %u twice", k->name, value->number);
}

/** The values of a key that is there: a list, none twice, or a single one. */
static struct err *read_values(struct yaml_node node, const struct key *k, struct plan_values *ret)
{
	bool may_list = k->is_list && !k->is_single;
	struct plan_values list = { .n = may_list ? yaml_count(node) : 1 };
	struct err *e = NULL;

	if (k->type == SETTING_FLAG && (list.n < 1 || list.n > 2))
		return yaml_error(node, "%s lists false, true, or both once", k->name);
	if (list.n == 0)
		return yaml_error(node, "the list is empty");
	if (list.n > PLAN_LIST_MAX)
		return yaml_error(node, "more than %d values", PLAN_LIST_MAX);
	for (size_t i = 0; !e && i < list.n; i++) {
		struct setting_value *v = &list.v[i];

		e = read_value(may_list ? yaml_at(node, i) : node, k, v);
		for (size_t j = 0; !e && j < i; j++)
			if (v->number == list.v[j].number &&
			    (!v->choice || strcmp(v->choice, list.v[j].choice) == 0))
				e = twice(node, i, k, v);
	}
	if (!e)
		*ret = list;
	return e;
}

static struct err *read_key(struct yaml_node mapping, const struct key *k, void *to)
{
	struct yaml_node node = yaml_get(mapping, k->name);
	struct plan_values values = { { k->fallback }, 1 };
	void *member = (char *)to + k->offset;
	struct err *e = k->is_needed ? yaml_need(mapping, k->name, &node) : NULL;

	if (!e && k->read)
		return k->read(node, member);
	if (k->type == SETTING_CHOICE && k->choices && !k->fallback.choice)
		values.v[0].choice = k->choices[0];
	if (!e && yaml_is_present(node))
		e = read_values(node, k, &values);
	if (!e && k->is_list)
		*(struct plan_values *)member = values;
	else if (!e)
		setting_store(member, k->type, values.v[0]);
	return e;
}

/** Reads a mapping, which has no keys but these. One that is absent is as one that says nothing. */
static struct err *read_keys(struct yaml_node mapping, const struct key *keys, void *to)
{
	const char *names[KEYS_MAX + 1] = { NULL };
	struct err *e;

	for (size_t i = 0; keys[i].name; i++)
		names[i] = keys[i].name;
	e = yaml_is_present(mapping) ? yaml_check_keys(mapping, names) : NULL;
	for (; !e && keys->name; keys++)
		if (!keys->is_later)
			e = read_key(mapping, keys, to);
	return e;
}

/** Reads a mapping that has, beside keys of its own, the settings of that section. */
static struct err *read_section(struct yaml_node mapping, enum setting_section which, const struct key *own,
				struct plan *plan)
{
	struct key keys[KEYS_MAX + 1] = { 0 };
	size_t n = 0;
	const struct setting *s;

	for (; own[n].name; n++)
		keys[n] = own[n];
	for (size_t i = 0; (s = setting_at(i)); i++)
		if (s->section == which) {
			assert(n < KEYS_MAX);
			keys[n++] = (struct key){
				.name = s->key,
				.type = s->type,
				.offset = offsetof(struct plan, settings[i]),
				.is_list = true,
				.is_single = s->nesting == 0,
				.choices = s->choices,
				.least = s->least,
				.most = s->most,
				.fallback = setting_default(s),
			};
		}
	return read_keys(mapping, keys, plan);
}

/** The methods that a key lists, as a set. */
static struct err *read_methods(struct yaml_node node, bool ret[METHOD_COUNT])
{
	static const struct key key = { "method", SETTING_CHOICE, .is_list = true, .choices = method_names };
	struct plan_values list;
	struct err *e = read_values(node, &key, &list);

	for (size_t i = 0; !e && i < list.n; i++)
		ret[list.v[i].number] = true;
	return e;
}

/* Of a known-answer load: what guest/loads/known.c can map, and the largest guest can hold. */
#define KNOWN_MIB_MIN 2
#define KNOWN_MIB_MAX 65536

/* Payload of one process under the named sizes, and the largest that can be written as a number. */
#define SMALL_MIB    8
#define LARGE_MIB    64
#define SIZE_MAX_MIB 65536

static const char *const launch_names[] = { "independent", "forked", NULL };
static const char *const activity_names[] = { "running", "frozen", NULL };

/** The payload of one process of that size, in KiB; 0 when it is none. */
static unsigned size_kib(const char *size)
{
	char *end;
	unsigned long mib;

	if (strcmp(size, "small") == 0 || strcmp(size, "large") == 0)
		return (*size == 's' ? SMALL_MIB : LARGE_MIB) * 1024;
	if (*size < '0' || *size > '9')
		return 0;
	mib = strtoul(size, &end, 10);
	return strcmp(end, "M") == 0 && mib <= SIZE_MAX_MIB ? (unsigned)mib * 1024 : 0;
}

static struct err *measure_sizes(struct yaml_node sizes, struct plan_values *list)
{
	for (size_t i = 0; i < list->n; i++) {
		list->v[i].number = size_kib(list->v[i].choice);
		if (!list->v[i].number)
			return yaml_error(
				yaml_at(sizes, i),
				"'%s' is not a size: use 'small' (%d MiB), 'large' (%d MiB), or MiB as in '32M', up to '%dM'",
				list->v[i].choice, SMALL_MIB, LARGE_MIB, SIZE_MAX_MIB);
	}
	return NULL;
}

/** The methods of a load: those it lists, else all of the plan's that can run a load of its kind. */
static struct err *parse_load_methods(struct yaml_node node, const char *form, const bool can[METHOD_COUNT],
				      const struct plan *plan, struct plan_load *ret)
{
	struct yaml_node list = yaml_get(node, "method");
	bool wants[METHOD_COUNT] = { false }, any = false;
	struct err *e = yaml_is_present(list) ? read_methods(list, wants) : NULL;

	for (int m = 0; !e && m < METHOD_COUNT; m++) {
		if (wants[m] && !can[m])
			e = yaml_error(list, "a load of the form '%s' has no use for method '%s'", form,
				       method_names[m]);
		else if (wants[m] && !plan->methods[m])
			e = yaml_error(list, "'%s' is not among the methods of the plan", method_names[m]);
		ret->methods[m] = can[m] && plan->methods[m] && (wants[m] || !yaml_is_present(list));
		any |= ret->methods[m];
	}
	if (!e && !any)
		e = yaml_error(node, "none of the plan's methods would run '%s'; is '%s' meant too?", form,
			       can[METHOD_GROWTH] ? "growth" : "displacement");
	return e;
}

static struct err *check_interpreters(struct yaml_node list, const struct plan *plan,
				      const struct plan_values *names)
{
	for (size_t i = 0; i < names->n; i++) {
		cleanup_free char *known = interpreters_names(&plan->interpreters);

		if (!interpreters_find(&plan->interpreters, names->v[i].choice))
			return yaml_error(
				yaml_at(list, i),
				"no interpreter '%s'; known: %s (a plan may add others with 'interpreters')",
				names->v[i].choice, known);
	}
	return NULL;
}

/** A workload without arguments cannot be told to fork: it would be one process where the cell says several.
 */
static struct err *check_launch(struct yaml_node list, const struct plan_load *load)
{
	for (size_t i = 0; !load->has_checkpoints && i < load->launch.n; i++)
		if (strcmp(load->launch.v[i].choice, "forked") == 0)
			return yaml_error(
				yaml_at(list, i),
				"a workload with 'checkpoints: false' cannot be told to fork: use 'launch: independent', or teach it checkpoints");
	return NULL;
}

#define LOAD(member) offsetof(struct plan_load, member)

static const struct key workload_keys[] = {
	{ "workload", SETTING_CHOICE, LOAD(workloads), .is_list = true, .is_needed = true },
	{ "interpreter", SETTING_CHOICE, LOAD(interpreters), .is_list = true, .is_needed = true },
	{ "processes", SETTING_NUMBER, LOAD(processes), .is_list = true, .least = 1,
	  .most = PLAN_PROCESSES_MAX, .fallback.number = 1 },
	{ "launch", SETTING_CHOICE, LOAD(launch), .is_list = true, .choices = launch_names },
	{ "size", SETTING_CHOICE, LOAD(sizes), .is_list = true, .fallback.choice = "small" },
	{ "activity", SETTING_CHOICE, LOAD(activity), .is_list = true, .choices = activity_names },
	{ "weighing", SETTING_CHOICE, LOAD(weighing), .is_list = true, .choices = weighing_names },
	{ "method", .is_later = true },
	{ "checkpoints", SETTING_FLAG, LOAD(has_checkpoints), .fallback.number = true },
	{ .name = NULL },
};

static struct err *parse_workload(struct yaml_node node, const struct plan *plan, struct plan_load *ret)
{
	static const bool can[METHOD_COUNT] = {
		[METHOD_GROWTH] = true,
		[METHOD_POPULATION] = true,
		[METHOD_DISPLACEMENT] = true,
		[METHOD_RAM] = true,
	};
	struct err *e = read_keys(node, workload_keys, ret);

	if (!e)
		e = check_interpreters(yaml_get(node, "interpreter"), plan, &ret->interpreters);
	if (!e)
		e = measure_sizes(yaml_get(node, "size"), &ret->sizes);
	if (!e)
		e = check_launch(yaml_get(node, "launch"), ret);
	return e ? e : parse_load_methods(node, "workload", can, plan, ret);
}

static const struct key known_keys[] = {
	{ "ballast", .is_later = true },
	{ "mib", SETTING_NUMBER, LOAD(mib), .is_needed = true, .least = KNOWN_MIB_MIN,
	  .most = KNOWN_MIB_MAX },
	{ "children", SETTING_NUMBER, LOAD(children), .least = 1, .most = 64, .fallback.number = 4 },
	{ "dirty_pct", SETTING_NUMBER, LOAD(dirty_pct), .least = 0, .most = 100, .fallback.number = 25 },
	{ "method", .is_later = true },
	{ .name = NULL },
};

static struct err *read_kinds(struct yaml_node node, struct plan_values *ret)
{
	const char *names[KNOWN_COUNT + 1] = { NULL };
	const struct key key = { "ballast", SETTING_CHOICE, .is_list = true, .choices = names };

	for (int i = 0; i < KNOWN_COUNT; i++)
		names[i] = known_kind_name((enum known_kind)i);
	return read_values(node, &key, ret);
}

/** There are keys that only forked processes have. */
static struct err *check_forked(struct yaml_node node, const struct plan_load *load)
{
	static const char *const only[] = { "children", "dirty_pct" };
	bool has_forked = false;

	for (size_t i = 0; i < load->kinds.n; i++)
		has_forked |= load->kinds.v[i].number == KNOWN_FORKED_COW;
	for (size_t i = 0; !has_forked && i < COUNT(only); i++)
		if (yaml_is_present(yaml_get(node, only[i])))
			return yaml_error(yaml_get(node, only[i]), "only '%s' has '%s'",
					  known_kind_name(KNOWN_FORKED_COW), only[i]);
	return NULL;
}

static struct err *parse_known(struct yaml_node node, const struct plan *plan, struct plan_load *ret)
{
	static const bool can[METHOD_COUNT] = { [METHOD_DISPLACEMENT] = true };
	struct err *e = read_keys(node, known_keys, ret);

	if (!e)
		e = read_kinds(yaml_get(node, "ballast"), &ret->kinds);
	/* Huge pages and page tables come by 2 MiB. */
	if (!e && ret->mib % 2)
		e = yaml_error(yaml_get(node, "mib"), "a known-answer load has an even number of MiB, not %u",
			       ret->mib);
	if (!e)
		e = check_forked(node, ret);
	return e ? e : parse_load_methods(node, "ballast", can, plan, ret);
}

/** Every method but the threshold needs a load that it runs. */
static struct err *check_methods(struct yaml_node root, const struct plan *plan)
{
	for (int m = METHOD_THRESHOLD + 1; m < METHOD_COUNT; m++) {
		bool is_used = false;

		for (size_t i = 0; i < plan->loads_n; i++)
			is_used |= plan->loads[i].methods[m];
		if (plan->methods[m] && !is_used)
			return yaml_error(root, "method '%s' needs 'loads' that it runs", method_names[m]);
	}
	return NULL;
}

/** The plan's loads; its methods are known. */
static struct err *parse_loads(struct yaml_node root, struct plan *plan)
{
	struct yaml_node loads = yaml_get(root, "loads");
	size_t n = yaml_count(loads);
	struct err *e = NULL;

	plan->loads = xcalloc(n, sizeof(*plan->loads));
	plan->loads_n = n;
	for (size_t i = 0; !e && i < n; i++) {
		struct yaml_node load = yaml_at(loads, i);
		bool is_known = yaml_is_present(yaml_get(load, "ballast"));

		e = (is_known ? parse_known : parse_workload)(load, plan, &plan->loads[i]);
	}
	return e ? e : check_methods(root, plan);
}

/** What the plan says of the setting with that name in a cell's identity, which must be one. */
static const struct plan_values *find_setting(const struct plan *plan, const char *name)
{
	const struct setting *s;

	for (size_t i = 0; (s = setting_at(i)); i++)
		if (strcmp(s->name, name) == 0)
			return &plan->settings[i];
	assert(!"there is such a setting");
	return NULL;
}

bool plan_is_restored(const struct plan *plan)
{
	return strcmp(find_setting(plan, "start")->v[0].choice, "restore") == 0;
}

/** The memory that the kernel keeps free must leave something to use even in the smallest guest. */
static struct err *check_min_free(struct yaml_node guest, const struct plan *plan)
{
	const struct plan_values *min_free = find_setting(plan, "min_free_kib");

	for (size_t x = 0; x < plan->ram_mib.n; x++)
		for (size_t i = 0; i < min_free->n; i++)
			if (min_free->v[i].number > plan->ram_mib.v[x].number * 1024 / 4)
				return yaml_error(yaml_get(guest, "min_free_kbytes"),
						  "%u is more than a quarter of a guest of %u MiB",
						  min_free->v[i].number, plan->ram_mib.v[x].number);
	return NULL;
}

#define PLAN(member) offsetof(struct plan, member)

static const struct key guest_keys[] = {
	{ "ram_mib", SETTING_NUMBER, PLAN(ram_mib), .is_list = true, .is_needed = true,
	  .least = PLAN_RAM_MIN_MIB, .most = PLAN_RAM_MAX_MIB },
	{ .name = NULL },
};

static struct err *read_guest(struct yaml_node node, void *plan)
{
	struct err *e = read_section(node, SETTING_GUEST, guest_keys, plan);

	return e ? e : check_min_free(node, plan);
}

static struct err *read_plan_methods(struct yaml_node node, void *to)
{
	struct plan *plan = to;
	struct err *e = read_methods(node, plan->methods);

	if (!e && plan->methods[METHOD_RAM] && plan->ram_mib.n < 2)
		e = yaml_error(
			node,
			"method 'ram' needs two or more sizes in 'ram_mib': it searches between the smallest and the largest, and compares with Z* on the line through them");
	/* Every other method compares with Z*, so the threshold of each guest is always found. */
	plan->methods[METHOD_THRESHOLD] = true;
	return e;
}

static struct err *read_interpreters(struct yaml_node node, void *to)
{
	struct err *e = interpreters_load(to);

	return e || !yaml_is_present(node) ? e : interpreters_add(to, node);
}

static struct err *read_onset(struct yaml_node node, void *to)
{
	const struct onset_rule **rule = to;
	const char *name = "so32";
	struct err *e = yaml_is_present(node) ? yaml_str(node, &name) : NULL;

	if (e)
		return e;
	*rule = onset_rule_find(name);
	if (!*rule) {
		cleanup_strbuf struct strbuf known = STRBUF_INIT;

		for (size_t i = 0; onset_rule_at(i); i++)
			strbuf_addf(&known, " %s", onset_rule_at(i)->name);
		return yaml_error(node, "no onset rule '%s'; known:%s", name, strbuf_str(&known));
	}
	return NULL;
}

static const struct key ballast_keys[] = {
	/* 64 MiB/s: onset came at the same Z from 16 MiB/s to 170 MiB/s under TCG. */
	{ "rate_mib_s", SETTING_NUMBER, PLAN(ballast_mib_s), .least = 1, .most = BALLAST_MIB_S_MAX,
	  .fallback.number = 64 },
	{ .name = NULL },
};

static struct err *read_ballast(struct yaml_node node, void *plan)
{
	return read_section(node, SETTING_BALLAST, ballast_keys, plan);
}

static struct err *read_margin(struct yaml_node node, void *to)
{
	*(double *)to = AGREEMENT_MARGIN_PCT;
	return yaml_is_present(node) ? yaml_double(node, 0.01, 100, to) : NULL;
}

static struct err *read_workloads_dir(struct yaml_node node, void *to)
{
	return yaml_is_present(node) ? yaml_str(node, to) : NULL;
}

static const struct key plan_keys[] = {
	{ "name", SETTING_CHOICE, PLAN(name), .is_needed = true },
	{ "image", SETTING_CHOICE, PLAN(images), .is_list = true, .is_needed = true },
	{ "guest", .read = read_guest, .is_needed = true },
	{ "method", .read = read_plan_methods, .is_needed = true },
	{ "onset", .offset = PLAN(rule), .read = read_onset },
	{ "replicates", SETTING_NUMBER, PLAN(replicates), .least = 1, .most = 1000, .fallback.number = 1 },
	{ "margin_pct", .offset = PLAN(margin_pct), .read = read_margin },
	{ "seed", SETTING_NUMBER, PLAN(seed), .least = 0, .most = 4294967295, .fallback.number = 1 },
	{ "loads", .is_later = true },
	{ "ballast", .read = read_ballast },
	{ "determinism", SETTING_FLAG, PLAN(icount), .choices = determinism_names },
	{ "interpreters", .offset = PLAN(interpreters), .read = read_interpreters },
	{ "workloads", .offset = PLAN(workloads_dir), .read = read_workloads_dir },
	{ .name = NULL },
};

/** Pages can be made old where the load is at rest before something else makes the guest swap. */
static struct err *check_lru(struct yaml_node root, const struct plan *plan)
{
	const struct plan_values *lru = find_setting(plan, "lru");
	bool is_aged = false;

	for (size_t i = 0; i < lru->n; i++)
		is_aged |= strcmp(lru->v[i].choice, "aged") == 0;
	for (int m = 0; is_aged && m < METHOD_COUNT; m++)
		if (plan->methods[m] && m != METHOD_THRESHOLD && m != METHOD_DISPLACEMENT)
			return yaml_error(
				yaml_get(root, "lru"),
				"'aged' does not go with method '%s'; use 'displacement', or a plan of its own",
				method_names[m]);
	return NULL;
}

static struct err *parse_plan(struct yaml_node root, struct plan *plan)
{
	struct err *e = read_section(root, SETTING_ROOT, plan_keys, plan);

	if (!e && plan->icount && plan_is_restored(plan))
		e = yaml_error(
			yaml_get(root, "start"),
			"'restore' does not go with 'determinism: icount': such guests are equal from their first instruction on; use 'start: boot'");
	if (!e)
		e = check_lru(root, plan);
	return e ? e : parse_loads(root, plan);
}

struct err *plan_load(const char *path, struct plan **ret)
{
	struct plan *plan = xcalloc(1, sizeof(*plan));
	struct err *e = yaml_open(path, &plan->file);

	if (!e)
		e = parse_plan(yaml_root(plan->file), plan);
	if (e) {
		plan_destroy(plan);
		return e;
	}
	plan->text = yaml_text(plan->file);
	*ret = plan;
	return NULL;
}

double plan_text_margin_pct(const char *text)
{
	double margin_pct = AGREEMENT_MARGIN_PCT;
	struct yaml_file *file;
	struct err *e = yaml_parse("plan", text ? text : "", &file);

	if (!e) {
		e = read_margin(yaml_get(yaml_root(file), "margin_pct"), &margin_pct);
		yaml_close(file);
	}
	err_free(e);
	return margin_pct;
}

/* The plan's own workloads, and which program a workload is. */

struct err *plan_read_workloads(struct plan *plan, const char *path)
{
	const char *name = plan->workloads_dir, *slash = strrchr(path, '/');

	if (!name)
		return NULL;

	int len = name[0] != '/' && slash ? (int)(slash - path) + 1 : 0;
	cleanup_free char *dir = xasprintf("%.*s%s", len, path, name);
	struct err *e = workloads_load_tree(dir, &plan->own);

	if (e) {
		struct err *at =
			yaml_error(yaml_get(yaml_root(plan->file), "workloads"), "%s", err_message(e));

		err_free(e);
		return at;
	}
	userdisk_key(&plan->own, plan->own_key);
	return NULL;
}

/** The plan's own file that a workload is on an interpreter, NAME.EXTENSION or NAME; NULL: none is. */
static const struct workload_file *own_workload(const struct plan *plan, const char *workload,
						const struct interpreter *interpreter)
{
	cleanup_free char *file = workload_file(workload, interpreter->extension);
	const struct workload_file *found = workloads_find(&plan->own, file);

	return found ? found : workloads_find(&plan->own, workload);
}

char *plan_workload_path(const struct plan *plan, const char *workload, const struct interpreter *interpreter)
{
	const struct workload_file *own = own_workload(plan, workload, interpreter);
	cleanup_free char *file = workload_file(workload, interpreter->extension);

	return own ? xasprintf(PROTO_USER_DIR "/%s", own->name) : xasprintf(WORKLOADS_GUEST_DIR "/%s", file);
}

/*
 * Workloads are files of the tree that images were built from: whether an image has them is known without
 * starting it.
 */

/** The images that are built, or NULL when none is. */
static const struct image *first_built(const struct plan *plan, struct image *const *images)
{
	for (size_t i = 0; i < plan->images.n; i++)
		if (images[i])
			return images[i];
	return NULL;
}

static bool any_has_workload(const struct plan *plan, struct image *const *images, const char *file)
{
	for (size_t i = 0; i < plan->images.n; i++)
		if (images[i] && image_has_workload_file(images[i], file))
			return true;
	return false;
}

/* This many names help to find a typing error; a directory may have thousands. */
#define NAMES_MAX 20

/** The names of the plan's own workloads as the beginning of a list in an error, to be freed; "" when it has
 * none. */
static char *own_names(const struct plan *plan)
{
	struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < plan->own.n && i < NAMES_MAX; i++)
		strbuf_addf(&text, "%s%s", i ? ", " : "", plan->own.files[i].name);
	if (plan->own.n)
		strbuf_addf(&text, "%s in '%s'; ", plan->own.n > NAMES_MAX ? ", ..." : "",
			    plan->workloads_dir);
	return strbuf_steal(&text);
}

/** A workload must be there for each interpreter that it is to run on. */
static struct err *check_workload(const struct plan *plan, struct image *const *images,
				  const struct plan_load *load, struct yaml_node node, const char *workload)
{
	for (size_t i = 0; i < load->interpreters.n; i++) {
		const struct interpreter *interpreter =
			interpreters_find(&plan->interpreters, load->interpreters.v[i].choice);
		const struct workload_file *own = own_workload(plan, workload, interpreter);
		cleanup_free char *file = workload_file(workload, interpreter->extension);

		if (own && !own->executable && !interpreter->command[0])
			return yaml_error(
				node,
				"workload '%s' runs without an interpreter, but is not executable: use chmod +x",
				workload);
		if (own || !first_built(plan, images) || any_has_workload(plan, images, file))
			continue;

		cleanup_free char *known = image_workload_names(first_built(plan, images));
		cleanup_free char *names = own_names(plan);

		return yaml_error(node, "no workload '%s' for interpreter '%s' (%s); there are: %s%s",
				  workload, interpreter->name, file, names, known);
	}
	return NULL;
}

struct err *plan_check_images(const struct plan *plan, struct image *const *images)
{
	struct yaml_node loads = yaml_get(yaml_root(plan->file), "loads");
	struct err *e = NULL;

	for (size_t i = 0; !e && i < plan->loads_n; i++) {
		const struct plan_load *load = &plan->loads[i];
		struct yaml_node node = yaml_get(yaml_at(loads, i), "workload");

		for (size_t w = 0; !e && w < load->workloads.n; w++)
			e = check_workload(plan, images, load, yaml_at(node, w), load->workloads.v[w].choice);
	}
	return e;
}

void plan_destroy(struct plan *plan)
{
	if (!plan)
		return;
	interpreters_deinit(&plan->interpreters);
	workloads_deinit(&plan->own);
	yaml_close(plan->file);
	free(plan->loads);
	free(plan);
}
