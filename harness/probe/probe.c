/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/probe/probe.h"

#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/evidence/guest-file.h"
#include "calibrate/evidence/text.h"
#include "harness/base/alloc.h"
#include "harness/base/clock.h"
#include "harness/base/format.h"
#include "harness/cell/probe-course.h"
#include "harness/host/host.h"
#include "harness/probe/probe-talk.h"

/*
 * One guest life. Its steps return false when the probe is over; p->rec then says how. Two things end a
 * probe early in every step: the line to the guest dies (agent-lost), or the phase takes too long (timeout or
 * boot-fail).
 */

/* --- What the agent is asked */

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

static json_t *message(const char *type)
{
	return json_pack("{s:s}", "type", type);
}

/** Which cgroup the ballast is in: where it grows beside a load, in one of its own; else it is the load. */
static const char *ballast_group(const struct probe *p)
{
	return p->spec->kind == PROBE_DISPLACEMENT ? "ballast" : "load";
}

/** "freeze" stops all processes of a group, "thaw" lets them go on. */
static bool ask_group(struct probe *p, const char *type, const char *group)
{
	return probe_call_ok(p, json_pack("{s:s, s:s}", "type", type, "group", group));
}

static json_t *write_request(const char *path, const char *value)
{
	return json_pack("{s:s, s:s, s:s}", "type", "write", "path", path, "value", value);
}

/** Writes value to a file in the guest; p->reply_value is what it says afterwards. */
static bool write_file(struct probe *p, const char *path, const char *value)
{
	return probe_call(p, write_request(path, value));
}

/** A knob that every kernel has: set, and read back as set. */
static bool set_sysctl(struct probe *p, const char *path, unsigned value)
{
	cleanup_free char *text = xasprintf("%u", value);

	if (!write_file(p, path, text))
		return false;
	if (!p->reply_ok || strcmp(p->reply_value, text) != 0)
		return probe_end(p, OUTCOME_INVALID, "knob %s: asked for %s, guest says '%s' %s", path, text,
				 p->reply_value, p->reply_error);
	return true;
}

/** Is swap on zram, so that the hypervisor sees nothing of it? */
static bool has_zram(const struct probe *p)
{
	return strcmp(p->spec->settings.swap, "zram") == 0;
}

/** Swap on a compressed disk in the guest's own RAM, of the size that the swap disk has. */
static bool swap_on_zram(struct probe *p)
{
	static const char path[] = "/sys/block/zram0/disksize";
	uint64_t kib = p->spec->guest.swap_mib * 1024ull;
	cleanup_free char *bytes = xasprintf("%" PRIu64, kib * 1024);

	if (!probe_call(p, message("zram")))
		return false;
	if (!p->reply_ok)
		return probe_end(p, OUTCOME_NOT_APPLICABLE, "this guest has no zram: %s", p->reply_error);
	if (!write_file(p, path, bytes))
		return false;
	/* It takes its size when it has its compressor, in some kernels a module that no other depends on. */
	if (!p->reply_ok)
		return probe_end(p, OUTCOME_NOT_APPLICABLE,
				 "this guest's zram takes no size; has the image its compressor? %s",
				 p->reply_error);
	if (strcmp(p->reply_value, bytes) != 0)
		return probe_end(p, OUTCOME_INVALID, "knob %s: asked for %s, guest says '%s'", path, bytes,
				 p->reply_value);
	return probe_call_ok(p, json_pack("{s:s, s:s, s:I}", "type", "swapon", "device", "/dev/zram0",
					  "mkswap_kib", (json_int_t)kib));
}

static bool swap_on(struct probe *p)
{
	if (has_zram(p))
		return swap_on_zram(p);
	return probe_call_ok(p, json_pack("{s:s, s:s}", "type", "swapon", "device", PROTO_SERIAL_SWAP));
}

/** After huge pages, which make the kernel raise it. */
static bool set_min_free(struct probe *p)
{
	return !p->spec->settings.min_free_kib ||
	       set_sysctl(p, "/proc/sys/vm/min_free_kbytes", p->spec->settings.min_free_kib);
}

static bool set_thp(struct probe *p)
{
	static const char path[] = "/sys/kernel/mm/transparent_hugepage/enabled";
	cleanup_free char *chosen = xasprintf("[%s]", p->spec->settings.thp);

	if (!write_file(p, path, p->spec->settings.thp))
		return false;
	if (!p->reply_ok && strcmp(p->spec->settings.thp, "never") != 0)
		return probe_end(p, OUTCOME_NOT_APPLICABLE, "this kernel has no transparent huge pages");
	if (p->reply_ok && !strstr(p->reply_value, chosen))
		return probe_end(p, OUTCOME_INVALID, "knob %s: asked for %s, guest says '%s'", path,
				 p->spec->settings.thp, p->reply_value);
	return true;
}

static bool set_mglru(struct probe *p)
{
	static const char path[] = "/sys/kernel/mm/lru_gen/enabled";

	if (!write_file(p, path, p->spec->settings.mglru ? "y" : "n"))
		return false;
	if (!p->reply_ok && p->spec->settings.mglru)
		return probe_end(p, OUTCOME_NOT_APPLICABLE, "this kernel has no multi-generational LRU");

	/* The file shows a bit mask of its parts, 0 when all are off. */
	bool is_on = p->reply_ok && strtoul(p->reply_value, NULL, 0) != 0;

	if (is_on != p->spec->settings.mglru)
		return probe_end(p, OUTCOME_INVALID, "knob %s: asked for %s, guest says '%s'", path,
				 p->spec->settings.mglru ? "on" : "off", p->reply_value);
	return true;
}

/** Has the agent send the evidence of a new snapshot: of each process only that file, unless it is NULL. */
static bool ask_evidence(struct probe *p, const char *name, const char *only)
{
	add_snapshot(p->rec, name);
	p->is_in_snapshot = true;

	bool go_on = probe_call_ok(
		p, json_pack("{s:s, s:s, s:s*}", "type", "snapshot", "name", name, "only", only));

	p->is_in_snapshot = false;
	return go_on;
}

/** Raw evidence of the load and the guest, and what the load has told at its checkpoints, under that name. */
static bool take_snapshot(struct probe *p, const char *name)
{
	bool go_on = ask_evidence(p, name, NULL);
	struct snapshot *s = &p->rec->snapshots[p->rec->snapshots_count - 1];

	if (go_on && p->checkpoints.len)
		add_text(s, "checkpoints", xstrdup(p->checkpoints.data));
	return go_on;
}

static void on_zone_number(void *arg, struct text_span key, uint64_t value, bool has_kib)
{
	struct probe *p = arg;

	(void)has_kib;
	if (text_span_is(key, "zoneinfo.high"))
		p->high_kib = value * 4;
}

static bool take_baseline(struct probe *p)
{
	if (!take_snapshot(p, "baseline"))
		return false;

	const struct snapshot *s = &p->rec->snapshots[p->rec->snapshots_count - 1];

	bool has_memory = false;

	for (size_t i = 0; i < s->files_count; i++) {
		const struct evidence *f = &s->files[i];

		if (f->pid)
			continue;
		if (strcmp(f->name, "zoneinfo") == 0)
			guest_file_each_number(f->name, f->data, f->len, on_zone_number, p);
		if (strcmp(f->name, "meminfo") == 0)
			has_memory =
				text_get_number(f->data, f->len, "MemTotal", &p->rec->mem_total_kib) &&
				text_get_number(f->data, f->len, "MemAvailable", &p->rec->mem_available0_kib);
	}
	return has_memory ||
	       probe_end(p, OUTCOME_INVALID, "guest did not tell its MemTotal and MemAvailable");
}

/**
 * With an instruction-counted clock, asks that a request take effect at a full second of guest time: when it
 * arrives depends on the host, and lives must not differ by that.
 */
static void align(const struct probe *p, json_t *request)
{
	if (p->spec->guest.icount)
		json_object_set_new(request, "align_ms", json_integer(1000));
}

/** Swap on, knobs set and verified, caches dropped, baseline taken, sampling started. */
static bool prepare(struct probe *p)
{
	const struct probe_spec *spec = p->spec;

	if (!swap_on(p))
		return false;
	if (!set_sysctl(p, "/proc/sys/vm/swappiness", spec->settings.swappiness) ||
	    !set_sysctl(p, "/proc/sys/vm/watermark_boost_factor", 0) || !set_thp(p) || !set_mglru(p) ||
	    !set_min_free(p))
		return false;
	/* 3: page cache, dentries and inodes; what boot left behind must not differ from guest to guest. */
	if (!spec->keeps_caches && !probe_call_ok(p, write_request("/proc/sys/vm/drop_caches", "3")))
		return false;
	if (!take_baseline(p))
		return false;

	json_t *watch =
		json_pack("{s:s, s:i, s:s, s:I, s:i, s:b}", "type", "watch", "tick_ms", (int)spec->tick_ms,
			  "rule", spec->rule->name, "pages", (json_int_t)spec->rule->pages, "window_ms",
			  (int)spec->rule->window_ms, "freeze", 1);

	align(p, watch);
	return probe_call_ok(p, watch);
}

static bool start(struct probe *p, const char *group, json_t *argv, json_t *env, bool in_root_image,
		  struct probe_process *process)
{
	json_t *m = message("start");

	json_object_set_new(m, "group", json_string(group));
	json_object_set_new(m, "argv", argv);
	json_object_set_new(m, "env", env);
	json_object_set_new(m, "chroot", json_boolean(in_root_image));
	align(p, m);
	if (!probe_call(p, m))
		return false;
	if (!p->reply_ok)
		return probe_end(p, OUTCOME_INVALID, "%s: %s",
				 p->has_onset ? "the guest swapped just before another process was to start"
					      : "the load does not start",
				 p->reply_error);
	process->pid = p->reply_pid;
	return true;
}

static void push_option(json_t *argv, const char *name, uint64_t value)
{
	cleanup_free char *text = xasprintf("%" PRIu64, value);

	json_array_append_new(argv, json_string(name));
	json_array_append_new(argv, json_string(text));
}

static bool start_ballast(struct probe *p)
{
	json_t *argv = json_pack("[s, s, s, s, s]", "/ballast", "--fill", p->spec->settings.fill, "--touch",
				 p->spec->settings.touch);

	push_option(argv, "--kib", p->spec->z_kib);
	push_option(argv, "--rate-kib-s", p->spec->ramp_kib_s);
	push_option(argv, "--seed", p->spec->guest.seed);
	/* One that stays has the time to settle. */
	if (p->spec->kind != PROBE_FIXED) {
		push_option(argv, "--slow-kib-s", p->spec->ramp_kib_s / PROBE_SLOW_PARTS);
		push_option(argv, "--slow-below-kib", p->high_kib + PROBE_SLOW_KIB);
	}
	return start(p, ballast_group(p), argv, json_array(), false, &p->ballast);
}

/** Starts one more process of the load. */
static bool start_load(struct probe *p)
{
	if (p->loads_n == PLAN_PROCESSES_MAX)
		return probe_end(p, OUTCOME_INVALID, "the load is to have more than %d processes",
				 PLAN_PROCESSES_MAX);

	struct probe_process *process = &p->loads[p->loads_n];
	json_t *argv = format_json_strings(p->spec->argv);

	if (p->spec->has_seed)
		push_option(argv, "--seed", p->spec->guest.seed + p->loads_n);
	if (!start(p, "load", argv, format_json_strings(p->spec->env), p->spec->is_in_image, process))
		return false;
	p->loads_n++;
	p->load_start_us = probe_last_sample_us(p);
	return true;
}

/** A process that has exited: one of the load rather than the ballast; NULL when none has. */
static const struct probe_process *find_exit(const struct probe *p)
{
	for (size_t i = 0; i < p->loads_n; i++)
		if (p->loads[i].has_exited)
			return &p->loads[i];
	return p->ballast.has_exited ? &p->ballast : NULL;
}

/** Has a process ended that should still be there? */
static bool has_exit(const struct probe *p)
{
	return find_exit(p) != NULL;
}

/** Has a process of the load ended, whatever the ballast did? */
static bool has_load_exit(const struct probe *p)
{
	return has_exit(p) && find_exit(p) != &p->ballast;
}

static bool has_ballast(const struct probe *p)
{
	return p->ballast.pid != 0;
}

/**
 * A process has exited that should not have yet: ends the probe with what that means. True for a workload
 * that just came to its end in growing.
 */
static bool explain_exit(struct probe *p)
{
	const struct probe_process *process = find_exit(p);

	assert(process);

	bool is_load = process != &p->ballast;
	const char *name = is_load || p->spec->kind != PROBE_DISPLACEMENT ? "load" : "ballast";
	cleanup_free char *line = probe_last_output_line(p);
	const char *sep = *line ? ": " : "";

	if (process->signal == SIGKILL && p->oom_kills)
		return probe_end(p, OUTCOME_OOM,
				 "the guest ran out of memory and swap, and its kernel killed the %s%s%s",
				 name, sep, line);
	if (process->signal)
		return probe_end(p, OUTCOME_INVALID, "the %s died of signal %d%s%s", name, process->signal,
				 sep, line);
	if (process->status == PROTO_STATUS_NOT_APPLICABLE && is_load)
		return probe_end(p, OUTCOME_NOT_APPLICABLE, "%s",
				 *line ? line : "the load says that this guest cannot have it");
	if (process->status)
		return probe_end(p, OUTCOME_INVALID, "the %s failed with status %d%s%s", name,
				 process->status, sep, line);
	if (p->spec->kind != PROBE_GROWTH)
		return probe_end(p, OUTCOME_INVALID, "the %s ended by itself%s%s",
				 is_load ? "load" : "ballast", sep, line);
	return true;
}

/** Has the ballast look whether it still holds what it wrote; one that does not makes the probe invalid. */
static bool verify_ballast(struct probe *p)
{
	const char *group = ballast_group(p);

	if (!probe_call_ok(p,
			   json_pack("{s:s, s:s, s:i}", "type", "signal", "group", group, "sig", SIGTERM)) ||
	    !ask_group(p, "thaw", group))
		return false;
	while (!p->ballast.has_exited)
		if (!probe_pump(p, 1000))
			return false;
	if (!p->is_verified && p->ballast.signal == SIGKILL)
		return probe_end(
			p, OUTCOME_OOM,
			"the ballast was killed in the guest after its last sample, as its kernel does when memory and swap are full");
	if (!p->is_verified)
		return probe_end(p, OUTCOME_INVALID, "the ballast ended without verifying its pages");
	if (p->bad_pages)
		return probe_end(p, OUTCOME_INVALID,
				 "%" PRIu64 " of the ballast's %" PRIu64
				 " pages do not hold what was written",
				 p->bad_pages, p->verified_pages);
	if (p->zero_pages)
		return probe_end(
			p, OUTCOME_INVALID,
			"%" PRIu64 " of the ballast's %" PRIu64
			" pages are zeros, which a kernel may swap without using RAM or disk: they do not count as Z",
			p->zero_pages, p->verified_pages);
	return true;
}

/* --- What happens in a guest under each method, from the first process started to the onset, or to rest. */

/* Evidence at checkpoints of one probe at most: of a workload that has many, the first ones. */
#define CHECKPOINT_SNAPSHOTS_MAX 16

/**
 * Waits for settle_ms of guest time, and longer while swap still moves; less when the guest swaps or a
 * process ends.
 */
static bool rest(struct probe *p)
{
	uint64_t start_us = probe_last_sample_us(p);

	probe_set_phase(p, PHASE_SETTLE);
	while (!p->has_onset && !has_exit(p)) {
		bool rested = probe_last_sample_us(p) - start_us >= p->spec->settle_ms * 1000ull;

		if (rested && onset_is_settled(p->rec->samples, p->rec->samples_count, p->spec->settle_ms))
			break;
		if (!probe_pump(p, 1000))
			return false;
	}
	return true;
}

/** The most that the load was charged for between two moments before the last sample. */
static uint64_t most_kib(const struct probe *p, uint64_t from_ms, uint64_t to_ms)
{
	const struct probe_record *r = p->rec;
	uint64_t last_us = probe_last_sample_us(p), most = 0;

	for (size_t i = r->samples_count; i--;) {
		const struct proto_sample *s = &r->samples[i];

		if (last_us - s->t_us > from_ms * 1000)
			break;
		if (last_us - s->t_us >= to_ms * 1000 && s->load_kib > most)
			most = s->load_kib;
	}
	return most;
}

/** What a load that works holds from one collection to the next. */
struct cycles {
	uint64_t seen;                    /* collections so far */
	unsigned n;                       /* cycles that have ended */
	uint64_t start_us;                /* of the one under way */
	uint64_t peak_kib, last_peak_kib; /* of the last cycle and of the one before */
};

/** Collections of the process that has had the fewest; false when one does not tell of any. */
static bool count_collections(const struct probe *p, uint64_t *ret)
{
	uint64_t fewest = UINT64_MAX;

	for (size_t i = 0; i < p->loads_n; i++) {
		if (!p->loads[i].has_collections)
			return false;
		fewest = p->loads[i].collections < fewest ? p->loads[i].collections : fewest;
	}
	*ret = fewest;
	return true;
}

/** Keeps the peaks of the load between its collections. False when it does not tell of any. */
static bool follow_cycles(struct probe *p, struct cycles *c)
{
	uint64_t now_us = probe_last_sample_us(p), collections;

	if (!count_collections(p, &collections))
		return false;
	if (collections > c->seen) {
		c->last_peak_kib = c->peak_kib;
		c->peak_kib = most_kib(p, (now_us - c->start_us) / 1000, 0);
		c->seen = collections;
		c->start_us = now_us;
		c->n++;
	}
	return true;
}

/** Is a peak no higher than the one before, but for one part in so many? */
static bool is_no_higher(uint64_t kib, uint64_t before_kib)
{
	return kib <= before_kib + before_kib / PROBE_STEADY_PARTS;
}

/**
 * Lets a running load work until it takes no more than before: at least two rounds, for only in the first do
 * forked processes come to own what they change, and then as long as its peak rises from one time of settling
 * to the next, and from one collection to the next where it tells of them: until a collector has made room
 * the heap may stand still for long and grow again. One that never comes to that is measured all the same,
 * with a flag.
 */
static bool work_in(struct probe *p)
{
	uint64_t settle_ms = p->spec->settle_ms, start_us = probe_last_sample_us(p);
	struct cycles cycles = { .start_us = start_us };

	/* With a deadline of its own: how long the load took to build says nothing of this. */
	probe_set_phase(p, PHASE_LOAD);
	p->has_free_run = true;
	count_collections(p, &cycles.seen);
	if (!probe_answer(p, "go", NULL))
		return false;
	while (!p->has_onset && !has_exit(p)) {
		uint64_t worked_ms = (probe_last_sample_us(p) - start_us) / 1000;
		uint64_t peak_kib = most_kib(p, settle_ms, 0);
		bool is_steady = is_no_higher(peak_kib, most_kib(p, 2 * settle_ms, settle_ms));

		if (follow_cycles(p, &cycles))
			is_steady &= cycles.n >= PROBE_CYCLES_MIN &&
				     is_no_higher(cycles.peak_kib, cycles.last_peak_kib);
		if (p->rounds >= PROBE_ROUNDS_MIN && worked_ms >= 2 * settle_ms && is_steady)
			return true;
		if (worked_ms > PROBE_WORK_SETTLES_MAX * settle_ms) {
			flags_add(&p->rec->flags, "not-steady");
			return true;
		}
		if (!probe_pump(p, 1000))
			return false;
	}
	return true;
}

/**
 * Lets the load go on for as long as a guest takes to settle, and one that works through whole cycles of its
 * collector, if it tells of them: what it uses once in a cycle it uses. Less when a process of it ends.
 */
static bool live_on(struct probe *p)
{
	uint64_t start_us = p->heartbeat_us, settle_us = p->spec->settle_ms * 1000ull, seen, now;
	bool has_cycles = p->spec->has_rounds && !p->is_stopped && count_collections(p, &seen);

	/* As long as building may take: a cycle has no length of ours. */
	probe_set_phase(p, PHASE_LOAD);
	while (!has_load_exit(p)) {
		uint64_t lived_us = p->heartbeat_us - start_us;
		bool is_whole = !has_cycles || (count_collections(p, &now) && now >= seen + PROBE_CYCLES_MIN);

		if (lived_us >= settle_us && (is_whole || lived_us > PROBE_WORK_SETTLES_MAX * settle_us))
			return true;
		if (!probe_pump(p, 1000))
			return false;
	}
	return true;
}

/** Are all pages of the guest to be made old? */
static bool is_aged(const struct probe *p)
{
	return strcmp(p->spec->settings.lru, "aged") == 0;
}

/** Waits until the ballast holds so much, or is full; less when the guest swaps or a process ends. */
static bool grow_ballast(struct probe *p, uint64_t kib)
{
	const struct probe_record *r = p->rec;

	probe_set_phase(p, PHASE_LOAD);
	while (!p->has_onset && !p->is_ballast_full && !has_exit(p) &&
	       (!r->samples_count || r->samples[r->samples_count - 1].load_pages * 4 < kib))
		if (!probe_pump(p, 1000))
			return false;
	return true;
}

/**
 * A ballast alone stands for a load: where loads are aged, its first half is as old as they are, and stands
 * still like them while the guest rests.
 */
static bool age_half(struct probe *p)
{
	return grow_ballast(p, p->rec->mem_available0_kib / 2) && ask_group(p, "freeze", "load") &&
	       probe_call_ok(p, message("age")) && rest(p) && (p->has_onset || ask_group(p, "thaw", "load"));
}

/** Starts the ballast and lets it grow until onset, or until it is all there and the guest at rest. */
static bool run_ballast(struct probe *p)
{
	bool is_alone = p->spec->kind != PROBE_DISPLACEMENT;

	if (!start_ballast(p))
		return false;
	if (is_alone && is_aged(p) && !age_half(p))
		return false;
	if (!grow_ballast(p, UINT64_MAX))
		return false;
	if (!p->has_onset && !has_exit(p) && !rest(p))
		return false;
	return p->has_onset || !has_exit(p) || explain_exit(p);
}

static bool start_loads(struct probe *p)
{
	probe_set_phase(p, PHASE_LOAD);
	for (unsigned i = 0; i < p->spec->processes; i++)
		if (!start_load(p))
			return false;
	return true;
}

static bool run_growth(struct probe *p)
{
	/* Nothing is measured at a step in this method: the workload may go on at once. */
	p->has_free_run = true;
	if (!start_loads(p))
		return false;
	while (!p->has_onset && !has_exit(p))
		if (!probe_pump(p, 1000))
			return false;
	return p->has_onset || explain_exit(p);
}

/**
 * Takes evidence of the load while it stands still. That takes memory of the guest, which may be the last it
 * had: such an onset is our own doing, and the load runs on after it.
 */
static bool snapshot_frozen(struct probe *p, const char *name)
{
	if (!ask_group(p, "freeze", "load") || !take_snapshot(p, name))
		return false;
	if (!p->is_stopped && !ask_group(p, "thaw", "load"))
		return false;
	return !p->has_onset || probe_end(p, OUTCOME_INVALID, "the guest swapped just when it was looked at");
}

/** May a checkpoint not give a snapshot its name? One of that name is there, or is for a moment of ours. */
static bool is_taken(const struct probe *p, const char *name)
{
	static const char *const ours[] = {
		"load", "onset", "end", PROBE_USED, PROBE_POST_MORTEM, PROBE_HOST
	};

	for (size_t i = 0; i < COUNT(ours); i++)
		if (strcmp(ours[i], name) == 0)
			return true;
	for (size_t i = 0; i < p->rec->snapshots_count; i++)
		if (strcmp(p->rec->snapshots[i].name, name) == 0)
			return true;
	return false;
}

/**
 * Evidence at a barrier on the way, under its name. Of the shipped workloads' build-1 to build-8 every second
 * one: that is enough for a mean, and evidence is large.
 */
static bool snapshot_checkpoint(struct probe *p)
{
	const char *name = p->loads[0].checkpoint;
	unsigned number;
	char rest[2];

	if (sscanf(name, "build-%u%1s", &number, rest) == 1 && number % 2)
		return true;
	if (p->checkpoint_snapshots == CHECKPOINT_SNAPSHOTS_MAX || is_taken(p, name))
		return true;
	p->checkpoint_snapshots++;
	return snapshot_frozen(p, name);
}

/** Has the load's memory stood still for as long as a guest takes to settle, since its last process came? */
static bool is_quiet(const struct probe *p)
{
	const struct probe_record *r = p->rec;
	uint64_t last_us = probe_last_sample_us(p), settle_us = p->spec->settle_ms * 1000ull;
	uint64_t lo = UINT64_MAX, hi = 0;

	if (last_us - p->load_start_us < settle_us)
		return false;
	for (size_t i = r->samples_count; i--;) {
		const struct proto_sample *s = &r->samples[i];

		lo = s->load_kib < lo ? s->load_kib : lo;
		hi = s->load_kib > hi ? s->load_kib : hi;
		if (last_us - s->t_us >= settle_us)
			return lo > 0 && hi - lo < PROBE_QUIET_KIB;
	}
	return false;
}

/**
 * Lets the load build up until all of its processes wait at "full", or, when it knows no checkpoints, until
 * it is quiet. Those that are full wait for the others. Ends early at an onset or when a process ends.
 */
static bool build(struct probe *p, bool with_snapshots)
{
	while (!p->has_onset && !has_exit(p)) {
		if (p->spec->has_checkpoints ? probe_all_wait(p, "full") : is_quiet(p))
			return true;
		if (probe_all_wait(p, NULL) &&
		    ((with_snapshots && !snapshot_checkpoint(p)) || !probe_answer(p, "go", "full")))
			return false;
		if (!probe_pump(p, 1000))
			return false;
	}
	return true;
}

/** Has the load, as it should be now, not come to be? Then this says why. */
static bool is_placed(struct probe *p)
{
	return p->has_onset || !has_exit(p) || (explain_exit(p) && false);
}

/**
 * Starts the load, waits until it has all that it will hold and the guest is at rest. It rests as long as a
 * fixed ballast, so that what either sets going in the guest has as much time to end. A running load goes on
 * with its work meanwhile, a frozen one is stopped for good.
 */
static bool place_load(struct probe *p)
{
	if (!start_loads(p) || !build(p, p->spec->kind == PROBE_DISPLACEMENT))
		return false;
	if (p->spec->has_rounds && !work_in(p))
		return false;
	/* What waits at a checkpoint stands still already; what knows none does not. */
	p->is_stopped = p->spec->is_frozen;
	if (p->is_stopped && !ask_group(p, "freeze", "load"))
		return false;
	if (is_aged(p) && !(probe_call_ok(p, message("age")) && live_on(p)))
		return false;
	if (p->spec->forgets_files && !probe_call_ok(p, message("unreference")))
		return false;
	return rest(p) && is_placed(p);
}

static bool run_displacement(struct probe *p)
{
	if (!place_load(p))
		return false;
	probe_set_phase(p, PHASE_EVIDENCE);
	if (p->has_onset)
		return probe_end(
			p, OUTCOME_INVALID,
			"the load alone made the guest swap: there is no room for a ballast beside it");
	return (p->spec->is_unseen || snapshot_frozen(p, "load")) && run_ballast(p);
}

static bool run_ram(struct probe *p)
{
	if (!place_load(p))
		return false;
	probe_set_phase(p, PHASE_EVIDENCE);
	return p->has_onset || snapshot_frozen(p, "load");
}

/** One more process: a new one, or one that the first forks. */
static bool add_process(struct probe *p)
{
	if (!p->spec->is_forked || !p->loads_n)
		return start_load(p);
	return probe_answer(p, "fork", NULL);
}

/**
 * Adds processes, one after the other is at its size, until onset. Those that are there rest at their
 * checkpoint.
 */
static bool run_population(struct probe *p)
{
	for (unsigned n = 1; n <= PLAN_PROCESSES_MAX; n++) {
		cleanup_free char *name = xasprintf("count-%u", n);

		probe_set_phase(p, PHASE_LOAD);
		if (!add_process(p) || !build(p, false) || !rest(p) || !is_placed(p))
			return false;
		probe_set_phase(p, PHASE_EVIDENCE);
		if (p->has_onset)
			return true;
		if (!snapshot_frozen(p, name))
			return false;
	}
	return true;
}

/* --- From the start of a guest to its answer */

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

static bool (*const courses[PROBE_KIND_COUNT])(struct probe *p) = {
	[PROBE_RAMP] = run_ballast,
	[PROBE_FIXED] = run_ballast,
	[PROBE_GROWTH] = run_growth,
	[PROBE_POPULATION] = run_population,
	[PROBE_DISPLACEMENT] = run_displacement,
	[PROBE_RAM] = run_ram,
};

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
	if (has_zram(p))
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
			flags_add(&p->rec->flags, "no-swap-disk-count");
			err_free(e);
			return true;
		}
		p->rec->swap_written_bytes = bytes;
		if (!p->has_onset || has_zram(p) || bytes >= rule_bytes(p) ||
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

	if (!has_load_exit(p) || kind == PROBE_DISPLACEMENT || (kind == PROBE_GROWTH && !p->has_onset))
		return true;
	if (!explain_exit(p))
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
	if (has_ballast(p) && p->ballast_pages < r->load_pages) {
		probe_end(p, OUTCOME_INVALID,
			  "the ballast knows of %" PRIu64 " pages, but was seen to hold %" PRIu64,
			  p->ballast_pages, r->load_pages);
		return;
	}
	if (touch_is_behind(p))
		flags_add(&p->rec->flags, "touch-behind");
	if (swap_disk_disagrees(p, host.found))
		flags_add(&p->rec->flags, "swap-disk-disagrees");
	if (host.found)
		probe_end(p, OUTCOME_ONSET, "%s", "");
	else
		probe_end(p, OUTCOME_NO_ONSET, "%s", no_onset_reason(p));
}

/** Was the load looked at when it was at rest? */
static bool has_load_snapshot(const struct probe *p)
{
	for (size_t i = 0; i < p->rec->snapshots_count; i++)
		if (strcmp(p->rec->snapshots[i].name, "load") == 0)
			return true;
	return false;
}

/**
 * Finds out which file pages a load at rest uses: what its page tables say of the time that a guest takes to
 * settle. That begins with forgetting what was used before, which the kernel takes for a reason to swap
 * private copies of such pages, so it comes last, when the load is weighed and the ballast gone. A
 * known-answer load has its file pages in use, or not, by what it is.
 */
static bool find_used(struct probe *p)
{
	if (!p->spec->is_in_image || !has_load_snapshot(p))
		return true;
	if (!p->is_stopped && !ask_group(p, "thaw", "load"))
		return false;
	if (!probe_call_ok(p, message("unreference")) || !live_on(p))
		return false;
	probe_set_phase(p, PHASE_EVIDENCE);
	if (!ask_evidence(p, PROBE_USED, "smaps"))
		return false;
	return !has_load_exit(p) ||
	       probe_end(p, OUTCOME_INVALID, "the load ended before it was known which pages it uses");
}

/** After the last snapshot: looks whether all is there and the witnesses agree, and ends the probe. */
static void conclude(struct probe *p)
{
	if (!is_evidence_whole(p) || !count_swap_writes(p))
		return;
	if ((!has_ballast(p) || verify_ballast(p)) && find_used(p))
		judge(p);
}

static void run_phases(struct probe *p)
{
	if (!boot(p))
		return;
	probe_set_phase(p, PHASE_PREPARE);
	if (!prepare(p) || !courses[p->spec->kind](p))
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
	if (take_snapshot(p, p->has_onset ? "onset" : "end"))
		conclude(p);
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
		flags_add(&p->rec->flags, "host-swapped");
	if (disturbed & PRESSURE_MEMORY)
		flags_add(&p->rec->flags, "host-memory");
	if (disturbed & PRESSURE_BUSY)
		flags_add(&p->rec->flags, "host-busy");
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
