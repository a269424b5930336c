/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A cell from its identity and back, and the table of settings. */

#include "harness/cell/cell.h"
#include "harness/store/store.h"
#include "tests/unit/errors.h"

/* A threshold cell; what it does not say is made up by nobody. */
static struct cell make(void)
{
	return (struct cell){
		.method = "threshold",
		.workload = "ballast",
		.interpreter = "-",
		.processes = 1,
		.launch = "-",
		.size = "-",
		.x_mib = 160,
		.x_lo_mib = 7,
		.settings = settings_default(),
		.image = "bookworm",
		.image_content = "",
		.kernel = "6.1",
		.workloads = "",
		.accel = "tcg",
		.cpu = "Nehalem",
		.cmdline = "quiet",
		.onset = "so32",
		.course = "version=1",
		.agent = "",
	};
}

static void test_round_trip(void)
{
	struct cell cell = make(), again = { 0 };

	cell.settings.swappiness = 100;
	cell.settings.mglru = true;
	cell_encode(&cell);
	is_int(cell.x_lo_mib, 0, "what a cell does not have is gone from it");
	again.identity = json_incref(cell.identity);
	ok(!cell_decode(&again), "an identity is read");
	is_str(again.workload, "ballast", "with its strings");
	is_int(again.settings.swappiness, 100, "numbers");
	ok(again.settings.mglru && !again.icount, "and flags");
	is_int(again.x_lo_mib, 0, "a guest of known size is not searched for");
	ok(!json_object_get(cell.identity, "size_kib"), "and no load has what a ballast has not");
	cell_deinit(&again);
	cell_deinit(&cell);
}

/* Cells that version 0.1.0 made: another key for the same cell would throw away all that anybody has
 * measured. */
static void test_keys(void)
{
	struct store *store;
	struct cell *cells;
	size_t n, same = 0;

	if (!ok(!store_open("tests/golden/campaign.swapcal", STORE_READ, &store), "a results file is opened"))
		return;
	if (ok(!store_cells(store, &cells, &n) && n == 10, "it has cells")) {
		for (size_t i = 0; i < n; i++) {
			struct cell cell = cells[i];

			cell_encode(&cell);
			same += strcmp(cell.key, cells[i].key) == 0 &&
				json_equal(cell.identity, cells[i].identity);
			cell_deinit(&cell);
		}
		is_int(same, n, "each is made anew with the identity and the key that it had");
		store_cells_free(cells, n);
	}
	store_close(store);
}

static void test_absent(void)
{
	cleanup(cell_deinit) struct cell cell = { .identity = json_object() };

	ok(!cell_decode(&cell), "an identity of another version may lack everything");
	is_str(cell.workload, "", "then strings are empty");
	is_int(cell.x_mib, 0, "numbers 0");
	is_str(cell.settings.swap, "disk", "and settings at their defaults");
	ok(!cell_is(&cell, METHOD_GROWTH), "of no method");
}

/* The identity with that member is refused, by its name. */
static void refuses(const char *name, json_t *value, const char *text)
{
	cleanup(cell_deinit) struct cell cell = make();

	cell_encode(&cell);
	json_object_set_new(cell.identity, name, value);
	is_err(cell_decode(&cell), name, text);
}

static void test_settings(void)
{
	const struct setting *s;
	unsigned nested[SETTINGS_MAX] = { 0 }, deepest = 0, once = 0, bad = 0;

	for (size_t i = 0; (s = setting_at(i)); i++) {
		bad += s->type == SETTING_CHOICE
			       ? !s->choices[0]
			       : s->default_number < s->least || s->default_number > s->most;
		nested[s->nesting]++;
		deepest = s->nesting > deepest ? s->nesting : deepest;
	}
	is_int(bad, 0, "the default of each setting is a value that it may have");
	for (unsigned i = 1; i <= deepest; i++)
		once += nested[i] == 1;
	ok(deepest > 1 && once == deepest, "lists nest in one order");
}

int main(void)
{
	test_round_trip();
	test_keys();
	test_absent();
	refuses("swappiness", json_string("60"), "a number that is a string is refused");
	refuses("x_mib", json_integer(-1), "one below 0");
	refuses("x_mib", json_integer(4294967296), "one of more than 32 bits");
	refuses("mglru", json_integer(0), "a flag that is a number");
	refuses("thp", json_null(), "a string that is null");
	refuses("command", json_pack("[i]", 1), "an array of others than strings");
	refuses("env", json_object(), "an array that is an object");
	test_settings();
	return tap_done();
}
