/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/evidence/locality.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/evidence/means.h"
#include "calibrate/evidence/text.h"
#include "guest/pages.h"
#include "harness/base/alloc.h"

/* The kernel's default of fault_around_bytes. */
#define BLOCK_BYTES 65536

struct mapping {
	struct text_mapping m;
	enum locality_part_name part;
	uint64_t rss_kib, swap_kib, anonymous_kib, referenced_kib;
};

struct mappings {
	struct mapping *v;
	size_t n, cap;
	struct mapping *last; /* NULL: fields belong to none of these */
	uint64_t end;
	bool is_disordered;
};

static const char *const part_names[LOCALITY_PARTS] = {
	[LOCALITY_TEXT] = "text",
	[LOCALITY_RODATA] = "rodata",
	[LOCALITY_DATA] = "data",
};

const char *locality_part_name(enum locality_part_name part)
{
	return part_names[part];
}

/* LOCALITY_PARTS: none of them, as gaps between segments are. */
static enum locality_part_name part_of(struct text_span perms)
{
	if (perms.len != 4 || perms.ptr[0] != 'r')
		return LOCALITY_PARTS;
	if (perms.ptr[1] == 'w')
		return LOCALITY_DATA;
	return perms.ptr[2] == 'x' ? LOCALITY_TEXT : LOCALITY_RODATA;
}

static void on_mapping(void *arg, const struct text_mapping *m)
{
	struct mappings *all = arg;
	enum locality_part_name part = part_of(m->perms);

	all->is_disordered |= m->start < all->end;
	all->end = m->end;
	all->last = NULL;
	if (m->inode == 0 || m->path.len == 0 || part == LOCALITY_PARTS)
		return;
	all->last = array_push(all->v, all->n, all->cap);
	*all->last = (struct mapping){ .m = *m, .part = part };
}

static void on_field(void *arg, struct text_span key, uint64_t value, bool has_kib)
{
	struct mapping *m = ((struct mappings *)arg)->last;

	if (!m || !has_kib)
		return;
	if (text_span_is(key, "Rss"))
		m->rss_kib = value;
	else if (text_span_is(key, "Swap"))
		m->swap_kib = value;
	else if (text_span_is(key, "Anonymous"))
		m->anonymous_kib = value;
	else if (text_span_is(key, "Referenced"))
		m->referenced_kib = value;
}

/* The largest mapping of text; NULL when there is none. */
static const struct mapping *find_text(const struct mappings *all)
{
	const struct mapping *best = NULL;

	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].part == LOCALITY_TEXT &&
		    (!best || all->v[i].m.end - all->v[i].m.start > best->m.end - best->m.start))
			best = &all->v[i];
	return best;
}

/* Keeps the mappings of that file, and no others. */
static void keep_file(struct mappings *all, struct text_mapping file)
{
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].m.inode == file.inode && all->v[i].m.dev_major == file.dev_major &&
		    all->v[i].m.dev_minor == file.dev_minor)
			all->v[n++] = all->v[i];
	all->n = n;
}

static void set_name(struct text_span path, char file[64])
{
	const char *slash = memrchr(path.ptr, '/', path.len);
	size_t skip = slash ? (size_t)(slash - path.ptr) + 1 : 0, len = path.len - skip;

	len = len < 63 ? len : 63;
	memcpy(file, path.ptr + skip, len);
	file[len] = '\0';
}

static void add_sizes(struct locality *l, const struct mapping *m)
{
	struct locality_part *p = &l->parts[m->part];

	p->mapped_kib += (double)(m->m.end - m->m.start) / 1024;
	p->touched_kib += (double)m->rss_kib + (double)m->swap_kib;
	/* A private page of a file goes to swap only after it was written. */
	p->dirtied_kib += (double)m->anonymous_kib + (double)m->swap_kib;
	p->referenced_kib += (double)m->referenced_kib;
}

/* Not the address of any page. */
#define NOWHERE UINT64_MAX

/* Walking the page runs along the mappings. */
struct walk {
	struct locality *l;
	uint64_t run_end;    /* where the run under way ends so far; NOWHERE: none in this mapping */
	uint64_t next_block; /* blocks of this mapping that are before it are counted */
};

/* The pages [start, end) of a part, all alike. */
static void add_pages(struct walk *w, enum locality_part_name part, uint64_t start, uint64_t end,
		      const struct proto_page_run *r)
{
	struct locality_part *p = &w->l->parts[part];
	uint64_t pages = (end - start) / PAGE_BYTES, first = start / BLOCK_BYTES,
		 after = (end - 1) / BLOCK_BYTES + 1;

	first = first < w->next_block ? w->next_block : first;
	if (after > first)
		p->blocks += (double)(after - first);
	w->next_block = after > w->next_block ? after : w->next_block;
	p->runs += w->run_end != start;
	w->run_end = end;
	/* Sums first, to become the mean at the end. */
	p->run_pages += (double)pages;
	if ((r->entry & PAGE_IN_RAM) && (r->flags & FRAME_ACTIVE))
		p->active_kib += PAGE_KIB * (double)pages;
}

/* False when the runs are not in order of addresses, or are none. */
static bool add_runs(struct locality *l, const struct mappings *all, const char *data, size_t len)
{
	struct walk w = { .l = l, .run_end = NOWHERE };
	struct proto_page_run r;
	uint64_t address = 0;
	size_t at = 0;

	if (!data || len % sizeof(r) != 0)
		return false;
	for (; len > 0; data += sizeof(r), len -= sizeof(r)) {
		memcpy(&r, data, sizeof(r));

		uint64_t end = r.address + (uint64_t)r.pages * PAGE_BYTES;

		if (r.pages == 0 || r.address < address || r.address % PAGE_BYTES || end < r.address)
			return false;
		address = end;
		/* A run may be of two mappings that are neighbours. */
		for (; at < all->n && all->v[at].m.start < end; at++) {
			const struct mapping *m = &all->v[at];
			uint64_t from = r.address > m->m.start ? r.address : m->m.start;
			uint64_t to = end < m->m.end ? end : m->m.end;

			if (from < to)
				add_pages(&w, m->part, from, to, &r);
			if (end < m->m.end)
				break;
			w.run_end = NOWHERE;
			w.next_block = 0;
		}
	}
	return true;
}

static void set_run_means(struct locality *l, bool is_known)
{
	for (size_t i = 0; i < LOCALITY_PARTS; i++) {
		struct locality_part *p = &l->parts[i];

		if (!is_known)
			p->active_kib = p->runs = p->blocks = NAN;
		p->least_kib = is_known ? fmax(p->blocks * PAGE_KIB, p->dirtied_kib) : (double)NAN;
		p->run_pages = p->runs > 0 ? p->run_pages / p->runs : (double)NAN;
	}
}

bool locality_read(const char *smaps, size_t smaps_len, const char *runs, size_t runs_len,
		   struct locality *ret)
{
	struct mappings all = { .n = 0 };
	struct locality l = { .file = "" };
	const struct mapping *text;

	text_each_smaps(smaps, smaps_len, on_mapping, on_field, NULL, &all);
	text = all.is_disordered ? NULL : find_text(&all);
	if (!text) {
		free(all.v);
		return false;
	}
	set_name(text->m.path, l.file);
	keep_file(&all, text->m);
	for (size_t i = 0; i < all.n; i++)
		add_sizes(&l, &all.v[i]);
	set_run_means(&l, add_runs(&l, &all, runs, runs_len));
	free(all.v);
	*ret = l;
	return true;
}

/* All members of a part are numbers. */
#define PART_NUMBERS (sizeof(struct locality_part) / sizeof(double))

struct locality locality_mean(const struct locality *all, size_t n)
{
	struct locality l = { .file = "" };

	if (n)
		memcpy(l.file, all[0].file, sizeof(l.file));
	means_known((const double *)all->parts, sizeof(*all) / sizeof(double), n,
		    LOCALITY_PARTS * PART_NUMBERS, (double *)l.parts);
	return l;
}

struct locality_part locality_sum(const struct locality *l)
{
	struct locality_part sum = { .mapped_kib = 0 };
	double pages = 0;

	for (size_t i = 0; i < LOCALITY_PARTS; i++) {
		const struct locality_part *p = &l->parts[i];

		for (size_t j = 0; j < PART_NUMBERS; j++)
			((double *)&sum)[j] += ((const double *)p)[j];
		pages += p->runs > 0 ? p->runs * p->run_pages : 0;
	}
	sum.run_pages = sum.runs > 0 ? pages / sum.runs : (double)NAN;
	return sum;
}
