/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Child processes: their output, their failures, and above all that none of them outlives its job or its
 * parent. */

#include <signal.h>
#include <sys/mman.h>

#include "harness/base/clock.h"
#include "harness/base/subprocess.h"
#include "tests/unit/errors.h"

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

static void test_failure(void)
{
	static const struct {
		const char *script, *want, *what;
	} rows[] = {
		{ "exit 1", "sh failed with exit status 1", "an error has the status" },
		{ "echo out; echo why >&2; exit 3", "sh failed with exit status 3:\n  why",
		  "and what was said on stderr" },
		{ "seq 100 >&2; exit 1", "sh failed with exit status 1:\n  95\n  96\n  97\n  98\n  99\n  100",
		  "only its last lines" },
		{ "kill -SEGV $$", "sh was ended by signal 11 (Segmentation fault)", "a crash is told" },
	};
	cleanup_strbuf struct strbuf lines = STRBUF_INIT;
	const char *const argv[] = { "swapcal-no-such-program", NULL };
	struct subprocess job = { .argv = argv };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err *e = run_sh(rows[i].script, &lines);

		is_str(e ? err_message(e) : "", rows[i].want, rows[i].what);
		err_free(e);
	}
	is_err(subprocess_run(&job), "cannot start swapcal-no-such-program: No such file",
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
	is_err_kind(subprocess_run(&job), ERR_HOST, "the call's own error: no", "its error is that");
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

/** Runs a script that tells a child's pid; the job ends in time, and the child with it. */
static struct err *run_family(const char *script, bool (*cancelled)(void), int timeout_s)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	struct subprocess job = {
		.argv = argv, .line = take_pid, .cancelled = cancelled, .timeout_s = timeout_s
	};
	int64_t start_ms = clock_ms();

	grandchild = 0;

	struct err *e = subprocess_run(&job);

	ok(clock_ms() - start_ms < HANGS_S * 1000, "a job is over in time ...");
	ok(grandchild > 0 && is_gone(grandchild), "... with its children");
	return e;
}

static void test_ends(void)
{
	is_err_kind(run_family(family, has_grandchild, 0), ERR_INTERRUPTED, "stopped on request",
		    "when it is cancelled, as interrupted");
	is_err(run_family("trap '' TERM; sh -c 'echo $$; while :; do sleep 1; done'", NULL, 1),
	       "no end after 1 s", "when it takes too long, even if it ignores SIGTERM");
	no_err(run_family("sleep 3600 & echo $!", NULL, 0), "when it left a child in the background");
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

TAP_MAIN(test_output, test_failure, test_call, test_ends, test_dead_parent)
