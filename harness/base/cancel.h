/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_BASE_CANCEL_H
#define SWAPCAL_BASE_CANCEL_H

#include <stdbool.h>

#include "harness/base/err.h"

/*
 * The user's wish to stop: SIGINT, SIGTERM or SIGHUP (unless that was ignored from the start, as under
 * nohup). Long work asks cancel_requested(), and whoever polls adds cancel_fd().
 */

/** Installs the signal handlers; called once, before threads are started. */
void cancel_install(void);

bool cancel_requested(void);

/** Readable once stopping was asked for; -1 before cancel_install(). */
int cancel_fd(void);

/** The error that says so, of kind ERR_INTERRUPTED. */
struct err *cancel_error(void) must_check;

#endif
