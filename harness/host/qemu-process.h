/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_PROCESS_H
#define SWAPCAL_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "harness/base/strbuf.h"

/**
 * One line that names this very process, and no later one that happens to have its id: for the description
 * of what it owns. To be freed; "" when /proc does not tell.
 */
char *process_identity(pid_t pid);

/**
 * Is text the identity of a process that has ended? False in doubt: for text of another shape, or one that
 * was written on another machine, before the last boot, or in another container.
 */
bool process_identity_is_dead(const char *text);

/** The command line of a process, quoted for a shell. To be freed; "" when it cannot be read. */
char *process_command_line(pid_t pid);

/** Is the process stopped, by a signal or a debugger? False when it cannot be seen. */
bool process_is_stopped(pid_t pid);

/** Do these arguments, each ending in NUL, as in /proc/PID/cmdline, begin with a QEMU? */
bool process_args_are_qemu(const struct strbuf *cmdline);

/**
 * Kills the QEMU whose guest has that name, and with root not NULL also those without a guest that name
 * something below it. False when there was none that may be killed.
 */
bool process_kill_qemu(const char *guest, const char *root);

/** Adds arg to sb as what a shell would read as one word. */
void process_add_quoted(struct strbuf *sb, const char *arg);

#endif
