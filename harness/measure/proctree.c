/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/measure/proctree.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/alloc.h"
#include "harness/base/strbuf.h"
#include "harness/measure/procfs.h"

void proctree_deinit(struct proctree *t)
{
	free(t->pids);
	*t = (struct proctree){ 0 };
}

/* Takes a decimal number that is an id away from *p; 0 when there is none. */
static pid_t take_pid(const char **p)
{
	char *end;

	errno = 0;

	long pid = strtol(*p, &end, 10);

	if (end == *p || errno || pid <= 0 || pid > INT_MAX)
		return 0;
	*p = end;
	return (pid_t)pid;
}

static bool has_pid(const struct proctree *t, pid_t pid)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->pids[i] == pid)
			return true;
	return false;
}

/* Once each: a process that gets another parent while we look would be met twice. */
static void add_pid(struct proctree *t, pid_t pid, pid_t without)
{
	if (pid != without && !has_pid(t, pid))
		*array_push(t->pids, t->n, t->cap) = pid;
}

static DIR *open_dir(const char *proc, pid_t pid)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%d/task", proc, (int)pid) >= (int)sizeof(path))
		return NULL;
	return opendir(path);
}

/* The next entry of a directory of /proc that is an id; 0 at the end. */
static pid_t next_pid(DIR *dir)
{
	for (struct dirent *entry; (entry = readdir(dir));) {
		const char *p = entry->d_name;
		pid_t pid = take_pid(&p);

		if (pid && !*p)
			return pid;
	}
	return 0;
}

/* Each thread has children of its own. False when the kernel has no such lists. */
static bool add_children(const char *proc, pid_t pid, pid_t without, struct proctree *t)
{
	cleanup(cleanup_dir_) DIR *dir = open_dir(proc, pid);
	bool has_lists = true;

	for (pid_t tid; dir && (tid = next_pid(dir));) {
		cleanup_strbuf struct strbuf text = STRBUF_INIT;
		char name[64];

		snprintf(name, sizeof(name), "task/%d/children", (int)tid);

		int error = procfs_read(proc, pid, name, &text);
		const char *p = strbuf_str(&text);

		/* A thread that ended meanwhile is missing as well. */
		if (error == ENOENT) {
			char status[64];

			snprintf(status, sizeof(status), "task/%d/stat", (int)tid);
			has_lists = procfs_read(proc, pid, status, &text) != 0;
		} else if (!error) {
			for (pid_t child; (child = take_pid(&p));)
				add_pid(t, child, without);
		}
	}
	return has_lists;
}

struct parents {
	struct procfs_stat *stats;
	size_t n, cap;
};

static void read_all(const char *proc, struct parents *all)
{
	cleanup(cleanup_dir_) DIR *dir = opendir(proc);
	struct procfs_stat st;

	for (pid_t pid; dir && (pid = next_pid(dir));)
		if (procfs_stat(proc, pid, &st))
			*array_push(all->stats, all->n, all->cap) = st;
}

static void find_by_parents(const char *proc, pid_t without, struct proctree *t)
{
	struct parents all = { 0 };

	read_all(proc, &all);
	/* What is added at the end is looked at later. */
	for (size_t i = 0; i < t->n; i++)
		for (size_t j = 0; j < all.n; j++)
			if (all.stats[j].ppid == t->pids[i])
				add_pid(t, all.stats[j].pid, without);
	free(all.stats);
}

void proctree_find(const char *proc, pid_t root, bool with_root, pid_t without, struct proctree *ret)
{
	bool has_lists = true;

	ret->n = 0;
	*array_push(ret->pids, ret->n, ret->cap) = root;
	for (size_t i = 0; has_lists && i < ret->n; i++)
		has_lists = add_children(proc, ret->pids[i], without, ret);
	if (!has_lists)
		find_by_parents(proc, without, ret);
	if (with_root)
		return;
	ret->n--;
	for (size_t i = 0; i < ret->n; i++)
		ret->pids[i] = ret->pids[i + 1];
}
