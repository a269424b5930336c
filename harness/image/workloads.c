/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/image/workloads.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"

/* Scripts are a few KiB; something this large is a mistake, such as a core dump. */
#define WORKLOAD_MAX_BYTES (1 << 20)

/* Of a user's tree, which may have input data: all of it is kept in memory, and unpacked on a disk in
 * seconds. */
#define TREE_MAX_BYTES (64 << 20)
#define TREE_MAX_FILES 4096
#define TREE_MAX_DEPTH 16

void workloads_deinit(struct workloads *w)
{
	for (size_t i = 0; i < w->n; i++) {
		free(w->files[i].name);
		strbuf_deinit(&w->files[i].text);
	}
	free(w->files);
	*w = (struct workloads){ 0 };
}

static bool is_wanted(const char *name)
{
	return name[0] != '.' && name[strlen(name) - 1] != '~';
}

static struct err *load_file(const char *dir, const char *name, struct workloads *w)
{
	cleanup_free char *path = xasprintf("%s/%s", dir, name);
	struct stat st;

	if (stat(path, &st))
		return err_errno(errno, "'%s'", path);
	if (!S_ISREG(st.st_mode))
		return NULL;

	struct workload_file *file = array_push(w->files, w->n, w->cap);

	file->name = xstrdup(name);
	file->executable = st.st_mode & S_IXUSR;
	return file_read(path, WORKLOAD_MAX_BYTES, &file->text);
}

struct err *workloads_load(const char *dir, struct workloads *ret)
{
	cleanup_name_list struct name_list names = { 0 };
	struct workloads w = { 0 };
	struct err *e = file_list(dir, &names);

	if (e)
		return e;
	for (size_t i = 0; !e && i < names.n; i++)
		if (is_wanted(names.v[i]))
			e = load_file(dir, names.v[i], &w);
	if (e) {
		workloads_deinit(&w);
		return err_wrap(e, "workloads");
	}
	*ret = w;
	return NULL;
}

/** A tree that is being read. */
struct tree {
	const char *dir;
	struct workloads w;
	size_t bytes;
};

static const char *special_file(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFLNK:
		return "a symbolic link: put a copy of the file there";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	default:
		return "a device";
	}
}

static struct err *add_file(struct tree *t, const char *path, const char *name, const struct stat *seen)
{
	/* Opened so that what has taken the file's place meanwhile is not followed and does not hold us up.
	 */
	cleanup_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return err_errno(errno, "cannot read '%s'", path);
	if (st.st_dev != seen->st_dev || st.st_ino != seen->st_ino)
		return err_new("'%s' was changed while it was read", path);
	if (t->w.n == TREE_MAX_FILES)
		return err_new_kind(ERR_USAGE, "more than %d files", TREE_MAX_FILES);
	if (st.st_size > (off_t)(TREE_MAX_BYTES - t->bytes))
		return err_new_kind(ERR_USAGE, "more than %d MiB; '%s' alone has %lld KiB",
				    TREE_MAX_BYTES >> 20, name, (long long)st.st_size / 1024);

	struct workload_file *file = array_push(t->w.files, t->w.n, t->w.cap);

	file->name = xstrdup(name);
	file->executable = st.st_mode & S_IXUSR;

	struct err *e = file_read_fd(fd, path, TREE_MAX_BYTES - t->bytes, &file->text);

	t->bytes += file->text.len;
	return e;
}

static struct err *add_dir(struct tree *t, const char *relative, int depth);

static struct err *add_entry(struct tree *t, const char *relative, const char *entry, int depth)
{
	cleanup_free char *name = *relative ? xasprintf("%s/%s", relative, entry) : xstrdup(entry);
	cleanup_free char *path = xasprintf("%s/%s", t->dir, name);
	struct stat st;

	if (lstat(path, &st))
		return err_errno(errno, "'%s'", path);
	if (S_ISREG(st.st_mode))
		return add_file(t, path, name, &st);
	if (!S_ISDIR(st.st_mode))
		return err_new_kind(ERR_USAGE, "'%s' is %s", path, special_file(st.st_mode));
	if (strcmp(entry, "__pycache__") == 0)
		return NULL;
	if (depth == TREE_MAX_DEPTH)
		return err_new_kind(ERR_USAGE, "'%s' is more than %d directories deep", path, TREE_MAX_DEPTH);
	return add_dir(t, name, depth + 1);
}

static struct err *add_dir(struct tree *t, const char *relative, int depth)
{
	cleanup_free char *path = *relative ? xasprintf("%s/%s", t->dir, relative) : xstrdup(t->dir);
	cleanup_name_list struct name_list names = { 0 };
	struct err *e = file_list(path, &names);

	for (size_t i = 0; !e && i < names.n; i++)
		if (is_wanted(names.v[i]))
			e = add_entry(t, relative, names.v[i], depth);
	return e;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct workload_file *)a)->name, ((const struct workload_file *)b)->name);
}

struct err *workloads_load_tree(const char *dir, struct workloads *ret)
{
	struct tree t = { .dir = dir };
	struct err *e = add_dir(&t, "", 0);

	if (!e && t.w.n == 0)
		e = err_new_kind(ERR_USAGE, "there is no file in it");
	if (e) {
		workloads_deinit(&t.w);
		return err_wrap(e, "workloads in '%s'", dir);
	}
	/* A directory comes where its name is; its files come where their paths are. */
	qsort(t.w.files, t.w.n, sizeof(*t.w.files), by_path);
	*ret = t.w;
	return NULL;
}

const struct workload_file *workloads_find(const struct workloads *w, const char *name)
{
	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->files[i].name, name) == 0)
			return &w->files[i];
	return NULL;
}

char *workload_file(const char *workload, const char *extension)
{
	return xasprintf("%s%s%s", workload, *extension ? "." : "", extension);
}
