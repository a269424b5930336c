/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/image/image-query.h"

#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/hash.h"
#include "harness/base/strbuf.h"

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

char *workload_file(const char *workload, const char *extension)
{
	return xasprintf("%s%s%s", workload, *extension ? "." : "", extension);
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
