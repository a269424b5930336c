/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_PROBE_INTERNAL_H
#define SWAPCAL_PROBE_INTERNAL_H

#include "harness/base/strbuf.h"
#include "harness/probe.h"

/** A process that was started in the guest. */
struct probe_process {
	json_int_t pid; /**< 0 before it was started */
	bool has_exited;
	int status, signal;
};

/*
 * Shared by probe.c (the course of a guest life), probe-message.c (what the agent says) and probe-load.c
 * (what is asked of it).
 */
struct probe {
	const struct guest_ops *ops;
	struct guest *guest;
	const struct probe_spec *spec;
	struct probe_record *rec;
	void (*on_phase)(void *arg, enum probe_phase phase);
	void *on_phase_arg;

	enum probe_phase phase;
	int64_t phase_start_ms, deadline_ms, heard_ms;
	int scale; /**< deadlines are this many times longer than under KVM */

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
	uint64_t ballast_pages;             /**< all that it holds by its own count: verified, or in swap */
	struct probe_process ballast, load; /**< some probes have one of them, some both */
	bool is_load_full;                  /**< it has all that it will hold */
	uint64_t next_sample_seq;
	bool is_in_snapshot; /**< "file" messages belong to the last snapshot */
	size_t evidence_bytes;
	struct strbuf output;
};

/** Ends the probe unless it has ended already. Always false, for `return probe_end(...)`. */
bool probe_end(struct probe *p, enum outcome outcome, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** Adds a doubt to the record's flags. */
void probe_flag(struct probe *p, const char *name);

/** Waits up to timeout_ms (at most a second) for a message and takes it in. False when the probe is over. */
bool probe_pump(struct probe *p, int timeout_ms);

/** Sends json (taken over) with the next id. False when the probe is over. */
bool probe_send(struct probe *p, json_t *json);

/**
 * Sends json (taken over) and waits for its reply; the reply is in p->reply_*. False when the probe is over.
 */
bool probe_call(struct probe *p, json_t *json);

/** Like probe_call(), and a refusal makes the probe invalid. */
bool probe_call_ok(struct probe *p, json_t *json);

/* probe-message.c */

/** Takes in one message of the agent; everything in it is checked. */
void probe_handle(struct probe *p, const struct guest_msg *m);

/** Guest time of the last sample in microseconds; 0 before the first. */
uint64_t probe_last_sample_us(const struct probe *p);

/** Is swap on zram, so that the hypervisor sees nothing of it? */
bool probe_has_zram(const struct probe *p);

/* probe-load.c; all return false when the probe is over. */

/** Swap on, knobs set and verified, caches dropped, baseline taken, sampling started. */
bool probe_prepare(struct probe *p);
bool probe_start_ballast(struct probe *p);
bool probe_start_load(struct probe *p);

/**
 * A process has exited that should not have yet: ends the probe with what that means. True for a workload
 * that just came to its end in growing.
 */
bool probe_explain_exit(struct probe *p);

/** Stops all processes of the load, and lets them go on. */
bool probe_freeze(struct probe *p);
bool probe_thaw(struct probe *p);

/** Raw evidence of the load and the guest, under that name. */
bool probe_snapshot(struct probe *p, const char *name);

/** Has the ballast look whether it still holds what it wrote; one that does not makes the probe invalid. */
bool probe_verify_ballast(struct probe *p);

#endif
