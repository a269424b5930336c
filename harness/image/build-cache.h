/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>

#include "harness/base/err.h"

/*
 * What takes long to make and is kept: directories in a part of the user's cache, `$CACHE/PART/ENTRY`. An
 * entry is whole whenever it is there, since it is made elsewhere and renamed. Beside its entries a part
 * holds `.lock`, taken by a build for all of its life, and `.tmp-XXXXXX` directories: work of the build that
 * has the lock, or left by one that died.
 */

/** The directory of a part, made when missing; to be freed. */
struct err *build_cache_dir(const char *part, char **ret) must_check;

/** What is got from the cache, or made when it is not there. */
struct build_cache_job {
	const char *part, *entry;
	/** Looks for it, and keeps it when it is there; *ret_is_there is false before. */
	struct err *(*find)(void *arg, bool *ret_is_there);
	/** Can this host build it? NULL: any host can. */
	struct err *(*check_host)(void);
	/** Makes it in dir; work, in which dir is, is for whatever else, and is removed afterwards. */
	struct err *(*make)(void *arg, const char *work, const char *dir);
	void *arg;
	void (*waiting)(void *arg);
	const char *incomplete; /**< the error when what was made is not found */
};

/** Has it found, or made and then found. One build runs at a time, others wait. *ret: nothing was made. */
struct err *build_cache_get(const struct build_cache_job *job, bool *ret_was_there) must_check;

/** Removes an entry: it is out of sight at once. *ret: was there one? */
struct err *build_cache_remove(const char *part, const char *entry, bool *ret) must_check;
