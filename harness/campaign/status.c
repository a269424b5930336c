/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/campaign/status.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"
#include "harness/base/format.h"
#include "harness/cell/cell-format.h"
#include "harness/campaign/schedule.h"

/* --- The live file */

/* Many times what live_file_write() makes for LIVE_JOBS_MAX guests. */
#define LIVE_BYTES_MAX (1 << 20)

static json_t *guest_json(const struct live_guest *g)
{
	return json_pack("{s:i, s:s, s:s, s:s, s:f, s:I}", "slot", (int)g->slot, "cell", g->cell, "what",
			 g->what, "phase", g->phase, "start_s", g->start_s, "memory_kib",
			 (json_int_t)g->memory_kib);
}

/** The file is not synced to the disk: its writer does not outlive the kernel. */
static struct err *replace_file(const char *path, const char *text)
{
	cleanup_free char *new_path = xasprintf("%s.new", path);

	/* A run that was killed just then left it. */
	unlink(new_path);

	cleanup_close int fd = open(new_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_errno(errno, "cannot create '%s'", new_path);

	struct err *e = file_write_all(fd, text, strlen(text));

	if (!e && rename(new_path, path))
		e = err_errno(errno, "cannot write '%s'", path);
	if (e)
		unlink(new_path);
	return e;
}

struct err *live_file_write(const char *path, const struct live_file *live)
{
	json_t *guests = json_array();

	for (size_t i = 0; i < live->n; i++)
		json_array_append_new(guests, guest_json(&live->guests[i]));

	json_t *root =
		json_pack("{s:I, s:i, s:o, s:f, s:o}", "pid", (json_int_t)live->pid, "jobs", (int)live->jobs,
			  "eta_s", isfinite(live->eta_s) ? json_real(live->eta_s) : json_null(), "updated_s",
			  live->updated_s, "guests", guests);
	cleanup_free char *text = json_dumps(root, JSON_COMPACT);

	json_decref(root);
	return text ? replace_file(path, text) : err_new("what runs now cannot be written as JSON");
}

static bool read_guest(json_t *json, struct live_guest *g)
{
	const char *cell, *what, *phase;
	json_int_t slot, memory_kib;

	if (json_unpack(json, "{s:I, s:s, s:s, s:s, s:F, s:I}", "slot", &slot, "cell", &cell, "what", &what,
			"phase", &phase, "start_s", &g->start_s, "memory_kib", &memory_kib))
		return false;
	if (slot < 0 || slot >= LIVE_JOBS_MAX || memory_kib < 0 || strlen(cell) >= sizeof(g->cell) ||
	    strlen(phase) >= sizeof(g->phase))
		return false;
	g->slot = (unsigned)slot;
	g->memory_kib = (uint64_t)memory_kib;
	strcpy(g->cell, cell);
	strcpy(g->phase, phase);
	g->what = xstrdup(what);
	return true;
}

static bool read_all(json_t *root, struct live_file *live)
{
	json_t *guests, *eta_s, *json;
	json_int_t pid, jobs;
	size_t i;

	if (json_unpack(root, "{s:I, s:I, s:o, s:F, s:o}", "pid", &pid, "jobs", &jobs, "eta_s", &eta_s,
			"updated_s", &live->updated_s, "guests", &guests) ||
	    pid <= 0 || pid > INT32_MAX || jobs < 1 || jobs > LIVE_JOBS_MAX ||
	    json_array_size(guests) > LIVE_JOBS_MAX)
		return false;
	live->pid = (long)pid;
	live->jobs = (unsigned)jobs;
	live->eta_s = json_is_number(eta_s) ? json_number_value(eta_s) : (double)NAN;
	json_array_foreach(guests, i, json)
	{
		if (!read_guest(json, &live->guests[live->n]))
			return false;
		live->n++;
	}
	return true;
}

bool live_file_read(const char *path, struct live_file *ret)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	struct live_file live = { .n = 0 };
	struct err *e = file_read(path, LIVE_BYTES_MAX, &text);
	json_t *root = e ? NULL : json_loadb(strbuf_str(&text), text.len, JSON_REJECT_DUPLICATES, NULL);
	bool is_ok = root && read_all(root, &live);

	err_free(e);
	json_decref(root);
	if (is_ok)
		*ret = live;
	else
		live_file_deinit(&live);
	return is_ok;
}

void live_file_deinit(struct live_file *live)
{
	for (size_t i = 0; i < live->n; i++)
		free(live->guests[i].what);
	live->n = 0;
}

/* --- How far a campaign is */

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/** Adds what measuring costs the guest. A probe that ended before the first heartbeat tells nothing. */
static void add_overheads(struct status *s, const struct probe_record *p)
{
	if (p->agent_rss_kib)
		s->sample_cpu_us += ((double)p->sample_cpu_us_mean - s->sample_cpu_us) / ++s->agents;
	s->agent_rss_kib = larger(s->agent_rss_kib, p->agent_rss_kib);
	s->ballast_rss_kib = larger(s->ballast_rss_kib, p->ballast_rss_kib);
	s->ballast_pte_kib = larger(s->ballast_pte_kib, p->ballast_pte_kib);
}

/** The command that shows all that is known of a probe. */
static char *look_command(const struct store *store, int64_t probe_id)
{
	struct strbuf sb = STRBUF_INIT;

	strbuf_adds(&sb, "swapcal export ");
	strbuf_add_quoted(&sb, store_name(store));
	strbuf_addf(&sb, " --probe %lld", (long long)probe_id);
	return strbuf_steal(&sb);
}

static void add_probe(struct status *s, const struct store *store, const struct cell *cell,
		      const struct probe_record *p)
{
	s->by_outcome[p->outcome]++;
	s->by_kind[p->kind]++;
	add_overheads(s, p);
	for (int phase = 0; phase < PHASE_COUNT; phase++)
		s->mean_ms[p->kind] += (double)p->phase_ms[phase];
	if (outcome_is_answer(p->outcome))
		return;

	struct status_failure *f = array_push(s->failures, s->failures_n, s->failures_cap);

	*f = (struct status_failure){ cell, p->id, p->outcome, xstrdup(p->reason),
				      look_command(store, p->id) };
}

static void add_cell(struct status *s, const struct cell *cell, const struct cell_state *state)
{
	s->replicates += cell->replicates;
	s->replicates_done += state->done;
	s->replicates_lost += state->lost;
	s->replicates_not_applicable += state->not_applicable;
	s->cells_done += state->done == cell->replicates;
	s->probes_left += state->probes_left;
}

/** Adds the cells and their probes, also to the schedule, which tells how long the rest takes. */
static struct err *add_cells(struct store *store, struct status *s, struct schedule *schedule)
{
	for (size_t i = 0; i < s->cells_n; i++) {
		struct probe_record *probes;
		size_t n;
		struct err *e = store_probes(store, s->cells[i].key, &probes, &n);

		if (e)
			return e;
		for (size_t k = 0; k < n; k++)
			add_probe(s, store, &s->cells[i], &probes[k]);
		schedule_add_probes(schedule, i, probes, n);
		store_probes_free(probes, n);
		add_cell(s, &s->cells[i], schedule_state(schedule, i));
	}
	/* They were sums until now; NAN without a probe. */
	for (int kind = 0; kind < STATUS_KINDS; kind++)
		s->mean_ms[kind] /= s->by_kind[kind];
	return NULL;
}

/** Reads what runs just now, as far as the process that has the results file open tells of itself. */
static void read_live(const struct store *store, struct status *s)
{
	s->jobs = 1;
	if (!s->is_running || !live_file_read(store_live_path(store), &s->live))
		return;
	if (s->live.pid == s->pid)
		s->jobs = s->live.jobs;
	else
		live_file_deinit(&s->live);
}

static struct err *build(struct store *store, struct status *s)
{
	cleanup_free char *plan_text = NULL;
	json_t *audit = NULL;
	struct err *e = store_last_run(store, &audit, &s->plan_name, &plan_text, &s->run_status);

	json_decref(audit);
	if (!e && !s->plan_name)
		s->plan_name = xstrdup("");
	if (!e && !s->run_status)
		s->run_status = xstrdup("");
	s->is_running = store_has_writer(store, &s->pid);
	if (!e)
		e = store_cells(store, &s->cells, &s->cells_n);
	if (e)
		return e;

	cleanup(cleanup_schedule_) struct schedule *schedule = schedule_create(s->cells, s->cells_n);

	e = add_cells(store, s, schedule);
	read_live(store, s);
	s->eta_s = schedule_eta_s(schedule, s->jobs);
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
	for (size_t i = 0; i < s->failures_n; i++) {
		free(s->failures[i].reason);
		free(s->failures[i].look);
	}
	free(s->failures);
	live_file_deinit(&s->live);
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
		strbuf_adds(out, "\n    see: ");
		format_clean(out, f->look);
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
		strbuf_addf(out, " with %u guest%s at a time", s->jobs, s->jobs == 1 ? "" : "s");
	}
	strbuf_adds(out, "\n");
}

static void add_guests(struct strbuf *out, const struct status *s)
{
	const char *title = "running     ";

	for (size_t i = 0; i < s->live.n; i++) {
		const struct live_guest *g = &s->live.guests[i];

		strbuf_adds(out, title);
		format_clean(out, g->what);
		strbuf_adds(out, ": ");
		format_clean(out, g->phase);
		if (g->memory_kib)
			strbuf_addf(out, ", load of %llu MiB", (unsigned long long)g->memory_kib / 1024);
		strbuf_adds(out, ", since ");
		add_duration(out, fmax(s->live.updated_s - g->start_s, 0));
		strbuf_adds(out, "\n");
		title = "            ";
	}
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
	add_guests(out, s);
	add_times(out, s);
	add_costs(out, s);
	add_failures(out, s);
}

static json_t *failure_json(const struct status_failure *f)
{
	char id[13] = "";

	memcpy(id, f->cell->key, 12);
	return json_pack("{s:s, s:I, s:s, s:o, s:o}", "cell", id, "probe", (json_int_t)f->probe_id, "outcome",
			 outcome_name(f->outcome), "reason", format_json_string(f->reason), "see",
			 format_json_string(f->look));
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

static json_t *guests_json(const struct status *s)
{
	json_t *guests = json_array();

	for (size_t i = 0; i < s->live.n; i++) {
		const struct live_guest *g = &s->live.guests[i];

		json_array_append_new(
			guests,
			json_pack("{s:o, s:o, s:o, s:I, s:o}", "cell", format_json_string(g->cell), "what",
				  format_json_string(g->what), "phase", format_json_string(g->phase),
				  "memory_kib", (json_int_t)g->memory_kib, "age_s",
				  format_json_fixed(fmax(s->live.updated_s - g->start_s, 0), 1)));
	}
	return guests;
}

static json_t *build_json(const struct status *s)
{
	json_t *failures = json_array();

	for (size_t i = 0; i < s->failures_n; i++)
		json_array_append_new(failures, failure_json(&s->failures[i]));
	return json_pack(
		"{s:s, s:i, s:o, s:o, s:o, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}",
		"tool_version", SWAPCAL_VERSION, "schema_version", STORE_SCHEMA_VERSION, "plan",
		format_json_string(s->plan_name), "run_status", format_json_string(s->run_status), "pid",
		s->pid ? json_integer(s->pid) : json_null(), "jobs", (int)s->jobs, "cells",
		(json_int_t)s->cells_n, "cells_done", (json_int_t)s->cells_done, "total",
		(json_int_t)s->replicates, "done", (json_int_t)s->replicates_done, "running",
		(json_int_t)s->live.n, "failed", (json_int_t)s->replicates_lost, "not_applicable",
		(json_int_t)s->replicates_not_applicable, "probes_left", (json_int_t)s->probes_left, "eta_s",
		format_json_fixed(s->eta_s, 0), "guests", guests_json(s), "probes", outcomes_json(s),
		"mean_probe_s", times_json(s), "overhead", costs_json(s), "failures", failures);
}

void status_json(const struct status *s, struct strbuf *out)
{
	format_json(out, build_json(s));
}

void status_json_line(const struct status *s, struct strbuf *out)
{
	json_t *root = build_json(s);
	cleanup_free char *text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(15));

	strbuf_addf(out, "%s\n", text ? text : "{}");
	json_decref(root);
}
