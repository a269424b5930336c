/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/evidence/pressure.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "calibrate/evidence/text.h"

/* See pressure.h for the reasons. */
#define SWAPPED_PAGES        256
#define MEMORY_SOME_SHARE    0.1
#define MEMORY_FULL_SHARE    0.02
#define MEMORY_AVAILABLE_MIN 0.05
#define BUSY_TASKS_PER_CPU   4
#define BUSY_CPU_SHARE       0.5

/** The "total" of the line of /proc/pressure/NAME that begins with kind, in microseconds. */
static double psi_total(const char *text, const char *kind)
{
	const char *line = text ? strstr(text, kind) : NULL;
	const char *total = line ? strstr(line, "total=") : NULL;
	unsigned long long us;

	if (!total || memchr(line, '\n', (size_t)(total - line)) || sscanf(total, "total=%llu", &us) != 1)
		return (double)NAN;
	return (double)us;
}

static double number(const char *text, const char *key)
{
	uint64_t v;

	return text && text_get_number(text, strlen(text), key, &v) ? (double)v : (double)NAN;
}

static double first_number(const char *text)
{
	double v;

	return text && sscanf(text, "%lf", &v) == 1 ? v : (double)NAN;
}

struct pressure pressure_parse(const struct pressure_texts *t)
{
	return (struct pressure){
		.t_us = (double)NAN,
		.cpus = (double)NAN,
		.cpu_some_us = psi_total(t->psi_cpu, "some "),
		.memory_some_us = psi_total(t->psi_memory, "some "),
		.memory_full_us = psi_total(t->psi_memory, "full "),
		.io_some_us = psi_total(t->psi_io, "some "),
		.io_full_us = psi_total(t->psi_io, "full "),
		.pswpin = number(t->vmstat, "pswpin"),
		.pswpout = number(t->vmstat, "pswpout"),
		.mem_total_kib = number(t->meminfo, "MemTotal"),
		.mem_available_kib = number(t->meminfo, "MemAvailable"),
		.swap_total_kib = number(t->meminfo, "SwapTotal"),
		.swap_free_kib = number(t->meminfo, "SwapFree"),
		.load_1min = first_number(t->loadavg),
	};
}

/* An unknown number is no reason: comparisons with NAN are false. */

static bool is_swapping(const struct pressure *a, const struct pressure *b)
{
	return b->pswpin - a->pswpin + b->pswpout - a->pswpout >= SWAPPED_PAGES;
}

static bool is_short_of_memory(const struct pressure *a, const struct pressure *b)
{
	double time_us = b->t_us - a->t_us;

	if (time_us <= 0)
		return false;
	return b->memory_some_us - a->memory_some_us >= MEMORY_SOME_SHARE * time_us ||
	       b->memory_full_us - a->memory_full_us >= MEMORY_FULL_SHARE * time_us ||
	       b->mem_available_kib < MEMORY_AVAILABLE_MIN * b->mem_total_kib;
}

static bool is_busy(const struct pressure *a, const struct pressure *b)
{
	double waited_us = b->cpu_some_us - a->cpu_some_us;
	bool has_waited = isnan(waited_us) || waited_us >= BUSY_CPU_SHARE * (b->t_us - a->t_us);

	return b->load_1min > BUSY_TASKS_PER_CPU * b->cpus && has_waited;
}

unsigned pressure_judge(const struct pressure *begin, const struct pressure *end)
{
	return (is_swapping(begin, end) ? PRESSURE_SWAPPED : 0u) |
	       (is_short_of_memory(begin, end) ? PRESSURE_MEMORY : 0u) |
	       (is_busy(begin, end) ? PRESSURE_BUSY : 0u);
}
