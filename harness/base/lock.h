/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>

#include "harness/base/err.h"

/*
 * Locks that end with their process: flock() on a file, which is made when missing. Its owner may remove the
 * file together with what it guards; a lock on a file that is gone counts for nothing.
 */

/** Is the open file fd still the one at path? Its last owner may have removed that. */
bool lock_is_at(int fd, const char *path);

/** Locks the file at path if nobody has it. *ret: a descriptor that has the lock, or -1. */
struct err *lock_try(const char *path, int *ret) must_check;

/**
 * Locks the file at path, trying again each poll_ms while another has it. When it has to wait it calls
 * waiting(arg) once, which may be NULL. An error of kind ERR_INTERRUPTED when the user asks to stop.
 */
struct err *lock_wait(const char *path, int poll_ms, void (*waiting)(void *arg), void *arg,
		      int *ret) must_check;
