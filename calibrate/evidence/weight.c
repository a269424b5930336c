/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/evidence/weight.h"

#include <math.h>

#include "calibrate/evidence/means.h"

#define PAGE_KIB 4.0

/* A table of 4 KiB maps 2 MiB. */
#define TABLES_SHARE (1 / 512.0)

/*
 * What the load cannot give back. A page that is in RAM and in swap at a time is in both counts. NAN from a
 * kernel that does not tell.
 */
static double held_kib(const struct proto_sample *s)
{
	double kib = (double)s->load_stat_active_anon_kib + (double)s->load_stat_inactive_anon_kib +
		     (double)s->load_stat_unevictable_kib + (double)s->load_stat_kernel_kib +
		     (double)s->load_stat_swap_kib - (double)s->load_stat_slab_reclaimable_kib -
		     (double)s->load_stat_swapcached_kib;

	return s->load_stat_kernel_kib ? kib : (double)NAN;
}

/*
 * What files and lazily freed memory have in RAM: the lists of files, on which a kernel has both. Beside it
 * the swap cache: pages on their way to swap are still there. A series of another version lacks the lists.
 */
static double file_kib(const struct proto_sample *s)
{
	uint64_t lists = s->nr_active_file + s->nr_inactive_file;

	return PAGE_KIB * (lists ? (double)lists + (double)s->nr_swapcached
				 : (double)s->nr_file_pages - (double)s->nr_shmem);
}

struct weighing weighing_read(const struct proto_sample *s, size_t n, int64_t onset_us)
{
	struct weighing w = { NAN, NAN, NAN, NAN };
	const struct proto_sample *rest = NULL, *onset = s;

	if (!n || onset_us < 0)
		return w;
	for (size_t i = 0; i < n && s[i].t_us >= s[0].t_us && s[i].t_us - s[0].t_us <= (uint64_t)onset_us;
	     i++) {
		onset = &s[i];
		if (!s[i].load_pages)
			rest = &s[i];
	}
	w.file_kib = file_kib(onset) + (double)onset->load_stat_slab_reclaimable_kib;
	/* SwapFree counts the slots that a kernel has set aside, 64 at a time, as used. */
	w.free_kib = PAGE_KIB * ((double)onset->nr_free_pages - (double)proto_swapped_out(onset) +
				 (double)onset->pswpin);
	if (!rest)
		return w;
	w.held_kib = held_kib(rest);
	w.drift_kib = held_kib(onset) - w.held_kib;
	return w;
}

struct weighing weighing_mean(const struct weighing *v, size_t n)
{
	struct weighing mean;

	/* All members are numbers. */
	means_known((const double *)v, sizeof(*v) / sizeof(double), n, sizeof(mean) / sizeof(double),
		    (double *)&mean);
	return mean;
}

struct weight_parts weight_parts_of(const struct weighing *load, const struct weighing *ballast)
{
	struct weight_parts p = {
		.held_kib = load->held_kib,
		.drift_kib = load->drift_kib,
		.file_kib = load->file_kib - ballast->file_kib,
		.free_kib = load->free_kib - ballast->free_kib,
	};
	double sum_kib = p.held_kib + p.drift_kib + p.file_kib + p.free_kib;

	p.sum_kib = sum_kib / (1 + TABLES_SHARE);
	p.tables_kib = p.sum_kib - sum_kib;
	return p;
}
