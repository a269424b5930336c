/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/host/qemu-process.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"
#include "harness/base/strbuf.h"
#include "harness/base/thread.h"

#define BOOT_ID_LEN 36

/** SIGKILL takes effect at once unless the process hangs in the kernel, e.g. on a dead disk. */
#define KILL_TIMEOUT_MS 10000

/** Within what a process id has a meaning, as "boot ID pid:[NAMESPACE]"; NULL when /proc does not tell. */
static char *read_scope(void)
{
	cleanup_free char *boot = file_text("/proc/sys/kernel/random/boot_id", NULL);
	char ns[64];
	ssize_t n = readlink("/proc/self/ns/pid", ns, sizeof(ns) - 1);

	if (n <= 0 || strlen(boot) < BOOT_ID_LEN)
		return NULL;
	return xasprintf("boot %.*s %.*s", BOOT_ID_LEN, boot, (int)n, ns);
}

/** A file of a process in /proc; to be freed. */
static char *read_proc(pid_t pid, const char *name, size_t *ret_len)
{
	cleanup_free char *path = xasprintf("/proc/%d/%s", (int)pid, name);

	return file_text(path, ret_len);
}

char *qemu_owner(pid_t pid)
{
	cleanup_free char *stat = read_proc(pid, "stat", NULL), *scope = read_scope();
	unsigned long long started;
	/* starttime is field 22 of proc_pid_stat(5); field 2 may hold anything up to the last ')'. */
	const char *p = strrchr(stat, ')');

	if (!p || !scope ||
	    sscanf(p + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
		   &started) != 1)
		return xstrdup("");
	return xasprintf("swapcal process %d started %llu %s", (int)pid, started, scope);
}

bool qemu_owner_is_dead(const char *text)
{
	cleanup_free char *scope = read_scope();
	const char *text_scope = strstr(text, "boot ");
	int pid;

	if (sscanf(text, "swapcal process %d started ", &pid) != 1 || pid <= 0 || !text_scope || !scope ||
	    strcmp(text_scope, scope) != 0)
		return false;

	cleanup_free char *now = qemu_owner(pid);

	/* A /proc that hides other users' processes (hidepid) says nothing of them either. */
	if (!*now)
		return kill(pid, 0) && errno == ESRCH;
	return strcmp(now, text) != 0;
}

char *qemu_command_line(pid_t pid)
{
	size_t len;
	cleanup_free char *args = read_proc(pid, "cmdline", &len);
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;

	for (size_t i = 0; i < len; i += strlen(args + i) + 1) {
		if (i)
			strbuf_adds(&sb, " ");
		strbuf_add_quoted(&sb, args + i);
	}
	return strbuf_steal(&sb);
}

bool qemu_is_stopped(pid_t pid)
{
	cleanup_free char *stat = read_proc(pid, "stat", NULL);
	const char *p = strrchr(stat, ')');

	/* ") T ": stopped; 't': by a debugger. */
	return p && p[1] == ' ' && (p[2] == 'T' || p[2] == 't');
}

/** Have a process's arguments, each with its NUL, these bytes somewhere? */
static bool has_bytes(const char *args, size_t args_len, const char *bytes, size_t len)
{
	return memmem(args, args_len, bytes, len) != NULL;
}

/** Is it a guest, not one of the processes that libvirt asks for QEMU's capabilities? */
static bool is_guest(const char *args, size_t len)
{
	static const char arg[] = "\0-name\0guest=";

	return has_bytes(args, len, arg, sizeof(arg) - 1);
}

/** Is it a QEMU that names a path below dir, and that guest, no guest at all, or (guest NULL) any? */
static bool is_wanted(const char *args, size_t len, const char *dir, const char *guest)
{
	const char *slash = strrchr(args, '/');
	cleanup_free char *below = xasprintf("%s/", dir);
	cleanup_free char *name = xasprintf("guest=%s,", guest ? guest : "");

	return strncmp(slash ? slash + 1 : args, "qemu-", 5) == 0 &&
	       has_bytes(args, len, below, strlen(below)) &&
	       (!guest || !is_guest(args, len) || has_bytes(args, len, name, strlen(name)));
}

/**
 * Is dir the same directory for process pid as for us? In another mount namespace, as of a container, it may
 * be another one of that name; the namespaces that libvirt's daemon makes for its QEMUs change only /dev.
 * True in doubt: root in a container may not look at what it started as another user.
 */
static bool shares_dir(pid_t pid, const char *dir)
{
	cleanup_free char *path = xasprintf("/proc/%d/root%s", (int)pid, dir);
	struct stat ours, theirs;

	if (stat(dir, &ours))
		return true;
	if (stat(path, &theirs))
		return errno == EACCES || errno == EPERM;
	return ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

/** Kills process pid if it is wanted, and waits for its end; adds to *guests. */
static struct err *end_if_wanted(pid_t pid, const char *dir, const char *guest, unsigned *guests)
{
	/* The descriptor comes first: what is then read about pid is about the process it stands for. */
	cleanup_close int pidfd = pidfd_open(pid, 0);
	struct pollfd pollfd = { .fd = pidfd, .events = POLLIN };
	size_t len;
	/* Unreadable: it has just ended, or is none of our business. */
	cleanup_free char *args = read_proc(pid, "cmdline", &len);

	if (pidfd < 0 || !is_wanted(args, len, dir, guest) || !shares_dir(pid, dir))
		return NULL;
	if (pidfd_send_signal(pidfd, SIGKILL, NULL, 0)) {
		/* ESRCH: it has just ended. EPERM: it is another user's, whatever its arguments say. */
		if (errno == ESRCH || errno == EPERM)
			return NULL;
		return err_errno(errno, "cannot end QEMU process %d, left in '%s'", (int)pid, dir);
	}
	if (poll(&pollfd, 1, KILL_TIMEOUT_MS) != 1)
		return err_new("QEMU process %d, left in '%s', does not end", (int)pid, dir);
	*guests += is_guest(args, len);
	return NULL;
}

struct err *qemu_end(const char *dir, const char *guest, unsigned *ret)
{
	cleanup(cleanup_dir_) DIR *proc = opendir("/proc");
	struct err *e = proc ? NULL : err_errno(errno, "cannot open '/proc'");

	*ret = 0;
	/* One that does not end must not save the others: the first error is told when all had their signal.
	 */
	for (struct dirent *entry; proc && (entry = readdir(proc));) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		struct err *failed = pid > 0 ? end_if_wanted(pid, dir, guest, ret) : NULL;

		if (e)
			err_free(failed);
		else
			e = failed;
	}
	return e;
}

/* --- Orphans */

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
