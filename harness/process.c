/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/process.h"

#include <stdio.h>
#include <string.h>

#include "harness/base/alloc.h"
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

char *process_identity(pid_t pid)
{
	cleanup_free char *path = xasprintf("/proc/%d/stat", (int)pid);
	cleanup_strbuf struct strbuf stat = STRBUF_INIT, boot = STRBUF_INIT;
	unsigned long long started;

	read_small(path, 4096, &stat);
	read_small("/proc/sys/kernel/random/boot_id", 64, &boot);

	/* starttime is field 22 of proc_pid_stat(5); field 2 may hold anything up to the last ')'. */
	const char *p = strrchr(strbuf_str(&stat), ')');

	if (!p || boot.len < BOOT_ID_LEN ||
	    sscanf(p + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
		   &started) != 1)
		return xstrdup("");
	return xasprintf("swapcal process %d started %llu boot %.*s", (int)pid, started, BOOT_ID_LEN,
			 boot.data);
}

bool process_identity_is_dead(const char *text)
{
	cleanup_strbuf struct strbuf boot = STRBUF_INIT;
	const char *text_boot = strstr(text, " boot ");
	int pid;

	read_small("/proc/sys/kernel/random/boot_id", 64, &boot);
	if (sscanf(text, "swapcal process %d started ", &pid) != 1 || pid <= 0 || !text_boot ||
	    boot.len < BOOT_ID_LEN || strncmp(text_boot + strlen(" boot "), boot.data, BOOT_ID_LEN) != 0)
		return false;

	cleanup_free char *now = process_identity(pid);

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
