/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/cell/record.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

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

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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
