/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/cell/shard-spec.h"

#include <stdlib.h>
#include <string.h>

/** A number from 1 to SHARDS_MAX in digits alone, and what follows it; 0 for anything else. */
static unsigned parse_number(const char *text, const char **ret_end)
{
	size_t digits = strspn(text, "0123456789");

	*ret_end = text + digits;
	if (digits == 0 || digits > 5)
		return 0;

	unsigned long number = strtoul(text, NULL, 10);

	return number <= SHARDS_MAX ? (unsigned)number : 0;
}

struct err *shard_parse(const char *text, struct shard *ret)
{
	const char *slash, *end = text;
	unsigned k = parse_number(text, &slash);
	unsigned n = *slash == '/' ? parse_number(slash + 1, &end) : 0;

	if (k == 0 || n == 0 || k > n || *end)
		return err_new_kind(
			ERR_USAGE,
			"--shard: '%s' is not K/N with K from 1 to N and N at most %d, such as 2/8", text,
			SHARDS_MAX);
	*ret = (struct shard){ k, n };
	return NULL;
}
