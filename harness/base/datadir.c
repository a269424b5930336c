/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/base/datadir.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"

/** The source tree that the running program was built in, or NULL. */
static char *source_tree(void)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (n <= 0)
		return NULL;
	exe[n] = '\0';

	char *slash = strrchr(exe, '/');

	if (!slash)
		return NULL;
	*slash = '\0';

	cleanup_free char *marker = xasprintf("%s/vm-images", exe);

	return file_exists(marker) ? xstrdup(exe) : NULL;
}

struct err *datadir_find(const char *relative, char **ret)
{
	const char *env = getenv("SWAPCAL_DATADIR");
	cleanup_free char *tree = env && *env ? NULL : source_tree();
	const char *dir = env && *env ? env : tree ? tree : SWAPCAL_DATADIR;
	cleanup_free char *joined = xasprintf("%s/%s", dir, relative);
	char *path = realpath(joined, NULL);

	if (!path)
		return err_errno(errno, "'%s'", joined);
	*ret = path;
	return NULL;
}
