/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "harness/base/cancel.h"
#include "harness/base/cleanup.h"

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
