/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/store/store-merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/store/store-merge-internal.h"

void merge_result_deinit(struct merge_result *r)
{
	for (size_t i = 0; i < r->conflicts_n; i++)
		cell_deinit(&r->conflicts[i].cell);
	free(r->conflicts);
	free(r->missing_shards);
}

/** Which of the plans that of the file now read is; it may be a new one. */
static struct err *find_plan(struct merge *m)
{
	cleanup(cleanup_json_) json_t *audit = NULL;
	cleanup_free char *name = NULL, *text = NULL, *status = NULL;
	struct err *e = store_last_run(m->in, &audit, &name, &text, &status);

	if (e)
		return e;
	/* Its run was stopped before it began, and may have left cells: they go with the plan read last. */
	if (!text)
		return NULL;
	for (m->plan = 0; m->plan < m->plans_n; m->plan++)
		if (strcmp(m->plans[m->plan], text) == 0)
			return NULL;
	*array_push(m->plans, m->plans_n, m->plans_cap) = take_ptr(text);
	return NULL;
}

static void tell_writer(const struct store *in)
{
	long pid;

	if (store_has_writer(in, &pid))
		log_note("'%s' is being written to by a run (pid %ld): merged as of this moment", in->name,
			 pid);
}

/* One file at a time is open, so that there may be any number. */
static struct err *merge_file(struct merge *m)
{
	cleanup(cleanup_store_) struct store *in = NULL;
	struct err *e = store_open(m->paths[m->file], STORE_READ, &in);

	if (e)
		return e;
	tell_writer(in);
	m->in = in;
	e = find_plan(m);
	if (!e)
		e = merge_runs(m);
	if (!e)
		e = merge_cells(m);
	if (!e)
		e = merge_probes(m);
	m->in = NULL;
	return e;
}

static struct err *count(struct store *store, const char *sql, uint64_t *ret)
{
	int64_t n = 0;
	struct err *e = store_query_int(store, sql, &n);

	*ret = (uint64_t)n;
	return e;
}

static struct err *merge_files(struct merge *m, size_t n)
{
	struct err *e = merge_tables_create(m);

	for (m->file = 0; !e && m->file < n; m->file++)
		e = merge_file(m);
	if (!e)
		e = merge_order(m);
	if (!e)
		e = merge_check(m);
	if (!e)
		e = count(m->out, "SELECT count(*) FROM cell WHERE is_current", &m->result->cells);
	if (!e)
		e = count(m->out, "SELECT count(*) FROM probe", &m->result->probes);
	m->result->plans = m->plans_n;
	return e;
}

/** A new results file of that path, which messages call name. */
static struct err *create(const char *path, const char *name, struct store **ret)
{
	cleanup(cleanup_store_) struct store *store = NULL;
	struct err *e = store_open(path, STORE_WRITE, &store);

	if (e)
		return e;
	free(store->name);
	store->name = xstrdup(name);
	/* Who finds a part of it removes it: no journal, and the disk is waited for once, at the end. */
	e = store_exec(store, "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; BEGIN IMMEDIATE");
	if (e)
		return e;
	*ret = take_ptr(store);
	return NULL;
}

static struct err *merge_to(const char *path, const char *out, const char *const *paths, size_t n,
			    struct merge_result *result)
{
	cleanup(cleanup_store_) struct store *store = NULL;
	struct merge m = { .paths = paths, .result = result };
	struct err *e = create(path, out, &store);

	m.out = store;
	if (!e)
		e = store_end_transaction(store, merge_files(&m, n));
	for (size_t i = 0; i < m.plans_n; i++)
		free(m.plans[i]);
	free(m.plans);
	return e;
}

/** Fails when there is something of the name, or something that SQLite would take for a part of it. */
static struct err *check_is_new(const char *out)
{
	static const char *const suffixes[] = { "", "-wal", "-journal", "-lock" };

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		cleanup_free char *path = xasprintf("%s%s", out, suffixes[i]);
		struct stat st;

		if (lstat(path, &st) == 0)
			return err_new_kind(
				ERR_USAGE,
				"'%s' is there already; merge makes a new file: give another name, "
				"or move that away",
				path);
	}
	return NULL;
}

/** What SQLite could not bring into the file, as on a full disk, it leaves beside it. */
static void remove_all(const char *path)
{
	cleanup_free char *wal = xasprintf("%s-wal", path), *shm = xasprintf("%s-shm", path);

	unlink(wal);
	unlink(shm);
	unlink(path);
}

struct err *store_merge(const char *out, const char *const *paths, size_t n, struct merge_result *ret)
{
	cleanup_free char *path = xasprintf("%s.XXXXXX", out);
	struct err *e = check_is_new(out);

	*ret = (struct merge_result){ 0 };
	if (e)
		return e;

	int fd = mkstemp(path);

	if (fd < 0)
		return err_errno(errno, "cannot create '%s'", out);
	close(fd);

	cleanup_free char *wal = xasprintf("%s-wal", path);

	e = merge_to(path, out, paths, n, ret);
	if (!e && file_exists(wal))
		e = err_new("cannot write '%s': the disk is full", out);
	if (!e && !ret->conflicts_n)
		e = file_publish(path, out);
	/* Nothing is left to remove when it has its name. */
	remove_all(path);
	return e;
}
