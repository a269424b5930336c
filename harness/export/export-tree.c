/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"
#include "harness/base/trust.h"
#include "harness/export/export.h"

/* Everything as files. */

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
