/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "harness/base/format.h"
#include "harness/export/export.h"
#include "harness/probe/probe.h"
#include "harness/cell/cell-format.h"

/* All about one probe, for a person who wants to know what went wrong. */

/* A text of a guest's or QEMU's with its lines; what a terminal could take for a command is cleaned. */
static void add_text(struct strbuf *out, const char *title, const char *text)
{
	if (!text || !*text)
		return;
	strbuf_addf(out, "\n%s\n", title);
	while (*text) {
		size_t len = strcspn(text, "\n");
		cleanup_strbuf struct strbuf line = STRBUF_INIT;

		strbuf_add(&line, text, len);
		strbuf_adds(out, "  ");
		format_clean(out, strbuf_str(&line));
		strbuf_adds(out, "\n");
		text += len + (text[len] == '\n');
	}
}

static void add_times(struct strbuf *out, const struct probe_record *r)
{
	time_t started = (time_t)r->started_s;
	struct tm tm;
	char text[32];

	if (localtime_r(&started, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm))
		strbuf_addf(out, "started   %s\n", text);
	strbuf_adds(out, "took     ");
	for (int i = 0; i < PHASE_COUNT; i++)
		if (r->phase_ms[i])
			strbuf_addf(out, " %s %.1f s", probe_phase_name((enum probe_phase)i),
				    (double)r->phase_ms[i] / 1000);
	strbuf_adds(out, "\n");
}

/* What the host kept of a probe that gave no answer. */
static struct err *add_post_mortem(struct store *store, const struct export *x, int64_t probe_id,
				   struct strbuf *out)
{
	struct err *e = NULL;

	for (size_t i = 0; !e && i < x->pieces_n; i++) {
		const struct store_piece *p = &x->pieces[i];
		cleanup_strbuf struct strbuf content = STRBUF_INIT, title = STRBUF_INIT;

		if (p->probe_id != probe_id || strcmp(p->snapshot, PROBE_POST_MORTEM) != 0 || p->error)
			continue;
		e = store_read_piece(store, p, &content);
		format_clean(&title, p->name);
		if (!e)
			add_text(out, strbuf_str(&title), strbuf_str(&content));
	}
	return e;
}

struct err *export_probe_text(struct store *store, const struct export *x, int64_t probe_id,
			      struct strbuf *out)
{
	const struct probe_record *r = export_find_probe(x, probe_id);
	struct err *e;

	if (!r)
		return err_new_kind(ERR_USAGE, "--probe: there is no probe %" PRId64, probe_id);
	strbuf_addf(out, "probe     %" PRId64 ", %s, of cell %.12s, replicate %u\noutcome   %s", probe_id,
		    probe_kind_name(r->kind), r->cell_key, r->replicate + 1, outcome_name(r->outcome));
	if (*r->reason) {
		strbuf_adds(out, ": ");
		format_clean(out, r->reason);
	}
	strbuf_adds(out, "\nflags     ");
	format_clean(out, *r->flags ? r->flags : "none");
	strbuf_adds(out, "\n");
	add_times(out, r);
	add_text(out, "console", r->console);
	add_text(out, "output of the load", r->output);
	e = add_post_mortem(store, x, probe_id, out);
	add_text(out, "command of QEMU", r->command_line);
	strbuf_adds(out, "\nevidence\n");
	export_list_text(x, probe_id, out);
	return e;
}
