/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/host/workdir.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/base/strbuf.h"
#include "harness/host/qemu-process.h"
#include "harness/host/stage.h"

/** One process takes one slot; more at once than this means that something starts them in a loop. */
#define SLOTS_MAX 256

/**
 * A socket path has 107 bytes. The longest one below a slot is libvirt's,
 * "/lib/qemu/domain-NNNNN-TWENTY-CHARACTERS/monitor.sock" (54), or our own "/files/NAME.agent" with a name
 * of 60 (73).
 */
#define ROOT_LEN_MAX (107 - 73)

/** SIGKILL takes effect at once unless the process hangs in the kernel, e.g. on a dead disk. */
#define KILL_TIMEOUT_MS 10000

struct workdir {
	int lock_fd;
	char *root;
	char *files;
	char *staged;
};

const char *workdir_root(const struct workdir *w)
{
	return w->root;
}

const char *workdir_files(const struct workdir *w)
{
	return w->files;
}

const char *workdir_staged(const struct workdir *w)
{
	return w->staged;
}

/** Does /proc/PID/cmdline (arguments ending in NUL) belong to a QEMU that names a path below dir? */
static bool is_qemu_of(const struct strbuf *cmdline, const char *dir)
{
	cleanup_free char *below = xasprintf("%s/", dir);

	return process_args_are_qemu(cmdline) &&
	       memmem(strbuf_str(cmdline), cmdline->len, below, strlen(below)) != NULL;
}

/** Is it a guest, not one of the processes that libvirt asks for QEMU's capabilities? */
static bool is_guest(const struct strbuf *cmdline)
{
	static const char arg[] = "\0-name\0guest=";

	return memmem(strbuf_str(cmdline), cmdline->len, arg, sizeof(arg) - 1) != NULL;
}

/** Does the process see our files? In another mount namespace, as of a container, a path of the same name is
 * another. */
static bool shares_files(pid_t pid)
{
	cleanup_free char *path = xasprintf("/proc/%d/ns/mnt", (int)pid);
	struct stat ours, theirs;

	return stat("/proc/self/ns/mnt", &ours) || stat(path, &theirs) || ours.st_ino == theirs.st_ino;
}

/** Kills process pid if it is a QEMU of dir, and waits for its end; adds to *guests. */
static struct err *end_if_ours(pid_t pid, const char *dir, unsigned *guests)
{
	/*
	 * The descriptor comes first: what is then read about pid is about the process it stands for, or
	 * about none.
	 */
	cleanup_close int pidfd = pidfd_open(pid, 0);
	cleanup_free char *path = xasprintf("/proc/%d/cmdline", (int)pid);
	cleanup_strbuf struct strbuf cmdline = STRBUF_INIT;

	if (pidfd < 0)
		return NULL;

	/*
	 * 2 MiB: the kernel's limit on arguments. Unreadable: it has just ended, or is none of our
	 * business.
	 */
	struct err *e = file_read(path, 2 << 20, &cmdline);

	if (e || !is_qemu_of(&cmdline, dir) || !shares_files(pid)) {
		err_free(e);
		return NULL;
	}
	if (pidfd_send_signal(pidfd, SIGKILL, NULL, 0)) {
		/* ESRCH: it has just ended. EPERM: it is another user's, whatever its arguments say. */
		if (errno == ESRCH || errno == EPERM)
			return NULL;
		return err_errno(errno, "cannot end QEMU process %d, left in '%s'", (int)pid, dir);
	}

	struct pollfd pollfd = { .fd = pidfd, .events = POLLIN };

	if (poll(&pollfd, 1, KILL_TIMEOUT_MS) != 1)
		return err_new("QEMU process %d, left in '%s', does not end", (int)pid, dir);
	*guests += is_guest(&cmdline);
	return NULL;
}

struct err *workdir_end_guests(const char *dir, unsigned *ret)
{
	cleanup(cleanup_dir_) DIR *proc = opendir("/proc");
	struct dirent *entry;
	unsigned guests = 0;

	if (!proc)
		return err_errno(errno, "cannot open '/proc'");
	while ((entry = readdir(proc))) {
		struct err *e = NULL;

		if (isdigit((unsigned char)entry->d_name[0]))
			e = end_if_ours((pid_t)strtol(entry->d_name, NULL, 10), dir, &guests);
		if (e)
			return e;
	}
	*ret = guests;
	return NULL;
}

/** Makes dir if needed and sees to it that it is ours alone, and that QEMU's user can pass through it. */
static struct err *prepare_dir(const char *dir)
{
	if (mkdir(dir, 0711) && errno != EEXIST)
		return err_errno(errno, "cannot create work directory '%s'", dir);

	cleanup_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return err_set_kind(err_errno(errno, "cannot use work directory '%s'", dir), ERR_HOST);
	if (st.st_uid != geteuid())
		return err_new_kind(ERR_HOST, "work directory '%s' belongs to user %u, not to %u", dir,
				    (unsigned)st.st_uid, (unsigned)geteuid());
	if ((st.st_mode & 07777) != 0711 && fchmod(fd, 0711))
		return err_errno(errno, "cannot set the mode of '%s'", dir);
	return NULL;
}

/** Locks slot n. *ret is -1 when a process has it. */
static struct err *lock_slot(const char *base, unsigned n, int *ret)
{
	cleanup_free char *path = xasprintf("%s/%u.lock", base, n);
	cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_errno(errno, "cannot open '%s'", path);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		*ret = take_fd(fd);
	else if (errno == EWOULDBLOCK)
		*ret = -1;
	else
		return err_errno(errno, "cannot lock '%s'", path);
	return NULL;
}

/**
 * Ends what runs in a slot whose lock the caller has, and removes its run state, its scratch files, QEMU's
 * logs and what was staged there of files that are gone.
 */
static struct err *clear_slot(const char *root, unsigned *guests)
{
	static const char *const state[] = { "run", "files", "lib/qemu", "log" };
	cleanup_free char *staged = xasprintf("%s/staged", root);
	unsigned n = 0;
	struct err *e = workdir_end_guests(root, &n);

	for (size_t i = 0; !e && i < sizeof(state) / sizeof(state[0]); i++) {
		cleanup_free char *path = xasprintf("%s/%s", root, state[i]);

		e = file_remove_tree(path);
	}
	if (!e && file_exists(staged))
		e = stage_clean(staged);
	*guests += n;
	return e;
}

/** Takes the lowest free slot; clears it and all other free ones. */
static struct err *take_slot(const char *base, int *ret_fd, char **ret_root)
{
	cleanup_close int mine = -1;
	cleanup_free char *root = NULL;
	unsigned guests = 0;

	for (unsigned n = 0; n < SLOTS_MAX; n++) {
		cleanup_free char *path = xasprintf("%s/%u", base, n);
		cleanup_close int fd = -1;

		if (mine >= 0 && !file_exists(path))
			continue;

		struct err *e = lock_slot(base, n, &fd);

		if (!e && fd >= 0)
			e = clear_slot(path, &guests);
		if (e)
			return e;
		if (fd >= 0 && mine < 0) {
			mine = take_fd(fd);
			root = take_ptr(path);
		}
	}
	if (guests)
		log_note("ended %u guest%s that a dead run left behind", guests, guests == 1 ? "" : "s");
	if (mine < 0)
		return err_new("all %d slots of '%s' are taken", SLOTS_MAX, base);
	*ret_fd = take_fd(mine);
	*ret_root = take_ptr(root);
	return NULL;
}

static struct err *fill_slot(struct workdir *w)
{
	const char *dirs[] = { w->root, w->files, w->staged };
	struct err *e = NULL;

	w->files = xasprintf("%s/files", w->root);
	w->staged = xasprintf("%s/staged", w->root);
	dirs[1] = w->files;
	dirs[2] = w->staged;
	for (size_t i = 0; !e && i < sizeof(dirs) / sizeof(dirs[0]); i++)
		e = prepare_dir(dirs[i]);
	return e;
}

struct err *workdir_open(const char *base, struct workdir **ret)
{
	cleanup_free char *standard = xasprintf("/var/tmp/swapcal-%u", (unsigned)geteuid());

	if (!base)
		base = standard;
	/* 4: "/255" */
	if (strlen(base) + 4 > ROOT_LEN_MAX)
		return err_new_kind(ERR_HOST, "work directory '%s': the path has more than %d characters",
				    base, ROOT_LEN_MAX - 4);

	struct err *e = prepare_dir(base);
	struct workdir *w = xcalloc(1, sizeof(*w));

	w->lock_fd = -1;
	if (!e)
		e = take_slot(base, &w->lock_fd, &w->root);
	if (!e)
		e = fill_slot(w);
	if (e) {
		workdir_close(w);
		return e;
	}
	*ret = w;
	return NULL;
}

void workdir_empty(struct workdir *w)
{
	struct err *e = file_remove_tree(w->files);

	/* What cannot be removed now is removed by the next process that takes the slot. */
	if (!e)
		e = prepare_dir(w->files);
	err_free(e);
}

void workdir_close(struct workdir *w)
{
	if (!w)
		return;
	if (w->files)
		workdir_empty(w);
	if (w->lock_fd >= 0)
		close(w->lock_fd);
	free(w->root);
	free(w->files);
	free(w->staged);
	free(w);
}
