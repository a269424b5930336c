/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The books of weighings, in guests whose RAM is handed out by hand. */

#include "calibrate/evidence/weight.h"
#include "tests/tap.h"

/* All that a guest of 1000 MiB has to hand out, in pages. */
#define RAM_PAGES 256000

struct guest {
	uint64_t load_kib;    /* that it cannot give back */
	uint64_t slab_kib;    /* of the load, that it could */
	uint64_t file_pages;  /* page cache */
	uint64_t lazy_pages;  /* freed lazily: on the lists of files, but no page cache */
	uint64_t shmem_pages; /* of the load's */
	uint64_t free_pages, swapped_pages;
};

/* The sample of a guest whose ballast has the rest, with the page tables for it. */
static struct proto_sample at(uint64_t t_us, const struct guest *g, bool has_ballast)
{
	uint64_t rest = RAM_PAGES + g->swapped_pages - g->load_kib / 4 - g->slab_kib / 4 - g->file_pages -
			g->lazy_pages - g->free_pages;

	return (struct proto_sample){
		.t_us = t_us,
		.load_pages = has_ballast ? rest * 512 / 513 : 0,
		/* As a kernel counts: shared memory with files, and with the anonymous lists of a cgroup. */
		.nr_file_pages = g->file_pages + g->shmem_pages + 16,
		.nr_shmem = g->shmem_pages + 16, /* of others */
		.nr_active_file = g->lazy_pages,
		.nr_inactive_file = g->file_pages,
		.nr_free_pages = g->free_pages,
		.pswpout = g->swapped_pages + 7,
		.pswpin = 7,
		.load_stat_active_anon_kib = g->load_kib / 2,
		.load_stat_inactive_anon_kib = g->load_kib - g->load_kib / 2 - 400,
		.load_stat_unevictable_kib = 100,
		.load_stat_kernel_kib = 300 + g->slab_kib,
		.load_stat_slab_reclaimable_kib = g->slab_kib,
		/* Read back from swap, and still there as well. */
		.load_stat_swap_kib = 64,
		.load_stat_swapcached_kib = 64,
	};
}

static void test_books(void)
{
	const struct guest rest = { .load_kib = 80000,
				    .slab_kib = 400,
				    .file_pages = 9000,
				    .shmem_pages = 512,
				    .free_pages = 100000 };
	const struct guest nothing = { .load_kib = 500 };
	const struct guest onset = { 81000, 200, 2500, 300, 512, 1200, 40 };
	const struct guest alone = { 400, 0, 100, 0, 0, 1500, 64 };
	const struct proto_sample load[] = { at(1000, &nothing, false), at(2000, &rest, false),
					     at(3000, &onset, true), at(4000, &rest, true) };
	const struct proto_sample ballast[] = { at(1000, &alone, false), at(5000, &alone, true) };
	struct weighing w = weighing_read(load, 4, 2000), reference = weighing_read(ballast, 2, 4000);
	struct weight_parts p = weight_parts_of(&w, &reference);
	double zeq_kib = 4 * ((double)ballast[1].load_pages - (double)load[2].load_pages);

	is_near(w.held_kib, 80000, 1e-9, "what the load held at the last look before the ballast");
	is_near(w.drift_kib, 1000, 1e-9, "what it grew by until the onset, and no later");
	is_near(p.file_kib, 4 * (2400 + 300) + 200, 1e-9,
		"page cache without shared memory, pages freed lazily, names and inodes");
	is_near(p.free_kib, 4 * (1200 - 40 - 1500 + 64), 1e-9, "free memory, less what went to swap");
	/* The reference's load of 400 KiB is the ballast's own. */
	is_near(p.sum_kib - zeq_kib, 400 * 512 / 513.0, 8, "the sum is the difference of the ballasts");
	is_near(p.held_kib + p.drift_kib + p.file_kib + p.free_kib + p.tables_kib, p.sum_kib, 1e-9,
		"and its parts add up");
}

static void test_unknown(void)
{
	const struct guest g = { .load_kib = 80000, .free_pages = 1000 };
	struct proto_sample s[] = { at(1000, &g, true), at(2000, &g, true) };
	struct weighing w = weighing_read(s, 2, 1000);

	ok(isnan(w.held_kib) && isfinite(w.free_kib),
	   "a ballast that was there from the start: nothing is at rest");
	w = weighing_read(s, 2, -1);
	ok(isnan(w.held_kib) && isnan(w.free_kib), "no onset");
	w = weighing_read(NULL, 0, 1000);
	ok(isnan(w.file_kib), "no series");
	s[0] = at(1000, &g, false);
	s[0].load_stat_kernel_kib = 0;
	w = weighing_read(s, 2, 1000);
	ok(isnan(w.held_kib) && isnan(w.drift_kib), "a kernel that does not tell its own part");
	s[0].t_us = UINT64_MAX;
	w = weighing_read(s, 2, 1000);
	ok(isfinite(w.free_kib), "time that goes back ends the series");
}

static void test_mean(void)
{
	const struct weighing v[] = { { 10, 1, NAN, 4 }, { 20, 3, 6, 8 } };
	struct weighing mean = weighing_mean(v, 2);

	ok(fabs(mean.held_kib - 15) + fabs(mean.drift_kib - 2) + fabs(mean.file_kib - 6) +
			   fabs(mean.free_kib - 6) <
		   1e-9,
	   "the mean is of those that know");
}

TAP_MAIN(test_books, test_unknown, test_mean)
