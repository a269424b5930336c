/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/campaign/campaign.h"
#include "harness/report/report.h"

/*
 * What each metric says of a workload on its way: the largest and the mean over its checkpoints, "load" among
 * them; of each probe, and of a cell the mean over its probes.
 */

/* Whose a probe is. */
struct owner {
	int64_t probe_id;
	size_t cell; /* number among r->space_times */
};

struct owners {
	struct owner *v; /* by probe */
	size_t n, cap;
	struct footprint_values *values; /* of each, of the metric at hand */
};

static int by_probe(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;

	return (x->probe_id > y->probe_id) - (x->probe_id < y->probe_id);
}

static struct err *find_owners(struct store *store, const struct report *r, struct owners *ret)
{
	for (size_t i = 0; i < r->space_times_n; i++) {
		struct probe_record *probes;
		size_t n;
		struct err *e = store_probes(store, r->space_times[i].cell->key, &probes, &n);

		if (e)
			return e;
		for (size_t j = 0; j < n; j++)
			if (report_has_y(&probes[j], probes, n))
				*array_push(ret->v, ret->n, ret->cap) = (struct owner){ probes[j].id, i };
		store_probes_free(probes, n);
	}
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_probe);
	ret->values = xcalloc(ret->n, sizeof(*ret->values));
	return NULL;
}

/* The values of the probes of one cell, each as one. */
static struct footprint_values fold(const struct owners *o, size_t cell)
{
	struct footprint_values all = FOOTPRINT_NO_VALUES, max = FOOTPRINT_NO_VALUES;

	for (size_t i = 0; i < o->n; i++) {
		if (o->v[i].cell != cell || !o->values[i].n)
			continue;
		footprint_add(&all, o->values[i].mean_kib);
		footprint_add(&max, o->values[i].max_kib);
	}
	all.max_kib = max.mean_kib;
	return all;
}

static struct err *run_metric(struct report *r, struct query *q, const struct metric *metric, size_t m,
			      struct owners *o)
{
	struct query_text text = metric_query(metric);
	struct metric_value *values;
	size_t n;
	struct err *e = query_metric(q, &text, &values, &n);

	if (e)
		return e;
	for (size_t i = 0; i < o->n; i++)
		o->values[i] = FOOTPRINT_NO_VALUES;
	for (size_t i = 0; i < n; i++) {
		struct owner key = { .probe_id = values[i].probe_id };
		struct owner *owner = o->n ? bsearch(&key, o->v, o->n, sizeof(key), by_probe) : NULL;

		if (owner)
			footprint_add(&o->values[owner - o->v], values[i].y_kib);
	}
	free(values);
	for (size_t i = 0; i < r->space_times_n; i++)
		r->space_times[i].metrics[m].at_checkpoints = fold(o, i);
	return NULL;
}

struct err *report_checkpoints_build(struct store *store, struct report *r, const struct metric *metrics,
				     size_t metrics_n)
{
	cleanup(cleanup_views_) struct views *views = NULL;
	cleanup(cleanup_query_) struct query *q = NULL;
	struct owners owners = { .n = 0 };
	struct err *e;

	if (!r->space_times_n)
		return NULL;
	e = store_views_at(store, STORE_CHECKPOINTS, VIEWS_ALL, &views);
	if (!e && !views_rows(views, VIEW_SNAPSHOT))
		return NULL;
	if (!e)
		e = find_owners(store, r, &owners);
	if (!e)
		e = query_open(views, &q);
	for (size_t i = 0; !e && i < metrics_n; i++)
		e = run_metric(r, q, &metrics[i], i, &owners);
	free(owners.v);
	free(owners.values);
	return e;
}
