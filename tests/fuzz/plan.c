/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A plan as anybody may write it. */
#include "harness/plan/plan.h"
#include "tests/fuzz/fuzz.h"

static void check_plan(const struct plan *p)
{
	must_hold(p->name && *p->name && p->images.n >= 1 && *p->images.v[0].choice && p->rule);
	must_hold(p->ram_mib.n >= 1 && p->ram_mib.n <= PLAN_LIST_MAX);
	for (size_t i = 0; setting_at(i); i++) {
		const struct plan_values *values = &p->settings[i];

		must_hold(values->n >= 1 && values->n <= (setting_at(i)->nesting ? PLAN_LIST_MAX : 1));
		for (size_t v = 0; v < values->n; v++)
			must_hold(setting_at(i)->choices ? values->v[v].choice != NULL
							 : values->v[v].number <= setting_at(i)->most);
	}
	must_hold(p->replicates >= 1 && p->margin_pct > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct plan *plan;

	if (is_read(plan_load(fuzz_file(data, size), &plan))) {
		check_plan(plan);
		plan_destroy(plan);
	}
	return 0;
}
