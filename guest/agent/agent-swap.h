/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdint.h>

#define SWAP_HEADER_BYTES 4096

/** Fills the first page of a swap area of that many pages of 4096 bytes, as the kernel reads it. */
void swap_header(uint8_t page[SWAP_HEADER_BYTES], uint32_t pages);
