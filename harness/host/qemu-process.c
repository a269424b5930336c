/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/host/qemu-process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/file.h"
#include "harness/base/strbuf.h"

#define BOOT_ID_LEN 36

static void read_small(const char *path, size_t max_bytes, struct strbuf *sb)
{
	struct err *e = file_read(path, max_bytes, sb);

	if (e)
		strbuf_clear(sb);
	err_free(e);
}

/** Within what a process id has a meaning, as "boot ID pid:[NAMESPACE]"; NULL when /proc does not tell. */
static char *read_scope(void)
{
	cleanup_strbuf struct strbuf boot = STRBUF_INIT;
	char ns[64];
	ssize_t n = readlink("/proc/self/ns/pid", ns, sizeof(ns) - 1);

	read_small("/proc/sys/kernel/random/boot_id", 64, &boot);
	if (n <= 0 || boot.len < BOOT_ID_LEN)
		return NULL;
	return xasprintf("boot %.*s %.*s", BOOT_ID_LEN, boot.data, (int)n, ns);
}

char *process_identity(pid_t pid)
{
	cleanup_free char *path = xasprintf("/proc/%d/stat", (int)pid), *scope = read_scope();
	cleanup_strbuf struct strbuf stat = STRBUF_INIT;
	unsigned long long started;

	read_small(path, 4096, &stat);

	/* starttime is field 22 of proc_pid_stat(5); field 2 may hold anything up to the last ')'. */
	const char *p = strrchr(strbuf_str(&stat), ')');

	if (!p || !scope ||
	    sscanf(p + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
		   &started) != 1)
		return xstrdup("");
	return xasprintf("swapcal process %d started %llu %s", (int)pid, started, scope);
}

bool process_identity_is_dead(const char *text)
{
	cleanup_free char *scope = read_scope();
	const char *text_scope = strstr(text, "boot ");
	int pid;

	if (sscanf(text, "swapcal process %d started ", &pid) != 1 || pid <= 0 || !text_scope || !scope ||
	    strcmp(text_scope, scope) != 0)
		return false;

	cleanup_free char *now = process_identity(pid);

	/* A /proc that hides other users' processes (hidepid) says nothing of them either. */
	if (!*now)
		return kill(pid, 0) && errno == ESRCH;
	return strcmp(now, text) != 0;
}

void process_add_quoted(struct strbuf *sb, const char *arg)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+,./:@%";

	if (*arg && arg[strspn(arg, safe)] == '\0') {
		strbuf_adds(sb, arg);
		return;
	}
	strbuf_adds(sb, "'");
	for (; *arg; arg++) {
		if (*arg == '\'')
			strbuf_adds(sb, "'\\''");
		else
			strbuf_add(sb, arg, 1);
	}
	strbuf_adds(sb, "'");
}

char *process_command_line(pid_t pid)
{
	cleanup_free char *path = xasprintf("/proc/%d/cmdline", (int)pid);
	cleanup_strbuf struct strbuf args = STRBUF_INIT, sb = STRBUF_INIT;

	/* 2 MiB: the kernel's limit on arguments. */
	read_small(path, 2 << 20, &args);
	for (size_t i = 0; i < args.len; i += strlen(args.data + i) + 1) {
		if (i)
			strbuf_adds(&sb, " ");
		process_add_quoted(&sb, args.data + i);
	}
	return strbuf_steal(&sb);
}

bool process_is_stopped(pid_t pid)
{
	cleanup_free char *path = xasprintf("/proc/%d/stat", (int)pid);
	cleanup_strbuf struct strbuf stat = STRBUF_INIT;

	read_small(path, 4096, &stat);

	const char *p = strrchr(strbuf_str(&stat), ')');

	/* ") T ": stopped; 't': by a debugger. */
	return p && p[1] == ' ' && (p[2] == 'T' || p[2] == 't');
}

/** Has the command line (arguments that end in NUL) this text somewhere? */
static bool has_text(const struct strbuf *cmdline, const char *text)
{
	return memmem(strbuf_str(cmdline), cmdline->len, text, strlen(text)) != NULL;
}

bool process_args_are_qemu(const struct strbuf *cmdline)
{
	const char *args = strbuf_str(cmdline), *slash = strrchr(args, '/');

	return strncmp(slash ? slash + 1 : args, "qemu-", 5) == 0;
}

static bool is_qemu_of(const struct strbuf *cmdline, const char *guest, const char *root)
{
	cleanup_free char *name = xasprintf("guest=%s,", guest),
			  *below = root ? xasprintf("%s/", root) : NULL;

	if (!process_args_are_qemu(cmdline))
		return false;
	return has_text(cmdline, name) || (below && has_text(cmdline, below) && !has_text(cmdline, "guest="));
}

static bool kill_if_qemu(pid_t pid, const char *guest, const char *root)
{
	/* First, so that what is then read is about the process that the descriptor stands for. */
	cleanup_close int pidfd = pidfd_open(pid, 0);
	cleanup_free char *path = xasprintf("/proc/%d/cmdline", (int)pid);
	cleanup_strbuf struct strbuf cmdline = STRBUF_INIT;

	if (pidfd < 0)
		return false;
	read_small(path, 2 << 20, &cmdline);
	return is_qemu_of(&cmdline, guest, root) && pidfd_send_signal(pidfd, SIGKILL, NULL, 0) == 0;
}

bool process_kill_qemu(const char *guest, const char *root)
{
	cleanup(cleanup_dir_) DIR *proc = opendir("/proc");
	struct dirent *entry;
	bool is_killed = false;

	while (proc && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]))
			is_killed |= kill_if_qemu((pid_t)strtol(entry->d_name, NULL, 10), guest, root);
	return is_killed;
}
