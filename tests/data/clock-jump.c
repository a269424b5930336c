/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * For LD_PRELOAD: a wall clock that is three hours ahead for two seconds, then three hours behind for two, and so on, as one that is set
 * again and again. The monotonic clock is left alone.
 */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define JUMP_S  (3 * 3600)
#define EVERY_S 2

static void get_time(struct timespec *ts)
{
	struct timespec monotonic;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &monotonic);
	syscall(SYS_clock_gettime, CLOCK_REALTIME, ts);
	ts->tv_sec += monotonic.tv_sec / EVERY_S % 2 ? JUMP_S : -JUMP_S;
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	if (clock != CLOCK_REALTIME)
		return (int)syscall(SYS_clock_gettime, clock, ts);
	get_time(ts);
	return 0;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	(void)zone;
	get_time(&ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *ret)
{
	struct timespec ts;

	get_time(&ts);
	if (ret)
		*ret = ts.tv_sec;
	return ts.tv_sec;
}
