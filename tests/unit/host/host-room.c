/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/host/host-pressure.h"
#include "harness/host/host-room.h"
#include "tests/tap.h"

/* Guests that would make their host swap are refused. */

static void refused(unsigned guests, unsigned ram_mib, double mib, const char *remedy)
{
	struct err *e = host_room_check(guests, ram_mib, mib * 1024);

	ok(e && err_get_kind(e) == ERR_HOST, "refused, as this host's trouble");
	has_str(e ? err_message(e) : "", remedy, remedy);
	err_free(e);
}

static void allowed(unsigned guests, unsigned ram_mib, double kib, const char *what)
{
	struct err *e = host_room_check(guests, ram_mib, kib);

	ok(!e, what);
	err_free(e);
}

int main(void)
{
	struct pressure host;

	allowed(2, 256, 4096 * 1024, "two small guests on a machine with 4 GiB");
	refused(4, 1024, 4096, "--jobs 3");
	refused(1, 4096, 4096, "use smaller guests");
	refused(2, 64, 100, "use smaller guests");
	allowed(64, 65536, NAN, "where the host's memory is not known nothing is refused");
	host_pressure_read(&host);
	ok(host.mem_available_kib > 0, "this host has memory available");
	return tap_done();
}
