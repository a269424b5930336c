/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/evidence/reclaim.h"

#include <math.h>
#include <string.h>

#include "calibrate/evidence/means.h"

#define PAGE_KIB 4.0

/*
 * The rule of reclaim_is_other_way(). Seen in guests of 160 to 512 MiB with Linux 6.1, mglru off, swappiness
 * 60: of what reclaim took until onset, pages that were given up without swapping are
 *
 *     ballast alone, 22 fixed probes           0 %  (at most 0.0 MiB; there are 0.2 MiB of files to drop)
 *     ballast beside 48 MiB of private memory, of shared memory, of tmpfs, of page tables, ...  0 %
 *     ballast beside 48 MiB of file pages     95 to 100 %  (46 MiB)
 *     ballast beside 48 MiB freed lazily      94 to  98 %  (46 MiB)
 *     CPython growing a list of strings       97 to  99 %  (9 MiB: its start-up)
 *     PyPy growing one                        98 to 100 %  (51 to 53 MiB: its start-up)
 *     either at a fixed size, 1 or 4 processes, beside a ballast: CPython 83 to 98 % (3 to 10 MiB), PyPy 97
 *     to 99 % (34 to 52 MiB)
 *
 * so that any limit between would do; that a difference of less than a fifth matters nobody would say. Below
 * 1 MiB it would be told by chance: that is the size of a few clusters of reclaim.
 *
 * What was dropped and read again is the other half of the question: such pages were needed, and took part in
 * the guest's distress, though no metric of swapping sees it. Seen of what was dropped: growing 0 to 2.3 %
 * (PyPy, 1.2 of 53 MiB), beside a ballast 0 to 12 % (CPython, 1.0 of 8.2 MiB; PyPy, 3.6 of 47.6), where the
 * load goes on using what it has. The limit is a choice: from a tenth on it is no rest of a start-up.
 */
#define OTHER_POINTS      20.0
#define OTHER_REFAULT_PCT 10.0
#define OTHER_MIN_KIB     1024.0

struct reclaim reclaim_unknown(void)
{
	struct reclaim r;

#define X(name) r.name##_kib = NAN;
	RECLAIM_SIZES(X)
#undef X
	r.dropped_pct = r.given_up_pct = r.majfaults = r.allocstalls = NAN;
	return r;
}

/* How far a counter went; NAN when it went back, which no kernel's does. */
static double count(uint64_t from, uint64_t to)
{
	return to >= from ? (double)(to - from) : (double)NAN;
}

static double count_kib(uint64_t from, uint64_t to)
{
	return PAGE_KIB * count(from, to);
}

/* x as a percentage of all; NAN when all is nothing. */
static double percent(double x, double all)
{
	return all > 0 ? 100 * x / all : (double)NAN;
}

/* An unknown number counts as 0: kernels without lazy freeing free nothing lazily. */
static double or_zero(double x)
{
	return isnan(x) ? 0 : x;
}

static double given_up_kib(const struct reclaim *r)
{
	return r->dropped_kib + or_zero(r->lazyfreed_kib);
}

static void set_shares(struct reclaim *r)
{
	double gone_kib = r->file_peak_kib - r->file_kept_kib;
	double given_kib = given_up_kib(r);

	/* What left a tmpfs for swap was not dropped, and what was read again is not gone. */
	if (!(gone_kib <= r->dropped_kib))
		gone_kib = r->dropped_kib;
	r->dropped_pct = percent(gone_kib, r->file_peak_kib);
	r->given_up_pct = percent(given_kib, given_kib + r->swapped_kib);
}

void reclaim_add_series(struct reclaim *r, const struct proto_sample *s, size_t n, int64_t onset_us)
{
	size_t last = 0;
	uint64_t peak = 0;

	if (!n || onset_us < 0)
		return;
	for (size_t i = 0; i < n && s[i].t_us >= s[0].t_us && s[i].t_us - s[0].t_us <= (uint64_t)onset_us;
	     i++) {
		peak = s[i].nr_file_pages > peak ? s[i].nr_file_pages : peak;
		last = i;
	}

	const struct proto_sample *a = &s[0], *b = &s[last];

	r->file_peak_kib = PAGE_KIB * (double)peak;
	r->file_kept_kib = PAGE_KIB * (double)b->nr_file_pages;
	r->dropped_kib = count_kib(a->pgsteal_file, b->pgsteal_file);
	r->refault_kib = count_kib(a->workingset_refault_file, b->workingset_refault_file);
	r->swapped_kib = count_kib(a->pswpout, b->pswpout) + count_kib(a->zswpout, b->zswpout) +
			 count_kib(a->swpout_zero, b->swpout_zero);
	r->majfaults = count(a->pgmajfault, b->pgmajfault);
	r->allocstalls = count(a->allocstall, b->allocstall);
	set_shares(r);
}

/* The number of that key of guest or baseline; NAN when there is none. */
static double guest_number(const struct views *v, enum view view, int64_t snapshot_id, const char *key)
{
	int64_t text = views_text_find(v, key, strlen(key));
	size_t first, end;

	if (text == VIEW_NULL || !views_range(v, view, snapshot_id, &first, &end))
		return NAN;
	for (; first < end; first++)
		if (views_row(v, view, first)[GUEST_KEY] == text)
			return (double)views_row(v, view, first)[GUEST_VALUE];
	return NAN;
}

/* The kernel puts pages that were freed lazily among those of files, and counts them as such when it takes
 * them. */
static void add_lazyfreed(struct reclaim *r, const struct views *v, int64_t id)
{
	static const char key[] = "vmstat.pglazyfreed";
	double kib =
		PAGE_KIB * (guest_number(v, VIEW_GUEST, id, key) - guest_number(v, VIEW_BASELINE, id, key));

	if (!(kib >= 0))
		return;
	r->lazyfreed_kib = kib;
	/* The evidence is later than the last sample. */
	r->dropped_kib = r->dropped_kib > kib ? r->dropped_kib - kib : r->dropped_kib * 0;
	set_shares(r);
}

/* Adds the cell, if it is known. */
static void add_cell(double *sum, int64_t cell)
{
	if (cell != VIEW_NULL)
		*sum = or_zero(*sum) + (double)cell;
}

static bool is_ballast(int64_t name, enum reclaim_owners owners)
{
	if (owners == RECLAIM_BY_NAME)
		return name != VIEW_NULL && strcmp((const char *)(intptr_t)name, "ballast") == 0;
	return owners == RECLAIM_ALL_BALLAST;
}

static void add_process(struct reclaim *r, const int64_t *process, enum reclaim_owners owners)
{
	int64_t swap = process[view_column_find(VIEW_PROCESS, "swap_pss_kib")];
	bool of_ballast = is_ballast(process[PROCESS_NAME], owners);

	/* Kernels before 4.3 do not tell shares of it. */
	if (swap == VIEW_NULL)
		swap = process[view_column_find(VIEW_PROCESS, "swap_kib")];
	add_cell(of_ballast ? &r->ballast_swap_kib : &r->load_swap_kib, swap);
	if (!of_ballast)
		add_cell(&r->load_file_kib, process[view_column_find(VIEW_PROCESS, "pss_file_kib")]);
}

void reclaim_add_evidence(struct reclaim *r, const struct views *v, size_t row, enum reclaim_owners owners)
{
	int64_t id = views_row(v, VIEW_SNAPSHOT, row)[SNAPSHOT_ID];
	double used_kib = guest_number(v, VIEW_GUEST, id, "meminfo.SwapTotal") -
			  guest_number(v, VIEW_GUEST, id, "meminfo.SwapFree");
	size_t first, end;

	add_lazyfreed(r, v, id);
	if (!views_range(v, VIEW_PROCESS, id, &first, &end))
		return;
	for (; first < end; first++)
		add_process(r, views_row(v, VIEW_PROCESS, first), owners);
	/* fmax() would make 0 of what is not known. */
	if (!isnan(used_kib))
		r->rest_swap_kib =
			fmax(0, used_kib - or_zero(r->load_swap_kib) - or_zero(r->ballast_swap_kib));
}

struct reclaim reclaim_mean(const struct reclaim *probes, size_t n)
{
	struct reclaim r;

	/* All members are numbers. */
	means_known((const double *)probes, sizeof(*probes) / sizeof(double), n, sizeof(r) / sizeof(double),
		    (double *)&r);
	return r;
}

bool reclaim_is_other_way(const struct reclaim *load, const struct reclaim *ballast)
{
	bool is_given_up = fabs(load->given_up_pct - ballast->given_up_pct) > OTHER_POINTS &&
			   fabs(given_up_kib(load) - given_up_kib(ballast)) > OTHER_MIN_KIB;
	bool is_refaulted = load->refault_kib - or_zero(ballast->refault_kib) > OTHER_MIN_KIB &&
			    percent(load->refault_kib, load->dropped_kib) > OTHER_REFAULT_PCT;

	/* Comparing with what is not known gives false. */
	return is_given_up || (!isnan(ballast->given_up_pct) && is_refaulted);
}
