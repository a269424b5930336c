/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <nettle/base16.h>
#include <nettle/sha2.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "harness/base/alloc.h"
#include "harness/base/cancel.h"
#include "harness/base/trust.h"

/** Of command lines, by the kernel's limit on arguments; /proc/cpuinfo of hundreds of CPUs has half of it. */
#define KERNEL_TEXT_MAX (2 << 20)

struct err *file_read_fd(int fd, const char *name, size_t max_bytes, struct strbuf *sb)
{
	char buf[16384];
	size_t total = 0;

	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n < 0 && errno == EINTR) {
			/* A terminal or a pipe may never say more. */
			if (cancel_requested())
				return cancel_error();
			continue;
		}
		if (n < 0)
			return err_errno(errno, "cannot read '%s'", name);
		if (n == 0)
			return NULL;
		total += (size_t)n;
		if (total > max_bytes)
			return err_new("'%s' is larger than %zu bytes", name, max_bytes);
		strbuf_add(sb, buf, (size_t)n);
	}
}

struct err *file_read(const char *path, size_t max_bytes, struct strbuf *sb)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(errno, "cannot open '%s'", path);
	return file_read_fd(fd, path, max_bytes, sb);
}

char *file_text(const char *path, size_t *ret_len)
{
	struct strbuf text = STRBUF_INIT;
	struct err *e = file_read(path, KERNEL_TEXT_MAX, &text);

	if (e)
		strbuf_clear(&text);
	err_free(e);
	if (ret_len)
		*ret_len = text.len;
	return strbuf_steal(&text);
}

struct err *file_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = TEMP_FAILURE_RETRY(write(fd, p, len));

		if (n < 0)
			return err_errno(errno, "cannot write");
		p += n;
		len -= (size_t)n;
	}
	return NULL;
}

struct err *file_write_atomic(const char *path, const void *data, size_t len, mode_t mode)
{
	cleanup_free char *tmp = xasprintf("%s.XXXXXX", path);
	cleanup_close int fd = mkostemp(tmp, O_CLOEXEC);

	if (fd < 0)
		return err_errno(errno, "cannot create a file beside '%s'", path);

	struct err *e = file_write_all(fd, data, len);

	if (!e && (fchmod(fd, mode) || fsync(fd) || rename(tmp, path)))
		e = err_errno(errno, "cannot write");
	if (e)
		unlink(tmp);
	return err_wrap(e, "'%s'", path);
}

struct err *file_mkdirs(const char *dir, mode_t mode)
{
	cleanup_free char *path = xstrdup(dir);

	for (char *slash = path + (*path == '/');; slash++) {
		if (*slash != '/' && *slash != '\0')
			continue;

		char saved = *slash;

		*slash = '\0';
		if (mkdir(path, mode) && errno != EEXIST)
			return err_errno(errno, "cannot create directory '%s'", path);
		*slash = saved;
		if (!saved)
			return NULL;
	}
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct err *file_list(const char *dir, struct name_list *ret)
{
	cleanup(cleanup_dir_) DIR *d = opendir(dir);

	if (!d)
		return err_errno(errno, "cannot read directory '%s'", dir);
	for (struct dirent *entry; (entry = readdir(d));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			*array_push(ret->v, ret->n, ret->cap) = xstrdup(entry->d_name);
	/* Not alphasort(): the order must not depend on the locale. */
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_bytes);
	return NULL;
}

void name_list_deinit(struct name_list *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->v[i]);
	free(names->v);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

struct err *file_remove_tree(const char *path)
{
	/* 16: directories held open at once; deeper trees still work, more slowly. */
	if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) && errno != ENOENT)
		return err_errno(errno, "cannot remove '%s'", path);
	return NULL;
}

/** len bytes from the files' offsets, or all that there are. */
static struct err *copy_bytes(int in, int out, off_t len)
{
	while (len > 0) {
		ssize_t n = TEMP_FAILURE_RETRY(copy_file_range(in, NULL, out, NULL, (size_t)len, 0));

		/* Between file systems of two kinds. */
		if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP))
			n = TEMP_FAILURE_RETRY(sendfile(out, in, NULL, (size_t)len));
		if (n < 0)
			return err_errno(errno, "cannot copy");
		if (n == 0)
			return NULL;
		len -= n;
	}
	return NULL;
}

/** What has holes gets them in the copy too. */
static struct err *copy_content(int in, int out)
{
	off_t end = lseek(in, 0, SEEK_END), from, to;

	if (end < 0 || ftruncate(out, end))
		return err_errno(errno, "cannot size it");
	for (to = 0; (from = lseek(in, to, SEEK_DATA)) >= 0;) {
		to = lseek(in, from, SEEK_HOLE);
		if (to < 0 || lseek(in, from, SEEK_SET) < 0 || lseek(out, from, SEEK_SET) < 0)
			return err_errno(errno, "cannot copy");

		struct err *e = copy_bytes(in, out, to - from);

		if (e)
			return e;
	}
	/* There is nothing but a hole from here on, or nothing. */
	return errno == ENXIO ? NULL : err_errno(errno, "cannot copy");
}

struct err *file_copy(const char *from, const char *to, mode_t mode)
{
	cleanup_close int in = open(from, O_RDONLY | O_CLOEXEC);

	if (in < 0)
		return err_errno(errno, "cannot open '%s'", from);

	cleanup_close int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (out < 0)
		return err_errno(errno, "cannot create '%s'", to);

	struct err *e = copy_content(in, out);

	if (!e && fchmod(out, mode))
		e = err_errno(errno, "cannot set its mode");
	if (e)
		unlink(to);
	return err_wrap(e, "copy of '%s' to '%s'", from, to);
}

/** Renames, unless to exists; errno tells what went wrong. */
static bool rename_to_new(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return true;
	/* File systems that cannot do that (NFS) have links. */
	if (errno != EINVAL && errno != ENOSYS)
		return false;
	return link(from, to) == 0 && unlink(from) == 0;
}

static bool sync_path(const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && fsync(fd) == 0;
}

struct err *file_publish(const char *from, const char *to)
{
	cleanup_free char *dir = xstrdup(to);
	char *slash = strrchr(dir, '/');

	if (slash)
		slash[slash == dir] = '\0';
	if (!sync_path(from) || !rename_to_new(from, to))
		return err_errno(errno, "cannot make '%s'", to);
	/* A directory that cannot be opened for reading, or synced, delays when the name is on the disk. */
	sync_path(slash ? dir : ".");
	return NULL;
}

static void end_hash(struct sha256_ctx *ctx, char hex[65])
{
	uint8_t digest[SHA256_DIGEST_SIZE];

	sha256_digest(ctx, sizeof(digest), digest);
	base16_encode_update(hex, sizeof(digest), digest);
	hex[64] = '\0';
}

void hash_sha256(const void *data, size_t len, char hex[65])
{
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, len, data);
	end_hash(&ctx, hex);
}

struct err *file_sha256(const char *path, char hex[65])
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(errno, "cannot open '%s'", path);

	struct sha256_ctx ctx;
	uint8_t buf[65536];
	ssize_t n;

	sha256_init(&ctx);
	while ((n = TEMP_FAILURE_RETRY(read(fd, buf, sizeof(buf)))) != 0) {
		if (n < 0)
			return err_errno(errno, "cannot read '%s'", path);
		sha256_update(&ctx, (size_t)n, buf);
	}
	end_hash(&ctx, hex);
	return NULL;
}

bool file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

struct err *file_cache_dir(char **ret)
{
	const char *xdg = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");
	cleanup_free char *dir = NULL;

	/* The XDG specification: a relative path is invalid and to be ignored. */
	if (xdg && xdg[0] == '/') {
		dir = xasprintf("%s/swapcal", xdg);
	} else {
		const struct passwd *pw = home && home[0] == '/' ? NULL : getpwuid(getuid());

		if (pw)
			home = pw->pw_dir;
		if (!home || home[0] != '/')
			return err_new_kind(ERR_HOST, "no cache directory: set HOME or XDG_CACHE_HOME");
		dir = xasprintf("%s/.cache/swapcal", home);
	}

	/* Before anything is made there, and after. */
	struct err *e = trust_links(dir);

	/* 0700: as the XDG specification has it. */
	if (!e)
		e = file_mkdirs(dir, 0700);
	if (!e)
		e = trust_dir(dir);
	if (e)
		return err_set_kind(err_wrap(e, "cache"), ERR_HOST);
	*ret = take_ptr(dir);
	return NULL;
}

struct err *file_cache_part(const char *part, mode_t mode, char **ret)
{
	cleanup_free char *cache = NULL;
	struct err *e = file_cache_dir(&cache);

	if (e)
		return e;

	cleanup_free char *dir = xasprintf("%s/%s", cache, part);

	e = file_mkdirs(dir, mode);
	if (e)
		return e;
	*ret = take_ptr(dir);
	return NULL;
}

struct err *file_remove_aside(const char *path, const char *aside, bool *ret)
{
	*ret = rename(path, aside) == 0;
	if (!*ret && errno != ENOENT)
		return err_errno(errno, "cannot remove '%s'", path);
	return file_remove_tree(aside);
}

/* --- Locks */

bool lock_is_at(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

struct err *lock_try(const char *path, int *ret)
{
	cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_errno(errno, "cannot open '%s'", path);
	*ret = -1;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		*ret = lock_is_at(fd, path) ? take_fd(fd) : -1;
	else if (errno != EWOULDBLOCK && errno != EINTR)
		return err_errno(errno, "cannot lock '%s'", path);
	return NULL;
}

struct err *lock_wait(const char *path, int poll_ms, void (*waiting)(void *arg), void *arg, int *ret)
{
	for (bool is_first = true;; is_first = false) {
		struct err *e = lock_try(path, ret);

		if (e || *ret >= 0)
			return e;
		if (is_first && waiting)
			waiting(arg);
		if (cancel_requested())
			return cancel_error();
		poll(NULL, 0, poll_ms);
	}
}
