/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Recipes: the good one is read in full, and each kind of mistake is told with its file and line. */

#include "harness/image/image.h"
#include "tests/unit/errors.h"

static const char path[] = "recipe.yaml";

static struct err *load(const char *text, struct image_recipe **ret)
{
	test_file(path, text, 0600);
	return image_recipe_load(path, ret);
}

/* Lines 2 to 5 of most tests below. */
#define REST    "suite: s\nkernel: k\npackages: [p]\nmodules: [m]\n"
#define TEN     "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

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
	is_int(r->packages.n, 2, "packages are counted");
	is_str(r->packages.v[1], "libstdc++6", "a plus sign is part of a package's name");
	is_int(r->modules.n, 2, "modules are counted");
	is_str(r->modules.v[0], "virtio_blk", "first module");
	is_str(r->modules.v[1], "pvpanic-mmio", "second module");
	is_str(r->text, text, "the text is kept as it is");
	image_recipe_destroy(r);
}

static void test_no_mirror(void)
{
	struct image_recipe *r = NULL;

	must(load("name: a\n" REST, &r));
	ok(!r->mirror, "the mirror may be left out");
	image_recipe_destroy(r);
}

#define PACKAGES(list) "name: a\nsuite: s\nkernel: k\npackages: " list "\nmodules: [m]\n"

/* What is refused, the line (0: none), and the reason. */
static const struct {
	const char *text;
	int line;
	const char *why;
} refused[] = {
	{ "name: a\nsuite: s\nkernel: k\npakages: [p]\nmodules: [m]\n", 4, "unknown key 'pakages'" },
	{ "name: a\nsuite: s\npackages: [p]\nmodules: [m]\n", 1, "'kernel' is missing" },
	{ "name: a\nname: b\n" REST, 2, "'name' stands twice" },
	{ "name: [a]\n" REST, 1, "expected one value" },
	{ "name: a\nsuite: s\nkernel: k\nmodules: [m]\npackages:\n  - p\n  - {q: r}\n", 7,
	  "expected one value" },
	{ PACKAGES("[]"), 4, "'packages' is empty" },
	{ "- name\n- a\n", 1, "expected a mapping" },
	{ "name: a\nsuite: [s\nkernel: k\n", 3, "not valid YAML" },
	{ "", 1, "empty" },
	{ "name: a\n" REST "---\nname: b\n", 0, "more than one document" },
	{ "name: ../../etc\n" REST, 1, "bad image name '../../etc'" },
	{ "name: a/b\n" REST, 1, "bad image name 'a/b'" },
	{ "name: .hidden\n" REST, 1, "bad image name '.hidden'" },
	{ "name: Upper\n" REST, 1, "bad image name 'Upper'" },
	{ "name: a\nsuite: --help\nkernel: k\npackages: [p]\nmodules: [m]\n", 2, "bad suite name '--help'" },
	{ "name: a\nsuite: s\nkernel: k\npackages:\n  - p\n  - --hook\nmodules: [m]\n", 6,
	  "bad package name '--hook'" },
	{ PACKAGES("[p-]"), 4, "bad package name 'p-'" },
	{ PACKAGES("['p q']"), 4, "bad package name 'p q'" },
	{ PACKAGES("['p,q']"), 4, "bad package name 'p,q'" },
	{ "name: a\nsuite: s\nkernel: k\npackages: [p]\nmodules: [../m]\n", 5, "bad module name '../m'" },
	{ "mirror: /etc/shadow\nname: a\n" REST, 1, "is not a mirror" },
	{ "mirror: http://a b\nname: a\n" REST, 1, "is not a mirror" },
	{ "name: a" HUNDRED "\n" REST, 1, "longer than 100" },
};

static void test_refused(void)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct image_recipe *r = NULL;
		struct err *e = load(refused[i].text, &r);
		cleanup_free char *place =
			refused[i].line ? xasprintf("%s:%d: ", path, refused[i].line) : xstrdup(path);

		has_str(e ? err_message(e) : NULL, place, "a mistake of the user, at its line");
		is_err_kind(e, ERR_USAGE, refused[i].why, refused[i].why);
		ok(!r, "... and gives nothing");
		image_recipe_destroy(r);
	}
}

static void test_missing_file(void)
{
	struct image_recipe *r = NULL;

	is_err(image_recipe_load("/nonexistent/x.yaml", &r), "/nonexistent/x.yaml",
	       "a missing file is named");
	ok(!r, "... and gives nothing");
}

TAP_MAIN(test_in_dir, test_good, test_no_mirror, test_refused, test_missing_file)
