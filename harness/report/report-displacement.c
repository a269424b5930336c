/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/campaign/campaign.h"
#include "harness/cell/cell.h"
#include "harness/report/report.h"

/*
 * What a load of fixed size weighs: Zeq = Z_ramp - Z_fill, how much less the ballast held at onset beside the
 * load than alone.
 *
 * Z_ramp is the ballast at onset of the ramps that begin each search for Z*, and not Z* itself: the ballast
 * beside the load grows at the same rate and its onset is seen as late, by the ticks that pass until kswapd
 * has begun and the rule holds, so that this cancels out. Measured at X = 256 MiB, beside 48 MiB of
 * private-dirty, in three campaigns: Z_ramp - Z_fill is 48.0 to 48.3 MiB, Z* - Z_fill 44.9 to 45.5 MiB.
 *
 * Its range: each of the two is seen at the end of a tick in which the ballast grew by one step, which makes
 * the difference uncertain by a step either way; to that comes what replicates differ by, from smallest to
 * largest on both sides.
 */

double report_ramp_step_kib(const struct cell *cell)
{
	return (double)cell_uint(cell, "ramp_kib_s") * cell_uint(cell, "tick_ms") / 1000;
}

/* Adds what the ballast held in the probes of that kind that came to an onset. */
static void add_onsets(struct report_span *span, const struct probe_record *probes, size_t n,
		       enum probe_kind kind)
{
	double sum = 0;

	*span = (struct report_span){ .mean_kib = NAN, .lo_kib = NAN, .hi_kib = NAN };
	for (size_t i = 0; i < n; i++) {
		double kib = (double)probes[i].load_pages * 4;

		if (probes[i].kind != kind || probes[i].outcome != OUTCOME_ONSET)
			continue;
		span->lo_kib = fmin(span->lo_kib, kib);
		span->hi_kib = fmax(span->hi_kib, kib);
		sum += kib;
		span->n++;
	}
	if (span->n)
		span->mean_kib = sum / span->n;
}

void report_ramp_compute(const struct probe_record *probes, size_t n, struct report_threshold *t)
{
	cleanup_free double *onsets_kib = xcalloc(n, sizeof(*onsets_kib));
	size_t onsets_n = 0;

	add_onsets(&t->ramp, probes, n, PROBE_RAMP);
	for (size_t i = 0; i < n; i++)
		if (probes[i].kind == PROBE_RAMP && probes[i].outcome == OUTCOME_ONSET)
			onsets_kib[onsets_n++] = (double)probes[i].load_pages * 4;
	t->ramps = threshold_ramps(onsets_kib, onsets_n, report_ramp_step_kib(t->cell));
}

void report_displacement_compute(struct report_row *row, const struct probe_record *probes, size_t n)
{
	const struct report_threshold *t = row->threshold;
	double step_kib = report_ramp_step_kib(row->cell);
	struct report_span fill;

	add_onsets(&fill, probes, n, PROBE_DISPLACEMENT);
	row->z_kib = row->z_lo_kib = row->z_hi_kib = NAN;
	row->z_resolution_kib = step_kib;
	if (!t || !t->ramp.n)
		report_add_flags(&row->flags, "z-missing");
	if (!t || !t->ramp.n || !fill.n)
		return;
	row->z_kib = t->ramp.mean_kib - fill.mean_kib;
	row->z_lo_kib = t->ramp.lo_kib - fill.hi_kib - step_kib;
	row->z_hi_kib = t->ramp.hi_kib - fill.lo_kib + step_kib;
}
