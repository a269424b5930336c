/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cancel.h"
#include "harness/base/clock.h"
#include "harness/base/log.h"
#include "harness/base/subprocess.h"
#include "harness/image/build-cache.h"
#include "harness/image/rootdisk.h"
#include "harness/image/rootfs.h"

#define MANIFEST_FORMAT 1

/* Real ones are below 100 KiB, most of it package names. */
#define MANIFEST_MAX_BYTES (4 << 20)

/* --- The manifest: what texts of a root say */

static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return *line ? line + 1 : NULL;
}

/** The rest of the line when it begins with key, to be freed, else NULL. */
static char *value_of(const char *line, const char *key)
{
	size_t len = strlen(key);

	if (strncmp(line, key, len))
		return NULL;
	return xmemdup0(line + len, strcspn(line + len, "\n"));
}

/** The same of the first such line of the paragraph that text begins with. */
static char *field_of(const char *text, const char *key)
{
	char *value = NULL;

	for (const char *line = text; !value && line && *line && *line != '\n'; line = next_line(line))
		value = value_of(line, key);
	return value;
}

json_t *manifest_packages(const char *dpkg_status)
{
	json_t *packages = json_object();

	/* A paragraph per package, ended by an empty line or the end of the text. */
	for (const char *p = dpkg_status; p && *(p += strspn(p, "\n")); p = strstr(p, "\n\n")) {
		cleanup_free char *name = field_of(p, "Package: "), *status = field_of(p, "Status: ");
		cleanup_free char *version = field_of(p, "Version: ");

		if (name && version && status && strstr(status, " installed"))
			json_object_set_new(packages, name, json_string(version));
	}
	return packages;
}

/** "CONFIG_X=value" or "# CONFIG_X is not set" in the config; JSON null when it is in neither form. */
static json_t *config_value(const char *config, const char *option)
{
	cleanup_free char *set = xasprintf("%s=", option);
	cleanup_free char *unset = xasprintf("# %s is not set", option);

	for (const char *line = config; line; line = next_line(line)) {
		cleanup_free char *value = value_of(line, set);
		cleanup_free char *rest = value_of(line, unset);

		if (value) {
			size_t len = strlen(value);
			bool quoted = len >= 2 && value[0] == '"' && value[len - 1] == '"';

			return json_stringn(value + quoted, len - 2 * quoted);
		}
		if (rest)
			return json_string("n");
	}
	return json_null();
}

json_t *manifest_kernel_config(const char *config)
{
	static const char *const options[] = {
		"CONFIG_ZSWAP",
		"CONFIG_ZSWAP_DEFAULT_ON",
		"CONFIG_ZRAM",
		"CONFIG_TRANSPARENT_HUGEPAGE",
		"CONFIG_TRANSPARENT_HUGEPAGE_ALWAYS",
		"CONFIG_TRANSPARENT_HUGEPAGE_MADVISE",
		"CONFIG_TRANSPARENT_HUGEPAGE_NEVER",
		"CONFIG_LRU_GEN",
		"CONFIG_LRU_GEN_ENABLED",
		"CONFIG_PSI",
		"CONFIG_PSI_DEFAULT_DISABLED",
		"CONFIG_PAGE_MAPCOUNT",
		"CONFIG_NO_PAGE_MAPCOUNT",
		"CONFIG_KSM",
		"CONFIG_MEMCG",
		"CONFIG_SWAP",
		"CONFIG_HZ",
		"CONFIG_PREEMPT_DYNAMIC",
		"CONFIG_IDLE_PAGE_TRACKING",
	};
	json_t *ret = json_object();

	for (size_t i = 0; i < COUNT(options); i++)
		json_object_set_new(ret, options[i], config_value(config, options[i]));
	return ret;
}

/* Writing it. */

static struct err *add_file(json_t *files, const char *dir, const char *relative)
{
	cleanup_free char *path = xasprintf("%s/%s", dir, relative);
	struct stat st;
	char hex[65];

	if (stat(path, &st))
		return err_errno(errno, "'%s'", path);

	struct err *e = file_sha256(path, hex);

	if (!e)
		json_object_set_new(files, relative,
				    json_pack("{s:I, s:s}", "bytes", (json_int_t)st.st_size, "sha256", hex));
	return e;
}

static struct err *describe_files(const char *dir, const struct name_list *modules, json_t **ret)
{
	static const char *const fixed[] = { "vmlinuz", "config", "root.qcow2" };
	cleanup(cleanup_json_) json_t *files = json_object();
	struct err *e = NULL;

	for (size_t i = 0; !e && i < 3; i++)
		e = add_file(files, dir, fixed[i]);
	for (size_t i = 0; !e && i < modules->n; i++) {
		cleanup_free char *name = modules_name(modules->v[i]);
		cleanup_free char *path = xasprintf("modules/%02zu-%s.ko", i, name);

		e = add_file(files, dir, path);
	}
	if (!e)
		*ret = take_ptr(files);
	return e;
}

static json_t *module_names(const struct name_list *modules)
{
	json_t *names = json_array();

	for (size_t i = 0; i < modules->n; i++) {
		cleanup_free char *name = modules_name(modules->v[i]);

		json_array_append_new(names, json_string(name));
	}
	return names;
}

static json_t *workload_names(const struct workloads *workloads)
{
	json_t *names = json_array();

	for (size_t i = 0; i < workloads->n; i++)
		json_array_append_new(names, json_string(workloads->files[i].name));
	return names;
}

/** Packages of the recipe that bring a program of their own name: python3, pypy3, perl, ... */
static json_t *describe_interpreters(const struct image_recipe *recipe, const char *programs,
				     json_t *packages)
{
	json_t *ret = json_object();

	for (size_t i = 0; i < recipe->packages.n; i++) {
		const char *name = recipe->packages.v[i];
		cleanup_free char *line = xasprintf("\n%s\n", name);
		cleanup_free char *path = xasprintf("/usr/bin/%s", name);
		json_t *version = json_object_get(packages, name);

		if (version && strstr(programs, line))
			json_object_set_new(ret, name,
					    json_pack("{s:s, s:O}", "path", path, "version", version));
	}
	return ret;
}

static void format_now(char buf[32])
{
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/** Writes DIR/manifest.json (its form: see image.h) for the finished files in dir. */
static struct err *manifest_write(const char *dir, const struct image_recipe *recipe, const char *key,
				  const struct rootfs *root, const struct name_list *modules,
				  const struct workloads *workloads, const char *mmdebstrap_version,
				  const char *libguestfs_version)
{
	json_t *files = NULL;
	struct err *e = describe_files(dir, modules, &files);
	char now[32];

	if (e)
		return e;
	format_now(now);

	json_t *packages = manifest_packages(strbuf_str(&root->dpkg_status));
	json_t *interpreters = describe_interpreters(recipe, strbuf_str(&root->programs), packages);
	json_error_t json_err;
	cleanup(cleanup_json_) json_t *manifest = json_pack_ex(
		&json_err, 0,
		"{s:i, s:s, s:s, s:s, s:s, s:s, s:{s:s, s:s}, s:{s:s, s:o}, s:o, s:o, s:o, s:o, s:o}",
		"format", MANIFEST_FORMAT, "name", recipe->name, "suite", recipe->suite, "key", key, "recipe",
		recipe->text, "built_at", now, "tools", "mmdebstrap", mmdebstrap_version, "libguestfs",
		libguestfs_version, "kernel", "release", root->release, "config",
		manifest_kernel_config(strbuf_str(&root->config)), "modules", module_names(modules),
		"workloads", workload_names(workloads), "interpreters", interpreters, "packages", packages,
		"files", files);

	if (!manifest)
		return err_new("cannot make the manifest: %s", json_err.text);

	cleanup_free char *text = json_dumps(manifest, JSON_INDENT(2) | JSON_SORT_KEYS);
	cleanup_free char *path = xasprintf("%s/manifest.json", dir);

	return file_write_atomic(path, text, strlen(text), 0644);
}

/* Reading it. */

static struct err *check_files(const char *dir, json_t *files)
{
	const char *relative;
	json_t *file;

	json_object_foreach(files, relative, file)
	{
		cleanup_free char *path = xasprintf("%s/%s", dir, relative);
		struct stat st;
		json_int_t bytes = json_integer_value(json_object_get(file, "bytes"));

		if (stat(path, &st))
			return err_errno(errno, "'%s'", path);
		if (st.st_size != bytes)
			return err_new("'%s' has %lld bytes, its manifest says %lld", path,
				       (long long)st.st_size, (long long)bytes);
	}
	return NULL;
}

static struct err *check_members(const char *path, json_t *manifest)
{
	int format;
	const char *s;
	json_t *j;
	json_error_t je;

	if (json_unpack_ex(manifest, &je, 0, "{s:i}", "format", &format))
		return err_new("'%s': %s", path, je.text);
	if (format != MANIFEST_FORMAT)
		return err_new("'%s': format %d is not known, only %d", path, format, MANIFEST_FORMAT);
	if (json_unpack_ex(manifest, &je, 0,
			   "{s:s, s:s, s:s, s:s, s:s, s:{s:s, s:s}, s:{s:s, s:o}, s:o, s:o, s:o, s:o, s:o}",
			   "name", &s, "suite", &s, "key", &s, "recipe", &s, "built_at", &s, "tools",
			   "mmdebstrap", &s, "libguestfs", &s, "kernel", "release", &s, "config", &j,
			   "modules", &j, "workloads", &j, "interpreters", &j, "packages", &j, "files", &j))
		return err_new("'%s': %s", path, je.text);
	return NULL;
}

/**
 * Reads DIR/manifest.json and checks what others rely on: that the members image.h tells of are there, and
 * that the files exist and have their recorded sizes.
 */
static struct err *manifest_load(const char *dir, json_t **ret)
{
	cleanup_free char *path = xasprintf("%s/manifest.json", dir);
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	struct err *e = file_read(path, MANIFEST_MAX_BYTES, &text);
	json_error_t je;

	if (e)
		return e;

	cleanup(cleanup_json_) json_t *manifest = json_loadb(strbuf_str(&text), text.len, 0, &je);

	if (!manifest)
		return err_new("'%s': %s", path, je.text);
	e = check_members(path, manifest);
	if (!e)
		e = check_files(dir, json_object_get(manifest, "files"));
	if (!e)
		*ret = take_ptr(manifest);
	return e;
}

/* --- The cache */

/* To be changed whenever the same recipe and workloads would make another image. */
#define BUILDER_VERSION 1

/* Digits of the key in the name of an image's directory: enough to tell apart whatever one cache will ever
 * hold. */
#define KEY_DIGITS 12

void image_destroy(struct image *image)
{
	if (!image)
		return;
	free(image->dir);
	free(image->key);
	json_decref(image->manifest);
	free(image);
}

void image_cache_key(const struct image_recipe *recipe, const struct workloads *workloads, char key[65])
{
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;

	/* Each text after its length, so that no two inputs look the same. */
	strbuf_addf(&sb, "builder %d\nrecipe %zu\n%s", BUILDER_VERSION, strlen(recipe->text), recipe->text);
	for (size_t i = 0; i < workloads->n; i++) {
		const struct workload_file *f = &workloads->files[i];

		strbuf_addf(&sb, "workload %s %d %zu\n", f->name, f->executable, f->text.len);
		strbuf_add(&sb, strbuf_str(&f->text), f->text.len);
	}
	hash_sha256(strbuf_str(&sb), sb.len, key);
}

/** Is entry the directory name of an image called name, or of any image when name is NULL? */
static bool is_image_name(const char *entry, const char *name)
{
	size_t len = strlen(entry);

	if (entry[0] == '.' || len < KEY_DIGITS + 2 || entry[len - KEY_DIGITS - 1] != '-' ||
	    strspn(entry + len - KEY_DIGITS, "0123456789abcdef") != KEY_DIGITS)
		return false;
	return !name || (strlen(name) == len - KEY_DIGITS - 1 && strncmp(entry, name, strlen(name)) == 0);
}

/** Reads the image in dir/entry; an error when it is not whole. */
static struct err *load_image(const char *dir, const char *entry, struct image **ret)
{
	cleanup(cleanup_image_) struct image *image = xcalloc(1, sizeof(*image));
	const char *name, *key;

	image->dir = xasprintf("%s/%s", dir, entry);

	struct err *e = manifest_load(image->dir, &image->manifest);

	if (e)
		return e;
	name = json_string_value(json_object_get(image->manifest, "name"));
	key = json_string_value(json_object_get(image->manifest, "key"));
	if (!is_image_name(entry, name) || strlen(key) != 64 ||
	    strncmp(key, entry + strlen(entry) - KEY_DIGITS, KEY_DIGITS))
		return err_new("'%s': its manifest belongs to another image", image->dir);
	image->key = xstrdup(key);
	*ret = take_ptr(image);
	return NULL;
}

/** When an image was built or confirmed, in ns: the time of its manifest file. */
static int64_t image_time_ns(const struct image *image)
{
	cleanup_free char *path = xasprintf("%s/manifest.json", image->dir);
	struct stat st;

	return stat(path, &st) ? 0 : st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec;
}

static int newest_first(const void *a, const void *b)
{
	int64_t ta = image_time_ns(*(struct image *const *)a), tb = image_time_ns(*(struct image *const *)b);

	return ta < tb ? 1 : ta > tb ? -1 : 0;
}

/** What is in the cache, and where that is. */
static struct err *list(char **ret_dir, struct name_list *ret)
{
	struct err *e = build_cache_dir(IMAGE_CACHE_PART, ret_dir);

	return e ? e : file_list(*ret_dir, ret);
}

struct err *image_list(struct image ***ret, size_t *ret_n)
{
	cleanup_free char *path = NULL;
	cleanup_name_list struct name_list names = { 0 };
	struct image **images = NULL;
	size_t n = 0, cap = 0;
	struct err *e = list(&path, &names);

	if (e)
		return e;
	for (size_t i = 0; i < names.n; i++) {
		struct image *image = NULL;

		if (!is_image_name(names.v[i], NULL))
			continue;
		e = load_image(path, names.v[i], &image);
		if (e)
			log_note("skipped: %s", err_message(e));
		else
			*array_push(images, n, cap) = image;
		err_free(e);
	}
	if (n)
		qsort(images, n, sizeof(*images), newest_first);
	*ret = images;
	*ret_n = n;
	return NULL;
}

struct err *image_find(const char *name, struct image **ret)
{
	struct image **images;
	size_t n;
	struct err *e = image_list(&images, &n);

	if (e)
		return e;

	struct image *found = NULL;

	for (size_t i = 0; i < n; i++) {
		const char *have = json_string_value(json_object_get(images[i]->manifest, "name"));

		if (!found && strcmp(have, name) == 0)
			found = images[i];
		else
			image_destroy(images[i]);
	}
	free(images);
	if (!found)
		return err_new("there is no image '%s': run 'swapcal image build %s'", name, name);
	*ret = found;
	return NULL;
}

char *image_cache_entry(const char *name, const char *key)
{
	return xasprintf("%s-%.*s", name, KEY_DIGITS, key);
}

struct err *image_cache_get(const char *name, const char *key, struct image **ret)
{
	cleanup_free char *dir = NULL;
	cleanup_free char *entry = image_cache_entry(name, key);
	struct image *image = NULL;
	struct err *e = build_cache_dir(IMAGE_CACHE_PART, &dir);

	if (e)
		return e;
	e = load_image(dir, entry, &image);
	/* Not there, or damaged: both mean that it must be built. */
	err_free(e);
	if (image && strcmp(image->key, key)) {
		image_destroy(image);
		image = NULL;
	}
	*ret = image;
	return NULL;
}

struct err *image_cache_touch(const struct image *image)
{
	cleanup_free char *path = xasprintf("%s/manifest.json", image->dir);

	if (utimensat(AT_FDCWD, path, NULL, 0))
		return err_errno(errno, "cannot touch '%s'", path);
	return NULL;
}

struct err *image_remove(const char *name)
{
	cleanup_free char *path = NULL;
	cleanup_name_list struct name_list names = { 0 };
	struct err *e = list(&path, &names);
	size_t removed = 0;

	for (size_t i = 0; !e && i < names.n; i++) {
		bool was_there;

		if (!is_image_name(names.v[i], name))
			continue;
		e = build_cache_remove(IMAGE_CACHE_PART, names.v[i], &was_there);
		removed++;
	}
	if (!e && !removed)
		e = err_new("there is no image '%s'; 'swapcal image list' shows all images", name);
	return e;
}

/* --- Builds */

/* mmdebstrap downloads some 100 MB; on a slow line that may take long, but a dead one must end. */
#define MMDEBSTRAP_TIMEOUT_S 3600

/* An image that is wanted, and how far its build is. */
struct build {
	const struct image_recipe *recipe;
	const struct image_build_options *options;
	struct workloads workloads;
	char key[65];
	struct image *found;
	bool kvm_works, is_made;
	const char *work;  /**< our private directory */
	const char *image; /**< in it: becomes the image */
	char *tar;         /**< what mmdebstrap makes */
	char *root_tar;    /**< what goes on the root disk */
	struct rootfs root;
	struct name_list modules;
	int64_t start_ms;
	const char *step;
};

static void build_deinit(struct build *b)
{
	workloads_deinit(&b->workloads);
	image_destroy(b->found);
	free(b->tar);
	free(b->root_tar);
	rootfs_deinit(&b->root);
	name_list_deinit(&b->modules);
}

static void show_line(void *arg, const char *line)
{
	const struct build *b = arg;

	/* mmdebstrap marks its lines: I, W, E. */
	if (strncmp(line, "I: ", 3) == 0)
		line += 3;
	log_debug(LOG_IMAGE, "%s: %s: %s", b->recipe->name, b->step, line);
	log_progress("image %s: %s: %.60s", b->recipe->name, b->step, line);
}

static char *include_option(const struct image_recipe *r)
{
	struct strbuf sb = STRBUF_INIT;

	strbuf_addf(&sb, "--include=%s", r->kernel);
	for (size_t i = 0; i < r->packages.n; i++)
		strbuf_addf(&sb, ",%s", r->packages.v[i]);
	return strbuf_steal(&sb);
}

static struct err *run_mmdebstrap(struct build *b)
{
	cleanup_free char *include = include_option(b->recipe);
	cleanup_free char *tmpdir = xasprintf("TMPDIR=%s", b->work);
	/* Without root mmdebstrap works as other users, who cannot enter our directory. */
	bool is_root = geteuid() == 0;
	const char *const argv[] = {
		"mmdebstrap",
		"--variant=minbase",
		"--format=tar",
		include,
		/* Never needed in a guest, and a good part of the time to unpack. */
		"--dpkgopt=path-exclude=/usr/share/doc/*",
		"--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/info/*",
		"--dpkgopt=path-exclude=/usr/share/locale/*",
		/* The result is a tar: no need to wait for the disk at each file. */
		"--dpkgopt=force-unsafe-io",
		"--aptopt=Acquire::Languages \"none\"",
		b->recipe->suite,
		b->tar,
		b->recipe->mirror,
		NULL,
	};
	/* INITRD=No: the kernel package makes no initramfs; ours is made at run time. */
	const char *const env[] = { "INITRD=No", "LC_ALL=C.UTF-8", is_root ? tmpdir : NULL, NULL };
	struct subprocess job = {
		.argv = argv,
		.env = env,
		.private_mounts = is_root,
		.timeout_s = MMDEBSTRAP_TIMEOUT_S,
		.line = show_line,
		.line_arg = b,
		.cancelled = cancel_requested,
	};

	return subprocess_run(&job);
}

static struct err *split_root(struct build *b)
{
	const struct image_recipe *r = b->recipe;
	cleanup_free char *vmlinuz = xasprintf("%s/vmlinuz", b->image);
	cleanup_free char *config = xasprintf("%s/config", b->image);
	cleanup_free char *modules = xasprintf("%s/modules", b->image);
	struct err *e = rootfs_split(b->tar, &b->workloads, b->root_tar, vmlinuz, &b->root);

	if (!e)
		e = file_write_atomic(config, strbuf_str(&b->root.config), b->root.config.len, 0644);
	if (!e)
		e = modules_resolve(strbuf_str(&b->root.modules_dep), strbuf_str(&b->root.modules_builtin),
				    &r->modules, &b->modules);
	if (!e)
		e = file_mkdirs(modules, 0755);
	if (!e)
		e = rootfs_extract_modules(b->tar, b->root.release, &b->modules, modules);
	return e;
}

static struct err *make_disk(struct build *b)
{
	cleanup_free char *disk = xasprintf("%s/root.qcow2", b->image);
	struct rootdisk_job job = {
		.tar = b->root_tar,
		.disk = disk,
		.label = "swapcal-root",
		.tmpdir = b->work,
		/* A quarter and 64 MiB more for the file system's tables; a qcow2 has no unused blocks. */
		.size_bytes = (b->root.bytes + b->root.bytes / 4 + (64u << 20)) >> 20 << 20,
		.inodes = b->root.entries + b->root.entries / 4 + 1024,
		.force_tcg = !b->kvm_works,
		.line = show_line,
		.line_arg = b,
	};
	struct err *e = rootdisk_make(&job);

	if (!e && chmod(disk, 0644))
		e = err_errno(errno, "'%s'", disk);
	return e;
}

/* Of `mmdebstrap --version`, which prints "mmdebstrap 1.3.5". */
static void take_version(void *arg, const char *line)
{
	const char *space = strrchr(line, ' ');
	char **version = arg;

	free(*version);
	*version = xstrdup(space ? space + 1 : line);
}

static struct err *describe_image(struct build *b)
{
	static const char *const argv[] = { "mmdebstrap", "--version", NULL };
	cleanup_free char *mmdebstrap = xstrdup("unknown");
	cleanup_free char *libguestfs = rootdisk_version();
	struct subprocess job = {
		.argv = argv, .timeout_s = 60, .line = take_version, .line_arg = &mmdebstrap
	};
	struct err *e = subprocess_run(&job);

	if (e)
		return e;
	return manifest_write(b->image, b->recipe, b->key, &b->root, &b->modules, &b->workloads, mmdebstrap,
			      libguestfs);
}

static struct err *run_steps(struct build *b)
{
	static const struct {
		const char *name;
		struct err *(*run)(struct build *b);
	} steps[] = {
		{ "installing packages", run_mmdebstrap },
		{ "taking the kernel and its modules out", split_root },
		{ "making the root disk", make_disk },
		{ "checksums and manifest", describe_image },
	};
	size_t n = COUNT(steps);
	struct err *e = NULL;

	for (size_t i = 0; !e && i < n; i++) {
		if (cancel_requested())
			return cancel_error();
		b->step = steps[i].name;
		log_note("image %s: [%zu/%zu] %s (at %.0f s)", b->recipe->name, i + 1, n, b->step,
			 (double)(clock_ms() - b->start_ms) / 1000);
		e = steps[i].run(b);
	}
	return e;
}

static struct err *check_host(void)
{
	if (!subprocess_program_exists("mmdebstrap"))
		return err_new_kind(ERR_HOST, "mmdebstrap is missing: run 'apt-get install mmdebstrap'");
	if (!subprocess_program_exists("qemu-img"))
		return err_new_kind(ERR_HOST, "qemu-img is missing: run 'apt-get install qemu-utils'");
	return rootdisk_check_host();
}

static struct err *make_image(void *arg, const char *work, const char *dir)
{
	struct build *b = arg;

	b->work = work;
	b->image = dir;
	b->tar = xasprintf("%s/all.tar", work);
	b->root_tar = xasprintf("%s/root.tar", work);
	b->start_ms = clock_ms();
	b->kvm_works = b->options->kvm_works();

	struct err *e = run_steps(b);

	log_progress_end();
	b->is_made = !e;
	return e;
}

static void tell_waiting(void *arg)
{
	const struct build *b = arg;

	log_note("image %s: waiting for another build to end", b->recipe->name);
}

/** Finds the image in the cache, unless a build is forced. */
static struct err *find_image(void *arg, bool *ret_is_there)
{
	struct build *b = arg;
	struct err *e =
		b->options->force && !b->is_made ? NULL : image_cache_get(b->recipe->name, b->key, &b->found);

	*ret_is_there = b->found != NULL;
	return e;
}

struct err *image_build(const struct image_recipe *recipe, const struct image_build_options *options,
			struct image **ret, bool *ret_was_cached)
{
	cleanup(build_deinit) struct build b = { .recipe = recipe, .options = options };
	struct err *e = workloads_load(options->workload_dir, &b.workloads);

	if (e)
		return e;
	image_cache_key(recipe, &b.workloads, b.key);

	cleanup_free char *entry = image_cache_entry(recipe->name, b.key);
	const struct build_cache_job job = {
		.part = IMAGE_CACHE_PART,
		.entry = entry,
		.find = find_image,
		.check_host = check_host,
		.make = make_image,
		.arg = &b,
		.waiting = tell_waiting,
		.incomplete = "the finished image is incomplete",
	};

	e = build_cache_get(&job, ret_was_cached);
	if (!e)
		e = image_cache_touch(b.found);
	if (e)
		return err_wrap(e, "image '%s'", recipe->name);
	*ret = take_ptr(b.found);
	return NULL;
}

/* --- Questions to it */

const char *image_kernel_release(const struct image *image)
{
	const char *release =
		json_string_value(json_object_get(json_object_get(image->manifest, "kernel"), "release"));

	return release ? release : "";
}

void image_content_hash(const struct image *image, char hex[65])
{
	json_t *kernel = json_object_get(json_object_get(image->manifest, "files"), "vmlinuz");
	json_t *packages = json_object_get(image->manifest, "packages");
	json_t *content =
		json_pack("{s:s, s:O*, s:O*}", "key", image->key, "kernel", kernel, "packages", packages);
	cleanup_free char *text = json_dumps(content, JSON_COMPACT | JSON_SORT_KEYS);

	hash_sha256(text, strlen(text), hex);
	json_decref(content);
}

const char *image_interpreter_path(const struct image *image, const char *name)
{
	const json_t *interpreter = json_object_get(json_object_get(image->manifest, "interpreters"), name);

	return json_string_value(json_object_get(interpreter, "path"));
}

/** What starts with "swapcal_" is a module the workloads share. */
static bool is_workload(const json_t *file)
{
	const char *name = json_string_value(file);

	return name && strncmp(name, "swapcal_", 8) != 0;
}

bool image_has_workload_file(const struct image *image, const char *file)
{
	size_t i;
	json_t *name;

	json_array_foreach(json_object_get(image->manifest, "workloads"), i, name)
	{
		if (is_workload(name) && strcmp(json_string_value(name), file) == 0)
			return true;
	}
	return false;
}

char *image_workload_names(const struct image *image)
{
	struct strbuf names = STRBUF_INIT;
	size_t i;
	json_t *name;

	json_array_foreach(json_object_get(image->manifest, "workloads"), i, name)
	{
		if (is_workload(name))
			strbuf_addf(&names, "%s%s", names.len ? ", " : "", json_string_value(name));
	}
	return strbuf_steal(&names);
}
