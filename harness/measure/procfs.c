/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/measure/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness/base/cleanup.h"

/* smaps of a million mappings; what is longer has no end. */
#define FILE_BYTES_MAX (1u << 30)

/* The kernel gives a page's worth a time of most files, and up to this of some. */
#define READ_BYTES 65536

/* Numbers of stat's fields after the name, as proc(5) counts them. */
enum {
	STAT_STATE = 3,
	STAT_PPID = 4,
	STAT_UTIME = 14,
	STAT_STIME = 15,
	STAT_START = 22,
	STAT_VSIZE = 23,
	STAT_STACK = 28,
	STAT_END,
};

static int open_file(const char *proc, pid_t pid, const char *name)
{
	char path[PATH_MAX];
	int n = pid ? snprintf(path, sizeof(path), "%s/%d/%s", proc, (int)pid, name)
		    : snprintf(path, sizeof(path), "%s/%s", proc, name);

	if (n >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(path, O_RDONLY | O_CLOEXEC);
}

int procfs_read(const char *proc, pid_t pid, const char *name, struct strbuf *sb)
{
	cleanup_close int fd = open_file(proc, pid, name);
	size_t before = sb->len;

	if (fd < 0)
		return errno;
	for (;;) {
		char buf[READ_BYTES];
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			return 0;
		if (sb->len - before > FILE_BYTES_MAX)
			return EFBIG;
		strbuf_add(sb, buf, (size_t)n);
	}
}

/* Numbers of the fields behind the name; some are negative, none of those that are asked for. */
static bool parse_fields(const char *p, uint64_t values[STAT_END])
{
	for (int i = STAT_PPID; i < STAT_END; i++) {
		char *end;

		errno = 0;
		values[i] = strtoull(p, &end, 10);
		if (end == p || (*end != ' ' && *end != '\n') || (errno && *p != '-'))
			return false;
		p = end;
	}
	return true;
}

bool procfs_parse_stat(const char *text, size_t len, struct procfs_stat *ret)
{
	/* The longest: 52 numbers of at most 20 digits, and the name. */
	char buf[2048];
	uint64_t v[STAT_END];

	if (len == 0 || len >= sizeof(buf) || memchr(text, '\0', len))
		return false;
	memcpy(buf, text, len);
	buf[len] = '\0';

	char *name_end = strrchr(buf, ')'), *end;
	long pid = strtol(buf, &end, 10);

	if (pid <= 0 || pid > INT_MAX || strncmp(end, " (", 2) != 0)
		return false;
	if (!name_end || name_end < end || name_end[1] != ' ' || name_end[2] < 'A' || name_end[2] > 'z' ||
	    !parse_fields(name_end + 3, v) || v[STAT_PPID] > INT_MAX)
		return false;
	*ret = (struct procfs_stat){
		.pid = (pid_t)pid,
		.ppid = (pid_t)v[STAT_PPID],
		.state = name_end[2],
		.utime_ticks = v[STAT_UTIME],
		.stime_ticks = v[STAT_STIME],
		.start_ticks = v[STAT_START],
		.vsize_bytes = v[STAT_VSIZE],
		.stack_address = v[STAT_STACK],
	};
	return true;
}

bool procfs_stat(const char *proc, pid_t pid, struct procfs_stat *ret)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	struct procfs_stat st;

	if (procfs_read(proc, pid, "stat", &text) || !text.len ||
	    !procfs_parse_stat(text.data, text.len, &st) || st.pid != pid)
		return false;
	*ret = st;
	return true;
}

bool procfs_has_memory(const struct procfs_stat *st)
{
	return st->state != 'Z' && st->state != 'X' && st->state != 'x' && st->vsize_bytes > 0;
}

bool procfs_is_same(const struct procfs_stat *a, const struct procfs_stat *b)
{
	return a->pid == b->pid && a->start_ticks == b->start_ticks && a->stack_address == b->stack_address;
}

bool procfs_shares_memory(pid_t a, pid_t b)
{
	return syscall(SYS_kcmp, a, b, KCMP_VM, 0, 0) == 0;
}
