/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>

#include "calibrate/evidence/text.h"
#include "harness/measure/measure-internal.h"

#define PROC "/proc"

/* A process that becomes another program while it is read is read anew; one that does so all the time is
 * left. */
#define ATTEMPTS 3

const char *const measure_piece_names[PIECES] = { "smaps_rollup", "smaps", "status", "statm", "pagemap" };

void measure_process_deinit(struct measure_process *p)
{
	strbuf_deinit(&p->stat_text);
	for (size_t i = 0; i < PIECES; i++)
		strbuf_deinit(&p->pieces[i]);
}

static void read_piece(struct measure_process *p, int i, pid_t pid)
{
	const struct strbuf *smaps = &p->pieces[PIECE_SMAPS];

	if (i != PIECE_PAGEMAP)
		p->errors[i] = procfs_read(PROC, pid, measure_piece_names[i], &p->pieces[i]);
	else if (p->errors[PIECE_SMAPS] == 0)
		p->errors[i] = procfs_pagemap(PROC, pid, strbuf_str(smaps), smaps->len, &p->pieces[i]);
}

static void read_pieces(struct measure_process *p, pid_t pid, const struct views *views, bool has_pages)
{
	for (int i = 0; i < PIECES; i++) {
		bool is_wanted = views_want(views, (unsigned)pid, measure_piece_names[i]);

		if (i == PIECE_PAGEMAP)
			is_wanted = is_wanted && has_pages;
		/* smaps says which mappings have pages and whether we may look; status has the peak. */
		if (i == PIECE_SMAPS || i == PIECE_STATUS)
			is_wanted = true;
		p->errors[i] = -1;
		strbuf_clear(&p->pieces[i]);
		if (is_wanted)
			read_piece(p, i, pid);
	}
}

enum measure_process_result measure_process_read(pid_t pid, const struct views *views, bool has_pages,
						 struct measure_process *p)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		struct procfs_stat after;

		strbuf_clear(&p->stat_text);
		if (procfs_read(PROC, pid, "stat", &p->stat_text) ||
		    !procfs_parse_stat(strbuf_str(&p->stat_text), p->stat_text.len, &p->stat))
			return PROCESS_VANISHED;
		if (!procfs_has_memory(&p->stat) || procfs_shares_memory(pid, p->stat.ppid))
			return PROCESS_NONE;
		read_pieces(p, pid, views, has_pages);
		/* The texts end early, without an error, when the process ends while they are read. */
		if (!procfs_stat(PROC, pid, &after) || !procfs_has_memory(&after))
			return PROCESS_VANISHED;
		if (procfs_is_same(&p->stat, &after))
			return PROCESS_READ;
	}
	return PROCESS_VANISHED;
}

uint64_t measure_process_peak_kib(const struct measure_process *p)
{
	const struct strbuf *status = &p->pieces[PIECE_STATUS];
	uint64_t peak_kib;

	return text_get_number(strbuf_str(status), status->len, "VmHWM", &peak_kib) ? peak_kib : 0;
}
