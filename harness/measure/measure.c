/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/measure/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "guest/checkpoint-line.h"
#include "harness/base/alloc.h"
#include "harness/base/cancel.h"
#include "harness/base/clock.h"
#include "harness/base/format.h"
#include "harness/base/log.h"
#include "harness/base/strbuf.h"
#include "harness/base/subprocess.h"
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

/*
 * --- The command. It is traced, but for one or two moments only: when its program has just been loaded, and,
 * where we have CAP_SYS_PTRACE, when it is about to end. Signals are passed on as they are. Its children are
 * not traced, nor are its other threads. Without that capability a traced program that executes a setuid one,
 * such as sudo, would not get its rights: then it is let go after the first moment, and a setuid program is
 * not traced at all.
 */

/** A command that was started, and what it says. */
struct child {
	pid_t pid;
	int checkpoint, resume, resume_theirs; /* the last one keeps a write from raising SIGPIPE */
	int exec;                              /* says errno when exec failed */
	int gate;                              /* closed: it may execute its program */
	bool is_traced;
	bool is_let_go; /* once it has started */
	bool has_started, has_ended;
	int wait_status;
	struct checkpoint_reader lines;
};

enum child_event {
	CHILD_NOTHING, /* no more for now */
	CHILD_STARTED, /* its program is in memory; traced: it stands still until child_continue() */
	CHILD_EXITING, /* traced only: its memory is still there; it stands still until child_continue() */
	CHILD_ENDED,
};

/* Lowest descriptor for the workload protocol: behind what a shell may have redirected for the command. */
#define PROTOCOL_FD_MIN 10

struct pipes {
	int checkpoint, resume, exec, gate; /* the child's ends */
};

static bool has_ptrace_right(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return syscall(SYS_capget, &head, data) == 0 && (data[0].effective >> CAP_SYS_PTRACE & 1);
}

/* Does the file give rights to who executes it? In doubt it does. */
static bool gives_rights(const char *path)
{
	struct stat st;

	return stat(path, &st) || (st.st_mode & (S_ISUID | S_ISGID)) ||
	       getxattr(path, "security.capability", NULL, 0) >= 0;
}

/* The same of a command that execvp() looks for. */
static bool command_gives_rights(const char *name)
{
	cleanup_free char *file = strchr(name, '/') ? xstrdup(name) : subprocess_find_program(name);

	return !file || gives_rights(file);
}

static void trace(struct child *c, const char *name)
{
	bool has_right = has_ptrace_right();
	long options = PTRACE_O_TRACEEXEC | (has_right ? PTRACE_O_TRACEEXIT : 0);

	if (!has_right && command_gives_rights(name))
		return;
	c->is_traced = ptrace(PTRACE_SEIZE, c->pid, NULL, options) == 0;
	c->is_let_go = !has_right;
}

/* The child's copy of a descriptor, which survives exec, under a name in its environment. */
static bool hand_over(int fd, const char *name)
{
	char number[16];
	int copy = fcntl(fd, F_DUPFD, PROTOCOL_FD_MIN);

	snprintf(number, sizeof(number), "%d", copy);
	return copy >= 0 && setenv(name, number, 1) == 0;
}

__attribute__((noreturn)) static void exec_command(const char *const *argv, const sigset_t *mask,
						   const struct pipes *theirs)
{
	char c;
	ssize_t n;
	int error;

	do
		n = read(theirs->gate, &c, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1) /* the parent is gone */
		_exit(127);
	sigprocmask(SIG_SETMASK, mask, NULL);
	if (hand_over(theirs->checkpoint, "SWAPCAL_CHECKPOINT_FD") &&
	    hand_over(theirs->resume, "SWAPCAL_RESUME_FD"))
		execvp(argv[0], (char *const *)argv);
	error = errno;
	(void)!write(theirs->exec, &error, sizeof(error));
	_exit(127);
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_pipes(struct pipes *p)
{
	close_end(&p->checkpoint);
	close_end(&p->resume);
	close_end(&p->exec);
	close_end(&p->gate);
}

static bool make_pipe(int *read_end, int *write_end)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return false;
	*read_end = ends[0];
	*write_end = ends[1];
	return true;
}

static void child_deinit(struct child *c)
{
	close_end(&c->checkpoint);
	close_end(&c->resume);
	close_end(&c->resume_theirs);
	close_end(&c->exec);
	close_end(&c->gate);
}

static struct err *make_pipes(struct child *ours, struct pipes *theirs)
{
	if (!make_pipe(&ours->checkpoint, &theirs->checkpoint) ||
	    !make_pipe(&theirs->resume, &ours->resume) || !make_pipe(&ours->exec, &theirs->exec) ||
	    !make_pipe(&theirs->gate, &ours->gate))
		return err_errno(errno, "cannot make a pipe");
	ours->resume_theirs = fcntl(theirs->resume, F_DUPFD_CLOEXEC, 0);
	fcntl(ours->checkpoint, F_SETFL, O_NONBLOCK);
	fcntl(ours->resume, F_SETFL, O_NONBLOCK);
	return NULL;
}

/** Starts a command, which waits for child_go(). mask: the signals it is to have blocked. */
static struct err *child_start(const char *const *argv, const sigset_t *mask, struct child *ret)
{
	cleanup(close_pipes) struct pipes theirs = { -1, -1, -1, -1 };

	*ret = (struct child){ .checkpoint = -1, .resume = -1, .resume_theirs = -1, .exec = -1, .gate = -1 };

	struct err *e = make_pipes(ret, &theirs);

	if (!e) {
		ret->pid = fork();
		if (ret->pid == 0) {
			/* Else it would wait for itself. */
			close(ret->gate);
			exec_command(argv, mask, &theirs);
		}
		if (ret->pid < 0)
			e = err_errno(errno, "cannot fork");
	}
	if (e) {
		child_deinit(ret);
		return e;
	}
	trace(ret, argv[0]);
	return NULL;
}

static void child_go(struct child *c)
{
	(void)!write(c->gate, "", 1);
	close_end(&c->gate);
}

static void go_on(struct child *c, enum __ptrace_request how, int sig)
{
	/* It fails only when the process was killed, which waitpid() will tell. */
	ptrace(how, c->pid, NULL, (void *)(intptr_t)sig);
}

static void child_continue(struct child *c)
{
	if (!c->is_traced)
		return;
	go_on(c, c->is_let_go ? PTRACE_DETACH : PTRACE_CONT, 0);
	c->is_traced = !c->is_let_go;
}

static bool is_stop_signal(int sig)
{
	return sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
}

/* What a stop of the traced process is about; stops of no interest end at once. */
static enum child_event on_stop(struct child *c, int status)
{
	int sig = WSTOPSIG(status), event = status >> 16;

	if (event == PTRACE_EVENT_EXEC && !c->has_started) {
		c->has_started = true;
		return CHILD_STARTED;
	}
	if (event == PTRACE_EVENT_EXIT && c->has_started)
		return CHILD_EXITING;
	if (event == PTRACE_EVENT_STOP && is_stop_signal(sig))
		go_on(c, PTRACE_LISTEN, 0); /* it stays stopped, as it would without us */
	else
		go_on(c, PTRACE_CONT, event ? 0 : sig);
	return CHILD_NOTHING;
}

/** Reaps what has ended, of the command's orphans too, and answers its stops. To be called until nothing. */
static enum child_event child_next(struct child *c)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
		enum child_event event = CHILD_NOTHING;

		/* An orphan of the command's that became our child. */
		if (pid != c->pid)
			continue;
		if (WIFSTOPPED(status)) {
			event = on_stop(c, status);
		} else {
			c->has_ended = true;
			c->wait_status = status;
			event = CHILD_ENDED;
		}
		if (event != CHILD_NOTHING)
			return event;
	}
	return CHILD_NOTHING;
}

/** Did exec work? To be called once `exec` is readable. Only a stop tells that a traced command has
 * started. */
static struct err *child_check_exec(struct child *c, const char *name, enum child_event *ret)
{
	int error = 0;
	ssize_t n = read(c->exec, &error, sizeof(error));

	*ret = CHILD_NOTHING;
	if (n < 0 && errno == EINTR)
		return NULL;
	close_end(&c->exec);
	if (n == sizeof(error))
		return err_errno(error, "cannot start '%s'", name);
	if (!c->is_traced && !c->has_started) {
		c->has_started = true;
		*ret = CHILD_STARTED;
	}
	return NULL;
}

/** The command may wait for an answer that never comes: it should be seen why. */
static void note_bad_line(const struct checkpoint_line *line)
{
	cleanup_free char *text = xasprintf("%.*s", (int)line->len, line->text);
	cleanup_strbuf struct strbuf clean = STRBUF_INIT;

	format_clean(&clean, text);
	log_note(
		"no answer to what the command wrote to its checkpoint descriptor, for it is no checkpoint: '%s'",
		strbuf_str(&clean));
}

/** Reads what the command said. True when it waits at a checkpoint: to be sampled and answered. */
static bool child_read_checkpoint(struct child *c)
{
	struct checkpoint_line line;

	for (;;) {
		while (checkpoint_take(&c->lines, &line)) {
			if (!line.is_bad)
				return true;
			note_bad_line(&line);
		}
		if (c->checkpoint < 0)
			return false;

		ssize_t n = checkpoint_read(&c->lines, c->checkpoint);

		if (n == 0)
			close_end(&c->checkpoint);
		if (n <= 0)
			return false;
	}
}

static void child_resume(struct child *c)
{
	/* A full pipe: whoever wrote so many checkpoints does not read the answers. */
	(void)!write(c->resume, "go\n", 3);
}

/* --- A measurement */

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
