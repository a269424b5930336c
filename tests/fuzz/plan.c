/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A plan as anybody may write it. */
#include "harness/plan/plan.h"
#include "tests/fuzz/file.h"
#include "tests/fuzz/fuzz.h"

static void check_plan(const struct plan *p)
{
	must_hold(p->name && *p->name && p->images.n >= 1 && *p->images.v[0] && p->rule && p->fill);
	must_hold(p->ram_mib.n >= 1 && p->ram_mib.n <= PLAN_LIST_MAX);
	must_hold(p->swappiness.n >= 1 && p->swappiness.n <= PLAN_LIST_MAX);
	must_hold(p->thp.n >= 1 && p->mglru_n >= 1 && p->mglru_n <= 2);
	must_hold(p->replicates >= 1 && p->vcpus.n >= 1 && p->vcpus.v[0] >= 1 && p->margin_pct > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct plan *plan;
	struct err *e = plan_load(fuzz_file(data, size), &plan);

	must_hold(!e || err_get_kind(e) == ERR_USAGE);
	if (!e) {
		check_plan(plan);
		plan_destroy(plan);
	}
	err_free(e);
	return 0;
}
