/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/image/rootdisk.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <guestfs.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cancel.h"
#include "harness/base/file.h"
#include "harness/base/subprocess.h"

/* Under TCG on a slow machine the appliance takes a minute; a hang must end some time. */
#define APPLIANCE_TIMEOUT_S 1800

/* The default (1280 MiB) is for larger jobs than unpacking a tar; this leaves room for a page cache. */
#define APPLIANCE_MIB 768

DEFINE_CLEANUP(cleanup_guestfs, guestfs_h *, guestfs_close)
#define cleanup_guestfs cleanup(cleanup_guestfs_)

char *rootdisk_version(void)
{
	cleanup_guestfs guestfs_h *g = guestfs_create_flags(GUESTFS_CREATE_NO_CLOSE_ON_EXIT);
	struct guestfs_version *v = g ? guestfs_version(g) : NULL;
	char *text = v ? xasprintf("%" PRIi64 ".%" PRIi64 ".%" PRIi64, v->major, v->minor, v->release)
		       : xstrdup("unknown");

	if (v)
		guestfs_free_version(v);
	return text;
}

struct err *rootdisk_check_host(void)
{
	glob_t kernels;
	bool any = false, readable = false;

	/* With these the user has chosen an appliance or a kernel. */
	if (getenv("SUPERMIN_KERNEL") || getenv("LIBGUESTFS_PATH"))
		return NULL;
	if (glob("/boot/vmlinu?-*", 0, NULL, &kernels) == 0) {
		for (size_t i = 0; i < kernels.gl_pathc; i++) {
			any = true;
			readable |= access(kernels.gl_pathv[i], R_OK) == 0;
		}
		globfree(&kernels);
	}
	if (!any)
		return err_new_kind(
			ERR_HOST,
			"libguestfs needs a Linux kernel in /boot for its appliance, but there is none: run 'apt-get install linux-image-cloud-amd64'");
	if (!readable)
		return err_new_kind(
			ERR_HOST,
			"libguestfs cannot read a kernel in /boot: run 'chmod a+r /boot/vmlinuz-*'");
	return NULL;
}

static struct err *guestfs_err(guestfs_h *g, const char *what)
{
	const char *text = guestfs_last_error(g);

	return err_new("libguestfs: %s: %s", what, text ? text : "unknown error");
}

/* From here to make_in_child() all runs in a child process: see rootdisk_make(). What it prints goes to the
 * job's line(). */

static void on_progress(guestfs_h *g, void *opaque, uint64_t event, int event_handle, int flags,
			const char *buf, size_t buf_len, const uint64_t *array, size_t array_len)
{
	(void)g, (void)opaque, (void)event, (void)event_handle, (void)flags, (void)buf, (void)buf_len;
	/* Members are: procedure, serial, position, total. */
	if (array_len >= 4 && array[3])
		dprintf(STDOUT_FILENO, "starting the appliance: %" PRIu64 " %%\n", array[2] * 100 / array[3]);
}

/** Unpacking keeps tar and the appliance's daemon busy: with two CPUs it takes half the time, more do not
 * help. */
static int appliance_cpus(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 2 : 1;
}

static struct err *launch(guestfs_h *g, const struct rootdisk_job *job)
{
	guestfs_set_error_handler(g, NULL, NULL);
	guestfs_set_event_callback(g, on_progress, GUESTFS_EVENT_PROGRESS, 0, NULL);
	if (!getenv("LIBGUESTFS_BACKEND") && guestfs_set_backend(g, "direct"))
		return guestfs_err(g, "cannot choose the backend");
	if (job->force_tcg && guestfs_set_backend_setting(g, "force_tcg", "1"))
		return guestfs_err(g, "cannot switch KVM off");
	if (guestfs_set_memsize(g, APPLIANCE_MIB) || guestfs_set_smp(g, appliance_cpus()) ||
	    guestfs_set_tmpdir(g, job->tmpdir))
		return guestfs_err(g, "cannot set up the appliance");
	if (guestfs_disk_create(g, job->disk, "qcow2", (int64_t)job->size_bytes, -1))
		return guestfs_err(g, "cannot create the disk");
	/* unsafe: no flush of this disk is needed before it is complete. */
	if (guestfs_add_drive_opts(g, job->disk, GUESTFS_ADD_DRIVE_OPTS_FORMAT, "qcow2",
				   GUESTFS_ADD_DRIVE_OPTS_CACHEMODE, "unsafe", -1))
		return guestfs_err(g, "cannot add the disk");
	if (guestfs_launch(g))
		return err_wrap(guestfs_err(g, "the appliance did not start"),
				"run 'libguestfs-test-tool' to see why");
	return NULL;
}

/* libguestfs does not tell how far it is with a tar: so we pass it through a pipe and count. */
struct feeder {
	int tar;
	int pipe;
	off_t size;
};

static void *feed(void *arg)
{
	struct feeder *f = arg;
	size_t chunk = 1 << 20;
	cleanup_free char *buf = xmalloc(chunk);
	off_t done = 0;
	struct err *e = NULL;

	for (ssize_t n; !e && (n = read(f->tar, buf, chunk)) > 0; done += n) {
		dprintf(STDOUT_FILENO, "unpacking: %lld %%\n", (long long)(done * 100 / f->size));
		e = file_write_all(f->pipe, buf, (size_t)n);
	}
	/* An error here is one of the reader, who will tell; and a tar cut short is an error for it. */
	err_free(e);
	close(f->pipe);
	return NULL;
}

static struct err *unpack(guestfs_h *g, const char *tar)
{
	cleanup_close int in = open(tar, O_RDONLY | O_CLOEXEC);
	struct feeder feeder = { .tar = in };
	int fds[2];
	struct stat st;
	pthread_t thread;

	if (in < 0 || fstat(in, &st) || pipe2(fds, O_CLOEXEC))
		return err_errno(errno, "cannot read '%s'", tar);
	feeder.pipe = fds[1];
	feeder.size = st.st_size;

	cleanup_close int out = fds[0];
	cleanup_free char *path = xasprintf("/dev/fd/%d", out);
	int errnum = pthread_create(&thread, NULL, feed, &feeder);

	if (errnum) {
		close(feeder.pipe);
		return err_errno(errnum, "cannot start a thread");
	}

	struct err *e =
		guestfs_tar_in_opts(g, path, "/", -1) ? guestfs_err(g, "cannot unpack to the disk") : NULL;

	/* After an error the thread may wait for a reader: now there is none. */
	close(take_fd(out));
	pthread_join(thread, NULL);
	return e;
}

static struct err *fill(guestfs_h *g, const struct rootdisk_job *job)
{
	/*
	 * The guest mounts it read-only: no journal, no room for root. Blocks of a page, or a small disk
	 * would get blocks of 1 KiB, and with them buffer heads and another way through the guest's page
	 * cache.
	 */
	if (guestfs_mke2fs(g, "/dev/sda", GUESTFS_MKE2FS_FSTYPE, "ext4", GUESTFS_MKE2FS_LABEL, job->label,
			   GUESTFS_MKE2FS_BLOCKSIZE, 4096, GUESTFS_MKE2FS_HASJOURNAL, 0,
			   GUESTFS_MKE2FS_RESERVEDBLOCKSPERCENTAGE, 0, GUESTFS_MKE2FS_NUMBEROFINODES,
			   (int)job->inodes, GUESTFS_MKE2FS_LAZYITABLEINIT, 1, -1))
		return guestfs_err(g, "cannot make the file system");
	if (guestfs_mount(g, "/dev/sda", "/"))
		return guestfs_err(g, "cannot mount the disk");

	struct err *e = unpack(g, job->tar);

	if (e)
		return e;
	if (guestfs_umount_all(g) || guestfs_shutdown(g))
		return guestfs_err(g, "cannot finish the disk");
	return NULL;
}

static struct err *make_in_child(void *arg)
{
	const struct rootdisk_job *job = arg;
	cleanup_guestfs guestfs_h *g = guestfs_create();

	signal(SIGPIPE, SIG_IGN);
	if (!g)
		return err_new("libguestfs: cannot create a handle");

	struct err *e = launch(g, job);

	return e ? e : fill(g, job);
}

struct err *rootdisk_make(const struct rootdisk_job *job)
{
	/* In a child, so that it can be stopped at any time: a launch cannot be interrupted from within. */
	struct subprocess proc = {
		.call = make_in_child,
		.call_arg = (void *)job,
		.timeout_s = APPLIANCE_TIMEOUT_S,
		.line = job->line,
		.line_arg = job->line_arg,
		.cancelled = cancel_requested,
	};

	return subprocess_run(&proc);
}
