/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/base/hash.h"

#include <nettle/base16.h>
#include <nettle/sha2.h>
#include <stdint.h>

void hash_sha256(const void *data, size_t len, char hex[65])
{
	struct sha256_ctx ctx;
	uint8_t digest[SHA256_DIGEST_SIZE];

	sha256_init(&ctx);
	sha256_update(&ctx, len, data);
	sha256_digest(&ctx, sizeof(digest), digest);
	base16_encode_update(hex, sizeof(digest), digest);
	hex[64] = '\0';
}
