/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_BASE_LOG_H
#define SWAPCAL_BASE_LOG_H

#include <stdbool.h>

/*
 * Notes for the person at the terminal, on stderr, from any layer and thread.
 * Results never go through here: only cmd-*.c print them, on stdout.
 */

/** One line "swapcal: TEXT"; takes a progress line away first. */
void log_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * The current step of long work. On a terminal it is one line, redrawn in place;
 * elsewhere (a log file, CI) it is dropped: there log_note() tells each event.
 */
void log_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** Takes the progress line away. */
void log_progress_end(void);

/** Is stderr a terminal? */
bool log_is_interactive(void);

#endif
