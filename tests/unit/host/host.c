/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/host/host.h"
#include "tests/unit/errors.h"

/* The CPUs of guests side by side; guests that would make their host swap are refused. */

static void test_cpus(void)
{
	static const struct {
		unsigned set, slot, n; /* set: a bit for each CPU */
		const char *want;
	} rows[] = {
		{ 0x3, 0, 1, "0,1" },   { 0x3, 0, 2, "0" },       { 0x3, 1, 2, "1" },   { 0x3, 2, 3, "0" },
		{ 0x2aa, 0, 2, "1,3" }, { 0x2aa, 1, 2, "5,7,9" }, { 0x2aa, 4, 5, "9" },
	};
	cleanup_free char *own = host_cpus(0, 1);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cpu_set_t all;

		CPU_ZERO(&all);
		for (unsigned cpu = 0; cpu < 32; cpu++)
			if (rows[i].set >> cpu & 1)
				CPU_SET(cpu, &all);

		is_str(test_keep(host_cpus_share(&all, rows[i].slot, rows[i].n)), rows[i].want, rows[i].want);
	}
	ok(own && *own, "this process may run somewhere");
}

static void refuses(unsigned guests, unsigned ram_mib, double mib, const char *remedy)
{
	is_err_kind(host_room_check(guests, ram_mib, mib * 1024), ERR_HOST, remedy, remedy);
}

int main(void)
{
	struct pressure host;

	test_cpus();
	no_err(host_room_check(2, 256, 4096 * 1024), "two small guests on a machine with 4 GiB");
	refuses(4, 1024, 4096, "--jobs 3");
	refuses(1, 4096, 4096, "use smaller guests");
	refuses(2, 64, 100, "use smaller guests");
	no_err(host_room_check(64, 65536, NAN), "where the host's memory is not known nothing is refused");
	host_pressure_read(&host);
	ok(host.mem_available_kib > 0, "this host has memory available");
	return tap_done();
}
