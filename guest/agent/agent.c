/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The agent: PID 1 of a guest. It prepares the guest, then does what the host says over one virtio-serial
 * port (guest/proto.h). It watches a guest that runs out of memory, so it must need none itself meanwhile.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "guest/agent/agent.h"
#include "guest/agent/agent-json.h"

/* The host takes the agent for lost when several of these are missing. */
#define HEARTBEAT_US 1000000

/* Longest wait for a point in guest time: the samples of that time must fit in the ring. */
#define ALIGN_MAX_MS 2000

/* Longest text of a file that a "write" reads back: settings of the kernel are short. */
#define READ_BACK_MAX 1024

static int child_fd = -1;

/* Why this guest is of no use; "" when it is fit. */
static char unfit[384];

static void send_hello(void)
{
	static char meminfo[4096];
	struct utsname u = { .release = "" };

	uname(&u);
	file_read("/proc/meminfo", meminfo, sizeof(meminfo), NULL);
	msg_begin("hello");
	msg_int("proto", PROTO_VERSION);
	msg_string("agent", SWAPCAL_VERSION);
	msg_string("kernel", u.release);
	msg_int("mem_total_kib", (int64_t)text_number(meminfo, "MemTotal:"));
	msg_int("mem_available_kib", (int64_t)text_number(meminfo, "MemAvailable:"));
	msg_int("page_size", sysconf(_SC_PAGESIZE));
	msg_int("cpus", sysconf(_SC_NPROCESSORS_ONLN));
	msg_string("error", unfit);
	msg_send(0);
}

static void send_heartbeat(void)
{
	char rollup[1024] = "";

	/* smaps_rollup is exact; for statm the kernel counts in batches. */
	file_read("/proc/self/smaps_rollup", rollup, sizeof(rollup), NULL);
	msg_begin("heartbeat");
	msg_int("t_us", (int64_t)now_us());
	msg_int("rss_kib", (int64_t)text_number(rollup, "Rss:"));
	sample_report();
	cgroup_report();
	msg_send(0);
}

/* Members of a request; *error is set, once, when one is missing or of another type. */

static const struct json_member *need(const struct json_object *o, const char *key, enum json_type type,
				      const char **error)
{
	static const struct json_member none = { .string = (char *)"" };
	const struct json_member *m = json_find(o, key, type);

	if (m)
		return m;
	if (!*error)
		*error = fail("'%s' is missing or of the wrong type", key);
	return &none;
}

static int64_t need_int(const struct json_object *o, const char *key, int64_t min, int64_t max,
			const char **error)
{
	int64_t n = need(o, key, JSON_TYPE_INT, error)->number;

	if (!*error && (n < min || n > max)) {
		*error = fail("'%s' is %lld, not in %lld..%lld", key, (long long)n, (long long)min,
			      (long long)max);
		return min;
	}
	return n;
}

static enum cgroup need_group(const struct json_object *o, const char **error)
{
	const char *name = need(o, "group", JSON_TYPE_STRING, error)->string;
	enum cgroup group = CGROUP_LOAD;

	if (!*error && !cgroup_find(name, &group))
		*error = fail("'group' is '%s', neither 'load' nor 'ballast'", name);
	return group;
}

/*
 * Waits for the next multiple of align_ms of guest time, if the request has that member. With an
 * instruction-counted clock all that a request sets off then happens at the same guest time in each life,
 * whenever the host sent it.
 */
static void align(const struct json_object *o, const char **error)
{
	if (*error || !json_find(o, "align_ms", JSON_TYPE_INT))
		return;

	uint64_t step_us = (uint64_t)need_int(o, "align_ms", 1, ALIGN_MAX_MS, error) * 1000;

	if (*error)
		return;

	uint64_t now = now_us(), until = (now / step_us + 1) * step_us;

	for (; now < until; now = now_us()) {
		struct pollfd tick = { .fd = sample_timer_fd, .events = POLLIN };
		uint64_t left = until - now;
		struct timespec timeout = { (time_t)(left / 1000000), (long)(left % 1000000 * 1000) };

		ppoll(&tick, 1, &timeout, NULL);
		sample_tick();
	}
}

static void do_write(int64_t id, const struct json_object *o)
{
	const char *error = NULL;
	const char *path = need(o, "path", JSON_TYPE_STRING, &error)->string;
	const char *value = need(o, "value", JSON_TYPE_STRING, &error)->string;
	char text[READ_BACK_MAX] = "";
	size_t len = 0;

	if (!error)
		error = file_write(path, value);
	if (!error && file_read(path, text, sizeof(text), &len))
		len = 0; /* files that only trigger something cannot be read */
	if (len > 0 && text[len - 1] == '\n')
		len--;
	msg_begin("reply");
	msg_int("id", id);
	msg_bool("ok", !error);
	msg_string("error", error ? error : "");
	msg_text("value", text, len);
	msg_send(0);
}

static void do_read(int64_t id, const struct json_object *o)
{
	const char *error = NULL;
	const char *path = need(o, "path", JSON_TYPE_STRING, &error)->string;

	if (!error)
		error = evidence_file(id, 0, path, path);
	msg_reply(id, error);
}

static void do_swapon(int64_t id, const struct json_object *o)
{
	const char *error = NULL;
	const char *device = need(o, "device", JSON_TYPE_STRING, &error)->string;
	int64_t kib = 0;

	if (json_find(o, "mkswap_kib", JSON_TYPE_INT))
		kib = need_int(o, "mkswap_kib", 1, INT64_MAX, &error);
	msg_reply(id, error ? error : boot_swapon(device, (uint64_t)kib));
}

static void do_zram(int64_t id, const struct json_object *o)
{
	(void)o;
	msg_reply(id, boot_zram());
}

static void do_watch(int64_t id, const struct json_object *o)
{
	const char *error = NULL;
	int64_t tick_ms = need_int(o, "tick_ms", 0, 10000, &error);

	if (error || tick_ms == 0) {
		msg_reply(id, error ? error : sample_watch(0, 0, 0, false));
		return;
	}

	int64_t pages = need_int(o, "pages", 1, INT64_MAX, &error);
	int64_t window_ms = need_int(o, "window_ms", 1, 60000, &error);
	bool freeze = need(o, "freeze", JSON_TYPE_BOOL, &error)->number;

	/* The name is for readers of the conversation; the agent goes by the numbers. */
	need(o, "rule", JSON_TYPE_STRING, &error);
	align(o, &error);
	if (!error)
		error = sample_watch((unsigned)tick_ms, (uint64_t)pages, (unsigned)window_ms, freeze);
	msg_reply(id, error);
}

static void do_start(int64_t id, const struct json_object *o)
{
	const char *error = NULL;
	const struct json_member *argv = need(o, "argv", JSON_TYPE_ARRAY, &error);
	const struct json_member *env = need(o, "env", JSON_TYPE_ARRAY, &error);
	bool chrooted = need(o, "chroot", JSON_TYPE_BOOL, &error)->number;
	enum cgroup group = need_group(o, &error);

	align(o, &error);
	if (!error)
		error = load_start(id, group, argv->items, argv->n_items, env->items, env->n_items, chrooted);
	if (error)
		msg_reply(id, error);
}

static void do_resume(int64_t id, const struct json_object *o)
{
	const char *error = NULL;
	int64_t pid = need_int(o, "pid", 1, INT32_MAX, &error);
	const char *line = need(o, "line", JSON_TYPE_STRING, &error)->string;

	msg_reply(id, error ? error : load_resume((pid_t)pid, line));
}

static void do_signal(int64_t id, const struct json_object *o)
{
	const char *error = NULL;
	int64_t sig = need_int(o, "sig", 1, NSIG - 1, &error);

	enum cgroup group = need_group(o, &error);

	msg_reply(id, error ? error : load_signal(group, (int)sig));
}

static void set_frozen(int64_t id, const struct json_object *o, bool frozen)
{
	uint64_t us = 0;
	const char *error = NULL;
	enum cgroup group = need_group(o, &error);

	if (!error)
		error = cgroup_set_frozen(group, frozen, &us);
	/* What the load weighs at rest, or before it goes on. */
	sample_want_stat();

	msg_begin("reply");
	msg_int("id", id);
	msg_bool("ok", !error);
	msg_string("error", error ? error : "");
	msg_int("freeze_us", (int64_t)us);
	msg_send(0);
}

static void do_freeze(int64_t id, const struct json_object *o)
{
	set_frozen(id, o, true);
}

static void do_thaw(int64_t id, const struct json_object *o)
{
	set_frozen(id, o, false);
}

static void clear_refs(enum cgroup group, const char *which)
{
	static pid_t pids[PROTO_LOAD_TASKS_MAX];
	size_t n = cgroup_pids(group, pids, PROTO_LOAD_TASKS_MAX);

	for (size_t i = 0; i < n; i++) {
		char path[48];

		snprintf(path, sizeof(path), "/proc/%d/clear_refs", (int)pids[i]);
		file_write(path, which); /* a process that has ended meanwhile uses no pages */
	}
}

/* Forgets which file pages the load has used so far: from now on its page tables tell what is used anew. */
static void do_unreference(int64_t id, const struct json_object *o)
{
	(void)o;
	clear_refs(CGROUP_LOAD, "3");
	msg_reply(id, NULL);
}

/* Makes all pages old: those of load and ballast, and our own, for there are no other processes. */
static void do_age(int64_t id, const struct json_object *o)
{
	(void)o;
	for (enum cgroup g = 0; g < CGROUP_COUNT; g++)
		clear_refs(g, "1");
	msg_reply(id, file_write("/proc/self/clear_refs", "1"));
}

static void do_snapshot(int64_t id, const struct json_object *o)
{
	const struct json_member *only = json_find(o, "only", JSON_TYPE_STRING);

	sample_ship(true);
	evidence_snapshot(id, only ? only->string : NULL);
	msg_reply(id, NULL);
}

static void do_hello(int64_t id, const struct json_object *o)
{
	(void)id;
	(void)o;
	send_hello();
}

static void do_poweroff(int64_t id, const struct json_object *o)
{
	(void)id;
	(void)o;
	power_off();
}

static const struct request {
	const char *type;
	void (*handle)(int64_t id, const struct json_object *o);
} requests[] = {
	{ "write", do_write },       { "read", do_read },
	{ "swapon", do_swapon },     { "watch", do_watch },
	{ "start", do_start },       { "resume", do_resume },
	{ "signal", do_signal },     { "freeze", do_freeze },
	{ "thaw", do_thaw },         { "unreference", do_unreference },
	{ "snapshot", do_snapshot }, { "poweroff", do_poweroff },
	{ "zram", do_zram },         { "hello", do_hello },
	{ "age", do_age },
};

void agent_handle(char *json, size_t len)
{
	static struct json_object o;
	const char *error = json_parse(json, len, &o);

	/* Without an id no reply is possible: host and agent no longer speak the same language. */
	const struct json_member *id = error ? NULL : json_find(&o, "id", JSON_TYPE_INT);

	if (!id) {
		say("message from the host: %s", error ? error : "no id");
		power_off();
	}

	const char *type = need(&o, "type", JSON_TYPE_STRING, &error)->string;

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if (strcmp(requests[i].type, type) == 0) {
			requests[i].handle(id->number, &o);
			return;
		}
	msg_reply(id->number, error ? error : fail("unknown request '%s'", type));
}

/* Memory and processor time for us, whatever the load takes. */
static const char *claim_resources(void)
{
	struct sched_param priority = { .sched_priority = 1 };

	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
		return fail("cannot lock memory: %s", strerror(errno));
	/* A system call, since musl refuses what POSIX leaves out. A child starts at normal priority. */
	if (syscall(SYS_sched_setscheduler, 0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority) < 0)
		return fail("cannot become a real-time process: %s", strerror(errno));
	return file_write("/proc/self/oom_score_adj", "-1000");
}

static const char *catch_children(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	child_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return child_fd < 0 ? fail("cannot make a signalfd: %s", strerror(errno)) : NULL;
}

/* The first reason why this guest is of no use stays; what follows is often its consequence. */
static void note_error(const char *error)
{
	if (!error)
		return;
	say("%s", error);
	if (!unfit[0])
		snprintf(unfit, sizeof(unfit), "%s", error);
}

static int poll_timeout_ms(uint64_t heartbeat_us, bool more)
{
	uint64_t now = now_us();
	int until_heartbeat = heartbeat_us > now ? (int)((heartbeat_us - now) / 1000) + 1 : 0;
	int until_ship = sample_ship_due_ms();

	if (more)
		return 0;
	return until_ship >= 0 && until_ship < until_heartbeat ? until_ship : until_heartbeat;
}

_Noreturn static void serve(void)
{
	uint64_t heartbeat_us = now_us();
	bool more = false, has_dead = false;

	for (;;) {
		struct pollfd fds[3 + LOAD_POLLFDS] = {
			{ .fd = port_fd, .events = POLLIN },
			{ .fd = sample_timer_fd, .events = POLLIN },
			{ .fd = child_fd, .events = POLLIN },
		};
		struct signalfd_siginfo info;

		load_poll_prepare(fds + 3);
		if (poll(fds, 3 + LOAD_POLLFDS, poll_timeout_ms(heartbeat_us, more)) < 0)
			continue;
		if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) {
			say("the host is gone");
			power_off();
		}
		sample_tick();
		sample_ship(false);
		if (fds[0].revents & POLLIN)
			port_receive();
		more = load_poll_serve(fds + 3);
		/* One signal may stand for many children. */
		if (read(child_fd, &info, sizeof(info)) > 0 || has_dead)
			has_dead = load_reap();
		more |= has_dead;
		if (now_us() >= heartbeat_us) {
			send_heartbeat();
			heartbeat_us = (now_us() / HEARTBEAT_US + 1) * HEARTBEAT_US;
		}
	}
}

int main(void)
{
	note_error(boot_system());
	note_error(boot_root_image());
	note_error(boot_user());
	note_error(boot_scratch());
	note_error(cgroup_init());
	note_error(catch_children());
	note_error(load_init());
	note_error(sample_init());
	note_error(pagemap_init());
	note_error(claim_resources());

	const char *no_port = port_open();

	if (no_port) {
		say("%s", no_port);
		power_off();
	}
	send_hello();
	serve();
}
