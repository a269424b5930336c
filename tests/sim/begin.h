/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "harness/campaign/campaign.h"
#include "harness/campaign/shard.h"
#include "harness/cell/cell.h"
#include "tests/unit/results.h"

/** Opens the campaign's results file, begins a run, and makes the plan's cells, of a shard, the current ones.
 */
static inline void begin_run(struct campaign *c, const char *path, const struct plan *plan,
			     struct image *const *images, struct shard shard)
{
	struct store_change change;
	struct cell *cells;
	size_t n;
	json_t *audit = json_object();

	must(store_open(path, STORE_WRITE, &c->store));
	must(store_begin_run(c->store, audit, plan->name, plan->text, &c->run_id));
	json_decref(audit);
	campaign_expand(plan, images, "tcg", &cells, &n);
	n = shard_select(&shard, cells, n);
	must(store_set_cells(c->store, cells, n, &change));
	store_cells_free(cells, n);
}
