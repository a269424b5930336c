/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Campaigns over simulated guests, for tests of them: a directory of results files, one plan at a time, and
 * guests that can be limited.
 */

#include <pthread.h>
#include <signal.h>

#include "tests/sim/guest-sim.h"
#include "tests/unit/results.h"

static struct image image, *images[] = { &image };

/* Of the next run, and what came of the last one. */
static struct plan *plan;
static unsigned jobs = 1;
static double time_limit_s = (double)INFINITY;
static struct campaign_result result;

/** 6 cells: two guests, each with a threshold and two interpreters. */
#define GROWTH_PLAN                                                                                          \
	"name: Sim Plan\nimage: bookworm\nguest: {ram_mib: [160, 256]}\n"                                    \
	"method: [growth]\nreplicates: 2\n"                                                                  \
	"loads:\n  - {workload: strings, interpreter: [python3, pypy3]}\n"

static void use_plan(const char *text)
{
	plan_destroy(plan);
	must(file_write_atomic("plan.yaml", text, strlen(text), 0600));
	must(plan_load("plan.yaml", &plan));
}

static void begin(void)
{
	test_enter_dir();
	image.key = xstrdup("0123456789abcdef");
	image.manifest = json_pack("{s:s, s:{s:s}, s:{s:{s:s}, s:{s:s}}}", "name", "bookworm", "kernel",
				   "release", "6.1.0-sim", "interpreters", "python3", "path",
				   "/usr/bin/python3", "pypy3", "path", "/usr/bin/pypy3");
	use_plan(GROWTH_PLAN);
}

/** A guest kind of its own: stops the campaign after some probes, as a user or a kill would. */
struct stopper {
	struct guest_sim_params params;
	int lives_left;                      /**< negative: no limit */
	unsigned wait_ms;                    /**< a start waits for others to begin, no longer than that */
	unsigned running, most;              /**< guests at the same time */
	unsigned starts, fail_from, fail_to; /**< guests of these numbers, from 0, cannot be started */
	unsigned interrupt_at;               /**< the user interrupts when this one is started; 0: never */
	unsigned booted, restored[2];        /**< guests, and of the latter in which replicate */
	char owner[33];                      /**< of the latest saved boot */
};

/** Guests may live side by side; what they count is counted one after the other. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct err *start_locked(struct stopper *s, const struct guest_config *config, struct guest **ret)
{
	if (s->lives_left == 0)
		return err_new_kind(ERR_INTERRUPTED, "stopped on request");
	if (s->lives_left > 0)
		s->lives_left--;

	unsigned start = s->starts++;

	if (start && start == s->interrupt_at)
		raise(SIGINT);
	if (!config->state_owner) {
		s->booted++;
	} else if (config->state_number < 2) {
		s->restored[config->state_number]++;
		snprintf(s->owner, sizeof(s->owner), "%s", config->state_owner);
	}

	if (start >= s->fail_from && start < s->fail_to)
		return err_new("no memory for it");
	return guest_sim_ops.start(&s->params, config, ret);
}

/** Until as many guests as may be have been there at once: a busy machine may start one late. */
static void wait_for_others(const struct stopper *s)
{
	bool have_met = false;

	for (unsigned i = 0; i < s->wait_ms && !have_met; i++) {
		usleep(1000);
		pthread_mutex_lock(&lock);
		have_met = s->most >= jobs;
		pthread_mutex_unlock(&lock);
	}
}

static struct err *start_limited(void *ctx, const struct guest_config *config, struct guest **ret)
{
	struct stopper *s = ctx;

	pthread_mutex_lock(&lock);
	s->most = ++s->running > s->most ? s->running : s->most;

	struct err *e = start_locked(s, config, ret);

	pthread_mutex_unlock(&lock);
	wait_for_others(s);
	pthread_mutex_lock(&lock);
	s->running--;
	pthread_mutex_unlock(&lock);
	return e;
}

/** Opens the campaign's results file, begins a run, and makes the cells of a shard of the plan the current
 * ones. */
static void begin_run(struct campaign *c, const char *file, struct shard shard)
{
	struct store_change change;
	struct cell *cells;
	size_t n;

	must(store_open(file, STORE_WRITE, &c->store));
	c->run_id = test_begin_run(c->store);
	campaign_expand(plan, images, "tcg", &cells, &n);
	n = shard_select(&shard, cells, n);
	must(store_set_cells(c->store, cells, n, &change));
	store_cells_free(cells, n);
}

/** Runs a shard of the campaign on FILE until it ends or lives_left is used up. The error's kind, or -1. */
static int run_shard(const char *file, struct stopper *s, bool retry_failed, struct shard shard)
{
	struct guest_ops ops = guest_sim_ops;
	struct campaign_image run_image = { &image, s };
	struct campaign c = { .name = plan->name,
			      .jobs = jobs,
			      .time_limit_s = time_limit_s,
			      .images = &run_image,
			      .images_n = 1,
			      .ops = &ops,
			      .seed = 1,
			      .retry_failed = retry_failed };

	ops.start = start_limited;
	begin_run(&c, file, shard);

	struct err *e = campaign_run(&c, &result);
	int kind = e ? (int)err_get_kind(e) : -1;

	err_free(e);
	store_close(c.store);
	return kind;
}

enum order { IN_TIME, BY_CELL, BY_REPLICATE };

/**
 * Every probe, one a line: what was asked, and the answer. Unless in the order of time, by cells in their
 * order, a line each, and of these in the order of time or by replicate.
 */
static char *history(const char *file, enum order order)
{
	cleanup_results struct test_results all = test_results(file);
	struct strbuf sb = STRBUF_INIT;

	for (size_t i = 0; i < (order == IN_TIME ? 1 : all.cells_n); i++) {
		const struct cell *cell = &all.cells[i];

		if (order != IN_TIME)
			strbuf_addf(&sb, "%u %.8s\n", cell->position, cell->key);
		for (unsigned k = 0; k < (order == BY_REPLICATE ? cell->replicates : 1); k++)
			for (size_t j = 0; j < all.probes_n; j++) {
				const struct probe_record *r = &all.probes[j];

				if ((order == IN_TIME || strcmp(r->cell_key, cell->key) == 0) &&
				    (order != BY_REPLICATE || r->replicate == k))
					strbuf_addf(&sb, "%.8s %u %u %llu %llu %s %llu %s\n", r->cell_key,
						    r->replicate, r->seq, (unsigned long long)r->seed,
						    (unsigned long long)r->load_pages,
						    probe_kind_name(r->kind), (unsigned long long)r->z_kib,
						    outcome_name(r->outcome));
			}
	}
	return strbuf_steal(&sb);
}
