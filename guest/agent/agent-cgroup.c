/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/agent/agent.h"

#define CGROUP_DIR "/sys/fs/cgroup"

/* A task stops when it leaves the kernel; one in reclaim or waiting for swap can take its time. */
#define FREEZE_WAIT_US 2000000
#define FREEZE_POLL_US 200

/* memory.stat has some 60 lines: 2 KiB. */
#define STAT_MAX 4096

/* The files of a group that are used again and again. */
struct files {
	int procs, freeze, events, memory, stat, swap, pids_events, memory_events;
};

static const char *const names[CGROUP_COUNT] = { "load", "ballast" };

static struct files groups[CGROUP_COUNT];

/* Of the last order to freeze the load that took effect; 0 after a thaw. */
static uint64_t frozen_order_us, frozen_took_us;

static int open_file(enum cgroup group, const char *name, int flags, const char **error)
{
	char path[96];

	snprintf(path, sizeof(path), CGROUP_DIR "/%s/%s", names[group], name);

	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0 && !*error)
		*error = fail("cannot open '%s': %s", path, strerror(errno));
	return fd;
}

static const char *make_group(enum cgroup group)
{
	const char *error = NULL;
	char path[64], max[16];

	snprintf(path, sizeof(path), CGROUP_DIR "/%s", names[group]);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return fail("cannot make '%s': %s", path, strerror(errno));
	groups[group] = (struct files){
		.procs = open_file(group, "cgroup.procs", O_WRONLY, &error),
		.freeze = open_file(group, "cgroup.freeze", O_WRONLY, &error),
		.events = open_file(group, "cgroup.events", O_RDONLY, &error),
		.memory = open_file(group, "memory.current", O_RDONLY, &error),
		.stat = open_file(group, "memory.stat", O_RDONLY, &error),
		.swap = open_file(group, "memory.swap.current", O_RDONLY, &error),
		.pids_events = open_file(group, "pids.events", O_RDONLY, &error),
		.memory_events = open_file(group, "memory.events", O_RDONLY, &error),
	};
	if (error)
		return error;
	snprintf(path, sizeof(path), CGROUP_DIR "/%s/pids.max", names[group]);
	snprintf(max, sizeof(max), "%d", PROTO_LOAD_TASKS_MAX);
	return file_write(path, max);
}

const char *cgroup_init(void)
{
	const char *error = file_write(CGROUP_DIR "/cgroup.subtree_control", "+memory +pids");

	for (enum cgroup g = 0; !error && g < CGROUP_COUNT; g++)
		error = make_group(g);
	return error;
}

bool cgroup_find(const char *name, enum cgroup *ret)
{
	for (enum cgroup g = 0; g < CGROUP_COUNT; g++)
		if (strcmp(names[g], name) == 0) {
			*ret = g;
			return true;
		}
	return false;
}

const char *cgroup_name(enum cgroup group)
{
	return names[group];
}

bool cgroup_join(enum cgroup group)
{
	return write(groups[group].procs, "0", 1) == 1;
}

/* Reads a short file from its start; "" when it cannot be read. */
static const char *reread(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);

	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static uint64_t read_bytes(int fd)
{
	char text[32];

	return strtoull(reread(fd, text, sizeof(text)), NULL, 10);
}

uint64_t cgroup_memory_kib(enum cgroup group)
{
	return read_bytes(groups[group].memory) / 1024;
}

void cgroup_stat(struct proto_sample *s)
{
	static char text[STAT_MAX];

	reread(groups[CGROUP_LOAD].stat, text, sizeof(text));
#define STAT(key) s->load_stat_##key##_kib = text_number(text, #key " ") / 1024
	STAT(active_anon);
	STAT(inactive_anon);
	STAT(active_file);
	STAT(inactive_file);
	STAT(unevictable);
	STAT(kernel);
	STAT(slab_reclaimable);
	STAT(swapcached);
#undef STAT
	s->load_stat_swap_kib = read_bytes(groups[CGROUP_LOAD].swap) / 1024;
}

void cgroup_report(void)
{
	uint64_t forks_refused = 0, oom_kills = 0;
	char text[256];

	for (const struct files *f = groups; f < groups + CGROUP_COUNT; f++) {
		forks_refused += text_number(reread(f->pids_events, text, sizeof(text)), "max ");
		oom_kills += text_number(reread(f->memory_events, text, sizeof(text)), "oom_kill ");
	}
	msg_int("forks_refused", (int64_t)forks_refused);
	msg_int("oom_kills", (int64_t)oom_kills);
}

bool cgroup_is_frozen(enum cgroup group)
{
	char text[128];

	return text_number(reread(groups[group].events, text, sizeof(text)), "frozen ") == 1;
}

static const char *order(enum cgroup group, bool frozen)
{
	if (write(groups[group].freeze, frozen ? "1" : "0", 1) == 1)
		return NULL;
	return fail("cannot %s the %s: %s", frozen ? "freeze" : "thaw", names[group], strerror(errno));
}

/* Waits until an order that was given at start_us has taken effect. */
static const char *await(enum cgroup group, bool frozen, uint64_t start_us, uint64_t *ret_us)
{
	while (cgroup_is_frozen(group) != frozen) {
		if (now_us() - start_us > FREEZE_WAIT_US)
			return fail("the %s does not %s within %d s", names[group],
				    frozen ? "freeze" : "thaw", FREEZE_WAIT_US / 1000000);
		sleep_us(FREEZE_POLL_US);
	}
	*ret_us = now_us() - start_us;
	/* An order to freeze what is frozen changes nothing. */
	if (group == CGROUP_LOAD && (!frozen || !frozen_order_us)) {
		frozen_order_us = frozen ? start_us : 0;
		frozen_took_us = frozen ? *ret_us : 0;
	}
	return NULL;
}

const char *cgroup_set_frozen(enum cgroup group, bool frozen, uint64_t *ret_us)
{
	uint64_t start_us = now_us();
	const char *error = order(group, frozen);

	return error ? error : await(group, frozen, start_us, ret_us);
}

const char *cgroup_freeze_all(uint64_t *ret_us)
{
	uint64_t start_us = now_us();
	const char *error = NULL;

	for (enum cgroup g = 0; !error && g < CGROUP_COUNT; g++)
		error = order(g, true);
	for (enum cgroup g = 0; !error && g < CGROUP_COUNT; g++)
		error = await(g, true, start_us, ret_us);
	return error;
}

bool cgroup_frozen_since(uint64_t *ret_order_us, uint64_t *ret_took_us)
{
	*ret_order_us = frozen_order_us;
	*ret_took_us = frozen_took_us;
	return frozen_order_us != 0;
}

size_t cgroup_pids(enum cgroup group, pid_t *pids, size_t max)
{
	char path[64], text[PROTO_LOAD_TASKS_MAX * 8]; /* "32768\n" and some */
	size_t n = 0;

	snprintf(path, sizeof(path), CGROUP_DIR "/%s/cgroup.procs", names[group]);
	if (file_read(path, text, sizeof(text), NULL))
		return 0;
	for (char *line = text, *end; n < max && (end = strchr(line, '\n')); line = end + 1)
		pids[n++] = (pid_t)strtol(line, NULL, 10);
	return n;
}
