/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_TESTS_GUEST_SIM_INTERNAL_H
#define SWAPCAL_TESTS_GUEST_SIM_INTERNAL_H

#include "guest/proto.h"
#include "tests/sim/guest-sim.h"

/*
 * Shared by guest-sim.c (time, requests), guest-sim-load.c (what the load, the kernel and the sampling agent
 * do) and guest-sim-evidence.c (the texts of a snapshot).
 */

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
	uint64_t tick_us, next_tick_us, rule_pages, window_us;
	struct proto_sample *series;
	size_t series_n, series_cap, shipped, window_first;
	unsigned batches;

	struct load load;
	unsigned fixed_n; /* processes of the load of fixed size that are alive, the last started first to end
			   */
	bool is_working[32]; /* of these: they are in a round of work, which ends at round_us */
	uint64_t round_us;
	bool is_built;     /* they have come to "full" */
	unsigned forked_n; /* what these forked on request */
	uint64_t swapped_pages, zero_pages, oom_kills;
};

/** The virtual time of all guests of a thread; a new one goes on where the last one ended. */
extern _Thread_local uint64_t sim_clock_us;

/** Sends a message to the host; json is taken over, the payload copied. */
void sim_say(struct guest *g, json_t *json, const void *payload, size_t len);

/* guest-sim-load.c */

/** What the load holds, in whole pages. */
uint64_t sim_held_kib(const struct guest *g);

/** What the load of fixed size holds. */
uint64_t sim_fixed_kib(const struct guest *g);

/** What the kernel does about what there is now. */
void sim_reclaim(struct guest *g);

/** A line of a process to its checkpoint fd. */
void sim_say_line(struct guest *g, int pid, const char *line);

/** The load of fixed size ends, with the last of its processes. */
void sim_end_fixed(struct guest *g, int status, int sig);

/** Lets the load grow for that long. */
void sim_grow(struct guest *g, uint64_t us);

void sim_take_sample(const struct guest *g, struct proto_sample *s);

/** A tick of the agent: samples, applies the rule, freezes. */
void sim_tick(struct guest *g);

/** Ships the samples taken so far. */
void sim_ship(struct guest *g);

/** The load ends. */
void sim_end_load(struct guest *g, int status, int sig);

/** The load gets a signal; 0 is none. */
void sim_take_signal(struct guest *g, int sig);

/* guest-sim-evidence.c */

/** The "file" messages of a snapshot. */
void sim_say_evidence(struct guest *g, json_int_t id);

#endif
