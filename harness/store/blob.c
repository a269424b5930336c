/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/store/blob.h"

#include <stdlib.h>
#include <zstd.h>

#include "harness/base/alloc.h"

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

struct blob_reader {
	ZSTD_DCtx *ctx;
	char *data;
	size_t room;
};

struct blob_reader *blob_reader_create(void)
{
	return xcalloc(1, sizeof(struct blob_reader));
}

void blob_reader_destroy(struct blob_reader *r)
{
	if (!r)
		return;
	ZSTD_freeDCtx(r->ctx);
	free(r->data);
	free(r);
}

static struct err *check_frame(const void *data, size_t len, size_t max_bytes, size_t *ret_bytes)
{
	unsigned long long size = ZSTD_getFrameContentSize(data, len);

	if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN)
		return err_new("damaged data: no zstd frame of known size");
	if (size > max_bytes)
		return err_new("damaged data: claims %llu bytes, more than %zu", size, max_bytes);

	size_t frame = ZSTD_findFrameCompressedSize(data, len);

	if (ZSTD_isError(frame) || frame != len)
		return err_new("damaged data: cut short, or bytes after its end");
	*ret_bytes = (size_t)size;
	return NULL;
}

/* The old content is of no more use, so it is not copied. */
static void make_room(struct blob_reader *r, size_t bytes)
{
	if (r->data && bytes <= r->room)
		return;
	free(r->data);
	/* Pieces of a kind differ a little in size: not each that is the largest so far takes new memory. */
	r->room = bytes + bytes / 4;
	r->data = xmalloc(r->room);
}

struct err *blob_reader_read(struct blob_reader *r, const void *data, size_t len, size_t max_bytes,
			     const char **ret, size_t *ret_len)
{
	size_t bytes;
	struct err *e = check_frame(data, len, max_bytes, &bytes);

	if (e)
		return e;
	if (!r->ctx)
		r->ctx = ZSTD_createDCtx();
	if (!r->ctx)
		return err_new("cannot decompress: zstd does not start");
	make_room(r, bytes);

	size_t n = ZSTD_decompressDCtx(r->ctx, r->data, bytes, data, len);

	if (ZSTD_isError(n))
		return err_new("damaged data: %s", ZSTD_getErrorName(n));
	*ret = r->data;
	*ret_len = n;
	return NULL;
}
