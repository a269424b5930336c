/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/agent/agent.h"

#define LOAD_DIR "/sys/fs/cgroup/load"

/* A task stops when it leaves the kernel; one in reclaim or waiting for swap can take its time. */
#define FREEZE_WAIT_US 2000000
#define FREEZE_POLL_US 200

/* Of the last order to freeze that took effect; 0 after a thaw. */
static uint64_t frozen_order_us, frozen_took_us;

static int procs_fd = -1, freeze_fd = -1, events_fd = -1, memory_fd = -1;
static int pids_events_fd = -1, memory_events_fd = -1;

static int open_load_file(const char *path, int flags, const char **error)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0 && !*error)
		*error = fail("cannot open '%s': %s", path, strerror(errno));
	return fd;
}

const char *cgroup_init(void)
{
	const char *error = file_write("/sys/fs/cgroup/cgroup.subtree_control", "+memory +pids");

	if (mkdir(LOAD_DIR, 0755) < 0 && errno != EEXIST)
		return fail("cannot make '%s': %s", LOAD_DIR, strerror(errno));
	procs_fd = open_load_file(LOAD_DIR "/cgroup.procs", O_WRONLY, &error);
	freeze_fd = open_load_file(LOAD_DIR "/cgroup.freeze", O_WRONLY, &error);
	events_fd = open_load_file(LOAD_DIR "/cgroup.events", O_RDONLY, &error);
	memory_fd = open_load_file(LOAD_DIR "/memory.current", O_RDONLY, &error);
	pids_events_fd = open_load_file(LOAD_DIR "/pids.events", O_RDONLY, &error);
	memory_events_fd = open_load_file(LOAD_DIR "/memory.events", O_RDONLY, &error);
	if (error)
		return error;

	char max[16];

	snprintf(max, sizeof(max), "%d", PROTO_LOAD_TASKS_MAX);
	return file_write(LOAD_DIR "/pids.max", max);
}

bool cgroup_join(void)
{
	return write(procs_fd, "0", 1) == 1;
}

/* Reads a short file from its start; "" when it cannot be read. */
static const char *reread(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);

	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

uint64_t cgroup_memory_kib(void)
{
	char text[32];

	return strtoull(reread(memory_fd, text, sizeof(text)), NULL, 10) / 1024;
}

void cgroup_report(void)
{
	char text[256];

	msg_int("forks_refused", (int64_t)text_number(reread(pids_events_fd, text, sizeof(text)), "max "));
	msg_int("oom_kills", (int64_t)text_number(reread(memory_events_fd, text, sizeof(text)), "oom_kill "));
}

bool cgroup_is_frozen(void)
{
	char text[128];

	return text_number(reread(events_fd, text, sizeof(text)), "frozen ") == 1;
}

const char *cgroup_set_frozen(bool frozen, uint64_t *ret_us)
{
	uint64_t start = now_us();

	if (write(freeze_fd, frozen ? "1" : "0", 1) != 1)
		return fail("cannot %s the load: %s", frozen ? "freeze" : "thaw", strerror(errno));
	while (cgroup_is_frozen() != frozen) {
		if (now_us() - start > FREEZE_WAIT_US)
			return fail("the load does not %s within %d s", frozen ? "freeze" : "thaw",
				    FREEZE_WAIT_US / 1000000);
		sleep_us(FREEZE_POLL_US);
	}
	*ret_us = now_us() - start;
	if (!frozen || !frozen_order_us) {
		/* An order to freeze what is frozen changes nothing. */
		frozen_order_us = frozen ? start : 0;
		frozen_took_us = frozen ? *ret_us : 0;
	}
	return NULL;
}

bool cgroup_frozen_since(uint64_t *ret_order_us, uint64_t *ret_took_us)
{
	*ret_order_us = frozen_order_us;
	*ret_took_us = frozen_took_us;
	return frozen_order_us != 0;
}

size_t cgroup_pids(pid_t *pids, size_t max)
{
	char text[PROTO_LOAD_TASKS_MAX * 8]; /* "32768\n" and some */
	size_t n = 0;

	if (file_read(LOAD_DIR "/cgroup.procs", text, sizeof(text), NULL))
		return 0;
	for (char *line = text, *end; n < max && (end = strchr(line, '\n')); line = end + 1)
		pids[n++] = (pid_t)strtol(line, NULL, 10);
	return n;
}
