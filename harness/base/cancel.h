/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>

#include "harness/base/err.h"

/*
 * The user's wish to stop: SIGINT, SIGTERM or SIGHUP (unless that was ignored from the start, as under
 * nohup). Long work asks cancel_requested(), and code that polls adds cancel_fd(). Work whose pieces are
 * worth keeping may finish those under way first.
 */

/** Installs the signal handlers; called once, before threads are started. */
void cancel_install(void);

/**
 * From now on the first SIGINT, and any SIGHUP, only asks to begin nothing new; SIGTERM and a further SIGINT
 * still stop at once.
 */
void cancel_let_finish(void);

/** Is nothing new to be begun? True also when all is to stop. */
bool cancel_is_finishing(void);

/** Is everything to stop at once? */
bool cancel_requested(void);

/** Asks for that from within the program, from any thread. */
void cancel_now(void);

/** Readable once stopping was asked for; -1 before cancel_install(). */
int cancel_fd(void);

/** The error that says so, of kind ERR_INTERRUPTED. */
struct err *cancel_error(void) must_check;
