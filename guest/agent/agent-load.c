/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/agent/agent.h"
#include "guest/agent/agent-spawn.h"
#include "guest/checkpoint-line.h"

#define OUTPUT_MAX_BYTES 16384

/* What one load may make the agent do in one turn of its loop: a flood must not delay the next tick. */
#define LINES_PER_TURN  4
#define REAPED_PER_TURN 64

/*
 * Turns spent on the last words of a dead process: a pipe full of the shortest lines. Without a limit its
 * live children could put off the report of its end for ever.
 */
#define LAST_TURNS (65536 / LINES_PER_TURN)

/** A process that was started; free when pid is 0. */
struct load {
	pid_t pid;
	int64_t start_id;
	struct spawn_pipes pipes;
	size_t out_bytes;
	struct checkpoint_reader lines;
	bool dead; /* reaped; its pipes are being read to their end */
	int wait_status;
	unsigned last_turns;
	char name[64];
};

static struct load loads[LOAD_MAX];

/* One counter for each load, in a page they share with us once load_init() made it. */
static uint64_t no_progress[LOAD_MAX];
static volatile uint64_t *progress = no_progress;
static int progress_fd = -1;

const char *load_init(void)
{
	progress_fd = memfd_create("progress", MFD_CLOEXEC);
	if (progress_fd < 0 || ftruncate(progress_fd, LOAD_MAX * sizeof(*progress)) < 0)
		return fail("cannot make the progress page: %s", strerror(errno));

	void *page =
		mmap(NULL, LOAD_MAX * sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED, progress_fd, 0);

	if (page == MAP_FAILED)
		return fail("cannot map the progress page: %s", strerror(errno));
	progress = page;
	return NULL;
}

uint64_t load_pages(void)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < LOAD_MAX; i++)
		sum += progress[i];
	return sum;
}

static void free_load(struct load *l)
{
	spawn_close(&l->pipes);
	l->pid = 0;
	progress[l - loads] = 0;
}

static struct load *find_load(pid_t pid)
{
	for (struct load *l = loads; l < loads + LOAD_MAX; l++)
		if (l->pid == pid)
			return l;
	return NULL;
}

const char *load_start(int64_t id, enum cgroup group, char **argv, size_t argc, char **env, size_t env_len,
		       bool chrooted)
{
	struct load *l = find_load(0);

	if (argc == 0)
		return fail("nothing to start: argv is empty");
	if (!l)
		return fail("%d processes were started and still run; no more are possible", LOAD_MAX);
	/* It would join the cgroup and stop before exec, and the host would wait for a reply. */
	if (cgroup_is_frozen(group))
		return fail("the %s is frozen", cgroup_name(group));

	struct spawn_request r = {
		.argv = argv,
		.argc = argc,
		.group = group,
		.env = env,
		.env_len = env_len,
		.chrooted = chrooted,
		.progress_fd = progress_fd,
		.slot = (size_t)(l - loads),
	};

	progress[l - loads] = 0;

	const char *error = spawn(&r, &l->pipes, &l->pid);

	if (error)
		return error;
	l->start_id = id;
	l->out_bytes = 0;
	l->lines = (struct checkpoint_reader){ 0 };
	l->dead = false;
	snprintf(l->name, sizeof(l->name), "%s", argv[0]);
	return NULL;
}

const char *load_resume(pid_t pid, const char *line)
{
	struct load *l = pid > 0 ? find_load(pid) : NULL;
	char text[CHECKPOINT_LINE_MAX + 2];
	int len = snprintf(text, sizeof(text), "%s\n", line);

	if (!l)
		return fail("no process of the load has pid %d", (int)pid);
	if ((size_t)len >= sizeof(text))
		return fail("the line is longer than %d bytes", CHECKPOINT_LINE_MAX);
	if (write(l->pipes.resume, text, (size_t)len) != len)
		return fail("cannot resume process %d: %s", (int)pid, strerror(errno));
	return NULL;
}

const char *load_signal(enum cgroup group, int sig)
{
	static pid_t pids[PROTO_LOAD_TASKS_MAX];
	size_t n = cgroup_pids(group, pids, PROTO_LOAD_TASKS_MAX);

	if (sig < 1 || sig >= NSIG)
		return fail("no such signal: %d", sig);
	for (size_t i = 0; i < n; i++)
		kill(pids[i], sig); /* it may be gone meanwhile, which is as good */
	return NULL;
}

static void serve_exec(struct load *l)
{
	const char *error;

	if (!spawn_result(&l->pipes, l->name, &error))
		return;
	if (error) {
		msg_reply(l->start_id, error);
		free_load(l); /* reaped later, as a process that never was one of the load */
		return;
	}
	msg_begin("reply");
	msg_int("id", l->start_id);
	msg_bool("ok", true);
	msg_string("error", "");
	msg_int("pid", l->pid);
	msg_send(0);
}

/* False when there is no more to come for now. */
static bool serve_output(struct load *l)
{
	size_t left = OUTPUT_MAX_BYTES - l->out_bytes;
	/* After the limit it is read all the same, so that the load does not wait for us. */
	ssize_t n = read(l->pipes.out, msg_payload(), left > 0 ? left : PROTO_PAYLOAD_MAX);

	if (n == 0)
		close_fd(&l->pipes.out);
	if (n <= 0)
		return false;
	if (left > 0) {
		l->out_bytes += (size_t)n;
		msg_begin("output");
		msg_int("pid", l->pid);
		msg_send((uint32_t)n);
	}
	return true;
}

static void send_line(const struct load *l, const struct checkpoint_line *line)
{
	/* What was sampled before the checkpoint goes out before it. */
	sample_ship(true);
	msg_begin("checkpoint");
	msg_int("pid", l->pid);
	msg_text("line", line->text, line->len);
	if (line->is_bad)
		msg_bool("bad", true);
	msg_send(0);
}

/* False when there is no more to come for now. */
static bool serve_checkpoint(struct load *l)
{
	struct checkpoint_line line;
	ssize_t n = checkpoint_read(&l->lines, l->pipes.checkpoint);

	if (n == 0)
		close_fd(&l->pipes.checkpoint);
	for (int i = 0; i < LINES_PER_TURN && checkpoint_take(&l->lines, &line); i++)
		send_line(l, &line);
	return n > 0 || checkpoint_has_line(&l->lines);
}

/* True when the load has more to say at once. */
static bool serve_load(struct load *l, const struct pollfd *fds)
{
	bool more = false;

	/* exec first: its reply tells the host the pid that all else refers to. */
	if (fds[0].revents || (l->dead && l->pipes.exec >= 0))
		serve_exec(l);
	if (!l->pid)
		return false;
	if (fds[1].revents || l->dead)
		more |= serve_output(l);
	if (fds[2].revents || l->dead || checkpoint_has_line(&l->lines))
		more |= serve_checkpoint(l);
	return more;
}

static void report_exit(struct load *l)
{
	int status = l->wait_status;

	sample_ship(true);
	msg_begin("exit");
	msg_int("pid", l->pid);
	msg_int("status", WIFEXITED(status) ? WEXITSTATUS(status) : 0);
	msg_int("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	cgroup_report();
	msg_send(0);
	free_load(l);
}

void load_poll_prepare(struct pollfd *fds)
{
	for (const struct load *l = loads; l < loads + LOAD_MAX; l++, fds += 3) {
		bool used = l->pid != 0;

		/* poll() passes over negative descriptors. */
		fds[0] = (struct pollfd){ .fd = used ? l->pipes.exec : -1, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = used ? l->pipes.out : -1, .events = POLLIN };
		fds[2] = (struct pollfd){ .fd = used ? l->pipes.checkpoint : -1, .events = POLLIN };
	}
}

bool load_poll_serve(const struct pollfd *fds)
{
	bool more = false;

	for (struct load *l = loads; l < loads + LOAD_MAX; l++, fds += 3) {
		if (!l->pid)
			continue;

		bool has_more = serve_load(l, fds);

		if (l->pid && l->dead && (!has_more || ++l->last_turns == LAST_TURNS))
			report_exit(l);
		more |= l->pid && (l->dead || checkpoint_has_line(&l->lines));
	}
	return more;
}

bool load_reap(void)
{
	bool any = false;

	/* Orphans of the load are ours too, and a load may make them without end. */
	for (int i = 0; i < REAPED_PER_TURN; i++) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);
		struct load *l = pid > 0 ? find_load(pid) : NULL;

		if (pid <= 0)
			return any;
		if (!l)
			continue;
		/* Reported when its pipes are empty: it may have spoken since they were last read. */
		l->dead = any = true;
		l->wait_status = status;
		l->last_turns = 0;
	}
	return true;
}
