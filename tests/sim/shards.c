/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A plan on several machines over simulated guests: its shards, merged, are what one machine would have
 * answered, whether they came to their end or not.
 */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/campaign/campaign.h"
#include "harness/campaign/shard.h"
#include "harness/cell/cell.h"
#include "harness/store/store-merge.h"
#include "tests/sim/begin.h"
#include "tests/sim/guest-sim.h"
#include "tests/tap.h"
#include "tests/unit/results.h"

#define PLAN                                                                                                 \
	"name: Sim Plan\nimage: bookworm\nguest: {ram_mib: [160, 256]}\n"                                    \
	"method: [growth]\nreplicates: 2\n"                                                                  \
	"loads:\n  - {workload: strings, interpreter: [python3, pypy3]}\n"

#define SHARDS 7 /* one more than there are cells */

static char *dir;
static struct image image, *images[] = { &image };
static struct plan *plan;
static struct campaign_result result;

/** Starts so many guests, and then is stopped. */
struct machine {
	struct guest_sim_params params;
	int lives_left;
};

static struct err *start_limited(void *ctx, const struct guest_config *config, struct guest **ret)
{
	struct machine *m = ctx;

	if (m->lives_left-- == 0)
		return err_new_kind(ERR_INTERRUPTED, "stopped on request");
	return guest_sim_ops.start(&m->params, config, ret);
}

static char *path_of(const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

/** Runs a shard of the plan on a file of dir, with at most so many guests. */
static void run(const char *name, struct shard shard, int lives)
{
	cleanup_free char *path = path_of(name);
	struct machine machine = { GUEST_SIM_PARAMS_INIT, lives };
	struct guest_ops ops = guest_sim_ops;
	struct campaign_image run_image = { &image, &machine };
	struct campaign c = { .name = plan->name,
			      .images = &run_image,
			      .images_n = 1,
			      .ops = &ops,
			      .seed = 1,
			      .jobs = 1,
			      .time_limit_s = (double)INFINITY };

	ops.start = start_limited;
	begin_run(&c, path, plan, images, shard);

	struct err *e = campaign_run(&c, &result);

	if (lives < 0)
		must(e);
	else
		err_free(e);
	store_close(c.store);
}

/** Cells in their order, and of each every probe: what was asked, and the answer. */
static char *history(const char *name)
{
	cleanup_free char *path = path_of(name);
	struct strbuf sb = STRBUF_INIT;
	struct store *store;
	struct cell *cells;
	size_t cells_n;

	must(store_open(path, STORE_READ, &store));
	must(store_cells(store, &cells, &cells_n));
	for (size_t i = 0; i < cells_n; i++) {
		struct probe_record *probes;
		size_t n;

		must(store_probes(store, cells[i].key, &probes, &n));
		strbuf_addf(&sb, "%u %.8s\n", cells[i].position, cells[i].key);
		for (size_t k = 0; k < n; k++)
			strbuf_addf(&sb, "%u %u %s %llu %llu %llu %s\n", probes[k].replicate, probes[k].seq,
				    probe_kind_name(probes[k].kind), (unsigned long long)probes[k].z_kib,
				    (unsigned long long)probes[k].seed,
				    (unsigned long long)probes[k].load_pages,
				    outcome_name(probes[k].outcome));
		store_probes_free(probes, n);
	}
	store_cells_free(cells, cells_n);
	store_close(store);
	return strbuf_steal(&sb);
}

static void merge_shards(const char *out)
{
	cleanup_free char *path = path_of(out);
	char *paths[SHARDS];
	struct merge_result r;

	for (unsigned k = 0; k < SHARDS; k++)
		paths[k] = xasprintf("%s/shard-%u", dir, k + 1);
	must(store_merge(path, (const char *const *)paths, SHARDS, &r));
	is_int(r.conflicts_n, 0, "shards have no conflict");
	is_int(r.cells, 6, "and all cells");
	is_int(r.without_z, 0, "with the thresholds they are compared with");
	merge_result_deinit(&r);
	for (unsigned k = 0; k < SHARDS; k++)
		free(paths[k]);
}

static void run_shards(int lives)
{
	for (unsigned k = 1; k <= SHARDS; k++) {
		cleanup_free char *name = xasprintf("shard-%u", k);

		run(name, (struct shard){ k, SHARDS }, lives);
	}
}

static void check_same(const char *name, const char *what)
{
	cleanup_free char *got = history(name), *want = history("whole");

	is_str(got, want, what);
}

#define OVERLAPPING_PLAN                                                                                     \
	"name: Twice\nimage: bookworm\nguest: {ram_mib: 160}\nmethod: [growth]\n"                            \
	"loads:\n  - {workload: strings, interpreter: python3}\n"                                            \
	"  - {workload: strings, interpreter: [python3, pypy3]}\n"

/** What two loads of a plan ask for is one cell: two machines would answer it, and contradict each other. */
static void test_overlap(void)
{
	cleanup_free char *path = path_of("overlapping.yaml");
	struct plan *overlapping;
	unsigned given = 0;

	must(file_write_atomic(path, OVERLAPPING_PLAN, strlen(OVERLAPPING_PLAN), 0600));
	must(plan_load(path, &overlapping));
	for (unsigned k = 1; k <= SHARDS; k++) {
		struct cell *cells;
		size_t n;

		campaign_expand(overlapping, images, "tcg", &cells, &n);
		n = shard_select(&(struct shard){ k, SHARDS }, cells, n);
		given += n;
		store_cells_free(cells, n);
	}
	is_int(given, 3, "a threshold and two interpreters are 3 cells, also when loads overlap");
	plan_destroy(overlapping);
}

int main(void)
{
	dir = test_dir();
	image.key = xstrdup("0123456789abcdef");
	image.manifest = json_pack("{s:s, s:{s:s}, s:{s:{s:s}, s:{s:s}}}", "name", "bookworm", "kernel",
				   "release", "6.1.0-sim", "interpreters", "python3", "path",
				   "/usr/bin/python3", "pypy3", "path", "/usr/bin/pypy3");

	cleanup_free char *path = path_of("plan.yaml");

	must(file_write_atomic(path, PLAN, strlen(PLAN), 0600));
	must(plan_load(path, &plan));

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
	plan_destroy(plan);
	json_decref(image.manifest);
	free(image.key);
	must(file_remove_tree(dir));
	free(dir);
	return tap_done();
}
