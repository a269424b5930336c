/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/vm/console.h"
#include "harness/probe/probe-internal.h"

/*
 * Phases of a probe, talking to its guest, and how a probe ends when the guest can no longer be talked to or
 * takes too long.
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
	return e ? probe_end_talk(p, e) : !p->is_over;
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
