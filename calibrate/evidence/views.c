/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/evidence/views.h"

#include <assert.h>
#include <string.h>

#include "calibrate/evidence/views-internal.h"
#include "harness/base/alloc.h"

/* What is made of which file of a process. statm tells a process that has no memory, as a zombie has none. */
static const struct {
	const char *name;
	unsigned set;
} process_files[] = {
	{ "smaps", VIEW_BIT(VIEW_PROCESS) | VIEW_BIT(VIEW_MAPPING) | VIEW_BIT(VIEW_UNKNOWN) },
	{ "smaps_rollup", VIEW_BIT(VIEW_PROCESS) | VIEW_BIT(VIEW_UNKNOWN) },
	{ "status", VIEW_BIT(VIEW_PROCESS) | VIEW_BIT(VIEW_UNKNOWN) },
	{ "pagemap", VIEW_BIT(VIEW_PAGES) },
	{ "statm", VIEW_BIT(VIEW_PAGES) },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The columns of process that are the sums of fields of smaps. */
static void find_sum_columns(struct views *v)
{
	for (size_t i = 0; i < smaps_field_table.n; i++)
		v->sum_columns[i] = view_column_find(VIEW_PROCESS, smaps_field_table.fields[i].column);
}

struct views *views_create(unsigned set)
{
	struct views *v = xcalloc(1, sizeof(*v));

	v->set = set;
	for (enum view i = 0; i < VIEW_COUNT; i++)
		view_columns(i, &v->tables[i].columns);
	for (enum mapping_kind i = 0; i < MAPPING_KIND_COUNT; i++)
		v->kinds[i] = views_text(v, mapping_kind_name(i), strlen(mapping_kind_name(i)));
	find_sum_columns(v);
	v->mounts = mounts_create();
	v->pages = pages_create();
	return v;
}

void views_destroy(struct views *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < VIEW_COUNT; i++)
		free(v->tables[i].cells);
	texts_deinit(&v->texts);
	mounts_destroy(v->mounts);
	pages_destroy(v->pages);
	free(v);
}

int64_t views_text(struct views *v, const char *text, size_t len)
{
	return (int64_t)(intptr_t)texts_intern(&v->texts, text, len);
}

int64_t views_text_find(const struct views *v, const char *text, size_t len)
{
	const char *found = texts_find(&v->texts, text, len);

	return found ? (int64_t)(intptr_t)found : VIEW_NULL;
}

static int64_t *add_row(struct view_table *t)
{
	if (t->rows == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 64;
		t->cells = xreallocarray(t->cells, t->cap, t->columns * sizeof(*t->cells));
	}
	return &t->cells[t->rows++ * t->columns];
}

int64_t *views_add_row(struct views *v, enum view view)
{
	struct view_table *t = &v->tables[view];
	int64_t *row = views_has(v, VIEW_BIT(view)) ? add_row(t) : v->scratch;

	assert(v->is_begun);
	row[0] = v->snapshot_id;
	for (size_t i = 1; i < t->columns; i++)
		row[i] = VIEW_NULL;
	return row;
}

size_t views_rows(const struct views *v, enum view view)
{
	return v->tables[view].rows;
}

const int64_t *views_row(const struct views *v, enum view view, size_t row)
{
	return &v->tables[view].cells[row * v->tables[view].columns];
}

/* The first row whose snapshot is not below id. */
static size_t lower_bound(const struct views *v, enum view view, int64_t id)
{
	size_t low = 0, high = views_rows(v, view);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (views_row(v, view, middle)[0] < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool views_range(const struct views *v, enum view view, int64_t snapshot_id, size_t *ret_first,
		 size_t *ret_end)
{
	size_t first = lower_bound(v, view, snapshot_id);
	size_t end = snapshot_id == INT64_MAX ? views_rows(v, view) : lower_bound(v, view, snapshot_id + 1);

	if (first >= end)
		return false;
	*ret_first = first;
	*ret_end = end;
	return true;
}

bool views_is_one_of(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

bool views_want_baseline(const struct views *v, const char *name)
{
	return views_has(v, VIEW_BIT(VIEW_BASELINE)) && views_is_guest_file(name);
}

bool views_want(const struct views *v, unsigned pid, const char *name)
{
	if (!pid && strcmp(name, "mountinfo") == 0)
		return views_has(v, VIEW_BIT(VIEW_MAPPING));
	if (!pid)
		return views_has(v, VIEW_BIT(VIEW_GUEST)) && views_is_guest_file(name);
	for (size_t i = 0; i < COUNT(process_files); i++)
		if (strcmp(name, process_files[i].name) == 0)
			return views_has(v, process_files[i].set);
	return false;
}

void views_set_incomplete(struct views *v)
{
	struct view_table *t = &v->tables[VIEW_SNAPSHOT];

	if (t->rows > t->first)
		t->cells[t->first * t->columns + SNAPSHOT_IS_INCOMPLETE] = 1;
}

static void end_process(struct views *v)
{
	struct process_state *p = &v->process;

	if (!p->is_open)
		return;
	views_fold_sums(v);
	/* smaps says nearly all that smaps_rollup says, and older kernels have only that. */
	if (p->is_rollup_failed && !p->has_smaps && views_want(v, p->pid, "smaps"))
		views_set_incomplete(v);
	/* A process that vanished while others were read has no pages any more. */
	if (p->has_any && !p->has_pagemap && !p->has_no_memory)
		pages_set_missing(v->pages);
	p->is_open = false;
}

static void enter_process(struct views *v, unsigned pid)
{
	struct process_state *p = &v->process;

	if (p->is_open && p->pid == pid)
		return;
	end_process(v);
	*p = (struct process_state){ .is_open = true, .pid = pid };
	for (size_t i = 0; i < COUNT(p->sums); i++)
		p->sums[i] = VIEW_NULL;
}

void views_begin(struct views *v, int64_t snapshot_id, int64_t probe_id, const char *name)
{
	if (v->is_begun)
		views_end(v);
	v->is_begun = true;
	v->snapshot_id = snapshot_id;
	for (size_t i = 0; i < VIEW_COUNT; i++)
		v->tables[i].first = v->tables[i].rows;
	mounts_clear(v->mounts);
	pages_begin(v->pages);

	int64_t *row = views_add_row(v, VIEW_SNAPSHOT);

	row[SNAPSHOT_PROBE_ID] = probe_id;
	row[SNAPSHOT_NAME] = views_text(v, name, strlen(name));
	row[SNAPSHOT_IS_INCOMPLETE] = 0;
}

void views_end(struct views *v)
{
	if (!v->is_begun)
		return;
	end_process(v);
	if (views_has(v, VIEW_BIT(VIEW_MAPPING)))
		views_set_kinds(v);
	pages_end(v->pages, v);
	v->is_begun = false;
}

/* A process without memory: its first number, the size, is 0. */
static bool is_empty_statm(const char *data, size_t len)
{
	return len >= 2 && data[0] == '0' && data[1] == ' ';
}

static bool add_process_piece(struct views *v, const char *name, const char *data, size_t len)
{
	struct process_state *p = &v->process;

	if (strcmp(name, "smaps") == 0)
		return views_add_smaps(v, data, len);
	if (strcmp(name, "smaps_rollup") == 0)
		return views_add_rollup(v, data, len);
	if (strcmp(name, "status") == 0)
		return views_add_status(v, data, len);
	if (strcmp(name, "statm") == 0) {
		p->has_no_memory = is_empty_statm(data, len);
		return true;
	}
	p->has_pagemap = pages_add(v->pages, data, len);
	return p->has_pagemap;
}

void views_add(struct views *v, unsigned pid, const char *name, const char *data, size_t len)
{
	assert(v->is_begun);
	if (pid) {
		enter_process(v, pid);
		v->process.has_any = true;
	}
	if (!views_want(v, pid, name))
		return;
	if (pid && !add_process_piece(v, name, data, len))
		views_set_incomplete(v);
	else if (!pid && strcmp(name, "mountinfo") == 0)
		mounts_add(v->mounts, data, len);
	else if (!pid)
		views_add_guest(v, VIEW_GUEST, name, data, len);
}

void views_add_baseline(struct views *v, const char *name, const char *data, size_t len)
{
	assert(v->is_begun);
	if (views_want_baseline(v, name))
		views_add_guest(v, VIEW_BASELINE, name, data, len);
}

void views_add_failed(struct views *v, unsigned pid, const char *name)
{
	assert(v->is_begun);
	/* Not every kernel has every file of the guest; what it has not is in no row. */
	if (!pid)
		return;
	enter_process(v, pid);
	if (strcmp(name, "smaps_rollup") == 0)
		v->process.is_rollup_failed = true;
	else if (strcmp(name, "pagemap") != 0)
		views_set_incomplete(v);
}
