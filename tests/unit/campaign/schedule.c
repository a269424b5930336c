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
	is_near(schedule_eta_s(s, 64), 100.0 * search / 2 / 2.5, 1e-9,
		"and at least as long as one search, of which few questions can be asked at once");
}

static void test_order(void)
{
	next_is(3, "a cell without a probe is next");
	schedule_begin(s, 3);
	next_is(0, "then the first of those with one, recorded or under way");
	schedule_begin(s, 0);
	schedule_begin(s, 0);
	next_is(1, "with all of its replicates under way a cell is not next");
	is_int(schedule_state(s, 3)->replicate, 1, "nor is a replicate that is");
	is_int(schedule_state(s, 0)->replicates_left, 2, "but left it is");
	schedule_end(s, 3, 0, 0);
	next_is(3, "what has ended without a record is asked again");
	is_int(schedule_state(s, 3)->replicate, 0, "from the first replicate");
}

/** The answer of a fixed probe or a ramp of cell 0, whose threshold is 100 MiB. */
static void answer(unsigned replicate, unsigned seq, enum probe_kind kind, uint64_t z_kib)
{
	bool swapped = kind == PROBE_RAMP || z_kib > 100 * 1024;
	struct probe_record r = test_probe(&cells[0], replicate, seq, kind, z_kib,
					   swapped ? OUTCOME_ONSET : OUTCOME_NO_ONSET);

	schedule_add_probes(s, 0, &r, 1);
	probe_record_deinit(&r);
}

/** Of a search several questions are asked at once, after all that need not be asked ahead. */
static void test_ahead(void)
{
	const struct cell_state *state = schedule_state(s, 0);
	unsigned asked = 0;

	TELL(1, 1, 1);
	TELL(2, 1, 1);
	TELL(3, 1, 1);
	for (unsigned i = 1; i < CELLS; i++)
		while (schedule_state(s, i)->has_next)
			schedule_begin(s, i);
	answer(0, 0, PROBE_RAMP, 101 * 1024);
	schedule_begin(s, 0);
	is_int(state->replicate, 1, "the other replicate comes before what is asked ahead");
	schedule_begin(s, 0);
	ok(state->has_next && state->is_ahead, "then the search asks ahead of its answer");
	is_int(state->replicate, 0, "but not ahead of a ramp");
	is_int(state->seq, 2, "with a number of its own");
	while (state->has_next && asked < 10) {
		schedule_begin(s, 0);
		asked++;
	}
	ok(asked >= 1 && asked <= 3, "and no more than four at once");
}

/** What a finished search says of ramps is used in others. */
static void test_ramp_ratio(void)
{
	size_t i;
	unsigned seq = 0;

	answer(0, seq++, PROBE_RAMP, 120 * 1024);
	while (schedule_next(s, &i) && schedule_state(s, 0)->replicate == 0 && seq < 40)
		answer(0, seq++, PROBE_FIXED, schedule_state(s, 0)->z_kib);
	is_int(schedule_state(s, 0)->done, 1, "a search whose ramp was a fifth too high comes to its end");
	answer(1, 0, PROBE_RAMP, 120 * 1024);
	schedule_next(s, &i);
	ok(schedule_state(s, 0)->z_kib < 115 * 1024, "and the next one begins lower than its ramp says");
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
	s = schedule_create(cells, CELLS);
	test_ahead();
	schedule_destroy(s);
	s = schedule_create(cells, 1);
	test_ramp_ratio();
	schedule_destroy(s);
	return tap_done();
}
