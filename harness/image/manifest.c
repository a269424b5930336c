/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/image/manifest.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"

#define MANIFEST_FORMAT 1

/* Real ones are below 100 KiB, most of it package names. */
#define MANIFEST_MAX_BYTES (4 << 20)

/* --- What texts of a root say */

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

/* --- Writing */

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

struct err *manifest_write(const char *dir, const struct image_recipe *recipe, const char *key,
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

/* --- Reading */

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

struct err *manifest_load(const char *dir, json_t **ret)
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
