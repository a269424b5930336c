/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/image/image-facts.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

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

static void set_value(char **slot, char *value)
{
	if (!value)
		return;
	free(*slot);
	*slot = value;
}

json_t *image_facts_packages(const char *dpkg_status)
{
	json_t *packages = json_object();
	char *name = NULL, *status = NULL, *version = NULL;

	/* A paragraph per package, ended by an empty line or the end of the text. */
	for (const char *line = dpkg_status;; line = next_line(line)) {
		if (!line || *line == '\n' || !*line) {
			if (name && version && status && strstr(status, " installed"))
				json_object_set_new(packages, name, json_string(version));
			set_value(&name, xstrdup(""));
			set_value(&status, xstrdup(""));
			set_value(&version, xstrdup(""));
			if (!line || !*line)
				break;
			continue;
		}
		set_value(&name, value_of(line, "Package: "));
		set_value(&status, value_of(line, "Status: "));
		set_value(&version, value_of(line, "Version: "));
	}
	free(name);
	free(status);
	free(version);
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

json_t *image_facts_kernel_config(const char *config)
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

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		json_object_set_new(ret, options[i], config_value(config, options[i]));
	return ret;
}
