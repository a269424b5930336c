/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sim/guest-sim.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "guest/proto.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/strbuf.h"

/** The ballast or workload of a guest, and the first process of the load of fixed size beside it. */
#define SIM_LOAD_PID  42
#define SIM_FIXED_PID 101

/** What a load has beside what it holds: its program, stack and libraries. */
#define SIM_OVERHEAD_KIB 1024

/** How long freezing takes. */
#define SIM_FREEZE_US 150

struct load {
	bool is_alive, is_ballast, is_zero, is_touching, is_frozen, is_full, is_waiting;
	int pending_signal;  /* sent while frozen */
	uint64_t target_kib; /* ballast: its size; workload: the end of the step */
	uint64_t rate_kib_s;
	uint64_t held_ukib; /* millionths of a KiB, so that growth is exact */
	uint64_t step;
};

struct guest {
	struct guest_sim_params *params;
	uint64_t swap_kib, random, threshold_kib;
	enum guest_state state;
	bool has_hello, is_silent, is_corrupt;
	bool has_zram, is_on_zram;
	unsigned vcpus;

	struct guest_msg **queue;
	size_t queue_n, queue_cap, queue_first;
	uint64_t heartbeat_us; /* next */

	bool is_watching, must_freeze, has_onset;
	bool is_beside; /* what grows is a ballast beside a load, in a group of its own */
	uint64_t tick_us, next_tick_us, rule_pages, window_us;
	struct proto_sample *series;
	size_t series_n, series_cap, shipped, window_first;
	unsigned batches;

	struct load load;
	unsigned fixed_n; /* processes of the load of fixed size that are alive, the last started first to end
			   */
	bool is_working[32]; /* of these: they are in a round of work, which ends at round_us */
	uint64_t round_us;
	unsigned rounds;
	bool is_built;     /* they have come to "full" */
	unsigned forked_n; /* what these forked on request */
	uint64_t swapped_pages, zero_pages, oom_kills;
};

#define BOOT_US      2000000
#define HEARTBEAT_US 1000000
#define ROUND_US     500000

/* Growth is computed in pieces no longer than this. */
#define QUANTUM_US 20000

/** The virtual time of all guests of a thread; a new one goes on where the last one ended. */
static _Thread_local uint64_t clock_us;

/* splitmix64. */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Within (0, 1). */
static double draw_uniform(uint64_t *state)
{
	return ((double)(draw(state) >> 12) + 0.5) / 0x1p52;
}

static void draw_threshold(struct guest *g, unsigned ram_mib)
{
	const struct guest_sim_params *p = g->params;
	double u = draw_uniform(&g->random);
	/* The standard deviation of the standard logistic distribution is pi / sqrt(3). */
	double noise = (double)p->noise_sd_kib * log(u / (1 - u)) * sqrt(3) / M_PI;
	double by_ram = ((double)ram_mib - 256) * (double)p->threshold_per_mib;
	double threshold = (double)p->threshold_kib + by_ram + noise;

	g->threshold_kib = threshold > 0 ? (uint64_t)threshold : 0;
}

/* Takes json over; the payload is copied. */
static void say(struct guest *g, json_t *json, const void *payload, size_t len)
{
	if (g->is_silent) {
		json_decref(json);
		return;
	}

	struct guest_msg *m = xcalloc(1, sizeof(*m));

	m->json = json;
	m->payload = xmemdup0(payload ? payload : "", len);
	m->payload_len = len;
	*array_push(g->queue, g->queue_n, g->queue_cap) = m;
}

/* The same without a payload. */
static void tell(struct guest *g, json_t *json)
{
	say(g, json, NULL, 0);
}

/* As the agent ships them: so many rows, or fewer when the first is this old. */
#define BATCH_ROWS 25
#define BATCH_US   250000

/*
 * Beyond the threshold each KiB pushes another out, and kswapd takes a batch (SWAP_CLUSTER_MAX) when it
 * wakes.
 */
#define FIRST_BATCH_PAGES 32

/** What the load holds, in whole pages. */
static uint64_t held_kib(const struct guest *g)
{
	return g->load.is_alive ? g->load.held_ukib / 4000000 * 4 : 0;
}

/** What the load of fixed size holds. */
static uint64_t fixed_kib(const struct guest *g)
{
	const struct guest_sim_params *p = g->params;
	/* Garbage stands for the second half of a cycle, until the next collection. */
	bool has_garbage = p->cycle_rounds && g->rounds % p->cycle_rounds > p->cycle_rounds / 2;

	return (g->fixed_n + g->forked_n) * (p->fixed_kib + (has_garbage ? p->garbage_kib : 0));
}

/* Ships the samples taken so far; a lost batch leaves a gap in seq, which counts rows. */
static void ship(struct guest *g)
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
			say(g, json, g->series + g->shipped, n * sizeof(*g->series));
		g->shipped += n;
	}
}

/** A line of a process to its checkpoint fd. */
static void say_line(struct guest *g, int pid, const char *line)
{
	ship(g);
	tell(g, json_pack("{s:s, s:i, s:s}", "type", "checkpoint", "pid", pid, "line", line));
}

static void say_exit(struct guest *g, int pid, int status, int sig)
{
	ship(g);
	tell(g, json_pack("{s:s, s:i, s:i, s:i, s:I}", "type", "exit", "pid", pid, "status", status, "signal",
			  sig, "oom_kills", (json_int_t)g->oom_kills));
}

/** The load ends. */
static void end_load(struct guest *g, int status, int sig)
{
	g->load.is_alive = false;
	say_exit(g, SIM_LOAD_PID, status, sig);
}

/** The load of fixed size ends, with the last of its processes. */
static void end_fixed(struct guest *g, int status, int sig)
{
	if (g->fixed_n)
		say_exit(g, SIM_FIXED_PID + (int)--g->fixed_n, status, sig);
}

static void take_sample(const struct guest *g, struct proto_sample *s)
{
	uint64_t ballast = held_kib(g), out = g->swapped_pages + g->zero_pages;
	uint64_t held = ballast + fixed_kib(g);
	uint64_t resident = held > out * 4 ? held - out * 4 : 0, available = g->params->mem_available_kib;
	/* Of two groups the ballast's is swapped out. */
	uint64_t load = g->fixed_n ? fixed_kib(g) : resident;

	*s = (struct proto_sample){
		.t_us = clock_us,
		.load_pages = g->load.is_ballast ? ballast / 4 : 0,
		.load_kib = held ? load + SIM_OVERHEAD_KIB : 0,
		.ballast_kib = resident > load ? resident - load : 0,
		.load_stat_inactive_anon_kib = load,
		.load_stat_kernel_kib = held ? SIM_OVERHEAD_KIB : 0,
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

/** A tick of the agent: samples, applies the rule, freezes. */
static void tick(struct guest *g)
{
	struct proto_sample *s = array_push(g->series, g->series_n, g->series_cap);

	take_sample(g, s);
	if (!g->has_onset && !g->params->mute_onset && holds_rule(g)) {
		g->has_onset = true;
		g->load.is_frozen |= g->must_freeze;
		ship(g);
		tell(g, json_pack("{s:s, s:I, s:I, s:i, s:b}", "type", "onset", "t_us", (json_int_t)s->t_us,
				  "swapped_pages",
				  (json_int_t)(s->pswpout + s->swpout_zero - g->series[0].pswpout -
					       g->series[0].swpout_zero),
				  "freeze_us", g->must_freeze ? SIM_FREEZE_US : 0, "frozen", g->must_freeze));
	}
	if (g->series_n - g->shipped >= BATCH_ROWS ||
	    (g->shipped < g->series_n && clock_us - g->series[g->shipped].t_us >= BATCH_US))
		ship(g);
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
		end_load(g, 0, 0);
		return;
	} else {
		l->is_waiting = true;
		line = xasprintf("step-%" PRIu64, ++l->step);
	}
	say_line(g, SIM_LOAD_PID, line);
}

/** What the kernel does about what there is now. */
static void reclaim(struct guest *g)
{
	uint64_t held = held_kib(g) + fixed_kib(g);

	if (held <= g->threshold_kib)
		return;
	if (g->params->oom) {
		g->oom_kills++;
		end_load(g, 0, SIGKILL);
		return;
	}

	uint64_t *pages = g->load.is_zero ? &g->zero_pages : &g->swapped_pages;
	uint64_t want = FIRST_BATCH_PAGES + (held - g->threshold_kib) / 4, room = g->swap_kib / 4;

	if (want > room)
		want = room;
	if (want > *pages)
		*pages = want;
}

/** Lets the load grow for that long. */
static void grow(struct guest *g, uint64_t us)
{
	struct load *l = &g->load;

	if (!l->is_alive || l->is_frozen || l->is_full || l->is_waiting)
		return;
	l->held_ukib += l->rate_kib_s * us;

	bool is_there = l->held_ukib >= l->target_kib * 1000000;

	if (is_there)
		l->held_ukib = l->target_kib * 1000000;
	if (g->fixed_n && g->params->fixed_ends_kib && held_kib(g) >= g->params->fixed_ends_kib)
		end_fixed(g, 0, SIGSEGV);
	reclaim(g);
	if (is_there && l->is_alive)
		reach_target(g);
}

/** The load gets a signal; 0 is none. */
static void take_signal(struct guest *g, int sig)
{
	struct load *l = &g->load;

	/* A process that is told to stop stays as it is; a load is in another group than a ballast beside it.
	 */
	while (!g->is_beside && g->fixed_n && sig && sig != SIGSTOP)
		end_fixed(g, 0, sig == SIGTERM ? 0 : sig);
	if (sig == SIGSTOP)
		return;
	if (!l->is_alive || sig == 0)
		return;
	if (!l->is_ballast || sig != SIGTERM) {
		end_load(g, 0, sig);
		return;
	}

	uint64_t pages = held_kib(g) / 4;
	cleanup_free char *line = xasprintf("verified pages=%" PRIu64 " bad=%" PRIu64 " zero=%" PRIu64
					    " swapped=0 touched=%" PRIu64,
					    pages, g->params->bad_pages, l->is_zero ? pages : 0,
					    l->is_touching ? (g->params->touch_behind ? 1 : 4) * pages : 0);

	say_line(g, SIM_LOAD_PID, line);
	end_load(g, g->params->bad_pages > 0, 0);
}

static void say_hello(struct guest *g)
{
	const struct guest_sim_params *p = g->params;

	tell(g, json_pack("{s:s, s:i, s:s, s:s, s:I, s:I, s:i, s:i, s:s}", "type", "hello", "proto",
			  PROTO_VERSION, "agent", SWAPCAL_VERSION, "kernel", "6.1.0-sim", "mem_total_kib",
			  (json_int_t)p->mem_total_kib, "mem_available_kib", (json_int_t)p->mem_available_kib,
			  "page_size", 4096, "cpus", (int)(p->cpus ? p->cpus : g->vcpus), "error",
			  p->hello_error ? p->hello_error : ""));
}

static void say_heartbeat(struct guest *g)
{
	tell(g, json_pack("{s:s, s:I, s:i, s:I, s:i, s:i, s:i}", "type", "heartbeat", "t_us",
			  (json_int_t)clock_us, "rss_kib", 300, "samples", (json_int_t)g->series_n,
			  "sample_cpu_us_mean", 120, "sample_cpu_us_max", 310, "forks_refused",
			  g->params->forks && g->fixed_n ? 7 : 0));
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The processes of the load of fixed size end a round of their work, or their building. */
static void end_round(struct guest *g)
{
	const struct guest_sim_params *p = g->params;
	const char *round = p->round ? p->round : "round-1";
	cleanup_free char *line = xstrdup(g->is_built ? round : "full cpu_ms=120");

	g->rounds += g->is_built;
	if (p->cycle_rounds) {
		char *without = line;

		line = xasprintf("%s collections=%u", without, g->rounds / p->cycle_rounds);
		free(without);
	}
	for (unsigned i = 0; i < g->fixed_n; i++)
		if (g->is_working[i]) {
			g->is_working[i] = false;
			say_line(g, SIM_FIXED_PID + (int)i, line);
		}
	g->is_built = true;
	g->round_us = 0;
}

/* Lets time pass up to the next thing that happens, at most until then. */
static void advance(struct guest *g, uint64_t until_us)
{
	uint64_t next = earlier(earlier(until_us, clock_us + QUANTUM_US), g->heartbeat_us);

	if (g->is_watching)
		next = earlier(next, g->next_tick_us);
	if (g->round_us)
		next = earlier(next, g->round_us);
	grow(g, next - clock_us);
	clock_us = next;
	if (g->round_us && clock_us >= g->round_us && !g->load.is_frozen)
		end_round(g);
	if (g->is_watching && clock_us >= g->next_tick_us) {
		tick(g);
		g->next_tick_us += g->tick_us;
	}
	if (clock_us < g->heartbeat_us)
		return;
	g->heartbeat_us += HEARTBEAT_US;
	if (g->has_hello)
		say_heartbeat(g);
	else
		say_hello(g);
	g->has_hello = true;
}

/* From now on nothing happens in the guest. */
static void die(struct guest *g, enum guest_state state)
{
	g->state = state;
	g->is_silent = true;
	g->is_watching = false;
	g->load.is_alive = false;
	g->fixed_n = 0;
}

/* Requests. Each handler answers. */

static const char *get_str(json_t *request, const char *key)
{
	const char *s = json_string_value(json_object_get(request, key));

	return s ? s : "";
}

static json_t *new_reply(json_t *request, const char *error)
{
	return json_pack("{s:s, s:O, s:b, s:s}", "type", "reply", "id", json_object_get(request, "id"), "ok",
			 !error, "error", error ? error : "");
}

static void reply(struct guest *g, json_t *request, const char *error)
{
	tell(g, new_reply(request, error));
}

/* What the kernel's files say after a write: most repeat it, a few have their own way. */
static void do_write(struct guest *g, json_t *request)
{
	const char *path = get_str(request, "path"), *value = get_str(request, "value");
	cleanup_free char *thp = xasprintf("always madvise never [%s]", value);
	json_t *json = new_reply(request, NULL);

	g->params->drops += strstr(path, "drop_caches") != NULL;
	if (g->params->stuck_file && strstr(path, g->params->stuck_file))
		value = "1";
	else if (strstr(path, "transparent_hugepage/enabled"))
		value = thp;
	else if (strstr(path, "lru_gen/enabled"))
		value = strchr("yY1", *value) ? "0x0007" : "0x0000";
	json_object_set_new(json, "value", json_string(value));
	tell(g, json);
}

static void do_zram(struct guest *g, json_t *request)
{
	g->has_zram = !g->params->no_zram;
	reply(g, request, g->has_zram ? NULL : "the image has no module 'zram'");
}

static void do_swapon(struct guest *g, json_t *request)
{
	bool is_zram = strcmp(get_str(request, "device"), "/dev/zram0") == 0;

	g->is_on_zram = is_zram && g->has_zram;
	reply(g, request,
	      is_zram && (!g->has_zram || json_integer_value(json_object_get(request, "mkswap_kib")) <= 0)
		      ? "no swap area there"
		      : NULL);
}

static void do_unreference(struct guest *g, json_t *request)
{
	g->params->forgets++;
	reply(g, request, NULL);
}

static void do_age(struct guest *g, json_t *request)
{
	g->params->aged_kib = held_kib(g) + g->fixed_n * g->params->fixed_kib;
	reply(g, request, NULL);
}

/* As much of the kernel's texts as keeps the parsers and the metrics busy, consistent in itself. */

static void add_kib(struct strbuf *sb, const char *key, uint64_t kib)
{
	strbuf_addf(sb, "%s:%*s%8" PRIu64 " kB\n", key, (int)(15 - strlen(key)), "", kib);
}

/* The fields of private memory of which anon_kib is not backed by a file. */
static void add_smaps_fields(struct strbuf *sb, uint64_t rss_kib, uint64_t anon_kib, uint64_t swap_kib)
{
	add_kib(sb, "Rss", rss_kib);
	add_kib(sb, "Pss", rss_kib);
	add_kib(sb, "Pss_Dirty", anon_kib);
	add_kib(sb, "Shared_Clean", 0);
	add_kib(sb, "Shared_Dirty", 0);
	add_kib(sb, "Private_Clean", rss_kib - anon_kib);
	add_kib(sb, "Private_Dirty", anon_kib);
	add_kib(sb, "Referenced", rss_kib);
	add_kib(sb, "Anonymous", anon_kib);
	add_kib(sb, "LazyFree", 0);
	add_kib(sb, "AnonHugePages", 0);
	add_kib(sb, "Swap", swap_kib);
	add_kib(sb, "SwapPss", swap_kib);
	add_kib(sb, "Locked", 0);
}

static void add_mapping(struct strbuf *sb, uint64_t start, const char *tail, uint64_t size_kib)
{
	strbuf_addf(sb, "%08" PRIx64 "-%08" PRIx64 " %s\n", start, start + size_kib * 1024, tail);
	add_kib(sb, "Size", size_kib);
}

static void say_file(struct guest *g, json_int_t id, int pid, const char *name, const struct strbuf *text)
{
	say(g,
	    json_pack("{s:s, s:I, s:i, s:s, s:b}", "type", "file", "id", id, "pid", pid, "name", name, "more",
		      0),
	    strbuf_str(text), text->len);
}

static void say_process(struct guest *g, json_t *request, int pid, uint64_t held, uint64_t swap_used)
{
	json_int_t id = json_integer_value(json_object_get(request, "id"));
	uint64_t swap = swap_used < held ? swap_used : held, rss = held - swap;
	cleanup_strbuf struct strbuf smaps = STRBUF_INIT, rollup = STRBUF_INIT, status = STRBUF_INIT,
				     statm = STRBUF_INIT;

	add_mapping(&smaps, 0x400000, "r-xp 00000000 fe:00 12       /load", SIM_OVERHEAD_KIB);
	add_smaps_fields(&smaps, SIM_OVERHEAD_KIB, 0, 0);
	strbuf_adds(&smaps, "THPeligible:    0\nVmFlags: rd ex mr mw me sd \n");
	if (held) {
		add_mapping(&smaps, 0x7f0000000000, "rw-p 00000000 00:00 0 ", held);
		add_smaps_fields(&smaps, rss, rss, swap);
		strbuf_adds(&smaps, "THPeligible:    0\nVmFlags: rd wr mr mw me ac nh sd \n");
	}
	strbuf_adds(&rollup, "00400000-7fffffffe000 ---p 00000000 00:00 0      [rollup]\n");
	add_smaps_fields(&rollup, SIM_OVERHEAD_KIB + rss, rss, swap);
	strbuf_addf(&status, "Name:\tload\nPid:\t%d\n", pid);
	add_kib(&status, "VmSize", SIM_OVERHEAD_KIB + held);
	add_kib(&status, "VmRSS", SIM_OVERHEAD_KIB + rss);
	add_kib(&status, "RssAnon", rss);
	add_kib(&status, "RssFile", SIM_OVERHEAD_KIB);
	add_kib(&status, "VmPTE", held / 512 + 40);
	add_kib(&status, "VmSwap", swap);
	strbuf_addf(&statm, "%" PRIu64 " %" PRIu64 " %d %d 0 %" PRIu64 " 0\n", (SIM_OVERHEAD_KIB + held) / 4,
		    (SIM_OVERHEAD_KIB + rss) / 4, SIM_OVERHEAD_KIB / 4, SIM_OVERHEAD_KIB / 4, held / 4);

	say_file(g, id, pid, "smaps", &smaps);
	if (strcmp(get_str(request, "only"), "smaps") == 0)
		return;
	say_file(g, id, pid, "smaps_rollup", &rollup);
	say_file(g, id, pid, "status", &status);
	say_file(g, id, pid, "statm", &statm);
}

static void say_guest_files(struct guest *g, json_int_t id, const struct proto_sample *s)
{
	cleanup_strbuf struct strbuf meminfo = STRBUF_INIT, vmstat = STRBUF_INIT, zoneinfo = STRBUF_INIT;

	add_kib(&meminfo, "MemTotal", g->params->mem_total_kib);
	add_kib(&meminfo, "MemFree", s->nr_free_pages * 4);
	add_kib(&meminfo, "MemAvailable", s->nr_free_pages * 4);
	add_kib(&meminfo, "Cached", s->nr_file_pages * 4);
	add_kib(&meminfo, "AnonPages", s->nr_anon_pages * 4);
	add_kib(&meminfo, "SwapTotal", g->swap_kib);
	add_kib(&meminfo, "SwapFree", g->swap_kib - s->swap_used_kib);
	strbuf_addf(&vmstat,
		    "nr_free_pages %" PRIu64 "\nnr_anon_pages %" PRIu64 "\nnr_file_pages %" PRIu64
		    "\npswpin 0\npswpout %" PRIu64 "\npgscan_kswapd %" PRIu64 "\noom_kill %" PRIu64
		    "\nswpout_zero %" PRIu64 "\n",
		    s->nr_free_pages, s->nr_anon_pages, s->nr_file_pages, s->pswpout, s->pgscan_kswapd,
		    s->oom_kill, s->swpout_zero);
	strbuf_addf(&zoneinfo, "Node 0, zone    DMA32\n  pages free     %" PRIu64 "\n        min      500\n",
		    s->nr_free_pages);

	say_file(g, id, 0, "meminfo", &meminfo);
	say_file(g, id, 0, "vmstat", &vmstat);
	say_file(g, id, 0, "zoneinfo", &zoneinfo);
}

/** The "file" messages of a snapshot. */
static void say_evidence(struct guest *g, json_t *request)
{
	struct proto_sample s;

	take_sample(g, &s);
	if (!*get_str(request, "only"))
		say_guest_files(g, json_integer_value(json_object_get(request, "id")), &s);
	for (unsigned i = 0; i < g->fixed_n + g->forked_n; i++)
		say_process(g, request, SIM_FIXED_PID + (int)i, g->params->fixed_kib, 0);
	if (g->load.is_alive)
		say_process(g, request, SIM_LOAD_PID, held_kib(g), s.swap_used_kib);
}

static void do_snapshot(struct guest *g, json_t *request)
{
	uint64_t until_us = clock_us + 2 * g->tick_us;

	if (g->params->swaps_at && strcmp(get_str(request, "name"), g->params->swaps_at) == 0) {
		g->swapped_pages += 2 * g->rule_pages;
		while (clock_us < until_us)
			advance(g, until_us);
	}
	ship(g);
	say_evidence(g, request);
	reply(g, request, NULL);
}

static uint64_t get_uint(json_t *request, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(request, key));
}

static void do_watch(struct guest *g, json_t *request)
{
	if (get_uint(request, "tick_ms") == 0) {
		ship(g);
		g->is_watching = false;
		reply(g, request, NULL);
		if (g->params->late_oom && g->has_onset) {
			g->oom_kills++;
			(g->fixed_n ? end_fixed : end_load)(g, 0, SIGKILL);
		}
		return;
	}
	g->tick_us = get_uint(request, "tick_ms") * 1000;
	g->next_tick_us = clock_us + g->tick_us;
	g->rule_pages = get_uint(request, "pages");
	g->window_us = get_uint(request, "window_ms") * 1000;
	g->must_freeze = json_is_true(json_object_get(request, "freeze"));
	g->is_watching = true;
	g->has_onset = false;
	g->series_n = g->shipped = g->window_first = 0;
	take_sample(g, array_push(g->series, g->series_n, g->series_cap));
	reply(g, request, NULL);
}

static const char *find_option(json_t *argv, const char *name)
{
	for (size_t i = 0; i + 1 < json_array_size(argv); i++) {
		const char *s = json_string_value(json_array_get(argv, i));

		if (s && strcmp(s, name) == 0)
			return json_string_value(json_array_get(argv, i + 1));
	}
	return NULL;
}

static uint64_t get_option(json_t *argv, const char *name, uint64_t absent)
{
	const char *s = find_option(argv, name);

	return s ? strtoull(s, NULL, 10) : absent;
}

static struct load new_load(const struct guest_sim_params *p, json_t *argv)
{
	const char *program = json_string_value(json_array_get(argv, 0)), *fill = find_option(argv, "--fill");
	const char *touch = find_option(argv, "--touch");

	if (program && strcmp(program, "/ballast") == 0)
		return (struct load){
			.is_alive = true,
			.is_ballast = true,
			.is_touching = touch && strcmp(touch, "none") != 0,
			.is_zero = fill && strcmp(fill, "zero") == 0,
			.target_kib = get_option(argv, "--kib", 0),
			/* Without a rate: as fast as memory is. */
			.rate_kib_s = get_option(argv, "--rate-kib-s", 1 << 20),
		};
	return (struct load){
		.is_alive = true,
		.target_kib = p->workload_base_kib + p->workload_step_kib,
		.rate_kib_s = p->workload_rate_kib_s,
		.held_ukib = p->workload_base_kib * 1000000,
	};
}

/* Turns the answer that this ballast will give round. */
static void make_wrong(struct guest *g)
{
	g->threshold_kib = g->load.target_kib > g->threshold_kib ? UINT64_MAX : g->load.target_kib / 10 * 9;
}

static void say_output(struct guest *g, int pid, const char *text)
{
	say(g, json_pack("{s:s, s:i}", "type", "output", "pid", pid), text, strlen(text));
}

/* One more process of the load of fixed size: all there at once. */
static void start_fixed(struct guest *g, json_t *argv)
{
	int pid = SIM_FIXED_PID + (int)g->fixed_n++;

	if (!get_option(argv, "--processes", 1)) {
		say_output(g, pid, "--processes needs a number from 1\n");
		end_fixed(g, 2, 0);
	} else if (g->params->not_applicable) {
		say_output(g, pid, "this guest has no such memory\n");
		end_fixed(g, PROTO_STATUS_NOT_APPLICABLE, 0);
	} else if (g->params->exit_at_once) {
		say_output(g, pid, "load: no such module\n");
		end_fixed(g, 1, 0);
	} else if (g->params->kills_itself) {
		end_fixed(g, 0, SIGKILL);
	} else {
		reclaim(g);
		if (g->params->garbage)
			tell(g, json_pack("{s:s, s:i, s:s, s:b}", "type", "checkpoint", "pid", pid, "line",
					  "hello?", "bad", 1));
		else if (g->params->first_checkpoint)
			say_line(g, pid, g->params->first_checkpoint);
		else if (!g->params->never_full)
			say_line(g, pid, "full cpu_ms=120");
		g->is_built |= !g->params->first_checkpoint;
	}
}

static void do_start(struct guest *g, json_t *request)
{
	const struct guest_sim_params *p = g->params;
	json_t *json = new_reply(request, p->start_error), *argv = json_object_get(request, "argv");
	const char *program = json_string_value(json_array_get(argv, 0));
	const char *mode = find_option(argv, "--mode");
	bool is_fixed = program && (strcmp(program, "/known") == 0 || (mode && strcmp(mode, "hold") == 0));

	json_object_set_new(json, "pid",
			    json_integer(is_fixed ? SIM_FIXED_PID + (int)g->fixed_n : SIM_LOAD_PID));
	tell(g, json);
	if (p->start_error)
		return;
	if (is_fixed) {
		start_fixed(g, argv);
		return;
	}
	g->load = new_load(p, argv);
	g->is_beside = strcmp(get_str(request, "group"), "ballast") == 0;
	if (g->load.is_ballast && draw(&g->random) % 100 < p->wrong_answer_pct)
		make_wrong(g);
	g->is_corrupt = p->corrupt;
	if (p->exit_at_once) {
		say_output(g, SIM_LOAD_PID, "load: no such module\n");
		end_load(g, 1, 0);
	}
	if (p->panic_at_start)
		die(g, GUEST_PANICKED);
	if (p->load_state)
		die(g, p->load_state);
	g->is_silent |= p->silent;
}

static void do_resume(struct guest *g, json_t *request)
{
	uint64_t round_us = g->params->round_us ? g->params->round_us : ROUND_US;
	int pid = (int)json_integer_value(json_object_get(request, "pid"));

	if (pid >= SIM_FIXED_PID) {
		reply(g, request, NULL);
		if (strcmp(get_str(request, "line"), "fork") != 0) {
			g->is_working[pid - SIM_FIXED_PID] = true;
			g->round_us = g->round_us ? g->round_us : clock_us + round_us;
			return;
		}
		g->forked_n++;
		reclaim(g);
		say_line(g, pid, "full cpu_ms=240");
		return;
	}
	g->load.is_waiting = false;
	g->load.target_kib += g->load.is_ballast ? 0 : g->params->workload_step_kib;
	reply(g, request, NULL);
}

/* Is a request for the group of what grows? */
static bool is_for_growing(const struct guest *g, json_t *request)
{
	return (strcmp(get_str(request, "group"), "ballast") == 0) == g->is_beside;
}

/* A frozen process gets its signals when it is thawed, except the one that needs no process. */
static void do_signal(struct guest *g, json_t *request)
{
	int sig = (int)get_uint(request, "sig");

	reply(g, request, NULL);
	if (!is_for_growing(g, request))
		return;
	if (g->load.is_frozen && sig != SIGKILL)
		g->load.pending_signal = sig;
	else
		take_signal(g, sig);
}

static void do_freeze(struct guest *g, json_t *request)
{
	json_t *json = new_reply(request, NULL);
	bool is_frozen = strcmp(get_str(request, "type"), "freeze") == 0;

	json_object_set_new(json, "freeze_us", json_integer(SIM_FREEZE_US));
	tell(g, json);
	if (strcmp(get_str(request, "group"), "load") == 0)
		g->params->is_load_frozen = is_frozen;
	if (!is_for_growing(g, request))
		return;
	g->load.is_frozen = is_frozen;
	if (!is_frozen) {
		take_signal(g, g->load.pending_signal);
		g->load.pending_signal = 0;
	}
}

static void do_poweroff(struct guest *g, json_t *request)
{
	(void)request;
	die(g, GUEST_GONE);
}

static struct err *sim_send(struct guest *g, json_t *json)
{
	static const struct {
		const char *type;
		void (*handle)(struct guest *g, json_t *request);
	} requests[] = {
		{ "write", do_write },
		{ "swapon", do_swapon },
		{ "watch", do_watch },
		{ "start", do_start },
		{ "resume", do_resume },
		{ "signal", do_signal },
		{ "freeze", do_freeze },
		{ "thaw", do_freeze },
		{ "snapshot", do_snapshot },
		{ "poweroff", do_poweroff },
		{ "unreference", do_unreference },
		{ "age", do_age },
		{ "zram", do_zram },
	};
	const char *type = get_str(json, "type");

	if (g->state != GUEST_RUNNING)
		return NULL;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (strcmp(requests[i].type, type) == 0) {
			requests[i].handle(g, json);
			return NULL;
		}
	}
	reply(g, json, "unknown request");
	return NULL;
}

static struct err *sim_recv(struct guest *g, int timeout_ms, struct guest_msg **ret)
{
	uint64_t deadline_us = clock_us + (timeout_ms > 0 ? (uint64_t)timeout_ms * 1000 : 0);

	while (!g->is_corrupt && g->queue_first == g->queue_n && clock_us < deadline_us)
		advance(g, deadline_us);
	if (g->is_corrupt)
		return err_new("frame with a wrong checksum");
	*ret = g->queue_first < g->queue_n ? g->queue[g->queue_first++] : NULL;
	return NULL;
}

static struct err *sim_start(void *ctx, const struct guest_config *config, struct guest **ret)
{
	struct guest *g = xcalloc(1, sizeof(*g));
	unsigned life;

	g->params = ctx;
	life = g->params->lives++;
	g->vcpus = config->vcpus;
	g->swap_kib = config->swap_mib * 1024ull;
	g->random = g->params->seed ^ config->seed << 20 ^ (uint64_t)life << 40;
	g->heartbeat_us = clock_us + BOOT_US;
	g->is_silent = g->params->boot_fail || g->params->boot_state;
	g->state = g->params->boot_state;
	draw_threshold(g, config->ram_mib);
	*ret = g;
	return NULL;
}

static enum guest_state sim_state(struct guest *g)
{
	return g->params->is_debugged ? GUEST_STOPPED : g->state;
}

static struct err *sim_swap_written(struct guest *g, uint64_t *ret_bytes)
{
	*ret_bytes = g->params->mute_swap_disk || (g->is_on_zram && !g->params->zram_writes_disk)
			     ? 0
			     : g->swapped_pages * 4096;
	return NULL;
}

static char *sim_console(struct guest *g)
{
	return xstrdup(g->state == GUEST_PANICKED ? "Kernel panic - not syncing: simulated\n" : "");
}

static char *sim_log(struct guest *g)
{
	return xasprintf("simulated\n%s", g->params->qemu_said ? g->params->qemu_said : "");
}

static char *sim_ending(struct guest *g)
{
	return xstrdup(g->state != GUEST_GONE   ? "running"
		       : g->params->qemu_ending ? g->params->qemu_ending
						: "exit status 0");
}

static void sim_pressure(void *ctx, struct pressure *ret)
{
	struct guest_sim_params *p = ctx;
	const struct pressure_texts nothing = { .psi_cpu = NULL };

	*ret = p->host ? p->host[p->host_asked++ % 2] : pressure_parse(&nothing);
}

static char *sim_command_line(struct guest *g)
{
	(void)g;
	return xstrdup("");
}

static int64_t sim_now_ms(struct guest *g)
{
	(void)g;
	return (int64_t)(clock_us / 1000);
}

static void sim_stop(struct guest *g)
{
	while (g->queue_first < g->queue_n)
		guest_msg_destroy(g->queue[g->queue_first++]);
	free(g->queue);
	free(g->series);
	free(g);
}

const struct guest_ops guest_sim_ops = {
	.start = sim_start,
	.send = sim_send,
	.recv = sim_recv,
	.state = sim_state,
	.swap_written = sim_swap_written,
	.console = sim_console,
	.log = sim_log,
	.ending = sim_ending,
	.pressure = sim_pressure,
	.command_line = sim_command_line,
	.now_ms = sim_now_ms,
	.stop = sim_stop,
};
