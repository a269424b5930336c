/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/**
 * The last max_bytes of a file that a guest (or QEMU) writes to, as text: carriage returns and terminal
 * escapes are dropped, other bytes that are neither printable ASCII, tab nor newline are shown as '?'. To
 * be freed; "" when it cannot be read.
 */
char *console_tail(const char *path, size_t max_bytes);

/** Does the text hold a Linux kernel's last words? */
bool console_shows_panic(const char *text);

/** Does the text show that a Linux kernel has begun to run? */
bool console_shows_kernel(const char *text);

/** The lines of a QEMU log that QEMU itself wrote, to be freed; not libvirt's notes on starting it. */
char *console_qemu_lines(const char *log);
