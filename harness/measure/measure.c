/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/measure/measure.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "harness/base/alloc.h"
#include "harness/base/cancel.h"
#include "harness/base/clock.h"
#include "harness/measure/measure-child.h"
#include "harness/measure/measure-sample.h"

/* After Ctrl-C, which a terminal sends to the command too: its time to end by itself, and then by SIGTERM. */
#define GRACE_US      500000
#define TERM_GRACE_US 5000000

/*
 * Between samples the resident size that statm tells is looked at, at some microseconds a process: this often
 * at first, then after 1 % of the time. A size that is this much larger than at any sample is sampled at
 * once, so that short peaks are not missed.
 */
#define GLANCE_US      1000
#define GLANCE_PART    100
#define GLANCE_NEW_PCT 105

struct err *measure_metrics_load(struct measure_metrics *ret)
{
	struct measure_metrics m = { 0 };
	struct err *e = metric_load_shipped(&m.metrics, &m.n);

	if (e)
		return e;
	m.sets = xcalloc(m.n, sizeof(*m.sets));
	for (size_t i = 0; !e && i < m.n; i++) {
		e = query_check(&m.metrics[i], &m.sets[i]);
		m.set |= m.sets[i];
	}
	if (e)
		measure_metrics_deinit(&m);
	else
		*ret = m;
	return e;
}

void measure_metrics_deinit(struct measure_metrics *m)
{
	metrics_free(m->metrics, m->n);
	free(m->sets);
}

void measure_run_deinit(struct measure_run *run)
{
	free(run->stats);
	run->stats = NULL;
}

enum measure_kind measure_basis(const struct measure_run *run)
{
	return run->samples[MEASURE_CHECKPOINT] ? MEASURE_CHECKPOINT : MEASURE_TIMED;
}

struct session {
	const struct measure_target *target;
	struct sampler *sampler;
	struct measure_pace pace;
	struct proctree tree;     /* at the last sample */
	uint64_t peak_pages;      /* of statm, at samples */
	int64_t glance_us;        /* when statm was read last */
	struct child child;       /* of a command */
	int pidfd, signalfd;      /* -1: none */
	bool is_running, is_over; /* between start and end */
	struct measure_run run;   /* what is told in the end */
	int64_t end_us;
	int64_t cancelled_us; /* 0: not (yet) */
	int cancel_signal;    /* the last one sent because of that */
};

static void find_tree(const struct session *s, struct proctree *tree)
{
	bool is_command = s->target->argv;

	proctree_find("/proc", is_command ? getpid() : s->target->pid, !is_command, getpid(), tree);
}

/* What statm says of all processes of the last sample. */
static uint64_t resident_pages(const struct session *s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->tree.n; i++) {
		cleanup_strbuf struct strbuf text = STRBUF_INIT;
		unsigned long long pages;

		if (procfs_read("/proc", s->tree.pids[i], "statm", &text) == 0 &&
		    sscanf(strbuf_str(&text), "%*u %llu", &pages) == 1)
			sum += pages;
	}
	return sum;
}

static struct err *take(struct session *s, enum measure_kind kind)
{
	pid_t first = s->target->argv ? s->child.pid : s->target->pid;

	s->pace.last_us = clock_us();
	find_tree(s, &s->tree);

	uint64_t pages = resident_pages(s);
	struct err *e = sampler_take(s->sampler, &s->tree, first, kind, &s->pace);

	if (pages > s->peak_pages)
		s->peak_pages = pages;
	s->glance_us = clock_us();
	return e;
}

static struct err *begin(struct session *s)
{
	s->is_running = true;
	s->pace.start_us = clock_us();
	return take(s, MEASURE_TIMED);
}

static void end(struct session *s)
{
	s->is_over = true;
	s->is_running = false;
	s->end_us = clock_us();
}

/* Everything that can have happened to the command. */
static struct err *serve_child(struct session *s)
{
	struct err *e = NULL;

	for (;;) {
		enum child_event event = child_next(&s->child);

		if (e || event == CHILD_NOTHING)
			return e;
		if (event == CHILD_ENDED) {
			end(s);
			continue;
		}
		e = event == CHILD_STARTED ? begin(s) : take(s, MEASURE_TIMED);
		s->run.has_end = event == CHILD_EXITING;
		child_continue(&s->child);
	}
}

static struct err *serve_exec(struct session *s)
{
	enum child_event event;
	struct err *e = child_check_exec(&s->child, s->target->argv[0], &event);

	if (e || event != CHILD_STARTED)
		return e;
	/* An untraced command does not wait for its first sample by itself, and may be over in a millisecond.
	 */
	kill(s->child.pid, SIGSTOP);
	e = begin(s);
	kill(s->child.pid, SIGCONT);
	return e;
}

static struct err *serve_checkpoints(struct session *s)
{
	struct err *e = NULL;

	while (!e && child_read_checkpoint(&s->child)) {
		if (s->is_running)
			e = take(s, MEASURE_CHECKPOINT);
		child_resume(&s->child);
	}
	return e;
}

static void signal_tree(const struct session *s, int sig)
{
	cleanup_proctree struct proctree tree = { 0 };

	find_tree(s, &tree);
	for (size_t i = 0; i < tree.n; i++)
		kill(tree.pids[i], sig);
}

/* Ends a command that the user does not want any more; a process that ran before us is none of our business.
 */
static void serve_cancel(struct session *s, int64_t now_us)
{
	if (!s->cancelled_us)
		s->cancelled_us = now_us;
	if (!s->target->argv) {
		end(s);
	} else if (now_us >= s->cancelled_us + GRACE_US + TERM_GRACE_US) {
		signal_tree(s, SIGKILL);
		s->cancel_signal = SIGKILL;
	} else if (now_us >= s->cancelled_us + GRACE_US && s->cancel_signal != SIGTERM) {
		signal_tree(s, SIGTERM);
		s->cancel_signal = SIGTERM;
	}
}

static int64_t next_glance_us(const struct session *s)
{
	int64_t gap_us = (s->glance_us - s->pace.start_us) / GLANCE_PART;

	return s->glance_us + (gap_us > GLANCE_US ? gap_us : GLANCE_US);
}

static bool is_due(struct session *s, int64_t now_us)
{
	if (!s->is_running)
		return false;
	if (now_us >= measure_pace_next(&s->pace))
		return true;
	if (now_us < next_glance_us(s) || !measure_pace_may(&s->pace, now_us))
		return false;
	s->glance_us = now_us;
	return resident_pages(s) * 100 > s->peak_pages * GLANCE_NEW_PCT;
}

static int64_t deadline_us(const struct session *s)
{
	return s->target->duration_ms ? s->pace.start_us + s->target->duration_ms * 1000 : INT64_MAX;
}

/* Waits until something happens or is due. */
static struct err *wait_event(struct session *s, struct pollfd fds[5])
{
	/* Nothing but the command's start needs no clock; a moment after a cancellation does. */
	int64_t now_us = clock_us(), until_us = now_us + (s->cancelled_us ? GRACE_US : 10000000);

	if (s->is_running && measure_pace_next(&s->pace) < until_us)
		until_us = measure_pace_next(&s->pace);
	if (s->is_running && measure_pace_may(&s->pace, now_us) && next_glance_us(s) < until_us)
		until_us = next_glance_us(s);
	if (deadline_us(s) < until_us)
		until_us = deadline_us(s);

	int64_t left_us = until_us > now_us ? until_us - now_us : 0;
	struct timespec timeout = { left_us / 1000000, left_us % 1000000 * 1000 };

	fds[0] = (struct pollfd){ .fd = s->signalfd, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = s->pidfd, .events = POLLIN };
	fds[2] = (struct pollfd){ .fd = s->child.exec, .events = POLLIN };
	fds[3] = (struct pollfd){ .fd = s->child.checkpoint, .events = POLLIN };
	fds[4] = (struct pollfd){ .fd = s->cancelled_us ? -1 : cancel_fd(), .events = POLLIN };
	if (ppoll(fds, 5, &timeout, NULL) < 0) {
		if (errno != EINTR)
			return err_errno(errno, "cannot wait");
		memset(fds, 0, 5 * sizeof(*fds));
	}
	return NULL;
}

static struct err *serve_events(struct session *s)
{
	struct pollfd fds[5];
	struct err *e = wait_event(s, fds);

	if (e)
		return e;
	if (fds[0].revents) {
		struct signalfd_siginfo info;

		(void)!read(s->signalfd, &info, sizeof(info));
	}
	if (fds[2].revents)
		e = serve_exec(s);
	if (!e && fds[3].revents)
		e = serve_checkpoints(s);
	/* Always: signals of several children may have become one. */
	if (!e && s->target->argv)
		e = serve_child(s);
	if (!e && fds[1].revents)
		end(s);
	return e;
}

static struct err *watch(struct session *s)
{
	struct err *e = NULL;

	while (!e && !s->is_over) {
		int64_t now_us = clock_us();

		if (cancel_requested())
			serve_cancel(s, now_us);
		if (s->is_over)
			break;
		if (s->is_running && now_us >= deadline_us(s)) {
			e = take(s, MEASURE_TIMED);
			end(s);
			break;
		}
		if (is_due(s, now_us))
			e = take(s, MEASURE_TIMED);
		if (!e)
			e = serve_events(s);
	}
	return e;
}

static double seconds(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

/* Counts the processes that a command left behind, and adds their CPU time, which no wait has told us. */
static void count_left(struct session *s)
{
	cleanup_proctree struct proctree tree = { 0 };
	struct measure_cpu cpu = { 0 };
	double user_s, system_s;

	find_tree(s, &tree);
	for (size_t i = 0; i < tree.n; i++) {
		struct procfs_stat st;

		if (!procfs_stat("/proc", tree.pids[i], &st) || !procfs_has_memory(&st))
			continue;
		measure_cpu_add(&cpu, &st, false);
		s->run.left_behind++;
	}
	measure_cpu_sum(&cpu, &user_s, &system_s);
	measure_cpu_deinit(&cpu);
	s->run.user_s += user_s;
	s->run.system_s += system_s;
}

static struct err *no_sample(const struct session *s)
{
	if (s->run.unreadable)
		return err_new("cannot read the memory of process %d: it belongs to another user",
			       (int)(s->target->argv ? s->child.pid : s->target->pid));
	return err_new("no sample: the %s ended too soon", s->target->argv ? "command" : "process");
}

static struct err *finish(struct session *s)
{
	struct err *e = sampler_finish(s->sampler, s->pace.spent_us);

	s->run.wall_s = (double)(s->end_us - s->pace.start_us) / 1e6;
	s->run.wait_status = s->child.wait_status;
	s->run.is_interrupted = s->cancelled_us != 0;
	if (!e && !s->run.samples[MEASURE_TIMED] && !s->run.samples[MEASURE_CHECKPOINT])
		e = no_sample(s);
	return e;
}

/* A command that we cannot go on measuring is not to go on unmeasured. */
static void abandon(struct session *s)
{
	if (s->child.has_ended)
		return;
	kill(s->child.pid, SIGKILL);
	while (!s->child.has_ended) {
		enum child_event event = child_next(&s->child);

		if (event == CHILD_NOTHING)
			poll(NULL, 0, 1);
		else
			child_continue(&s->child);
	}
}

/*
 * A sampler that waits for a processor sees the peak of a short command too late. -10 goes before all usual
 * programs; without the right to set it, the priority stays as it is.
 */
#define SAMPLER_NICE -10

static struct err *run_command(struct session *s, const sigset_t *mask)
{
	struct rusage before, after;
	struct err *e = child_start(s->target->argv, mask, &s->child);
	int priority = getpriority(PRIO_PROCESS, 0);

	if (e)
		return e;
	getrusage(RUSAGE_CHILDREN, &before);
	setpriority(PRIO_PROCESS, 0, SAMPLER_NICE);
	child_go(&s->child);
	e = watch(s);
	if (e)
		abandon(s);
	setpriority(PRIO_PROCESS, 0, priority);
	getrusage(RUSAGE_CHILDREN, &after);
	child_deinit(&s->child);
	if (e)
		return e;
	s->run.user_s = seconds(&after.ru_utime) - seconds(&before.ru_utime);
	s->run.system_s = seconds(&after.ru_stime) - seconds(&before.ru_stime);
	count_left(s);
	return finish(s);
}

/* With what a command needs: orphans of it become our children, and the end of any is told by a descriptor.
 */
static struct err *measure_command(struct session *s)
{
	sigset_t chld, mask;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		return err_errno(errno, "cannot become the parent of orphans");
	sigprocmask(SIG_BLOCK, &chld, &mask);

	cleanup_close int fd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	struct err *e = fd < 0 ? err_errno(errno, "cannot watch processes") : NULL;

	s->signalfd = fd;
	if (!e)
		e = run_command(s, &mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return e;
}

static struct err *measure_pid(struct session *s)
{
	cleanup_close int fd = (int)syscall(SYS_pidfd_open, s->target->pid, 0);

	if (fd < 0)
		return err_errno(errno, "process %d", (int)s->target->pid);
	s->pidfd = fd;

	struct err *e = begin(s);

	if (!e)
		e = watch(s);
	if (e)
		return e;
	sampler_cpu(s->sampler, &s->run.user_s, &s->run.system_s);
	return finish(s);
}

struct err *measure_run(const struct measure_target *target, const struct measure_metrics *metrics,
			struct measure_run *ret)
{
	struct session s = {
		.target = target,
		.pace = { .interval_us = target->interval_ms * 1000ll },
		.child = { .checkpoint = -1, .exec = -1 },
		.pidfd = -1,
		.signalfd = -1,
	};
	cleanup(cleanup_sampler_) struct sampler *sampler = sampler_create(metrics, &s.run);

	s.sampler = sampler;

	struct err *e = target->argv ? measure_command(&s) : measure_pid(&s);

	proctree_deinit(&s.tree);
	if (e)
		measure_run_deinit(&s.run);
	else
		*ret = s.run;
	return e;
}
