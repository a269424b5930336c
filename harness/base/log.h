/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>

#include "harness/base/err.h"

/*
 * Notes for the person at the terminal, on stderr, from any layer and thread.
 * Results never go through here: only harness/cmd prints them, on stdout.
 */

/** One line "swapcal: TEXT"; takes a progress line away first. */
void log_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** Tells e, which is taken over, the same way; nothing when it is NULL. */
void log_error(struct err *e);

/**
 * The current step of long work. On a terminal it is one line, redrawn in place;
 * elsewhere (a log file, CI) it is dropped: there log_note() tells each event.
 */
void log_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** Takes the progress line away. */
void log_progress_end(void);

/** What log_debug() tells of. */
enum log_category {
	LOG_COMMAND, /**< programs that are started */
	LOG_DOMAIN,  /**< calls of libvirt that may take long */
	LOG_IMAGE,   /**< output of image builds */
	LOG_PROBE,   /**< phases of guests, and messages to their agents */
	LOG_STORE,   /**< transactions of results files */
	LOG_CATEGORY_COUNT,
};

/**
 * Enables the categories of log_debug() that are listed, as in "probe,store"; "all" is each. ERR_USAGE for a
 * name that is none. Called before there are threads.
 */
struct err *log_debug_enable(const char *list) must_check;

/** Is the category enabled? Ask before making a text that is costly. */
bool log_debug_is_on(enum log_category category);

/** A line for whoever looks for a fault, with the seconds since the start; nothing unless it is enabled. */
void log_debug(enum log_category category, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
