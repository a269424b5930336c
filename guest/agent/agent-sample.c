/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "guest/agent/agent.h"
#include "guest/agent/agent-onset.h"
#include "guest/agent/agent-vmstat.h"

/* What the host may have to wait for: half a second of 20 ms ticks, or less when ticks are slow. */
#define BATCH_ROWS   25
#define BATCH_AGE_US 250000

/* Rows kept while the host does not read: 2.0 s of 20 ms ticks, on top of what the kernel's queue takes. */
#define RING_ROWS 98

_Static_assert(BATCH_ROWS * sizeof(struct proto_sample) <= PROTO_PAYLOAD_MAX, "a batch is one payload");

int sample_timer_fd = -1;

static int refresh_fd = -1;

static struct proto_sample ring[RING_ROWS];
static size_t ring_first, ring_count;
static uint64_t shipped; /* rows since the watch began; also the number of the first row in the ring */

static struct onset_window window;
static bool watching, freeze_at_onset;
static enum { ONSET_AWAITED, ONSET_DUE, ONSET_SENT } onset_state;
static struct {
	uint64_t t_us, swapped_pages, freeze_us;
	bool frozen;
} onset;

static struct {
	uint64_t count, sum_us, max_us;
} cost;

/* What memory.stat said last, all other columns 0, and in how many ticks it is due again. */
static struct proto_sample last_stat;
static unsigned stat_due;

static uint64_t thread_cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void take(struct proto_sample *s)
{
	uint64_t start = thread_cpu_us();
	struct sysinfo info;

	if (stat_due == 0) {
		cgroup_stat(&last_stat);
		stat_due = PROTO_STAT_TICKS;
	}
	stat_due--;
	*s = last_stat;
	/* Otherwise the kernel's page counters are up to a second old, as they stay after a failure. */
	if (write(refresh_fd, "1", 1) < 0)
		errno = 0;
	s->t_us = now_us();
	vmstat_read(s);
	if (sysinfo(&info) == 0)
		s->swap_used_kib = (info.totalswap - info.freeswap) * info.mem_unit / 1024;
	s->load_pages = load_pages();
	s->load_kib = cgroup_memory_kib(CGROUP_LOAD);
	s->ballast_kib = cgroup_memory_kib(CGROUP_BALLAST);

	uint64_t spent = thread_cpu_us() - start;

	cost.count++;
	cost.sum_us += spent;
	if (spent > cost.max_us)
		cost.max_us = spent;
}

const char *sample_init(void)
{
	refresh_fd = open("/proc/sys/vm/stat_refresh", O_WRONLY | O_CLOEXEC);
	if (refresh_fd < 0)
		return fail("cannot open '/proc/sys/vm/stat_refresh': %s", strerror(errno));
	sample_timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (sample_timer_fd < 0)
		return fail("cannot make a timer: %s", strerror(errno));

	const char *error = vmstat_init();

	/*
	 * The first sample costs more (caches, the translator of an emulator), so it must not be a baseline.
	 */
	take(&ring[0]);
	return error;
}

static struct proto_sample *ring_push(void)
{
	return &ring[(ring_first + ring_count++) % RING_ROWS];
}

const char *sample_watch(unsigned tick_ms, uint64_t pages, unsigned window_ms, bool freeze)
{
	struct itimerspec when = { 0 };

	if (tick_ms > 0 && !onset_window_fits(tick_ms, window_ms))
		return fail("a window of %u ms has too many ticks of %u ms", window_ms, tick_ms);
	sample_ship(true);
	watching = tick_ms > 0;
	if (!watching) {
		timerfd_settime(sample_timer_fd, 0, &when, NULL);
		return NULL;
	}
	shipped = ring_first = ring_count = 0;
	cost.count = cost.sum_us = cost.max_us = 0;
	freeze_at_onset = freeze;
	onset_state = ONSET_AWAITED;

	struct proto_sample *baseline = ring_push();

	sample_want_stat();
	take(baseline);
	onset_begin(&window, pages, window_ms, baseline);

	/* Ticks at fixed distances from the baseline, however late one of them is served. */
	uint64_t first_us = baseline->t_us + tick_ms * 1000ull;

	when.it_value.tv_sec = (time_t)(first_us / 1000000);
	when.it_value.tv_nsec = (long)(first_us % 1000000 * 1000);
	when.it_interval.tv_sec = tick_ms / 1000;
	when.it_interval.tv_nsec = tick_ms % 1000 * 1000000l;
	if (timerfd_settime(sample_timer_fd, TFD_TIMER_ABSTIME, &when, NULL) < 0)
		return fail("cannot set the timer: %s", strerror(errno));
	return NULL;
}

static void reach_onset(struct proto_sample *s)
{
	onset_state = ONSET_DUE;
	onset.t_us = s->t_us;
	onset.swapped_pages = proto_swapped_out(s) - window.baseline;
	onset.freeze_us = 0;
	onset.frozen = false;
	/* Of the same moment as the rest, while the load may still grow. */
	cgroup_stat(s);
	if (freeze_at_onset) {
		const char *error = cgroup_freeze_all(&onset.freeze_us);

		onset.frozen = !error;
		if (error)
			say("%s", error);
	}
}

void sample_want_stat(void)
{
	stat_due = 0;
}

void sample_tick(void)
{
	uint64_t expired;

	if (read(sample_timer_fd, &expired, sizeof(expired)) != sizeof(expired))
		return;
	/* A row is never dropped: without room the sample is not taken, and the rule does not see it. */
	if (!watching || ring_count == RING_ROWS)
		return;

	struct proto_sample *s = ring_push();

	take(s);
	if (onset_add(&window, s) && onset_state == ONSET_AWAITED)
		reach_onset(s);
}

static void ship_batch(void)
{
	struct proto_sample *rows = (struct proto_sample *)msg_payload();
	size_t n = ring_count < BATCH_ROWS ? ring_count : BATCH_ROWS;

	for (size_t i = 0; i < n; i++)
		memcpy(&rows[i], &ring[(ring_first + i) % RING_ROWS], sizeof(rows[i]));
	msg_begin("samples");
	msg_int("seq", (int64_t)shipped);
	msg_int("count", (int64_t)n);
	/* The rows are in the message now; sending may take new ones. */
	ring_first = (ring_first + n) % RING_ROWS;
	ring_count -= n;
	shipped += n;
	msg_send((uint32_t)(n * sizeof(*rows)));
}

void sample_ship(bool at_once)
{
	if (onset_state == ONSET_DUE)
		at_once = true;
	if (!at_once && sample_ship_due_ms() != 0)
		return;
	/* Only what is there now: while the host is slow, new rows may come as fast as old ones go. */
	for (size_t batches = (ring_count + BATCH_ROWS - 1) / BATCH_ROWS; batches > 0; batches--)
		ship_batch();
	if (onset_state != ONSET_DUE)
		return;
	onset_state = ONSET_SENT;
	msg_begin("onset");
	msg_int("t_us", (int64_t)onset.t_us);
	msg_int("swapped_pages", (int64_t)onset.swapped_pages);
	msg_int("freeze_us", (int64_t)onset.freeze_us);
	msg_bool("frozen", onset.frozen);
	msg_send(0);
}

int sample_ship_due_ms(void)
{
	if (onset_state == ONSET_DUE || ring_count >= BATCH_ROWS)
		return 0;
	if (ring_count == 0)
		return -1;

	uint64_t age_us = now_us() - ring[ring_first].t_us;

	return age_us >= BATCH_AGE_US ? 0 : (int)((BATCH_AGE_US - age_us) / 1000) + 1;
}

void sample_report(void)
{
	msg_int("samples", (int64_t)cost.count);
	msg_int("sample_cpu_us_mean", cost.count ? (int64_t)(cost.sum_us / cost.count) : 0);
	msg_int("sample_cpu_us_max", (int64_t)cost.max_us);
}
