/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/host/qemu-process.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/strbuf.h"
#include "tests/tap.h"

static void quotes(const char *arg, const char *want, const char *what)
{
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;

	process_add_quoted(&sb, arg);
	is_str(strbuf_str(&sb), want, what);
}

static void test_quoting(void)
{
	quotes("a=b,c:/d.e", "a=b,c:/d.e", "plain words stay as they are");
	quotes("", "''", "nothing is a word too");
	quotes("a b", "'a b'", "a space is quoted");
	quotes("{\"a\":$x}", "'{\"a\":$x}'", "so is what a shell would expand");
	quotes("it's", "'it'\\''s'", "a quote is taken out");
	quotes("~x", "'~x'", "a tilde is quoted");
}

static void test_identity(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}

	cleanup_free char *me = process_identity(getpid()), *child = process_identity(pid);

	ok(*me && *child && strcmp(me, child) != 0, "processes have identities");
	ok(!process_identity_is_dead(me), "this one lives");
	ok(!process_identity_is_dead(child), "so does its child");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ok(process_identity_is_dead(child), "until it ends");

	char *started = strstr(me, "started ") + strlen("started ");
	cleanup_free char *earlier =
		xasprintf("%.*s1%s", (int)(started - me), me, started + strspn(started, "0123456789"));

	ok(process_identity_is_dead(earlier), "an earlier process with the same id is dead");

	cleanup_free char *boot = xstrdup(earlier), *container = xstrdup(earlier);

	strstr(boot, "boot ")[5] ^= 1;
	ok(!process_identity_is_dead(boot), "of another boot or machine nothing is known");
	strstr(container, "pid:[")[5] ^= 1;
	ok(!process_identity_is_dead(container), "nor of another container");
	ok(!process_identity_is_dead(""), "nor of no text");
	ok(!process_identity_is_dead("swapcal process -1 started 2 boot 3"), "nor of nonsense");
}

static void test_command_line(void)
{
	cleanup_free char *me = process_command_line(getpid());
	cleanup_free char *none = process_command_line(-1);

	has_str(me, "process.t", "a command line is read");
	is_str(none, "", "of no process it is empty");
}

/** A child with these words in its command line, that waits for input. */
static pid_t start_words(const char *program, const char *word, const char *file)
{
	int ready[2];
	char byte;

	if (pipe(ready))
		return -1;

	pid_t pid = fork();

	if (pid == 0) {
		dup2(ready[1], 1);
		execl("/bin/sh", program, "-c", "echo; read x", word, file, NULL);
		_exit(1);
	}
	close(ready[1]);
	/* Its command line is that when it has said something. */
	if (read(ready[0], &byte, 1) != 1)
		printf("# %s does not start\n", program);
	close(ready[0]);
	return pid;
}

/** Ends it, and says whether it was killed before. */
static bool was_killed(pid_t pid)
{
	int status;
	bool has_ended;

	/* A signal that was sent is acted on before the process is seen again. */
	kill(pid, SIGTERM);
	has_ended = waitpid(pid, &status, 0) == pid;
	return has_ended && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static void test_kill_qemu(void)
{
	int input[2];

	if (pipe(input))
		return;
	dup2(input[0], 0);

	pid_t guest = start_words("/usr/bin/qemu-x", "guest=swapcal-t-1,debug-threads=on", "/w/1/a");
	pid_t other = start_words("/usr/bin/qemu-x", "guest=swapcal-t-11,debug-threads=on", "/w/1/a");
	pid_t ability = start_words("/usr/bin/qemu-x", "-S", "/w/1/lib/a");
	pid_t elsewhere = start_words("/usr/bin/qemu-x", "-S", "/w/11/lib/a");
	pid_t editor = start_words("/usr/bin/vi", "guest=swapcal-t-1,", "/w/1/lib/a");

	ok(!process_kill_qemu("swapcal-t-2", NULL), "no guest of that name");
	ok(process_kill_qemu("swapcal-t-1", "/w/1"), "a guest is killed by its name");
	ok(was_killed(guest), "it has ended");
	ok(was_killed(ability), "and so has what libvirt asked for abilities");
	ok(!was_killed(other), "not a guest of a longer name");
	ok(!was_killed(elsewhere), "nor what belongs to another directory");
	ok(!was_killed(editor), "nor what is no QEMU");
	close(input[1]);
}

static void test_stopped(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		pause();
		_exit(0);
	}
	ok(!process_is_stopped(pid), "a process that waits is not stopped");
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	ok(process_is_stopped(pid), "one that got SIGSTOP is");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	ok(!process_is_stopped(pid), "one that is not there is not");
}

int main(void)
{
	test_kill_qemu();
	test_stopped();
	test_quoting();
	test_identity();
	test_command_line();
	return tap_done();
}
