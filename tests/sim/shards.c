/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A plan on several machines over simulated guests: its shards, merged, are what one machine would have
 * answered, whether they came to their end or not.
 */
#include "harness/store/store-merge.h"
#include "tests/sim/campaign.h"

#define SHARDS 7 /* one more than there are cells */

/** Runs a shard of the plan on a file, with at most so many guests; -1: until all is asked. */
static void run(const char *file, struct shard shard, int lives)
{
	struct stopper s = { GUEST_SIM_PARAMS_INIT, .lives_left = lives };
	int kind = run_shard(file, &s, false, shard);

	if (lives < 0)
		is_int(kind, -1, file);
}

static void merge_shards(const char *out)
{
	const char *paths[SHARDS];
	struct merge_result r;

	for (unsigned k = 0; k < SHARDS; k++)
		paths[k] = test_format("shard-%u", k + 1);
	must(store_merge(out, paths, SHARDS, &r));
	is_int(r.conflicts_n, 0, "shards have no conflict");
	is_int(r.cells, 6, "and all cells");
	is_int(r.without_z, 0, "with the thresholds they are compared with");
	merge_result_deinit(&r);
}

static void run_shards(int lives)
{
	for (unsigned k = 1; k <= SHARDS; k++)
		run(test_format("shard-%u", k), (struct shard){ k, SHARDS }, lives);
}

static void check_same(const char *name, const char *what)
{
	is_str(test_keep(history(name, BY_CELL)), test_keep(history("whole", BY_CELL)), what);
}

#define OVERLAPPING_PLAN                                                                                     \
	"name: Twice\nimage: bookworm\nguest: {ram_mib: 160}\nmethod: [growth]\n"                            \
	"loads:\n  - {workload: strings, interpreter: python3}\n"                                            \
	"  - {workload: strings, interpreter: [python3, pypy3]}\n"

/** What two loads of a plan ask for is one cell: two machines would answer it, and contradict each other. */
static void test_overlap(void)
{
	unsigned given = 0;

	use_plan(OVERLAPPING_PLAN);
	for (unsigned k = 1; k <= SHARDS; k++) {
		struct cell *cells;
		size_t n;

		campaign_expand(plan, images, "tcg", &cells, &n);
		n = shard_select(&(struct shard){ k, SHARDS }, cells, n);
		given += n;
		store_cells_free(cells, n);
	}
	is_int(given, 3, "a threshold and two interpreters are 3 cells, also when loads overlap");
}

int main(void)
{
	begin();
	run("whole", (struct shard){ 0 }, -1);
	unsigned probes = result.probes_run;

	ok(probes > 20, "one machine runs the plan");

	/* A night that is cut short on every machine. */
	run_shards(3);
	merge_shards("cut");
	run("cut", (struct shard){ 0 }, -1);
	ok(result.probes_run > 0 && result.probes_run < probes,
	   "one machine does what is left of a night cut short");
	check_same("cut", "and has the answers of one that did all");

	/* The same machines go on. */
	run_shards(-1);
	merge_shards("merged");
	check_same("merged", "shards that were resumed, merged, have these answers too");
	run("merged", (struct shard){ 0 }, -1);
	is_int(result.probes_run, 0, "and nothing is left to ask");

	test_overlap();
	return tap_done();
}
