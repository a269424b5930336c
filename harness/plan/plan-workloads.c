/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "guest/proto.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/image/image.h"
#include "harness/plan/plan.h"
#include "harness/image/userdisk.h"

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
