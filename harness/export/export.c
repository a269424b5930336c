/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/export/export.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "guest/proto.h"
#include "harness/base/alloc.h"
#include "harness/base/file.h"
#include "harness/base/format.h"
#include "harness/base/trust.h"
#include "harness/probe/probe.h"

struct err *export_open(struct store *store, struct export **ret)
{
	cleanup(cleanup_export_) struct export *x = xcalloc(1, sizeof(*x));
	struct err *e = store_cells(store, &x->cells, &x->cells_n);

	if (!e)
		e = store_probes(store, NULL, &x->probes, &x->probes_n);
	if (!e)
		e = store_pieces(store, &x->pieces, &x->pieces_n);
	if (e)
		return e;
	*ret = take_ptr(x);
	return NULL;
}

void export_close(struct export *x)
{
	store_pieces_free(x->pieces, x->pieces_n);
	store_probes_free(x->probes, x->probes_n);
	store_cells_free(x->cells, x->cells_n);
	free(x);
}

const struct probe_record *export_find_probe(const struct export *x, int64_t id)
{
	for (size_t i = 0; i < x->probes_n; i++)
		if (x->probes[i].id == id)
			return &x->probes[i];
	return NULL;
}

/* A probe's cell; one that says nothing for a cell of an earlier plan, which the store does not tell. */
static const struct cell *cell_of(const struct export *x, const struct probe_record *probe)
{
	static const struct cell none = { .method = "", .workload = "" };

	for (size_t i = 0; probe && i < x->cells_n; i++)
		if (strcmp(x->cells[i].key, probe->cell_key) == 0)
			return &x->cells[i];
	return &none;
}

static void add_name(struct strbuf *out, const struct store_piece *p)
{
	strbuf_addf(out, "%" PRId64 "/%u/", p->snapshot_id, p->pid);
	format_clean(out, p->name);
}

void export_list_text(const struct export *x, int64_t probe_id, struct strbuf *out)
{
	const struct probe_record *probe = NULL;
	int64_t snapshot_id = 0;

	for (size_t i = 0; i < x->pieces_n; i++) {
		const struct store_piece *p = &x->pieces[i];
		cleanup_strbuf struct strbuf name = STRBUF_INIT;

		if (probe_id && p->probe_id != probe_id)
			continue;
		if (!probe || probe->id != p->probe_id || snapshot_id != p->snapshot_id) {
			probe = export_find_probe(x, p->probe_id);
			snapshot_id = p->snapshot_id;
			strbuf_addf(out, "%sprobe %" PRId64 " (%s", i ? "\n" : "", p->probe_id,
				    probe ? outcome_name(probe->outcome) : "unknown");
			strbuf_addf(out, ", cell %.12s): ", probe ? probe->cell_key : "");
			format_clean(out, p->snapshot);
			strbuf_adds(out, "\n");
		}
		add_name(&name, p);
		strbuf_addf(out, "  %-32s %10" PRIu64 " bytes", strbuf_str(&name), p->len);
		if (p->error) {
			strbuf_adds(out, "  ");
			format_clean(out, p->error);
		}
		strbuf_adds(out, "\n");
	}
}

static json_t *piece_json(const struct export *x, const struct store_piece *p)
{
	const struct probe_record *probe = export_find_probe(x, p->probe_id);
	cleanup_strbuf struct strbuf piece = STRBUF_INIT;
	char cell[13] = "";

	add_name(&piece, p);
	if (probe)
		memcpy(cell, probe->cell_key, 12);
	return json_pack("{s:s, s:I, s:s, s:o, s:o, s:s, s:I, s:o, s:I, s:o, s:I, s:o}", "piece",
			 strbuf_str(&piece), "probe", (json_int_t)p->probe_id, "cell", cell, "method",
			 format_json_string(cell_of(x, probe)->method), "workload",
			 format_json_string(cell_of(x, probe)->workload), "outcome",
			 probe ? outcome_name(probe->outcome) : "", "snapshot_id", (json_int_t)p->snapshot_id,
			 "snapshot", format_json_string(p->snapshot), "pid", (json_int_t)p->pid, "name",
			 format_json_string(p->name), "bytes", (json_int_t)p->len, "error",
			 p->error ? format_json_string(p->error) : json_null());
}

/* The members of a row as piece_json() has them, in its order. */
void export_list_csv(const struct export *x, struct strbuf *out)
{
	strbuf_adds(out,
		    "piece,probe,cell,method,workload,outcome,snapshot_id,snapshot,pid,name,bytes,error\n");
	for (size_t i = 0; i < x->pieces_n; i++) {
		cleanup(cleanup_json_) json_t *row = piece_json(x, &x->pieces[i]);
		json_t *value;
		const char *name, *separator = "";

		json_object_foreach(row, name, value)
		{
			strbuf_adds(out, separator);
			if (json_is_integer(value))
				strbuf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
			else if (json_is_string(value))
				format_csv(out, json_string_value(value));
			separator = ",";
		}
		strbuf_adds(out, "\n");
	}
}

void export_list_json(const struct export *x, struct strbuf *out)
{
	json_t *pieces = json_array();

	for (size_t i = 0; i < x->pieces_n; i++)
		json_array_append_new(pieces, piece_json(x, &x->pieces[i]));

	cleanup(cleanup_json_) json_t *root =
		json_pack("{s:s, s:i, s:o}", "tool_version", SWAPCAL_VERSION, "schema_version",
			  STORE_SCHEMA_VERSION, "pieces", pieces);
	cleanup_free char *text = json_dumps(root, JSON_INDENT(1));

	strbuf_adds(out, text);
	strbuf_adds(out, "\n");
}

struct err *export_find(const struct export *x, const char *piece, const struct store_piece **ret)
{
	for (size_t i = 0; i < x->pieces_n; i++) {
		cleanup_free char *name = xasprintf("%" PRId64 "/%u/%s", x->pieces[i].snapshot_id,
						    x->pieces[i].pid, x->pieces[i].name);

		if (strcmp(name, piece) != 0)
			continue;
		*ret = &x->pieces[i];
		return NULL;
	}
	return err_new_kind(ERR_USAGE, "there is no piece '%s'; 'swapcal export FILE' lists them", piece);
}

/* --- Rows of numbers: the series of a probe, and the page runs of a process. */

#define COLUMNS (sizeof(struct proto_sample) / sizeof(uint64_t))

void export_series_header(struct strbuf *out)
{
	strbuf_addf(out, "probe,%s\n", PROTO_SAMPLE_NAMES);
}

/* The numbers of a sample, with commas between them. */
static void add_sample(struct strbuf *out, const struct proto_sample *s)
{
	uint64_t numbers[COLUMNS];

	memcpy(numbers, s, sizeof(numbers));
	for (size_t i = 0; i < COLUMNS; i++)
		strbuf_addf(out, "%s%" PRIu64, i ? "," : "", numbers[i]);
}

struct err *export_series_csv(struct store *store, int64_t probe_id, struct strbuf *out)
{
	cleanup_free struct proto_sample *samples = NULL;
	size_t n;
	struct err *e = store_samples(store, probe_id, &samples, &n);

	if (e)
		return e;
	for (size_t i = 0; i < n; i++) {
		strbuf_addf(out, "%" PRId64 ",", probe_id);
		add_sample(out, &samples[i]);
		strbuf_adds(out, "\n");
	}
	return NULL;
}

static void add_columns(struct strbuf *out)
{
	for (const char *p = PROTO_SAMPLE_NAMES; *p;) {
		size_t len = strcspn(p, ",");

		strbuf_addf(out, "\"%.*s\"%s", (int)len, p, p[len] ? ", " : "");
		p += len + (p[len] == ',');
	}
}

/* Written by hand: counters of 64 bits are numbers of JSON, but more than its library takes. */
struct err *export_series_json(struct store *store, int64_t probe_id, struct strbuf *out)
{
	cleanup_free struct proto_sample *samples = NULL;
	size_t n;
	struct err *e = store_samples(store, probe_id, &samples, &n);

	if (e)
		return e;
	strbuf_addf(out, "{\"probe\": %" PRId64 ", \"columns\": [", probe_id);
	add_columns(out);
	strbuf_adds(out, "], \"rows\": [");
	for (size_t i = 0; i < n; i++) {
		strbuf_adds(out, i ? ",\n[" : "\n[");
		add_sample(out, &samples[i]);
		strbuf_adds(out, "]");
	}
	strbuf_adds(out, "]}");
	return NULL;
}

struct err *export_runs_csv(const char *data, size_t len, struct strbuf *out)
{
	struct proto_page_run r;

	if (len % sizeof(r))
		return err_new("a piece of %zu bytes is no whole number of page runs", len);
	strbuf_adds(out, "address,entry,flags,mapcount,pages,step\n");
	for (; len > 0; data += sizeof(r), len -= sizeof(r)) {
		memcpy(&r, data, sizeof(r));
		strbuf_addf(out, "0x%" PRIx64 ",0x%" PRIx64 ",0x%" PRIx64 ",%" PRIu32 ",%u,%d\n", r.address,
			    r.entry, r.flags, r.mapcount, r.pages, r.step);
	}
	return NULL;
}

/* --- One probe in full, for a person who wants to know what went wrong. */

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

/* --- Everything as files */

/* Far below NAME_MAX with what may be added to it, far above any name of ours. */
#define NAME_BYTES_MAX 100

/* More files of one name in one directory are no accident. */
#define SAME_NAME_MAX 1000

/* A name that stays within its directory; to be freed. */
static char *file_name(const char *name)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = strnlen(name, NAME_BYTES_MAX);
	char *s = len ? xmemdup0(name, len) : xstrdup("_");

	for (size_t i = 0; s[i]; i++)
		if (!strchr(safe, s[i]) || (i == 0 && (s[i] == '.' || s[i] == '-')))
			s[i] = '_';
	return s;
}

/* The n-th name for something: names of two different things may come out the same. */
static char *nth_name(const char *dir, const char *name, const char *suffix, unsigned n)
{
	if (n == 1)
		return xasprintf("%s/%s%s", dir, name, suffix);
	return xasprintf("%s/%s~%u%s", dir, name, n, suffix);
}

/* A new directory in dir, of that name or one like it. */
static struct err *make_dir(const char *dir, const char *name, char **ret)
{
	for (unsigned n = 1; n <= SAME_NAME_MAX; n++) {
		cleanup_free char *path = nth_name(dir, name, "", n);

		if (mkdir(path, 0700) == 0) {
			*ret = take_ptr(path);
			return NULL;
		}
		if (errno != EEXIST)
			return err_errno(errno, "cannot make directory '%s'", path);
	}
	return err_new("'%s' has too many directories named '%s'", dir, name);
}

/* A new file in dir, of that name or one like it. */
static struct err *write_file(const char *dir, const char *name, const char *suffix, const void *data,
			      size_t len)
{
	for (unsigned n = 1; n <= SAME_NAME_MAX; n++) {
		cleanup_free char *path = nth_name(dir, name, suffix, n);
		cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

		if (fd >= 0)
			return err_wrap(file_write_all(fd, data, len), "'%s'", path);
		if (errno != EEXIST)
			return err_errno(errno, "cannot make '%s'", path);
	}
	return err_new("'%s' has too many files named '%s'", dir, name);
}

/* Makes dir, or takes an empty one. */
static struct err *take_dir(const char *dir)
{
	struct err *e = trust_links(dir);

	if (e || mkdir(dir, 0700) == 0)
		return e;
	if (errno != EEXIST)
		return err_errno(errno, "cannot make directory '%s'", dir);
	e = trust_dir(dir);
	if (e)
		return e;

	cleanup(cleanup_dir_) DIR *d = opendir(dir);

	if (!d)
		return err_errno(errno, "cannot read directory '%s'", dir);
	for (const struct dirent *entry; (entry = readdir(d));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return err_new_kind(ERR_USAGE, "directory '%s' is not empty; give another name", dir);
	return NULL;
}

/* The snapshot whose pieces are being written. */
struct place {
	int64_t snapshot_id;
	char *dir; /* NULL: none yet */
};

/* The directory of a piece: that of a process, or of the guest, in the directory of its snapshot. */
static struct err *enter(struct place *at, const char *probe_dir, const struct store_piece *p, char **ret)
{
	cleanup_free char *snapshot = file_name(p->snapshot), *dir = NULL;
	struct err *e = NULL;

	if (!at->dir || at->snapshot_id != p->snapshot_id) {
		free(take_ptr(at->dir));
		at->snapshot_id = p->snapshot_id;
		e = make_dir(probe_dir, snapshot, &at->dir);
	}
	if (e)
		return e;
	dir = p->pid ? xasprintf("%s/pid-%u", at->dir, p->pid) : xasprintf("%s/guest", at->dir);
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return err_errno(errno, "cannot make directory '%s'", dir);
	*ret = take_ptr(dir);
	return NULL;
}

static struct err *write_piece(struct store *store, struct place *at, const char *probe_dir,
			       const struct store_piece *p)
{
	cleanup_strbuf struct strbuf content = STRBUF_INIT;
	cleanup_free char *name = file_name(p->name), *dir = NULL;
	struct err *e = enter(at, probe_dir, p, &dir);

	if (e)
		return e;
	if (p->error)
		return write_file(dir, name, ".error", p->error, strlen(p->error));
	e = store_read_piece(store, p, &content);
	return e ? e : write_file(dir, name, "", content.data, content.len);
}

static struct err *write_series(struct store *store, const char *probe_dir, int64_t probe_id)
{
	cleanup_strbuf struct strbuf csv = STRBUF_INIT;

	export_series_header(&csv);

	size_t header = csv.len;
	struct err *e = export_series_csv(store, probe_id, &csv);

	if (e || csv.len == header)
		return e;
	return write_file(probe_dir, "series.csv", "", csv.data, csv.len);
}

static struct err *write_text(const char *probe_dir, const char *name, const char *text)
{
	return text && *text ? write_file(probe_dir, name, "", text, strlen(text)) : NULL;
}

/* Writes a probe; *next is the first piece that is not of an earlier one, and becomes that of a later one. */
static struct err *write_probe(struct store *store, const struct export *x, const char *dir,
			       const struct probe_record *r, size_t *next)
{
	struct place at = { 0 };
	cleanup_free char *name = xasprintf("probe-%04" PRId64, r->id), *probe_dir = NULL;
	struct err *e = make_dir(dir, name, &probe_dir);

	if (!e)
		e = write_series(store, probe_dir, r->id);
	if (!e)
		e = write_text(probe_dir, "console.txt", r->console);
	if (!e)
		e = write_text(probe_dir, "output.txt", r->output);
	for (; !e && *next < x->pieces_n && x->pieces[*next].probe_id == r->id; ++*next)
		e = write_piece(store, &at, probe_dir, &x->pieces[*next]);
	free(at.dir);
	return e;
}

struct err *export_tree(struct store *store, const struct export *x, const char *dir)
{
	cleanup_strbuf struct strbuf index = STRBUF_INIT;
	size_t next = 0;
	struct err *e = take_dir(dir);

	for (size_t i = 0; !e && i < x->probes_n; i++)
		e = write_probe(store, x, dir, &x->probes[i], &next);
	/* Pieces are sorted by probe: one whose probe is missing stops all that come after it. */
	if (!e && next < x->pieces_n)
		e = err_new("the results file is damaged: it has evidence of probe %" PRId64
			    " but not the probe",
			    x->pieces[next].probe_id);
	if (e)
		return e;
	/* The index comes last: a directory without it is not complete. */
	export_list_csv(x, &index);
	return write_file(dir, "index.csv", "", index.data, index.len);
}
