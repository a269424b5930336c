/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guest/agent/agent.h"

/* Raw text goes out as the kernel gave it; reading it is the host's part. */

/* No file about a small guest is nearly so long; the limit ends the reading of a file without end. */
#define FILE_BYTES_MAX (64u << 20)

static const char *const process_files[] = { "smaps_rollup", "smaps", "status", "stat", "statm" };

/* Files that only some guests have. A missing one is not reported. */
static const struct {
	const char *path, *name;
} optional_files[] = {
	{ "/sys/block/zram0/mm_stat", "zram0/mm_stat" },
	{ "/sys/block/zram0/comp_algorithm", "zram0/comp_algorithm" },
};

static const struct {
	const char *path, *name;
} guest_files[] = {
	{ "/proc/meminfo", "meminfo" },
	{ "/proc/vmstat", "vmstat" },
	{ "/proc/zoneinfo", "zoneinfo" },
	{ "/proc/swaps", "swaps" },
	{ "/proc/slabinfo", "slabinfo" },
	{ "/proc/buddyinfo", "buddyinfo" },
	{ "/proc/pressure/memory", "pressure/memory" },
	{ "/proc/pressure/io", "pressure/io" },
	{ "/proc/pressure/cpu", "pressure/cpu" },
	{ "/proc/self/mountinfo", "mountinfo" },
	{ "/sys/fs/cgroup/load/memory.current", "memory.current" },
	{ "/sys/fs/cgroup/load/memory.stat", "memory.stat" },
	{ "/sys/fs/cgroup/load/memory.swap.current", "memory.swap.current" },
	{ "/sys/fs/cgroup/load/memory.events", "memory.events" },
	{ "/sys/fs/cgroup/load/memory.peak", "memory.peak" },
	{ "/sys/fs/cgroup/load/memory.pressure", "memory.pressure" },
	{ "/sys/fs/cgroup/load/cpu.stat", "cpu.stat" },
	{ "/sys/fs/cgroup/load/cgroup.procs", "cgroup.procs" },
	{ "/sys/fs/cgroup/load/cgroup.threads", "cgroup.threads" },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void evidence_begin_file(int64_t id, pid_t pid, const char *name)
{
	msg_begin("file");
	msg_int("id", id);
	msg_int("pid", pid);
	msg_string("name", name);
}

static const char *send_failure(int64_t id, pid_t pid, const char *name, const char *error)
{
	evidence_begin_file(id, pid, name);
	msg_bool("more", false);
	msg_string("error", error);
	msg_send(0);
	return error;
}

/* Fills a payload. False when reading failed; at the end of the file *ret_len is less than a payload. */
static bool fill_payload(int fd, size_t *ret_len)
{
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && len < PROTO_PAYLOAD_MAX) {
		n = read(fd, msg_payload() + len, PROTO_PAYLOAD_MAX - len);
		if (n < 0)
			return false;
		len += (size_t)n;
	}
	*ret_len = len;
	return true;
}

static const char *send_pieces(int fd, int64_t id, pid_t pid, const char *path, const char *name)
{
	size_t sent = 0, len;

	do {
		sample_tick();
		if (!fill_payload(fd, &len))
			return fail("cannot read '%s': %s", path, strerror(errno));
		sent += len;
		if (sent > FILE_BYTES_MAX)
			return fail("'%s' is longer than %u MiB", path, FILE_BYTES_MAX >> 20);
		evidence_begin_file(id, pid, name);
		msg_bool("more", len == PROTO_PAYLOAD_MAX);
		msg_send((uint32_t)len);
	} while (len == PROTO_PAYLOAD_MAX);
	return NULL;
}

const char *evidence_file(int64_t id, pid_t pid, const char *path, const char *name)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return send_failure(id, pid, name, fail("cannot open '%s': %s", path, strerror(errno)));

	const char *error = send_pieces(fd, id, pid, path, name);

	close(fd);
	return error ? send_failure(id, pid, name, error) : NULL;
}

static void send_process(int64_t id, pid_t pid, const char *only)
{
	for (size_t i = 0; i < COUNT(process_files); i++) {
		char path[48];

		if (only && strcmp(only, process_files[i]) != 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, process_files[i]);
		evidence_file(id, pid, path, process_files[i]);
	}

	const char *error = only ? NULL : pagemap_send(id, pid);

	if (error)
		send_failure(id, pid, "pagemap", error);
}

/* What this snapshot cost, since start_us. */
static void send_cost(int64_t id, uint64_t start_us)
{
	uint64_t order_us, freeze_us = 0, now = now_us();
	bool is_frozen = cgroup_frozen_since(&order_us, &freeze_us);
	int len = snprintf(msg_payload(), PROTO_PAYLOAD_MAX,
			   "freeze_us %llu\nevidence_us %llu\nfrozen_us %llu\n",
			   (unsigned long long)freeze_us, (unsigned long long)(now - start_us),
			   is_frozen ? (unsigned long long)(now - order_us) : 0);

	evidence_begin_file(id, 0, "agent");
	msg_bool("more", false);
	msg_send((uint32_t)len);
}

static void send_guest(int64_t id)
{
	for (size_t i = 0; i < COUNT(guest_files); i++)
		evidence_file(id, 0, guest_files[i].path, guest_files[i].name);
	for (size_t i = 0; i < COUNT(optional_files); i++)
		if (access(optional_files[i].path, F_OK) == 0)
			evidence_file(id, 0, optional_files[i].path, optional_files[i].name);
}

void evidence_snapshot(int64_t id, const char *only)
{
	/* Whose pages went to swap is asked of the ballast too. */
	static pid_t pids[PROTO_LOAD_TASKS_MAX + LOAD_MAX];
	uint64_t start_us = now_us();
	size_t n = cgroup_pids(CGROUP_LOAD, pids, PROTO_LOAD_TASKS_MAX);

	n += cgroup_pids(CGROUP_BALLAST, pids + n, LOAD_MAX);

	/* The guest first: its counters move while we work, a frozen process does not. */
	if (!only)
		send_guest(id);
	pagemap_begin();
	for (size_t i = 0; i < n; i++)
		send_process(id, pids[i], only);
	send_cost(id, start_us);
}
