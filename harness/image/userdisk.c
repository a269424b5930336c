/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/image/userdisk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/base/strbuf.h"
#include "harness/image/build-cache.h"
#include "harness/image/rootfs.h"

/* To be changed whenever the same files would make another disk. */
#define BUILDER_VERSION 1

/* A disk that no run has asked for in this time is removed when another is made. */
#define KEPT_DAYS 30

#define PART      "workloads"
#define DISK_NAME "disk.qcow2"

/*
 * What an ext4 takes for itself beside a quarter more than its files, and for each of them: an inode, and a
 * block when it is a directory. A qcow2 has no unused blocks.
 */
#define OVERHEAD_BYTES  (8u << 20)
#define ENTRY_BYTES     (4096u + 256u)
#define OVERHEAD_INODES 64

void userdisk_key(const struct workloads *files, char key[65])
{
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;

	/* Each name after its length, so that no two lists look the same. */
	strbuf_addf(&sb, "builder %d\n", BUILDER_VERSION);
	for (size_t i = 0; i < files->n; i++) {
		const struct workload_file *f = &files->files[i];
		char content[65];

		hash_sha256(strbuf_str(&f->text), f->text.len, content);
		strbuf_addf(&sb, "%zu %s %d %s\n", strlen(f->name), f->name, f->executable, content);
	}
	hash_sha256(strbuf_str(&sb), sb.len, key);
}

json_t *userdisk_describe(const struct workloads *files)
{
	json_t *list = json_object();
	char key[65];

	for (size_t i = 0; i < files->n; i++) {
		char content[65];

		hash_sha256(strbuf_str(&files->files[i].text), files->files[i].text.len, content);
		/* A name that is no text is left out; the key has it. */
		json_object_set_new(list, files->files[i].name, json_string(content));
	}
	userdisk_key(files, key);
	return json_pack("{s:s, s:o}", "key", key, "files", list);
}

/** Removes the disks that nobody has asked for in a long time. */
static struct err *remove_unused(void)
{
	cleanup_free char *dir = NULL;
	struct err *e = build_cache_dir(PART, &dir);
	cleanup_name_list struct name_list names = { 0 };
	time_t oldest = time(NULL) - (time_t)KEPT_DAYS * 24 * 3600;

	if (!e)
		e = file_list(dir, &names);
	for (size_t i = 0; !e && i < names.n; i++) {
		cleanup_free char *path = xasprintf("%s/%s/" DISK_NAME, dir, names.v[i]);
		struct stat st;
		bool was_there;

		if (names.v[i][0] != '.' && !stat(path, &st) && st.st_mtime < oldest)
			e = build_cache_remove(PART, names.v[i], &was_there);
	}
	return e;
}

static void show_line(void *arg, const char *line)
{
	(void)arg;
	log_progress("workloads: %.60s", line);
}

/** A disk that is wanted. */
struct build {
	const struct workloads *files;
	const struct userdisk_options *options;
	char key[65];
	char *path; /**< of the disk, once it is there */
};

/** Finds the disk, which is now used last. */
static struct err *find_disk(void *arg, bool *ret_is_there)
{
	struct build *b = arg;
	cleanup_free char *dir = NULL;
	struct err *e = build_cache_dir(PART, &dir);

	if (e)
		return e;

	cleanup_free char *path = xasprintf("%s/%s/" DISK_NAME, dir, b->key);

	if (!file_exists(path))
		return NULL;
	/* In another user's cache, or one mounted read-only, a disk that can be read may be used. */
	if (utimensat(AT_FDCWD, path, NULL, 0) && errno != EROFS && errno != EACCES && errno != EPERM)
		return err_errno(errno, "cannot touch '%s'", path);
	b->path = take_ptr(path);
	*ret_is_there = true;
	return NULL;
}

static struct err *make_disk(void *arg, const char *work, const char *dir)
{
	const struct build *b = arg;
	cleanup_free char *tar = xasprintf("%s/files.tar", work);
	cleanup_free char *disk = xasprintf("%s/" DISK_NAME, dir);
	uint64_t entries = 0, bytes = 0;
	struct err *e = rootfs_pack(b->files, tar, &entries, &bytes);

	if (e)
		return e;

	struct rootdisk_job job = {
		.tar = tar,
		.disk = disk,
		.label = "swapcal-user",
		.tmpdir = work,
		.size_bytes = (bytes + bytes / 4 + entries * ENTRY_BYTES + OVERHEAD_BYTES) >> 20 << 20,
		.inodes = entries + OVERHEAD_INODES,
		.force_tcg = b->options->force_tcg,
		.line = show_line,
	};

	log_note("making a disk of %zu workload files, %" PRIu64 " KiB", b->files->n, bytes / 1024);
	e = (b->options->make ? b->options->make : rootdisk_make)(&job);
	log_progress_end();
	if (!e && chmod(disk, 0600))
		e = err_errno(errno, "'%s'", disk);
	return e ? e : remove_unused();
}

static void tell_waiting(void *arg)
{
	(void)arg;
	log_note("waiting for another build of workloads to end");
}

struct err *userdisk_find_or_build(const struct workloads *files, const struct userdisk_options *options,
				   char **ret)
{
	struct build b = { .files = files, .options = options };
	const struct build_cache_job job = {
		.part = PART,
		.entry = b.key,
		.find = find_disk,
		.check_host = options->make ? NULL : rootdisk_check_host,
		.make = make_disk,
		.arg = &b,
		.waiting = tell_waiting,
		.incomplete = "the finished disk is not there",
	};
	bool was_there;

	userdisk_key(files, b.key);

	struct err *e = build_cache_get(&job, &was_there);

	if (e)
		return err_wrap(e, "disk of workloads");
	*ret = b.path;
	return NULL;
}
