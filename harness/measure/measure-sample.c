/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/measure/measure-sample.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "calibrate/evidence/text.h"
#include "harness/base/alloc.h"
#include "harness/base/clock.h"

/* --- Statistics, pace and CPU time */

/*
 * Samples may take this part of the time, and so much on top of it, so that a command that lives for 80 ms
 * is seen a dozen times (a sample of 50 MiB takes 10 ms when its page frames are read), and one that lives
 * for hours is not held up.
 */
#define PACE_PART      25 /* 4 % */
#define PACE_CREDIT_US 250000

/*
 * The first samples follow each other by a part of the time since the start, and leave time between them: the
 * credit is for growth, which measure_pace_may() lets be looked at sooner.
 */
#define PACE_GROWTH 16
#define PACE_MIN_US 2000
#define PACE_IDLE   4

void measure_series_add(struct measure_series *s, int64_t t_us, double y)
{
	if (s->n == 0)
		s->first_us = t_us;
	else
		s->area += (y + s->last) / 2 * (double)(t_us - s->last_us);
	if (s->n == 0 || y > s->max)
		s->max = y;
	s->sum += y;
	s->last = y;
	s->last_us = t_us;
	s->n++;
}

struct measure_stat measure_series_stat(const struct measure_series *s, enum measure_kind kind)
{
	struct measure_stat stat = { .n = s->n, .max_kib = s->max };
	int64_t span_us = s->last_us - s->first_us;

	if (kind == MEASURE_TIMED && span_us > 0)
		stat.avg_kib = s->area / (double)span_us;
	else if (s->n)
		stat.avg_kib = s->sum / (double)s->n;
	return stat;
}

static int64_t largest(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* From when on the next sample is within what samples may cost. */
static int64_t affordable_us(const struct measure_pace *p)
{
	return p->start_us + (p->spent_us + p->cost_us - PACE_CREDIT_US) * PACE_PART;
}

int64_t measure_pace_next(const struct measure_pace *p)
{
	int64_t gap = largest((p->last_us - p->start_us) / PACE_GROWTH, PACE_MIN_US);

	gap = largest(gap, p->cost_us * PACE_IDLE);
	if (gap > p->interval_us)
		gap = p->interval_us;
	return largest(p->last_us + gap, affordable_us(p));
}

bool measure_pace_may(const struct measure_pace *p, int64_t now_us)
{
	return now_us >= affordable_us(p);
}

struct measure_cpu_process {
	pid_t pid;
	uint64_t start_ticks;
	uint64_t user_first, system_first;
	uint64_t user_last, system_last;
};

static struct measure_cpu_process *find_process(struct measure_cpu *cpu, const struct procfs_stat *st)
{
	for (size_t i = 0; i < cpu->n; i++)
		if (cpu->processes[i].pid == st->pid && cpu->processes[i].start_ticks == st->start_ticks)
			return &cpu->processes[i];
	return NULL;
}

void measure_cpu_add(struct measure_cpu *cpu, const struct procfs_stat *st, bool is_first)
{
	struct measure_cpu_process *p = find_process(cpu, st);

	if (!p) {
		p = array_push(cpu->processes, cpu->n, cpu->cap);
		p->pid = st->pid;
		p->start_ticks = st->start_ticks;
		p->user_first = is_first ? st->utime_ticks : 0;
		p->system_first = is_first ? st->stime_ticks : 0;
	}
	p->user_last = st->utime_ticks;
	p->system_last = st->stime_ticks;
}

void measure_cpu_sum(const struct measure_cpu *cpu, double *ret_user_s, double *ret_system_s)
{
	double per_s = (double)sysconf(_SC_CLK_TCK), user = 0, system = 0;

	for (size_t i = 0; i < cpu->n; i++) {
		const struct measure_cpu_process *p = &cpu->processes[i];

		user += (double)p->user_last - (double)p->user_first;
		system += (double)p->system_last - (double)p->system_first;
	}
	*ret_user_s = user / per_s;
	*ret_system_s = system / per_s;
}

void measure_cpu_deinit(struct measure_cpu *cpu)
{
	free(cpu->processes);
	*cpu = (struct measure_cpu){ 0 };
}

/* --- The evidence of one process */

/* The files of a process that are its evidence, beside stat; named as in the guest. */
enum {
	PIECE_ROLLUP,
	PIECE_SMAPS,
	PIECE_STATUS,
	PIECE_STATM,
	PIECE_PAGEMAP,
	PIECES,
};

/* All evidence of one process. */
struct process {
	struct procfs_stat stat;
	struct strbuf stat_text;
	struct strbuf pieces[PIECES];
	int errors[PIECES]; /* errno, 0, or -1: not read */
};

enum process_result {
	PROCESS_READ,
	PROCESS_NONE,     /* no memory of its own: a zombie, or a child that shares its parent's until exec */
	PROCESS_VANISHED, /* it ended meanwhile */
};

/* A process that becomes another program while it is read is read anew; one that does so all the time is
 * left. */
#define ATTEMPTS 3

static const char *const piece_names[PIECES] = { "smaps_rollup", "smaps", "status", "statm", "pagemap" };

static void process_deinit(struct process *p)
{
	strbuf_deinit(&p->stat_text);
	for (size_t i = 0; i < PIECES; i++)
		strbuf_deinit(&p->pieces[i]);
}

static void read_piece(struct process *p, int i, pid_t pid)
{
	const struct strbuf *smaps = &p->pieces[PIECE_SMAPS];

	if (i != PIECE_PAGEMAP)
		p->errors[i] = procfs_read("/proc", pid, piece_names[i], &p->pieces[i]);
	else if (p->errors[PIECE_SMAPS] == 0)
		p->errors[i] = procfs_pagemap("/proc", pid, strbuf_str(smaps), smaps->len, &p->pieces[i]);
}

static void read_pieces(struct process *p, pid_t pid, const struct views *views, bool has_pages)
{
	for (int i = 0; i < PIECES; i++) {
		bool is_wanted = views_want(views, (unsigned)pid, piece_names[i]);

		if (i == PIECE_PAGEMAP)
			is_wanted = is_wanted && has_pages;
		/* smaps says which mappings have pages and whether we may look; status has the peak. */
		if (i == PIECE_SMAPS || i == PIECE_STATUS)
			is_wanted = true;
		p->errors[i] = -1;
		strbuf_clear(&p->pieces[i]);
		if (is_wanted)
			read_piece(p, i, pid);
	}
}

/* Reads what the views want of a process. */
static enum process_result read_process(pid_t pid, const struct views *views, bool has_pages,
					struct process *p)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		struct procfs_stat after;

		strbuf_clear(&p->stat_text);
		if (procfs_read("/proc", pid, "stat", &p->stat_text) ||
		    !procfs_parse_stat(strbuf_str(&p->stat_text), p->stat_text.len, &p->stat))
			return PROCESS_VANISHED;
		if (!procfs_has_memory(&p->stat) || procfs_shares_memory(pid, p->stat.ppid))
			return PROCESS_NONE;
		read_pieces(p, pid, views, has_pages);
		/* The texts end early, without an error, when the process ends while they are read. */
		if (!procfs_stat("/proc", pid, &after) || !procfs_has_memory(&after))
			return PROCESS_VANISHED;
		if (procfs_is_same(&p->stat, &after))
			return PROCESS_READ;
	}
	return PROCESS_VANISHED;
}

/* The kernel's high-water mark of its resident memory, 0 when unknown. */
static uint64_t peak_kib(const struct process *p)
{
	const struct strbuf *status = &p->pieces[PIECE_STATUS];
	uint64_t kib;

	return text_get_number(strbuf_str(status), status->len, "VmHWM", &kib) ? kib : 0;
}

/* --- Samples */

/* Queries cost less for many samples at once; until they run, the rows wait in memory (some 400 bytes each).
 */
#define BATCH_SAMPLES 64
#define BATCH_ROWS    50000

/* The probe of all snapshots: metrics that compare probes have one. */
#define PROBE_ID 1

/* Of the machine, named as in the guest. */
static const struct {
	const char *name, *file;
} machine_files[] = {
	{ "meminfo", "meminfo" },
	{ "vmstat", "vmstat" },
	{ "zoneinfo", "zoneinfo" },
	{ "swaps", "swaps" },
	{ "pressure/memory", "pressure/memory" },
	{ "pressure/io", "pressure/io" },
	{ "pressure/cpu", "pressure/cpu" },
	{ "slabinfo", "slabinfo" },
	{ "buddyinfo", "buddyinfo" },
	{ "mountinfo", "self/mountinfo" },
};

struct taken {
	int64_t t_us;
	enum measure_kind kind;
};

struct sampler {
	const struct measure_metrics *metrics;
	struct views *views;
	struct strbuf baseline[COUNT(machine_files)];

	/* The samples in views; their snapshot_id is first_id + their place. */
	struct taken taken[BATCH_SAMPLES];
	size_t taken_n;
	int64_t first_id;

	struct measure_series (*series)[MEASURE_KINDS]; /* a row for each metric */
	struct measure_cpu cpu;
	int64_t first_timed_us, last_timed_us;
	struct measure_run *run;
};

struct sampler *sampler_create(const struct measure_metrics *metrics, struct measure_run *run)
{
	struct sampler *s = xcalloc(1, sizeof(*s));

	s->metrics = metrics;
	s->run = run;
	s->views = views_create(metrics->set);
	s->series = xcalloc(metrics->n, sizeof(*s->series));
	s->first_id = 1;
	s->run->pages_missing = procfs_pages_missing("/proc");
	for (size_t i = 0; i < COUNT(machine_files); i++)
		if (views_want_baseline(s->views, machine_files[i].name) &&
		    procfs_read("/proc", 0, machine_files[i].file, &s->baseline[i]))
			strbuf_clear(&s->baseline[i]);
	return s;
}

void sampler_destroy(struct sampler *s)
{
	views_destroy(s->views);
	for (size_t i = 0; i < COUNT(machine_files); i++)
		strbuf_deinit(&s->baseline[i]);
	measure_cpu_deinit(&s->cpu);
	free(s->series);
	free(s);
}

/* A file that this machine lacks, or that we may not read, is no gap in the evidence: it has no value. */
static void add_machine(struct sampler *s)
{
	for (size_t i = 0; i < COUNT(machine_files); i++) {
		const char *name = machine_files[i].name;
		cleanup_strbuf struct strbuf text = STRBUF_INIT;

		if (views_want(s->views, 0, name) &&
		    procfs_read("/proc", 0, machine_files[i].file, &text) == 0)
			views_add(s->views, 0, name, strbuf_str(&text), text.len);
		if (s->baseline[i].len)
			views_add_baseline(s->views, name, s->baseline[i].data, s->baseline[i].len);
	}
}

static void add_process(struct sampler *s, const struct process *p)
{
	unsigned pid = (unsigned)p->stat.pid;

	if (views_want(s->views, pid, "stat"))
		views_add(s->views, pid, "stat", strbuf_str(&p->stat_text), p->stat_text.len);
	for (int i = 0; i < PIECES; i++) {
		const char *name = piece_names[i];

		if (p->errors[i] == 0 && views_want(s->views, pid, name))
			views_add(s->views, pid, name, strbuf_str(&p->pieces[i]), p->pieces[i].len);
		/* A kernel without that file says "no such file"; anything else is a gap. */
		else if (p->errors[i] > 0 && p->errors[i] != ENOENT)
			views_add_failed(s->views, pid, name);
	}
}

/* Adds the process to the snapshot, which it begins when it is the first one that can be read. */
static void take_process(struct sampler *s, pid_t pid, bool is_main, bool *has_begun)
{
	cleanup(process_deinit) struct process p = { 0 };

	enum process_result result = read_process(pid, s->views, !s->run->pages_missing, &p);

	s->run->vanished += result == PROCESS_VANISHED;
	if (result != PROCESS_READ)
		return;
	measure_cpu_add(&s->cpu, &p.stat,
			s->run->samples[MEASURE_TIMED] + s->run->samples[MEASURE_CHECKPOINT] == 0);
	if (p.errors[PIECE_SMAPS])
		s->run->unreadable++;
	if (is_main && peak_kib(&p) > s->run->peak_rss_kib)
		s->run->peak_rss_kib = peak_kib(&p);
	if (!*has_begun) {
		/* One that may not be read is no beginning: a sample of nothing would count as 0. */
		if (p.errors[PIECE_SMAPS])
			return;
		views_begin(s->views, s->first_id + (int64_t)s->taken_n, PROBE_ID, "measure");
		add_machine(s);
		*has_begun = true;
	}
	add_process(s, &p);
}

static struct err *apply_metric(struct sampler *s, struct query *q, size_t i)
{
	cleanup_free struct metric_value *values = NULL;
	size_t n;
	struct err *e = query_metric(q, &s->metrics->metrics[i], &values, &n);

	for (size_t j = 0; !e && j < n; j++) {
		int64_t k = values[j].snapshot_id - s->first_id;

		assert(k >= 0 && k < (int64_t)s->taken_n);
		measure_series_add(&s->series[i][s->taken[k].kind], s->taken[k].t_us, values[j].y_kib);
	}
	return e;
}

/* Applies the metrics to the samples in views, and empties these. */
static struct err *apply_metrics(struct sampler *s)
{
	cleanup(cleanup_query_) struct query *q = NULL;
	struct err *e = s->taken_n ? query_open(s->views, &q) : NULL;

	for (size_t i = 0; !e && q && i < s->metrics->n; i++)
		e = apply_metric(s, q, i);
	if (q)
		query_close(take_ptr(q));
	views_destroy(s->views);
	s->views = views_create(s->metrics->set);
	s->first_id += (int64_t)s->taken_n;
	s->taken_n = 0;
	return e;
}

static bool is_batch_full(const struct sampler *s)
{
	size_t rows = 0;

	for (int view = 0; view < VIEW_COUNT; view++)
		rows += views_rows(s->views, view);
	return s->taken_n == BATCH_SAMPLES || rows >= BATCH_ROWS;
}

static void note_taken(struct sampler *s, int64_t t_us, enum measure_kind kind)
{
	s->taken[s->taken_n++] = (struct taken){ t_us, kind };
	if (kind == MEASURE_TIMED) {
		if (!s->run->samples[kind])
			s->first_timed_us = t_us;
		s->last_timed_us = t_us;
	}
	s->run->samples[kind]++;
}

struct err *sampler_take(struct sampler *s, const struct proctree *tree, pid_t first, enum measure_kind kind,
			 struct measure_pace *pace)
{
	int64_t start_us = clock_us();
	struct err *e = NULL;
	bool has_begun = false;

	for (size_t i = 0; i < tree->n; i++)
		take_process(s, tree->pids[i], tree->pids[i] == first, &has_begun);
	if (has_begun) {
		views_end(s->views);
		note_taken(s, start_us, kind);
		if (is_batch_full(s))
			e = apply_metrics(s);
	}
	pace->cost_us = clock_us() - start_us;
	pace->spent_us += pace->cost_us;
	return e;
}

struct err *sampler_finish(struct sampler *s, int64_t spent_us)
{
	struct err *e = apply_metrics(s);
	struct measure_run *run = s->run;
	size_t timed = run->samples[MEASURE_TIMED], all = timed + run->samples[MEASURE_CHECKPOINT];

	run->stats = xcalloc(s->metrics->n, sizeof(*run->stats));
	for (size_t i = 0; i < s->metrics->n; i++)
		for (int kind = 0; kind < MEASURE_KINDS; kind++)
			run->stats[i][kind] = measure_series_stat(&s->series[i][kind], kind);
	run->sample_ms = all ? (double)spent_us / 1000 / (double)all : 0;
	run->interval_ms =
		timed > 1 ? (double)(s->last_timed_us - s->first_timed_us) / 1000 / (double)(timed - 1) : 0;
	return e;
}

void sampler_cpu(const struct sampler *s, double *ret_user_s, double *ret_system_s)
{
	measure_cpu_sum(&s->cpu, ret_user_s, ret_system_s);
}
