/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A recipe of a guest image as anybody may write it: its words become arguments of mmdebstrap. */
#include <string.h>

#include "harness/image/image.h"
#include "tests/fuzz/fuzz.h"

/* No option, no path, no second word. */
static void check_word(const char *word)
{
	must_hold(*word && *word != '-' && *word != '.' && !strpbrk(word, " \t\r\n/'\"\\$;"));
}

static void check_recipe(const struct image_recipe *r)
{
	check_word(r->name);
	check_word(r->suite);
	check_word(r->kernel);
	must_hold(!r->mirror || strncmp(r->mirror, "http", 4) == 0);
	must_hold(r->packages.n > 0 && r->modules.n > 0);
	for (size_t i = 0; i < r->packages.n; i++)
		check_word(r->packages.v[i]);
	for (size_t i = 0; i < r->modules.n; i++)
		check_word(r->modules.v[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image_recipe *recipe;

	if (is_read(image_recipe_load(fuzz_file(data, size), &recipe))) {
		check_recipe(recipe);
		image_recipe_destroy(recipe);
	}
	return 0;
}
