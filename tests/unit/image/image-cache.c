/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The image cache: only whole images are seen, the right one is found, and what dead builds left is cleared
 * away. */

#include "harness/base/cancel.h"
#include "harness/image/build-cache.h"
#include "harness/image/image.h"
#include "tests/unit/errors.h"

static const char *cache;

/* Keys of 64 digits that differ in the first 12. */
#define KEY_TAIL "0123456789012345678901234567890123456789012345678901"
#define KEY_A    "aaaaaaaaaaaa" KEY_TAIL
#define KEY_B    "bbbbbbbbbbbb" KEY_TAIL

static void put(const char *dir, const char *name, const char *text)
{
	test_file(test_format("%s/%s", dir, name), text, 0644);
}

/** Fills dir as a finished build would. */
static void fill(const char *dir, const char *name, const char *key, int bytes)
{
	cleanup_free char *manifest = xasprintf(
		"{\"format\": 1, \"name\": \"%s\", \"key\": \"%s\", \"suite\": \"s\", \"recipe\": "
		"\"r\", \"built_at\": \"t\","
		" \"tools\": {\"mmdebstrap\": \"1\", \"libguestfs\": \"2\"}, \"kernel\": {\"release\": "
		"\"6\", \"config\": {}},"
		" \"modules\": [], \"workloads\": [], \"interpreters\": {}, \"packages\": {},"
		" \"files\": {\"vmlinuz\": {\"bytes\": %d, \"sha256\": \"\"}}}",
		name, key, bytes);

	put(dir, "vmlinuz", "12345");
	put(dir, "manifest.json", manifest);
}

/** A build of an image. */
struct making {
	const char *name, *key;
	int bytes;
	bool is_made, has_waited;
	char *work;
};

static struct err *find_made(void *arg, bool *ret_is_there)
{
	*ret_is_there = ((struct making *)arg)->is_made;
	return NULL;
}

static struct err *make(void *arg, const char *work, const char *dir)
{
	struct making *m = arg;

	fill(dir, m->name, m->key, m->bytes);
	m->work = xstrdup(work);
	m->is_made = true;
	return NULL;
}

static void note_waiting(void *arg)
{
	((struct making *)arg)->has_waited = true;
}

static struct err *build(struct making *m)
{
	cleanup_free char *entry = image_cache_entry(m->name, m->key);
	const struct build_cache_job job = {
		.part = IMAGE_CACHE_PART,
		.entry = entry,
		.find = find_made,
		.make = make,
		.arg = m,
		.waiting = note_waiting,
	};
	bool was_there;

	return build_cache_get(&job, &was_there);
}

static void publish(const char *name, const char *key, int bytes)
{
	struct making m = { .name = name, .key = key, .bytes = bytes };

	no_err(build(&m), "an image is published");
	ok(!m.has_waited && !file_exists(m.work), "... at once, and its work directory is gone");
	free(m.work);
}

static size_t count(void)
{
	struct image **images;
	size_t n = 0;

	must(image_list(&images, &n));
	for (size_t i = 0; i < n; i++)
		image_destroy(images[i]);
	free(images);
	return n;
}

/** The first digit of the key of the image that image_find() gives, or '-'. */
static char found(const char *name)
{
	struct image *image = NULL;
	struct err *e = image_find(name, &image);
	char digit = e ? '-' : image->key[0];

	err_free(e);
	image_destroy(image);
	return digit;
}

static void test_empty(void)
{
	struct image *image = NULL;

	is_int(count(), 0, "an empty cache has no images");
	is_err(image_find("a", &image), "swapcal image build a",
	       "the error for a missing image says what to run");
	is_err(image_remove("a"), "there is no image 'a'", "removing what is not there is an error");
}

static void test_unfinished(void)
{
	cleanup_free char *work = xasprintf("%s/swapcal/images/.tmp-dead", cache);
	cleanup_free char *dir = xasprintf("%s/image", work);

	must(file_mkdirs(dir, 0755));
	fill(dir, "a", KEY_A, 5);
	is_int(count(), 0, "an unpublished image is not listed");
	is_int(found("a"), '-', "... nor found");
	publish("a", KEY_A, 5);
	ok(!file_exists(work), "a next build removes what the dead one left");
	must(image_remove("a"));
}

static void test_newest(void)
{
	struct image *image = NULL;

	publish("a", KEY_A, 5);
	usleep(20000);
	publish("a", KEY_B, 5);
	is_int(count(), 2, "two images of one name");
	is_int(found("a"), 'b', "the newest is found");
	must(image_cache_get("a", KEY_A, &image));
	ok(image, "the older is there too");
	usleep(20000);
	no_err(image_cache_touch(image), "it is found up to date again");
	is_int(found("a"), 'a', "... and is the newest now");
	image_destroy(image);
}

static void test_other_names(void)
{
	struct image *image = NULL;
	const char *tail = "a-cccccccccccc";

	publish(tail, KEY_A, 5);
	is_int(found("a"), 'a', "a longer name is another image");
	is_int(count(), 3, "three images");
	no_err(image_remove("a"), "all of one name are removed");
	is_int(count(), 1, "... and only those");
	is_int(found(tail), 'a', "... the longer name is still there");
	must(image_cache_get("a", KEY_A, &image));
	ok(!image, "a removed image is not in the cache");
	no_err(image_remove(tail), "it is removed too");
}

static void test_again(void)
{
	struct image *image = NULL;

	publish("a", KEY_A, 5);
	publish("a", KEY_A, 5);
	is_int(count(), 1, "the same key again takes the old one's place");
	must(image_cache_get("a", KEY_A, &image));
	ok(image, "... and is whole");
	image_destroy(image);
	no_err(image_remove("a"), "it is removed");
}

static void test_damaged(void)
{
	struct image *image = NULL;

	publish("a", KEY_A, 6);
	is_int(count(), 0, "an image with a file of another size is not listed");
	is_int(found("a"), '-', "... nor found");
	must(image_cache_get("a", KEY_A, &image));
	ok(!image, "... so that it is built anew");
	no_err(image_remove("a"), "... and can be removed");

	publish("a", KEY_B, 5);
	cleanup_free char *dir = xasprintf("%s/swapcal/images/a-bbbbbbbbbbbb", cache);

	put(dir, "manifest.json", "{\"format\": 1, \"name\": \"a\"");
	is_int(count(), 0, "a manifest that is cut short is no image");
	put(dir, "manifest.json", "{\"format\": 1, \"name\": \"a\"}");
	is_int(count(), 0, "nor is one without the rest");
	put(dir, "manifest.json", "{\"format\": 2}");
	is_int(count(), 0, "nor one of another format");
	fill(dir, "a", KEY_A, 5);
	is_int(count(), 0, "nor one whose manifest is of another image");
	no_err(image_remove("a"), "it is removed");
}

/** Builds while it is asked to stop: 0 when that ends it, as it waits and says so. */
static int build_cancelled(void)
{
	struct making m = { .name = "a", .key = KEY_A, .bytes = 5 };

	cancel_now();

	struct err *e = build(&m);

	return (e && err_get_kind(e) == ERR_INTERRUPTED ? 0 : 1) + (m.has_waited && !m.is_made ? 0 : 2);
}

static void test_lock(void)
{
	cleanup_close int fd = -1;

	must(lock_try(test_format("%s/swapcal/images/.lock", cache), &fd));
	/* In a child: a wish to stop is for good. */
	is_int(test_in_child(build_cancelled()), 0,
	       "another build can be interrupted while it waits, and says so");
	close(take_fd(fd));
	publish("a", KEY_A, 5);
	must(image_remove("a"));
}

static void key_of(const char *recipe, const char *name, const char *text, bool executable, char key[65])
{
	struct image_recipe r = { .text = (char *)recipe };
	struct workload_file file = { .name = (char *)name, .executable = executable };
	struct workloads w = { .files = &file, .n = name ? 1 : 0 };

	strbuf_adds(&file.text, text);
	image_cache_key(&r, &w, key);
	strbuf_deinit(&file.text);
}

static void test_key(void)
{
	char base[65], other[65];

	key_of("recipe", "w.py", "text", false, base);
	is_int(strlen(base), 64, "a key has 64 digits");
	key_of("recipe", "w.py", "text", false, other);
	is_str(other, base, "the same input has the same key");
	key_of("recipe2", "w.py", "text", false, other);
	ok(strcmp(base, other), "another recipe, another key");
	key_of("recipe", "v.py", "text", false, other);
	ok(strcmp(base, other), "another name of a workload, another key");
	key_of("recipe", "w.py", "texts", false, other);
	ok(strcmp(base, other), "another text of a workload, another key");
	key_of("recipe", "w.py", "text", true, other);
	ok(strcmp(base, other), "an executable workload, another key");
	key_of("recipe", NULL, "", false, other);
	ok(strcmp(base, other), "no workload, another key");
	key_of("recipeworkload w.py 0 4\ntext", NULL, "", false, other);
	ok(strcmp(base, other), "a recipe that looks like recipe and workload has another key");
}

static void set_up(void)
{
	cache = test_enter_dir();
	setenv("XDG_CACHE_HOME", cache, 1);
}

TAP_MAIN(set_up, test_empty, test_unfinished, test_newest, test_other_names, test_again, test_damaged,
	 test_lock, test_key)
