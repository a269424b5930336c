/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "harness/base/err.h"

/**
 * Is there memory on this host for that many guests of ram_mib side by side, given what it has available?
 * NAN: not known, and nothing is refused. Guests that make their host swap measure the host. The error, of
 * kind ERR_HOST, says how many there is room for.
 */
struct err *host_room_check(unsigned guests, unsigned ram_mib, double available_kib) must_check;
