/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/campaign/schedule.h"
#include "tests/unit/results.h"

/* Which question comes next, and how long those that are left take. */

enum { CELLS = 4 };

static struct cell cells[CELLS];
static struct schedule *s;

/** Tells more answers of a cell, each of which took so many seconds, the last one 0. */
static void tell(size_t i, const unsigned *seconds)
{
	for (unsigned n = 0; seconds[n]; n++) {
		struct probe_record r = test_probe(&cells[i], n, 0, PROBE_GROWTH, 0, OUTCOME_ONSET);

		memset(r.phase_ms, 0, sizeof(r.phase_ms));
		r.phase_ms[PHASE_LOAD] = seconds[n] * 1000;
		schedule_add_probes(s, i, &r, 1);
		probe_record_deinit(&r);
	}
}

#define TELL(i, ...) tell(i, (const unsigned[]){ __VA_ARGS__, 0 })

static void next_is(size_t want, const char *what)
{
	size_t i = CELLS;

	ok(schedule_next(s, &i), "there is a question");
	is_int(i, want, what);
}

static void test_times(void)
{
	double typical_s = schedule_probe_s(s, 1);

	ok(typical_s > 0, "without any probe a typical time is expected");
	TELL(0, 100);
	is_near(schedule_probe_s(s, 1), typical_s, 1e-9, "also with probes of another method only");
	TELL(1, 10);
	TELL(2, 20);
	is_near(schedule_probe_s(s, 1), 10, 1e-9, "of a cell with probes it is their mean");
	is_near(schedule_probe_s(s, 3), 15, 1e-9, "of one without, the mean of all probes of its method");
	TELL(2, 60);
	is_near(schedule_probe_s(s, 2), 40, 1e-9, "also of the second");
	is_near(schedule_probe_s(s, 3), 30, 1e-9, "of those that there are now");
}

/** Cell 0 has answers to nothing yet, 1 and 2 have one replicate left each, 3 has both. */
static void test_left(void)
{
	unsigned search;

	TELL(0, 100);
	TELL(1, 10);
	TELL(2, 20);
	search = schedule_state(s, 0)->probes_left;
	is_int(schedule_left(s), search + 4, "what is left of all cells");
	is_near(schedule_eta_s(s, 1), 100.0 * search + 10 + 20 + 2 * 15, 1e-9, "takes its time");
	is_near(schedule_eta_s(s, 64), 100.0 * search / 2, 1e-9,
		"and at least as long as one search, whose questions follow from each other");
}

static void test_order(void)
{
	next_is(3, "a cell without a probe is next");
	schedule_set_running(s, 3, 0, true);
	next_is(0, "then the first of those with one, recorded or under way");
	schedule_set_running(s, 0, 0, true);
	schedule_set_running(s, 0, 1, true);
	next_is(1, "with all of its replicates under way a cell is not next");
	is_int(schedule_state(s, 3)->replicate, 1, "nor is a replicate that is");
	is_int(schedule_state(s, 0)->replicates_left, 2, "but left it is");
	schedule_set_running(s, 3, 0, false);
	next_is(3, "what has ended without a record is asked again");
	is_int(schedule_state(s, 3)->replicate, 0, "from the first replicate");
}

int main(void)
{
	cells[0] = test_cell(0, 128, "threshold", "ballast", "-", NULL);
	for (unsigned i = 1; i < CELLS; i++)
		cells[i] = test_cell(i, 128 * i, "growth", "strings", "python3", &cells[0]);
	for (unsigned i = 0; i < CELLS; i++)
		cells[i].replicates = 2;
	s = schedule_create(cells, CELLS);
	test_times();
	schedule_destroy(s);
	s = schedule_create(cells, CELLS);
	test_left();
	test_order();
	schedule_destroy(s);
	return tap_done();
}
