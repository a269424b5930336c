/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/base/trust.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

static bool is_foreign(uid_t uid)
{
	return uid != geteuid() && uid != 0;
}

static struct err *check_link(const char *path)
{
	struct stat st;

	/* Whatever else may be wrong with it is told by who opens it. */
	if (lstat(path, &st) || !S_ISLNK(st.st_mode) || !is_foreign(st.st_uid))
		return NULL;
	return err_new(
		"'%s' is a symbolic link of user %u and is not followed; give the name of what it leads to",
		path, (unsigned)st.st_uid);
}

struct err *trust_links(const char *path)
{
	cleanup_free char *part = xstrdup(path);
	struct err *e = NULL;

	for (char *slash = strchr(part + (*part == '/'), '/'); !e && slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		e = check_link(part);
		*slash = '/';
	}
	return e ? e : check_link(path);
}

/** May everyone make files where path is? */
static bool is_in_public_dir(const char *path)
{
	const char *slash = strrchr(path, '/');
	cleanup_free char *dir = !slash ? xstrdup(".") : xmemdup0(path, (size_t)(slash - path) + 1);
	struct stat st;

	return stat(dir, &st) == 0 && (st.st_mode & S_IWOTH);
}

struct err *trust_output(const char *path)
{
	struct err *e = trust_links(path);
	struct stat st, target;

	if (e || lstat(path, &st))
		return e;
	if (S_ISLNK(st.st_mode) && stat(path, &target) == 0 && S_ISREG(target.st_mode) &&
	    target.st_uid != geteuid())
		return err_new("'%s' is a symbolic link to a file of user %u and is not followed", path,
			       (unsigned)target.st_uid);
	if (is_foreign(st.st_uid) && is_in_public_dir(path))
		return err_new(
			"'%s' belongs to user %u, in a directory that everyone may write to; give another name",
			path, (unsigned)st.st_uid);
	return NULL;
}

struct err *trust_dir(const char *dir)
{
	struct err *e = trust_links(dir);
	struct stat st;

	if (e)
		return e;
	if (stat(dir, &st))
		return err_errno(errno, "cannot use directory '%s'", dir);
	if (st.st_mode & S_IWOTH)
		return err_new("everyone may write to directory '%s': run 'chmod o-w' on it, or give another",
			       dir);
	if (is_foreign(st.st_uid) && access(dir, W_OK) == 0)
		return err_new("directory '%s' belongs to user %u, not to %u", dir, (unsigned)st.st_uid,
			       (unsigned)geteuid());
	return NULL;
}

struct err *trust_companion(const char *path, uid_t owner)
{
	struct stat st;

	if (lstat(path, &st))
		return NULL;
	if (!S_ISREG(st.st_mode))
		return err_new("'%s' is in the way and no regular file", path);
	if (st.st_uid != owner && is_foreign(st.st_uid))
		return err_new("'%s' is in the way: it belongs to user %u", path, (unsigned)st.st_uid);
	if (st.st_nlink > 1)
		return err_new("'%s' is in the way: the file has %ju names", path, (uintmax_t)st.st_nlink);
	return NULL;
}
