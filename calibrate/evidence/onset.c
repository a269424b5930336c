/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/evidence/onset.h"

#include <string.h>

/*
 * so32 is one batch of the kernel's reclaim (SWAP_CLUSTER_MAX): fewer pages may have been old anyway. so1 is
 * the most sensitive rule there can be, to compare with.
 */
static const struct onset_rule rules[] = {
	{ .name = "so32", .version = 1, .pages = 32, .window_ms = 1000 },
	{ .name = "so1", .version = 1, .pages = 1, .window_ms = 1000 },
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

const struct onset_rule *onset_rule_at(size_t index)
{
	return index < RULES ? &rules[index] : NULL;
}

const struct onset_rule *onset_rule_find(const char *name)
{
	for (size_t i = 0; i < RULES; i++) {
		if (strcmp(rules[i].name, name) == 0)
			return &rules[i];
	}
	return NULL;
}

/* How much larger b is than a; 0 when it is not. */
static uint64_t rise(uint64_t a, uint64_t b)
{
	return b > a ? b - a : 0;
}

static uint64_t swapped_between(const struct proto_sample *a, const struct proto_sample *b)
{
	return rise(proto_swapped_out(a), proto_swapped_out(b));
}

struct onset_result onset_find(const struct onset_rule *rule, const struct proto_sample *s, size_t n)
{
	uint64_t window_us = rule->window_ms * 1000ull;
	size_t j = 0;

	for (size_t i = 1; i < n; i++) {
		while (j + 1 < i && rise(s[j].t_us, s[i].t_us) > window_us)
			j++;
		if (swapped_between(&s[j], &s[i]) >= rule->pages) {
			return (struct onset_result){
				.found = true,
				.index = i,
				.t_us = s[i].t_us,
				.swapped_pages = swapped_between(&s[0], &s[i]),
			};
		}
	}
	return (struct onset_result){ .found = false };
}

bool onset_is_settled(const struct proto_sample *s, size_t n, unsigned window_ms)
{
	uint64_t window_us = window_ms * 1000ull;
	uint64_t smallest = UINT64_MAX, largest = 0;

	for (size_t i = n; i-- > 0;) {
		if (s[i].swap_used_kib < smallest)
			smallest = s[i].swap_used_kib;
		if (s[i].swap_used_kib > largest)
			largest = s[i].swap_used_kib;
		if (largest - smallest >= ONSET_SETTLED_KIB)
			return false;
		if (i < n - 1 && rise(s[i].t_us, s[n - 1].t_us) >= window_us)
			return true;
	}
	return false;
}
