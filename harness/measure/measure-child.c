/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/measure/measure-child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "harness/base/alloc.h"
#include "harness/base/format.h"
#include "harness/base/log.h"
#include "harness/base/strbuf.h"
#include "harness/base/subprocess.h"

/*
 * The command. It is traced, but for one or two moments only: when its program has just been loaded, and,
 * where we have CAP_SYS_PTRACE, when it is about to end. Signals are passed on as they are. Its children are
 * not traced, nor are its other threads. Without that capability a traced program that executes a setuid one,
 * such as sudo, would not get its rights: then it is let go after the first moment, and a setuid program is
 * not traced at all.
 */

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

__attribute__((noreturn)) static void run_command(const char *const *argv, const sigset_t *mask,
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

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_pipes(struct pipes *p)
{
	close_fd(&p->checkpoint);
	close_fd(&p->resume);
	close_fd(&p->exec);
	close_fd(&p->gate);
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

void child_deinit(struct child *c)
{
	close_fd(&c->checkpoint);
	close_fd(&c->resume);
	close_fd(&c->resume_theirs);
	close_fd(&c->exec);
	close_fd(&c->gate);
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

struct err *child_start(const char *const *argv, const sigset_t *mask, struct child *ret)
{
	cleanup(close_pipes) struct pipes theirs = { -1, -1, -1, -1 };

	*ret = (struct child){ .checkpoint = -1, .resume = -1, .resume_theirs = -1, .exec = -1, .gate = -1 };

	struct err *e = make_pipes(ret, &theirs);

	if (!e) {
		ret->pid = fork();
		if (ret->pid == 0) {
			/* Else it would wait for itself. */
			close(ret->gate);
			run_command(argv, mask, &theirs);
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

void child_go(struct child *c)
{
	(void)!write(c->gate, "", 1);
	close_fd(&c->gate);
}

static void go_on(struct child *c, enum __ptrace_request how, int sig)
{
	/* It fails only when the process was killed, which waitpid() will tell. */
	ptrace(how, c->pid, NULL, (void *)(intptr_t)sig);
}

void child_continue(struct child *c)
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

enum child_event child_next(struct child *c)
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

struct err *child_check_exec(struct child *c, const char *name, enum child_event *ret)
{
	int error = 0;
	ssize_t n = read(c->exec, &error, sizeof(error));

	*ret = CHILD_NOTHING;
	if (n < 0 && errno == EINTR)
		return NULL;
	close_fd(&c->exec);
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

bool child_read_checkpoint(struct child *c)
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
			close_fd(&c->checkpoint);
		if (n <= 0)
			return false;
	}
}

void child_resume(struct child *c)
{
	/* A full pipe: whoever wrote so many checkpoints does not read the answers. */
	(void)!write(c->resume, "go\n", 3);
}
