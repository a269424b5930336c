/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <signal.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "tests/sim/guest-sim-internal.h"

/* As the agent ships them: so many rows, or fewer when the first is this old. */
#define BATCH_ROWS 25
#define BATCH_US   250000

/*
 * Beyond the threshold each KiB pushes another out, and kswapd takes a batch (SWAP_CLUSTER_MAX) when it
 * wakes.
 */
#define FIRST_BATCH_PAGES 32

uint64_t sim_held_kib(const struct guest *g)
{
	return g->load.is_alive ? g->load.held_ukib / 4000000 * 4 : 0;
}

uint64_t sim_fixed_kib(const struct guest *g)
{
	return (g->fixed_n + g->forked_n) * g->params->fixed_kib;
}

/* Ships the samples taken so far; a lost batch leaves a gap in seq, which counts rows. */
void sim_ship(struct guest *g)
{
	while (g->shipped < g->series_n) {
		size_t n = g->series_n - g->shipped;
		json_t *json;

		if (n > BATCH_ROWS)
			n = BATCH_ROWS;
		json = json_pack("{s:s, s:I, s:I}", "type", "samples", "seq", (json_int_t)g->shipped, "count",
				 (json_int_t)n);
		g->batches++;
		if (g->params->lose_samples && g->batches % g->params->lose_samples == 0)
			json_decref(json);
		else
			sim_say(g, json, g->series + g->shipped, n * sizeof(*g->series));
		g->shipped += n;
	}
}

void sim_say_line(struct guest *g, int pid, const char *line)
{
	sim_ship(g);
	sim_say(g, json_pack("{s:s, s:i, s:s}", "type", "checkpoint", "pid", pid, "line", line), NULL, 0);
}

static void say_exit(struct guest *g, int pid, int status, int sig)
{
	sim_ship(g);
	sim_say(g,
		json_pack("{s:s, s:i, s:i, s:i, s:I}", "type", "exit", "pid", pid, "status", status, "signal",
			  sig, "oom_kills", (json_int_t)g->oom_kills),
		NULL, 0);
}

void sim_end_load(struct guest *g, int status, int sig)
{
	g->load.is_alive = false;
	say_exit(g, SIM_LOAD_PID, status, sig);
}

void sim_end_fixed(struct guest *g, int status, int sig)
{
	if (g->fixed_n)
		say_exit(g, SIM_FIXED_PID + (int)--g->fixed_n, status, sig);
}

void sim_take_sample(const struct guest *g, struct proto_sample *s)
{
	uint64_t ballast = sim_held_kib(g), out = g->swapped_pages + g->zero_pages;
	uint64_t held = ballast + sim_fixed_kib(g);
	uint64_t resident = held > out * 4 ? held - out * 4 : 0, available = g->params->mem_available_kib;

	*s = (struct proto_sample){
		.t_us = sim_clock_us,
		.load_pages = g->load.is_ballast ? ballast / 4 : 0,
		.load_kib = held ? resident + SIM_OVERHEAD_KIB : 0,
		.swap_used_kib = out * 4,
		.pswpout = g->swapped_pages,
		.swpout_zero = g->zero_pages,
		.nr_free_pages = available > resident ? (available - resident) / 4 : 0,
		.nr_file_pages = 2500,
		.nr_anon_pages = resident / 4,
		.pgscan_kswapd = 2 * out,
		.pgsteal_anon = out,
		.oom_kill = g->oom_kills,
	};
}

/* The rule, in the agent's place: the samples that it sees. */
static bool holds_rule(struct guest *g)
{
	const struct proto_sample *last = &g->series[g->series_n - 1], *first;

	while (g->series[g->window_first].t_us + g->window_us < last->t_us)
		g->window_first++;
	first = &g->series[g->window_first];
	return last->pswpout + last->swpout_zero - first->pswpout - first->swpout_zero >= g->rule_pages;
}

void sim_tick(struct guest *g)
{
	struct proto_sample *s = array_push(g->series, g->series_n, g->series_cap);

	sim_take_sample(g, s);
	if (!g->has_onset && !g->params->mute_onset && holds_rule(g)) {
		g->has_onset = true;
		g->load.is_frozen |= g->must_freeze;
		sim_ship(g);
		sim_say(g,
			json_pack("{s:s, s:I, s:I, s:i, s:b}", "type", "onset", "t_us", (json_int_t)s->t_us,
				  "swapped_pages",
				  (json_int_t)(s->pswpout + s->swpout_zero - g->series[0].pswpout -
					       g->series[0].swpout_zero),
				  "freeze_us", g->must_freeze ? SIM_FREEZE_US : 0, "frozen", g->must_freeze),
			NULL, 0);
	}
	if (g->series_n - g->shipped >= BATCH_ROWS ||
	    (g->shipped < g->series_n && sim_clock_us - g->series[g->shipped].t_us >= BATCH_US))
		sim_ship(g);
}

static void reach_target(struct guest *g)
{
	struct load *l = &g->load;
	cleanup_free char *line = NULL;

	if (l->is_ballast) {
		l->is_full = true;
		line = xasprintf("full pages=%" PRIu64 " rss_kib=%d pte_kib=%" PRIu64, l->target_kib / 4,
				 SIM_OVERHEAD_KIB, l->target_kib / 512 + 40);
	} else if (g->params->workload_max_kib && l->target_kib >= g->params->workload_max_kib) {
		sim_end_load(g, 0, 0);
		return;
	} else {
		l->is_waiting = true;
		line = xasprintf("step-%" PRIu64, ++l->step);
	}
	sim_say_line(g, SIM_LOAD_PID, line);
}

void sim_reclaim(struct guest *g)
{
	uint64_t held = sim_held_kib(g) + sim_fixed_kib(g);

	if (held <= g->threshold_kib)
		return;
	if (g->params->oom) {
		g->oom_kills++;
		sim_end_load(g, 0, SIGKILL);
		return;
	}

	uint64_t *pages = g->load.is_zero ? &g->zero_pages : &g->swapped_pages;
	uint64_t want = FIRST_BATCH_PAGES + (held - g->threshold_kib) / 4, room = g->swap_kib / 4;

	if (want > room)
		want = room;
	if (want > *pages)
		*pages = want;
}

void sim_grow(struct guest *g, uint64_t us)
{
	struct load *l = &g->load;

	if (!l->is_alive || l->is_frozen || l->is_full || l->is_waiting)
		return;
	l->held_ukib += l->rate_kib_s * us;

	bool is_there = l->held_ukib >= l->target_kib * 1000000;

	if (is_there)
		l->held_ukib = l->target_kib * 1000000;
	if (g->fixed_n && g->params->fixed_ends_kib && sim_held_kib(g) >= g->params->fixed_ends_kib)
		sim_end_fixed(g, 0, SIGSEGV);
	sim_reclaim(g);
	if (is_there && l->is_alive)
		reach_target(g);
}

void sim_take_signal(struct guest *g, int sig)
{
	struct load *l = &g->load;

	/* A process that is told to stop stays as it is. */
	while (g->fixed_n && sig && sig != SIGSTOP)
		sim_end_fixed(g, 0, sig == SIGTERM ? 0 : sig);
	if (sig == SIGSTOP)
		return;
	if (!l->is_alive || sig == 0)
		return;
	if (!l->is_ballast || sig != SIGTERM) {
		sim_end_load(g, 0, sig);
		return;
	}

	uint64_t pages = sim_held_kib(g) / 4;
	cleanup_free char *line = xasprintf("verified pages=%" PRIu64 " bad=%" PRIu64 " zero=%" PRIu64
					    " swapped=0 touched=%" PRIu64,
					    pages, g->params->bad_pages, l->is_zero ? pages : 0,
					    l->is_touching ? (g->params->touch_behind ? 1 : 4) * pages : 0);

	sim_say_line(g, SIM_LOAD_PID, line);
	sim_end_load(g, g->params->bad_pages > 0, 0);
}
