/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/probe/probe.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/clock.h"
#include "harness/host/host-pressure.h"
#include "harness/probe/probe-internal.h"

/*
 * One guest life. Its steps return false when the probe is over; p->rec then says how. Two things end a
 * probe early in every step: the line to the guest dies (agent-lost), or the phase takes too long (timeout or
 * boot-fail).
 */

/* How long pages that the guest's kernel counted as swapped out may take to reach the disk of a busy host. */
#define SWAP_WRITES_WAIT_MS 3000

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
			return probe_end_talk(p, e);
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

/** Did the ballast touch fewer pages than its pattern asks for? Known once it has verified its pages. */
static bool touch_is_behind(const struct probe *p)
{
	bool is_touching = strcmp(p->spec->settings.touch, "none") != 0;

	/* While it grows, four for each page (guest/loads/ballast.c): less than half of that is another
	 * pattern. */
	return is_touching && p->is_verified && p->touched_pages < 2 * p->ballast_pages;
}

/** The guest has been seen to the end: what is the answer, and do the witnesses agree? */
static void judge(struct probe *p)
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
	if (touch_is_behind(p))
		probe_flag(p, "touch-behind");
	if (swap_disk_disagrees(p, host.found))
		probe_flag(p, "swap-disk-disagrees");
	if (host.found)
		probe_end(p, OUTCOME_ONSET, "%s", "");
	else
		probe_end(p, OUTCOME_NO_ONSET, "%s", no_onset_reason(p));
}

/** After the last snapshot: looks whether all is there and the witnesses agree, and ends the probe. */
static void conclude(struct probe *p)
{
	if (!is_evidence_whole(p) || !count_swap_writes(p))
		return;
	if (!probe_has_ballast(p) || probe_verify_ballast(p))
		judge(p);
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
		conclude(p);
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

/** Adds what tells, beside console, output and series, why there is no answer. */
static void add_post_mortem(struct probe *p)
{
	struct snapshot *s = add_snapshot(p->rec, PROBE_POST_MORTEM);

	add_text(s, "qemu.log", p->ops->log(p->guest));
	add_text(s, "qemu-exit", p->ops->ending(p->guest));
}

/** Was the host disturbed? Its own figures are kept, so that another rule can be judged later. */
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
