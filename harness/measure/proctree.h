/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_PROCTREE_H
#define SWAPCAL_PROCTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "harness/base/cleanup.h"

/** Processes by their ids, parents before their children. */
struct proctree {
	pid_t *pids;
	size_t n, cap;
};

void proctree_deinit(struct proctree *t);
#define cleanup_proctree cleanup(proctree_deinit)

/**
 * Finds what descends from root, and root itself when with_root: children, their children, and so on, zombies
 * too. A process whose parent ended has another parent now; it is found when that one is in the tree. Leaves
 * out the process `without` and what descends from it. What is forked or ends meanwhile may be in it or not.
 *
 * proc is "/proc" but in tests. Kernels that list the children of each thread are asked for these; else all
 * processes of the machine are looked at.
 */
void proctree_find(const char *proc, pid_t root, bool with_root, pid_t without, struct proctree *ret);

#endif
