/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "harness/base/err.h"

/*
 * Places that another user may have prepared, so that what we write would end up in a third one's file, or in
 * a file that is not ours to change. "Foreign" is what belongs neither to the effective user nor to root.
 */

/** Refuses a path that leads through a symbolic link of a foreign user, itself or on the way. What is not
 * there is fine. */
struct err *trust_links(const char *path) must_check;

/**
 * Refuses path as a file to write to: trust_links(), a link of ours to another user's file, and what a
 * foreign user has put in a directory that everyone may write to. A missing file is fine.
 */
struct err *trust_output(const char *path) must_check;

/**
 * Refuses dir as a place for files of ours: trust_links(), one that everyone may write to, and one that is
 * foreign and that we may write to (one that we may only read does no harm).
 */
struct err *trust_dir(const char *dir) must_check;

/**
 * Refuses path as a companion of a file of user owner: it must be missing, or a regular file of one name that
 * belongs to owner or is not foreign.
 */
struct err *trust_companion(const char *path, uid_t owner) must_check;
