/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <jansson.h>
#include <math.h>
#include <string.h>
#include <sys/wait.h>

#include "harness/base/format.h"
#include "harness/measure/measure.h"

/* Of the JSON. */
#define SCHEMA_VERSION 1

/* One metric; NAN: not known. */
struct row {
	const char *metric;
	double max, avg, base_max, base_avg;
	size_t n;
	const char *missing;
};

static double value_of(const struct measure_stat *stat, double v)
{
	return stat->n ? v : (double)NAN;
}

/* Why metric i has no value in a run. */
static const char *missing(const struct measure_metrics *metrics, const struct measure_run *run, size_t i)
{
	if ((metrics->sets[i] & VIEW_BIT(VIEW_PAGES)) && run->pages_missing)
		return run->pages_missing;
	if (metrics->sets[i] & VIEW_BIT(VIEW_PAGES))
		return "the pages of some process could not be read";
	if (metrics->sets[i] & (VIEW_BIT(VIEW_GUEST) | VIEW_BIT(VIEW_BASELINE)))
		return "not a number of this machine; no cgroup is made for the command";
	return "this kernel does not have the number";
}

static struct row row_of(const struct measure_report *r, size_t i)
{
	const struct measure_stat *stat = &r->run->stats[i][measure_basis(r->run)];
	struct row row = {
		.metric = r->metrics->metrics[i].name,
		.max = value_of(stat, stat->max_kib),
		.avg = value_of(stat, stat->avg_kib),
		.base_max = (double)NAN,
		.base_avg = (double)NAN,
		.n = stat->n,
		.missing = stat->n ? NULL : missing(r->metrics, r->run, i),
	};

	if (r->baseline) {
		stat = &r->baseline->stats[i][measure_basis(r->baseline)];
		row.base_max = value_of(stat, stat->max_kib);
		row.base_avg = value_of(stat, stat->avg_kib);
	}
	return row;
}

void measure_add_status(struct strbuf *out, int wait_status)
{
	if (WIFSIGNALED(wait_status))
		strbuf_addf(out, "was ended by signal %d (%s)", WTERMSIG(wait_status),
			    strsignal(WTERMSIG(wait_status)));
	else if (WEXITSTATUS(wait_status))
		strbuf_addf(out, "failed with exit status %d", WEXITSTATUS(wait_status));
}

static void add_command(struct strbuf *out, const struct measure_target *target)
{
	cleanup_strbuf struct strbuf line = STRBUF_INIT;

	if (!target->argv) {
		strbuf_addf(out, "process %d and its children", (int)target->pid);
		return;
	}
	for (const char *const *arg = target->argv; *arg; arg++) {
		if (arg != target->argv)
			strbuf_adds(&line, " ");
		strbuf_add_quoted(&line, *arg);
	}
	format_clean(out, strbuf_str(&line));
}

static void add_cell(struct strbuf *out, double v)
{
	char buf[32];
	const char *text = format_fixed(buf, v, 0);

	strbuf_addf(out, "  %12s", *text ? text : "-");
}

static void text_table(const struct measure_report *r, struct strbuf *out)
{
	strbuf_addf(out, "  %-24s  %12s  %12s", "metric", "max KiB", "avg KiB");
	strbuf_adds(out, r->baseline ? "  max - base.  avg - base.\n" : "\n");
	for (size_t i = 0; i < r->metrics->n; i++) {
		struct row row = row_of(r, i);

		strbuf_addf(out, "  %-24s", row.metric);
		add_cell(out, row.max);
		add_cell(out, row.avg);
		if (r->baseline) {
			add_cell(out, row.max - row.base_max);
			add_cell(out, row.avg - row.base_avg);
		}
		strbuf_adds(out, "\n");
	}
	strbuf_adds(out, "\n");
}

/* Metrics without a value, by what they lack. */
static void text_missing(const struct measure_report *r, struct strbuf *out)
{
	for (size_t i = 0; i < r->metrics->n; i++) {
		const char *why = row_of(r, i).missing;
		bool is_told = !why;

		for (size_t j = 0; !is_told && j < i; j++) {
			const char *other = row_of(r, j).missing;

			is_told = other && strcmp(other, why) == 0;
		}
		if (is_told)
			continue;
		strbuf_addf(out, "No value (%s):", why);
		for (size_t j = i; j < r->metrics->n; j++) {
			struct row row = row_of(r, j);

			if (row.missing && strcmp(row.missing, why) == 0)
				strbuf_addf(out, " %s", row.metric);
		}
		strbuf_adds(out, "\n");
	}
}

static void text_run(const char *name, const struct measure_run *run, struct strbuf *out)
{
	size_t checkpoints = run->samples[MEASURE_CHECKPOINT];

	strbuf_addf(out, "%s: %.2f s, CPU %.2f s user, %.2f s system; ", name, run->wall_s, run->user_s,
		    run->system_s);
	if (checkpoints)
		strbuf_addf(out, "max and avg over %zu checkpoint%s", checkpoints,
			    checkpoints > 1 ? "s" : "");
	else
		strbuf_addf(out, "%zu sample%s", run->samples[MEASURE_TIMED],
			    run->samples[MEASURE_TIMED] > 1 ? "s" : "");
	if (!checkpoints && run->interval_ms > 0)
		strbuf_addf(out, ", %.1f ms apart", run->interval_ms);
	strbuf_addf(out, ", %.1f ms each\n", run->sample_ms);
	if (run->peak_rss_kib)
		strbuf_addf(
			out,
			"  Peak RSS of the first process, as the kernel tells it: %llu KiB; what is larger than rss here\n"
			"  came and went between two samples\n",
			(unsigned long long)run->peak_rss_kib);
	if (run->unreadable)
		strbuf_addf(out, "  Processes that may not be read: %zu times; the values are too small\n",
			    run->unreadable);
	if (run->left_behind)
		strbuf_addf(out, "  Processes left behind, not measured any more: %zu\n", run->left_behind);
}

void measure_text(const struct measure_report *r, struct strbuf *out)
{
	strbuf_adds(out, "Memory of: ");
	add_command(out, r->target);
	if (r->baseline) {
		strbuf_adds(out, "\nbaseline:  ");
		format_clean(out, r->baseline_command);
	}
	strbuf_adds(out, "\n\n");
	text_table(r, out);
	text_run("Command", r->run, out);
	if (r->baseline)
		text_run("Baseline", r->baseline, out);
	text_missing(r, out);
}

static void csv_field(struct strbuf *out, double v)
{
	char buf[32];

	strbuf_addf(out, ",%s", format_fixed(buf, v, 1));
}

void measure_csv(const struct measure_report *r, struct strbuf *out)
{
	strbuf_adds(out,
		    "metric,max_kib,avg_kib,baseline_max_kib,baseline_avg_kib,max_over_kib,avg_over_kib,n\n");
	for (size_t i = 0; i < r->metrics->n; i++) {
		struct row row = row_of(r, i);

		strbuf_adds(out, row.metric);
		csv_field(out, row.max);
		csv_field(out, row.avg);
		csv_field(out, row.base_max);
		csv_field(out, row.base_avg);
		csv_field(out, row.max - row.base_max);
		csv_field(out, row.avg - row.base_avg);
		strbuf_addf(out, ",%zu\n", row.n);
	}
}

static json_t *number(double v)
{
	return format_json_fixed(v, 3);
}

static json_t *stat_json(const struct measure_stat *stat)
{
	return json_pack("{s:I, s:o, s:o}", "n", (json_int_t)stat->n, "max_kib",
			 number(value_of(stat, stat->max_kib)), "avg_kib",
			 number(value_of(stat, stat->avg_kib)));
}

static json_t *row_json(const struct measure_report *r, size_t i)
{
	struct row row = row_of(r, i);

	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o}", "metric", row.metric,
			 "max_kib", number(row.max), "avg_kib", number(row.avg), "baseline_max_kib",
			 number(row.base_max), "baseline_avg_kib", number(row.base_avg), "max_over_kib",
			 number(row.max - row.base_max), "avg_over_kib", number(row.avg - row.base_avg), "n",
			 (json_int_t)row.n, "timed", stat_json(&r->run->stats[i][MEASURE_TIMED]),
			 "checkpoints", stat_json(&r->run->stats[i][MEASURE_CHECKPOINT]), "missing",
			 row.missing ? json_string(row.missing) : json_null());
}

static json_t *status_json(const struct measure_run *run)
{
	if (WIFSIGNALED(run->wait_status))
		return json_pack("{s:n, s:i}", "exit", "signal", WTERMSIG(run->wait_status));
	return json_pack("{s:i, s:n}", "exit", WEXITSTATUS(run->wait_status), "signal");
}

static json_t *run_json(const struct measure_run *run, bool is_command)
{
	return json_pack("{s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:b, s:b, s:o}",
			 "basis", measure_basis(run) == MEASURE_CHECKPOINT ? "checkpoints" : "timed",
			 "samples", (json_int_t)run->samples[MEASURE_TIMED], "checkpoints",
			 (json_int_t)run->samples[MEASURE_CHECKPOINT], "interval_ms",
			 number(run->interval_ms > 0 ? run->interval_ms : (double)NAN), "sample_ms",
			 number(run->sample_ms), "wall_s", number(run->wall_s), "user_s", number(run->user_s),
			 "system_s", number(run->system_s), "peak_rss_kib",
			 run->peak_rss_kib ? json_integer((json_int_t)run->peak_rss_kib) : json_null(),
			 "vanished", (json_int_t)run->vanished, "unreadable", (json_int_t)run->unreadable,
			 "left_behind", (json_int_t)run->left_behind, "has_end", run->has_end,
			 "is_interrupted", run->is_interrupted, "status",
			 is_command ? status_json(run) : json_null());
}

static json_t *command_json(const struct measure_target *target)
{
	json_t *array = target->argv ? json_array() : json_null();

	for (const char *const *arg = target->argv; arg && *arg; arg++)
		json_array_append_new(array, format_json_string(*arg));
	return array;
}

void measure_json(const struct measure_report *r, struct strbuf *out)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < r->metrics->n; i++)
		json_array_append_new(rows, row_json(r, i));

	format_json(out,
		    json_pack("{s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "tool_version", SWAPCAL_VERSION,
			      "schema_version", SCHEMA_VERSION, "command", command_json(r->target), "pid",
			      r->target->argv ? json_null() : json_integer(r->target->pid),
			      "baseline_command",
			      r->baseline_command ? format_json_string(r->baseline_command) : json_null(),
			      "run", run_json(r->run, r->target->argv), "baseline",
			      r->baseline ? run_json(r->baseline, true) : json_null(), "metrics", rows));
}
