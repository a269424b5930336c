/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/base/subprocess.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cancel.h"
#include "harness/base/clock.h"
#include "harness/base/log.h"
#include "harness/base/strbuf.h"

/* Time between SIGTERM and SIGKILL: enough for a program to unmount and to remove its temporary files. */
#define GRACE_S 5

/* A line longer than this reaches the callback in pieces. */
#define LINE_MAX_BYTES 4096

/* Lines of stderr kept for the error message. */
#define TAIL_LINES 6

/*
 * Reads of both pipes after the end of the job: 64 KiB each may wait there. More comes from a process that
 * left the group.
 */
#define READS_AFTER_END 64

/* Exit status of a forked call that failed: this plus the kind of its error. */
#define CALL_FAILED 64

/* One output of the job, cut into lines. */
struct stream {
	int fd; /* -1 after its end */
	struct strbuf partial;
	char *tail[TAIL_LINES];
	size_t lines;
};

static void stream_deinit(struct stream *s)
{
	if (s->fd >= 0)
		close(s->fd);
	strbuf_deinit(&s->partial);
	for (size_t i = 0; i < TAIL_LINES; i++)
		free(s->tail[i]);
}

static void stream_emit(struct stream *s, const struct subprocess *job)
{
	char **slot = &s->tail[s->lines++ % TAIL_LINES];

	free(*slot);
	*slot = xstrdup(strbuf_str(&s->partial));
	strbuf_clear(&s->partial);
	if (job->line)
		job->line(job->line_arg, *slot);
}

static void stream_add(struct stream *s, const struct subprocess *job, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		/* A carriage return redraws a progress line: for us that is a line too. */
		bool ends = data[i] == '\n' || data[i] == '\r';

		if (!ends)
			strbuf_add(&s->partial, &data[i], 1);
		if (s->partial.len >= LINE_MAX_BYTES || (ends && s->partial.len))
			stream_emit(s, job);
	}
}

/** Reads what is there; false when that was nothing. */
static bool stream_read(struct stream *s, const struct subprocess *job)
{
	char buf[4096];
	ssize_t n = read(s->fd, buf, sizeof(buf));

	if (n > 0) {
		stream_add(s, job, buf, (size_t)n);
		return true;
	}
	if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
		if (s->partial.len)
			stream_emit(s, job);
		close(s->fd);
		s->fd = -1;
	}
	return false;
}

/** The last lines of stderr, each on a line of its own. */
static char *stream_tail(const struct stream *s)
{
	struct strbuf sb = STRBUF_INIT;
	size_t n = s->lines < TAIL_LINES ? s->lines : TAIL_LINES;

	for (size_t i = s->lines - n; i < s->lines; i++)
		strbuf_addf(&sb, "%s%s", i == s->lines - n ? "" : "\n  ", s->tail[i % TAIL_LINES]);
	return strbuf_steal(&sb);
}

/*
 * The supervisor: the group's leader. It ends the group on SIGTERM, which it gets from our parent when it
 * wants to cancel, or from the kernel when the parent died.
 */

static volatile sig_atomic_t group_is_ending;

static void end_group(int sig)
{
	if (sig == SIGALRM)
		kill(0, SIGKILL);
	group_is_ending = 1;
	signal(SIGTERM, SIG_IGN);
	alarm(GRACE_S);
	kill(0, SIGTERM);
}

static void default_signals(void)
{
	sigset_t none;

	/* Also SIGPIPE: what this process ignores, programs would otherwise inherit. */
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

__attribute__((noreturn)) static void job_main(const struct subprocess *job)
{
	default_signals();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (const char *const *env = job->env; env && *env; env++)
		putenv((char *)*env);
	if (job->argv) {
		execvp(job->argv[0], (char *const *)job->argv);
		fprintf(stderr, "cannot start %s: %s\n", job->argv[0], strerror(errno));
		_exit(127);
	}

	struct err *e = job->call(job->call_arg);

	fflush(stdout);
	if (!e)
		_exit(0);
	fprintf(stderr, "%s\n", err_message(e));
	_exit(CALL_FAILED + (int)err_get_kind(e));
}

__attribute__((noreturn)) static void supervisor_main(const struct subprocess *job, pid_t parent, int out,
						      int err)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	setpgid(0, 0);
	default_signals();
	signal(SIGTERM, end_group);
	signal(SIGALRM, end_group);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	/* May fail in a container: then the mounts are left to the program itself. */
	if (job->private_mounts && unshare(CLONE_NEWNS) == 0)
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);

	pid_t pid = fork();

	if (pid == 0)
		job_main(job);
	if (pid < 0)
		_exit(126);
	/* The pipes are to end with the job. */
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	close(out);
	close(err);

	int status;

	if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0)
		_exit(126);
	/* Nobody else may be left to do this: see PR_SET_PDEATHSIG above. */
	if (group_is_ending)
		kill(0, SIGKILL);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/** Makes the pipe of an output; *ret_write is the end for the job. */
static struct err *stream_open(struct stream *s, int *ret_write)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return err_errno(errno, "cannot make a pipe");
	s->fd = ends[0];
	*ret_write = ends[1];
	return NULL;
}

static struct err *start(const struct subprocess *job, struct stream *out, struct stream *err, pid_t *ret)
{
	cleanup_close int out_write = -1, err_write = -1;
	struct err *e = stream_open(out, &out_write);

	if (!e)
		e = stream_open(err, &err_write);
	if (e)
		return e;

	pid_t parent = getpid();

	/* Else the child would print what is buffered a second time. */
	fflush(NULL);

	pid_t pid = fork();

	if (pid < 0)
		return err_errno(errno, "cannot fork");
	if (pid == 0)
		supervisor_main(job, parent, out_write, err_write);
	/* Also here: whoever comes first, the group exists before it is needed. */
	setpgid(pid, pid);
	*ret = pid;
	return NULL;
}

static bool has_exited(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

enum end { ENDED, CANCELLED, TIMED_OUT };

/** Passes output on until the job is over; says why it ended. */
static enum end pump(const struct subprocess *job, pid_t pid, struct stream *out, struct stream *err)
{
	int64_t deadline_ms = job->timeout_s ? clock_ms() + job->timeout_s * 1000ll : INT64_MAX;
	enum end end = ENDED;
	unsigned reads_after_end = 0;

	for (;;) {
		struct pollfd fds[2] = { { out->fd, POLLIN, 0 }, { err->fd, POLLIN, 0 } };
		/*
		 * Asked before poll: output written before the exit is then seen by this poll or an earlier
		 * one.
		 */
		bool exited = has_exited(pid);
		bool got = false;

		/*
		 * What the leader left behind must not hold us up; until it is waited for, its number is its
		 * own.
		 */
		if (exited)
			kill(-pid, SIGKILL);
		poll(fds, 2, exited ? 0 : 100);
		for (int i = 0; i < 2; i++)
			if (fds[i].revents)
				got |= stream_read(i == 0 ? out : err, job);
		/* Not at the end of the pipes: a process that left the group may hold them open. */
		if (exited && (!got || ++reads_after_end > READS_AFTER_END))
			return end;
		if (end == ENDED && !exited) {
			if (job->cancelled && job->cancelled())
				end = CANCELLED;
			else if (clock_ms() > deadline_ms)
				end = TIMED_OUT;
			if (end != ENDED)
				kill(pid, SIGTERM);
		}
	}
}

static struct err *describe(const struct subprocess *job, enum end end, int status, const struct stream *err)
{
	const char *name = job->argv ? job->argv[0] : "a child process";
	cleanup_free char *tail = stream_tail(err);

	if (end == CANCELLED)
		return cancel_error();
	if (end == TIMED_OUT)
		return err_new("%s: no end after %d s", name, job->timeout_s);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return NULL;
	if (!job->argv && WIFEXITED(status) && WEXITSTATUS(status) >= CALL_FAILED && err->lines)
		return err_new_kind((enum err_kind)(WEXITSTATUS(status) - CALL_FAILED), "%s",
				    err->tail[(err->lines - 1) % TAIL_LINES]);

	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);

	if (code > 128)
		return err_new("%s was ended by signal %d (%s)%s%s", name, code - 128, strsignal(code - 128),
			       *tail ? ":\n  " : "", tail);
	return err_new("%s failed with exit status %d%s%s", name, code, *tail ? ":\n  " : "", tail);
}

struct err *subprocess_run(const struct subprocess *job)
{
	cleanup(stream_deinit) struct stream out = { .fd = -1 };
	cleanup(stream_deinit) struct stream err = { .fd = -1 };
	pid_t pid;
	struct err *e = start(job, &out, &err, &pid);

	if (e)
		return e;
	log_debug(LOG_COMMAND, "%s is process %d", job->argv ? job->argv[0] : "a fork", (int)pid);

	enum end end = pump(job, pid, &out, &err);
	int status;

	if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0)
		return err_errno(errno, "cannot wait for a child process");
	return describe(job, end, status, &err);
}

char *subprocess_find_program(const char *name)
{
	const char *path = getenv("PATH");
	cleanup_free char *dirs = xstrdup(path ? path : "/bin:/usr/bin");
	char *rest = dirs;

	for (char *dir; (dir = strsep(&rest, ":"));) {
		cleanup_free char *file = xasprintf("%s/%s", *dir ? dir : ".", name);

		if (access(file, X_OK) == 0)
			return_ptr(file);
	}
	return NULL;
}

bool subprocess_program_exists(const char *name)
{
	cleanup_free char *file = subprocess_find_program(name);

	return file;
}
