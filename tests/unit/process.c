/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/process.h"

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

int main(void)
{
	test_quoting();
	test_identity();
	test_command_line();
	return tap_done();
}
