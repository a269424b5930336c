/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/host/host.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/file.h"
#include "harness/base/strbuf.h"

char *host_cpus_share(const cpu_set_t *all, unsigned slot, unsigned n)
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

char *host_cpus(unsigned slot, unsigned n)
{
	cpu_set_t all;

	return sched_getaffinity(0, sizeof(all), &all) ? NULL : host_cpus_share(&all, slot, n);
}

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

void host_pressure_read(struct pressure *ret)
{
	cleanup_free char *cpu = file_text("/proc/pressure/cpu", NULL),
			  *memory = file_text("/proc/pressure/memory", NULL),
			  *io = file_text("/proc/pressure/io", NULL),
			  *vmstat = file_text("/proc/vmstat", NULL),
			  *meminfo = file_text("/proc/meminfo", NULL),
			  *loadavg = file_text("/proc/loadavg", NULL);
	const struct pressure_texts texts = { cpu, memory, io, vmstat, meminfo, loadavg };

	*ret = pressure_parse(&texts);
	ret->t_us = (double)clock_us();
	ret->cpus = (double)sysconf(_SC_NPROCESSORS_ONLN);
}

static json_t *to_json(const struct pressure *p)
{
	json_t *object = json_object();

#define ADD(name) json_object_set_new(object, #name, isfinite(p->name) ? json_real(p->name) : json_null());
	PRESSURE_COLUMNS(ADD)
#undef ADD
	return object;
}

char *host_pressure_json(const struct pressure *begin, const struct pressure *end)
{
	cleanup(cleanup_json_) json_t *both =
		json_pack("{s:o, s:o}", "begin", to_json(begin), "end", to_json(end));

	/* Counters of microseconds need all digits. */
	return json_dumps(both, JSON_INDENT(1) | JSON_REAL_PRECISION(15));
}
