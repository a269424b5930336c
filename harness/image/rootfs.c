/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/image/rootfs.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "harness/base/alloc.h"

/* Blocks of the tar files; the larger, the fewer system calls. */
#define TAR_BLOCK_BYTES (1 << 20)

/* Of what is kept in memory: far above the largest text we take (modules.dep of a full kernel: 0.7 MiB, dpkg
 * status: some MiB), any kernel and module. */
#define MEMBER_MAX_BYTES (64u << 20)

DEFINE_CLEANUP(cleanup_read, struct archive *, archive_read_free)
DEFINE_CLEANUP(cleanup_write, struct archive *, archive_write_free)
DEFINE_CLEANUP(cleanup_entry, struct archive_entry *, archive_entry_free)

void rootfs_deinit(struct rootfs *r)
{
	free(r->release);
	strbuf_deinit(&r->config);
	strbuf_deinit(&r->modules_dep);
	strbuf_deinit(&r->modules_builtin);
	strbuf_deinit(&r->dpkg_status);
	strbuf_deinit(&r->programs);
}

static struct err *archive_err(struct archive *a, const char *what)
{
	return err_new("%s: %s", what, archive_error_string(a) ? archive_error_string(a) : "unknown error");
}

static struct err *open_tar(const char *path, struct archive **ret)
{
	cleanup(cleanup_read_) struct archive *a = archive_read_new();

	archive_read_support_format_tar(a);
	archive_read_support_filter_all(a);
	if (archive_read_open_filename(a, path, TAR_BLOCK_BYTES) != ARCHIVE_OK)
		return archive_err(a, path);
	*ret = take_ptr(a);
	return NULL;
}

/** The next member and its path without a leading "./" or "/"; NULL at the end. */
static struct err *next_member(struct archive *a, struct archive_entry **ret, const char **ret_path)
{
	struct archive_entry *entry;
	int rc = archive_read_next_header(a, &entry);

	if (rc == ARCHIVE_EOF) {
		*ret = NULL;
		return NULL;
	}
	/* A warning is about a name that is not of this process's locale: its bytes are what we want. */
	if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
		return archive_err(a, "cannot read the tar of the root");

	const char *path = archive_entry_pathname(entry);

	if (!path)
		return err_new("cannot read the tar of the root: a name is not valid");
	while (path[0] == '/' || (path[0] == '.' && path[1] == '/'))
		path++;
	*ret = entry;
	*ret_path = path;
	return NULL;
}

static struct err *read_data(struct archive *a, struct strbuf *sb)
{
	char buf[65536];
	ssize_t n;

	strbuf_clear(sb);
	while ((n = archive_read_data(a, buf, sizeof(buf))) > 0) {
		strbuf_add(sb, buf, (size_t)n);
		if (sb->len > MEMBER_MAX_BYTES)
			return err_new("a file in the root is larger than %u bytes", MEMBER_MAX_BYTES);
	}
	return n < 0 ? archive_err(a, "cannot read a file of the root") : NULL;
}

/** The path below the kernel's module directories, or NULL when it is elsewhere. */
static const char *below_modules(const char *path)
{
	if (strncmp(path, "usr/", 4) == 0)
		path += 4;
	return strncmp(path, "lib/modules/", 12) == 0 ? path + 12 : NULL;
}

/** What lies below these is of no use in a guest; the directories themselves stay. */
static bool is_trimmed(const char *path)
{
	static const char *const dirs[] = {
		"boot/",
		"dev/",
		"usr/lib/modules/",
		"lib/modules/",
		"usr/share/doc/",
		"usr/share/man/",
		"usr/share/info/",
		"usr/share/locale/",
		"usr/share/lintian/",
		"var/cache/",
		"var/lib/apt/",
		"var/log/",
		/* Descriptions of hardware that no guest has: 20 MiB. */
		"usr/lib/udev/hwdb",
		/* The links to the kernel. */
		"vmlinuz",
		"initrd.img",
	};

	for (size_t i = 0; i < COUNT(dirs); i++)
		if (strncmp(path, dirs[i], strlen(dirs[i])) == 0 && path[strlen(dirs[i])])
			return true;
	return strcmp(path, "vmlinuz") == 0 || strcmp(path, "initrd.img") == 0;
}

static struct err *take_kernel(struct archive *a, const char *release, const char *vmlinuz, struct rootfs *r)
{
	cleanup_strbuf struct strbuf data = STRBUF_INIT;

	if (r->release)
		return err_new("the kernel package brings two kernels, '%s' and '%s': name one", r->release,
			       release);
	if (!*release || strchr(release, '/') || release[0] == '.')
		return err_new("bad kernel release '%s'", release);

	struct err *e = read_data(a, &data);

	if (e)
		return e;
	r->release = xstrdup(release);
	return file_write_atomic(vmlinuz, strbuf_str(&data), data.len, 0644);
}

/** Takes what we need to know from a member; *ret_taken when its data was consumed. */
static struct err *take_member(struct archive *a, const char *path, const char *vmlinuz, struct rootfs *r,
			       bool *ret_taken)
{
	const char *module = below_modules(path);

	*ret_taken = true;
	if (strncmp(path, "boot/vmlinuz-", 13) == 0)
		return take_kernel(a, path + 13, vmlinuz, r);
	if (strncmp(path, "boot/config-", 12) == 0)
		return read_data(a, &r->config);
	if (module && strchr(module, '/') && strcmp(strchr(module, '/'), "/modules.dep") == 0)
		return read_data(a, &r->modules_dep);
	if (module && strchr(module, '/') && strcmp(strchr(module, '/'), "/modules.builtin") == 0)
		return read_data(a, &r->modules_builtin);
	*ret_taken = false;
	return NULL;
}

static struct err *write_header(struct archive *out, struct archive_entry *entry, struct rootfs *r)
{
	r->entries++;
	if (archive_write_header(out, entry) != ARCHIVE_OK)
		return archive_err(out, "cannot write the root's tar");
	return NULL;
}

static void count_bytes(struct rootfs *r, uint64_t len)
{
	r->bytes += (len + 4095) / 4096 * 4096;
}

static struct err *write_data(struct archive *out, const void *data, size_t len)
{
	if (len && archive_write_data(out, data, len) != (ssize_t)len)
		return archive_err(out, "cannot write the root's tar");
	return NULL;
}

/** Copies a file's data, however large; keeps that of a text in *keep too, unless that is NULL. */
static struct err *copy_data(struct archive *in, struct archive *out, struct strbuf *keep, struct rootfs *r)
{
	char buf[65536];
	uint64_t len = 0;
	ssize_t n;

	while ((n = archive_read_data(in, buf, sizeof(buf))) > 0) {
		struct err *e = write_data(out, buf, (size_t)n);

		len += (uint64_t)n;
		if (!e && keep && len > MEMBER_MAX_BYTES)
			e = err_new("a text in the root is larger than %u bytes", MEMBER_MAX_BYTES);
		if (e)
			return e;
		if (keep)
			strbuf_add(keep, buf, (size_t)n);
	}
	count_bytes(r, len);
	return n < 0 ? archive_err(in, "cannot read a file of the root") : NULL;
}

static struct err *copy_member(struct archive *in, struct archive_entry *entry, const char *path,
			       struct archive *out, struct rootfs *r)
{
	const char *link = archive_entry_hardlink(entry);
	bool is_status = strcmp(path, "var/lib/dpkg/status") == 0;

	/* A hard link whose file is trimmed can only be one more name of something trimmed. */
	if (link && is_trimmed(link + strspn(link, "./")))
		return NULL;

	struct err *e = write_header(out, entry, r);

	if (!e && archive_entry_filetype(entry) == AE_IFREG && archive_entry_size(entry) > 0)
		e = copy_data(in, out, is_status ? &r->dpkg_status : NULL, r);
	if (!e && strncmp(path, "usr/bin/", 8) == 0 && path[8])
		strbuf_addf(&r->programs, "%s%s\n", r->programs.len ? "" : "\n", path + 8);
	return e;
}

static struct err *copy_members(struct archive *in, struct archive *out, const char *vmlinuz,
				struct rootfs *r)
{
	for (;;) {
		struct archive_entry *entry;
		const char *path;
		bool taken;
		struct err *e = next_member(in, &entry, &path);

		if (e || !entry)
			return e;
		e = take_member(in, path, vmlinuz, r, &taken);
		if (!e && !taken && !is_trimmed(path))
			e = copy_member(in, entry, path, out, r);
		if (e)
			return e;
	}
}

static struct err *add_entry(struct archive *out, const char *path, mode_t type, mode_t mode,
			     const struct strbuf *data, struct rootfs *r)
{
	cleanup(cleanup_entry_) struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, path);
	archive_entry_set_filetype(entry, type);
	archive_entry_set_perm(entry, mode);
	archive_entry_set_mtime(entry, 0, 0);
	archive_entry_set_size(entry, (int64_t)data->len);

	count_bytes(r, data->len);

	struct err *e = write_header(out, entry, r);

	return e ? e : write_data(out, strbuf_str(data), data->len);
}

static struct err *add_workloads(struct archive *out, const struct workloads *workloads, struct rootfs *r)
{
	static const char *const dirs[] = { "./usr/share/swapcal", "./usr/share/swapcal/workloads" };
	struct strbuf none = STRBUF_INIT;
	struct err *e = NULL;

	for (size_t i = 0; !e && i < 2; i++)
		e = add_entry(out, dirs[i], AE_IFDIR, 0755, &none, r);
	for (size_t i = 0; !e && i < workloads->n; i++) {
		const struct workload_file *file = &workloads->files[i];
		cleanup_free char *path = xasprintf("%s/%s", dirs[1], file->name);

		e = add_entry(out, path, AE_IFREG, file->executable ? 0755 : 0644, &file->text, r);
	}
	return e;
}

/** Opens a tar for writing. */
static struct err *create_tar(const char *path, struct archive **ret)
{
	cleanup(cleanup_write_) struct archive *out = archive_write_new();

	/* Not pax: that would want all names as UTF-8 in this process's locale; this copies their bytes. */
	archive_write_set_format_gnutar(out);
	archive_write_set_bytes_per_block(out, TAR_BLOCK_BYTES);
	if (archive_write_open_filename(out, path) != ARCHIVE_OK)
		return archive_err(out, path);
	*ret = take_ptr(out);
	return NULL;
}

/** The directories that a file is in, but not those that the file before it (NULL: none) is in too. */
static struct err *add_parents(struct archive *out, const char *before, const char *name, struct rootfs *r)
{
	struct strbuf none = STRBUF_INIT;
	struct err *e = NULL;

	for (const char *slash = strchr(name, '/'); !e && slash; slash = strchr(slash + 1, '/')) {
		size_t len = (size_t)(slash - name) + 1;

		if (before && strncmp(before, name, len) == 0)
			continue;

		cleanup_free char *path = xasprintf("./%.*s", (int)len - 1, name);

		e = add_entry(out, path, AE_IFDIR, 0755, &none, r);
	}
	return e;
}

struct err *rootfs_pack(const struct workloads *files, const char *tar, uint64_t *ret_entries,
			uint64_t *ret_bytes)
{
	cleanup(cleanup_write_) struct archive *out = NULL;
	struct rootfs r = { 0 };
	struct err *e = create_tar(tar, &out);

	for (size_t i = 0; !e && i < files->n; i++) {
		const struct workload_file *file = &files->files[i];
		cleanup_free char *path = xasprintf("./%s", file->name);

		e = add_parents(out, i ? files->files[i - 1].name : NULL, file->name, &r);
		if (!e)
			e = add_entry(out, path, AE_IFREG, file->executable ? 0755 : 0644, &file->text, &r);
	}
	if (!e && archive_write_close(out) != ARCHIVE_OK)
		e = archive_err(out, tar);
	if (e)
		return e;
	*ret_entries = r.entries;
	*ret_bytes = r.bytes;
	return NULL;
}

static struct err *check_complete(const struct rootfs *r)
{
	if (!r->release)
		return err_new(
			"no kernel in the root: does 'kernel' in the recipe name a kernel image package?");
	if (!r->config.len || !r->modules_dep.len || !r->dpkg_status.len)
		return err_new("the root has no kernel config, modules.dep or dpkg status");
	return NULL;
}

struct err *rootfs_split(const char *tar, const struct workloads *workloads, const char *root_tar,
			 const char *vmlinuz, struct rootfs *ret)
{
	cleanup(cleanup_read_) struct archive *in = NULL;
	cleanup(cleanup_write_) struct archive *out = NULL;
	struct err *e = open_tar(tar, &in);

	if (!e)
		e = create_tar(root_tar, &out);
	if (e)
		return e;

	struct rootfs r = { 0 };

	e = copy_members(in, out, vmlinuz, &r);
	if (!e)
		e = add_workloads(out, workloads, &r);
	if (!e && archive_write_close(out) != ARCHIVE_OK)
		e = archive_err(out, root_tar);
	if (!e)
		e = check_complete(&r);
	if (e) {
		rootfs_deinit(&r);
		return e;
	}
	*ret = r;
	return NULL;
}

/** Undoes .xz, .zst or .gz by what the data is, not by its name; plain data stays as it is. */
static struct err *decompress(const struct strbuf *data, struct strbuf *ret)
{
	cleanup(cleanup_read_) struct archive *a = archive_read_new();
	struct archive_entry *entry;

	archive_read_support_filter_all(a);
	archive_read_support_format_raw(a);
	if (archive_read_open_memory(a, data->data, data->len) != ARCHIVE_OK ||
	    archive_read_next_header(a, &entry) != ARCHIVE_OK)
		return archive_err(a, "cannot decompress a module");
	return read_data(a, ret);
}

static struct err *write_module(struct archive *in, const struct name_list *modules, size_t index,
				const char *dir)
{
	cleanup_strbuf struct strbuf packed = STRBUF_INIT, plain = STRBUF_INIT;
	cleanup_free char *name = modules_name(modules->v[index]);
	cleanup_free char *file = xasprintf("%s/%02zu-%s.ko", dir, index, name);
	struct err *e = read_data(in, &packed);

	if (!e)
		e = decompress(&packed, &plain);
	if (!e)
		e = file_write_atomic(file, strbuf_str(&plain), plain.len, 0644);
	return err_wrap(e, "module '%s'", name);
}

struct err *rootfs_extract_modules(const char *tar, const char *release, const struct name_list *modules,
				   const char *dir)
{
	cleanup(cleanup_read_) struct archive *in = NULL;
	struct err *e = open_tar(tar, &in);
	size_t release_len = strlen(release), found = 0;

	while (!e && found < modules->n) {
		struct archive_entry *entry = NULL;
		const char *path = NULL;

		e = next_member(in, &entry, &path);
		if (!e && !entry)
			return err_new("modules.dep names modules that the kernel package does not have");

		const char *module = e ? NULL : below_modules(path);

		if (!module || strncmp(module, release, release_len) || module[release_len] != '/')
			continue;
		for (size_t i = 0; !e && i < modules->n; i++)
			if (strcmp(module + release_len + 1, modules->v[i]) == 0) {
				e = write_module(in, modules, i, dir);
				found++;
			}
	}
	return e;
}

/* --- Modules and what they depend on */

/* A chain of dependencies this long is a broken modules.dep; real ones are below 10. */
#define DEPTH_MAX 32

static char *name_of(const char *path, size_t len)
{
	const char *base = memrchr(path, '/', len);

	base = base ? base + 1 : path;

	char *name = xmemdup0(base, len - (size_t)(base - path));
	char *suffix = strstr(name, ".ko");

	if (suffix)
		*suffix = '\0';
	for (char *p = name; *p; p++)
		if (*p == '-')
			*p = '_';
	return name;
}

char *modules_name(const char *path)
{
	return name_of(path, strlen(path));
}

/** The line of text for the module at path or of that name: each line begins with a path, then a colon or
 * nothing. */
static const char *find_line(const char *text, const char *name, size_t *ret_path_len)
{
	for (const char *line = text; *line;) {
		size_t len = strcspn(line, ":\n");
		cleanup_free char *have = name_of(line, len);

		if (strcmp(have, name) == 0) {
			*ret_path_len = len;
			return line;
		}
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return NULL;
}

struct resolver {
	const char *dep;
	const char *builtin;
	struct name_list found;
};

static bool is_found(const struct name_list *m, const char *path, size_t len)
{
	for (size_t i = 0; i < m->n; i++)
		if (strlen(m->v[i]) == len && memcmp(m->v[i], path, len) == 0)
			return true;
	return false;
}

static bool is_safe_path(const char *path, size_t len)
{
	cleanup_free char *s = xmemdup0(path, len);

	return s[0] != '/' && !strstr(s, "..") && strstr(s, ".ko");
}

static struct err *add_module(struct resolver *r, const char *name, unsigned depth)
{
	size_t len;
	const char *line = find_line(r->dep, name, &len);

	if (!line) {
		if (find_line(r->builtin, name, &len))
			return NULL;
		return err_new("the kernel has no module '%s'", name);
	}
	if (is_found(&r->found, line, len))
		return NULL;
	if (depth > DEPTH_MAX || line[len] != ':' || !is_safe_path(line, len))
		return err_new("modules.dep: bad entry for '%s'", name);

	/* Dependencies first. The line lists them all; each has a line of its own, so their order here does
	 * not matter. */
	const char *p = line + len + 1;

	for (p += strspn(p, " "); *p && *p != '\n'; p += strspn(p, " ")) {
		size_t dep_len = strcspn(p, " \n");
		cleanup_free char *dep_name = name_of(p, dep_len);
		struct err *e = add_module(r, dep_name, depth + 1);

		if (e)
			return err_wrap(e, "module '%s'", name);
		p += dep_len;
	}
	*array_push(r->found.v, r->found.n, r->found.cap) = xmemdup0(line, len);
	return NULL;
}

struct err *modules_resolve(const char *dep, const char *builtin, const struct name_list *wanted,
			    struct name_list *ret)
{
	struct resolver r = { .dep = dep, .builtin = builtin };

	for (size_t i = 0; i < wanted->n; i++) {
		cleanup_free char *name = modules_name(wanted->v[i]);
		struct err *e = add_module(&r, name, 0);

		if (e) {
			name_list_deinit(&r.found);
			return e;
		}
	}
	*ret = r.found;
	return NULL;
}

/* --- The initramfs */

/* Virtio modules are below 200 KiB each; this only keeps a damaged cache from filling the memory. */
#define MODULE_MAX_BYTES (16u << 20)

struct cpio {
	struct archive *archive;
	int entries;
};

static struct err *cpio_add(struct cpio *cpio, const char *path, mode_t mode, dev_t device, const void *data,
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
		return archive_err(cpio->archive, "cannot make the initramfs");
	if (len && archive_write_data(cpio->archive, data, len) != (ssize_t)len)
		return archive_err(cpio->archive, "cannot make the initramfs");
	return NULL;
}

static struct err *cpio_add_modules(struct cpio *cpio, const struct image *image)
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
			e = cpio_add(cpio, file, S_IFREG | 0644, 0, strbuf_str(&data), data.len);
		if (e)
			return e;
	}
	return NULL;
}

static struct err *cpio_add_all(struct cpio *cpio, const struct image *image)
{
	/* The kernel opens /dev/console for its first process before anything is mounted. */
	static const char *const dirs[] = { "dev", "modules", "proc", "sys" };
	struct err *e = NULL;

	for (size_t i = 0; !e && i < COUNT(dirs); i++)
		e = cpio_add(cpio, dirs[i], S_IFDIR | 0755, 0, NULL, 0);
	if (!e)
		e = cpio_add(cpio, "dev/console", S_IFCHR | 0600, makedev(5, 1), NULL, 0);
	if (!e)
		e = cpio_add(cpio, "init", S_IFREG | 0755, 0, swapcal_agent, swapcal_agent_len);
	if (!e)
		e = cpio_add(cpio, "ballast", S_IFREG | 0755, 0, swapcal_ballast, swapcal_ballast_len);
	if (!e)
		e = cpio_add(cpio, "known", S_IFREG | 0755, 0, swapcal_known, swapcal_known_len);
	return e ? e : cpio_add_modules(cpio, image);
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
		return archive_err(archive, "cannot make the initramfs");

	struct err *e = cpio_add_all(&cpio, image);

	if (!e && archive_write_close(archive) != ARCHIVE_OK)
		e = archive_err(archive, "cannot make the initramfs");
	if (!e)
		e = file_write_atomic(path, strbuf_str(&bytes), bytes.len, 0600);
	return err_wrap(e, "initramfs");
}
