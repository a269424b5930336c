/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/probe/probe.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/clock.h"
#include "harness/host/host-pressure.h"
#include "harness/probe/probe-internal.h"

/*
 * One guest life. Its steps return false when the probe is over; p->rec then says how. Two things end a
 * probe early in every step: the line to the guest dies (agent-lost), or the phase takes too long (timeout or
 * boot-fail).
 */

static bool boot(struct probe *p)
{
	probe_set_phase(p, PHASE_BOOT);
	while (!p->has_hello)
		if (!probe_pump(p, 1000))
			return false;
	return true;
}

static bool run_method(struct probe *p)
{
	switch (p->spec->kind) {
	case PROBE_RAMP:
	case PROBE_FIXED:
		return probe_run_ballast(p);
	case PROBE_GROWTH:
		return probe_run_growth(p);
	case PROBE_POPULATION:
		return probe_run_population(p);
	case PROBE_DISPLACEMENT:
		return probe_run_displacement(p);
	case PROBE_RAM:
		return probe_run_ram(p);
	}
	return false;
}

static void run_phases(struct probe *p)
{
	if (!boot(p))
		return;
	probe_set_phase(p, PHASE_PREPARE);
	if (!probe_prepare(p) || !run_method(p))
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
	if (probe_snapshot(p, p->has_onset ? "onset" : "end"))
		probe_conclude(p);
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
		.started_s = clock_unix_s(),
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
	run_phases(&p);
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
