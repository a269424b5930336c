/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/image/image-cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/file.h"
#include "harness/base/hash.h"
#include "harness/base/log.h"
#include "harness/image/manifest.h"

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
static struct err *list(char **ret_dir, struct file_names *ret)
{
	struct err *e = build_cache_dir(IMAGE_CACHE_PART, ret_dir);

	return e ? e : file_list(*ret_dir, ret);
}

struct err *image_list(struct image ***ret, size_t *ret_n)
{
	cleanup_free char *path = NULL;
	cleanup_file_names struct file_names names = { 0 };
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
	cleanup_file_names struct file_names names = { 0 };
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
