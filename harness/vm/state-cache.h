/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdint.h>

#include "harness/base/cleanup.h"
#include "harness/base/err.h"

/*
 * Saved states of guests: directories `$CACHE/states/OWNER-KEY`, private to the user. OWNER is whom a state
 * is made for and removed with, KEY what it is a state of; each 32 hex digits. The module does not care what
 * is in a state.
 *
 * Beside a state is `OWNER-KEY.lock`, held with flock() by the one thread that makes or uses it. While it is
 * made it is `.tmp-OWNER-KEY`, so that it is whole whenever it is there. Nothing is synced to the disk: KEY
 * has to change when the host boots.
 */

/** Room for all states together; those not used for longest go first. */
#define STATE_CACHE_MAX_BYTES (UINT64_C(8) << 30)

/** A campaign that is resumed later than that makes its states anew. */
#define STATE_CACHE_MAX_AGE_S (3 * 24 * 3600)

/** A state that this thread has to itself, whether there is one yet or not. */
struct state;

/** Takes a state, waiting until others are done with it. */
struct err *state_take(const char *owner, const char *key, struct state **ret) must_check;

/** Gives it back. One that is half made is removed. */
void state_release(struct state *s);
DEFINE_CLEANUP(cleanup_state, struct state *, state_release)

/** The state's directory when it is there, NULL when it has to be made. Borrowed. */
const char *state_dir(const struct state *s);

/** Begins to make it: *ret is an empty directory, borrowed. */
struct err *state_begin(struct state *s, const char **ret) must_check;

/** It is complete and there from now on; others make room for it. */
struct err *state_finish(struct state *s) must_check;

/** Removes a state that turned out to be useless. */
void state_drop(struct state *s);

/** Removes all states of an owner that nobody uses. What cannot be removed is said with log_note(). */
void state_cache_forget(const char *owner);

/**
 * Removes states, and what those left who died in making one: the older than max_age_s, then those not used
 * for longest until all together take at most max_bytes of disk. Those in use stay.
 */
struct err *state_cache_trim(uint64_t max_bytes, int64_t max_age_s) must_check;
