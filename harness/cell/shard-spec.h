/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "harness/base/err.h"

/** Far more machines than anybody lets work for one plan. */
#define SHARDS_MAX 10000

/** Shard k of n, counted from 1; n = 0: the whole plan. */
struct shard {
	unsigned k, n;
};

/** The value of --shard: "K/N" with K from 1 to N. ERR_USAGE for anything else. */
struct err *shard_parse(const char *text, struct shard *ret) must_check;
