/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/host/workdir.h"

#include "tests/unit/host/fake-qemu.h"

/* Slots, and what dead processes leave in them. */

static const char *base;

static struct workdir *open_base(void)
{
	struct workdir *w;

	must(workdir_open(base, &w));
	return w;
}

static void test_slots(void)
{
	struct workdir *a = open_base(), *b = open_base();
	const char *first = test_format("%s/0", base);

	is_str(a->root, first, "the first gets slot 0");
	is_str(b->root, test_format("%s/1", base), "the second slot 1");
	is_int(test_mode(a->files), 0711, "there is a scratch directory that others can pass, not list");
	test_file("0/files/x", "x", 0644);
	test_file("0/x", "x", 0644);
	workdir_close(a);
	ok(!file_exists("0/files/x"), "scratch files go with the process");
	a = open_base();
	ok(file_exists("0/x"), "others stay for the next");
	is_str(a->root, first, "a free slot is taken again");
	workdir_close(a);
	workdir_close(b);
}

static void test_leftovers(void)
{
	struct workdir *a = open_base();
	const char *mine = test_format("%s/monitor", a->root);

	/* Run state and logs are left. */
	test_file("0/run/state", "x", 0644);
	must(file_mkdirs("0/log", 0755));

	pid_t guest = start_fake("/usr/bin/qemu-system-x86_64", "guest=test", mine);
	pid_t elsewhere =
		start_fake("/usr/bin/qemu-system-x86_64", "guest=test", test_format("%s0/monitor", a->root));
	pid_t bystander = start_fake("/usr/bin/editor", "guest=test", mine);
	struct workdir *b = open_base();

	ok(waitpid(guest, NULL, WNOHANG) == 0, "a slot that is held is left alone");
	workdir_close(b);
	workdir_close(a);
	a = open_base();
	ok(was_killed(guest), "a QEMU in a free slot is ended");
	ok(!was_killed(elsewhere), "one of another directory is not");
	ok(!was_killed(bystander), "nor is another program that names the slot");
	ok(!file_exists("0/run/state") && !file_exists("0/log"), "run state and logs are removed");
	workdir_close(a);
}

static void refuses(const char *dir, const char *part, const char *what)
{
	struct workdir *w = NULL;

	is_err_kind(workdir_open(dir, &w), ERR_HOST, part, what);
	ok(!w, "and nothing is opened");
	workdir_close(w);
}

static void test_refusals(void)
{
	const char *link = test_format("%s/l", base), *foreign = test_format("%s/f", base);

	ok(symlink(base, link) == 0, "a symlink");
	refuses(link, "cannot use", "is no work directory, wherever it leads");
	refuses("/tmp/a-path-that-leaves-no-room-for-sockets", "characters", "a long path is refused");
	if (geteuid() == 0) {
		ok(mkdir(foreign, 0777) == 0 && chown(foreign, 65534, 65534) == 0,
		   "another user's directory");
		refuses(foreign, "belongs to user 65534", "is refused");
	}
	ok(chmod(base, 0777) == 0, "a directory open to all");

	struct workdir *w = open_base();

	is_int(test_mode(base), 0711, "is closed first when it is ours");
	workdir_close(w);
}

int main(int argc, char **argv)
{
	(void)argv;
	be_fake(argc);
	base = test_enter_dir();
	test_slots();
	test_leftovers();
	test_refusals();
	return tap_done();
}
