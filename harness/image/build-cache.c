/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/image/build-cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/file.h"
#include "harness/base/lock.h"
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

struct err *build_cache_lock(const char *part, bool (*cancelled)(void), void (*waiting)(void *arg), void *arg,
			     int *ret)
{
	cleanup_free char *dir = NULL;
	struct err *e = build_cache_dir(part, &dir);

	if (e)
		return e;

	cleanup_free char *path = xasprintf("%s/.lock", dir);

	return lock_wait(path, LOCK_POLL_MS, cancelled, waiting, arg, ret);
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

/** Where an entry is out of sight, until it is removed. */
static char *make_aside(const char *dir, const char *entry)
{
	return xasprintf("%s/" TMP_PREFIX "%s-%d", dir, entry, (int)getpid());
}

struct err *build_cache_publish(const char *part, const char *work, const char *entry)
{
	cleanup_free char *dir = NULL;
	cleanup_close int fd = open(work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err *e = build_cache_dir(part, &dir);

	if (e)
		return e;

	cleanup_free char *path = xasprintf("%s/%s", dir, entry), *aside = make_aside(dir, entry);

	/* mkdtemp() made it private; others may read an entry. All data must be on the disk before the name
	 * is. */
	if (fd < 0 || fchmod(fd, 0755) || syncfs(fd))
		return err_errno(errno, "cannot finish '%s'", work);
	if (rename(path, aside) && errno != ENOENT)
		return err_errno(errno, "cannot remove '%s'", path);
	if (rename(work, path))
		return err_errno(errno, "cannot rename '%s' to '%s'", work, path);
	return file_remove_tree(aside);
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
