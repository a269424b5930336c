/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "harness/base/strbuf.h"
#include "harness/cell/method.h"
#include "harness/plan/plan.h"
#include "harness/probe/probe.h"

/** Longest name of a checkpoint that is told apart: it may become that of a snapshot. */
#define CHECKPOINT_NAME_MAX 32

/** A process that was started in the guest; what it forks itself is not told apart. */
struct probe_process {
	json_int_t pid; /**< 0 before it was started */
	bool has_exited;
	int status, signal;
	bool is_waiting;                      /**< at the checkpoint of that name */
	char checkpoint[CHECKPOINT_NAME_MAX]; /**< the last one; "" before the first */
};

/*
 * Shared by the files of a probe, each of which calls only those after it: probe.c (a guest life and its
 * answer), probe-method.c (its course under each method), probe-request.c (what the agent is asked),
 * probe-talk.c (what it says), probe-barrier.c (checkpoints of the load), probe-end.c (phases and ends).
 */
struct probe {
	const struct guest_ops *ops;
	struct guest *guest;
	const struct probe_spec *spec;
	struct probe_record *rec;
	struct probe_events events;

	enum probe_phase phase;
	int64_t phase_start_ms, deadline_ms, heard_ms;
	int64_t stood_still_ms; /**< since when the hypervisor has not run the guest; 0: it runs */
	int scale;              /**< deadlines are this many times longer than under KVM */

	bool is_over;      /**< rec->outcome is final */
	struct err *fatal; /**< ends the probe without a record */

	json_int_t last_id, call_id;
	bool is_call_open; /**< the reply to call_id has not come yet */
	bool reply_ok;
	char *reply_error, *reply_value;
	json_int_t reply_pid;

	bool has_hello;
	bool has_onset;
	uint64_t onset_t_us;
	bool is_ballast_full;
	bool is_verified;
	uint64_t verified_pages, bad_pages, zero_pages;
	uint64_t touched_pages; /**< how often the ballast touched one */
	uint64_t ballast_pages; /**< all that it holds by its own count: verified, or in swap */
	struct probe_process ballast;
	struct probe_process loads[PLAN_PROCESSES_MAX]; /**< processes of the load, in the order of start */
	size_t loads_n;
	uint64_t load_start_us;    /**< last sample before the latest of them was started */
	bool has_free_run;         /**< the load goes on from each checkpoint as soon as all are there */
	unsigned rounds;           /**< barriers since then */
	struct strbuf checkpoints; /**< log of them, see probe_at_checkpoint() */
	unsigned checkpoint_snapshots;
	uint64_t next_sample_seq;
	bool is_in_snapshot; /**< "file" messages belong to the last snapshot */
	uint64_t oom_kills;  /**< processes of the load that the guest's kernel killed to get memory */
	size_t evidence_bytes;
	struct strbuf output;
};

/* probe-end.c; those of type bool return false when the probe is over. */

/** Begins a phase, with its own deadline. */
void probe_set_phase(struct probe *p, enum probe_phase phase);

/** Ends the probe unless it has ended already. Always false, for `return probe_end(...)`. */
bool probe_end(struct probe *p, enum outcome outcome, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** The phase takes too long. False. */
bool probe_end_deadline(struct probe *p);

/** The line to the guest is dead, or silent, as what says: finds out what became of the guest. False. */
bool probe_end_lost(struct probe *p, const char *what);

/** Talking to the guest failed with e (taken over): the user asked to stop, or the guest is lost. False. */
bool probe_end_talk(struct probe *p, struct err *e);

/** Adds a doubt to the record's flags. */
void probe_flag(struct probe *p, const char *name);

/** Sends json (taken over) with the next id. */
bool probe_send(struct probe *p, json_t *json);

/** Guest time of the last sample in microseconds; 0 before the first. */
uint64_t probe_last_sample_us(const struct probe *p);

/** The last line of what the load printed, to be freed: with interpreters, the one that names the error. */
char *probe_last_output_line(const struct probe *p);

/* probe-talk.c; all return false when the probe is over. */

/** Waits up to timeout_ms (at most a second) for a message and takes it in. */
bool probe_pump(struct probe *p, int timeout_ms);

/** Sends json (taken over) and waits for its reply; the reply is in p->reply_*. */
bool probe_call(struct probe *p, json_t *json);

/** Like probe_call(), and a refusal makes the probe invalid. */
bool probe_call_ok(struct probe *p, json_t *json);

/* probe-request.c; all return false when the probe is over. */

/** Swap on, knobs set and verified, caches dropped, baseline taken, sampling started. */
bool probe_prepare(struct probe *p);
bool probe_start_ballast(struct probe *p);

/** Starts one more process of the load. */
bool probe_start_load(struct probe *p);

/** Has a process ended that should still be there? */
bool probe_has_exit(const struct probe *p);

/** Has a process of the load ended, whatever the ballast did? */
bool probe_has_load_exit(const struct probe *p);

/**
 * A process has exited that should not have yet: ends the probe with what that means. True for a workload
 * that just came to its end in growing.
 */
bool probe_explain_exit(struct probe *p);

/** Stops the load for good, without the freezer, which would hold the ballast too. */
bool probe_stop_load(struct probe *p);

/**
 * A request that is its type and nothing more: "unreference" has the load's page tables forget which file
 * pages it used; "freeze" stops all processes of the load, "thaw" lets them go on.
 */
bool probe_ask(struct probe *p, const char *type);

/** Raw evidence of the load and the guest, under that name. */
bool probe_snapshot(struct probe *p, const char *name);

/** Is swap on zram, so that the hypervisor sees nothing of it? */
bool probe_has_zram(const struct probe *p);

/** Has the probe a ballast at all? */
bool probe_has_ballast(const struct probe *p);

/** Has the ballast look whether it still holds what it wrote; one that does not makes the probe invalid. */
bool probe_verify_ballast(struct probe *p);

/* probe-barrier.c */

/** A process of the load has come to a checkpoint; line is "NAME key=value ...". */
bool probe_at_checkpoint(struct probe *p, struct probe_process *process, const char *line);

/** Do all processes of the load wait at a checkpoint, of that name unless it is NULL? */
bool probe_all_wait(const struct probe *p, const char *name);

/** Answers all that wait, but those at a checkpoint named except (NULL: all). False: the probe is over. */
bool probe_answer(struct probe *p, const char *answer, const char *except);

/** What the load has told at its checkpoints, as an evidence file of the last snapshot. */
void probe_add_checkpoints(struct probe *p);

/* probe-method.c: each lives its part of a guest life. False when the probe is over. */

bool probe_run_ballast(struct probe *p);
bool probe_run_growth(struct probe *p);
bool probe_run_population(struct probe *p);
bool probe_run_displacement(struct probe *p);
bool probe_run_ram(struct probe *p);
