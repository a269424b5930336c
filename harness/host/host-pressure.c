/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/host/host-pressure.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/base/cleanup.h"
#include "harness/base/clock.h"
#include "harness/base/file.h"
#include "harness/base/strbuf.h"

/** The text of a small file of the kernel, to be freed; NULL when there is none. */
static char *read_text(const char *path)
{
	struct strbuf text = STRBUF_INIT;
	struct err *e = file_read(path, 1 << 20, &text);

	if (!e)
		return strbuf_steal(&text);
	err_free(e);
	strbuf_deinit(&text);
	return NULL;
}

void host_pressure_read(struct pressure *ret)
{
	cleanup_free char *cpu = read_text("/proc/pressure/cpu"),
			  *memory = read_text("/proc/pressure/memory"), *io = read_text("/proc/pressure/io"),
			  *vmstat = read_text("/proc/vmstat"), *meminfo = read_text("/proc/meminfo"),
			  *loadavg = read_text("/proc/loadavg");
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
