/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What workloads say at their checkpoints, which a guest may have made up. */
#include <math.h>

#include "calibrate/evidence/checkpoints.h"
#include "tests/fuzz/fuzz.h"

static void check_pauses(const struct gc_pauses *p)
{
	must_hold(isnan(p->n) == isnan(p->total_us) && isnan(p->n) == isnan(p->max_us));
	must_hold(isnan(p->n) || (p->n >= 0 && p->total_us >= 0 && p->max_us >= 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct checkpoints c, again;
	struct gc_pauses all;

	checkpoints_read((const char *)data, size, &c);
	must_hold(c.lines == count_lines((const char *)data, size) && c.bad <= c.lines &&
		  c.has_end == (c.bad < c.lines));
	must_hold(isnan(c.cpu_ms) || c.cpu_ms >= 0);
	must_hold(isnan(c.full_cpu_ms) || (c.has_full && c.has_end && c.cpu_ms >= 0));
	all = checkpoints_all_pauses(c.gc);
	check_pauses(&all);
	for (size_t i = 0; i < GC_KINDS; i++) {
		check_pauses(&c.gc[i]);
		must_hold(isnan(c.gc[i].n) || (all.n >= c.gc[i].n && all.max_us >= c.gc[i].max_us));
	}
	/* What stands before a cut is read as if there were no more. */
	while (size > 0 && data[size - 1] != '\n')
		size--;
	checkpoints_read((const char *)data, size, &again);
	must_hold(again.end_us == c.end_us && again.lines - again.bad == c.lines - c.bad);
	return 0;
}
