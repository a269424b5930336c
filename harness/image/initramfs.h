/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdint.h>

#include "harness/base/err.h"
#include "harness/image/image.h"

/**
 * Writes the initramfs of a guest (newc cpio, not compressed) to path, with mode 0600: /init (the agent),
 * /ballast, /known, /modules/NN-name.ko in load order, and the directories and /dev/console the kernel needs.
 * The programs are those embedded in this binary. Same input, same bytes.
 */
struct err *initramfs_write(const struct image *image, const char *path) must_check;

/** The guest programs in this binary (embed.S). */
extern const unsigned char swapcal_agent[], swapcal_ballast[], swapcal_known[];
extern const uint64_t swapcal_agent_len, swapcal_ballast_len, swapcal_known_len;
