/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <jansson.h>

#include "harness/base/err.h"
#include "harness/vm/guest.h"

/** Messages over a connected stream socket. */
struct channel;

/** fd is non-blocking, stays the caller's and must outlive the channel. */
struct channel *channel_create(int fd);
void channel_destroy(struct channel *ch);

/**
 * Sends one message, waiting at most 10 s for room. After an error the line must not be used again: half a
 * message may be sent.
 */
struct err *channel_send(struct channel *ch, json_t *json) must_check;

/**
 * The next message; NULL in *ret when none came within timeout_ms. A closed line or a corrupt frame is an
 * error; so is the user's wish to stop (ERR_INTERRUPTED).
 */
struct err *channel_recv(struct channel *ch, int timeout_ms, struct guest_msg **ret) must_check;
