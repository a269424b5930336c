/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/blob.h"

#include <zstd.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

DEFINE_CLEANUP(cleanup_cctx, ZSTD_CCtx *, ZSTD_freeCCtx)

/* Kernel text shrinks to about a tenth at this level; higher ones cost more time than they save space. */
#define LEVEL 3

struct err *blob_compress(const void *data, size_t len, struct strbuf *sb)
{
	cleanup(cleanup_cctx_) ZSTD_CCtx *ctx = ZSTD_createCCtx();

	if (!ctx)
		return err_new("cannot compress: zstd does not start");
	ZSTD_CCtx_setParameter(ctx, ZSTD_c_compressionLevel, LEVEL);
	ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 1);

	size_t room = ZSTD_compressBound(len);
	cleanup_free char *out = xmalloc(room);
	size_t n = ZSTD_compress2(ctx, out, room, data, len);

	if (ZSTD_isError(n))
		return err_new("cannot compress: %s", ZSTD_getErrorName(n));
	strbuf_add(sb, out, n);
	return NULL;
}

struct err *blob_decompress(const void *data, size_t len, size_t max_bytes, struct strbuf *sb)
{
	unsigned long long size = ZSTD_getFrameContentSize(data, len);

	if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN)
		return err_new("damaged data: no zstd frame of known size");
	if (size > max_bytes)
		return err_new("damaged data: claims %llu bytes, more than %zu", size, max_bytes);

	size_t frame = ZSTD_findFrameCompressedSize(data, len);

	if (ZSTD_isError(frame) || frame != len)
		return err_new("damaged data: cut short, or bytes after its end");

	cleanup_free char *out = xmalloc((size_t)size);
	size_t n = ZSTD_decompress(out, (size_t)size, data, len);

	if (ZSTD_isError(n))
		return err_new("damaged data: %s", ZSTD_getErrorName(n));
	strbuf_add(sb, out, n);
	return NULL;
}
