/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/cell/record.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/cell/cell.h"

/* Names are part of the results file and of the reports: they never change. */

static const char *const outcome_names[] = {
	[OUTCOME_ONSET] = "onset",
	[OUTCOME_NO_ONSET] = "no-onset",
	[OUTCOME_OOM] = "oom",
	[OUTCOME_TIMEOUT] = "timeout",
	[OUTCOME_BOOT_FAIL] = "boot-fail",
	[OUTCOME_AGENT_LOST] = "agent-lost",
	[OUTCOME_INVALID] = "invalid",
	[OUTCOME_NOT_APPLICABLE] = "not-applicable",
};

static const char *const probe_kind_names[] = {
	[PROBE_RAMP] = "ramp",
	[PROBE_FIXED] = "fixed",
	[PROBE_GROWTH] = "growth",
	[PROBE_DISPLACEMENT] = "displacement",
	[PROBE_POPULATION] = "population",
	[PROBE_RAM] = "ram",
};

static const char *const probe_phase_names[PHASE_COUNT] = {
	[PHASE_START] = "start",       [PHASE_BOOT] = "boot",     [PHASE_PREPARE] = "prepare",
	[PHASE_LOAD] = "load",         [PHASE_SETTLE] = "settle", [PHASE_EVIDENCE] = "evidence",
	[PHASE_TEARDOWN] = "teardown",
};

/* The index of name, or -1. */
static int find_name(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -1;
}

const char *outcome_name(enum outcome outcome)
{
	assert((size_t)outcome < COUNT(outcome_names));
	return outcome_names[outcome];
}

bool outcome_parse(const char *name, enum outcome *ret)
{
	int i = find_name(outcome_names, COUNT(outcome_names), name);

	if (i < 0)
		return false;
	*ret = (enum outcome)i;
	return true;
}

bool outcome_is_answer(enum outcome outcome)
{
	return outcome == OUTCOME_ONSET || outcome == OUTCOME_NO_ONSET;
}

const char *probe_kind_name(enum probe_kind kind)
{
	assert((size_t)kind < COUNT(probe_kind_names));
	return probe_kind_names[kind];
}

bool probe_kind_parse(const char *name, enum probe_kind *ret)
{
	int i = find_name(probe_kind_names, COUNT(probe_kind_names), name);

	if (i < 0)
		return false;
	*ret = (enum probe_kind)i;
	return true;
}

const char *probe_phase_name(enum probe_phase phase)
{
	assert(phase < PHASE_COUNT);
	return probe_phase_names[phase];
}

static void snapshot_deinit(struct snapshot *s)
{
	for (size_t i = 0; i < s->files_count; i++) {
		free(s->files[i].name);
		free(s->files[i].data);
		free(s->files[i].error);
	}
	free(s->files);
	free(s->name);
}

void probe_record_deinit(struct probe_record *r)
{
	for (size_t i = 0; i < r->snapshots_count; i++)
		snapshot_deinit(&r->snapshots[i]);
	free(r->snapshots);
	free(r->samples);
	free(r->command_line);
	free(r->output);
	free(r->console);
	free(r->flags);
	free(r->reason);
	memset(r, 0, sizeof(*r));
}

bool flags_have(const char *flags, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = flags; *p;) {
		size_t n = strcspn(p, ",");

		if (n == len && memcmp(p, name, len) == 0)
			return true;
		p += n + (p[n] == ',');
	}
	return false;
}

void flags_add(char **flags, const char *names)
{
	for (const char *p = names; *p;) {
		size_t n = strcspn(p, ",");
		cleanup_free char *name = xmemdup0(p, n);

		if (n && !flags_have(*flags, name)) {
			char *joined = xasprintf("%s%s%s", *flags, **flags ? "," : "", name);

			free(*flags);
			*flags = joined;
		}
		p += n + (p[n] == ',');
	}
}

/*
 * What a probe takes on the machine the project was measured on (2 cores, TCG), only for
 * estimates: boot, evidence and end; growth of the ballast through the guest, at its rate; of a workload its
 * making, by MiB, and where it stays at its size, working in and rest.
 */
#define PROBE_TYPICAL_S    9
#define WORK_IN_TYPICAL_S  15
#define MAKING_TYPICAL_MIB 5
#define GROWTH_TYPICAL_MIB 12

int64_t probe_time_ms(const struct probe_record *r)
{
	int64_t ms = 0;

	for (int i = 0; i < PHASE_COUNT; i++)
		ms += r->phase_ms[i];
	return ms;
}

char *probe_time_format(double seconds)
{
	unsigned s = (unsigned)(seconds + 0.5);

	if (s >= 3600)
		return xasprintf("%u h %02u min", s / 3600, s % 3600 / 60);
	if (s >= 60)
		return xasprintf("%u min %02u s", s / 60, s % 60);
	return xasprintf("%u s", s);
}

double probe_time_typical_s(const struct cell *cell)
{
	double rate_mib_s = cell->ramp_kib_s / 1024.0;
	double x_mib = cell_is(cell, METHOD_RAM) ? cell->x_hi_mib : cell->x_mib;
	double payload_mib = (double)cell->size_kib * cell->processes / 1024;

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
