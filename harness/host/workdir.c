/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/host/workdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"
#include "harness/base/log.h"
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

/**
 * Ends what runs in a slot whose lock the caller has, and removes its run state, its scratch files, QEMU's
 * logs and what was staged there of files that are gone.
 */
static struct err *clear_slot(const char *root, unsigned *guests)
{
	static const char *const state[] = { "run", "files", "lib/qemu", "log" };
	cleanup_free char *staged = xasprintf("%s/staged", root);
	unsigned n = 0;
	struct err *e = qemu_end(root, NULL, &n);

	for (size_t i = 0; !e && i < COUNT(state); i++) {
		cleanup_free char *path = xasprintf("%s/%s", root, state[i]);

		e = file_remove_tree(path);
	}
	if (!e && file_exists(staged))
		e = stage_clean(staged);
	*guests += n;
	return e;
}

/** Takes the lowest free slot; clears it and all other free ones. */
static struct err *take_slot(const char *base, struct workdir *w)
{
	unsigned guests = 0;

	for (unsigned n = 0; n < SLOTS_MAX; n++) {
		cleanup_free char *path = xasprintf("%s/%u", base, n);
		cleanup_close int fd = -1;

		if (w->root && !file_exists(path))
			continue;

		cleanup_free char *lock = xasprintf("%s.lock", path);
		struct err *e = lock_try(lock, &fd);

		/* qemu_end() tells our QEMUs from a container's by the directory itself, so it must be there.
		 */
		if (!e && fd >= 0)
			e = prepare_dir(path);
		if (!e && fd >= 0)
			e = clear_slot(path, &guests);
		if (e)
			return e;
		if (fd >= 0 && !w->root) {
			w->lock_fd = take_fd(fd);
			w->root = take_ptr(path);
		}
	}
	if (guests)
		log_note("ended %u guest%s that a dead run left behind", guests, guests == 1 ? "" : "s");
	return w->root ? NULL : err_new("all %d slots of '%s' are taken", SLOTS_MAX, base);
}

static struct err *fill_slot(struct workdir *w)
{
	w->files = xasprintf("%s/files", w->root);
	w->staged = xasprintf("%s/staged", w->root);

	struct err *e = prepare_dir(w->root);

	if (!e)
		e = prepare_dir(w->files);
	return e ? e : prepare_dir(w->staged);
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
		e = take_slot(base, w);
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
