/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/cmd/cli.h"
#include "harness/cmd/cmd.h"
#include "harness/export/export.h"

static const char usage[] =
	"usage: swapcal export FILE [--format text|csv|json]\n"
	"       swapcal export FILE --probe N\n"
	"       swapcal export FILE --series [--probe N] [--format csv|json]\n"
	"       swapcal export FILE --piece SNAPSHOT/PID/NAME\n"
	"       swapcal export FILE --runs SNAPSHOT/PID\n"
	"       swapcal export FILE --tree DIR\n"
	"\n"
	"Raw data of a results file, as the guest sent it. Without an option: the pieces\n"
	"of evidence there are. Works during a run too, and never changes the file.\n"
	"\n"
	"Options:\n"
	"      --series       the samples of all probes\n"
	"      --probe N      all about one probe, with its console and what QEMU said; with\n"
	"                     --series its samples\n"
	"      --piece PIECE  one piece of evidence, byte for byte; PID 0 is the guest\n"
	"      --runs PROC    the pages of a process as CSV, a line for each run of pages\n"
	"      --tree DIR     everything, as files below DIR, which must be new or empty\n"
	"      --format FMT   text (the default), csv (that of --series) or json\n"
	"  -h, --help         show this text\n"
	"\n"
	"Examples:\n"
	"  swapcal export night.swapcal --series --probe 12 > samples.csv\n"
	"  swapcal export night.swapcal --piece 24/105/smaps\n";

struct options {
	const char *file;
	enum cli_format format;
	bool is_series;
	int64_t probe; /* 0: all */
	const char *piece, *runs, *tree;
};

static struct err *parse_probe(const char *value, void *ret)
{
	int64_t *id = ret;
	char *end;

	errno = 0;
	*id = strtoll(value, &end, 10);
	if (errno || *value < '0' || *value > '9' || *end || *id == 0)
		return err_new_kind(ERR_USAGE, "--probe: '%s' is not the number of a probe", value);
	return NULL;
}

/* Options that do not go together. */
static struct err *check_options(const struct options *o)
{
	if (o->is_series + !!o->piece + !!o->runs + !!o->tree > 1)
		return err_new_kind(ERR_USAGE, "use only one of --series, --piece, --runs and --tree");
	if (o->probe && (o->piece || o->runs || o->tree))
		return err_new_kind(ERR_USAGE, "--probe goes alone or with --series");
	if (o->probe && o->format && !o->is_series)
		return err_new_kind(ERR_USAGE, "--format goes with --probe only for --series");
	if (o->format && (o->piece || o->runs || o->tree))
		return err_new_kind(ERR_USAGE, "--format goes with the list of pieces and with --series");
	if (o->format == CLI_TEXT && o->is_series)
		return err_new_kind(ERR_USAGE, "--series comes as 'csv' or 'json'");
	return NULL;
}

static struct err *read_piece(struct store *store, const struct export *x, const char *piece,
			      struct strbuf *out)
{
	const struct store_piece *p;
	struct err *e = export_find(x, piece, &p);

	return e ? e : store_read_piece(store, p, out);
}

static struct err *read_runs(struct store *store, const struct export *x, const char *process,
			     struct strbuf *out)
{
	cleanup_free char *piece = xasprintf("%s/pagemap", process);
	cleanup_strbuf struct strbuf content = STRBUF_INIT;
	struct err *e = read_piece(store, x, piece, &content);

	return e ? e : export_runs_csv(strbuf_str(&content), content.len, out);
}

/* Printed probe by probe, since all series together may be large; what is left in out is their end. */
static struct err *print_series(struct store *store, const struct export *x, const struct options *o,
				struct strbuf *out)
{
	bool is_json = o->format == CLI_JSON, is_first = true;
	struct err *e = NULL;

	if (o->probe && !export_find_probe(x, o->probe))
		return err_new_kind(ERR_USAGE, "--probe: there is no probe %lld", (long long)o->probe);
	if (is_json)
		strbuf_addf(out, "{\"tool_version\": \"%s\", \"schema_version\": %d, \"probes\": [\n",
			    SWAPCAL_VERSION, STORE_SCHEMA_VERSION);
	else
		export_series_header(out);
	for (size_t i = 0; !e && i < x->probes_n; i++) {
		int64_t id = x->probes[i].id;

		if (o->probe && o->probe != id)
			continue;
		if (is_json)
			strbuf_adds(out, is_first ? "" : ",\n");
		is_first = false;
		e = (is_json ? export_series_json : export_series_csv)(store, id, out);
		cli_print(out);
		strbuf_clear(out);
	}
	if (is_json && !e)
		strbuf_adds(out, "]}\n");
	return e;
}

static struct err *export(struct store *store, const struct export *x, const struct options *o,
			  struct strbuf *out)
{
	if (o->piece)
		return read_piece(store, x, o->piece, out);
	if (o->runs)
		return read_runs(store, x, o->runs, out);
	if (o->tree)
		return export_tree(store, x, o->tree);
	if (o->is_series)
		return print_series(store, x, o, out);
	if (o->probe)
		return export_probe_text(store, x, o->probe, out);
	if (o->format == CLI_JSON)
		export_list_json(x, out);
	else if (o->format == CLI_CSV)
		export_list_csv(x, out);
	else
		export_list_text(x, 0, out);
	return NULL;
}

struct err *cmd_export(int argc, char **argv)
{
	cleanup(cleanup_store_) struct store *store = NULL;
	cleanup(cleanup_export_) struct export *x = NULL;
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	struct options o = { .probe = 0 };
	const struct cli_option options[] = {
		{ "FILE", .argument = &o.file },
		{ "series", .flag = &o.is_series },
		{ "probe", .parse = parse_probe, .to = &o.probe },
		{ "piece", .text = &o.piece },
		{ "runs", .text = &o.runs },
		{ "tree", .text = &o.tree },
		{ "format", .format = &o.format, .choices = "text|csv|json" },
		{ .name = NULL },
	};
	struct err *e = cli_parse(argc, argv, usage, options);

	if (!e)
		e = check_options(&o);
	if (!e)
		e = store_open(o.file, STORE_READ, &store);
	if (!e)
		e = export_open(store, &x);
	if (!e)
		e = export(store, x, &o, &out);
	if (!e)
		cli_print(&out);
	return e;
}
