/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/image-query.h"

#include <string.h>

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

char *image_interpreter_names(const struct image *image)
{
	struct strbuf names = STRBUF_INIT;
	const char *name;
	json_t *value;

	json_object_foreach(json_object_get(image->manifest, "interpreters"), name, value)
		strbuf_addf(&names, "%s%s", names.len ? ", " : "", name);
	return strbuf_steal(&names);
}

/** A workload is a file NAME.py; what starts with "swapcal_" is a module the workloads share. */
static bool is_workload_file(const char *file, size_t *ret_name_len)
{
	size_t len = strlen(file);

	if (len < 4 || strcmp(file + len - 3, ".py") != 0 || strncmp(file, "swapcal_", 8) == 0)
		return false;
	*ret_name_len = len - 3;
	return true;
}

bool image_has_workload(const struct image *image, const char *name)
{
	size_t i, len;
	json_t *file;

	json_array_foreach(json_object_get(image->manifest, "workloads"), i, file)
	{
		if (json_is_string(file) && is_workload_file(json_string_value(file), &len) &&
		    strlen(name) == len && strncmp(json_string_value(file), name, len) == 0)
			return true;
	}
	return false;
}

char *image_workload_names(const struct image *image)
{
	struct strbuf names = STRBUF_INIT;
	size_t i, len;
	json_t *file;

	json_array_foreach(json_object_get(image->manifest, "workloads"), i, file)
	{
		const char *text = json_string_value(file);

		if (text && is_workload_file(text, &len))
			strbuf_addf(&names, "%s%.*s", names.len ? ", " : "", (int)len, text);
	}
	return strbuf_steal(&names);
}
