/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/run-progress.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/log.h"

/*
 * What a probe takes on the machine the project was measured on (2 cores, TCG), only for the estimate of a
 * dry run: boot, evidence and end; growth of the ballast through the guest, at its rate; of a workload its
 * making, by MiB, and where it stays at its size, working in and rest.
 */
#define PROBE_TYPICAL_S    9
#define WORK_IN_TYPICAL_S  15
#define MAKING_TYPICAL_MIB 5
#define GROWTH_TYPICAL_MIB 12

/** "2 min 05 s", to be freed. */
static char *duration(double seconds)
{
	unsigned s = (unsigned)(seconds + 0.5);

	if (s >= 3600)
		return xasprintf("%u h %02u min", s / 3600, s % 3600 / 60);
	if (s >= 60)
		return xasprintf("%u min %02u s", s / 60, s % 60);
	return xasprintf("%u s", s);
}

/** What a probe does, in a few words, to be freed. */
static char *describe(const struct cell *cell, enum probe_kind kind, uint64_t z_kib)
{
	unsigned x = cell_uint(cell, "x_mib");
	const char *interpreter = cell_str(cell, "interpreter");
	const char *workload = cell_str(cell, "workload"), *size = cell_str(cell, "size");
	struct known_spec known;
	cleanup_free char *load = cell_known(cell, &known)
					  ? xasprintf("%s %s", workload, size)
					  : xasprintf("%u x %s %s %s", cell_uint(cell, "processes"),
						      interpreter, workload, size);

	switch (kind) {
	case PROBE_RAMP:
		return xasprintf("X=%u ballast ramp", x);
	case PROBE_FIXED:
		return xasprintf("X=%u ballast Z=%.1f MiB", x, (double)z_kib / 1024);
	case PROBE_GROWTH:
		return xasprintf("X=%u %s %s grows", x, interpreter, workload);
	case PROBE_POPULATION:
		return xasprintf("X=%u more and more %s %s", x, interpreter, workload);
	case PROBE_RAM:
		return xasprintf("X=%.0f with %s", (double)z_kib / 1024, load);
	case PROBE_DISPLACEMENT:
		return xasprintf("X=%u ballast ramp beside %s", x, load);
	}
	return xstrdup("?");
}

static char *eta(const struct run_progress *p)
{
	if (!p->run)
		return xstrdup("unknown yet");
	return duration(p->total_s / p->run * p->left);
}

static void show(const struct run_progress *p, const char *phase)
{
	cleanup_free char *what = describe(p->cell, p->spec->kind, p->spec->z_kib);
	cleanup_free char *left = eta(p);

	log_progress("[%u of about %u] %s: %s; ETA %s", p->run + 1, p->run + p->left, what, phase, left);
}

static void on_start(void *arg, const struct cell *cell, const struct probe_spec *spec, unsigned run,
		     unsigned left)
{
	struct run_progress *p = arg;

	p->cell = cell;
	p->spec = spec;
	p->run = run;
	p->left = left;
	show(p, "start");
}

static void on_phase(void *arg, enum probe_phase phase)
{
	show(arg, probe_phase_name(phase));
}

static void on_end(void *arg, const struct cell *cell, const struct probe_record *r, unsigned run,
		   unsigned left)
{
	struct run_progress *p = arg;
	cleanup_free char *what = describe(cell, r->kind, r->z_kib);
	int64_t total_ms = 0;

	for (int i = 0; i < PHASE_COUNT; i++)
		total_ms += r->phase_ms[i];
	p->total_s += (double)total_ms / 1000;
	p->run = run;
	p->left = left;

	cleanup_free char *held =
		(r->kind == PROBE_RAMP || r->kind == PROBE_DISPLACEMENT) && r->onset_t_us >= 0
			? xasprintf(" at %.1f MiB", (double)r->load_pages * 4 / 1024)
			: xstrdup("");
	cleanup_free char *remaining = eta(p);

	log_note("[%u of about %u] %s: %s%s%s%s (%.1f s; ETA %s)", run, run + left, what,
		 outcome_name(r->outcome), held, *r->reason ? ": " : "", r->reason, (double)total_ms / 1000,
		 remaining);
}

void run_progress_init(struct run_progress *progress, struct campaign_events *events)
{
	*progress = (struct run_progress){ 0 };
	*events = (struct campaign_events){
		.arg = progress,
		.probe_start = on_start,
		.phase = on_phase,
		.probe_end = on_end,
	};
}

double run_progress_typical_s(const struct cell *cell)
{
	double rate_mib_s = cell_uint(cell, "ramp_kib_s") / 1024.0;
	double x_mib = cell_is(cell, METHOD_RAM) ? cell_uint(cell, "x_hi_mib") : cell_uint(cell, "x_mib");
	double payload_mib = (double)cell_uint(cell, "size_kib") * cell_uint(cell, "processes") / 1024;

	if (cell_is(cell, METHOD_GROWTH))
		return PROBE_TYPICAL_S + x_mib / GROWTH_TYPICAL_MIB;
	/* Each process works in by itself: a handful fills a guest. */
	if (cell_is(cell, METHOD_POPULATION))
		return PROBE_TYPICAL_S + 5 * WORK_IN_TYPICAL_S + x_mib / MAKING_TYPICAL_MIB;

	double load_s = payload_mib > 0 ? WORK_IN_TYPICAL_S + payload_mib / MAKING_TYPICAL_MIB : 0;
	double ballast_s =
		rate_mib_s > 0 && !cell_is(cell, METHOD_RAM) ? fmax(x_mib - payload_mib, 0) / rate_mib_s : 0;

	return PROBE_TYPICAL_S + load_s + ballast_s;
}

void run_progress_print_estimate(FILE *out, unsigned probes, double seconds)
{
	cleanup_free char *time = duration(seconds);

	fprintf(out, "about %u probes; about %s, as under TCG on a small machine\n", probes, time);
}
