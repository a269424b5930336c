/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>

/** SHA-256 of len bytes as 64 lower-case hex digits and a NUL. */
void hash_sha256(const void *data, size_t len, char hex[65]);
