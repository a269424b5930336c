/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Onset rules on made series: borders of amount and window, broken clocks and counters, settling. */
#include "calibrate/evidence/onset.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "tests/tap.h"

#define TICK_US 20000ull
#define LEN(a)  (sizeof(a) / sizeof((a)[0]))

/* A quiet guest: n samples, one tick apart, with `out` pages swapped out long ago. */
static struct proto_sample *quiet(size_t n, uint64_t out)
{
	struct proto_sample *s = xcalloc(n, sizeof(*s));

	for (size_t i = 0; i < n; i++) {
		s[i].t_us = 5000000 + i * TICK_US;
		s[i].pswpout = out;
	}
	return s;
}

/* The rule as onset.h words it for sane samples, in the slowest way. */
static struct onset_result slow_find(const struct onset_rule *rule, const struct proto_sample *s, size_t n)
{
	struct onset_result r = { .found = false };

	for (size_t i = 0; i < n && !r.found; i++) {
		size_t j = 0;

		while (j + 1 < i && s[j].t_us + rule->window_ms * 1000ull < s[i].t_us)
			j++;
		if (s[i].pswpout - s[j].pswpout >= rule->pages) {
			r.found = true;
			r.index = i;
			r.t_us = s[i].t_us;
			r.swapped_pages = s[i].pswpout - s[0].pswpout;
		}
	}
	return r;
}

static void test_rules(void)
{
	const struct onset_rule *r = onset_rule_find("so32");

	if (!ok(r, "so32 exists"))
		return;
	ok(r == onset_rule_at(0), "so32 is the default");
	is_int(r->version, 1, "so32 has version 1");
	is_int(r->pages, 32, "so32 wants 32 pages");
	is_int(r->window_ms, 1000, "within a second");
	ok(!onset_rule_find("so3"), "a prefix is no rule");
	ok(!onset_rule_find("so320"), "a longer name is no rule");
	ok(!onset_rule_find(""), "the empty name is no rule");

	size_t n = 0;

	while (onset_rule_at(n)) {
		ok(onset_rule_find(onset_rule_at(n)->name) == onset_rule_at(n),
		   "a listed rule is found by its name");
		n++;
	}
	ok(!onset_rule_at(n + 1), "nothing after the end of the list");
}

static void test_amount(void)
{
	const struct onset_rule *so32 = onset_rule_find("so32");
	cleanup_free struct proto_sample *s = quiet(100, 7777);

	ok(!onset_find(so32, s, 100).found, "pages swapped out before the baseline are no onset");

	for (size_t i = 60; i < 100; i++)
		s[i].pswpout = 7777 + 31;
	ok(!onset_find(so32, s, 100).found, "31 pages are no onset");

	for (size_t i = 60; i < 100; i++)
		s[i].pswpout = 7777 + 32;

	struct onset_result r = onset_find(so32, s, 100);

	ok(r.found, "32 pages at once are an onset");
	is_int(r.index, 60, "at the sample that shows them");
	is_int(r.t_us, s[60].t_us, "at its time");
	is_int(r.swapped_pages, 32, "counted from the baseline");

	s[1].pswpout = 7777 + 32;
	is_int(onset_find(so32, s, 2).index, 1, "two samples are enough");
	ok(!onset_find(so32, s, 1).found, "one sample is none");
	ok(!onset_find(so32, NULL, 0).found, "no sample is none");
}

static void test_counters(void)
{
	const struct onset_rule *so32 = onset_rule_find("so32");
	struct proto_sample s[2] = { { .t_us = 1 },
				     { .t_us = 2, .pswpout = 10, .zswpout = 11, .swpout_zero = 11 } };

	is_int(proto_swapped_out(&s[1]), 32, "disk, zswap and zero pages add up");
	ok(onset_find(so32, s, 2).found, "all three count for the rule");
	s[1] = (struct proto_sample){
		.t_us = 2, .pswpin = 99, .swap_used_kib = 999, .pgscan_kswapd = 99, .zswpout = 31
	};
	ok(!onset_find(so32, s, 2).found, "no other counter does");
}

static void test_window(void)
{
	const struct onset_rule *so32 = onset_rule_find("so32");
	struct proto_sample s[3] = {
		{ .t_us = 1000, .pswpout = 0 },
		{ .t_us = 1000000, .pswpout = 16 },
		{ .t_us = 1001000, .pswpout = 32 },
	};

	is_int(onset_find(so32, s, 3).index, 2, "the border of the window belongs to it");
	s[2].t_us++;
	s[1].t_us++;
	ok(!onset_find(so32, s, 3).found, "one microsecond more does not");

	struct proto_sample stalled[2] = { { .t_us = 0 }, { .t_us = 5000000, .pswpout = 32 } };

	is_int(onset_find(so32, stalled, 2).index, 1, "what was swapped while the agent was stalled counts");

	cleanup_free struct proto_sample *slow = quiet(2000, 0);

	for (size_t i = 0; i < 2000; i++)
		slow[i].pswpout = i * 31 / 50;
	ok(!onset_find(so32, slow, 2000).found, "31 pages a second for 40 s are no onset");
	for (size_t i = 1000; i < 2000; i++)
		slow[i].pswpout = 620 + (i - 1000) * 32 / 50;

	struct onset_result r = onset_find(so32, slow, 2000);

	ok(r.found && r.index > 1000 && r.index <= 1050, "32 pages a second are one within a second");
	is_int(r.swapped_pages, slow[r.index].pswpout,
	       "swapped_pages counts from the baseline, not the window");
}

static void test_broken_samples(void)
{
	const struct onset_rule *so32 = onset_rule_find("so32");
	struct proto_sample back[] = {
		{ .t_us = 0, .pswpout = 1000 },
		{ .t_us = 1, .pswpout = 10 },
		{ .t_us = 2, .pswpout = 41 },
		{ .t_us = 3, .pswpout = 1032 },
	};
	struct onset_result r = onset_find(so32, back, LEN(back));

	ok(r.found && r.index == 3, "a counter that went backwards counts as nothing");
	is_int(r.swapped_pages, 32, "and later samples are compared with the start of the window as ever");

	struct proto_sample clock[] = {
		{ .t_us = 0, .pswpout = 0 },        { .t_us = 1400000, .pswpout = 20 },
		{ .t_us = 1500000, .pswpout = 20 }, { .t_us = 100, .pswpout = 40 },
		{ .t_us = 200, .pswpout = 51 },
	};

	ok(!onset_find(so32, clock, LEN(clock)).found,
	   "a clock that goes backwards does not reopen the window");
	clock[4].pswpout = 52;
	is_int(onset_find(so32, clock, LEN(clock)).index, 4, "the window begins where it began before");

	struct proto_sample extreme[] = {
		{ .t_us = UINT64_MAX, .pswpout = UINT64_MAX, .zswpout = UINT64_MAX },
		{ .t_us = 0, .pswpout = UINT64_MAX },
		{ .t_us = UINT64_MAX, .pswpout = 0 },
	};

	is_int(proto_swapped_out(&extreme[0]), UINT64_MAX - 1, "the sum of the counters wraps");
	ok(onset_find(so32, extreme, 2).found == false, "extreme numbers: one page is no onset");
}

/* Random bursts: the fast search agrees with the slow one for both rules. */
static void test_against_slow(void)
{
	uint64_t x = 88172645463325252ull;
	unsigned agree = 0, found = 0;

	for (int round = 0; round < 400; round++) {
		cleanup_free struct proto_sample *s = quiet(200, 3);

		for (size_t i = 1; i < 200; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			s[i].t_us = s[i - 1].t_us + x % 60000;
			s[i].pswpout = s[i - 1].pswpout + (x >> 32) % 100 / 97 * ((x >> 40) % 14);
		}

		const struct onset_rule *rule = onset_rule_at((size_t)round % 2);
		struct onset_result fast = onset_find(rule, s, 200), slow = slow_find(rule, s, 200);

		found += slow.found;
		agree += fast.found == slow.found && fast.index == slow.index && fast.t_us == slow.t_us &&
			 fast.swapped_pages == slow.swapped_pages;
	}
	is_int(agree, 400, "400 random series: the same as by the words of the rule");
	ok(found > 200 && found < 400, "with and without an onset among them");
}

static void test_settled(void)
{
	cleanup_free struct proto_sample *s = quiet(101, 0);

	ok(!onset_is_settled(NULL, 0, 1000), "nothing is not at rest");
	ok(!onset_is_settled(s, 1, 1000), "one sample is not at rest");
	ok(!onset_is_settled(s, 50, 1000), "0.98 s do not show a second of rest");
	ok(onset_is_settled(s, 51, 1000), "1 s does");

	for (size_t i = 30; i < 101; i++)
		s[i].swap_used_kib = 9;
	ok(onset_is_settled(s, 51, 1000), "9 KiB are rest");
	s[40].swap_used_kib = 10;
	ok(!onset_is_settled(s, 51, 1000), "10 KiB up and back are not");
	ok(onset_is_settled(s, 101, 1000), "what is older than the window does not matter");

	s[49].swap_used_kib = 500;
	ok(onset_is_settled(s, 101, 1000), "not even one tick older");
	s[50].swap_used_kib = 500;
	ok(!onset_is_settled(s, 101, 1000), "the sample that begins the window belongs to it: a drop");

	struct proto_sample gap[] = { { .t_us = 0, .swap_used_kib = 100 },
				      { .t_us = 5000000, .swap_used_kib = 108 } };

	ok(onset_is_settled(gap, 2, 1000), "lost samples: what is left covers the time");
	gap[0].swap_used_kib = 0;
	ok(!onset_is_settled(gap, 2, 1000), "and shows the move");
	gap[0] = (struct proto_sample){ .t_us = 9000000, .swap_used_kib = 108 };
	ok(!onset_is_settled(gap, 2, 1000), "a clock that goes backwards covers no time");
}

TAP_MAIN(test_rules, test_amount, test_counters, test_window, test_broken_samples, test_against_slow,
	 test_settled)
