/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Child processes: their output, their failures, and above all that none of them outlives its job or its
 * parent. */

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/subprocess.h"
#include "harness/base/strbuf.h"
#include "tests/tap.h"

static void collect(void *arg, const char *line)
{
	strbuf_addf(arg, "[%s]", line);
}

/** Runs a shell script; its lines in *lines. */
static struct err *run_sh(const char *script, struct strbuf *lines)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	const char *const env[] = { "SWAPCAL_TEST=from env", NULL };
	struct subprocess job = {
		.argv = argv, .env = env, .line = collect, .line_arg = lines, .timeout_s = HANGS_S
	};

	strbuf_clear(lines);
	return subprocess_run(&job);
}

static void test_output(void)
{
	cleanup_strbuf struct strbuf lines = STRBUF_INIT;

	ok(!run_sh("echo one; echo two; printf end", &lines), "a program that ends well is no error");
	is_str(strbuf_str(&lines), "[one][two][end]", "its lines, the last without a newline");
	ok(!run_sh("printf 'a\\rb\\n\\nc\\n' >&2", &lines), "stderr");
	is_str(strbuf_str(&lines), "[a][b][c]", "... too, a redrawn line is a line, empty ones are left out");
	ok(!run_sh("cat; echo $SWAPCAL_TEST", &lines), "it can read stdin");
	is_str(strbuf_str(&lines), "[from env]", "... which is empty, and it has its environment");
	ok(!run_sh("head -c 300000 /dev/zero | tr '\\0' x", &lines), "a line without end");
	ok(lines.len > 300000 && strstr(strbuf_str(&lines), "x][x"), "... comes in pieces, nothing is lost");
}

/** The error's message, kept until the next call. */
static const char *message(struct err *e)
{
	static char text[4096];

	snprintf(text, sizeof(text), "%s", e ? err_message(e) : "(success)");
	err_free(e);
	return text;
}

static void test_failure(void)
{
	cleanup_strbuf struct strbuf lines = STRBUF_INIT;
	const char *const argv[] = { "swapcal-no-such-program", NULL };
	struct subprocess job = { .argv = argv };

	is_str(message(run_sh("echo out; echo why >&2; exit 3", &lines)),
	       "sh failed with exit status 3:\n  why", "an error has the status and what was said on stderr");
	is_str(message(run_sh("exit 1", &lines)), "sh failed with exit status 1", "... or only the status");
	has_str(message(run_sh("seq 100 >&2; exit 1", &lines)), ":\n  95\n  96\n  97\n  98\n  99\n  100",
		"only its last lines");
	has_str(message(run_sh("kill -SEGV $$", &lines)), "sh was ended by signal 11", "a crash is told");
	has_str(message(subprocess_run(&job)), "cannot start swapcal-no-such-program: No such file",
		"a missing program is told");
	ok(subprocess_program_exists("sh") && !subprocess_program_exists("swapcal-no-such-program"),
	   "programs can be looked for");
}

static struct err *call(void *arg)
{
	printf("printed\n");
	if (arg)
		return err_new_kind(ERR_HOST, "the call's own error: %s", (char *)arg);
	return NULL;
}

static void test_call(void)
{
	cleanup_strbuf struct strbuf lines = STRBUF_INIT;
	struct subprocess job = { .call = call, .line = collect, .line_arg = &lines };

	ok(!subprocess_run(&job), "a call in a child");
	is_str(strbuf_str(&lines), "[printed]", "... its lines arrive");
	job.call_arg = (void *)"no";

	struct err *e = subprocess_run(&job);

	is_int(e ? (int)err_get_kind(e) : -1, ERR_HOST, "its error keeps its kind");
	is_str(message(e), "the call's own error: no", "... and its text");
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/** Waits for the process to be gone; zombies of others do not count. */
static bool is_gone(pid_t pid)
{
	for (int i = 0; i < HANGS_S * 50; i++) {
		char path[64], state = 'X';

		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		FILE *f = fopen(path, "re");

		if (!f)
			return true;
		if (fscanf(f, "%*d %*s %c", &state) != 1)
			state = 'X';
		fclose(f);
		if (state == 'Z' || state == 'X')
			return true;
		usleep(20000);
	}
	return false;
}

static pid_t grandchild;

static void take_pid(void *arg, const char *line)
{
	(void)arg;
	grandchild = (pid_t)atoi(line);
}

static bool has_grandchild(void)
{
	return grandchild > 0;
}

/* A program with a child of its own. */
static const char family[] = "sleep 3600 & echo $!; wait";

static void test_cancel(void)
{
	const char *const argv[] = { "sh", "-c", family, NULL };
	struct subprocess job = { .argv = argv, .line = take_pid, .cancelled = has_grandchild };
	double start = now_s();
	struct err *e = subprocess_run(&job);

	is_int(e ? (int)err_get_kind(e) : -1, ERR_INTERRUPTED, "a cancelled job ends as interrupted");
	ok(now_s() - start < HANGS_S, "... before its program does");
	ok(is_gone(grandchild), "... with its children");
	err_free(e);
}

static void test_stubborn(void)
{
	const char *const argv[] = { "sh", "-c", "trap '' TERM; sh -c 'echo $$; while :; do sleep 1; done'",
				     NULL };
	struct subprocess job = { .argv = argv, .line = take_pid, .timeout_s = 1 };
	double start = now_s();

	grandchild = 0;
	has_str(message(subprocess_run(&job)), "no end after 1 s", "a job that takes too long is ended");
	ok(now_s() - start < HANGS_S, "... even when it ignores SIGTERM");
	ok(is_gone(grandchild), "... with its children");
}

static void test_left_behind(void)
{
	const char *const argv[] = { "sh", "-c", "sleep 3600 & echo $!", NULL };
	struct subprocess job = { .argv = argv, .line = take_pid };
	double start = now_s();

	grandchild = 0;
	ok(!subprocess_run(&job) && now_s() - start < HANGS_S,
	   "a child left in the background does not hold us up");
	ok(is_gone(grandchild), "... and is ended");
}

static void share_pid(void *arg, const char *line)
{
	*(volatile pid_t *)arg = (pid_t)atoi(line);
}

static void test_dead_parent(void)
{
	volatile pid_t *shared =
		mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t parent = fork();

	if (parent == 0) {
		const char *const argv[] = { "sh", "-c", family, NULL };
		struct subprocess job = { .argv = argv, .line = share_pid, .line_arg = (void *)shared };

		err_free(subprocess_run(&job));
		_exit(0);
	}
	for (int i = 0; i < HANGS_S * 100 && !*shared; i++)
		usleep(10000);
	ok(*shared > 0 && kill(*shared, 0) == 0, "a job runs");
	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	ok(is_gone(*shared), "when its parent is killed, all of it ends");
	munmap((void *)shared, sizeof(*shared));
}

int main(void)
{
	test_output();
	test_failure();
	test_call();
	test_cancel();
	test_stubborn();
	test_left_behind();
	test_dead_parent();
	return tap_done();
}
