/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/host/cpus.h"

#include <stddef.h>

#include "harness/base/strbuf.h"

char *cpus_share(const cpu_set_t *all, unsigned slot, unsigned n)
{
	struct strbuf list = STRBUF_INIT;
	unsigned count = (unsigned)CPU_COUNT(all);
	unsigned first = count < n ? slot % count : slot * count / n;
	unsigned end = count < n ? first + 1 : (slot + 1) * count / n;
	unsigned i = 0;

	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, all))
			continue;
		if (i >= first && i < end)
			strbuf_addf(&list, "%s%u", list.len ? "," : "", cpu);
		i++;
	}
	return strbuf_steal(&list);
}

char *cpus_own_share(unsigned slot, unsigned n)
{
	cpu_set_t all;

	return sched_getaffinity(0, sizeof(all), &all) ? NULL : cpus_share(&all, slot, n);
}
