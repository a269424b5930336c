/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "harness/base/err.h"

/* QEMU processes as the host sees them: whose they are, how they are doing, and how those left behind end. */

/**
 * One line that names this very process, and no later one that happens to have its id: for the description
 * of the guests it owns. To be freed; "" when /proc does not tell.
 */
char *qemu_owner(pid_t pid);

/**
 * Does text name a process that has ended? False in doubt: for text of another shape, or one that was written
 * on another machine, before the last boot, or in another container.
 */
bool qemu_owner_is_dead(const char *text);

/** The command line of a process, quoted for a shell. To be freed; "" when it cannot be read. */
char *qemu_command_line(pid_t pid);

/** Is the process stopped, by a signal or a debugger? False when it cannot be seen. */
bool qemu_is_stopped(pid_t pid);

/**
 * Kills the QEMU processes that name something below dir in their arguments, and waits until they are gone.
 * guest NULL: all of them; else the one of that guest and those without a guest, which libvirt asks for
 * QEMU's abilities. Those of other users are passed over, and those for which dir is another directory, as in
 * a container. *ret: how many were guests. An error when one does not end.
 */
struct err *qemu_end(const char *dir, const char *guest, unsigned *ret) must_check;

/*
 * libvirt starts QEMU as a daemon, whose end only its reaper notices: init. libvirt takes a process for
 * alive until that has happened, and waits for it, with all calls about the guest blocked. Init takes a
 * second on some systems and for ever in many containers. So this process becomes the reaper of what its
 * children leave behind.
 */

/** From now on the descendants whose parents end become our children. */
void orphans_adopt(void);

/**
 * Reaps the adopted processes that have ended, but for session leaders, which look like children in the
 * proper sense: those are left to whoever started them.
 */
void orphans_reap(void);

/** How a process ended that was reaped here not long ago. False: it is none of the last 64. */
bool orphans_find(pid_t pid, siginfo_t *ret);

/**
 * The same in any case, which costs more than a look. or_leader: session leaders too; for when nobody in this
 * process waits for a child that leads a session.
 */
void orphans_reap_all(bool or_leader);
