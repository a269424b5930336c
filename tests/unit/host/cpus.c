/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>

#include "harness/base/cleanup.h"
#include "harness/host/cpus.h"
#include "tests/tap.h"

/* The CPUs of guests side by side. */

static void check(const cpu_set_t *all, unsigned slot, unsigned n, const char *want)
{
	cleanup_free char *got = cpus_share(all, slot, n);

	is_str(got, want, want);
}

int main(void)
{
	cpu_set_t two, odd;

	CPU_ZERO(&two);
	CPU_SET(0, &two);
	CPU_SET(1, &two);
	CPU_ZERO(&odd);
	for (int cpu = 1; cpu < 11; cpu += 2)
		CPU_SET(cpu, &odd);
	check(&two, 0, 1, "0,1");
	check(&two, 0, 2, "0");
	check(&two, 1, 2, "1");
	check(&two, 2, 3, "0");
	check(&odd, 0, 2, "1,3");
	check(&odd, 1, 2, "5,7,9");
	check(&odd, 4, 5, "9");

	cleanup_free char *own = cpus_own_share(0, 1);

	ok(own && *own, "this process may run somewhere");
	return tap_done();
}
