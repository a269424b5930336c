/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

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
