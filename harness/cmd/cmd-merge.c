/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>

#include "harness/base/log.h"
#include "harness/cmd/cli.h"
#include "harness/cmd/cmd.h"
#include "harness/cell/cell-format.h"
#include "harness/store/store-merge.h"

static const char usage[] =
	"usage: swapcal merge OUT FILE...\n"
	"\n"
	"Joins results files, such as those of the shards of a plan, to a new one, OUT, which can be\n"
	"reported, validated, exported, and resumed with 'swapcal run'. What several files have is taken\n"
	"once. When two of them answer one replicate of a cell differently, this is told, and OUT is not\n"
	"made. The FILEs are not changed. Reports of OUT go by the plan of the first of them.\n"
	"\n"
	"Options:\n"
	"  -h, --help  show this text\n"
	"\n"
	"Example:\n"
	"  swapcal merge night.swapcal night-1.swapcal night-2.swapcal\n";

static void tell_conflict(const struct merge_conflict *c)
{
	cleanup_strbuf struct strbuf cell = STRBUF_INIT;

	format_cell(&cell, &c->cell);
	if (c->is_identity)
		log_note("cell %.12s (%s): in '%s' and in '%s' the same key stands for two different cells",
			 c->cell.key, cell.data, c->a, c->b);
	else
		log_note("cell %.12s (%s): replicate %u was answered in '%s' and, independently, in '%s'",
			 c->cell.key, cell.data, c->replicate, c->a, c->b);
}

static struct err *conflict_error(const struct merge_result *r, const char *out)
{
	for (size_t i = 0; i < r->conflicts_n; i++)
		tell_conflict(&r->conflicts[i]);
	return err_new(
		"%zu conflict%s, so '%s' is not made; of two files that asked the same, leave one out, or report each by itself",
		r->conflicts_n, r->conflicts_n == 1 ? "" : "s", out);
}

/** Tells in what way the result may not be what the user meant. */
static void tell_doubts(const struct merge_result *r, const char *first)
{
	if (r->plans > 1)
		log_note("the files have %zu different plans; name and margin of reports are those of '%s'",
			 r->plans, first);
	if (r->missing_shards)
		log_note("no file is of shard %s; 'swapcal run' with the whole plan asks what is missing",
			 r->missing_shards);
	if (r->without_z)
		log_note(
			"%" PRIu64
			" cell%s no Z* to be compared with: the threshold of the same guest, of the same image, is in none of the files",
			r->without_z, r->without_z == 1 ? " has" : "s have");
}

static struct err *merge(const char *out, const char *const *files, size_t n)
{
	cleanup(merge_result_deinit) struct merge_result result = { 0 };
	struct err *e = store_merge(out, files, n, &result);

	if (e)
		return e;
	if (result.conflicts_n)
		return conflict_error(&result, out);
	tell_doubts(&result, files[0]);
	log_note("%s: %" PRIu64 " cells, %" PRIu64 " probes from %zu file%s", out, result.cells,
		 result.probes, n, n == 1 ? "" : "s");
	if (result.repeated)
		log_note("%" PRIu64 " probes were in more than one file, and were taken once",
			 result.repeated);
	return NULL;
}

struct err *cmd_merge(int argc, char **argv)
{
	const struct cli_option none[] = { { .name = NULL } };
	struct err *e = cli_parse(argc, argv, usage, none);

	if (e)
		return e;
	if (argc - optind < 2)
		return err_new_kind(ERR_USAGE, "%s is missing; see 'swapcal merge --help'",
				    argc == optind ? "OUT" : "FILE");

	const char *const *arguments = (const char *const *)argv + optind;

	return merge(arguments[0], arguments + 1, (size_t)(argc - optind - 1));
}
