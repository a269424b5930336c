/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "calibrate/evidence/text.h"
#include "calibrate/evidence/views-internal.h"

/* From the files of one process to the rows of process, mapping and unknown. */

int64_t *views_process_row(struct views *v)
{
	struct process_state *p = &v->process;
	struct view_table *t = &v->tables[VIEW_PROCESS];

	if (p->has_row)
		return views_has(v, VIEW_BIT(VIEW_PROCESS)) ? &t->cells[(t->rows - 1) * t->columns]
							    : v->scratch;

	int64_t *row = views_add_row(v, VIEW_PROCESS);

	p->has_row = true;
	row[PROCESS_PID] = p->pid;
	return row;
}

static void add_unknown(struct views *v, int64_t n, struct text_span key, uint64_t value)
{
	if (!views_has(v, VIEW_BIT(VIEW_UNKNOWN)))
		return;

	int64_t *row = views_add_row(v, VIEW_UNKNOWN);

	row[UNKNOWN_PID] = v->process.pid;
	row[UNKNOWN_N] = n;
	row[UNKNOWN_KEY] = views_text(v, key.ptr, key.len);
	row[UNKNOWN_VALUE] = views_number(value);
}

/* Reading one smaps. */
struct smaps {
	struct views *v;
	int64_t *row;    /* of the mapping at hand; NULL when mapping is not asked for */
	bool is_counted; /* is it one of the process's, not the kernel's [vsyscall]? */
	size_t next;     /* see field_find() */
};

static int64_t text_cell(struct views *v, struct text_span s)
{
	return views_text(v, s.ptr, s.len);
}

static void on_mapping(void *arg, const struct text_mapping *m)
{
	struct smaps *s = arg;
	struct views *v = s->v;
	int64_t n = v->process.mappings++;

	s->is_counted = !text_span_is(m->path, "[vsyscall]");
	s->next = 0;
	if (!views_has(v, VIEW_BIT(VIEW_MAPPING)))
		return;

	int64_t *row = views_add_row(v, VIEW_MAPPING);

	row[MAPPING_PID] = v->process.pid;
	row[MAPPING_N] = n;
	/* Addresses above 2^63 (vsyscall) come out negative. */
	row[MAPPING_START] = (int64_t)m->start;
	row[MAPPING_END] = (int64_t)m->end;
	row[MAPPING_PERMS] = text_cell(v, m->perms);
	row[MAPPING_OFFSET] = (int64_t)m->offset;
	row[MAPPING_INODE] = (int64_t)m->inode;
	row[MAPPING_PATH] = text_cell(v, m->path);
	row[MAPPING_DEV] = text_cell(v, m->dev);
	s->row = row;
}

/* Sums of real sizes come nowhere near; a damaged text's stop at the largest number. */
static void add_to_sum(int64_t *sum, int64_t value)
{
	if (*sum == VIEW_NULL)
		*sum = value;
	else if (__builtin_add_overflow(*sum, value, sum))
		*sum = INT64_MAX;
}

static void on_smaps_number(void *arg, struct text_span key, uint64_t value, bool has_kib)
{
	struct smaps *s = arg;
	struct process_state *p = &s->v->process;
	int i = field_find(&smaps_field_table, &s->next, key, has_kib);

	if (i < 0) {
		add_unknown(s->v, p->mappings - 1, key, value);
		return;
	}
	if (s->row)
		s->row[MAPPING_FIELDS + i] = views_number(value);
	if (s->is_counted && s->v->sum_columns[i] >= 0)
		add_to_sum(&p->sums[s->v->sum_columns[i]], views_number(value));
}

static void on_smaps_string(void *arg, struct text_span key, struct text_span value)
{
	struct smaps *s = arg;

	if (s->row && text_span_is(key, "VmFlags"))
		s->row[MAPPING_VM_FLAGS] = text_cell(s->v, value);
}

bool views_add_smaps(struct views *v, const char *data, size_t len)
{
	struct smaps s = { .v = v };

	views_process_row(v);

	size_t bad = text_each_smaps_line(data, len, on_mapping, on_smaps_number, on_smaps_string, &s);

	v->process.has_smaps = bad == 0;
	return bad == 0;
}

void views_fold_sums(struct views *v)
{
	struct process_state *p = &v->process;

	if (!p->has_row)
		return;

	int64_t *row = views_process_row(v);

	for (size_t i = 0; i < v->tables[VIEW_PROCESS].columns; i++)
		if (row[i] == VIEW_NULL)
			row[i] = p->sums[i];
}

/* Reading status or smaps_rollup. */
struct numbers {
	struct views *v;
	const struct field_table *fields;
	int64_t *row;
	size_t next;
};

static void ignore_mapping(void *arg, const struct text_mapping *m)
{
	(void)arg;
	(void)m;
}

static void on_number(void *arg, struct text_span key, uint64_t value, bool has_kib)
{
	struct numbers *n = arg;
	int i = field_find(n->fields, &n->next, key, has_kib);

	if (i < 0)
		add_unknown(n->v, VIEW_NULL, key, value);
	else
		n->row[n->fields->first_column + i] = views_number(value);
}

bool views_add_rollup(struct views *v, const char *data, size_t len)
{
	struct numbers n = { .v = v, .fields = &rollup_field_table, .row = views_process_row(v) };

	return text_each_smaps(data, len, ignore_mapping, on_number, &n) == 0;
}

bool views_add_status(struct views *v, const char *data, size_t len)
{
	struct numbers n = { .v = v, .fields = &status_field_table, .row = views_process_row(v) };
	struct text_span name;

	if (text_get_string(data, len, "Name", &name))
		n.row[PROCESS_NAME] = text_cell(v, name);
	return text_each_number(data, len, on_number, &n) == 0;
}

static const char *as_text(int64_t cell, const char *otherwise)
{
	return cell == VIEW_NULL ? otherwise : (const char *)(intptr_t)cell;
}

void views_set_kinds(struct views *v)
{
	struct view_table *t = &v->tables[VIEW_MAPPING];
	int64_t dev = VIEW_NULL;
	bool is_tmpfs = false;

	for (size_t i = t->first; i < t->rows; i++) {
		int64_t *row = &t->cells[i * t->columns];

		/* A row that was made from a model has its kind already. */
		if (row[MAPPING_KIND] != VIEW_NULL || row[MAPPING_PATH] == VIEW_NULL)
			continue;
		/* Neighbours are often of one device, and equal texts are one. */
		if (row[MAPPING_DEV] != dev) {
			dev = row[MAPPING_DEV];
			is_tmpfs = mounts_is_tmpfs(v->mounts, as_text(dev, ""));
		}

		struct mapping_facts f = {
			.path = as_text(row[MAPPING_PATH], ""),
			.perms = as_text(row[MAPPING_PERMS], ""),
			.dev = as_text(dev, ""),
			.vm_flags = as_text(row[MAPPING_VM_FLAGS], NULL),
			.is_tmpfs = is_tmpfs,
		};

		row[MAPPING_KIND] = v->kinds[mapping_kind(&f)];
	}
}
