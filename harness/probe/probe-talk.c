/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/probe/probe-talk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/log.h"
#include "harness/vm/console.h"

/* --- Phases of a probe, and how it ends, also when its guest can no longer be talked to or takes too long.
 */

/*
 * Deadlines under KVM; TCG gets GUEST_SCALE_TCG times as much. Each is several times what a probe on a busy
 * 2-core machine took, so that only a guest that hangs meets them. Start and teardown are the hypervisor's,
 * and have limits of their own.
 */
static const int64_t phase_deadline_ms[PHASE_COUNT] = {
	[PHASE_BOOT] = GUEST_BOOT_MS, [PHASE_PREPARE] = 20000,  [PHASE_LOAD] = 150000,
	[PHASE_SETTLE] = 20000,       [PHASE_EVIDENCE] = 30000,
};

/* A reason is a sentence that may quote the guest; what it said in full is in the record. */
#define REASON_MAX 500

/**
 * How long the current phase may take. The load has to fill RAM and swap, and a ballast to look through them
 * afterwards: in a large guest, or at a low rate, that alone takes longer than the deadline.
 */
static int64_t phase_limit_ms(const struct probe *p)
{
	const struct probe_spec *spec = p->spec;
	int64_t memory_kib = ((int64_t)spec->guest.ram_mib + spec->guest.swap_mib) * 1024;
	bool is_by_size = p->phase == PHASE_LOAD || p->phase == PHASE_EVIDENCE;
	int64_t fill_ms = is_by_size && spec->ramp_kib_s ? memory_kib * 1000 / spec->ramp_kib_s : 0;

	return (phase_deadline_ms[p->phase] + fill_ms) * p->scale;
}

void probe_set_phase(struct probe *p, enum probe_phase phase)
{
	int64_t now = p->ops->now_ms(p->guest);

	p->rec->phase_ms[p->phase] += now - p->phase_start_ms;
	p->phase = phase;
	p->phase_start_ms = now;
	p->deadline_ms = now + phase_limit_ms(p);
	log_debug(LOG_PROBE, "%s: phase %s", p->spec->guest.name, probe_phase_name(phase));
	if (p->events.phase)
		p->events.phase(p->events.arg, phase);
}

/** Reasons reach terminals: one line of printable ASCII, whatever the guest said. */
static void clean_reason(char *text)
{
	for (size_t i = 0; text[i]; i++) {
		if (i == REASON_MAX)
			text[i] = '\0';
		else if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
	}
}

bool probe_end(struct probe *p, enum outcome outcome, const char *fmt, ...)
{
	if (p->is_over)
		return false;

	va_list ap;

	va_start(ap, fmt);
	free(p->rec->reason);
	p->rec->reason = xvasprintf(fmt, ap);
	va_end(ap);
	clean_reason(p->rec->reason);
	p->rec->outcome = outcome;
	p->is_over = true;
	return false;
}

/** The line of the console that tells most about a guest's end; "" when there is none. */
static char *telling_console_line(const char *console)
{
	static const char *const signs[] = { "Kernel panic", "Out of memory", "agent: ", "Call Trace" };

	for (size_t i = 0; i < COUNT(signs); i++) {
		const char *at = strstr(console, signs[i]);

		if (at)
			return xmemdup0(at, strcspn(at, "\r\n"));
	}
	return xstrdup("");
}

/** The last line that QEMU said, "" when it said nothing. */
static char *last_qemu_line(struct probe *p)
{
	cleanup_free char *log = p->ops->log(p->guest), *said = console_qemu_lines(log);
	size_t end = strlen(said);

	if (end)
		said[--end] = '\0';

	const char *last = strrchr(said, '\n');

	return xstrdup(last ? last + 1 : said);
}

/** The guest is gone: by its own doing, or was it QEMU's? */
static bool end_gone(struct probe *p, enum outcome outcome, const char *line)
{
	cleanup_free char *ending = p->ops->ending(p->guest), *said = last_qemu_line(p);
	bool is_orderly = strcmp(ending, "exit status 0") == 0;

	if (!*line &&
	    (strncmp(ending, "signal ", 7) == 0 || (!is_orderly && strncmp(ending, "exit ", 5) == 0)))
		return probe_end(p, outcome, "QEMU ended unasked, with %s%s%s", ending, *said ? ": " : "",
				 said);
	if (p->phase <= PHASE_BOOT && !*line)
		return probe_end(
			p, outcome,
			"guest ended before its agent was up, without a word on its console; X=%u MiB may be too little for its kernel",
			p->spec->guest.ram_mib);
	return probe_end(p, outcome, "%s%s%s",
			 strstr(line, "Kernel panic") ? "guest panic" : "guest ended unasked",
			 *line ? ": " : "", line);
}

/** The line to the guest is dead, or silent, as what says: finds out what became of the guest. False. */
static bool end_lost(struct probe *p, const char *what)
{
	cleanup_free char *console = p->ops->console(p->guest);
	cleanup_free char *line = telling_console_line(console);
	enum outcome outcome = p->phase <= PHASE_BOOT ? OUTCOME_BOOT_FAIL : OUTCOME_AGENT_LOST;
	const char *sep = *line ? ": " : "";

	switch (p->ops->state(p->guest)) {
	case GUEST_PANICKED:
		return probe_end(p, outcome, "guest panic%s%s", sep, line);
	case GUEST_GONE:
		return end_gone(p, outcome, line);
	case GUEST_PAUSED:
		return probe_end(p, outcome, "guest was paused by the hypervisor (%s)%s%s", what, sep, line);
	case GUEST_DISK_ERROR:
		return probe_end(
			p, outcome,
			"guest was paused by the hypervisor, which cannot read or write one of its disks, as when the file system below its swap is full (%s)",
			what);
	case GUEST_STOPPED:
		return probe_end(p, outcome,
				 "QEMU was stopped from outside, as by SIGSTOP or a debugger (%s)", what);
	case GUEST_RUNNING:
		break;
	}
	return probe_end(p, outcome, "%s%s%s", what, sep, line);
}

/** The phase takes too long. False. */
static bool end_deadline(struct probe *p)
{
	int64_t limit_s = phase_limit_ms(p) / 1000;
	cleanup_free char *console = p->ops->console(p->guest);
	cleanup_free char *line = telling_console_line(console);

	return probe_end(p, p->phase == PHASE_BOOT ? OUTCOME_BOOT_FAIL : OUTCOME_TIMEOUT,
			 "phase '%s' took more than %" PRId64 " s%s%s", probe_phase_name(p->phase), limit_s,
			 *line ? ": " : "", line);
}

bool probe_end_talk(struct probe *p, struct err *e)
{
	if (err_get_kind(e) == ERR_INTERRUPTED) {
		p->fatal = e;
		return probe_end(p, OUTCOME_INVALID, "stopped");
	}

	/* Waits: the line of a QEMU that ends breaks a moment before it has ended. */
	free(p->ops->ending(p->guest));
	end_lost(p, err_message(e));
	err_free(e);
	return false;
}

/** Sends json (taken over) with the next id. */
static bool send_request(struct probe *p, json_t *json)
{
	json_object_set_new(json, "id", json_integer(++p->last_id));

	if (!p->is_over && log_debug_is_on(LOG_PROBE)) {
		cleanup_free char *text = json_dumps(json, JSON_COMPACT);

		log_debug(LOG_PROBE, "%s: asks %s", p->spec->guest.name, text ? text : "what is no JSON");
	}

	struct err *e = p->is_over ? NULL : p->ops->send(p->guest, json);

	json_decref(json);
	return e ? probe_end_talk(p, e) : !p->is_over;
}

uint64_t probe_last_sample_us(const struct probe *p)
{
	const struct probe_record *r = p->rec;

	return r->samples_count ? r->samples[r->samples_count - 1].t_us : 0;
}

char *probe_last_output_line(const struct probe *p)
{
	const char *text = strbuf_str(&p->output);
	size_t end = p->output.len;

	while (end && strchr("\r\n \t", text[end - 1]))
		end--;

	size_t begin = end;

	while (begin && text[begin - 1] != '\n')
		begin--;
	return xmemdup0(text + begin, end - begin);
}

/*
 * --- Checkpoints: the processes of a load work in step. One that has come to a checkpoint waits; when all
 * that were started wait, the barrier is complete: they are measured there, or go on.
 */

/*
 * The log of checkpoints. When it is full its older half goes: what counts is the last line of each process,
 * and when it was complete. More such lines than there are processes are a program's that means nothing by
 * it.
 */
#define LOG_BYTES_MAX  131072
#define LOG_FULLS_KEPT PLAN_PROCESSES_MAX

/** Is a line of the log, "TIME PID NAME ...", of a process that was complete? */
static bool is_full(const char *line)
{
	const char *name = strchr(strchr(line, ' ') + 1, ' ') + 1;

	return strcspn(name, " \n") == strlen("full") && strncmp(name, "full", strlen("full")) == 0;
}

static void shorten(struct strbuf *log)
{
	const char *line = strbuf_str(log), *rest = strchr(line + log->len / 2, '\n') + 1;
	struct strbuf newer = STRBUF_INIT;

	for (unsigned fulls = 0; line < rest && fulls < LOG_FULLS_KEPT;) {
		const char *end = strchr(line, '\n') + 1;

		if (is_full(line)) {
			strbuf_add(&newer, line, (size_t)(end - line));
			fulls++;
		}
		line = end;
	}
	strbuf_adds(&newer, rest);
	strbuf_deinit(log);
	*log = newer;
}

static void log_checkpoint(struct probe *p, const struct probe_process *process, const char *line)
{
	struct strbuf *log = &p->checkpoints;

	if (log->len > LOG_BYTES_MAX)
		shorten(log);
	strbuf_addf(log, "%" PRIu64 " %" JSON_INTEGER_FORMAT " %s\n", probe_last_sample_us(p), process->pid,
		    line);
}

static bool is_name(const char *s, size_t len)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	return len > 0 && len < CHECKPOINT_NAME_MAX && strspn(s, chars) >= len;
}

bool probe_all_wait(const struct probe *p, const char *name)
{
	for (size_t i = 0; i < p->loads_n; i++)
		if (!p->loads[i].is_waiting || (name && strcmp(p->loads[i].checkpoint, name) != 0))
			return false;
	return p->loads_n > 0;
}

bool probe_answer(struct probe *p, const char *answer, const char *except)
{
	for (size_t i = 0; i < p->loads_n; i++) {
		struct probe_process *process = &p->loads[i];

		if (!process->is_waiting || (except && strcmp(process->checkpoint, except) == 0))
			continue;
		process->is_waiting = false;
		/* Not waited for: the reply of one that ended meanwhile says so, and its exit tells more. */
		if (!send_request(p, json_pack("{s:s, s:I, s:s}", "type", "resume", "pid", process->pid,
					       "line", answer)))
			return false;
	}
	return true;
}

/** A process of the load has come to a checkpoint; line is "NAME key=value ...". */
static bool at_checkpoint(struct probe *p, struct probe_process *process, const char *line)
{
	size_t len = strcspn(line, " ");

	if (!is_name(line, len))
		return probe_end(
			p, OUTCOME_INVALID,
			"the load's checkpoint '%s' has no name of lower-case letters, digits and '-', shorter than %d",
			line, CHECKPOINT_NAME_MAX);
	if (process->is_waiting)
		return probe_end(p, OUTCOME_INVALID,
				 "the load came to checkpoint '%s' without waiting for an answer at '%s'",
				 line, process->checkpoint);
	memcpy(process->checkpoint, line, len);
	process->checkpoint[len] = '\0';
	process->is_waiting = true;
	log_checkpoint(p, process, line);
	line = strstr(line, " collections=");
	if (line)
		process->collections = strtoull(line + strlen(" collections="), NULL, 10);
	process->has_collections = line != NULL;
	if (!p->has_free_run || !probe_all_wait(p, NULL))
		return true;
	p->rounds++;
	return probe_answer(p, "go", NULL);
}

/* --- What the agent says is checked and taken in. */

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
	p->heartbeat_us = get_uint(m, "t_us");
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
		at_checkpoint(p, process, line);
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

	for (size_t i = 0; i < COUNT(handlers); i++)
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
		return end_deadline(p);
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
		return end_lost(p, "guest ended");
	if (stands_still(p, state))
		return end_lost(p, "it stands still");
	if (p->phase > PHASE_BOOT && p->ops->now_ms(p->guest) - p->heard_ms > SILENCE_MS * p->scale)
		return end_lost(p, "agent is silent");
	return true;
}

bool probe_call(struct probe *p, json_t *json)
{
	if (!send_request(p, json))
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
