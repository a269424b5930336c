/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/status.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/campaign.h"
#include "harness/report-format.h"

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/** What measuring itself costs the guest. A probe that ended before the first heartbeat tells nothing. */
static void add_overheads(struct status *s, const struct probe_record *p)
{
	if (p->agent_rss_kib)
		s->sample_cpu_us += ((double)p->sample_cpu_us_mean - s->sample_cpu_us) / ++s->agents;
	s->agent_rss_kib = larger(s->agent_rss_kib, p->agent_rss_kib);
	s->ballast_rss_kib = larger(s->ballast_rss_kib, p->ballast_rss_kib);
	s->ballast_pte_kib = larger(s->ballast_pte_kib, p->ballast_pte_kib);
}

static void add_probe(struct status *s, const struct cell *cell, const struct probe_record *p,
		      double sum_ms[STATUS_KINDS])
{
	s->by_outcome[p->outcome]++;
	s->by_kind[p->kind]++;
	add_overheads(s, p);
	for (int phase = 0; phase < PHASE_COUNT; phase++)
		sum_ms[p->kind] += (double)p->phase_ms[phase];
	if (outcome_is_answer(p->outcome))
		return;

	struct status_failure *f = array_push(s->failures, s->failures_n, s->failures_cap);

	*f = (struct status_failure){ cell, p->id, p->outcome, xstrdup(p->reason) };
}

static void add_cell(struct status *s, const struct cell *cell, const struct probe_record *probes, size_t n,
		     double sum_ms[STATUS_KINDS])
{
	struct cell_state state = campaign_cell_state(cell, probes, n, 0);

	s->replicates += cell->replicates;
	s->replicates_done += state.done;
	s->replicates_lost += state.lost;
	s->replicates_not_applicable += state.not_applicable;
	s->cells_done += state.done == cell->replicates;
	s->probes_left += state.probes_left;
	for (size_t i = 0; i < n; i++)
		add_probe(s, cell, &probes[i], sum_ms);
}

static void compute_times(struct status *s, const double sum_ms[STATUS_KINDS])
{
	double all_ms = 0;
	unsigned all = 0;

	for (int kind = 0; kind < STATUS_KINDS; kind++) {
		s->mean_ms[kind] = s->by_kind[kind] ? sum_ms[kind] / s->by_kind[kind] : (double)NAN;
		all_ms += sum_ms[kind];
		all += s->by_kind[kind];
	}
	s->eta_s = s->probes_left == 0 ? 0 : all ? all_ms / all * s->probes_left / 1000 : (double)NAN;
}

static struct err *build(struct store *store, struct status *s)
{
	cleanup_free char *plan_text = NULL;
	json_t *audit = NULL;
	double sum_ms[STATUS_KINDS] = { 0 };
	struct err *e = store_last_run(store, &audit, &s->plan_name, &plan_text, &s->run_status);

	json_decref(audit);
	if (!e && !s->plan_name)
		s->plan_name = xstrdup("");
	if (!e && !s->run_status)
		s->run_status = xstrdup("");
	s->is_running = store_has_writer(store, &s->pid);
	if (!e)
		e = store_cells(store, &s->cells, &s->cells_n);
	for (size_t i = 0; !e && i < s->cells_n; i++) {
		struct probe_record *probes;
		size_t n;

		e = store_probes(store, s->cells[i].key, &probes, &n);
		if (e)
			break;
		add_cell(s, &s->cells[i], probes, n, sum_ms);
		store_probes_free(probes, n);
	}
	compute_times(s, sum_ms);
	return e;
}

struct err *status_build(struct store *store, struct status **ret)
{
	cleanup(cleanup_status_) struct status *s = xcalloc(1, sizeof(*s));
	struct err *e = build(store, s);

	if (e)
		return e;
	*ret = take_ptr(s);
	return NULL;
}

void status_destroy(struct status *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->failures_n; i++)
		free(s->failures[i].reason);
	free(s->failures);
	store_cells_free(s->cells, s->cells_n);
	free(s->run_status);
	free(s->plan_name);
	free(s);
}

static void add_duration(struct strbuf *out, double seconds)
{
	char buf[32];

	if (seconds < 90)
		strbuf_addf(out, "%s s", format_fixed(buf, seconds, 0));
	else if (seconds < 5400)
		strbuf_addf(out, "%s min", format_fixed(buf, seconds / 60, 0));
	else
		strbuf_addf(out, "%s h", format_fixed(buf, seconds / 3600, 1));
}

static void add_failures(struct strbuf *out, const struct status *s)
{
	if (!s->failures_n)
		return;
	strbuf_adds(out, "\nProbes without an answer\n");
	for (size_t i = 0; i < s->failures_n; i++) {
		const struct status_failure *f = &s->failures[i];

		strbuf_addf(out, "  probe %lld, ", (long long)f->probe_id);
		format_cell(out, f->cell);
		format_varying(out, f->cell, s->cells, s->cells_n);
		strbuf_addf(out, ": %s: ", outcome_name(f->outcome));
		format_clean(out, *f->reason ? f->reason : "no reason was recorded");
		strbuf_adds(out, "\n");
	}
}

static void add_counts(struct strbuf *out, const struct status *s)
{
	const char *comma = "";

	strbuf_addf(out, "cells       %u of %zu done\n", s->cells_done, s->cells_n);
	strbuf_addf(out, "replicates  %u of %u done", s->replicates_done, s->replicates);
	if (s->replicates_lost)
		strbuf_addf(out, ", %u lost", s->replicates_lost);
	if (s->replicates_not_applicable)
		strbuf_addf(out, ", %u not applicable", s->replicates_not_applicable);
	strbuf_adds(out, "\nprobes      ");
	for (int i = 0; i < STATUS_OUTCOMES; i++) {
		if (!s->by_outcome[i])
			continue;
		strbuf_addf(out, "%s%u %s", comma, s->by_outcome[i], outcome_name((enum outcome)i));
		comma = ", ";
	}
	strbuf_adds(out, *comma ? "\n" : "none yet\n");
}

static void add_times(struct strbuf *out, const struct status *s)
{
	const char *comma = "";
	char buf[32];

	strbuf_adds(out, "mean time   ");
	for (int i = 0; i < STATUS_KINDS; i++) {
		if (!s->by_kind[i])
			continue;
		strbuf_addf(out, "%s%s %s s", comma, probe_kind_name((enum probe_kind)i),
			    format_fixed(buf, s->mean_ms[i] / 1000, 1));
		comma = ", ";
	}
	strbuf_adds(out, *comma ? "\n" : "not known yet\n");
	if (!s->probes_left)
		return;
	strbuf_addf(out, "left        about %u probe%s", s->probes_left, s->probes_left == 1 ? "" : "s");
	if (isfinite(s->eta_s)) {
		strbuf_adds(out, ", ");
		add_duration(out, s->eta_s);
		strbuf_adds(out, " if run one at a time");
	}
	strbuf_adds(out, "\n");
}

static void add_costs(struct strbuf *out, const struct status *s)
{
	char buf[32];

	if (s->agents)
		strbuf_addf(
			out,
			"agent       at most %llu KiB of the guest's RAM; a sample costs %s ms of its CPU\n",
			(unsigned long long)s->agent_rss_kib, format_fixed(buf, s->sample_cpu_us / 1000, 2));
	if (s->ballast_rss_kib)
		strbuf_addf(out, "ballast     at most %llu KiB beside Z, and %llu KiB of page tables\n",
			    (unsigned long long)s->ballast_rss_kib, (unsigned long long)s->ballast_pte_kib);
}

void status_text(const struct status *s, struct strbuf *out)
{
	strbuf_adds(out, "plan        ");
	format_clean(out, *s->plan_name ? s->plan_name : "(none)");
	strbuf_adds(out, "\nlatest run  ");
	format_clean(out, *s->run_status ? s->run_status : "none");
	if (s->pid)
		strbuf_addf(out, " (pid %ld)", s->pid);
	strbuf_adds(out, "\n");
	add_counts(out, s);
	add_times(out, s);
	add_costs(out, s);
	add_failures(out, s);
}

static json_t *failure_json(const struct status_failure *f)
{
	char id[13] = "";

	memcpy(id, f->cell->key, 12);
	return json_pack("{s:s, s:I, s:s, s:o}", "cell", id, "probe", (json_int_t)f->probe_id, "outcome",
			 outcome_name(f->outcome), "reason", format_json_string(f->reason));
}

static json_t *outcomes_json(const struct status *s)
{
	json_t *object = json_object();

	for (int i = 0; i < STATUS_OUTCOMES; i++)
		json_object_set_new(object, outcome_name((enum outcome)i), json_integer(s->by_outcome[i]));
	return object;
}

static json_t *costs_json(const struct status *s)
{
	return json_pack("{s:I, s:o, s:I, s:I}", "agent_rss_kib", (json_int_t)s->agent_rss_kib,
			 "sample_cpu_us", s->agents ? format_json_fixed(s->sample_cpu_us, 0) : json_null(),
			 "ballast_rss_kib", (json_int_t)s->ballast_rss_kib, "ballast_pte_kib",
			 (json_int_t)s->ballast_pte_kib);
}

static json_t *times_json(const struct status *s)
{
	json_t *object = json_object();

	for (int i = 0; i < STATUS_KINDS; i++)
		json_object_set_new(object, probe_kind_name((enum probe_kind)i),
				    format_json_fixed(s->mean_ms[i] / 1000, 3));
	return object;
}

void status_json(const struct status *s, struct strbuf *out)
{
	json_t *failures = json_array();

	for (size_t i = 0; i < s->failures_n; i++)
		json_array_append_new(failures, failure_json(&s->failures[i]));

	json_t *root = json_pack(
		"{s:s, s:i, s:o, s:o, s:b, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}",
		"tool_version", SWAPCAL_VERSION, "schema_version", STORE_SCHEMA_VERSION, "plan",
		format_json_string(s->plan_name), "run_status", format_json_string(s->run_status), "running",
		s->is_running, "pid", s->pid ? json_integer(s->pid) : json_null(), "cells",
		(json_int_t)s->cells_n, "cells_done", (json_int_t)s->cells_done, "total",
		(json_int_t)s->replicates, "done", (json_int_t)s->replicates_done, "lost",
		(json_int_t)s->replicates_lost, "not_applicable", (json_int_t)s->replicates_not_applicable,
		"probes_left", (json_int_t)s->probes_left, "eta_s", format_json_fixed(s->eta_s, 0), "probes",
		outcomes_json(s), "mean_probe_s", times_json(s), "overhead", costs_json(s), "failures",
		failures);
	cleanup_free char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(15));

	strbuf_adds(out, text ? text : "{}");
	strbuf_adds(out, "\n");
	json_decref(root);
}
