/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/base/clock.h"
#include "harness/cell/cell.h"
#include "harness/query/metric.h"
#include "harness/query/query.h"
#include "harness/store/store.h"
#include "tests/unit/errors.h"

/*
 * How long it takes to judge a results file again with every shipped metric.
 *
 *   rejudge make IN OUT SNAPSHOTS PROCESSES   a file of that many probes, out of a real one: each has the
 *                                             evidence of the snapshot of IN whose processes have the most
 *                                             of it; they are repeated under other pids
 *   rejudge time FILE                         the time of each step
 *
 * What it cannot show: snapshots that differ from each other, which texts kept once hardly profit from.
 */

/* --- make */

struct source {
	struct store *store;
	struct store_piece *pieces;
	size_t n;
};

static bool is_of(const struct store_piece *p, int64_t snapshot_id)
{
	return p->snapshot_id == snapshot_id;
}

/* Pieces of a process come one after the other. */
static unsigned count_processes(const struct source *in, int64_t snapshot_id)
{
	unsigned count = 0, last = 0;

	for (size_t i = 0; i < in->n; i++) {
		const struct store_piece *p = &in->pieces[i];

		if (is_of(p, snapshot_id) && p->pid && p->pid != last) {
			last = p->pid;
			count++;
		}
	}
	return count;
}

static uint64_t count_bytes(const struct source *in, int64_t snapshot_id)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < in->n; i++)
		if (is_of(&in->pieces[i], snapshot_id) && in->pieces[i].pid)
			sum += in->pieces[i].len;
	return sum;
}

static const struct store_piece *find_largest(const struct source *in)
{
	const struct store_piece *best = NULL;
	uint64_t most = 0;

	for (size_t i = 0; i < in->n; i++) {
		const struct store_piece *p = &in->pieces[i];
		uint64_t bytes = strcmp(p->snapshot, "onset") == 0 ? count_bytes(in, p->snapshot_id) : 0;

		if (bytes > most) {
			most = bytes;
			best = p;
		}
	}
	if (!best)
		must(err_new("the file has no process at onset"));
	return best;
}

/*
 * A guest has its pages once: of `of` processes that are copies of one, each gets every of-th run of pages,
 * from the nth on.
 */
static void thin_runs(struct strbuf *content, unsigned n, unsigned of)
{
	const size_t bytes = sizeof(struct proto_page_run);
	size_t runs = content->len / bytes, kept = 0;

	for (size_t i = n; i < runs; i += of)
		memmove(content->data + kept++ * bytes, content->data + i * bytes, bytes);
	content->len = kept * bytes;
}

/* The piece as one of the nth process of that many. */
static void add_piece(const struct source *in, const struct store_piece *p, unsigned n, unsigned of,
		      struct snapshot *s)
{
	struct strbuf content = STRBUF_INIT;
	struct evidence *f = array_push(s->files, s->files_count, s->files_cap);

	f->pid = p->pid ? 1000 + n : 0;
	f->name = xstrdup(p->name);
	if (p->error) {
		f->error = xstrdup(p->error);
		return;
	}
	must(store_read_piece(in->store, p, &content));
	if (strcmp(p->name, "pagemap") == 0)
		thin_runs(&content, n, of);
	f->len = content.len;
	f->data = strbuf_steal(&content);
}

/* Copies a snapshot; with processes, theirs in turn until there are that many. */
static void add_snapshot(const struct source *in, int64_t id, const char *name, unsigned processes,
			 struct probe_record *r)
{
	struct snapshot *s = array_push(r->snapshots, r->snapshots_count, r->snapshots_cap);
	unsigned have = count_processes(in, id);

	s->name = xstrdup(name);
	for (size_t i = 0; i < in->n; i++)
		if (is_of(&in->pieces[i], id) && !in->pieces[i].pid)
			add_piece(in, &in->pieces[i], 0, 1, s);
	for (unsigned made = 0; have && made < processes; made += have) {
		unsigned count = 0, last = 0;

		for (size_t i = 0; i < in->n; i++) {
			const struct store_piece *p = &in->pieces[i];

			if (!is_of(p, id) || !p->pid)
				continue;
			count += p->pid != last;
			last = p->pid;
			if (made + count <= processes)
				add_piece(in, p, made + count - 1, processes, s);
		}
	}
}

static int64_t find_baseline(const struct source *in, int64_t probe_id)
{
	for (size_t i = 0; i < in->n; i++)
		if (in->pieces[i].probe_id == probe_id && strcmp(in->pieces[i].snapshot, "baseline") == 0)
			return in->pieces[i].snapshot_id;
	return -1;
}

static void make_file(const char *from, const char *to, unsigned snapshots, unsigned processes)
{
	struct source in;
	struct store *out;
	int64_t run;
	cleanup(cell_deinit) struct cell cell = { .replicates = snapshots,
						  .identity = json_pack("{s:s}", "method", "growth") };
	cleanup(cleanup_json_) json_t *audit = json_object();

	must(cell_decode(&cell));
	hash_sha256("rejudge", 7, cell.key);
	memcpy(cell.threshold_key, cell.key, sizeof(cell.key));
	must(store_open(from, STORE_READ, &in.store));
	must(store_pieces(in.store, &in.pieces, &in.n));
	must(store_open(to, STORE_WRITE, &out));
	must(store_put_cell(out, &cell));
	must(store_begin_run(out, audit, "rejudge", "", &run));

	const struct store_piece *largest = find_largest(&in);
	cleanup(probe_record_deinit) struct probe_record r = { .kind = PROBE_GROWTH,
							       .outcome = OUTCOME_ONSET };

	memcpy(r.cell_key, cell.key, sizeof(r.cell_key));
	add_snapshot(&in, find_baseline(&in, largest->probe_id), "baseline", 0, &r);
	add_snapshot(&in, largest->snapshot_id, "onset", processes, &r);
	for (r.replicate = 0; r.replicate < snapshots; r.replicate++)
		must(store_put_probe(out, run, &r));
	must(store_end_run(out, run, "done"));
	store_close(out);
	store_pieces_free(in.pieces, in.n);
	store_close(in.store);
}

/* --- time */

static int64_t step(const char *name, int64_t since_us)
{
	int64_t now_us = clock_us();

	printf("%-24s %8.1f ms\n", name, (double)(now_us - since_us) / 1e3);
	return now_us;
}

static void time_file(const char *path)
{
	struct store *store;
	struct metric *metrics;
	struct views *views;
	struct query *q;
	size_t metrics_n;
	unsigned set = 0;
	int64_t begin = clock_us(), t;

	must(metric_load_shipped(&metrics, &metrics_n));
	must(store_open(path, STORE_READ, &store));
	t = step("load metrics, open file", begin);
	for (size_t i = 0; i < metrics_n; i++)
		must(query_check(&metrics[i], &set));
	t = step("check queries", t);
	must(store_views(store, STORE_JUDGED, set, &views));
	t = step("make views", t);
	must(query_open(views, &q));
	for (size_t i = 0; i < metrics_n; i++) {
		struct metric_value *v;
		size_t n;

		must(query_metric(q, &metrics[i], &v, &n));
		free(v);
		t = step(metrics[i].name, t);
	}
	step("all", begin);
	for (enum view view = 0; view < VIEW_COUNT; view++)
		printf("%-24s %8zu rows\n", view_name(view), views_rows(views, view));
	query_close(q);
	views_destroy(views);
	store_close(store);
	metrics_free(metrics, metrics_n);
}

int main(int argc, char **argv)
{
	if (argc == 6 && strcmp(argv[1], "make") == 0) {
		make_file(argv[2], argv[3], (unsigned)atoi(argv[4]), (unsigned)atoi(argv[5]));
	} else if (argc == 3 && strcmp(argv[1], "time") == 0) {
		time_file(argv[2]);
	} else {
		fprintf(stderr, "usage: rejudge make IN OUT SNAPSHOTS PROCESSES | rejudge time FILE\n");
		return 2;
	}
	return 0;
}
