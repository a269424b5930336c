/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <sched.h>

#include "calibrate/evidence/pressure.h"
#include "harness/base/err.h"

/* What this machine has for guests, and how it is. */

/**
 * The CPUs for slot (from 0) of n that share those of `all` evenly, as in "0,2"; to be freed. With more slots
 * than CPUs several slots have the same one.
 */
char *host_cpus_share(const cpu_set_t *all, unsigned slot, unsigned n);

/** The same of the CPUs that this process may run on; NULL when they are not known. */
char *host_cpus(unsigned slot, unsigned n);

/**
 * Is there memory on this host for that many guests of ram_mib side by side, given what it has available?
 * NAN: not known, and nothing is refused. Guests that make their host swap measure the host. The error, of
 * kind ERR_HOST, says how many there is room for.
 */
struct err *host_room_check(unsigned guests, unsigned ram_mib, double available_kib) must_check;

/** How this machine is just now. Takes less than a millisecond; what its kernel does not tell is NAN. */
void host_pressure_read(struct pressure *ret);

/**
 * Both moments as text, for the record: {"begin": {"t_us": ..., ...}, "end": {...}}, with null for what is
 * not known. To be freed.
 */
char *host_pressure_json(const struct pressure *begin, const struct pressure *end);
