/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/log.h"
#include "harness/probe/probe-internal.h"
#include "harness/vm/console.h"

/* Phases of a probe, and how it ends, also when its guest can no longer be talked to or takes too long. */

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

bool probe_end_lost(struct probe *p, const char *what)
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
			"guest was paused by the hypervisor, which cannot read or write one of its disks, as "
			"when the file system below its swap is full (%s)",
			what);
	case GUEST_STOPPED:
		return probe_end(p, outcome,
				 "QEMU was stopped from outside, as by SIGSTOP or a debugger (%s)", what);
	case GUEST_RUNNING:
		break;
	}
	return probe_end(p, outcome, "%s%s%s", what, sep, line);
}

bool probe_end_deadline(struct probe *p)
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
	probe_end_lost(p, err_message(e));
	err_free(e);
	return false;
}

bool probe_send(struct probe *p, json_t *json)
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
