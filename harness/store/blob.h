/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>

#include "harness/base/err.h"
#include "harness/base/strbuf.h"

/*
 * Bytes kept small: one zstd frame that says how large its content is.
 */

/** Appends the compressed form of len bytes to sb. */
struct err *blob_compress(const void *data, size_t len, struct strbuf *sb) must_check;

/** Decompresses many blobs, one after the other, in the same memory. */
struct blob_reader;

struct blob_reader *blob_reader_create(void);
void blob_reader_destroy(struct blob_reader *r);
DEFINE_CLEANUP(cleanup_blob_reader, struct blob_reader *, blob_reader_destroy)

/**
 * The content of a blob, valid until the next call and never NULL. The blob may come from anywhere: fails
 * when it is no single whole frame with a known content size and an intact checksum, or when it would grow to
 * more than max_bytes (which is known before memory is taken).
 */
struct err *blob_reader_read(struct blob_reader *r, const void *data, size_t len, size_t max_bytes,
			     const char **ret, size_t *ret_len) must_check;
