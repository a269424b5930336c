/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/cell/flags.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

bool flags_have(const char *flags, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = flags; *p;) {
		size_t n = strcspn(p, ",");

		if (n == len && memcmp(p, name, len) == 0)
			return true;
		p += n + (p[n] == ',');
	}
	return false;
}

void flags_add(char **flags, const char *names)
{
	for (const char *p = names; *p;) {
		size_t n = strcspn(p, ",");
		cleanup_free char *name = xmemdup0(p, n);

		if (n && !flags_have(*flags, name)) {
			char *joined = xasprintf("%s%s%s", *flags, **flags ? "," : "", name);

			free(*flags);
			*flags = joined;
		}
		p += n + (p[n] == ',');
	}
}
