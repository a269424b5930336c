/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/workloads.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/file.h"

/* Scripts are a few KiB; something this large is a mistake, such as a core dump. */
#define WORKLOAD_MAX_BYTES (1 << 20)

void workloads_deinit(struct workloads *w)
{
	for (size_t i = 0; i < w->n; i++) {
		free(w->files[i].name);
		strbuf_deinit(&w->files[i].text);
	}
	free(w->files);
	*w = (struct workloads){ 0 };
}

static int is_wanted(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return d->d_name[0] != '.' && d->d_name[len - 1] != '~';
}

/* Not alphasort(): the order must not depend on the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static struct err *load_file(const char *dir, const char *name, struct workloads *w, size_t *cap)
{
	cleanup_free char *path = xasprintf("%s/%s", dir, name);
	struct stat st;

	if (stat(path, &st))
		return err_errno(errno, "'%s'", path);
	if (!S_ISREG(st.st_mode))
		return NULL;

	struct workload_file *file = array_push(w->files, w->n, *cap);

	file->name = xstrdup(name);
	file->executable = st.st_mode & S_IXUSR;
	return file_read(path, WORKLOAD_MAX_BYTES, &file->text);
}

struct err *workloads_load(const char *dir, struct workloads *ret)
{
	struct dirent **list;
	int n = scandir(dir, &list, is_wanted, by_name);
	struct workloads w = { 0 };
	struct err *e = NULL;
	size_t cap = 0;

	if (n < 0)
		return err_errno(errno, "cannot read directory '%s'", dir);
	for (int i = 0; i < n; i++) {
		if (!e)
			e = load_file(dir, list[i]->d_name, &w, &cap);
		free(list[i]);
	}
	free(list);
	if (e) {
		workloads_deinit(&w);
		return err_wrap(e, "workloads");
	}
	*ret = w;
	return NULL;
}
