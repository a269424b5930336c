/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_BLOB_H
#define SWAPCAL_BLOB_H

#include <stddef.h>

#include "harness/base/err.h"
#include "harness/base/strbuf.h"

/*
 * Bytes kept small: one zstd frame that says how large its content is.
 */

/** Appends the compressed form of len bytes to sb. */
struct err *blob_compress(const void *data, size_t len, struct strbuf *sb) must_check;

/**
 * Appends the content of a blob to sb. The blob may come from anywhere: fails when it is no single whole
 * frame with a known content size and an intact checksum, or when it would grow to more than max_bytes (which
 * is known before memory is taken).
 */
struct err *blob_decompress(const void *data, size_t len, size_t max_bytes, struct strbuf *sb) must_check;

#endif
