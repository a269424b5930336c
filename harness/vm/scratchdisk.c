/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/scratchdisk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cancel.h"
#include "harness/base/cleanup.h"
#include "harness/base/subprocess.h"

/* What an ext4 without journal takes for itself: some fixed MiB, and block maps by size. */
#define OVERHEAD_MIB       8
#define OVERHEAD_PER_MIB   32
#define MAKE_TIMEOUT_S     60
#define UUID_OF_EVERY_DISK "73776170-6361-4c20-8000-000000000001"

static struct err *make_file(const char *path, unsigned size_mib)
{
	off_t mib = (off_t)size_mib + size_mib / OVERHEAD_PER_MIB + OVERHEAD_MIB;

	if (unlink(path) && errno != ENOENT)
		return err_errno(errno, "cannot replace it");

	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_errno(errno, "cannot create it");
	return ftruncate(fd, mib << 20) ? err_errno(errno, "cannot size it") : NULL;
}

/* mke2fs stands where users' PATHs often do not lead. */
static const char *find_mke2fs(void)
{
	static const char *const paths[] = { "/usr/sbin/mke2fs", "/sbin/mke2fs" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (access(paths[i], X_OK) == 0)
			return paths[i];
	return "mke2fs";
}

static struct err *make_ext4(const char *path)
{
	/*
	 * No journal, which would be kernel memory and writes of its own; nothing left to be initialised in
	 * the background; few inodes, no room kept for root.
	 */
	static const char options[] = "lazy_itable_init=0,hash_seed=" UUID_OF_EVERY_DISK;
	const char *const argv[] = { find_mke2fs(),
				     "-q",
				     "-F",
				     "-t",
				     "ext4",
				     "-O",
				     "^has_journal",
				     "-E",
				     options,
				     "-U",
				     UUID_OF_EVERY_DISK,
				     "-b",
				     "4096",
				     "-N",
				     "64",
				     "-m",
				     "0",
				     path,
				     NULL };
	/* Else the time of making is in the superblock. */
	const char *const env[] = { "E2FSPROGS_FAKE_TIME=1", NULL };
	struct subprocess job = {
		.argv = argv, .env = env, .timeout_s = MAKE_TIMEOUT_S, .cancelled = cancel_requested
	};

	return subprocess_run(&job);
}

struct err *scratchdisk_create(const char *path, unsigned size_mib)
{
	struct err *e = make_file(path, size_mib);

	if (!e)
		e = make_ext4(path);
	if (e)
		unlink(path);
	return err_wrap(e, "scratch disk '%s'", path);
}
