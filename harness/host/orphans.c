/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/host/orphans.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/file.h"
#include "harness/base/thread.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/** How the last ones ended, for post-mortems. */
static struct {
	pthread_mutex_t lock;
	siginfo_t last[64];
	unsigned n;
} ended = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void reap(pid_t pid)
{
	siginfo_t info = { 0 };

	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) || !info.si_pid)
		return;
	hold(&ended.lock);
	ended.last[ended.n++ % COUNT(ended.last)] = info;
}

bool orphans_find(pid_t pid, siginfo_t *ret)
{
	hold(&ended.lock);
	for (size_t i = 0; i < COUNT(ended.last); i++)
		if (ended.last[i].si_pid == pid) {
			*ret = ended.last[i];
			return true;
		}
	return false;
}

void orphans_adopt(void)
{
	/* Cannot fail since Linux 3.4, and if it did, init would do it. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/**
 * A child that somebody here started and will wait for is in our session or, after setsid(), leads its own.
 * One that is in a third session was started by such a leader.
 */
static bool is_adopted(pid_t pid, bool or_leader)
{
	pid_t session = getsid(pid);

	return session >= 0 && (session != pid || or_leader) && session != getsid(0);
}

/** Reaps the adopted among the children of one thread, given as "123 456 ". */
static void reap_listed(const char *children, bool or_leader)
{
	char *end;

	for (long pid; (pid = strtol(children, &end, 10)) > 0; children = end)
		if (is_adopted((pid_t)pid, or_leader))
			reap((pid_t)pid);
}

void orphans_reap_all(bool or_leader)
{
	cleanup(cleanup_dir_) DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;

	while (tasks && (entry = readdir(tasks))) {
		cleanup_free char *path = xasprintf("/proc/self/task/%s/children", entry->d_name);
		/*
		 * A thread may have ended meanwhile; a kernel without CONFIG_PROC_CHILDREN has none of
		 * these files, nor have "." and "..".
		 */
		cleanup_free char *children = file_text(path, NULL);

		reap_listed(children, or_leader);
	}
}

void orphans_reap(void)
{
	siginfo_t info = { 0 };

	/* A look that costs one system call, since mostly nobody has died. */
	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid == 0)
		return;
	if (is_adopted(info.si_pid, false))
		reap(info.si_pid);
	/* The first dead child hides the others. */
	orphans_reap_all(false);
}
