/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Recipes: the good one is read in full, and each kind of mistake is told with its file and line. */

#include <stdlib.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/file.h"
#include "harness/image/image.h"
#include "tests/unit/errors.h"

static char path[] = "/tmp/swapcal-test-recipe-XXXXXX";

static struct err *load(const char *text, struct image_recipe **ret)
{
	struct err *e = file_write_atomic(path, text, strlen(text), 0600);

	return e ? e : image_recipe_load(path, ret);
}

static void test_good(void)
{
	struct image_recipe *r = NULL;
	const char *text = "# comment\n"
			   "name: my-image.2\n"
			   "suite: trixie\n"
			   "mirror: http://deb.debian.org/debian\n"
			   "kernel: linux-image-cloud-amd64\n"
			   "packages: [python3, libstdc++6]\n"
			   "modules:\n"
			   "  - virtio_blk\n"
			   "  - pvpanic-mmio\n";

	if (!no_err(load(text, &r), "a good recipe is read"))
		return;
	is_str(r->name, "my-image.2", "name");
	is_str(r->suite, "trixie", "suite");
	is_str(r->mirror, "http://deb.debian.org/debian", "mirror");
	is_str(r->kernel, "linux-image-cloud-amd64", "kernel");
	is_int(r->packages_count, 2, "packages are counted");
	is_str(r->packages[1], "libstdc++6", "a plus sign is part of a package's name");
	is_int(r->modules_count, 2, "modules are counted");
	is_str(r->modules[0], "virtio_blk", "first module");
	is_str(r->modules[1], "pvpanic-mmio", "second module");
	is_str(r->text, text, "the text is kept as it is");
	image_recipe_destroy(r);
}

/* Lines 2 to 5 of each test below. */
#define REST "suite: s\nkernel: k\npackages: [p]\nmodules: [m]\n"

static void test_no_mirror(void)
{
	struct image_recipe *r = NULL;

	must(load("name: a\n" REST, &r));
	ok(!r->mirror, "the mirror may be left out");
	image_recipe_destroy(r);
}

/** The recipe is refused, at that line, with that text. */
static void refused(const char *text, int line, const char *why)
{
	struct image_recipe *r = NULL;
	struct err *e = load(text, &r);
	cleanup_free char *place = line ? xasprintf("%s:%d: ", path, line) : xstrdup(path);

	has_str(e ? err_message(e) : NULL, place, "a mistake of the user, at its line");
	is_err_kind(e, ERR_USAGE, why, why);
	ok(!r, "... and gives nothing");
	image_recipe_destroy(r);
}

static void test_bad(void)
{
	refused("name: a\nsuite: s\nkernel: k\npakages: [p]\nmodules: [m]\n", 4, "unknown key 'pakages'");
	refused("name: a\nsuite: s\npackages: [p]\nmodules: [m]\n", 1, "'kernel' is missing");
	refused("name: a\nname: b\n" REST, 2, "'name' stands twice");
	refused("name: [a]\n" REST, 1, "expected one value");
	refused("name: a\nsuite: s\nkernel: k\nmodules: [m]\npackages:\n  - p\n  - {q: r}\n", 7,
		"expected one value");
	refused("name: a\nsuite: s\nkernel: k\npackages: []\nmodules: [m]\n", 4, "'packages' is empty");
	refused("- name\n- a\n", 1, "expected a mapping");
	refused("name: a\nsuite: [s\nkernel: k\n", 3, "not valid YAML");
	refused("", 1, "empty");
	refused("name: a\n" REST "---\nname: b\n", 0, "more than one document");
}

static void test_hostile_words(void)
{
	refused("name: ../../etc\n" REST, 1, "bad image name '../../etc'");
	refused("name: a/b\n" REST, 1, "bad image name 'a/b'");
	refused("name: .hidden\n" REST, 1, "bad image name '.hidden'");
	refused("name: Upper\n" REST, 1, "bad image name 'Upper'");
	refused("name: a\nsuite: --help\nkernel: k\npackages: [p]\nmodules: [m]\n", 2,
		"bad suite name '--help'");
	refused("name: a\nsuite: s\nkernel: k\npackages:\n  - p\n  - --hook\nmodules: [m]\n", 6,
		"bad package name '--hook'");
	refused("name: a\nsuite: s\nkernel: k\npackages: [p-]\nmodules: [m]\n", 4, "bad package name 'p-'");
	refused("name: a\nsuite: s\nkernel: k\npackages: ['p q']\nmodules: [m]\n", 4,
		"bad package name 'p q'");
	refused("name: a\nsuite: s\nkernel: k\npackages: ['p,q']\nmodules: [m]\n", 4,
		"bad package name 'p,q'");
	refused("name: a\nsuite: s\nkernel: k\npackages: [p]\nmodules: [../m]\n", 5,
		"bad module name '../m'");
	refused("mirror: /etc/shadow\nname: a\n" REST, 1, "is not a mirror");
	refused("mirror: http://a b\nname: a\n" REST, 1, "is not a mirror");

	cleanup_free char *longest = xasprintf("name: %0101d\n" REST, 0);

	refused(longest, 1, "longer than 100");
}

static void test_missing_file(void)
{
	struct image_recipe *r = NULL;

	is_err(image_recipe_load("/nonexistent/x.yaml", &r), "/nonexistent/x.yaml",
	       "a missing file is named");
	ok(!r, "... and gives nothing");
}

int main(void)
{
	cleanup_close int fd = mkstemp(path);

	if (fd < 0)
		return 1;
	test_good();
	test_no_mirror();
	test_bad();
	test_hostile_words();
	test_missing_file();
	unlink(path);
	return tap_done();
}
