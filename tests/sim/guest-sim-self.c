/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The simulated guest itself, driven by messages: what the other simulation tests rely on. Its faults and
 * knobs are shown by the probes of probe.c, each of which comes to the outcome of that fault.
 */
#include <signal.h>

#include "calibrate/evidence/onset.h"
#include "calibrate/evidence/text.h"
#include "guest/proto.h"
#include "harness/base/alloc.h"
#include "harness/base/strbuf.h"
#include "tests/sim/guest-sim.h"
#include "tests/tap.h"

/* The guest, and how the next one is. */
static struct guest_sim_params p;
static struct guest *g;

/* What was heard from it so far. */
static struct ear {
	json_int_t id;
	struct strbuf types; /* "hello samples onset ", without heartbeats */
	struct strbuf lines; /* of checkpoints, each with a newline */
	unsigned heartbeats, files;
	struct proto_sample samples[5000];
	size_t n;
	bool has_gap, has_onset, has_reply, has_exit, is_dead;
	uint64_t onset_us, onset_pages;
	int status, sig;
	char *hello_error;
	struct strbuf smaps, rollup, meminfo;
	uint64_t mem_total_kib;
} e;

static uint64_t get_uint(const struct guest_msg *m, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(m->json, key));
}

static const char *get_str(const struct guest_msg *m, const char *key)
{
	const char *s = json_string_value(json_object_get(m->json, key));

	return s ? s : "";
}

static void hear_samples(const struct guest_msg *m)
{
	size_t count = get_uint(m, "count");

	e.has_gap |= get_uint(m, "seq") != e.n;
	if (m->payload_len != count * sizeof(*e.samples) ||
	    e.n + count > sizeof(e.samples) / sizeof(*e.samples)) {
		e.has_gap = true;
		return;
	}
	memcpy(e.samples + e.n, m->payload, m->payload_len);
	e.n += count;
}

static void hear_file(const struct guest_msg *m)
{
	const char *name = get_str(m, "name");
	struct strbuf *sb = strcmp(name, "smaps") == 0          ? &e.smaps
			    : strcmp(name, "smaps_rollup") == 0 ? &e.rollup
			    : strcmp(name, "meminfo") == 0      ? &e.meminfo
								: NULL;

	e.files++;
	if (!sb)
		return;
	strbuf_clear(sb);
	strbuf_add(sb, m->payload, m->payload_len);
}

static void hear(const struct guest_msg *m)
{
	const char *type = get_str(m, "type");

	if (strcmp(type, "heartbeat") == 0) {
		e.heartbeats++;
		return;
	}
	strbuf_addf(&e.types, "%s ", type);
	if (strcmp(type, "hello") == 0) {
		e.hello_error = xstrdup(get_str(m, "error"));
		e.mem_total_kib = get_uint(m, "mem_total_kib");
	} else if (strcmp(type, "samples") == 0) {
		hear_samples(m);
	} else if (strcmp(type, "file") == 0) {
		hear_file(m);
	} else if (strcmp(type, "checkpoint") == 0) {
		strbuf_addf(&e.lines, "%s\n", get_str(m, "line"));
	} else if (strcmp(type, "reply") == 0) {
		e.has_reply |=
			get_uint(m, "id") == (uint64_t)e.id && json_is_true(json_object_get(m->json, "ok"));
	} else if (strcmp(type, "onset") == 0) {
		e.has_onset = true;
		e.onset_us = get_uint(m, "t_us");
		e.onset_pages = get_uint(m, "swapped_pages");
	} else if (strcmp(type, "exit") == 0) {
		e.has_exit = true;
		e.status = (int)get_uint(m, "status");
		e.sig = (int)get_uint(m, "signal");
	}
}

/* Listens for that much virtual time. */
static void listen_ms(int64_t ms)
{
	int64_t end = guest_sim_ops.now_ms(g) + ms;

	while (!e.is_dead && guest_sim_ops.now_ms(g) < end) {
		struct guest_msg *m = NULL;
		struct err *error = guest_sim_ops.recv(g, (int)(end - guest_sim_ops.now_ms(g)), &m);

		if (error)
			e.is_dead = true;
		else if (m)
			hear(m);
		err_free(error);
		if (m)
			guest_msg_destroy(m);
	}
}

/* Sends a request (taken over) and waits for the reply. Was it granted? */
static bool ask(json_t *json)
{
	json_object_set_new(json, "id", json_integer(++e.id));
	e.has_reply = false;
	err_free(guest_sim_ops.send(g, json));
	json_decref(json);
	listen_ms(1);
	return e.has_reply;
}

static bool ask_simple(const char *type)
{
	return ask(json_pack("{s:s, s:s}", "type", type, "group", "load"));
}

static bool ask_snapshot(const char *name)
{
	return ask(json_pack("{s:s, s:s}", "type", "snapshot", "name", name));
}

static bool ask_signal(int sig)
{
	return ask(json_pack("{s:s, s:s, s:i}", "type", "signal", "group", "load", "sig", sig));
}

/* The next guest is a usual one. */
static void reset(void)
{
	p = (struct guest_sim_params)GUEST_SIM_PARAMS_INIT;
}

static void end(void)
{
	if (g)
		guest_sim_ops.stop(take_ptr(g));
	free(e.hello_error);
	strbuf_deinit(&e.types);
	strbuf_deinit(&e.lines);
	strbuf_deinit(&e.smaps);
	strbuf_deinit(&e.rollup);
	strbuf_deinit(&e.meminfo);
	e = (struct ear){ .n = 0 };
}

/* A new guest; the last one is ended. */
static void begin(void)
{
	static const struct guest_config config = {
		.name = "sim", .accel = "tcg", .swap_mib = 512, .seed = 7
	};

	end();
	err_free(guest_sim_ops.start(&p, &config, &g));
	listen_ms(2500);
}

static bool watch(void)
{
	return ask(json_pack("{s:s, s:i, s:s, s:i, s:i, s:b}", "type", "watch", "tick_ms", 20, "rule", "so32",
			     "pages", 32, "window_ms", 1000, "freeze", 1));
}

static bool start_ballast(uint64_t kib, const char *fill)
{
	cleanup_free char *size = xasprintf("%llu", (unsigned long long)kib);

	return ask(json_pack("{s:s, s:[s, s, s, s, s, s, s], s:[], s:b}", "type", "start", "argv", "/ballast",
			     "--fill", fill, "--kib", size, "--rate-kib-s", "65536", "env", "chroot", 0));
}

/* A life with a ballast of that size, up to 10 s after its start. */
static void live(uint64_t kib)
{
	begin();
	watch();
	start_ballast(kib, "random");
	listen_ms(10000);
}

static void test_ramp(void)
{
	uint64_t bytes = 0;

	reset();
	begin();
	has_str(strbuf_str(&e.types), "hello ", "hello");
	is_str(e.hello_error, "", "a fit guest");
	is_int(e.mem_total_kib, p.mem_total_kib, "of the right size");
	is_int(p.lives, 1, "a life is counted");
	ok(watch(), "watch is granted");
	ok(start_ballast(600 * 1024, "random"), "a ramp starts");
	listen_ms(10000);
	ok(e.has_onset, "and meets the onset");
	ok(!e.has_gap, "no sample is lost");
	ok(e.heartbeats >= 9, "a heartbeat a second");

	struct onset_result r = onset_find(onset_rule_find("so32"), e.samples, e.n);

	ok(r.found && r.t_us == e.onset_us, "the samples show the same onset at the same time");
	is_int(r.swapped_pages, e.onset_pages, "with the same number of pages");

	uint64_t at_onset = e.samples[r.index].load_pages * 4;

	ok(at_onset > p.threshold_kib && at_onset <= p.threshold_kib + 65536 / 50,
	   "within a tick's growth of the threshold");
	is_int(e.samples[e.n - 1].load_pages * 4, at_onset, "then the load is frozen");
	is_int(e.samples[1].t_us - e.samples[0].t_us, 20000, "one sample each tick");
	err_free(guest_sim_ops.swap_written(g, &bytes));
	is_int(bytes, e.onset_pages * 4096, "the swap disk was written");

	ok(ask_snapshot("onset"), "a snapshot");
	is_int(e.files, 7, "has seven files");

	uint64_t rss = 0, swap = 0, total = 0;

	text_get_number(strbuf_str(&e.rollup), e.rollup.len, "Rss", &rss);
	text_get_number(strbuf_str(&e.rollup), e.rollup.len, "Swap", &swap);
	is_int(rss + swap, at_onset + 1024, "Rss and Swap are the load and 1 MiB");
	is_int(swap, e.onset_pages * 4, "Swap is what went out");
	text_get_number(strbuf_str(&e.meminfo), e.meminfo.len, "MemTotal", &total);
	is_int(total, p.mem_total_kib, "meminfo");

	ok(ask_signal(SIGTERM) && !e.has_exit, "a frozen load does not take a signal");
	ok(ask_simple("thaw"), "until it is thawed");
	ok(e.has_exit && e.status == 0 && e.sig == 0, "then it ends");
	has_str(strbuf_str(&e.lines), "verified pages=", "and has verified its pages");

	ok(!ask_simple("poweroff"), "poweroff has no reply");
	is_int(guest_sim_ops.state(g), GUEST_GONE, "the guest is gone");
}

struct field_sum {
	uint64_t rss, swap;
	size_t mappings;
};

static void count_mapping(void *arg, const struct text_mapping *m)
{
	(void)m;
	((struct field_sum *)arg)->mappings++;
}

static void add_field(void *arg, struct text_span key, uint64_t value, bool has_kib)
{
	struct field_sum *sum = arg;

	(void)has_kib;
	if (text_span_is(key, "Rss"))
		sum->rss += value;
	if (text_span_is(key, "Swap"))
		sum->swap += value;
}

static void test_fixed(void)
{
	struct field_sum sum = { 0 };

	reset();
	live(p.threshold_kib);
	ok(!e.has_onset, "a ballast at the threshold: no onset");
	has_str(strbuf_str(&e.lines), "full pages=48128 rss_kib=1024 pte_kib=", "it gets full");
	ok(e.n > 450, "and is sampled on");
	ask_snapshot("end");
	is_int(text_each_smaps(strbuf_str(&e.smaps), e.smaps.len, count_mapping, add_field, NULL, &sum), 0,
	       "its smaps are clean");
	is_int(sum.mappings, 2, "two mappings");
	is_int(sum.rss, p.threshold_kib + 1024, "Rss");
	is_int(sum.swap, 0, "Swap");
	ok(ask(json_pack("{s:s, s:i}", "type", "watch", "tick_ms", 0)), "a watch without ticks");

	size_t n = e.n;

	listen_ms(2000);
	is_int(e.n, n, "no more samples");

	live(p.threshold_kib + 4);
	ok(e.has_onset, "a page more: onset");
}

static void test_workload(void)
{
	reset();
	p.workload_max_kib = p.workload_base_kib + 3 * p.workload_step_kib;
	begin();
	watch();
	ok(ask(json_pack("{s:s, s:[s, s], s:[], s:b}", "type", "start", "argv", "python3", "strings.py",
			 "env", "chroot", 1)),
	   "a workload starts");
	listen_ms(5000);
	is_str(strbuf_str(&e.lines), "step-1\n", "it waits after its first step");
	is_int(e.samples[e.n - 1].load_kib, p.workload_base_kib + p.workload_step_kib + 1024, "at that size");
	is_int(e.samples[e.n - 1].load_pages, 0, "which is no ballast's");
	for (int i = 0; i < 2; i++) {
		ask(json_pack("{s:s, s:i, s:s}", "type", "resume", "pid", 42, "line", "go"));
		listen_ms(1000);
	}
	is_str(strbuf_str(&e.lines), "step-1\nstep-2\n", "and goes on when told");
	ok(e.has_exit && e.status == 0, "up to its end");
}

/* What chance does: same seed, same lives; noise and wrong answers as ordered. */
static void test_chance(void)
{
	double sum = 0, squares = 0;
	unsigned wrong = 0, same = 0, n = 400;

	reset();
	p.noise_sd_kib = 2048;
	for (unsigned i = 0; i < n; i++) {
		live(600 * 1024);

		double z = (double)onset_find(onset_rule_find("so32"), e.samples, e.n).index * 65536 / 50;

		sum += z;
		squares += z * z;
		if (i < 5) {
			size_t samples = e.n;
			uint64_t pages = e.onset_pages, at_us = e.onset_us, begin_us = e.samples[0].t_us;

			p.lives--;
			live(600 * 1024);
			same += samples == e.n && pages == e.onset_pages && at_us != e.onset_us &&
				at_us - begin_us == e.onset_us - e.samples[0].t_us;
		}
	}

	double mean = sum / n, sd = sqrt(squares / n - mean * mean);

	printf("# mean onset %.0f KiB, sd %.0f KiB\n", mean, sd);
	is_near(mean, (double)p.threshold_kib + 655, 400,
		"noise: the mean onset is half a tick above the threshold");
	is_near(sd, 2048, 300, "and has the ordered standard deviation");
	is_int(same, 5, "the same seed gives the same life, at another time");

	p.noise_sd_kib = 0;
	p.wrong_answer_pct = 25;
	for (unsigned i = 0; i < n; i++) {
		live(p.threshold_kib + (i % 2 ? 4096 : -4096ull));
		wrong += e.has_onset != (i % 2 == 1);
	}
	is_near(wrong, n / 4.0, 30, "a quarter of the answers is wrong, when so ordered");
}

static void test_zeros(void)
{
	uint64_t bytes = 1;

	reset();
	begin();
	ok(!ask_simple("dance"), "an unknown request is refused");
	watch();
	start_ballast(p.threshold_kib + 4096, "zero");
	listen_ms(10000);
	err_free(guest_sim_ops.swap_written(g, &bytes));
	ok(e.has_onset && e.samples[e.n - 1].swpout_zero > 0, "a ballast of zeros: they are swapped out");
	is_int(bytes, 0, "but not written");
	ask_signal(SIGTERM);
	ask_simple("thaw");
	has_str(strbuf_str(&e.lines), " bad=0 zero=4", "and the ballast says how many it holds");
}

TAP_MAIN(test_ramp, test_fixed, test_workload, test_chance, test_zeros)
