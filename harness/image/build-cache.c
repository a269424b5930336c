/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/image/build-cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cancel.h"
#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/base/trust.h"

#define TMP_PREFIX ".tmp-"

/** Builds take minutes. */
#define LOCK_POLL_MS 100

struct err *build_cache_dir(const char *part, char **ret)
{
	cleanup_free char *dir = NULL;
	struct err *e = file_cache_part(part, 0755, &dir);

	if (!e)
		e = err_set_kind(trust_dir(dir), ERR_HOST);
	if (e)
		return e;
	*ret = take_ptr(dir);
	return NULL;
}

static struct err *remove_leftovers(const char *path)
{
	cleanup_name_list struct name_list names = { 0 };
	struct err *e = file_list(path, &names);

	for (size_t i = 0; !e && i < names.n; i++) {
		cleanup_free char *left = xasprintf("%s/%s", path, names.v[i]);

		if (strncmp(names.v[i], TMP_PREFIX, strlen(TMP_PREFIX)))
			continue;
		log_note("removing what an unfinished build left: %s", left);
		e = file_remove_tree(left);
	}
	return e;
}

/** Where an entry is out of sight, until it is removed. */
static char *make_aside(const char *dir, const char *entry)
{
	return xasprintf("%s/" TMP_PREFIX "%s-%d", dir, entry, (int)getpid());
}

/** Turns a finished directory into that entry, in place of an older one. */
static struct err *publish(const char *dir, const char *work, const char *entry)
{
	cleanup_close int fd = open(work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_free char *path = xasprintf("%s/%s", dir, entry), *aside = make_aside(dir, entry);

	/* All data must be on the disk before the name is. */
	if (fd < 0 || fchmod(fd, 0755) || syncfs(fd))
		return err_errno(errno, "cannot finish '%s'", work);
	if (rename(path, aside) && errno != ENOENT)
		return err_errno(errno, "cannot remove '%s'", path);
	if (rename(work, path))
		return err_errno(errno, "cannot rename '%s' to '%s'", work, path);
	return file_remove_tree(aside);
}

/** With the lock held: makes the entry. */
static struct err *build(const struct build_cache_job *job, const char *dir)
{
	cleanup_free char *work = xasprintf("%s/" TMP_PREFIX "XXXXXX", dir);
	struct err *e = remove_leftovers(dir);

	if (e)
		return e;
	if (!mkdtemp(work))
		return err_errno(errno, "cannot make a directory in '%s'", dir);

	cleanup_free char *made = xasprintf("%s/entry", work);

	e = file_mkdirs(made, 0755);
	if (!e)
		e = job->make(job->arg, work, made);
	if (!e && cancel_requested())
		e = cancel_error();
	if (!e)
		e = publish(dir, made, job->entry);

	/* The next build removes what we cannot. */
	log_error(file_remove_tree(work));
	return e;
}

/** With the lock held: makes it, unless another build has while we waited, and finds it. */
static struct err *find_or_build(const struct build_cache_job *job, const char *dir, bool *ret_was_there)
{
	struct err *e = job->find(job->arg, ret_was_there);

	if (e || *ret_was_there)
		return e;
	e = build(job, dir);
	if (!e)
		e = job->find(job->arg, ret_was_there);
	if (!e && !*ret_was_there)
		e = err_new("%s", job->incomplete);
	*ret_was_there = false;
	return e;
}

struct err *build_cache_get(const struct build_cache_job *job, bool *ret_was_there)
{
	cleanup_free char *dir = NULL;
	struct err *e;

	*ret_was_there = false;
	e = job->find(job->arg, ret_was_there);
	if (e || *ret_was_there)
		return e;
	e = job->check_host ? job->check_host() : NULL;
	if (!e)
		e = build_cache_dir(job->part, &dir);
	if (e)
		return e;

	cleanup_free char *path = xasprintf("%s/.lock", dir);
	cleanup_close int lock = -1;

	e = lock_wait(path, LOCK_POLL_MS, job->waiting, job->arg, &lock);
	return e ? e : find_or_build(job, dir, ret_was_there);
}

struct err *build_cache_remove(const char *part, const char *entry, bool *ret)
{
	cleanup_free char *dir = NULL;
	struct err *e = build_cache_dir(part, &dir);

	if (e)
		return e;

	cleanup_free char *path = xasprintf("%s/%s", dir, entry), *aside = make_aside(dir, entry);

	return file_remove_aside(path, aside, ret);
}
