/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/probe/probe-internal.h"

/*
 * What a guest may send in one life before it is taken for mad: two hours of samples at the usual tick, the
 * smaps of hundreds of large processes, and what people read of an error output.
 */
#define SAMPLES_MAX        400000
#define EVIDENCE_BYTES_MAX ((size_t)256 << 20)
#define EVIDENCE_FILES_MAX 20000
#define OUTPUT_BYTES_MAX   65536

/* The agent sends a heartbeat each second of guest time; a guest deep in reclaim may be late. */
#define SILENCE_MS 10000

/* What does not run the guest for so long does not go on by itself; a debugger may only have had a look. */
#define STANDSTILL_MS 3000

/* Talking to the agent: what it says is checked and taken in. */

static const char *get_str(const struct guest_msg *m, const char *key)
{
	const char *s = json_string_value(json_object_get(m->json, key));

	return s ? s : "";
}

/** A non-negative integer member; anything else counts as 0. */
static uint64_t get_uint(const struct guest_msg *m, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(m->json, key));

	return v > 0 ? (uint64_t)v : 0;
}

static void on_hello(struct probe *p, const struct guest_msg *m)
{
	uint64_t proto = get_uint(m, "proto");

	if (proto != PROTO_VERSION)
		probe_end(p, OUTCOME_INVALID, "agent speaks protocol %" PRIu64 ", not %d", proto,
			  PROTO_VERSION);
	else if (*get_str(m, "error"))
		probe_end(p, OUTCOME_BOOT_FAIL, "guest is unfit: %s", get_str(m, "error"));
	else if (get_uint(m, "cpus") != p->spec->guest.vcpus)
		probe_end(p, OUTCOME_INVALID, "asked for %u vCPUs, guest has %" PRIu64, p->spec->guest.vcpus,
			  get_uint(m, "cpus"));
	p->has_hello = true;
}

static void on_reply(struct probe *p, const struct guest_msg *m)
{
	if (!p->is_call_open || json_integer_value(json_object_get(m->json, "id")) != p->call_id)
		return;
	free(p->reply_error);
	free(p->reply_value);
	p->reply_error = xstrdup(get_str(m, "error"));
	p->reply_value = xstrdup(get_str(m, "value"));
	p->reply_ok = json_is_true(json_object_get(m->json, "ok"));
	p->reply_pid = (json_int_t)get_uint(m, "pid");
	p->is_call_open = false;
}

/** What the guest's kernel had to do about the load. */
static void hear_of_limits(struct probe *p, const struct guest_msg *m)
{
	cleanup_free char *line = probe_last_output_line(p);

	p->oom_kills = get_uint(m, "oom_kills");
	if (get_uint(m, "forks_refused"))
		probe_end(p, OUTCOME_INVALID,
			  "the load wants more than %d processes and threads at a time%s%s",
			  PROTO_LOAD_TASKS_MAX, *line ? ": " : "", line);
}

static void on_heartbeat(struct probe *p, const struct guest_msg *m)
{
	hear_of_limits(p, m);
	p->rec->agent_rss_kib = get_uint(m, "rss_kib");
	p->rec->sample_cpu_us_mean = get_uint(m, "sample_cpu_us_mean");
	p->rec->sample_cpu_us_max = get_uint(m, "sample_cpu_us_max");
}

static void on_samples(struct probe *p, const struct guest_msg *m)
{
	struct probe_record *r = p->rec;
	size_t n = m->payload_len / sizeof(struct proto_sample);

	if (m->payload_len % sizeof(struct proto_sample) || n != get_uint(m, "count")) {
		probe_end(p, OUTCOME_INVALID, "agent sent samples of a wrong size");
		return;
	}
	if (get_uint(m, "seq") != p->next_sample_seq) {
		probe_end(p, OUTCOME_INVALID,
			  "samples were lost (got number %" PRIu64 ", expected %" PRIu64 ")",
			  get_uint(m, "seq"), p->next_sample_seq);
		return;
	}
	p->next_sample_seq += n;
	if (r->samples_count + n > SAMPLES_MAX) {
		probe_end(p, OUTCOME_INVALID, "agent sent more than %d samples", SAMPLES_MAX);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct proto_sample *s = array_push(r->samples, r->samples_count, r->samples_cap);

		memcpy(s, m->payload + i * sizeof(*s), sizeof(*s));
		if (s > r->samples && s->t_us <= s[-1].t_us) {
			probe_end(p, OUTCOME_INVALID, "samples are out of order");
			return;
		}
	}
	if (!n)
		return;

	const struct proto_sample *last = &r->samples[r->samples_count - 1];

	if (p->events.load)
		p->events.load(p->events.arg, last->load_kib);
	if (last->oom_kill > r->samples[0].oom_kill)
		probe_end(p, OUTCOME_OOM,
			  "the guest ran out of memory and swap, and its kernel killed the load");
}

static void on_onset(struct probe *p, const struct guest_msg *m)
{
	p->has_onset = true;
	p->onset_t_us = get_uint(m, "t_us");
	p->rec->freeze_us = get_uint(m, "freeze_us");
	if (!json_is_true(json_object_get(m->json, "frozen")))
		probe_end(p, OUTCOME_INVALID,
			  "the load did not freeze at the onset: its evidence would be of a later moment");
}

/** The process of the load with that pid; NULL when it was not started. */
static struct probe_process *find_load(struct probe *p, json_int_t pid)
{
	for (size_t i = 0; i < p->loads_n; i++)
		if (p->loads[i].pid == pid)
			return &p->loads[i];
	return NULL;
}

static void on_ballast_line(struct probe *p, const char *line)
{
	uint64_t swapped;

	if (sscanf(line, "full pages=%*u rss_kib=%" SCNu64 " pte_kib=%" SCNu64, &p->rec->ballast_rss_kib,
		   &p->rec->ballast_pte_kib) == 2) {
		p->is_ballast_full = true;
	} else if (sscanf(line,
			  "verified pages=%" SCNu64 " bad=%" SCNu64 " zero=%" SCNu64 " swapped=%" SCNu64
			  " touched=%" SCNu64,
			  &p->verified_pages, &p->bad_pages, &p->zero_pages, &swapped,
			  &p->touched_pages) == 5) {
		p->is_verified = true;
		p->ballast_pages = p->verified_pages + swapped;
	}
}

static void on_checkpoint(struct probe *p, const struct guest_msg *m)
{
	const char *line = get_str(m, "line");
	json_int_t pid = (json_int_t)get_uint(m, "pid");
	struct probe_process *process = find_load(p, pid);

	if (process && json_is_true(json_object_get(m->json, "bad")))
		probe_end(p, OUTCOME_INVALID,
			  "the load wrote to its checkpoint descriptor what is not a checkpoint: '%s'", line);
	else if (process)
		probe_at_checkpoint(p, process, line);
	else if (pid == p->ballast.pid)
		on_ballast_line(p, line);
}

static void on_output(struct probe *p, const struct guest_msg *m)
{
	size_t room = OUTPUT_BYTES_MAX - p->output.len;

	strbuf_add(&p->output, m->payload, m->payload_len < room ? m->payload_len : room);
}

static void on_exit_message(struct probe *p, const struct guest_msg *m)
{
	json_int_t pid = (json_int_t)get_uint(m, "pid");
	struct probe_process *process = pid == p->ballast.pid ? &p->ballast : find_load(p, pid);

	if (!process || !pid) {
		probe_end(p, OUTCOME_INVALID, "agent told of the end of a process that was not started");
		return;
	}
	hear_of_limits(p, m);
	process->has_exited = true;
	process->status = (int)get_uint(m, "status");
	process->signal = (int)get_uint(m, "signal");
}

static void on_file(struct probe *p, const struct guest_msg *m)
{
	struct probe_record *r = p->rec;

	if (!p->is_in_snapshot || json_integer_value(json_object_get(m->json, "id")) != p->call_id)
		return;

	struct snapshot *s = &r->snapshots[r->snapshots_count - 1];
	unsigned pid = (unsigned)get_uint(m, "pid");
	struct evidence *f = s->files_count ? &s->files[s->files_count - 1] : NULL;

	p->evidence_bytes += m->payload_len + strlen(get_str(m, "name")) + strlen(get_str(m, "error"));
	if (p->evidence_bytes > EVIDENCE_BYTES_MAX || s->files_count >= EVIDENCE_FILES_MAX) {
		probe_end(p, OUTCOME_INVALID, "agent sent too much evidence");
		return;
	}
	if (!f || f->pid != pid || strcmp(f->name, get_str(m, "name")) != 0) {
		f = array_push(s->files, s->files_count, s->files_cap);
		f->pid = pid;
		f->name = xstrdup(get_str(m, "name"));
		f->data = xstrdup("");
	}
	f->data = xreallocarray(f->data, f->len + m->payload_len + 1, 1);
	memcpy(f->data + f->len, m->payload, m->payload_len);
	f->len += m->payload_len;
	f->data[f->len] = '\0';
	if (*get_str(m, "error") && !f->error)
		f->error = xstrdup(get_str(m, "error"));
}

/** Takes in one message of the agent; everything in it is checked. */
static void handle(struct probe *p, const struct guest_msg *m)
{
	static const struct {
		const char *type;
		void (*handle)(struct probe *p, const struct guest_msg *m);
	} handlers[] = {
		{ "hello", on_hello },     { "reply", on_reply },       { "heartbeat", on_heartbeat },
		{ "samples", on_samples }, { "onset", on_onset },       { "checkpoint", on_checkpoint },
		{ "output", on_output },   { "exit", on_exit_message }, { "file", on_file },
	};
	const char *type = get_str(m, "type");

	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
		if (strcmp(handlers[i].type, type) == 0) {
			handlers[i].handle(p, m);
			return;
		}
	probe_end(p, OUTCOME_INVALID, "agent sent an unknown message '%.40s'", type);
}

/** Is the guest not run by its hypervisor, for long enough? */
static bool stands_still(struct probe *p, enum guest_state state)
{
	int64_t now = p->ops->now_ms(p->guest);

	if (state == GUEST_RUNNING)
		p->stood_still_ms = 0;
	else if (!p->stood_still_ms)
		p->stood_still_ms = now;
	return p->stood_still_ms && now - p->stood_still_ms >= STANDSTILL_MS;
}

bool probe_pump(struct probe *p, int timeout_ms)
{
	if (p->is_over)
		return false;

	int64_t now = p->ops->now_ms(p->guest);

	if (now >= p->deadline_ms)
		return probe_end_deadline(p);
	/* One second at most, so that a guest that ended is noticed soon. */
	int64_t wait_ms = timeout_ms < 1000 ? timeout_ms : 1000;

	if (wait_ms > p->deadline_ms - now)
		wait_ms = p->deadline_ms - now;

	struct guest_msg *m = NULL;
	struct err *e = p->ops->recv(p->guest, (int)wait_ms, &m);

	if (e)
		return probe_end_talk(p, e);
	if (m) {
		p->heard_ms = p->ops->now_ms(p->guest);
		p->stood_still_ms = 0;
		handle(p, m);
		guest_msg_destroy(m);
		return !p->is_over;
	}

	/* Nothing came: is anybody there? While the guest boots, silence is normal. */
	enum guest_state state = p->ops->state(p->guest);

	if (state == GUEST_GONE || state == GUEST_PANICKED)
		return probe_end_lost(p, "guest ended");
	if (stands_still(p, state))
		return probe_end_lost(p, "it stands still");
	if (p->phase > PHASE_BOOT && p->ops->now_ms(p->guest) - p->heard_ms > SILENCE_MS * p->scale)
		return probe_end_lost(p, "agent is silent");
	return true;
}

bool probe_call(struct probe *p, json_t *json)
{
	if (!probe_send(p, json))
		return false;
	p->call_id = p->last_id;
	p->is_call_open = true;
	while (p->is_call_open)
		if (!probe_pump(p, 1000))
			return false;
	return true;
}

bool probe_call_ok(struct probe *p, json_t *json)
{
	cleanup_free char *type = xstrdup(json_string_value(json_object_get(json, "type")));

	if (!probe_call(p, json))
		return false;
	if (!p->reply_ok)
		return probe_end(p, OUTCOME_INVALID, "agent refused '%s': %s", type, p->reply_error);
	return true;
}
