/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "harness/campaign/campaign.h"
#include "harness/cell/cell-search.h"
#include "harness/cell/cell.h"
#include "harness/store/store.h"
#include "tests/unit/errors.h"

/*
 * Makes cells and probes for tests of what keeps and reads them. A failure of the fixture itself ends the
 * test.
 */

/** A directory of this test's own; removed with file_remove_tree(). */
__attribute__((unused)) static char *test_dir(void)
{
	char *dir = xstrdup("/tmp/swapcal-test-XXXXXX");

	if (!mkdtemp(dir))
		must(err_new("cannot make a directory"));
	return dir;
}

/**
 * A cell of method threshold (workload "ballast") or growth, in a guest of x_mib. threshold NULL: it is its
 * own.
 */
__attribute__((unused)) static struct cell test_cell(unsigned position, unsigned x_mib, const char *method,
						     const char *workload, const char *interpreter,
						     const struct cell *threshold)
{
	struct cell cell = { .position = position, .replicates = 1 };
	char text[256];

	snprintf(text, sizeof(text), "%u %s %s %s", x_mib, method, workload, interpreter);
	hash_sha256(text, strlen(text), cell.key);
	memcpy(cell.threshold_key, threshold ? threshold->key : cell.key, sizeof(cell.key));
	cell.identity = json_pack(
		"{s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:s, s:b, s:s, s:s, s:s, s:s}",
		"method", method, "workload", workload, "interpreter", interpreter, "processes", 1, "launch",
		threshold ? "independent" : "-", "size", threshold ? "small" : "-", "fill", "random", "x_mib",
		(int)x_mib, "swap_mib", 512, "swappiness", 60, "vcpus", 1, "thp", "never", "mglru", 0,
		"image", "bookworm", "kernel", "6.1.0-49-cloud-amd64", "accel", "tcg", "onset", "so32");
	if (!cell.identity)
		must(err_new("bad identity"));
	must(cell_decode(&cell));
	return cell;
}

/** Another value (taken over) for a member of the cell's identity; its key stays. */
__attribute__((unused)) static void test_cell_set(struct cell *cell, const char *name, json_t *value)
{
	json_object_set_new(cell->identity, name, value);
	must(cell_decode(cell));
}

/** A plain probe; its strings are owned. */
__attribute__((unused)) static struct probe_record test_probe(const struct cell *cell, unsigned replicate,
							      unsigned seq, enum probe_kind kind,
							      uint64_t z_kib, enum outcome outcome)
{
	struct probe_record r = {
		.replicate = replicate,
		.seq = seq,
		.kind = kind,
		.z_kib = z_kib,
		.outcome = outcome,
		.reason = xstrdup(outcome_is_answer(outcome) ? "" : "it did not work"),
		.flags = xstrdup(""),
		.started_s = 1700000000.5,
		.phase_ms = { 300, 1600, 200, 2000, 500, 300, 100 },
		.mem_total_kib = 223596,
		.mem_available0_kib = 199724,
		.load_pages = z_kib / 4,
		.onset_t_us = outcome == OUTCOME_ONSET ? 1500000 : -1,
		.console = xstrdup("console"),
		.output = xstrdup("output"),
		.command_line = xstrdup("qemu -m 256"),
	};

	memcpy(r.cell_key, cell->key, sizeof(r.cell_key));
	return r;
}

__attribute__((unused)) static struct snapshot *test_snapshot(struct probe_record *r, const char *name)
{
	struct snapshot *s = array_push(r->snapshots, r->snapshots_count, r->snapshots_cap);

	s->name = xstrdup(name);
	return s;
}

/** A piece of evidence of these bytes. */
__attribute__((unused)) static struct evidence *test_bytes(struct snapshot *s, unsigned pid, const char *name,
							   const void *data, size_t len)
{
	struct evidence *f = array_push(s->files, s->files_count, s->files_cap);

	*f = (struct evidence){ .pid = pid, .name = xstrdup(name), .data = xmemdup0(data, len), .len = len };
	return f;
}

__attribute__((unused)) static void test_evidence(struct snapshot *s, unsigned pid, const char *name,
						  const char *text)
{
	test_bytes(s, pid, name, text, strlen(text));
}

/** A piece of evidence that was not there. */
__attribute__((unused)) static void test_missing_evidence(struct snapshot *s, unsigned pid, const char *name)
{
	test_bytes(s, pid, name, "", 0)->error = xstrdup("No such process");
}

/** An smaps with one heap of these sizes in KiB (Rss = Pss = anonymous, all private and dirty). */
__attribute__((unused)) static void test_heap(struct snapshot *s, unsigned pid, unsigned long anonymous_kib,
					      unsigned long swap_kib)
{
	cleanup_free char *text = xasprintf(
		"55d000000000-55d100000000 rw-p 00000000 00:00 0                          [heap]\n"
		"Size:            4194304 kB\nRss: %lu kB\nPss: %lu kB\nPrivate_Clean: 0 "
		"kB\nPrivate_Dirty: %lu kB\n"
		"Anonymous: %lu kB\nSwap: %lu kB\nTHPeligible:    0\nVmFlags: rd wr mr mw me ac sd\n",
		anonymous_kib, anonymous_kib, anonymous_kib, anonymous_kib, swap_kib);

	test_evidence(s, pid, "smaps", text);
}

/** A results file that has to open. */
__attribute__((unused)) static struct store *test_open(const char *path, enum store_mode mode)
{
	struct store *store;

	must(store_open(path, mode, &store));
	return store;
}

__attribute__((unused)) static void test_close_(struct store **store)
{
	store_close(*store);
}
#define cleanup_store cleanup(test_close_)

__attribute__((unused)) static int64_t test_begin_run(struct store *store)
{
	int64_t id;
	json_t *audit = json_pack("{s:s}", "host", "test");

	must(store_begin_run(store, audit, "night", "name: night\n", &id));
	json_decref(audit);
	return id;
}

/** Puts and frees a probe. */
__attribute__((unused)) static void test_put(struct store *store, int64_t run_id, struct probe_record r)
{
	must(store_put_probe(store, run_id, &r));
	probe_record_deinit(&r);
}

/** Adds a cell, and a probe of it in a run of its own, to a results file. */
__attribute__((unused)) static void test_put_alone(const char *path, const struct cell *cell,
						   struct probe_record r)
{
	cleanup_store struct store *store = test_open(path, STORE_WRITE);

	must(store_put_cell(store, cell));
	test_put(store, test_begin_run(store), r);
}

/** The current cells of a results file, all probes, and the last run. */
struct test_results {
	struct cell *cells;
	size_t cells_n;
	struct probe_record *probes;
	size_t probes_n;
	json_t *audit;
	char *plan_name, *plan_text, *status;
};

__attribute__((unused)) static struct test_results test_results(const char *path)
{
	struct test_results r;
	struct store *store = test_open(path, STORE_READ);

	must(store_cells(store, &r.cells, &r.cells_n));
	must(store_probes(store, NULL, &r.probes, &r.probes_n));
	must(store_last_run(store, &r.audit, &r.plan_name, &r.plan_text, &r.status));
	store_close(store);
	return r;
}

__attribute__((unused)) static void test_results_free(struct test_results *r)
{
	store_cells_free(r->cells, r->cells_n);
	store_probes_free(r->probes, r->probes_n);
	json_decref(r->audit);
	free(r->plan_name);
	free(r->plan_text);
	free(r->status);
}
#define cleanup_results cleanup(test_results_free)

/**
 * A ramp, and as many fixed probes as the search of one replicate wants in a guest that swaps from z_mib on.
 */
__attribute__((unused)) static void test_search(struct store *store, int64_t run, const struct cell *cell,
						unsigned replicate, uint64_t z_mib)
{
	struct probe_record r = test_probe(cell, replicate, 0, PROBE_RAMP, 0, OUTCOME_ONSET);

	r.load_pages = z_mib * 256;
	if (z_mib > 4096)
		r.outcome = OUTCOME_NO_ONSET;
	test_put(store, run, r);
	for (unsigned seq = 1;; seq++) {
		struct probe_record *probes;
		size_t n;

		must(store_probes(store, cell->key, &probes, &n));

		struct search_next next = cell_search(cell, replicate, probes, n);

		store_probes_free(probes, n);
		if (next.step != SEARCH_PROBE)
			return;
		test_put(store, run,
			 test_probe(cell, replicate, seq, PROBE_FIXED, next.z_kib,
				    next.z_kib >= z_mib * 1024 ? OUTCOME_ONSET : OUTCOME_NO_ONSET));
	}
}
