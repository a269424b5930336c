/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/host/stage.h"

#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"
#include "tests/tap.h"

/* Only root can bring files within reach of another user; the tests of that are left out for others. */

static char *top, *closed, *staged, *file;

static struct stage_user other;

static char *stage(const struct stage_user *user, const char *path)
{
	char *result = NULL;
	struct err *e = stage_file(staged, user, path, &result);

	if (e)
		printf("# %s\n", err_message(e));
	err_free(e);
	return result;
}

static bool holds(const char *path, const char *text)
{
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;
	struct err *e = file_read(path, 100, &sb);
	bool same = !e && strcmp(strbuf_str(&sb), text) == 0;

	err_free(e);
	return same;
}

static void test_own_user(void)
{
	struct stage_user me;

	stage_user_init(&me, geteuid(), getegid());

	cleanup_free char *path = stage(&me, file);

	is_str(path, file, "what can be read is used as it is");
	ok(stage_can_open(&me, file, true), "and can be written");
	ok(!stage_can_open(&me, "/nonexistent", false), "what is not there cannot be opened");

	char *none = NULL;
	struct err *e = stage_file(staged, &me, closed, &none);

	has_str(e ? err_message(e) : "", "not a regular file", "a directory is not staged");
	ok(!none, "and gives no path");
	err_free(e);
	e = stage_file(staged, &me, "/nonexistent", &none);
	has_str(e ? err_message(e) : "", "'/nonexistent'", "a missing file is named");
	err_free(e);
}

static void test_link(void)
{
	struct stat a, b;

	ok(!stage_can_open(&other, file, false), "a file in a closed directory is out of reach");

	cleanup_free char *path = stage(&other, file);

	ok(path && strcmp(path, file) != 0, "so it is staged");
	ok(path && stage_can_open(&other, path, false), "where it can be read");
	ok(path && !stat(file, &a) && !stat(path, &b) && a.st_ino == b.st_ino, "as a link to the same file");

	cleanup_free char *again = stage(&other, file);

	is_str(again, path ? path : "", "the second time it is there already");
}

static void test_copy(void)
{
	ok(chmod(file, 0600) == 0, "a file that only its owner may read");

	cleanup_free char *path = stage(&other, file);
	struct stat a, b;

	ok(path && holds(path, "one"), "is staged with its content");
	ok(path && !stat(file, &a) && !stat(path, &b) && a.st_ino != b.st_ino, "as a copy");
	is_int(a.st_mode & 07777, 0600, "and keeps its mode");
	ok(path && stage_can_open(&other, path, false), "the copy can be read");
	ok(path && !stage_can_open(&other, path, true), "but not written");
	ok(path && !stat(path, &b) && (b.st_mode & 07777) == 0640, "nor read by everyone");
}

static void test_change(void)
{
	cleanup_free char *before = stage(&other, file);
	struct err *e = file_write_atomic(file, "two!", 4, 0600);

	ok(!e, "a file changes");

	cleanup_free char *after = stage(&other, file);

	ok(before && after && strcmp(before, after) != 0, "it is staged anew");
	ok(after && holds(after, "two!"), "with its new content");
	ok(!stage_clean(staged), "cleaning");
	ok(before && !file_exists(before), "removes what is out of date");
	ok(after && file_exists(after), "and keeps what is not");
	unlink(file);
	ok(!stage_clean(staged) && after && !file_exists(after), "until its original is gone");
	ok(rmdir(staged) == 0, "then nothing is left");
}

/** Of a user who is not root: in a process of that user. */
static int give_as_user(const char *given, const char *shown)
{
	struct err *e;

	/* No groups of root's either. */
	if (setgroups(0, NULL) || setgid(65533) || setuid(65533))
		return 2;
	e = file_write_atomic(given, "one", 3, 0600);
	if (!e)
		e = stage_give(given, &other, true);
	if (!e)
		e = file_write_atomic(shown, "one", 3, 0600);
	if (!e)
		e = stage_give(shown, &other, false);
	if (e)
		printf("# %s\n", err_message(e));
	if (e)
		return 1;
	/* Who cannot become that user calculates it. */
	return !stage_can_open(&other, given, true) || !stage_can_open(&other, shown, false) ||
	       stage_can_open(&other, shown, true) || stage_can_open(&other, closed, false) ||
	       !stage_can_open(&other, "/etc/passwd", false) || stage_can_open(&other, "/etc/passwd", true);
}

static void test_access_list(void)
{
	cleanup_free char *open = xasprintf("%s/users", top), *given = xasprintf("%s/users/given", top),
			  *shown = xasprintf("%s/users/shown", top);
	struct stage_user third, user;
	struct stat st;
	int status = 1;

	ok(mkdir(open, 0711) == 0 && chown(open, 65533, 65533) == 0, "a directory of a user");

	pid_t pid = fork();

	if (pid == 0)
		_exit(give_as_user(given, shown));
	ok(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0,
	   "who gives a file to another, and shows one, and knows it");
	stage_user_init(&user, 65533, 65533);
	stage_user_init(&third, 65532, 65532);
	ok(stage_can_open(&other, given, true), "that one can write the first");
	ok(stage_can_open(&other, shown, false) && !stage_can_open(&other, shown, true),
	   "and read the second only");
	ok(stage_can_open(&user, given, true), "the giver still can, too");
	ok(!stage_can_open(&third, given, false) && !stage_can_open(&third, shown, false), "and nobody else");
	ok(stat(given, &st) == 0 && (st.st_mode & 07) == 0, "as the mode says");
	ok(stat(given, &st) == 0 && st.st_uid == 65533, "it has its owner");
}

int main(void)
{
	char dir[] = "/tmp/stage-XXXXXX";

	if (!mkdtemp(dir) || chmod(dir, 0711))
		return 1;
	top = dir;
	closed = xasprintf("%s/closed", top);
	staged = xasprintf("%s/staged", top);
	file = xasprintf("%s/file", closed);
	if (mkdir(closed, 0700) || mkdir(staged, 0711))
		return 1;
	ok(!file_write_atomic(file, "one", 3, 0644), "there is a file");
	test_own_user();
	if (geteuid() == 0) {
		stage_user_init(&other, 65534, 65534);
		test_link();
		test_copy();
		test_change();
		test_access_list();
	}
	err_free(file_remove_tree(top));
	free(closed);
	free(staged);
	free(file);
	return tap_done();
}
