/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "harness/base/strbuf.h"
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
	bool has_collections;                 /**< there it told how many collections it has had */
	uint64_t collections;
};

/** A guest life. What the agent says goes into it as it comes (probe-talk.c); probe.c leads it. */
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
	bool is_stopped;           /**< the load is frozen for good, for it is to be weighed so */
	bool has_free_run;         /**< the load goes on from each checkpoint as soon as all are there */
	unsigned rounds;           /**< barriers since then */
	struct strbuf checkpoints; /**< log of them, "TIME PID NAME ...", with a line end each */
	unsigned checkpoint_snapshots;
	uint64_t next_sample_seq;
	bool is_in_snapshot;   /**< "file" messages belong to the last snapshot */
	uint64_t oom_kills;    /**< processes of the load that the guest's kernel killed to get memory */
	uint64_t high_kib;     /**< high watermarks of the guest's zones */
	uint64_t heartbeat_us; /**< guest time of the last one */
	size_t evidence_bytes;
	struct strbuf output;
};

/* Those of type bool return false when the probe is over. */

/** Begins a phase, with its own deadline. */
void probe_set_phase(struct probe *p, enum probe_phase phase);

/** Ends the probe unless it has ended already. Always false, for `return probe_end(...)`. */
bool probe_end(struct probe *p, enum outcome outcome, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** Talking to the guest failed with e (taken over): the user asked to stop, or the guest is lost. False. */
bool probe_end_talk(struct probe *p, struct err *e);

/** Guest time of the last sample in microseconds; 0 before the first. */
uint64_t probe_last_sample_us(const struct probe *p);

/** The last line of what the load printed, to be freed: with interpreters, the one that names the error. */
char *probe_last_output_line(const struct probe *p);

/** Waits up to timeout_ms (at most a second) for a message and takes it in. */
bool probe_pump(struct probe *p, int timeout_ms);

/** Sends json (taken over) and waits for its reply; the reply is in p->reply_*. */
bool probe_call(struct probe *p, json_t *json);

/** Like probe_call(), and a refusal makes the probe invalid. */
bool probe_call_ok(struct probe *p, json_t *json);

/** Do all processes of the load wait at a checkpoint, of that name unless it is NULL? */
bool probe_all_wait(const struct probe *p, const char *name);

/** Answers all that wait, but those at a checkpoint named except (NULL: all). */
bool probe_answer(struct probe *p, const char *answer, const char *except);
