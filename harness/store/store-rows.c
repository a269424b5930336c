/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/clock.h"
#include "harness/store/store-db.h"

/* --- Runs and cells */

/* Far more than anybody has time for; a bound for those who count them one by one. */
#define REPLICATES_MAX 100000

struct err *store_begin_run(struct store *store, const json_t *audit, const char *plan_name,
			    const char *plan_text, int64_t *ret_run_id)
{
	cleanup_free char *text = json_dumps(audit, JSON_COMPACT | JSON_SORT_KEYS);

	if (!text)
		return err_new("the audit of this run cannot be written as JSON");

	struct err *e = store_exec(store, "BEGIN IMMEDIATE");

	if (e)
		return e;
	/* We hold the lock, so a run that is still called running is not. */
	e = store_exec(store, "UPDATE run SET status = 'died' WHERE status = 'running'");
	if (!e)
		e = store_change(
			store,
			"INSERT INTO run (started_s, status, tool_version, pid, audit, plan_name, plan_text)"
			" VALUES (?, 'running', ?, ?, ?, ?, ?)",
			STORE_REAL(clock_unix_s()), STORE_TEXT(SWAPCAL_VERSION), STORE_INT(getpid()),
			STORE_TEXT(text), STORE_TEXT(plan_name), STORE_TEXT(plan_text));

	int64_t id = sqlite3_last_insert_rowid(store->db);

	e = store_end_transaction(store, e);
	if (!e)
		*ret_run_id = id;
	return e;
}

struct err *store_end_run(struct store *store, int64_t run_id, const char *status)
{
	return store_change(store, "UPDATE run SET status = ?, ended_s = ? WHERE id = ?", STORE_TEXT(status),
			    STORE_REAL(clock_unix_s()), STORE_INT(run_id));
}

struct err *store_last_run(struct store *store, json_t **ret_audit, char **ret_plan_name,
			   char **ret_plan_text, char **ret_status)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	long pid;
	struct err *e = store_prepare(
		store, "SELECT audit, plan_name, plan_text, status FROM run ORDER BY id DESC LIMIT 1", &stmt);

	if (!store_next(store, stmt, &e)) {
		if (!e) {
			*ret_audit = NULL;
			*ret_plan_name = *ret_plan_text = *ret_status = NULL;
		}
		return e;
	}

	cleanup_free char *text = store_column_text(stmt, 0);
	json_t *audit = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	if (!json_is_object(audit)) {
		json_decref(audit);
		return store_damaged(store, "the audit of its last run is not a JSON object");
	}
	*ret_audit = audit;
	*ret_plan_name = store_column_text(stmt, 1);
	*ret_plan_text = store_column_text(stmt, 2);
	*ret_status = store_column_text(stmt, 3);
	if (strcmp(*ret_status, "running") == 0 && !store_has_writer(store, &pid)) {
		free(*ret_status);
		*ret_status = xstrdup("died");
	}
	return NULL;
}

struct err *store_put_cell(struct store *store, const struct cell *cell)
{
	cleanup_free char *identity = json_dumps(cell->identity, JSON_COMPACT | JSON_SORT_KEYS);

	if (!identity)
		return err_new("the identity of cell %s cannot be written as JSON", cell->key);
	return store_change(
		store,
		"INSERT INTO cell (key, threshold_key, position, replicates, is_current, identity)"
		" VALUES (?, ?, ?, ?, 1, ?) ON CONFLICT (key) DO UPDATE SET"
		" threshold_key = excluded.threshold_key, position = excluded.position, replicates = excluded.replicates, identity = excluded.identity, is_current = 1",
		STORE_TEXT(cell->key), STORE_TEXT(cell->threshold_key), STORE_INT(cell->position),
		STORE_INT(cell->replicates), STORE_TEXT(identity));
}

static struct err *set_cells(struct store *store, const struct cell *cells, size_t n,
			     struct store_change *ret)
{
	int64_t still = 0;
	struct err *e = NULL;

	for (size_t i = 0; !e && i < n; i++) {
		int64_t is_there = 0;

		e = store_query_int(store, &is_there, "SELECT count(*) FROM cell WHERE key = ?",
				    STORE_TEXT(cells[i].key));
		ret->kept += (size_t)is_there;
	}
	/* Cells that were current get a mark, which the plan's lose again: the rest can be counted. */
	if (!e)
		e = store_exec(store, "UPDATE cell SET is_current = 2 WHERE is_current");
	for (size_t i = 0; !e && i < n; i++)
		e = store_put_cell(store, &cells[i]);
	if (!e)
		e = store_query_int(store, &still, "SELECT count(*) FROM cell WHERE is_current = 2");
	if (!e)
		e = store_exec(store, "UPDATE cell SET is_current = 0 WHERE is_current = 2");
	ret->dropped = (size_t)still;
	return e;
}

struct err *store_set_cells(struct store *store, const struct cell *cells, size_t n, struct store_change *ret)
{
	struct store_change change = { 0 };
	struct err *e = store_exec(store, "BEGIN IMMEDIATE");

	if (!e)
		e = store_end_transaction(store, set_cells(store, cells, n, &change));
	if (!e)
		*ret = change;
	return e;
}

struct err *store_read_cell(struct store *store, sqlite3_stmt *stmt, struct cell *cell)
{
	int64_t position = sqlite3_column_int64(stmt, 2), replicates = sqlite3_column_int64(stmt, 3);

	if (!store_column_key(stmt, 0, cell->key) || !store_column_key(stmt, 1, cell->threshold_key))
		return store_damaged(store, "the key of a cell is not a hash");
	if (position < 0 || position > INT32_MAX || replicates < 0 || replicates > REPLICATES_MAX)
		return store_damaged(store, "a cell has an impossible position or number of replicates");
	cell->position = (unsigned)position;
	cell->replicates = (unsigned)replicates;

	cleanup_free char *identity = store_column_text(stmt, 4);

	cell->identity = json_loads(identity, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(cell->identity))
		return store_damaged(store, "the identity of a cell is not a JSON object");

	struct err *e = cell_decode(cell);
	struct err *damaged = e ? store_damaged(store, err_message(e)) : NULL;

	err_free(e);
	return damaged;
}

struct err *store_cells(struct store *store, struct cell **ret, size_t *ret_n)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct cell *cells = NULL;
	size_t n = 0, cap = 0;
	struct err *e = store_prepare(store,
				      "SELECT key, threshold_key, position, replicates, identity FROM cell"
				      " WHERE is_current ORDER BY position, key",
				      &stmt);

	while (store_next(store, stmt, &e))
		e = store_read_cell(store, stmt, array_push(cells, n, cap));
	if (e) {
		store_cells_free(cells, n);
		return e;
	}
	*ret = cells;
	*ret_n = n;
	return NULL;
}

void store_cells_free(struct cell *cells, size_t n)
{
	for (size_t i = 0; i < n; i++)
		cell_deinit(&cells[i]);
	free(cells);
}

/* --- Probes */

/* How a member of struct probe_record is kept. */
enum column_type {
	COLUMN_TEXT,     /* char *, owned */
	COLUMN_KEY,      /* char[65], hexadecimal */
	COLUMN_UNSIGNED, /* unsigned */
	COLUMN_U64,      /* uint64_t, not negative in the file */
	COLUMN_I64,      /* int64_t */
	COLUMN_BITS,     /* uint64_t of which every bit counts: negative in the file from 2^63 on */
	COLUMN_REAL,     /* double */
	COLUMN_KIND,
	COLUMN_OUTCOME,
};

struct column {
	const char *name;
	enum column_type type;
	size_t offset;
};

/* clang-format off */
#define COLUMN(member, type) { #member, type, offsetof(struct probe_record, member) }
#define COLUMN_PHASE(phase, name) \
	{ "phase_" name "_ms", COLUMN_I64, offsetof(struct probe_record, phase_ms[phase]) }
/* clang-format on */

static const struct column columns[] = {
	COLUMN(cell_key, COLUMN_KEY),
	COLUMN(replicate, COLUMN_UNSIGNED),
	COLUMN(seq, COLUMN_UNSIGNED),
	COLUMN(kind, COLUMN_KIND),
	COLUMN(z_kib, COLUMN_U64),
	COLUMN(seed, COLUMN_BITS),
	COLUMN(outcome, COLUMN_OUTCOME),
	COLUMN(reason, COLUMN_TEXT),
	COLUMN(flags, COLUMN_TEXT),
	COLUMN(started_s, COLUMN_REAL),
	COLUMN_PHASE(PHASE_START, "start"),
	COLUMN_PHASE(PHASE_BOOT, "boot"),
	COLUMN_PHASE(PHASE_PREPARE, "prepare"),
	COLUMN_PHASE(PHASE_LOAD, "load"),
	COLUMN_PHASE(PHASE_SETTLE, "settle"),
	COLUMN_PHASE(PHASE_EVIDENCE, "evidence"),
	COLUMN_PHASE(PHASE_TEARDOWN, "teardown"),
	COLUMN(mem_total_kib, COLUMN_U64),
	COLUMN(mem_available0_kib, COLUMN_U64),
	COLUMN(load_pages, COLUMN_U64),
	COLUMN(onset_t_us, COLUMN_I64),
	COLUMN(onset_swapped_pages, COLUMN_U64),
	COLUMN(swap_written_bytes, COLUMN_U64),
	COLUMN(freeze_us, COLUMN_U64),
	COLUMN(agent_rss_kib, COLUMN_U64),
	COLUMN(sample_cpu_us_mean, COLUMN_U64),
	COLUMN(sample_cpu_us_max, COLUMN_U64),
	COLUMN(ballast_rss_kib, COLUMN_U64),
	COLUMN(ballast_pte_kib, COLUMN_U64),
	COLUMN(console, COLUMN_TEXT),
	COLUMN(output, COLUMN_TEXT),
	COLUMN(command_line, COLUMN_TEXT),
};

_Static_assert(PHASE_COUNT == 7, "a new phase needs its column");

static struct store_value column_value(const struct column *c, const struct probe_record *r)
{
	const void *p = (const char *)r + c->offset;

	switch (c->type) {
	case COLUMN_TEXT:
		return STORE_TEXT(*(char *const *)p);
	case COLUMN_KEY:
		return STORE_TEXT(p);
	case COLUMN_UNSIGNED:
		return STORE_INT(*(const unsigned *)p);
	case COLUMN_U64:
		return STORE_U64(*(const uint64_t *)p);
	case COLUMN_I64:
	case COLUMN_BITS:
		return STORE_INT(*(const int64_t *)p);
	case COLUMN_REAL:
		return STORE_REAL(*(const double *)p);
	case COLUMN_KIND:
		return STORE_TEXT(probe_kind_name(*(const enum probe_kind *)p));
	case COLUMN_OUTCOME:
		return STORE_TEXT(outcome_name(*(const enum outcome *)p));
	}
	return STORE_NULL;
}

/* False when the value cannot be one of ours. */
static bool read_column(sqlite3_stmt *stmt, int index, const struct column *c, struct probe_record *r)
{
	void *p = (char *)r + c->offset;
	int64_t number = sqlite3_column_int64(stmt, index);
	cleanup_free char *text = NULL;

	switch (c->type) {
	case COLUMN_TEXT:
		*(char **)p = store_column_text(stmt, index);
		return true;
	case COLUMN_KEY:
		/* That it is the key of a cell is only enforced on writing. */
		return store_column_key(stmt, index, p);
	case COLUMN_KIND:
		text = store_column_text(stmt, index);
		return probe_kind_parse(text, p);
	case COLUMN_OUTCOME:
		text = store_column_text(stmt, index);
		return outcome_parse(text, p);
	case COLUMN_UNSIGNED:
		*(unsigned *)p = (unsigned)number;
		return number >= 0 && number <= UINT32_MAX;
	case COLUMN_U64:
		*(uint64_t *)p = (uint64_t)number;
		return number >= 0;
	case COLUMN_I64:
	case COLUMN_BITS:
		*(int64_t *)p = number;
		return true;
	case COLUMN_REAL:
		*(double *)p = sqlite3_column_double(stmt, index);
		return true;
	}
	return false;
}

/* "a, b, c" of all columns. */
static void add_column_names(struct strbuf *sb)
{
	for (size_t i = 0; i < COUNT(columns); i++)
		strbuf_addf(sb, "%s%s", i ? ", " : "", columns[i].name);
}

struct err *store_insert_probe(struct store *store, int64_t run_id, const struct probe_record *r,
			       int64_t *ret_id)
{
	cleanup_strbuf struct strbuf sql = STRBUF_INIT;
	struct store_value values[COUNT(columns) + 1] = { STORE_INT(run_id) };

	strbuf_adds(&sql, "INSERT INTO probe (run_id, ");
	add_column_names(&sql);
	strbuf_adds(&sql, ") VALUES (?");
	for (size_t i = 0; i < COUNT(columns); i++) {
		strbuf_adds(&sql, ", ?");
		values[i + 1] = column_value(&columns[i], r);
	}
	strbuf_adds(&sql, ")");

	struct err *e = store_change_values(store, sql.data, values, COUNT(columns) + 1);

	if (!e)
		*ret_id = sqlite3_last_insert_rowid(store->db);
	return e;
}

/* --- What hangs off a probe: its series of samples and the evidence of its snapshots, compressed */

static struct err *put_series(struct store *store, int64_t probe_id, const struct probe_record *r)
{
	cleanup_strbuf struct strbuf blob = STRBUF_INIT;

	if (r->samples_count == 0)
		return NULL;

	struct err *e = blob_compress(r->samples, r->samples_count * sizeof(*r->samples), &blob);

	return e ? e
		 : store_change(store,
				"INSERT INTO series (probe_id, columns, rows, data) VALUES (?, ?, ?, ?)",
				STORE_INT(probe_id), STORE_TEXT(PROTO_SAMPLE_NAMES),
				STORE_INT(r->samples_count), STORE_BLOB(&blob));
}

static struct err *put_file(struct store *store, int64_t snapshot_id, const struct evidence *f)
{
	cleanup_strbuf struct strbuf blob = STRBUF_INIT;
	struct err *e = f->error ? NULL : blob_compress(f->data, f->len, &blob);

	if (e)
		return e;
	return store_change(store,
			    "INSERT INTO evidence (snapshot_id, pid, name, len, error, data)"
			    " VALUES (?, ?, ?, ?, ?, ?)",
			    STORE_INT(snapshot_id), STORE_INT(f->pid), STORE_TEXT(f->name), STORE_U64(f->len),
			    f->error ? STORE_TEXT(f->error) : STORE_NULL,
			    f->error ? STORE_NULL : STORE_BLOB(&blob));
}

static struct err *put_snapshot(struct store *store, int64_t probe_id, const struct snapshot *s)
{
	struct err *e = store_change(store, "INSERT INTO main.snapshot (probe_id, name) VALUES (?, ?)",
				     STORE_INT(probe_id), STORE_TEXT(s->name));
	int64_t id = sqlite3_last_insert_rowid(store->db);

	for (size_t i = 0; !e && i < s->files_count; i++)
		e = put_file(store, id, &s->files[i]);
	return e;
}

struct err *store_put_probe(struct store *store, int64_t run_id, struct probe_record *r)
{
	int64_t id = 0;
	struct err *e = store_exec(store, "BEGIN IMMEDIATE");

	if (e)
		return e;
	e = store_insert_probe(store, run_id, r, &id);
	if (!e)
		e = put_series(store, id, r);
	for (size_t i = 0; !e && i < r->snapshots_count; i++)
		e = put_snapshot(store, id, &r->snapshots[i]);
	e = store_end_transaction(store, e);
	if (!e)
		r->id = id;
	return e;
}

static struct err *read_probe(struct store *store, sqlite3_stmt *stmt, struct probe_record *r)
{
	r->id = sqlite3_column_int64(stmt, 0);
	for (size_t i = 0; i < COUNT(columns); i++) {
		if (read_column(stmt, (int)i + 1, &columns[i], r))
			continue;

		cleanup_free char *what =
			xasprintf("probe %lld has an impossible %s", (long long)r->id, columns[i].name);

		return store_damaged(store, what);
	}
	return NULL;
}

/* Rows as read_probe() takes them. `where` may have one parameter. */
static struct err *select_probes(struct store *store, const char *where, struct store_value value,
				 sqlite3_stmt **ret)
{
	cleanup_strbuf struct strbuf sql = STRBUF_INIT;

	strbuf_adds(&sql, "SELECT id, ");
	add_column_names(&sql);
	strbuf_addf(&sql, " FROM probe %s ORDER BY id", where);
	return store_ask(store, ret, sql.data, value);
}

struct err *store_read_probe(struct store *store, int64_t id, struct probe_record *r)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e = select_probes(store, "WHERE id = ?", STORE_INT(id), &stmt);

	if (store_next(store, stmt, &e))
		return read_probe(store, stmt, r);
	return e ? e : store_damaged(store, "an index lists a probe that its table does not have");
}

struct err *store_probes(struct store *store, const char *cell_key, struct probe_record **ret, size_t *ret_n)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct probe_record *probes = NULL;
	size_t n = 0, cap = 0;
	struct err *e = cell_key ? select_probes(store, "WHERE cell_key = ?", STORE_TEXT(cell_key), &stmt)
				 : select_probes(store, "", STORE_NULL, &stmt);

	while (store_next(store, stmt, &e))
		e = read_probe(store, stmt, array_push(probes, n, cap));
	if (e) {
		store_probes_free(probes, n);
		return e;
	}
	*ret = probes;
	*ret_n = n;
	return NULL;
}

void store_probes_free(struct probe_record *probes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		probe_record_deinit(&probes[i]);
	free(probes);
}

/* --- Samples */

static const char *const sample_names[] = {
#define X(name) #name,
	PROTO_SAMPLE_COLUMNS(X)
#undef X
};

_Static_assert(sizeof(struct proto_sample) == COUNT(sample_names) * sizeof(uint64_t),
	       "a sample is a row of numbers");

/* Columns a series may have: more than any version will, so that rows * columns cannot overflow. */
#define SERIES_COLUMNS_MAX 256

/* And rows: as samples they may take as much memory as a blob, however few columns the file has of them. */
#define SERIES_ROWS_MAX (STORE_BLOB_MAX / sizeof(struct proto_sample))

/*
 * Which column of a sample each column of the series is, COUNT(sample_names) for one we do not know. Returns
 * the number of columns, 0 when there are too many.
 */
static size_t map_columns(const char *names, size_t map[SERIES_COLUMNS_MAX])
{
	size_t n = 0;

	for (const char *p = names;; p++) {
		size_t len = strcspn(p, ","), i;

		if (n == SERIES_COLUMNS_MAX)
			return 0;
		for (i = 0; i < COUNT(sample_names); i++)
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
			if (map[i] < COUNT(sample_names))
				memcpy((uint64_t *)&samples[row] + map[i], data, sizeof(uint64_t));
	return samples;
}

static struct err *read_series(struct store *store, sqlite3_stmt *stmt, struct proto_sample **ret,
			       size_t *ret_n)
{
	cleanup(cleanup_blob_reader_) struct blob_reader *reader = blob_reader_create();
	cleanup_free char *names = store_column_text(stmt, 0);
	const char *data;
	size_t len;
	int64_t rows = sqlite3_column_int64(stmt, 1);
	size_t map[SERIES_COLUMNS_MAX], n = map_columns(names, map);
	struct err *e = store_read_blob(store, stmt, 2, reader, &data, &len);

	if (e)
		return e;
	if (n == 0 || rows < 0 || (uint64_t)rows > SERIES_ROWS_MAX ||
	    len != (size_t)rows * n * sizeof(uint64_t))
		return store_damaged(store, "a series does not have the rows and columns it claims");
	*ret = map_rows(data, (size_t)rows, map, n);
	*ret_n = (size_t)rows;
	return NULL;
}

struct err *store_samples(struct store *store, int64_t probe_id, struct proto_sample **ret, size_t *ret_n)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e = store_ask(store, &stmt, "SELECT columns, rows, data FROM series WHERE probe_id = ?",
				  STORE_INT(probe_id));

	if (store_next(store, stmt, &e))
		return read_series(store, stmt, ret, ret_n);
	if (e)
		return e;
	*ret = NULL;
	*ret_n = 0;
	return NULL;
}
