/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "guest/agent/agent.h"
#include "guest/agent/agent-json.h"
#include "guest/agent/agent-spawn.h"

/* The descriptors of a load process beside 0, 1, 2; its environment names them. */
#define CHECKPOINT_FD 3
#define RESUME_FD     4
#define PROGRESS_FD   5
/* Where exec reports its failure; closed by a successful exec. */
#define EXEC_FD 6

/*
 * The user and group of programs in the root image: Debian's nobody, nogroup. As root it could end or stop
 * us, change the settings of the guest that the experiment is about, or leave its cgroup.
 */
#define IMAGE_UID 65534

/** Why a child could not become the load. */
struct exec_failure {
	enum { FAILED_CGROUP, FAILED_CHROOT, FAILED_RIGHTS, FAILED_EXEC } where;
	int error;
};

void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void spawn_close(struct spawn_pipes *p)
{
	close_fd(&p->exec);
	close_fd(&p->out);
	close_fd(&p->checkpoint);
	close_fd(&p->resume);
}

/* Our end does not block; the other one does, as programs expect. */
static bool make_pipe(int *ours, int *theirs, bool we_read)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	*ours = ends[we_read ? 0 : 1];
	*theirs = ends[we_read ? 1 : 0];
	return fcntl(*ours, F_SETFL, O_NONBLOCK) == 0;
}

static const char *make_pipes(struct spawn_pipes *ours, struct spawn_pipes *theirs)
{
	*ours = *theirs = (struct spawn_pipes){ -1, -1, -1, -1 };
	if (make_pipe(&ours->exec, &theirs->exec, true) && make_pipe(&ours->out, &theirs->out, true) &&
	    make_pipe(&ours->checkpoint, &theirs->checkpoint, true) &&
	    make_pipe(&ours->resume, &theirs->resume, false))
		return NULL;

	const char *error = fail("cannot make a pipe: %s", strerror(errno));

	spawn_close(ours);
	spawn_close(theirs);
	return error;
}

/* Copies to high numbers first, since a source may have the number of another target. */
static bool place_fds(const int *from, const int *to, size_t n)
{
	int high[8];

	for (size_t i = 0; i < n; i++) {
		high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 64);
		if (high[i] < 0)
			return false;
	}
	for (size_t i = 0; i < n; i++)
		if (dup2(high[i], to[i]) < 0)
			return false;
	return true;
}

static void reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
}

static bool has_variable(char **env, size_t n, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (strncmp(env[i], name, len) == 0 && env[i][len] == '=')
			return true;
	return false;
}

/* The environment of a load: what the host gave, defaults, and our descriptors. In the child only. */
static char **make_environment(const struct spawn_request *r)
{
	static char *env[JSON_ITEMS_MAX + 8];
	static char number[4][40];
	static char defaults[2][2][64] = {
		{ "PATH=/", "HOME=/" },
		{ "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/tmp" },
	};
	size_t count = 0;

	for (size_t i = 0; i < r->env_len; i++)
		env[count++] = r->env[i];
	if (!has_variable(r->env, r->env_len, "PATH"))
		env[count++] = defaults[r->chrooted][0];
	if (!has_variable(r->env, r->env_len, "HOME"))
		env[count++] = defaults[r->chrooted][1];
	snprintf(number[0], sizeof(number[0]), "SWAPCAL_CHECKPOINT_FD=%d", CHECKPOINT_FD);
	snprintf(number[1], sizeof(number[1]), "SWAPCAL_RESUME_FD=%d", RESUME_FD);
	env[count++] = number[0];
	env[count++] = number[1];
	if (!r->chrooted) {
		snprintf(number[2], sizeof(number[2]), "SWAPCAL_PROGRESS_FD=%d", PROGRESS_FD);
		snprintf(number[3], sizeof(number[3]), "SWAPCAL_PROGRESS_SLOT=%zu", r->slot);
		env[count++] = number[2];
		env[count++] = number[3];
	}
	return env;
}

_Noreturn static void child_fail(int fd, int where)
{
	struct exec_failure f = { where, errno };

	if (write(fd, &f, sizeof(f)) < 0)
		_exit(126);
	_exit(127);
}

/*
 * Gives up all rights for good. The limits are those of the cgroup; the kernel's limits for a user would come
 * first.
 */
static bool become_nobody(void)
{
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };

	return setrlimit(RLIMIT_NPROC, &none) == 0 && setrlimit(RLIMIT_MEMLOCK, &none) == 0 &&
	       setgroups(0, NULL) == 0 && setresgid(IMAGE_UID, IMAGE_UID, IMAGE_UID) == 0 &&
	       setresuid(IMAGE_UID, IMAGE_UID, IMAGE_UID) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

/* A program may open its descriptors again by their names in /proc, as shells do: then their owner counts. */
static bool give_pipes(void)
{
	return fchown(STDOUT_FILENO, IMAGE_UID, IMAGE_UID) == 0 &&
	       fchown(CHECKPOINT_FD, IMAGE_UID, IMAGE_UID) == 0 &&
	       fchown(RESUME_FD, IMAGE_UID, IMAGE_UID) == 0;
}

_Noreturn static void run_child(const struct spawn_request *r, const struct spawn_pipes *p)
{
	static char *argv[JSON_ITEMS_MAX + 1];
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const int from[] = { null, p->out, p->out, p->checkpoint, p->resume, p->exec, r->progress_fd };
	const int to[] = { 0, 1, 2, CHECKPOINT_FD, RESUME_FD, EXEC_FD, PROGRESS_FD };

	reset_signals();
	setsid();
	/* When memory ends, the load dies and not the agent. */
	if (file_write("/proc/self/oom_score_adj", "500") || !cgroup_join(r->group))
		child_fail(p->exec, FAILED_CGROUP);
	/* The last one is for ballasts only. */
	if (!place_fds(from, to, r->chrooted ? 6 : 7))
		child_fail(p->exec, FAILED_EXEC);
	fcntl(EXEC_FD, F_SETFD, FD_CLOEXEC);
	if (r->chrooted && (chroot("/root-image") < 0 || chdir("/") < 0))
		child_fail(EXEC_FD, FAILED_CHROOT);
	if (r->chrooted && (!give_pipes() || !become_nobody()))
		child_fail(EXEC_FD, FAILED_RIGHTS);
	memcpy(argv, r->argv, r->argc * sizeof(*argv));
	environ = make_environment(r);
	execvp(argv[0], argv);
	child_fail(EXEC_FD, FAILED_EXEC);
}

const char *spawn(const struct spawn_request *r, struct spawn_pipes *ret_pipes, pid_t *ret_pid)
{
	struct spawn_pipes ours, theirs;
	const char *error = make_pipes(&ours, &theirs);

	if (error)
		return error;

	pid_t pid = fork();
	int fork_error = errno;

	if (pid == 0)
		run_child(r, &theirs);
	spawn_close(&theirs);
	if (pid < 0) {
		spawn_close(&ours);
		return fail("cannot fork: %s", strerror(fork_error));
	}
	*ret_pipes = ours;
	*ret_pid = pid;
	return NULL;
}

bool spawn_result(struct spawn_pipes *p, const char *name, const char **ret_error)
{
	static const char *const actions[] = { "put into the cgroup", "enter the root image for",
					       "take the rights from", "execute" };
	struct exec_failure f;
	ssize_t n = read(p->exec, &f, sizeof(f));

	if (n < 0)
		return false;
	/* A successful exec closed the pipe. */
	close_fd(&p->exec);
	*ret_error =
		n == sizeof(f) ? fail("cannot %s '%s': %s", actions[f.where], name, strerror(f.error)) : NULL;
	return true;
}
