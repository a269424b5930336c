/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/cell/shard-spec.h"
#include "harness/store/store-merge-internal.h"

/* When everything is in the result: its order, what contradicts itself, and what is missing. */

/** The cells of a plan as they were in it, from offset on, which becomes the first place behind them. */
static struct err *place_plan(struct merge *m, size_t plan, int64_t *offset)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	bool row = false;
	struct err *e = merge_run_with_ids(m->out,
					   "UPDATE cell SET position = o.position + ?1 FROM origin_cell o"
					   " WHERE o.key = cell.key AND o.plan = ?2",
					   *offset, (int64_t)plan);

	if (!e)
		e = store_prepare(m->out, "SELECT max(position) + 1 FROM origin_cell WHERE plan = ?", &stmt);
	if (e)
		return e;
	sqlite3_bind_int64(stmt, 1, (int64_t)plan);
	e = store_step(m->out, stmt, &row);
	if (e)
		return e;
	*offset += sqlite3_column_int64(stmt, 0);
	if (*offset > INT32_MAX)
		return err_new("the positions of cells in these files are impossible");
	return NULL;
}

struct err *merge_order(struct merge *m)
{
	int64_t offset = 0, last = 0;
	struct err *e = NULL;

	for (size_t plan = 0; !e && plan < m->plans_n; plan++)
		e = place_plan(m, plan, &offset);
	if (!e)
		e = store_query_int(m->out, "SELECT max(id) FROM run", &last);
	if (e || last == m->last_run_id)
		return e;
	/* Its probes are without their run for a moment. */
	e = store_exec(m->out, "PRAGMA defer_foreign_keys=ON");
	if (!e)
		e = merge_run_with_ids(m->out, "UPDATE run SET id = ? WHERE id = ?", last + 1,
				       m->last_run_id);
	if (!e)
		e = merge_run_with_ids(m->out, "UPDATE probe SET run_id = ? WHERE run_id = ?", last + 1,
				       m->last_run_id);
	return e;
}

void merge_add_conflict(struct merge *m, const struct cell *cell, size_t a, size_t b, int64_t replicate)
{
	struct merge_result *r = m->result;
	struct merge_conflict *c = array_push(r->conflicts, r->conflicts_n, r->conflicts_cap);

	*c = (struct merge_conflict){
		.cell = *cell,
		.is_identity = replicate < 0,
		.replicate = replicate < 0 ? 0 : (unsigned)replicate,
		.a = m->paths[a],
		.b = m->paths[b],
	};
	json_incref(c->cell.identity);
}

/*
 * Two files agree on a replicate when one has all answers that the other has: it is the same search, or the
 * same probe, and one file was copied before it went on. A file that has failures only does not contradict
 * anybody. The first sight of both files is by number, so each pair is told once.
 */
static const char differing_answers[] =
	"WITH answer AS MATERIALIZED ("
	"  SELECT p.id, p.cell_key, p.replicate, o.file FROM probe p JOIN origin_probe o ON o.id = p.id"
	"  WHERE p.outcome IN ('onset', 'no-onset')),"
	" shared AS MATERIALIZED ("
	"  SELECT cell_key, replicate FROM answer GROUP BY cell_key, replicate"
	"  HAVING min(file) <> max(file)),"
	" side AS MATERIALIZED ("
	"  SELECT DISTINCT a.cell_key, a.replicate, a.file FROM answer a"
	"  JOIN shared s ON s.cell_key = a.cell_key AND s.replicate = a.replicate)"
	" SELECT c.key, c.threshold_key, c.position, c.replicates, c.identity, a.replicate, a.file, b.file"
	" FROM side a JOIN side b ON a.cell_key = b.cell_key AND a.replicate = b.replicate AND a.file < "
	"b.file"
	" JOIN cell c ON c.key = a.cell_key"
	" WHERE EXISTS (SELECT 1 FROM answer x WHERE x.cell_key = a.cell_key AND x.replicate = a.replicate"
	"   AND x.file = a.file AND NOT EXISTS (SELECT 1 FROM origin_probe o WHERE o.id = x.id AND o.file = "
	"b.file))"
	" AND EXISTS (SELECT 1 FROM answer x WHERE x.cell_key = a.cell_key AND x.replicate = a.replicate"
	"   AND x.file = b.file AND NOT EXISTS (SELECT 1 FROM origin_probe o WHERE o.id = x.id AND o.file = "
	"a.file))"
	" ORDER BY c.position, c.key, a.replicate, a.file, b.file";

static struct err *find_differing_answers(struct merge *m)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e = store_prepare(m->out, differing_answers, &stmt);

	for (bool row = true; !e && row;) {
		struct cell cell = { .identity = NULL };

		e = store_step(m->out, stmt, &row);
		if (!e && row)
			e = store_read_cell(m->out, stmt, &cell);
		if (!e && row)
			merge_add_conflict(m, &cell, (size_t)sqlite3_column_int64(stmt, 6),
					   (size_t)sqlite3_column_int64(stmt, 7),
					   sqlite3_column_int64(stmt, 5));
		cell_deinit(&cell);
	}
	return e;
}

/** The shards that the runs of one plan were of. */
struct shards {
	unsigned n; /**< 0: none yet */
	bool is_there[SHARDS_MAX];
	bool is_whole; /**< some run was of the whole plan, or there are shards of different sizes */
};

static void add_shard(struct shards *s, const char *audit_text)
{
	cleanup(cleanup_json_) json_t *audit = json_loads(audit_text, JSON_REJECT_DUPLICATES, NULL);
	const char *text = json_string_value(json_object_get(audit, "shard"));
	struct shard shard;
	struct err *e = text ? shard_parse(text, &shard) : err_new("no shard");

	if (e || (s->n && s->n != shard.n)) {
		s->is_whole = true;
	} else {
		s->n = shard.n;
		s->is_there[shard.k - 1] = true;
	}
	err_free(e);
}

static struct err *find_shards(struct merge *m, struct shards *s)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e = store_prepare(m->out,
				      "SELECT audit FROM run WHERE plan_text = (SELECT plan_text FROM run "
				      "ORDER BY id DESC LIMIT 1)",
				      &stmt);

	for (bool row = true; !e && row;) {
		e = store_step(m->out, stmt, &row);
		if (e || !row)
			return e;

		cleanup_free char *audit = store_column_text(stmt, 0);

		add_shard(s, audit);
	}
	return e;
}

static struct err *find_missing_shards(struct merge *m)
{
	cleanup_free struct shards *s = xcalloc(1, sizeof(*s));
	cleanup_strbuf struct strbuf missing = STRBUF_INIT;
	struct err *e = find_shards(m, s);

	if (e || s->is_whole)
		return e;
	for (unsigned k = 0; k < s->n; k++)
		if (!s->is_there[k])
			strbuf_addf(&missing, "%s%u", missing.len ? ", " : "", k + 1);
	if (missing.len) {
		strbuf_addf(&missing, " of %u", s->n);
		m->result->missing_shards = strbuf_steal(&missing);
	}
	return NULL;
}

struct err *merge_check(struct merge *m)
{
	int64_t without_z = 0;
	struct err *e = find_differing_answers(m);

	if (!e)
		e = find_missing_shards(m);
	if (!e)
		e = store_query_int(m->out,
				    "SELECT count(*) FROM cell WHERE is_current AND threshold_key NOT IN"
				    " (SELECT key FROM cell WHERE is_current)",
				    &without_z);
	m->result->without_z = (uint64_t)without_z;
	return e;
}
