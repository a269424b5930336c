/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What an image's manifest says of packages and kernel options, from texts as dpkg and the kernel's build
 * write them. */

#include "harness/image/image.h"
#include "tests/tap.h"

static const char *get(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return !value ? "(absent)" : json_is_null(value) ? "(null)" : json_string_value(value);
}

static void test_packages(void)
{
	json_t *p = manifest_packages("Package: python3\n"
				      "Status: install ok installed\n"
				      "Priority: optional\n"
				      "Architecture: amd64\n"
				      "Version: 3.11.2-1+b1\n"
				      "Depends: python3.11 (>= 3.11.2-1~)\n"
				      "Description: interactive\n"
				      " Package: not-a-field\n"
				      "\n"
				      "Package: old\n"
				      "Status: deinstall ok config-files\n"
				      "Version: 1\n"
				      "\n"
				      "Package: half\n"
				      "Status: install ok half-installed\n"
				      "Version: 2\n"
				      "\n"
				      "Package: last\n"
				      "Status: hold ok installed\n"
				      "Version: 1:2.3\n");

	is_int(json_object_size(p), 2, "only installed packages count");
	is_str(get(p, "python3"), "3.11.2-1+b1", "a version");
	is_str(get(p, "last"), "1:2.3", "the last paragraph needs no empty line");
	json_decref(p);

	p = manifest_packages("");
	is_int(json_object_size(p), 0, "no text, no packages");
	json_decref(p);
}

static void test_config(void)
{
	cleanup(cleanup_json_) json_t *c =
		manifest_kernel_config("# Automatically generated file; DO NOT EDIT.\n"
				       "CONFIG_PSI=y\n"
				       "# CONFIG_PSI_DEFAULT_DISABLED is not set\n"
				       "CONFIG_HZ_250=y\n"
				       "CONFIG_HZ=250\n"
				       "# CONFIG_ZSWAP is not set\n"
				       "CONFIG_ZRAM=m\n"
				       "CONFIG_LRU_GEN=\"quoted\"\n"
				       "CONFIG_UNRELATED=y\n");

	is_str(get(c, "CONFIG_PSI"), "y", "built in");
	is_str(get(c, "CONFIG_ZRAM"), "m", "a module");
	is_str(get(c, "CONFIG_ZSWAP"), "n", "not set");
	is_str(get(c, "CONFIG_HZ"), "250", "a number, and not CONFIG_HZ_250");
	is_str(get(c, "CONFIG_LRU_GEN"), "quoted", "a string without its quotes");
	is_str(get(c, "CONFIG_NO_PAGE_MAPCOUNT"), "(null)", "an option this kernel does not know");
	is_str(get(c, "CONFIG_UNRELATED"), "(absent)", "what does not matter is left out");
}

TAP_MAIN(test_packages, test_config)
