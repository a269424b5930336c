/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/image/build-cache.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cancel.h"
#include "harness/base/cleanup.h"
#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/base/trust.h"

#define TMP_PREFIX ".tmp-"

struct err *build_cache_dir(const char *part, char **ret)
{
	cleanup_free char *cache = NULL;
	struct err *e = file_cache_dir(&cache);

	if (e)
		return e;

	cleanup_free char *dir = xasprintf("%s/%s", cache, part);

	e = file_mkdirs(dir, 0755);
	if (!e)
		e = err_set_kind(trust_dir(dir), ERR_HOST);
	if (e)
		return e;
	*ret = take_ptr(dir);
	return NULL;
}

struct err *build_cache_lock(const char *part, bool (*cancelled)(void), void (*waiting)(void *arg), void *arg,
			     int *ret)
{
	cleanup_free char *dir = NULL;
	struct err *e = build_cache_dir(part, &dir);

	if (e)
		return e;

	cleanup_free char *path = xasprintf("%s/.lock", dir);
	cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_errno(errno, "cannot open '%s'", path);
	for (bool first = true; flock(fd, LOCK_EX | LOCK_NB); first = false) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_errno(errno, "cannot lock '%s'", path);
		if (first)
			waiting(arg);
		if (cancelled && cancelled())
			return cancel_error();
		poll(NULL, 0, 100);
	}
	*ret = take_fd(fd);
	return NULL;
}

static struct err *remove_leftovers(const char *path)
{
	cleanup_file_names struct file_names names = { 0 };
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

struct err *build_cache_workdir(const char *part, char **ret)
{
	cleanup_free char *dir = NULL;
	struct err *e = build_cache_dir(part, &dir);

	if (!e)
		e = remove_leftovers(dir);
	if (e)
		return e;

	cleanup_free char *work = xasprintf("%s/" TMP_PREFIX "XXXXXX", dir);

	if (!mkdtemp(work))
		return err_errno(errno, "cannot make a directory in '%s'", dir);
	*ret = take_ptr(work);
	return NULL;
}

/** Takes an entry out of sight in one step. Sets *ret to where it is now, NULL when there was none. */
static struct err *move_aside(const char *dir, const char *entry, char **ret)
{
	cleanup_free char *path = xasprintf("%s/%s", dir, entry);
	cleanup_free char *aside = xasprintf("%s/" TMP_PREFIX "%s-%d", dir, entry, (int)getpid());

	if (rename(path, aside) == 0)
		*ret = take_ptr(aside);
	else if (errno == ENOENT)
		*ret = NULL;
	else
		return err_errno(errno, "cannot remove '%s'", path);
	return NULL;
}

struct err *build_cache_publish(const char *part, const char *work, const char *entry)
{
	cleanup_free char *dir = NULL, *old = NULL;
	cleanup_close int fd = open(work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err *e = build_cache_dir(part, &dir);

	if (e)
		return e;

	cleanup_free char *path = xasprintf("%s/%s", dir, entry);

	/* mkdtemp() made it private; others may read an entry. All data must be on the disk before the name
	 * is. */
	if (fd < 0 || fchmod(fd, 0755) || syncfs(fd))
		return err_errno(errno, "cannot finish '%s'", work);
	e = move_aside(dir, entry, &old);
	if (e)
		return e;
	if (rename(work, path))
		return err_errno(errno, "cannot rename '%s' to '%s'", work, path);
	return old ? file_remove_tree(old) : NULL;
}

struct err *build_cache_remove(const char *part, const char *entry, bool *ret)
{
	cleanup_free char *dir = NULL, *aside = NULL;
	struct err *e = build_cache_dir(part, &dir);

	if (!e)
		e = move_aside(dir, entry, &aside);
	if (!e && aside)
		e = file_remove_tree(aside);
	if (e)
		return e;
	*ret = aside != NULL;
	return NULL;
}
