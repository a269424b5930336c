/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/cell/probe-time.h"

#include <math.h>

#include "harness/base/alloc.h"
#include "harness/cell/cell.h"

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
