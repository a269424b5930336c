/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <sched.h>

/**
 * The CPUs for slot (from 0) of n that share those of `all` evenly, as in "0,2"; to be freed. With more slots
 * than CPUs several slots have the same one.
 */
char *cpus_share(const cpu_set_t *all, unsigned slot, unsigned n);

/** The same of the CPUs that this process may run on; NULL when they are not known. */
char *cpus_own_share(unsigned slot, unsigned n);
