/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/store/store-db.h"

/* What hangs off a probe: its series of samples and the evidence of its snapshots, compressed. */

struct err *store_put_series(struct store *store, int64_t probe_id, const struct probe_record *r)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_strbuf struct strbuf blob = STRBUF_INIT;

	if (r->samples_count == 0)
		return NULL;

	struct err *e = blob_compress(r->samples, r->samples_count * sizeof(*r->samples), &blob);

	if (!e)
		e = store_prepare(store,
				  "INSERT INTO series (probe_id, columns, rows, data) VALUES (?, ?, ?, ?)",
				  &stmt);
	if (e)
		return e;
	sqlite3_bind_int64(stmt, 1, probe_id);
	store_bind_text(stmt, 2, PROTO_SAMPLE_NAMES);
	store_bind_u64(stmt, 3, r->samples_count);
	sqlite3_bind_blob64(stmt, 4, blob.data, blob.len, SQLITE_STATIC);
	return store_run(store, stmt);
}

static struct err *insert_file(struct store *store, sqlite3_stmt *stmt, int64_t snapshot_id,
			       const struct evidence *f)
{
	cleanup_strbuf struct strbuf blob = STRBUF_INIT;

	sqlite3_bind_int64(stmt, 1, snapshot_id);
	sqlite3_bind_int64(stmt, 2, f->pid);
	store_bind_text(stmt, 3, f->name);
	store_bind_u64(stmt, 4, f->len);
	if (f->error) {
		store_bind_text(stmt, 5, f->error);
	} else {
		struct err *e = blob_compress(f->data, f->len, &blob);

		if (e)
			return e;
		sqlite3_bind_blob64(stmt, 6, blob.data, blob.len, SQLITE_STATIC);
	}
	return store_run(store, stmt);
}

struct err *store_put_snapshot(struct store *store, int64_t probe_id, const struct snapshot *s)
{
	cleanup_stmt sqlite3_stmt *snapshot = NULL, *file = NULL;
	struct err *e =
		store_prepare(store, "INSERT INTO main.snapshot (probe_id, name) VALUES (?, ?)", &snapshot);

	if (!e)
		e = store_prepare(store,
				  "INSERT INTO evidence (snapshot_id, pid, name, len, error, data)"
				  " VALUES (?, ?, ?, ?, ?, ?)",
				  &file);
	if (e)
		return e;
	sqlite3_bind_int64(snapshot, 1, probe_id);
	store_bind_text(snapshot, 2, s->name);
	e = store_run(store, snapshot);

	int64_t id = sqlite3_last_insert_rowid(store->db);

	for (size_t i = 0; !e && i < s->files_count; i++)
		e = insert_file(store, file, id, &s->files[i]);
	return e;
}

struct err *store_read_blob(struct store *store, sqlite3_stmt *stmt, int column, struct blob_reader *r,
			    const char **ret, size_t *ret_len)
{
	const void *data = sqlite3_column_blob(stmt, column);
	int len = sqlite3_column_bytes(stmt, column);
	struct err *e = blob_reader_read(r, data, data ? (size_t)len : 0, STORE_BLOB_MAX, ret, ret_len);

	if (!e)
		return NULL;

	struct err *damaged = store_damaged(store, err_message(e));

	err_free(e);
	return damaged;
}

struct err *store_column_blob(struct store *store, sqlite3_stmt *stmt, int column, struct strbuf *sb)
{
	cleanup(cleanup_blob_reader_) struct blob_reader *r = blob_reader_create();
	const char *data;
	size_t len;
	struct err *e = store_read_blob(store, stmt, column, r, &data, &len);

	if (!e)
		strbuf_add(sb, data, len);
	return e;
}

static const char *const sample_names[] = {
#define X(name) #name,
	PROTO_SAMPLE_COLUMNS(X)
#undef X
};

#define SAMPLE_COLUMNS (sizeof(sample_names) / sizeof(sample_names[0]))

_Static_assert(sizeof(struct proto_sample) == SAMPLE_COLUMNS * sizeof(uint64_t),
	       "a sample is a row of numbers");

/* Columns a series may have: more than any version will, so that rows * columns cannot overflow. */
#define SERIES_COLUMNS_MAX 256

/* And rows: as samples they may take as much memory as a blob, however few columns the file has of them. */
#define SERIES_ROWS_MAX (STORE_BLOB_MAX / sizeof(struct proto_sample))

/*
 * Which column of a sample each column of the series is, SAMPLE_COLUMNS for one we do not know. Returns the
 * number of columns, 0 when there are too many.
 */
static size_t map_columns(const char *names, size_t map[SERIES_COLUMNS_MAX])
{
	size_t n = 0;

	for (const char *p = names;; p++) {
		size_t len = strcspn(p, ","), i;

		if (n == SERIES_COLUMNS_MAX)
			return 0;
		for (i = 0; i < SAMPLE_COLUMNS; i++)
			if (strlen(sample_names[i]) == len && memcmp(sample_names[i], p, len) == 0)
				break;
		map[n++] = i;
		p += len;
		if (!*p)
			return n;
	}
}

/* Rows of the file's columns to samples of ours. */
static struct proto_sample *map_rows(const char *data, size_t rows, const size_t *map, size_t n)
{
	struct proto_sample *samples = xcalloc(rows, sizeof(*samples));

	for (size_t row = 0; row < rows; row++)
		for (size_t i = 0; i < n; i++, data += sizeof(uint64_t))
			if (map[i] < SAMPLE_COLUMNS)
				memcpy((uint64_t *)&samples[row] + map[i], data, sizeof(uint64_t));
	return samples;
}

static struct err *read_series(struct store *store, sqlite3_stmt *stmt, struct proto_sample **ret,
			       size_t *ret_n)
{
	cleanup_strbuf struct strbuf data = STRBUF_INIT;
	cleanup_free char *names = store_column_text(stmt, 0);
	int64_t rows = sqlite3_column_int64(stmt, 1);
	size_t map[SERIES_COLUMNS_MAX], n = map_columns(names, map);
	struct err *e = store_column_blob(store, stmt, 2, &data);

	if (e)
		return e;
	if (n == 0 || rows < 0 || (uint64_t)rows > SERIES_ROWS_MAX ||
	    data.len != (size_t)rows * n * sizeof(uint64_t))
		return store_damaged(store, "a series does not have the rows and columns it claims");
	*ret = map_rows(data.data, (size_t)rows, map, n);
	*ret_n = (size_t)rows;
	return NULL;
}

struct err *store_samples(struct store *store, int64_t probe_id, struct proto_sample **ret, size_t *ret_n)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	bool row;
	struct err *e =
		store_prepare(store, "SELECT columns, rows, data FROM series WHERE probe_id = ?", &stmt);

	if (e)
		return e;
	sqlite3_bind_int64(stmt, 1, probe_id);
	e = store_step(store, stmt, &row);
	if (e)
		return e;
	if (row)
		return read_series(store, stmt, ret, ret_n);
	*ret = NULL;
	*ret_n = 0;
	return NULL;
}
