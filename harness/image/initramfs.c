/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/image/initramfs.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"
#include "harness/base/strbuf.h"

/* Virtio modules are below 200 KiB each; this only keeps a damaged cache from filling the memory. */
#define MODULE_MAX_BYTES (16u << 20)

DEFINE_CLEANUP(cleanup_write, struct archive *, archive_write_free)
DEFINE_CLEANUP(cleanup_entry, struct archive_entry *, archive_entry_free)

struct cpio {
	struct archive *archive;
	int entries;
};

static struct err *cpio_err(const struct cpio *cpio)
{
	const char *text = archive_error_string(cpio->archive);

	return err_new("cannot make the initramfs: %s", text ? text : "unknown error");
}

static struct err *add(struct cpio *cpio, const char *path, mode_t mode, dev_t device, const void *data,
		       size_t len)
{
	cleanup(cleanup_entry_) struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, path);
	archive_entry_set_mode(entry, mode);
	archive_entry_set_size(entry, (int64_t)len);
	archive_entry_set_mtime(entry, 0, 0);
	archive_entry_set_nlink(entry, S_ISDIR(mode) ? 2 : 1);
	archive_entry_set_rdev(entry, device);
	/* Files with the same number would be taken for links to each other. */
	archive_entry_set_ino64(entry, ++cpio->entries);
	if (archive_write_header(cpio->archive, entry) != ARCHIVE_OK)
		return cpio_err(cpio);
	if (len && archive_write_data(cpio->archive, data, len) != (ssize_t)len)
		return cpio_err(cpio);
	return NULL;
}

static struct err *add_modules(struct cpio *cpio, const struct image *image)
{
	size_t i;
	json_t *module;

	json_array_foreach(json_object_get(image->manifest, "modules"), i, module)
	{
		const char *name = json_string_value(module);
		cleanup_strbuf struct strbuf data = STRBUF_INIT;

		if (!name || strchr(name, '/'))
			return err_new("'%s/manifest.json': bad name of a module", image->dir);

		cleanup_free char *file = xasprintf("modules/%02zu-%s.ko", i, name);
		cleanup_free char *path = xasprintf("%s/%s", image->dir, file);
		struct err *e = file_read(path, MODULE_MAX_BYTES, &data);

		if (!e)
			e = add(cpio, file, S_IFREG | 0644, 0, strbuf_str(&data), data.len);
		if (e)
			return e;
	}
	return NULL;
}

static struct err *add_all(struct cpio *cpio, const struct image *image)
{
	/* The kernel opens /dev/console for its first process before anything is mounted. */
	static const char *const dirs[] = { "dev", "modules", "proc", "sys" };
	struct err *e = NULL;

	for (size_t i = 0; !e && i < COUNT(dirs); i++)
		e = add(cpio, dirs[i], S_IFDIR | 0755, 0, NULL, 0);
	if (!e)
		e = add(cpio, "dev/console", S_IFCHR | 0600, makedev(5, 1), NULL, 0);
	if (!e)
		e = add(cpio, "init", S_IFREG | 0755, 0, swapcal_agent, swapcal_agent_len);
	if (!e)
		e = add(cpio, "ballast", S_IFREG | 0755, 0, swapcal_ballast, swapcal_ballast_len);
	if (!e)
		e = add(cpio, "known", S_IFREG | 0755, 0, swapcal_known, swapcal_known_len);
	return e ? e : add_modules(cpio, image);
}

static ssize_t collect(struct archive *archive, void *arg, const void *data, size_t len)
{
	(void)archive;
	strbuf_add(arg, data, len);
	return (ssize_t)len;
}

struct err *initramfs_write(const struct image *image, const char *path)
{
	cleanup_strbuf struct strbuf bytes = STRBUF_INIT;
	cleanup(cleanup_write_) struct archive *archive = archive_write_new();
	struct cpio cpio = { .archive = archive };

	archive_write_set_format_cpio_newc(archive);
	if (archive_write_open(archive, &bytes, NULL, collect, NULL) != ARCHIVE_OK)
		return cpio_err(&cpio);

	struct err *e = add_all(&cpio, image);

	if (!e && archive_write_close(archive) != ARCHIVE_OK)
		e = cpio_err(&cpio);
	if (!e)
		e = file_write_atomic(path, strbuf_str(&bytes), bytes.len, 0600);
	return err_wrap(e, "initramfs");
}
