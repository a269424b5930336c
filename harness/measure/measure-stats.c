/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/measure/measure-stats.h"

#include <stdlib.h>
#include <unistd.h>

#include "harness/base/alloc.h"

/*
 * Samples may take this part of the time, and so much on top of it, so that a command that lives for 80 ms
 * is seen a dozen times (a sample of 50 MiB takes 10 ms when its page frames are read), and one that lives
 * for hours is not held up.
 */
#define PACE_PART      25 /* 4 % */
#define PACE_CREDIT_US 250000

/*
 * The first samples follow each other by a part of the time since the start, and leave time between them: the
 * credit is for growth, which measure_pace_may() lets be looked at sooner.
 */
#define PACE_GROWTH 16
#define PACE_MIN_US 2000
#define PACE_IDLE   4

void measure_series_add(struct measure_series *s, int64_t t_us, double y)
{
	if (s->n == 0)
		s->first_us = t_us;
	else
		s->area += (y + s->last) / 2 * (double)(t_us - s->last_us);
	if (s->n == 0 || y > s->max)
		s->max = y;
	s->sum += y;
	s->last = y;
	s->last_us = t_us;
	s->n++;
}

struct measure_stat measure_series_stat(const struct measure_series *s, enum measure_kind kind)
{
	struct measure_stat stat = { .n = s->n, .max_kib = s->max };
	int64_t span_us = s->last_us - s->first_us;

	if (kind == MEASURE_TIMED && span_us > 0)
		stat.avg_kib = s->area / (double)span_us;
	else if (s->n)
		stat.avg_kib = s->sum / (double)s->n;
	return stat;
}

static int64_t largest(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* From when on the next sample is within what samples may cost. */
static int64_t affordable_us(const struct measure_pace *p)
{
	return p->start_us + (p->spent_us + p->cost_us - PACE_CREDIT_US) * PACE_PART;
}

int64_t measure_pace_next(const struct measure_pace *p)
{
	int64_t gap = largest((p->last_us - p->start_us) / PACE_GROWTH, PACE_MIN_US);

	gap = largest(gap, p->cost_us * PACE_IDLE);
	if (gap > p->interval_us)
		gap = p->interval_us;
	return largest(p->last_us + gap, affordable_us(p));
}

bool measure_pace_may(const struct measure_pace *p, int64_t now_us)
{
	return now_us >= affordable_us(p);
}

struct measure_cpu_process {
	pid_t pid;
	uint64_t start_ticks;
	uint64_t user_first, system_first;
	uint64_t user_last, system_last;
};

static struct measure_cpu_process *find_process(struct measure_cpu *cpu, const struct procfs_stat *st)
{
	for (size_t i = 0; i < cpu->n; i++)
		if (cpu->processes[i].pid == st->pid && cpu->processes[i].start_ticks == st->start_ticks)
			return &cpu->processes[i];
	return NULL;
}

void measure_cpu_add(struct measure_cpu *cpu, const struct procfs_stat *st, bool is_first)
{
	struct measure_cpu_process *p = find_process(cpu, st);

	if (!p) {
		p = array_push(cpu->processes, cpu->n, cpu->cap);
		p->pid = st->pid;
		p->start_ticks = st->start_ticks;
		p->user_first = is_first ? st->utime_ticks : 0;
		p->system_first = is_first ? st->stime_ticks : 0;
	}
	p->user_last = st->utime_ticks;
	p->system_last = st->stime_ticks;
}

void measure_cpu_sum(const struct measure_cpu *cpu, double *ret_user_s, double *ret_system_s)
{
	double per_s = (double)sysconf(_SC_CLK_TCK), user = 0, system = 0;

	for (size_t i = 0; i < cpu->n; i++) {
		const struct measure_cpu_process *p = &cpu->processes[i];

		user += (double)p->user_last - (double)p->user_first;
		system += (double)p->system_last - (double)p->system_first;
	}
	*ret_user_s = user / per_s;
	*ret_system_s = system / per_s;
}

void measure_cpu_deinit(struct measure_cpu *cpu)
{
	free(cpu->processes);
	*cpu = (struct measure_cpu){ 0 };
}
