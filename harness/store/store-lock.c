/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/store/store-db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * One writer, by an open-file-description lock on PATH-lock: the kernel lets go of it however the owner ends.
 * The results file itself is not the place for it: SQLite's own locks on that file vanish as soon as the
 * process closes any descriptor of it. The lock file holds the owner's pid, for messages only.
 */

static bool try_lock(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

/* The pid in the lock file, 0 when there is none (its owner is just about to write it). */
static long read_owner(int fd)
{
	char text[32];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';

	long pid = strtol(text, NULL, 10);

	return pid > 0 ? pid : 0;
}

/* A lock counts only while the file is still the one under that name: its last owner removes it. */
static bool is_same_file(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static struct err *in_use(const struct store *store, long pid)
{
	if (pid)
		return err_new("results file '%s' is in use by another run (pid %ld)", store->name, pid);
	return err_new("results file '%s' is in use by another run", store->name);
}

struct err *store_lock(struct store *store)
{
	for (;;) {
		cleanup_close int fd =
			open(store->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (fd < 0)
			return err_errno(errno, "cannot create lock file '%s'", store->lock_path);
		if (!try_lock(fd)) {
			if (errno != EAGAIN && errno != EACCES)
				return err_errno(errno, "cannot lock '%s'", store->lock_path);
			return in_use(store, read_owner(fd));
		}
		if (!is_same_file(fd, store->lock_path))
			continue;

		char text[32];
		int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

		if (ftruncate(fd, 0) || pwrite(fd, text, (size_t)n, 0) != n)
			return err_errno(errno, "cannot write lock file '%s'", store->lock_path);
		store->lock_fd = take_fd(fd);
		return NULL;
	}
}

void store_unlock(struct store *store)
{
	if (store->lock_fd < 0)
		return;
	unlink(store->lock_path);
	close(store->lock_fd);
	store->lock_fd = -1;
}

bool store_has_writer(const struct store *store, long *ret_pid)
{
	/* NONBLOCK: a FIFO of that name, in someone else's directory, must not hold us up. */
	cleanup_close int fd = open(store->lock_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	/* F_OFD_GETLK asks whether the lock could be had, and takes nothing. */
	if (fd < 0 || fcntl(fd, F_OFD_GETLK, &lock) || lock.l_type == F_UNLCK)
		return false;
	*ret_pid = read_owner(fd);
	return true;
}
