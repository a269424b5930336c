/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The mappings of a process, a NUL, and its page runs; a guest may have made up all of it. */
#include <math.h>
#include <string.h>

#include "calibrate/evidence/locality.h"
#include "guest/proto.h"
#include "tests/fuzz/fuzz.h"

static void check_part(const struct locality_part *p, uint64_t pages)
{
	must_hold(p->mapped_kib >= 0 && p->touched_kib >= 0 && p->dirtied_kib >= 0 && p->referenced_kib >= 0);
	must_hold(isnan(p->runs) == isnan(p->blocks) && isnan(p->runs) == isnan(p->active_kib));
	must_hold(isnan(p->run_pages) == !(p->runs > 0));
	if (isnan(p->runs))
		return;
	must_hold(p->runs >= 0 && p->active_kib >= 0 && p->active_kib <= 4 * (double)pages);
	/* A run is cut in two at most where a mapping ends. */
	if (p->runs > 0)
		must_hold(p->blocks > 0 && p->runs * p->run_pages <= (double)pages + 0.5);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *end = size ? memchr(text, 0, size) : NULL;
	size_t text_len = end ? (size_t)(end - text) : size, runs_len = end ? size - text_len - 1 : 0;
	struct locality l;
	uint64_t pages = 0;

	if (!locality_read(text, text_len, end ? end + 1 : NULL, runs_len, &l))
		return 0;
	for (size_t at = 0; at + sizeof(struct proto_page_run) <= runs_len;
	     at += sizeof(struct proto_page_run)) {
		struct proto_page_run r;

		memcpy(&r, end + 1 + at, sizeof(r));
		pages += r.pages;
	}
	must_hold(strlen(l.file) < sizeof(l.file));
	for (size_t i = 0; i < LOCALITY_PARTS; i++)
		check_part(&l.parts[i], pages);
	return 0;
}
