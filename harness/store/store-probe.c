/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/store/store-db.h"

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

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

_Static_assert(PHASE_COUNT == 7, "a new phase needs its column");

static void bind_column(sqlite3_stmt *stmt, int index, const struct column *c, const struct probe_record *r)
{
	const void *p = (const char *)r + c->offset;

	switch (c->type) {
	case COLUMN_TEXT:
		store_bind_text(stmt, index, *(char *const *)p);
		break;
	case COLUMN_KEY:
		store_bind_text(stmt, index, p);
		break;
	case COLUMN_UNSIGNED:
		sqlite3_bind_int64(stmt, index, *(const unsigned *)p);
		break;
	case COLUMN_U64:
		store_bind_u64(stmt, index, *(const uint64_t *)p);
		break;
	case COLUMN_I64:
	case COLUMN_BITS:
		sqlite3_bind_int64(stmt, index, *(const int64_t *)p);
		break;
	case COLUMN_REAL:
		sqlite3_bind_double(stmt, index, *(const double *)p);
		break;
	case COLUMN_KIND:
		store_bind_text(stmt, index, probe_kind_name(*(const enum probe_kind *)p));
		break;
	case COLUMN_OUTCOME:
		store_bind_text(stmt, index, outcome_name(*(const enum outcome *)p));
		break;
	}
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
	for (size_t i = 0; i < COLUMNS; i++)
		strbuf_addf(sb, "%s%s", i ? ", " : "", columns[i].name);
}

struct err *store_insert_probe(struct store *store, int64_t run_id, const struct probe_record *r,
			       int64_t *ret_id)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_strbuf struct strbuf sql = STRBUF_INIT;

	strbuf_adds(&sql, "INSERT INTO probe (run_id, ");
	add_column_names(&sql);
	strbuf_adds(&sql, ") VALUES (?");
	for (size_t i = 0; i < COLUMNS; i++)
		strbuf_adds(&sql, ", ?");
	strbuf_adds(&sql, ")");

	struct err *e = store_prepare(store, sql.data, &stmt);

	if (e)
		return e;
	sqlite3_bind_int64(stmt, 1, run_id);
	for (size_t i = 0; i < COLUMNS; i++)
		bind_column(stmt, (int)i + 2, &columns[i], r);
	e = store_run(store, stmt);
	if (!e)
		*ret_id = sqlite3_last_insert_rowid(store->db);
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
		e = store_put_series(store, id, r);
	for (size_t i = 0; !e && i < r->snapshots_count; i++)
		e = store_put_snapshot(store, id, &r->snapshots[i]);
	e = store_end_transaction(store, e);
	if (!e)
		r->id = id;
	return e;
}

static struct err *read_probe(struct store *store, sqlite3_stmt *stmt, struct probe_record *r)
{
	r->id = sqlite3_column_int64(stmt, 0);
	for (size_t i = 0; i < COLUMNS; i++) {
		if (read_column(stmt, (int)i + 1, &columns[i], r))
			continue;

		cleanup_free char *what =
			xasprintf("probe %lld has an impossible %s", (long long)r->id, columns[i].name);

		return store_damaged(store, what);
	}
	return NULL;
}

struct err *store_read_probe(struct store *store, int64_t id, struct probe_record *r)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_strbuf struct strbuf sql = STRBUF_INIT;
	bool row = false;

	strbuf_adds(&sql, "SELECT id, ");
	add_column_names(&sql);
	strbuf_adds(&sql, " FROM probe WHERE id = ?");

	struct err *e = store_prepare(store, sql.data, &stmt);

	if (e)
		return e;
	sqlite3_bind_int64(stmt, 1, id);
	e = store_step(store, stmt, &row);
	if (!e && !row)
		e = store_damaged(store, "an index has a probe that its table has not");
	return e ? e : read_probe(store, stmt, r);
}

struct err *store_probes(struct store *store, const char *cell_key, struct probe_record **ret, size_t *ret_n)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_strbuf struct strbuf sql = STRBUF_INIT;
	struct probe_record *probes = NULL;
	size_t n = 0, cap = 0;

	strbuf_adds(&sql, "SELECT id, ");
	add_column_names(&sql);
	strbuf_addf(&sql, " FROM probe %s ORDER BY id", cell_key ? "WHERE cell_key = ?" : "");

	struct err *e = store_prepare(store, sql.data, &stmt);

	if (!e && cell_key)
		store_bind_text(stmt, 1, cell_key);
	for (bool row = true; !e && row;) {
		e = store_step(store, stmt, &row);
		if (!e && row)
			e = read_probe(store, stmt, array_push(probes, n, cap));
	}
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
