/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The onset rule as the agent applies it, sample by sample, against the rule applied to the whole series. */

#include "guest/agent/agent-onset.c"
#include "tests/tap.h"

#define N_MAX 3000

static struct proto_sample series[N_MAX];
static struct onset_window window;

/* The definition: pages since the oldest sample no older than the window, at least since the one before. */
static bool holds_at(const struct proto_sample *s, size_t at, uint64_t pages, unsigned window_ms)
{
	size_t i = 0;

	while (i + 1 < at && s[i].t_us + window_ms * 1000ull < s[at].t_us)
		i++;
	return proto_swapped_out(&s[at]) - proto_swapped_out(&s[i]) >= pages;
}

static struct proto_sample at(uint64_t t_ms, uint64_t pswpout)
{
	return (struct proto_sample){ .t_us = t_ms * 1000, .pswpout = pswpout };
}

static void test_rule(void)
{
	struct proto_sample base = at(100, 1000), s;

	onset_begin(&window, 32, 1000, &base);
	s = at(120, 1031);
	ok(!onset_add(&window, &s), "31 pages are not 32");
	s = at(140, 1032);
	ok(onset_add(&window, &s), "32 pages are");
	s = at(1100, 1032);
	ok(onset_add(&window, &s), "a sample as old as the window still counts");
	s = at(1121, 1032);
	ok(!onset_add(&window, &s), "pages that left the window do not");

	onset_begin(&window, 1, 1000, &base);
	s = at(120, 1000);
	ok(!onset_add(&window, &s), "what was swapped out before the baseline does not count");
	s = (struct proto_sample){ .t_us = 140000, .pswpout = 1000, .zswpout = 1 };
	ok(onset_add(&window, &s), "pages in zswap count");
	s = (struct proto_sample){ .t_us = 3140000, .pswpout = 1000, .zswpout = 1 };
	ok(!onset_add(&window, &s), "a stalled agent alone is no onset");
	s = (struct proto_sample){ .t_us = 3160000, .pswpout = 1000, .zswpout = 1, .swpout_zero = 1 };
	ok(onset_add(&window, &s), "pages of zeros count");
	is_int(window.baseline, 1000, "the baseline is kept");
}

static void test_fits(void)
{
	ok(onset_window_fits(20, 1000), "the usual tick and window fit");
	ok(onset_window_fits(1, 1000), "a tick of 1 ms fits a window of 1 s");
	ok(!onset_window_fits(1, 60000), "a tick of 1 ms does not fit a window of 60 s");
	ok(!onset_window_fits(0, 1000), "no tick fits nothing");
}

/* Ticks on a grid, some served late, some lost; bursts of swapping between quiet times. */
static void make_series(unsigned tick_ms)
{
	uint64_t due_us = 1000000, last_us = 0, pages = (uint64_t)random() % 1000;

	for (size_t i = 0; i < N_MAX; i++) {
		due_us += tick_ms * 1000ull * (random() % 50 ? 1 : 1 + (uint64_t)random() % 100);

		uint64_t late_us =
			random() % 4 ? (uint64_t)random() % 300 : (uint64_t)random() % (tick_ms * 1000);

		last_us = due_us + late_us > last_us ? due_us + late_us : last_us + 1;
		pages += random() % 20 ? 0 : (uint64_t)random() % 12;
		series[i] = (struct proto_sample){ .t_us = last_us,
						   .pswpout = pages / 2,
						   .zswpout = pages - pages / 2 };
	}
}

static void test_whole_series(void)
{
	static const unsigned ticks_ms[] = { 1, 3, 20, 100 };
	size_t differ = 0, held = 0, total = 0;

	srandom(11);
	for (int round = 0; round < 20; round++) {
		unsigned tick_ms = ticks_ms[round % 4];
		unsigned window_ms = tick_ms * (1 + (unsigned)random() % 100) + (unsigned)random() % tick_ms;
		uint64_t pages = 1 + (uint64_t)random() % 64;

		make_series(tick_ms);
		onset_begin(&window, pages, window_ms, &series[0]);
		for (size_t i = 1; i < N_MAX; i++, total++) {
			bool got = onset_add(&window, &series[i]);

			held += got;
			differ += got != holds_at(series, i, pages, window_ms);
		}
	}
	is_int(differ, 0, "the same answer as from the whole series, at every sample");
	ok(held > total / 50 && held < total / 50 * 49, "both answers were common");
}

TAP_MAIN(test_rule, test_fits, test_whole_series)
