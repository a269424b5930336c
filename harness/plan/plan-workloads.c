/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "guest/proto.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/strbuf.h"
#include "harness/image/image.h"
#include "harness/image/userdisk.h"
#include "harness/plan/plan.h"

/* The plan's own workloads, and which program a workload is. */

struct err *plan_read_workloads(struct plan *plan, const char *path)
{
	const char *name = plan->workloads_dir, *slash = strrchr(path, '/');

	if (!name)
		return NULL;

	int len = name[0] != '/' && slash ? (int)(slash - path) + 1 : 0;
	cleanup_free char *dir = xasprintf("%.*s%s", len, path, name);
	struct err *e = workloads_load_tree(dir, &plan->own);

	if (e) {
		struct err *at =
			yaml_error(yaml_get(yaml_root(plan->file), "workloads"), "%s", err_message(e));

		err_free(e);
		return at;
	}
	userdisk_key(&plan->own, plan->own_key);
	return NULL;
}

const struct workload_file *plan_own_workload(const struct plan *plan, const char *workload,
					      const struct interpreter *interpreter)
{
	cleanup_free char *file = workload_file(workload, interpreter->extension);
	const struct workload_file *found = workloads_find(&plan->own, file);

	return found ? found : workloads_find(&plan->own, workload);
}

char *plan_workload_path(const struct plan *plan, const char *workload, const struct interpreter *interpreter)
{
	const struct workload_file *own = plan_own_workload(plan, workload, interpreter);
	cleanup_free char *file = workload_file(workload, interpreter->extension);

	return own ? xasprintf(PROTO_USER_DIR "/%s", own->name) : xasprintf(WORKLOADS_GUEST_DIR "/%s", file);
}

/*
 * Workloads are files of the tree that images were built from: whether an image has them is known without
 * starting it.
 */

/** The images that are built, or NULL when none is. */
static const struct image *first_built(const struct plan *plan, struct image *const *images)
{
	for (size_t i = 0; i < plan->images.n; i++)
		if (images[i])
			return images[i];
	return NULL;
}

static bool any_has_workload(const struct plan *plan, struct image *const *images, const char *file)
{
	for (size_t i = 0; i < plan->images.n; i++)
		if (images[i] && image_has_workload_file(images[i], file))
			return true;
	return false;
}

/* This many names help to find a typing error; a directory may have thousands. */
#define NAMES_MAX 20

/** The names of the plan's own workloads as the beginning of a list in an error, to be freed; "" when it has
 * none. */
static char *own_names(const struct plan *plan)
{
	struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < plan->own.n && i < NAMES_MAX; i++)
		strbuf_addf(&text, "%s%s", i ? ", " : "", plan->own.files[i].name);
	if (plan->own.n)
		strbuf_addf(&text, "%s in '%s'; ", plan->own.n > NAMES_MAX ? ", ..." : "",
			    plan->workloads_dir);
	return strbuf_steal(&text);
}

/** A workload must be there for each interpreter that it is to run on. */
static struct err *check_workload(const struct plan *plan, struct image *const *images,
				  const struct plan_load *load, struct yaml_node node, const char *workload)
{
	for (size_t i = 0; i < load->interpreters.n; i++) {
		const struct interpreter *interpreter =
			interpreters_find(&plan->interpreters, load->interpreters.v[i]);
		const struct workload_file *own = plan_own_workload(plan, workload, interpreter);
		cleanup_free char *file = workload_file(workload, interpreter->extension);

		if (own && !own->executable && !interpreter->command[0])
			return yaml_error(node,
					  "workload '%s' runs without an interpreter, but is not executable: "
					  "use chmod +x",
					  workload);
		if (own || !first_built(plan, images) || any_has_workload(plan, images, file))
			continue;

		cleanup_free char *known = image_workload_names(first_built(plan, images));
		cleanup_free char *names = own_names(plan);

		return yaml_error(node, "no workload '%s' for interpreter '%s' (%s); there are: %s%s",
				  workload, interpreter->name, file, names, known);
	}
	return NULL;
}

struct err *plan_check_images(const struct plan *plan, struct image *const *images)
{
	struct yaml_node loads = yaml_get(yaml_root(plan->file), "loads");
	struct err *e = NULL;

	for (size_t i = 0; !e && i < plan->loads_n; i++) {
		const struct plan_load *load = &plan->loads[i];
		struct yaml_node node = yaml_get(yaml_at(loads, i), "workload");

		for (size_t w = 0; !e && w < load->workloads.n; w++)
			e = check_workload(plan, images, load, yaml_at(node, w), load->workloads.v[w]);
	}
	return e;
}
