/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/host/workdir.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"
#include "tests/tap.h"

/* Slots, and what dead processes leave in them. A QEMU is played by this program under another name. */

static char *base;

/** Starts this program as name with one argument, and waits until it runs under that name. */
static pid_t start_fake(const char *name, const char *arg)
{
	int ready[2];
	char c;

	if (pipe(ready))
		abort();

	pid_t pid = fork();

	if (pid == 0) {
		dup2(ready[1], 1);
		execl("/proc/self/exe", name, "-name", "guest=test", arg, (char *)NULL);
		_exit(1);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		abort();
	close(ready[0]);
	return pid;
}

/** Ends a child; was it killed before? */
static bool was_killed(pid_t pid)
{
	int status;
	bool is_dead = waitpid(pid, &status, WNOHANG) == pid;

	if (!is_dead) {
		kill(pid, SIGTERM);
		waitpid(pid, &status, 0);
	}
	return is_dead && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static struct workdir *open_base(void)
{
	struct workdir *w = NULL;
	struct err *e = workdir_open(base, &w);

	if (e)
		printf("# %s\n", err_message(e));
	err_free(e);
	return w;
}

static void test_slots(void)
{
	struct workdir *a = open_base(), *b = open_base();
	cleanup_free char *first = xasprintf("%s/0", base), *second = xasprintf("%s/1", base);
	struct stat st;

	is_str(a->root, first, "the first gets slot 0");
	is_str(b->root, second, "the second slot 1");
	is_int(stat(a->files, &st), 0, "there is a scratch directory");
	is_int(st.st_mode & 07777, 0711, "that others can pass, not list");

	cleanup_free char *scratch = xasprintf("%s/x", a->files);
	cleanup_free char *kept = xasprintf("%s/x", a->root);
	struct err *e = file_write_atomic(scratch, "x", 1, 0644);

	ok(!e && !file_write_atomic(kept, "x", 1, 0644), "files are put there");
	workdir_close(a);
	ok(!file_exists(scratch), "scratch files go with the process");
	a = open_base();
	ok(file_exists(kept), "others stay for the next");
	is_str(a->root, first, "a free slot is taken again");
	workdir_close(a);
	workdir_close(b);
}

static void test_leftovers(void)
{
	struct workdir *a = open_base();
	cleanup_free char *mine = xasprintf("%s/monitor", a->root);
	cleanup_free char *other = xasprintf("%s0/monitor", a->root);
	cleanup_free char *run = xasprintf("%s/run", a->root);
	cleanup_free char *state = xasprintf("%s/state", run);
	cleanup_free char *log = xasprintf("%s/log", a->root);
	struct err *e = file_mkdirs(run, 0755);

	ok(!e && !file_write_atomic(state, "x", 1, 0644) && !file_mkdirs(log, 0755),
	   "run state and logs are left");

	pid_t guest = start_fake("/usr/bin/qemu-system-x86_64", mine);
	pid_t elsewhere = start_fake("/usr/bin/qemu-system-x86_64", other);
	pid_t bystander = start_fake("/usr/bin/editor", mine);
	struct workdir *b = open_base();

	ok(waitpid(guest, NULL, WNOHANG) == 0, "a slot that is held is left alone");
	workdir_close(b);
	workdir_close(a);
	a = open_base();
	ok(was_killed(guest), "a QEMU in a free slot is ended");
	ok(!was_killed(elsewhere), "one of another directory is not");
	ok(!was_killed(bystander), "nor is another program that names the slot");
	ok(!file_exists(state) && !file_exists(log), "run state and logs are removed");
	workdir_close(a);
}

static void refuses(const char *dir, const char *part, const char *what)
{
	struct workdir *w = NULL;
	struct err *e = workdir_open(dir, &w);

	has_str(e ? err_message(e) : "", part, what);
	ok(e && err_get_kind(e) == ERR_HOST, "as a fault of the host");
	ok(!w, "and nothing is opened");
	err_free(e);
	workdir_close(w);
}

static void test_refusals(void)
{
	cleanup_free char *symlink_path = xasprintf("%s/l", base), *foreign = xasprintf("%s/f", base);

	ok(symlink(base, symlink_path) == 0, "a symlink");
	refuses(symlink_path, "cannot use", "is no work directory, wherever it leads");
	refuses("/tmp/a-path-that-leaves-no-room-for-sockets", "characters", "a long path is refused");
	if (geteuid() == 0) {
		ok(mkdir(foreign, 0777) == 0 && chown(foreign, 65534, 65534) == 0,
		   "another user's directory");
		refuses(foreign, "belongs to user 65534", "is refused");
	}
	ok(chmod(base, 0777) == 0, "a directory open to all");

	struct workdir *w = open_base();
	struct stat st;

	ok(w && stat(base, &st) == 0 && (st.st_mode & 07777) == 0711, "is closed first when it is ours");
	workdir_close(w);
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/workdir-XXXXXX";

	if (argc == 4 && strcmp(argv[1], "-name") == 0) {
		if (write(1, "r", 1) != 1)
			return 1;
		pause();
		return 0;
	}
	(void)argv;
	if (!mkdtemp(dir))
		return 1;
	base = dir;
	test_slots();
	test_leftovers();
	test_refusals();
	err_free(file_remove_tree(dir));
	return tap_done();
}
