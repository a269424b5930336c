/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <signal.h>

#include "tests/unit/results.h"

/*
 * The results file as one that is written, read beside the writer, left behind by a killed one, and picked up
 * again. What it cannot show: that a commit survives a power cut.
 */

static const char path[] = "f.swapcal";

static bool exists(const char *suffix)
{
	return file_exists(test_format("%s%s", path, suffix));
}

static void write_two_cells(struct store *store, int64_t run)
{
	cleanup(cell_deinit) struct cell z = test_cell(0, 256, "threshold", "ballast", "-", NULL);
	cleanup(cell_deinit) struct cell g = test_cell(1, 256, "growth", "strings", "python3", &z);

	must(store_put_cell(store, &z));
	must(store_put_cell(store, &g));

	struct probe_record r = test_probe(&z, 2, 3, PROBE_FIXED, 190464, OUTCOME_ONSET);

	r.seed = UINT64_MAX - 5;
	r.swap_written_bytes = UINT64_MAX;
	free(r.flags);
	r.flags = xstrdup("a,b");
	for (int i = 0; i < 3; i++) {
		struct proto_sample *s = array_push(r.samples, r.samples_count, r.samples_cap);

		s->t_us = 20000 * (unsigned)i;
		s->oom_kill = UINT64_MAX;
	}
	test_evidence(test_snapshot(&r, "onset"), 0, "meminfo", "MemFree: 1 kB\n");
	must(store_put_probe(store, run, &r));
	ok(r.id > 0, "a stored probe has an id");
	probe_record_deinit(&r);
	test_put(store, run, test_probe(&g, 0, 0, PROBE_GROWTH, 0, OUTCOME_AGENT_LOST));
}

static void check_first_probe(struct store *store, const struct probe_record *r)
{
	struct proto_sample *samples;
	size_t n;

	is_int(r->replicate, 2, "replicate comes back");
	is_int(r->seq, 3, "seq comes back");
	is_int(r->kind, PROBE_FIXED, "kind comes back");
	is_int(r->z_kib, 190464, "z comes back");
	ok(r->seed == UINT64_MAX - 5, "all bits of the seed come back");
	ok(r->swap_written_bytes == INT64_MAX, "a number too large for the file is cut, not turned negative");
	is_int(r->outcome, OUTCOME_ONSET, "outcome comes back");
	is_str(r->flags, "a,b", "flags come back");
	is_int(r->phase_ms[PHASE_BOOT], 1600, "phases come back");
	is_int(r->phase_ms[PHASE_TEARDOWN], 100, "and the last one");
	is_near(r->started_s, 1700000000.5, 0, "start time comes back");
	is_str(r->command_line, "qemu -m 256", "command line comes back");
	must(store_samples(store, r->id, &samples, &n));
	is_int(n, 3, "as many samples as were put");
	is_int(samples[2].t_us, 40000, "first column of a sample");
	ok(samples[2].oom_kill == UINT64_MAX, "last column of a sample");
	free(samples);
}

static void test_write_and_read(void)
{
	struct store *store = test_open(path, STORE_WRITE);
	int64_t run = test_begin_run(store);

	is_int(test_mode(path), 0600, "a new file is its owner's alone");
	write_two_cells(store, run);
	must(store_end_run(store, run, "done"));
	store_close(store);
	ok(!exists("-wal") && !exists("-shm") && !exists("-lock") && !exists("-journal"), "one file remains");

	cleanup_results struct test_results all = test_results(path);
	struct probe_record *probes;
	size_t n;

	is_int(all.cells_n, 2, "two cells come back");
	is_str(json_string_value(json_object_get(all.cells[1].identity, "interpreter")), "python3",
	       "with their identity");
	is_str(all.cells[1].threshold_key, all.cells[0].key, "and their threshold cell");
	is_int(all.probes_n, 2, "two probes come back");
	store = test_open(path, STORE_READ);
	check_first_probe(store, &all.probes[0]);
	must(store_probes(store, all.cells[1].key, &probes, &n));
	ok(n == 1 && probes[0].outcome == OUTCOME_AGENT_LOST, "probes of one cell");
	is_str(n ? probes[0].reason : NULL, "it did not work", "with the reason of a failure");
	store_probes_free(probes, n);
	store_close(store);
	is_str(all.plan_name, "night", "plan name of the last run");
	is_str(all.plan_text, "name: night\n", "plan text of the last run");
	is_str(all.status, "done", "status of the last run");
	is_str(json_string_value(json_object_get(all.audit, "host")), "test", "audit of the last run");
}

static void test_id(void)
{
	struct store *store = test_open(path, STORE_WRITE), *other;
	cleanup_free char *id = xstrdup(store_id(store));

	ok(strlen(id) == 32 && strspn(id, "0123456789abcdef") == 32, "a file has an id");
	store_close(store);
	store = test_open(path, STORE_WRITE);
	is_str(store_id(store), id, "which it keeps");
	other = test_open("other.swapcal", STORE_WRITE);
	ok(strcmp(store_id(other), id) != 0, "another file has another");
	store_close(other);
	store_close(store);
}

static void test_current_cells(void)
{
	struct store *store = test_open(path, STORE_WRITE);
	cleanup(cell_deinit) struct cell again = test_cell(7, 256, "growth", "strings", "python3", NULL);
	struct store_change change;

	again.replicates = 4;
	/* As if the file had another one under this key: no hash says so, and a run must not go by it. */
	test_cell_set(&again, "fill", json_string("zero"));
	must(store_set_cells(store, &again, 1, &change));
	store_close(store);

	cleanup_results struct test_results all = test_results(path);

	is_int(change.kept, 1, "a cell of the plan was in the file already");
	ok(all.cells_n == 1 && strcmp(all.cells[0].key, again.key) == 0,
	   "only cells of the plan now running are current");
	is_int(all.cells[0].position, 7, "position is updated");
	is_int(all.cells[0].replicates, 4, "replicates are updated");
	is_str(all.cells[0].settings.fill, "zero", "the identity is the plan's, not the file's");
}

static void test_lock(void)
{
	struct store *store = test_open(path, STORE_WRITE), *second;
	long pid = 0;

	is_err(store_open(path, STORE_WRITE, &second),
	       test_format("is in use by another run (pid %ld)", (long)getpid()),
	       "a second writer is told who is there");
	ok(store_has_writer(store, &pid) && pid == getpid(), "a writer is seen, with its pid");
	store_close(store);

	store = test_open(path, STORE_READ);
	ok(!store_has_writer(store, &pid), "no writer is seen after it left");
	store_close(store);
}

static size_t count_probes(struct store *store)
{
	struct probe_record *probes;
	size_t n;

	must(store_probes(store, NULL, &probes, &n));
	store_probes_free(probes, n);
	return n;
}

static void test_reader_beside_writer(void)
{
	char before[65], after[65];
	cleanup_store struct store *writer = test_open(path, STORE_WRITE);
	int64_t run = test_begin_run(writer);
	cleanup(cell_deinit) struct cell cell = test_cell(0, 256, "threshold", "ballast", "-", NULL);
	size_t n = count_probes(writer);
	struct views *views;

	test_put(writer, run, test_probe(&cell, 0, 9, PROBE_RAMP, 0, OUTCOME_ONSET));
	must(file_sha256(path, before));

	struct store *reader = test_open(path, STORE_READ);

	is_int(count_probes(reader), n + 1, "a reader sees what is committed during a run");
	must(store_views(reader, STORE_JUDGED, VIEWS_ALL, &views));
	views_destroy(views);
	test_put(writer, run, test_probe(&cell, 0, 10, PROBE_RAMP, 0, OUTCOME_ONSET));
	is_int(count_probes(reader), n + 1, "and stays at that moment, without hindering the writer");
	store_close(reader);
	reader = test_open(path, STORE_READ);
	is_int(count_probes(reader), n + 2, "the next reader sees more");
	store_close(reader);
	must(file_sha256(path, after));
	is_str(after, before, "reading changed no byte of the file");
}

/* A child that writes a probe, says so, and waits to be killed. */
static void write_and_hang(int fd)
{
	struct store *store = test_open(path, STORE_WRITE);
	struct cell cell = test_cell(0, 256, "threshold", "ballast", "-", NULL);

	test_put(store, test_begin_run(store), test_probe(&cell, 0, 11, PROBE_RAMP, 0, OUTCOME_ONSET));
	if (write(fd, "x", 1) != 1)
		_exit(1);
	pause();
}

static void test_killed_writer(void)
{
	struct store *store = test_open(path, STORE_READ);
	size_t before = count_probes(store);
	int fds[2];
	char c;

	store_close(store);
	if (pipe(fds))
		must(err_new("pipe"));
	fflush(stdout);

	pid_t child = fork();

	if (child == 0)
		write_and_hang(fds[1]);
	ok(read(fds[0], &c, 1) == 1, "another process writes");
	is_err(store_open(path, STORE_WRITE, &store), test_format("(pid %ld)", (long)child), "and is named");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	store = test_open(path, STORE_READ);
	is_int(count_probes(store), before + 1, "after kill -9 its probe can be read");
	store_close(store);
	store = test_open(path, STORE_WRITE);
	is_int(count_probes(store), before + 1, "and the next writer has it");
	must(store_end_run(store, test_begin_run(store), "done"));
	store_close(store);
	ok(!exists("-wal") && !exists("-lock"), "which leaves one file again");

	cleanup_results struct test_results all = test_results(path);

	is_str(all.status, "done", "the last run is the one that ended");
	close(fds[0]);
	close(fds[1]);
}

/* A copy made during a run, without its -wal, must be readable where nothing can be made beside it. */
static void test_lone_wal_file(void)
{
	struct store *writer = test_open(path, STORE_WRITE), *reader;
	static const char copy[] = "odd name %41 #?.swapcal";

	must(file_copy(path, copy, 0400));
	store_close(writer);
	reader = test_open(copy, STORE_READ);
	ok(count_probes(reader) > 0, "a copy taken during a run is readable");
	ok(!file_exists("odd name %41 #?.swapcal-wal"), "and nothing is made beside it");
	store_close(reader);
}

static void test_failed_probe_leaves_nothing(void)
{
	cleanup_store struct store *store = test_open(path, STORE_WRITE);
	cleanup(cell_deinit) struct cell unknown = test_cell(0, 999, "growth", "strings", "pypy3", NULL);
	size_t before = count_probes(store);
	cleanup(probe_record_deinit) struct probe_record r =
		test_probe(&unknown, 0, 0, PROBE_GROWTH, 0, OUTCOME_ONSET);

	is_err(store_put_probe(store, test_begin_run(store), &r), "",
	       "a probe of a cell that there is not is refused");
	is_int(count_probes(store), before, "and nothing of it stays");
}

TAP_MAIN(test_in_dir, test_write_and_read, test_id, test_current_cells, test_lock, test_reader_beside_writer,
	 test_killed_writer, test_lone_wal_file, test_failed_probe_leaves_nothing)
