/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/probe.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "calibrate/text.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/console.h"
#include "harness/host-pressure.h"
#include "harness/probe-internal.h"

/*
 * One guest life. The steps below return false when the probe is over; p->rec then says how. Two things end a
 * probe early in every step: the line to the guest dies (agent-lost), or the phase takes too long (timeout or
 * boot-fail).
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

/* The agent sends a heartbeat each second of guest time; a guest deep in reclaim may be late. */
#define SILENCE_MS 10000

/* What does not run the guest for so long does not go on by itself; a debugger may only have had a look. */
#define STANDSTILL_MS 3000

/* How long pages that the guest's kernel counted as swapped out may take to reach the disk of a busy host. */
#define SWAP_WRITES_WAIT_MS 3000

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

void probe_flag(struct probe *p, const char *name)
{
	char *flags = xasprintf("%s%s%s", p->rec->flags, *p->rec->flags ? "," : "", name);

	free(p->rec->flags);
	p->rec->flags = flags;
}

/** The line of the console that tells most about a guest's end; "" when there is none. */
static char *telling_console_line(const char *console)
{
	static const char *const signs[] = { "Kernel panic", "Out of memory", "agent: ", "Call Trace" };

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
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
		return probe_end(p, outcome,
				 "guest ended before its agent was up, without a word on its console; "
				 "X=%u MiB may be too little for its kernel",
				 p->spec->guest.ram_mib);
	return probe_end(p, outcome, "%s%s%s",
			 strstr(line, "Kernel panic") ? "guest panic" : "guest ended unasked",
			 *line ? ": " : "", line);
}

/** The line to the guest is dead, or silent: find out what became of the guest. */
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
		return probe_end(p, outcome,
				 "guest was paused by the hypervisor, which cannot read or write a disk of "
				 "its, as when the file system below its swap is full (%s)",
				 what);
	case GUEST_STOPPED:
		return probe_end(p, outcome,
				 "QEMU was stopped from outside, as by SIGSTOP or a debugger (%s)", what);
	case GUEST_RUNNING:
		break;
	}
	return probe_end(p, outcome, "%s%s%s", what, sep, line);
}

static bool end_deadline(struct probe *p)
{
	int64_t limit_s = phase_limit_ms(p) / 1000;
	cleanup_free char *console = p->ops->console(p->guest);
	cleanup_free char *line = telling_console_line(console);

	return probe_end(p, p->phase == PHASE_BOOT ? OUTCOME_BOOT_FAIL : OUTCOME_TIMEOUT,
			 "phase '%s' took more than %" PRId64 " s%s%s", probe_phase_name(p->phase), limit_s,
			 *line ? ": " : "", line);
}

/** Talking to the guest failed with e (taken over): the user asked to stop, or the guest is lost. */
static bool end_talk(struct probe *p, struct err *e)
{
	if (err_get_kind(e) == ERR_INTERRUPTED) {
		p->fatal = e;
		return probe_end(p, OUTCOME_INVALID, "stopped");
	}
	end_lost(p, err_message(e));
	err_free(e);
	return false;
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
		return end_talk(p, e);
	if (m) {
		p->heard_ms = p->ops->now_ms(p->guest);
		p->stood_still_ms = 0;
		probe_handle(p, m);
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

bool probe_send(struct probe *p, json_t *json)
{
	json_object_set_new(json, "id", json_integer(++p->last_id));

	struct err *e = p->is_over ? NULL : p->ops->send(p->guest, json);

	json_decref(json);
	return e ? end_talk(p, e) : !p->is_over;
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

static bool boot(struct probe *p)
{
	probe_set_phase(p, PHASE_BOOT);
	while (!p->has_hello)
		if (!probe_pump(p, 1000))
			return false;
	return true;
}

/** Bytes that must reach the swap disk for the onset rule to hold. */
static uint64_t rule_bytes(const struct probe *p)
{
	return p->spec->rule->pages * 4096;
}

/** Does the hypervisor's count of writes to the swap disk contradict the guest's account of its swapping? */
static bool swap_disk_disagrees(const struct probe *p, bool has_onset)
{
	uint64_t bytes = p->rec->swap_written_bytes;

	/* Nothing is on that disk: any write is one too many. */
	if (probe_has_zram(p))
		return bytes > 0;
	/* A trickle below the rule may add up without an onset, hence the 4. */
	return has_onset ? bytes < rule_bytes(p) : bytes >= 4 * rule_bytes(p);
}

/**
 * The guest has been seen to the end: what is the answer, and do the witnesses agree? reason goes with a
 * "no-onset".
 */
static void judge(struct probe *p, const char *reason)
{
	struct probe_record *r = p->rec;
	struct onset_result host = onset_find(p->spec->rule, r->samples, r->samples_count);

	if (host.found != p->has_onset || (host.found && host.t_us != p->onset_t_us)) {
		probe_end(p, OUTCOME_INVALID, "guest and host disagree on the onset: guest %s, host %s",
			  p->has_onset ? "saw it" : "saw none", host.found ? "finds it" : "finds none");
		return;
	}
	if (r->samples_count) {
		const struct proto_sample *s = &r->samples[host.found ? host.index : r->samples_count - 1];

		r->load_pages = p->spec->kind == PROBE_RAM ? s->load_kib / 4 : s->load_pages;
	}
	if (host.found) {
		r->onset_t_us = (int64_t)(host.t_us - r->samples[0].t_us);
		r->onset_swapped_pages = host.swapped_pages;
	}
	if (probe_has_ballast(p) && p->ballast_pages < r->load_pages) {
		probe_end(p, OUTCOME_INVALID,
			  "the ballast knows of %" PRIu64 " pages, but was seen to hold %" PRIu64,
			  p->ballast_pages, r->load_pages);
		return;
	}
	if (probe_touch_is_behind(p))
		probe_flag(p, "touch-behind");
	if (swap_disk_disagrees(p, host.found))
		probe_flag(p, "swap-disk-disagrees");
	if (host.found)
		probe_end(p, OUTCOME_ONSET, "%s", "");
	else
		probe_end(p, OUTCOME_NO_ONSET, "%s", reason);
}

/**
 * Reads the hypervisor's count of swap writes. After an onset the writes may still be under way: waits a
 * while for enough of them.
 */
static bool count_swap_writes(struct probe *p)
{
	int64_t until_ms = p->ops->now_ms(p->guest) + SWAP_WRITES_WAIT_MS;
	uint64_t bytes;

	for (;;) {
		struct err *e = p->ops->swap_written(p->guest, &bytes);

		/* One that cannot be asked since it is gone, or had to be ended, has not been seen to its
		 * end. */
		if (e && p->ops->state(p->guest) != GUEST_RUNNING)
			return end_talk(p, e);
		if (e) {
			probe_flag(p, "no-swap-disk-count");
			err_free(e);
			return true;
		}
		p->rec->swap_written_bytes = bytes;
		if (!p->has_onset || probe_has_zram(p) || bytes >= rule_bytes(p) ||
		    p->ops->now_ms(p->guest) >= until_ms)
			return true;
		if (!probe_pump(p, 20))
			return false;
	}
}

/** What a "no-onset" means, where that is not plain. */
static const char *no_onset_reason(const struct probe *p)
{
	if (p->spec->kind == PROBE_GROWTH)
		return "the workload ended before the guest swapped";
	if (p->spec->kind == PROBE_POPULATION)
		return "the guest does not swap with the largest number of processes";
	return "";
}

/**
 * Is the load still all there, after its evidence? A frozen process can be killed, by a kernel that is out of
 * memory, and Y would be that of the others. A displaced load was measured before, and what has ended by
 * itself in growing has no Y.
 */
static bool is_evidence_whole(struct probe *p)
{
	enum probe_kind kind = p->spec->kind;

	if (!probe_has_load_exit(p) || kind == PROBE_DISPLACEMENT || (kind == PROBE_GROWTH && !p->has_onset))
		return true;
	if (!probe_explain_exit(p))
		return false;
	return probe_end(p, OUTCOME_INVALID, "the workload ended just when the guest swapped");
}

static bool live_method(struct probe *p)
{
	switch (p->spec->kind) {
	case PROBE_RAMP:
	case PROBE_FIXED:
		return probe_live_ballast(p);
	case PROBE_GROWTH:
		return probe_live_growth(p);
	case PROBE_POPULATION:
		return probe_live_population(p);
	case PROBE_DISPLACEMENT:
		return probe_live_displacement(p);
	case PROBE_RAM:
		return probe_live_ram(p);
	}
	return false;
}

static void live(struct probe *p)
{
	if (!boot(p))
		return;
	probe_set_phase(p, PHASE_PREPARE);
	if (!probe_prepare(p) || !live_method(p))
		return;

	bool had_onset = p->has_onset;

	probe_set_phase(p, PHASE_EVIDENCE);
	/*
	 * From here on swapping may be our own doing (kernel texts, the ballast's check of its pages): no
	 * part of the series.
	 */
	if (!probe_call_ok(p, json_pack("{s:s, s:i}", "type", "watch", "tick_ms", 0)))
		return;
	/* It may have come with the last samples, and the evidence is then of another moment. */
	if (p->has_onset && !had_onset && p->spec->kind != PROBE_FIXED && p->spec->kind != PROBE_RAMP) {
		probe_end(p, OUTCOME_INVALID, "the guest swapped just when %s",
			  p->spec->kind == PROBE_GROWTH ? "the workload had ended" : "it was looked at");
		return;
	}
	if (!probe_snapshot(p, p->has_onset ? "onset" : "end") || !is_evidence_whole(p) ||
	    !count_swap_writes(p))
		return;
	if (probe_has_ballast(p) && !probe_verify_ballast(p))
		return;
	judge(p, no_onset_reason(p));
}

/** Adds a text to a snapshot as evidence of the host's. */
static void add_text(struct snapshot *s, const char *name, char *text)
{
	struct evidence *f = array_push(s->files, s->files_count, s->files_cap);

	*f = (struct evidence){ .name = xstrdup(name), .data = text, .len = strlen(text) };
}

/** A new snapshot of that name. */
static struct snapshot *add_snapshot(struct probe_record *rec, const char *name)
{
	struct snapshot *s = array_push(rec->snapshots, rec->snapshots_count, rec->snapshots_cap);

	s->name = xstrdup(name);
	return s;
}

/** What else tells why there is no answer, beside console, output and series. */
static void add_post_mortem(struct probe *p)
{
	struct snapshot *s = add_snapshot(p->rec, PROBE_POST_MORTEM);

	add_text(s, "qemu.log", p->ops->log(p->guest));
	add_text(s, "qemu-exit", p->ops->ending(p->guest));
}

/** Was the host disturbed? What it said of itself is kept, so that another rule can be judged later. */
static void judge_host(struct probe *p, const struct pressure *begin, const struct pressure *end)
{
	unsigned disturbed = pressure_judge(begin, end);

	if (disturbed & PRESSURE_SWAPPED)
		probe_flag(p, "host-swapped");
	if (disturbed & PRESSURE_MEMORY)
		probe_flag(p, "host-memory");
	if (disturbed & PRESSURE_BUSY)
		probe_flag(p, "host-busy");
	add_text(add_snapshot(p->rec, PROBE_HOST), "pressure.json", host_pressure_json(begin, end));
}

static double unix_time_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct probe_record new_record(const struct probe_spec *spec)
{
	struct probe_record rec = {
		.replicate = spec->replicate,
		.seq = spec->seq,
		.kind = spec->kind,
		.z_kib = spec->kind == PROBE_FIXED || spec->kind == PROBE_RAM ? spec->z_kib : 0,
		.seed = spec->guest.seed,
		.reason = xstrdup(""),
		.flags = xstrdup(""),
		.onset_t_us = -1,
		.started_s = unix_time_s(),
	};

	snprintf(rec.cell_key, sizeof(rec.cell_key), "%s", spec->cell_key);
	return rec;
}

struct probe_record probe_not_started(const struct probe_spec *spec, const struct err *e)
{
	struct probe_record rec = new_record(spec);
	struct probe p = { .rec = &rec };

	probe_end(&p, OUTCOME_BOOT_FAIL, "the guest was not started: %s", err_message(e));
	if (*err_detail(e))
		add_text(add_snapshot(&rec, PROBE_POST_MORTEM), "qemu.log", xstrdup(err_detail(e)));
	return rec;
}

struct probe_record probe_not_applicable(const struct probe_spec *spec, const char *why)
{
	struct probe_record rec = new_record(spec);
	struct probe p = { .rec = &rec };

	probe_end(&p, OUTCOME_NOT_APPLICABLE, "%s", why);
	return rec;
}

struct err *probe_run(const struct guest_ops *ops, void *ctx, const struct probe_spec *spec,
		      const struct probe_events *events, struct probe_record *ret)
{
	struct probe_record rec = new_record(spec);
	struct pressure begin, end;
	struct probe p = {
		.ops = ops,
		.spec = spec,
		.rec = &rec,
		.scale = strcmp(spec->guest.accel, "kvm") == 0 ? 1 : GUEST_SCALE_TCG,
	};

	if (events)
		p.events = *events;
	if (p.events.phase)
		p.events.phase(p.events.arg, PHASE_START);
	p.phase_start_ms = ops->now_ms(NULL);
	ops->pressure(ctx, &begin);

	struct err *e = ops->start(ctx, &spec->guest, &p.guest);

	if (e) {
		probe_record_deinit(&rec);
		return e;
	}
	rec.command_line = ops->command_line(p.guest);
	p.heard_ms = ops->now_ms(p.guest);
	live(&p);
	ops->pressure(ctx, &end);
	judge_host(&p, &begin, &end);
	rec.console = ops->console(p.guest);
	if (!outcome_is_answer(rec.outcome) && rec.outcome != OUTCOME_NOT_APPLICABLE)
		add_post_mortem(&p);
	probe_set_phase(&p, PHASE_TEARDOWN);
	ops->stop(p.guest);
	rec.phase_ms[PHASE_TEARDOWN] += ops->now_ms(NULL) - p.phase_start_ms;
	rec.output = strbuf_steal(&p.output);
	strbuf_deinit(&p.checkpoints);
	free(p.reply_error);
	free(p.reply_value);
	if (p.fatal) {
		probe_record_deinit(&rec);
		return p.fatal;
	}
	*ret = rec;
	return NULL;
}
