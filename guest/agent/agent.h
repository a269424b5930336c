/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "guest/proto.h"

/*
 * What the parts of the agent offer each other. The agent is one thread. Its memory is static, locked, and
 * there before a load starts, for a guest that swaps gives none: nothing calls malloc once swap is on.
 *
 * A function that can fail returns NULL or the reason, as text that lives until the next fail().
 */

/* agent-util.c */

/** Formats a reason. Always returns the same static buffer. */
__attribute__((format(printf, 1, 2))) const char *fail(const char *format, ...);
/** One line on the console, after "agent: ". */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);
_Noreturn void power_off(void);
uint64_t now_us(void);
void sleep_us(unsigned us);
/** Reads a small file whole and ends it with a 0 byte; what does not fit is cut. */
const char *file_read(const char *path, char *buf, size_t size, size_t *ret_len);
/** Writes text in one write(), as files of the kernel want it. */
const char *file_write(const char *path, const char *text);
/** The number behind "KEY" at the start of a line, 0 when there is none. Key with its colon or space. */
uint64_t text_number(const char *text, const char *key);

/* agent-boot.c */

/** Mounts, modules. Returns at once with the first thing that went wrong; the rest is done all the same. */
const char *boot_system(void);
/** Mounts the root disk and what programs expect in it; nothing to do when there is no such disk. */
const char *boot_root_image(void);
/** Mounts the disk with a user's workloads in the root image; nothing to do when there is none. */
const char *boot_user(void);
/** Mounts the scratch disk; nothing to do when there is none. */
const char *boot_scratch(void);
/** Loads the modules of zram, which boot_system() leaves alone. Before swap is on. */
const char *boot_zram(void);
/** Swaps on a device: its path, or its serial; mkswap_kib: make it a swap area of so much first, 0: it is
 * one. */
const char *boot_swapon(const char *device, uint64_t mkswap_kib);

/* agent-swap.c */

/** Writes the header of a swap area of so much to the start of a device. */
const char *swap_make(const char *path, uint64_t kib);

/* agent-port.c */

extern int port_fd;

/** Finds the port, opens it, waits for the host. */
const char *port_open(void);
/** Starts a message. Its members follow, then msg_send(). There is one message at a time. */
void msg_begin(const char *type);
void msg_int(const char *key, int64_t value);
void msg_bool(const char *key, bool value);
void msg_text(const char *key, const char *text, size_t len);
void msg_string(const char *key, const char *text);
/** Room for PROTO_PAYLOAD_MAX bytes, sent by msg_send(). */
char *msg_payload(void);
/** Sends the message with the first bytes of the payload. Sampling goes on while the host is slow. */
void msg_send(uint32_t payload_len);
/** The reply to a request: ok, or the error when there is one. */
void msg_reply(int64_t id, const char *error);
/** Reads what the host sent; handles each complete message through agent_handle(). */
void port_receive(void);

/* agent.c */

/** A checked message of the host; the text is zero-terminated and may be changed. */
void agent_handle(char *json, size_t len);

/* agent-cgroup.c */

/** What is frozen and signalled together, and counted apart. */
enum cgroup {
	CGROUP_LOAD,
	CGROUP_BALLAST, /**< what grows beside a load */
	CGROUP_COUNT,
};

/** Makes the cgroups. */
const char *cgroup_init(void);
/** The group of that name, as the host calls it. False when there is none. */
bool cgroup_find(const char *name, enum cgroup *ret);
const char *cgroup_name(enum cgroup group);
/** For a child: moves the calling process into a group. */
bool cgroup_join(enum cgroup group);
uint64_t cgroup_memory_kib(enum cgroup group);
/** Fills the columns load_stat_*. */
void cgroup_stat(struct proto_sample *s);
/** Freezes or thaws a group and waits until it is so, at most 2 s. */
const char *cgroup_set_frozen(enum cgroup group, bool frozen, uint64_t *ret_us);
/** Freezes both groups at once; *ret_us is how long it took until all stood still. */
const char *cgroup_freeze_all(uint64_t *ret_us);
bool cgroup_is_frozen(enum cgroup group);
/** Adds forks_refused and oom_kills, of all groups, to a message. */
void cgroup_report(void);
/** Is the load frozen by our order: when that came, on now_us(), and how long it took until all stood still.
 */
bool cgroup_frozen_since(uint64_t *ret_order_us, uint64_t *ret_took_us);
/** Processes of a group, in the order of the kernel; at most max are written. */
size_t cgroup_pids(enum cgroup group, pid_t *pids, size_t max);

/* agent-sample.c */

extern int sample_timer_fd;

const char *sample_init(void);
/** Takes the baseline now and then a sample each tick_ms; tick_ms 0 ends sampling. */
const char *sample_watch(unsigned tick_ms, uint64_t pages, unsigned window_ms, bool freeze);
/** The next sample reads memory.stat anew. */
void sample_want_stat(void);
/** Takes the sample that is due, if one is, and acts on onset. Sends nothing. */
void sample_tick(void);
/** Sends samples and a due onset: when a batch is full or old, or at once. */
void sample_ship(bool at_once);
/** Milliseconds until sample_ship() has something to do, -1 when nothing waits. */
int sample_ship_due_ms(void);
/** Adds samples, sample_cpu_us_mean, sample_cpu_us_max to a message. */
void sample_report(void);

/* agent-load.c */

#define LOAD_MAX     33
#define LOAD_POLLFDS (3 * LOAD_MAX)

const char *load_init(void);
/** Starts a process of the load. The reply is sent when exec worked or failed. */
const char *load_start(int64_t id, enum cgroup group, char **argv, size_t argc, char **env, size_t env_len,
		       bool chrooted);
const char *load_resume(pid_t pid, const char *line);
const char *load_signal(enum cgroup group, int sig);
/** Pages the ballasts hold. */
uint64_t load_pages(void);
/** Fills LOAD_POLLFDS entries. */
void load_poll_prepare(struct pollfd *fds);
/** Serves them, and reports processes that ended. True when there is more to do at once. */
bool load_poll_serve(const struct pollfd *fds);
/**
 * Reaps dead children, but not more than a tick has time for: true when there may be more. A process that was
 * started is reported by load_poll_serve().
 */
bool load_reap(void);

/* agent-evidence.c */

/** Sends a file in pieces; why it could not be read, after that was sent too. */
const char *evidence_file(int64_t id, pid_t pid, const char *path, const char *name);
/** Starts a "file" message; "more" and msg_send() follow. */
void evidence_begin_file(int64_t id, pid_t pid, const char *name);
/**
 * Sends the files of the guest and of every process of the load, at last what that cost. only, unless NULL:
 * the one file of each process that is wanted, and none of the guest.
 */
void evidence_snapshot(int64_t id, const char *only);

/* agent-pagemap.c */

const char *pagemap_init(void);
/** Forgets what frames were like: a new snapshot begins. */
void pagemap_begin(void);
/** Sends the pages of a process as rows of struct proto_page_run; why that was not possible, unsent. */
const char *pagemap_send(int64_t id, pid_t pid);
