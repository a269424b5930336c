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

/** Takes the build lock, waiting for another build to end; calls waiting(arg) once when it has to. Sets *ret
 * to a file descriptor. cancelled may be NULL. */
struct err *build_cache_lock(const char *part, bool (*cancelled)(void), void (*waiting)(void *arg), void *arg,
			     int *ret) must_check;

/** With the lock held: removes what dead builds left and makes a new private work directory. */
struct err *build_cache_workdir(const char *part, char **ret) must_check;

/** With the lock held: turns a finished directory into that entry, in place of an older one. */
struct err *build_cache_publish(const char *part, const char *work, const char *entry) must_check;

/** Removes an entry: it is out of sight at once. *ret: was there one? */
struct err *build_cache_remove(const char *part, const char *entry, bool *ret) must_check;
