/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One guest life against the simulated guest: each way a life can end is the outcome it should be, with a
 * reason that tells a person what happened, and nothing hangs.
 */
#include "tests/sim/guest-sim.h"
#include "tests/sim/spec.h"
#include "tests/unit/errors.h"

/* Of the next probe, and what came of the last one. */
static struct guest_sim_params params;
static struct probe_spec spec;
static struct probe_record r;

/** A probe of that kind on the usual guest. */
static void prepare(enum probe_kind kind, uint64_t z_mib)
{
	params = (struct guest_sim_params)GUEST_SIM_PARAMS_INIT;
	spec = make_spec(kind, z_mib);
}

/** Runs it: it must not fail outright, and has that outcome. */
static void run(const char *outcome, const char *what)
{
	struct probe_record now;

	must(probe_run(&guest_sim_ops, &params, &spec, NULL, &now));
	probe_record_deinit(&r);
	r = now;
	is_str(outcome_name(r.outcome), outcome, what);
}

static void run_with_reason(const char *outcome, const char *words, const char *what)
{
	run(outcome, what);
	has_str(r.reason, words, words);
}

static const struct snapshot *find_snapshot(const char *name)
{
	for (size_t i = 0; i < r.snapshots_count; i++)
		if (strcmp(r.snapshots[i].name, name) == 0)
			return &r.snapshots[i];
	return NULL;
}

static void test_ramp(void)
{
	prepare(PROBE_RAMP, 512);
	run("onset", "a ramp to 512 MiB reaches the onset");
	is_near((double)r.load_pages * 4 / 1024, 188, 1.5, "near the threshold");
	ok(r.onset_swapped_pages >= 32, "with the pages the rule wants");
	ok(r.onset_t_us > 0 && r.samples_count > 100, "and its time and series");
	ok(r.swap_written_bytes > 0, "the swap disk was written to");
	is_str(r.flags, "", "no doubts");
	is_int(r.mem_total_kib, params.mem_total_kib, "MemTotal is read from the baseline");
	ok(find_snapshot("baseline") && find_snapshot("onset"), "evidence before the load and at onset");
}

static void test_fixed(void)
{
	prepare(PROBE_FIXED, 187);
	run("no-onset", "below the threshold nothing happens");
	is_int(r.load_pages, 187 * 256, "the ballast holds exactly what was asked");
	ok(find_snapshot("end") && !find_snapshot("onset"), "evidence at the end");
	ok(r.phase_ms[PHASE_SETTLE] >= 3000, "the guest had its time to settle");
	prepare(PROBE_FIXED, 189);
	run("onset", "above it the guest swaps");
}

static void test_growth(void)
{
	prepare(PROBE_GROWTH, 0);
	run("onset", "a workload that grows reaches the onset");
	is_int(find_snapshot("onset") != NULL, 1, "with evidence");
	params.workload_max_kib = 64 * 1024;
	run_with_reason("no-onset", "ended before", "one that ends before does not");
}

static unsigned count_pids(const struct snapshot *s)
{
	unsigned n = 0;

	for (size_t i = 0; s && i < s->files_count; i++)
		n += s->files[i].pid && strcmp(s->files[i].name, "smaps") == 0;
	return n;
}

static void test_displacement(void)
{
	bool is_ballast_alone = true;

	prepare(PROBE_DISPLACEMENT, 512);
	run("onset", "beside a load of 48 MiB a ballast reaches the onset");
	is_near((double)r.load_pages * 4 / 1024, 188 - 48, 1.5, "48 MiB earlier");
	is_int(count_pids(find_snapshot("load")), 1, "the load is measured before the ballast came");
	is_int(count_pids(find_snapshot("onset")), 2, "and with it at onset");
	for (size_t i = 0; i < r.samples_count; i++)
		is_ballast_alone &= r.samples[i].load_pages <= r.load_pages;
	ok(is_ballast_alone, "the series counts the ballast's pages only");
	ok(r.phase_ms[PHASE_SETTLE] >= 3000, "the load had its time to settle");
	is_str(r.flags, "", "no doubts");

	params.fixed_kib = 0;
	run("onset", "beside a load of nothing too");
	is_near((double)r.load_pages * 4 / 1024, 188, 1.5, "which displaces nothing");

	prepare(PROBE_DISPLACEMENT, 100);
	run("no-onset", "a ballast that ends too soon is an answer too");
	is_int((long long)r.load_pages, 100 * 256, "with all that it holds");
}

static const struct evidence *find_file(const struct snapshot *s, const char *name)
{
	for (size_t i = 0; s && i < s->files_count; i++)
		if (!s->files[i].pid && strcmp(s->files[i].name, name) == 0)
			return &s->files[i];
	return NULL;
}

static void test_processes(void)
{
	prepare(PROBE_DISPLACEMENT, 512);
	spec.processes = 3;
	spec.is_frozen = true;
	run("onset", "beside three processes a ballast reaches the onset");

	const struct evidence *log = find_file(find_snapshot("load"), "checkpoints");

	is_near((double)r.load_pages * 4 / 1024, 188 - 3 * 48, 1.5, "three times 48 MiB earlier");
	is_int(count_pids(find_snapshot("load")), 3, "all three are measured");
	if (ok(log != NULL, "what they told at their checkpoints is kept"))
		has_str(log->data, " 103 full cpu_ms=120\n", "with its process");

	spec.is_frozen = false;
	spec.has_rounds = true;
	run("onset", "beside three that go on working, too");
	log = find_file(find_snapshot("load"), "checkpoints");
	ok(log && strstr(log->data, " 103 round-1\n"), "which have worked before they are measured");
	is_str(r.flags, "", "and are steady");

	/* Its number comes from the results file. */
	params.fixed_kib = 1024;
	spec.processes = 1000;
	run_with_reason("invalid", "more than 32 processes", "more processes than any plan has are none");
}

/** Of a load that has a lot to say what counts is kept, and the rest not without end. */
static void test_talkative(void)
{
	cleanup_free char *line = xasprintf("round-1 %020000d", 0);

	prepare(PROBE_DISPLACEMENT, 512);
	params.round = line;
	spec.has_rounds = true;
	run("onset", "a load of many words");

	const struct evidence *log = find_file(find_snapshot("onset"), "checkpoints");

	if (ok(log != NULL, "has a log")) {
		ok(log->len > 60000 && log->len < 160000, "of its last words");
		ok(strstr(log->data, " 101 full cpu_ms=120\n") != NULL, "and of when it was complete");
	}
}

static unsigned count_snapshots(const char *name)
{
	unsigned n = 0;

	for (size_t i = 0; i < r.snapshots_count; i++)
		n += strcmp(r.snapshots[i].name, name) == 0;
	return n;
}

/** Does the load's checkpoint log have a line with that end? */
static bool told(const char *end)
{
	const struct evidence *log = find_file(find_snapshot("load"), "checkpoints");

	return log && strstr(log->data, end);
}

/** A heap that stands still for longer than a guest settles, and grows again until its next collection. */
static void test_cycles(void)
{
	prepare(PROBE_DISPLACEMENT, 512);
	spec.has_rounds = true;
	params.cycle_rounds = 16;
	params.garbage_kib = 16 * 1024;
	run("onset", "a load whose heap goes up and down is displaced");
	ok(told("collections=2\n") && !told("collections=3\n"), "after two whole cycles");
	is_str(r.flags, "", "for the second was no higher than the first");
	params.cycle_rounds = 1000;
	run("onset", "one whose cycles do not end is measured all the same");
	is_str(r.flags, "not-steady", "with a doubt");
}

/** One that takes long to build, and then to work a single round, is measured all the same. */
static void test_slow_rounds(void)
{
	prepare(PROBE_DISPLACEMENT, 512);
	params.first_checkpoint = "build-4";
	params.round_us = 100000000;
	spec.has_rounds = true;
	spec.guest.accel = "kvm";
	run("onset", "a load of slow rounds is displaced");
	is_str(r.flags, "not-steady", "with a doubt");
}

/** Evidence on the way has the name of its checkpoint, unless a moment of ours has it. */
static void test_checkpoint_names(void)
{
	static const char *const names[] = { "build-4", "load", "onset" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		prepare(PROBE_DISPLACEMENT, 512);
		params.first_checkpoint = names[i];
		run("onset", "a load comes to a checkpoint before it is full");
		is_int(count_snapshots(names[i]), 1, names[i]);
		is_int((long long)r.snapshots_count, i ? 4 : 5,
		       "baseline, load, onset, the one on the way, and the host");
	}
}

/** A load of the image is asked, when it is weighed, which pages it uses: with the ballast gone. */
static void test_used(void)
{
	prepare(PROBE_DISPLACEMENT, 512);
	run("onset", "a known-answer load");
	ok(!find_snapshot("used"), "has its file pages in use by what it is");
	spec.is_in_image = true;
	run("onset", "a program");

	const struct snapshot *s = find_snapshot("used");

	if (ok(s != NULL, "is asked which pages it uses")) {
		is_int((long long)s->files_count, 1, "by a single file");
		is_str(s->files[0].name, "smaps", "smaps");
		ok(s > find_snapshot("onset"), "after the onset");
	}
	ok(!params.is_load_frozen, "while it goes on");
	spec.is_frozen = true;
	run("onset", "one that is weighed frozen");
	ok(find_snapshot("used") && params.is_load_frozen, "is asked too, and stays so");
	spec = make_spec(PROBE_RAM, 256);
	spec.is_in_image = true;
	params.threshold_per_mib = 1000;
	run("no-onset", "a load in a guest with room for it");
	ok(find_snapshot("used") != NULL, "is asked at the end");
}

/** One thing otherwise than usual, which the guest is asked for. */
static void test_ways(void)
{
	prepare(PROBE_DISPLACEMENT, 512);
	spec.is_in_image = true;
	run("onset", "the usual way");
	is_int(params.drops, 1, "page cache is dropped once");
	is_int(params.forgets, 1, "the load's used pages are forgotten once");
	spec.is_unseen = true;
	run("onset", "unseen");
	ok(!find_snapshot("load") && !find_snapshot("used") && find_snapshot("onset"),
	   "nothing is looked at before the onset");
	spec.is_unseen = false;
	spec.keeps_caches = true;
	params.drops = 0;
	run("onset", "with the page cache of the boot");
	is_int(params.drops, 0, "it is kept");
	spec.forgets_files = true;
	params.forgets = 0;
	run("onset", "with used pages forgotten before the ballast");
	is_int(params.forgets, 2, "they are so twice");
}

/** All pages are made old when the load is at its size, or a ballast has the half of what a guest has. */
static void test_aged(void)
{
	prepare(PROBE_DISPLACEMENT, 512);
	run("onset", "a virgin guest");
	is_int((long long)params.aged_kib, 0, "is left alone");
	spec.settings.lru = "aged";
	run("onset", "an aged one");
	is_int((long long)params.aged_kib, 48 * 1024, "is made so with the load, before the ballast");
	prepare(PROBE_RAMP, 512);
	spec.settings.lru = "aged";
	run("onset", "a ballast alone");
	is_near((double)params.aged_kib, 199724 / 2.0, 4096, "is half old");
	is_near((double)r.load_pages * 4 / 1024, 188, 1.5, "and grows on to the threshold");
	prepare(PROBE_FIXED, 64);
	spec.settings.lru = "aged";
	run("no-onset", "a small one");
	is_int((long long)params.aged_kib, 64 * 1024, "is all old");
}

static void test_population(void)
{
	prepare(PROBE_POPULATION, 0);
	run("onset", "processes are added until onset");
	is_int(count_pids(find_snapshot("count-3")), 3, "three of 48 MiB have room");
	ok(!find_snapshot("count-4"), "the fourth has not");
	is_int(count_pids(find_snapshot("onset")), 4, "and is there at onset");
	spec.is_forked = true;
	run("onset", "the same with processes that the first one forks");
	is_int(count_pids(find_snapshot("count-3")), 3, "three have room");
	is_int(count_pids(find_snapshot("onset")), 4, "the fourth has not");
	spec.is_forked = spec.has_checkpoints = false;
	params.never_full = true;
	run("onset", "the same with processes that know no checkpoints");
	ok(r.phase_ms[PHASE_LOAD] >= 3 * 3000, "each of which is waited for");
	params.never_full = false;
	spec.is_forked = spec.has_checkpoints = true;
	params.fixed_kib = 1024;
	run_with_reason("no-onset", "largest number of processes",
			"when as many as can be started have room, that is no onset");
}

static void test_ram(void)
{
	prepare(PROBE_RAM, 256);
	params.threshold_per_mib = 1000;
	run("no-onset", "a guest with room for the load does not swap");

	is_int((long long)r.z_kib, 256 * 1024, "its RAM is what was asked");
	ok(find_snapshot("load") != NULL, "the load is measured");
	ok(r.load_pages * 4 >= 48 * 1024, "what its cgroup is charged is kept");
	ok(!params.is_load_frozen, "a running load is not stopped");
	spec.is_frozen = true;
	spec.has_checkpoints = false;
	run("no-onset", "nor with one that knows no checkpoints");
	ok(params.is_load_frozen, "which is stopped when it is to be frozen");
	spec.guest.ram_mib = 100;
	spec.z_kib = 100 * 1024;
	run("onset", "one without does");
	is_str(r.reason, "", "which is an answer and no fault");
}

static void test_host(void)
{
	struct pressure host[2] = {
		{ .t_us = 1e6, .cpus = 2, .mem_total_kib = 1000, .mem_available_kib = 900 }
	};

	host[1] = host[0];
	host[1].t_us = 11e6;
	prepare(PROBE_GROWTH, 0);
	params.host = host;
	run("onset", "a growth on a calm host");
	is_str(r.flags, "", "is no doubt");
	is_str(r.snapshots[r.snapshots_count - 1].name, "host", "what it says is kept");
	has_str(r.snapshots[r.snapshots_count - 1].files[0].data, "\"mem_available_kib\": 900.0",
		"in numbers");
	host[1].pswpout = 1000;
	host[1].mem_available_kib = 40;
	host[1].load_1min = 9;
	host[1].cpu_some_us = 9e6;
	run("onset", "a disturbed host leaves the answer");
	is_str(r.flags, "host-swapped,host-memory,host-busy", "with its flags");
}

static void test_post_mortem(void)
{
	struct err *failed = err_set_detail(err_new("no disk"), xstrdup("qemu: no\n"));

	prepare(PROBE_RAMP, 512);
	params.load_state = GUEST_GONE;
	params.qemu_said = "qemu-system-x86_64: no\n";
	run("agent-lost", "a guest that is gone");

	const struct snapshot *s = &r.snapshots[r.snapshots_count - 1];

	is_str(s->name, "post-mortem", "a probe without an answer has a post-mortem");
	is_int(s->files_count, 2, "of two pieces");
	is_str(s->files[0].name, "qemu.log", "the log");
	is_str(s->files[0].data, "simulated\nqemu-system-x86_64: no\n", "as QEMU wrote it");
	is_str(s->files[1].name, "qemu-exit", "and the end");
	is_str(s->files[1].data, "exit status 0", "as it was");
	probe_record_deinit(&r);
	r = probe_not_started(&spec, failed);
	is_str(r.reason, "the guest was not started: no disk", "one that was not started has a reason");
	is_str(r.snapshots[0].files[0].data, "qemu: no\n", "and the log");
	err_free(failed);
}

/** A fault, the outcome it must have, and words its reason must have. */
#define FAULT(set, kind, z_mib, want, words)                                                                 \
	do {                                                                                                 \
		prepare(kind, z_mib);                                                                        \
		params.set;                                                                                  \
		run_with_reason(want, words, #set ": " want);                                                \
	} while (0)

static void test_faults(void)
{
	FAULT(boot_fail = true, PROBE_RAMP, 512, "boot-fail", "phase 'boot' took more than");
	FAULT(hello_error = "no root disk", PROBE_RAMP, 512, "boot-fail", "guest is unfit: no root disk");
	FAULT(panic_at_start = true, PROBE_RAMP, 512, "agent-lost", "panic");
	has_str(r.console, "Kernel panic", "which the console shows");
	FAULT(silent = true, PROBE_RAMP, 512, "agent-lost", "silent");
	FAULT(load_state = GUEST_STOPPED, PROBE_RAMP, 512, "agent-lost", "SIGSTOP or a debugger");
	FAULT(boot_state = GUEST_STOPPED, PROBE_RAMP, 512, "boot-fail", "SIGSTOP or a debugger");
	FAULT(load_state = GUEST_PAUSED, PROBE_RAMP, 512, "agent-lost", "paused by the hypervisor");
	FAULT(load_state = GUEST_DISK_ERROR, PROBE_RAMP, 512, "agent-lost", "below its swap is full");
	FAULT(load_state = GUEST_GONE, PROBE_RAMP, 512, "agent-lost", "guest ended unasked");
	FAULT(load_state = GUEST_GONE; params.qemu_ending = "signal 9 (Killed)", PROBE_RAMP, 512,
				       "agent-lost", "QEMU ended unasked, with signal 9 (Killed)");
	FAULT(boot_state = GUEST_GONE; params.qemu_ending = "exit status 1";
	      params.qemu_said = "qemu-system-x86_64: first\nqemu-system-x86_64: cannot\n", PROBE_RAMP, 512,
	      "boot-fail", "with exit status 1: qemu-system-x86_64: cannot");
	FAULT(corrupt = true, PROBE_RAMP, 512, "agent-lost", "");
	FAULT(start_error = "cannot execute 'x': No such file", PROBE_GROWTH, 0, "invalid", "No such file");
	FAULT(exit_at_once = true, PROBE_GROWTH, 0, "invalid", "failed with status 1");
	FAULT(oom = true, PROBE_RAMP, 512, "oom", "memory and swap");
	FAULT(late_oom = true, PROBE_GROWTH, 0, "oom", "killed the load");
	FAULT(late_oom = true, PROBE_POPULATION, 0, "oom", "killed the load");
	FAULT(late_oom = true, PROBE_DISPLACEMENT, 512, "onset", "");
	FAULT(swaps_at = "load", PROBE_DISPLACEMENT, 512, "invalid", "just when it was looked at");
	FAULT(swaps_at = "load", PROBE_RAM, 256, "invalid", "just when it was looked at");
	FAULT(swaps_at = "count-2", PROBE_POPULATION, 0, "invalid", "just when it was looked at");
	FAULT(lose_samples = 5, PROBE_RAMP, 512, "invalid", "samples were lost");
	FAULT(bad_pages = 3, PROBE_FIXED, 100, "invalid", "3 of the ballast's");
	FAULT(mute_onset = true, PROBE_FIXED, 200, "invalid", "guest and host disagree");
	FAULT(fixed_kib = 190 * 1024, PROBE_DISPLACEMENT, 512, "invalid",
	      "the load alone made the guest swap");
	FAULT(exit_at_once = true, PROBE_DISPLACEMENT, 512, "invalid",
	      "the load failed with status 1: load: no such module");
	FAULT(not_applicable = true, PROBE_DISPLACEMENT, 512, "not-applicable",
	      "this guest has no such memory");
	FAULT(fixed_ends_kib = 50 * 1024, PROBE_DISPLACEMENT, 512, "invalid", "the load died of signal 11");
	FAULT(bad_pages = 3, PROBE_DISPLACEMENT, 512, "invalid", "3 of the ballast's");
	FAULT(kills_itself = true, PROBE_DISPLACEMENT, 512, "invalid", "the load died of signal 9");
	FAULT(forks = true, PROBE_DISPLACEMENT, 512, "invalid",
	      "the load wants more than 512 processes and threads");
	FAULT(garbage = true, PROBE_DISPLACEMENT, 512, "invalid", "what is not a checkpoint: 'hello?'");
	FAULT(never_full = true, PROBE_DISPLACEMENT, 512, "timeout", "phase 'load' took more than");
	FAULT(workload_rate_kib_s = 0, PROBE_GROWTH, 0, "timeout", "phase 'load' took more than");
}

/** A ballast that needs longer than the usual deadline for its own size is no guest that hangs. */
static void test_slow_ramp(void)
{
	prepare(PROBE_RAMP, 512);
	spec.ramp_kib_s = 1024;
	spec.guest.accel = "kvm";
	run("onset", "a ramp of three minutes reaches its onset");
	ok(r.phase_ms[PHASE_LOAD] > 180000, "which takes three minutes");
}

static void test_doubts(void)
{
	prepare(PROBE_RAMP, 512);
	params.mute_swap_disk = true;
	run("onset", "a swap disk that contradicts does not change the answer");
	is_str(r.flags, "swap-disk-disagrees", "but flags it");
}

/** Moments in which it stood still do not add up, as long as it is heard between them. */
static void test_debugged(void)
{
	prepare(PROBE_RAMP, 512);
	params.is_debugged = true;
	/* So that its state is asked for at the end too. */
	params.mute_swap_disk = true;
	run("onset", "a guest that stands still for moments comes to its end");
	is_str(r.reason, "", "without a word on that");
}

static void test_negative_control(void)
{
	prepare(PROBE_FIXED, 100);
	spec.settings.fill = "zero";
	run_with_reason("invalid", "zeros", "a ballast of zeros is invalid");
}

static void test_zram(void)
{
	prepare(PROBE_RAMP, 512);
	spec.settings.swap = "zram";
	run("onset", "a guest swaps to zram");
	is_str(r.flags, "", "that its swap disk knows nothing of it is as it should be");
	is_int((long long)r.swap_written_bytes, 0, "the record says so");
	params.zram_writes_disk = true;
	run("onset", "it also swaps when that is seen on the disk");
	is_str(r.flags, "swap-disk-disagrees", "writes to the swap disk are a doubt then");
	params.zram_writes_disk = false;
	params.no_zram = true;
	run_with_reason("not-applicable", "no zram: the image has no module", "a guest without zram");
	spec.settings.swap = "disk";
	run("onset", "which is no matter when the disk is asked for");
	params.no_zram = false;
	params.stuck_file = "disksize";
	spec.settings.swap = "zram";
	run_with_reason("invalid", "disksize: asked for 536870912", "a zram of another size");
}

static void test_settings(void)
{
	prepare(PROBE_RAMP, 512);
	spec.settings.min_free_kib = 8192;
	spec.settings.touch = "sweep";
	run("onset", "settings that the guest takes");
	params.stuck_file = "min_free_kbytes";
	run_with_reason("invalid", "min_free_kbytes: asked for 8192, guest says '1'",
			"min_free_kbytes that stays what it was");
	spec.settings.min_free_kib = 0;
	run("onset", "which is not touched when nothing is asked");
	is_str(r.flags, "", "no doubts about a ballast that touches as many pages as it should");
	params.touch_behind = true;
	run("onset", "nor about the onset when it touches fewer");
	is_str(r.flags, "touch-behind", "but about the ballast");
	params.stuck_file = "swappiness";
	run_with_reason("invalid", "swappiness: asked for 60, guest says '1'", "another swappiness");
	params.stuck_file = NULL;
	params.cpus = 1;
	spec.guest.vcpus = 2;
	run_with_reason("invalid", "asked for 2 vCPUs, guest has 1", "a processor too few");
	params.cpus = 0;
	run("onset", "as many as asked");
}

TAP_MAIN(test_ramp, test_fixed, test_growth, test_displacement, test_processes, test_talkative,
	 test_slow_rounds, test_cycles, test_checkpoint_names, test_used, test_ways, test_aged,
	 test_population, test_ram, test_faults, test_host, test_post_mortem, test_slow_ramp, test_doubts,
	 test_zram, test_settings, test_debugged, test_negative_control)
