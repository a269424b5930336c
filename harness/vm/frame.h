/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "harness/base/err.h"
#include "harness/base/strbuf.h"
#include "harness/vm/guest.h"

/*
 * Framing of guest/proto.h on the host's side, apart from any file descriptor. Bytes of a guest are hostile:
 * a frame that breaks a rule is an error, and nothing after it is read.
 */

/** Bytes received and not yet understood. */
struct frame_reader {
	struct strbuf bytes;
	size_t start; /**< first byte of the next frame */
};

void frame_reader_deinit(struct frame_reader *r);

/** Adds received bytes. */
void frame_feed(struct frame_reader *r, const void *data, size_t len);

/**
 * The next complete message; *ret becomes NULL when more bytes are needed. The JSON is an object with a
 * string member "type". After an error the reader must not be used again.
 */
struct err *frame_next(struct frame_reader *r, struct guest_msg **ret) must_check;

/** Appends the frame of a JSON object, without payload, to out. */
struct err *frame_write(struct strbuf *out, json_t *json) must_check;
