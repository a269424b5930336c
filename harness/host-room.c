/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/host-room.h"

#include <inttypes.h>

#include "calibrate/text.h"
#include "harness/base/file.h"

/*
 * What a QEMU process takes beside its guest's RAM: 113 MiB were seen beside a guest of 256 MiB under TCG, a
 * good part of it translated code, of which interpreters that compile have more.
 */
#define QEMU_MIB 200

/* What the host keeps for itself and for the files of guests in its page cache. */
#define HOST_MIB 256

uint64_t host_room_available_kib(void)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	uint64_t kib;
	struct err *e = file_read("/proc/meminfo", 1 << 16, &text);
	bool is_known = !e && text_get_number(strbuf_str(&text), text.len, "MemAvailable", &kib);

	err_free(e);
	return is_known ? kib : UINT64_MAX;
}

struct err *host_room_check(unsigned guests, unsigned ram_mib, uint64_t available_kib)
{
	uint64_t guest_mib = (uint64_t)ram_mib + QEMU_MIB;
	uint64_t available_mib = available_kib / 1024;
	uint64_t fit = available_mib > HOST_MIB ? (available_mib - HOST_MIB) / guest_mib : 0;

	if (fit >= guests)
		return NULL;
	if (fit == 0)
		return err_new_kind(ERR_HOST,
				    "a guest of %u MiB needs some %" PRIu64
				    " MiB of this host's memory, of which %" PRIu64
				    " MiB are available: take smaller guests, or another machine",
				    ram_mib, guest_mib + HOST_MIB, available_mib);
	return err_new_kind(ERR_HOST,
			    "%u guests of %u MiB side by side need some %" PRIu64
			    " MiB of this host's memory, of which %" PRIu64
			    " MiB are available: give --jobs %" PRIu64,
			    guests, ram_mib, guests * guest_mib + HOST_MIB, available_mib, fit);
}
