/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/host/host-room.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>

/*
 * What a QEMU process takes beside its guest's RAM: 113 MiB were seen beside a guest of 256 MiB under TCG, a
 * good part of it translated code, of which interpreters that compile have more.
 */
#define QEMU_MIB 200

/* What the host keeps for itself and for the files of guests in its page cache. */
#define HOST_MIB 256

struct err *host_room_check(unsigned guests, unsigned ram_mib, double available_kib)
{
	uint64_t guest_mib = (uint64_t)ram_mib + QEMU_MIB;

	if (isnan(available_kib))
		return NULL;

	uint64_t available_mib = (uint64_t)(available_kib / 1024);
	uint64_t fit = available_mib > HOST_MIB ? (available_mib - HOST_MIB) / guest_mib : 0;

	if (fit >= guests)
		return NULL;
	if (fit == 0)
		return err_new_kind(ERR_HOST,
				    "a guest of %u MiB needs some %" PRIu64
				    " MiB of this host's memory, of which %" PRIu64
				    " MiB are available: use smaller guests or another machine",
				    ram_mib, guest_mib + HOST_MIB, available_mib);
	return err_new_kind(ERR_HOST,
			    "%u guests of %u MiB side by side need some %" PRIu64
			    " MiB of this host's memory, of which %" PRIu64
			    " MiB are available: use --jobs %" PRIu64,
			    guests, ram_mib, guests * guest_mib + HOST_MIB, available_mib, fit);
}
