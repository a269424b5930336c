/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>

#include "harness/probe/probe-internal.h"

/* What a probe answers, once its evidence is there: whether all witnesses have it, and agree. */

/* How long pages that the guest's kernel counted as swapped out may take to reach the disk of a busy host. */
#define SWAP_WRITES_WAIT_MS 3000

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
	if (probe_touch_is_behind(p))
		probe_flag(p, "touch-behind");
	if (swap_disk_disagrees(p, host.found))
		probe_flag(p, "swap-disk-disagrees");
	if (host.found)
		probe_end(p, OUTCOME_ONSET, "%s", "");
	else
		probe_end(p, OUTCOME_NO_ONSET, "%s", no_onset_reason(p));
}

void probe_conclude(struct probe *p)
{
	if (!is_evidence_whole(p) || !count_swap_writes(p))
		return;
	if (!probe_has_ballast(p) || probe_verify_ballast(p))
		judge(p);
}
