/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <dirent.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * Scope guards. A variable marked with one of these releases what it holds when
 * it goes out of scope. Handing over is visible: `return_ptr(p)` or
 * `take_ptr(p)`, `take_fd(fd)`.
 */

/** Calls f(&variable) at the end of the scope. */
#define cleanup(f) __attribute__((cleanup(f)))

static inline void cleanup_free_(void *p)
{
	free(*(void **)p);
}
#define cleanup_free cleanup(cleanup_free_)

static inline void cleanup_close_(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define cleanup_close cleanup(cleanup_close_)

/** Defines a guard NAME for pointers of TYPE released by FUNCTION(pointer). */
#define DEFINE_CLEANUP(name, type, function)                                                                 \
	static inline void name##_(type *p)                                                                  \
	{                                                                                                    \
		if (*p)                                                                                      \
			function(*p);                                                                        \
	}

DEFINE_CLEANUP(cleanup_dir, DIR *, closedir)
DEFINE_CLEANUP(cleanup_json, json_t *, json_decref)

/** The pointer's value; the guarded variable becomes NULL. */
#define take_ptr(p)                                                                                          \
	({                                                                                                   \
		__auto_type taken_ = (p);                                                                    \
		(p) = NULL;                                                                                  \
		taken_;                                                                                      \
	})

/** Returns a guarded pointer to the caller, who now owns it. */
#define return_ptr(p) return take_ptr(p)

/** The file descriptor; the guarded variable becomes -1. */
#define take_fd(fd)                                                                                          \
	({                                                                                                   \
		int taken_ = (fd);                                                                           \
		(fd) = -1;                                                                                   \
		taken_;                                                                                      \
	})
