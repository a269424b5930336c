/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "harness/base/err.h"
#include "harness/base/strbuf.h"
#include "harness/vm/guest.h"

/**
 * The host's end of a guest's line: messages in the frames of guest/proto.h, over a connected stream socket.
 * Bytes of a guest are hostile: a frame that breaks a rule is an error, after which the line must not be used
 * again.
 */
struct channel {
	int fd;              /**< non-blocking, stays the caller's */
	struct strbuf bytes; /**< received and not yet understood */
	size_t start;        /**< first byte of the next frame */
};

void channel_deinit(struct channel *ch);

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

/** What channel_recv() does with received bytes: takes them in. */
void channel_feed(struct channel *ch, const void *data, size_t len);

/**
 * The next complete message of them; *ret becomes NULL when more bytes are needed. The JSON is an object with
 * a string member "type".
 */
struct err *channel_next(struct channel *ch, struct guest_msg **ret) must_check;
