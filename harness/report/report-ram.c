/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "harness/campaign/campaign.h"
#include "harness/cell/cell-search.h"
#include "harness/cell/cell.h"
#include "harness/report/report.h"

/*
 * Method ram: the guest of size X* begins to swap with the load, as it would with a ballast of Z*(X*), which
 * the line through the thresholds of other guests tells.
 */

/** The line that the cell's guests are on; NULL when there is none. */
static const struct report_curve *find_curve(const struct report *r, const struct cell *cell)
{
	for (size_t i = 0; i < r->curves_n; i++)
		for (size_t p = 0; p < r->curves[i].n; p++)
			if (strcmp(r->curves[i].points[p]->cell->key, cell->threshold_key) == 0)
				return &r->curves[i];
	return NULL;
}

bool report_ram_is_beyond(const struct cell *cell, const struct search_estimate *e)
{
	return cell_is(cell, METHOD_RAM) && e->answers && !e->bracket_lo_kib;
}

void report_ram_compute(const struct report *r, struct report_row *row, const struct probe_record *probes,
			size_t n)
{
	struct search_estimate e = cell_search(row->cell, CELL_EVERY_REPLICATE, probes, n).estimate;
	double max_kib = (double)cell_ram_max_kib(row->cell);
	const struct report_curve *c = find_curve(r, row->cell);

	row->x_mib = row->z_kib = row->z_lo_kib = row->z_hi_kib = NAN;
	if (!isfinite(e.z_kib) || !isfinite(e.ci_kib.hi) || report_ram_is_beyond(row->cell, &e)) {
		report_add_flags(&row->flags, "no-threshold");
		return;
	}
	/* The search is over how much less than the most RAM there is. */
	row->x_mib = (max_kib - e.z_kib) / 1024;
	if (!c) {
		report_add_flags(&row->flags, "z-missing");
		return;
	}

	struct curve_prediction lo = curve_predict(&c->fit, (max_kib - e.ci_kib.hi) / 1024);
	struct curve_prediction hi = curve_predict(&c->fit, (max_kib - e.ci_kib.lo) / 1024);

	row->z_kib = curve_predict(&c->fit, row->x_mib).z_kib;
	/* Two points make a line whose own uncertainty is not known. */
	row->z_lo_kib = isfinite(lo.z_pi_kib.lo) ? lo.z_pi_kib.lo : lo.z_kib;
	row->z_hi_kib = isfinite(hi.z_pi_kib.hi) ? hi.z_pi_kib.hi : hi.z_kib;
}

bool report_ram_has_y(const struct probe_record *probe, const struct probe_record *probes, size_t n)
{
	if (probe->kind != PROBE_RAM || probe->outcome != OUTCOME_NO_ONSET)
		return false;
	for (size_t i = 0; i < n; i++)
		if (probes[i].replicate == probe->replicate && probes[i].outcome == OUTCOME_NO_ONSET &&
		    (probes[i].z_kib < probe->z_kib ||
		     (probes[i].z_kib == probe->z_kib && probes[i].id > probe->id)))
			return false;
	return true;
}
