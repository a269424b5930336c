/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/host/stage.h"

#include <acl/libacl.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/acl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"

/** A staged file is KEY, and KEY.from is a symlink to its original. */
#define FROM_SUFFIX ".from"
#define KEY_LEN     24

void stage_user_init(struct stage_user *user, uid_t uid, gid_t gid)
{
	const struct passwd *pw = getpwuid(uid);

	*user = (struct stage_user){ .uid = uid, .gid = gid, .groups = { gid }, .groups_count = 1 };
	if (!pw)
		return;
	snprintf(user->name, sizeof(user->name), "%s", pw->pw_name);

	int n = COUNT(user->groups);

	/*
	 * Of more groups than fit the first ones count: a file may then be copied without need, never the
	 * reverse.
	 */
	getgrouplist(pw->pw_name, gid, user->groups, &n);
	if (n > (int)COUNT(user->groups))
		n = COUNT(user->groups);
	user->groups_count = n;
}

void stage_user_for_qemu(struct stage_user *user)
{
	static const char *const names[] = { "libvirt-qemu", "qemu", "nobody" };

	for (size_t i = 0; geteuid() == 0 && i < COUNT(names); i++) {
		const struct passwd *pw = getpwnam(names[i]);

		if (pw && pw->pw_uid != 0) {
			stage_user_init(user, pw->pw_uid, pw->pw_gid);
			return;
		}
	}
	stage_user_init(user, geteuid(), getegid());
}

/** Body of the child: system calls only, since other threads may have held any lock when it was made. */
static void try_open_as(const struct stage_user *user, const char *path, int flags)
{
	if (syscall(SYS_setgroups, user->groups_count, user->groups) ||
	    syscall(SYS_setresgid, user->gid, user->gid, user->gid) ||
	    syscall(SYS_setresuid, user->uid, user->uid, user->uid))
		_exit(1);
	_exit(open(path, flags) < 0);
}

/** Has a user these rights by owner, group and mode? want: as for others. */
static bool has_mode(const struct stage_user *user, const char *path, mode_t want)
{
	struct stat st;

	if (stat(path, &st))
		return false;
	if (st.st_uid == user->uid)
		return (st.st_mode >> 6 & want) == want;
	for (int i = 0; i < user->groups_count; i++)
		if (st.st_gid == user->groups[i])
			return (st.st_mode >> 3 & want) == want;
	return (st.st_mode & want) == want;
}

static void free_list(acl_t *list)
{
	if (*list)
		acl_free(*list);
}

/**
 * The access list (acl(5)) of a file that its owner may read and write, user uid may access, and nobody else:
 * what only root can do by changing the owner.
 */
static acl_t make_list(uid_t uid, bool to_write)
{
	const char *rights = to_write ? "rw" : "r";
	cleanup_free char *text = xasprintf("u::rw,u:%u:%s,g::-,m::%s,o::-", (unsigned)uid, rights, rights);

	return acl_from_text(text);
}

static struct err *set_list(const char *path, uid_t uid, bool to_write)
{
	cleanup(free_list) acl_t list = make_list(uid, to_write);

	if (list && acl_set_file(path, ACL_TYPE_ACCESS, list) == 0)
		return NULL;
	return err_set_kind(
		err_errno(
			errno,
			"cannot open '%s' to user %u by an access list; use qemu:///session, or run as root",
			path, (unsigned)uid),
		ERR_HOST);
}

static bool has_list(const char *path, uid_t uid, bool to_write)
{
	cleanup(free_list) acl_t want = make_list(uid, to_write), got = acl_get_file(path, ACL_TYPE_ACCESS);

	return want && got && acl_cmp(want, got) == 0;
}

/** Calculates what we may not try, since we cannot become that user. It knows only access lists of ours. */
static bool seems_open(const struct stage_user *user, const char *path, bool to_write)
{
	cleanup_free char *dir = realpath(path, NULL);
	bool is_open = dir && (has_mode(user, dir, to_write ? S_IROTH | S_IWOTH : S_IROTH) ||
			       has_list(dir, user->uid, to_write));

	for (char *slash; is_open && (slash = strrchr(dir, '/')) && slash != dir;) {
		*slash = '\0';
		is_open = has_mode(user, dir, S_IXOTH);
	}
	return is_open;
}

bool stage_can_open(const struct stage_user *user, const char *path, bool to_write)
{
	/* NONBLOCK: a FIFO or a device must not hold us up. */
	int flags = (to_write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	int status;

	if (user->uid == geteuid()) {
		cleanup_close int fd = open(path, flags);

		return fd >= 0;
	}
	if (geteuid() != 0)
		return seems_open(user, path, to_write);

	pid_t pid = fork();

	if (pid < 0)
		return false;
	if (pid == 0)
		try_open_as(user, path, flags);
	return TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

struct err *stage_give(const char *path, const struct stage_user *user, bool to_write)
{
	if (user->uid == geteuid())
		return NULL;
	if (geteuid() != 0)
		return set_list(path, user->uid, to_write);
	if (to_write && lchown(path, user->uid, user->gid))
		return err_errno(errno, "cannot give '%s' to user %u", path, (unsigned)user->uid);
	if (!to_write && (lchown(path, (uid_t)-1, user->gid) || chmod(path, 0640)))
		return err_errno(errno, "cannot show '%s' to group %u", path, (unsigned)user->gid);
	return NULL;
}

/** Name of the staged form of a file: differs when the file does. */
static void make_key(const char *path, const struct stat *st, char key[KEY_LEN + 1])
{
	cleanup_free char *text =
		xasprintf("%s\n%ju %ju %jd %jd.%09ld", path, (uintmax_t)st->st_dev, (uintmax_t)st->st_ino,
			  (intmax_t)st->st_size, (intmax_t)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	char hex[65];

	hash_sha256(text, strlen(text), hex);
	memcpy(key, hex, KEY_LEN);
	key[KEY_LEN] = '\0';
}

/**
 * Puts a link to or a copy of path at staged, which appears complete or not at all; from is made to point
 * back.
 */
static struct err *link_or_copy(const char *path, const char *staged, const struct stage_user *user)
{
	cleanup_free char *from = xasprintf("%s" FROM_SUFFIX, staged);
	cleanup_free char *tmp = xasprintf("%s.tmp", staged);

	if ((unlink(tmp) && errno != ENOENT) || (unlink(from) && errno != ENOENT) || symlink(path, from))
		return err_errno(errno, "cannot write beside '%s'", staged);
	/* A link shares the file's mode: of no use when that is what kept the user out. */
	if (link(path, tmp) == 0 && !stage_can_open(user, tmp, false))
		unlink(tmp);
	if (!file_exists(tmp)) {
		struct err *e = file_copy(path, tmp, 0600);

		if (!e)
			e = stage_give(tmp, user, false);
		if (e)
			return e;
	}
	if (rename(tmp, staged))
		return err_errno(errno, "cannot rename '%s'", tmp);
	/* rename() leaves both names when they are links to one file. */
	if (unlink(tmp) && errno != ENOENT)
		return err_errno(errno, "cannot remove '%s'", tmp);
	return NULL;
}

struct err *stage_file(const char *dir, const struct stage_user *user, const char *path, char **ret)
{
	cleanup_free char *real = realpath(path, NULL);
	struct stat st;
	char key[KEY_LEN + 1];

	if (!real || stat(real, &st))
		return err_errno(errno, "cannot find '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_new("'%s' is not a regular file", path);
	if (stage_can_open(user, real, false)) {
		*ret = take_ptr(real);
		return NULL;
	}
	make_key(real, &st, key);

	cleanup_free char *staged = xasprintf("%s/%s", dir, key);
	/* A link may have lost its mode together with the original. */
	struct err *e = stage_can_open(user, staged, false) ? NULL : link_or_copy(real, staged, user);

	if (!e && !stage_can_open(user, staged, false))
		e = err_new_kind(ERR_HOST, "user '%s' (%u), whom QEMU runs as, cannot read '%s'", user->name,
				 (unsigned)user->uid, staged);
	if (e)
		return err_wrap(e, "cannot bring '%s' within QEMU's reach", path);
	*ret = take_ptr(staged);
	return NULL;
}

/** Does the file of this name in dir stand for an original that is unchanged? */
static bool is_current(const char *dir, const char *name)
{
	cleanup_free char *from = xasprintf("%s/%.*s" FROM_SUFFIX, dir, KEY_LEN, name);
	char path[PATH_MAX], key[KEY_LEN + 1];
	ssize_t len = readlink(from, path, sizeof(path) - 1);
	struct stat st;

	if (len < 0 || strlen(name) < KEY_LEN)
		return false;
	path[len] = '\0';
	if (lstat(path, &st))
		return false;
	make_key(path, &st, key);
	return strncmp(name, key, KEY_LEN) == 0 && strcmp(name + KEY_LEN, ".tmp") != 0;
}

struct err *stage_clean(const char *dir)
{
	cleanup(cleanup_dir_) DIR *d = opendir(dir);
	struct dirent *entry;

	if (!d)
		return err_errno(errno, "cannot open '%s'", dir);
	while ((entry = readdir(d))) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || is_current(dir, name))
			continue;
		if (unlinkat(dirfd(d), name, 0) && errno != ENOENT)
			return err_errno(errno, "cannot remove '%s/%s'", dir, name);
	}
	return NULL;
}
