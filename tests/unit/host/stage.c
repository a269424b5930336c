/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/host/stage.h"

#include <grp.h>

#include "tests/unit/errors.h"

/* Only root can bring files within reach of another user; the tests of that are left out for others. */

static char *file; /* in "closed", by its full path */

static struct stage_user other;

static const char *stage(const struct stage_user *user, const char *path)
{
	char *result;

	must(stage_file("staged", user, path, &result));
	return test_keep(result);
}

static void test_own_user(void)
{
	struct stage_user me;

	stage_user_init(&me, geteuid(), getegid());

	const char *path = stage(&me, file);

	is_str(path, file, "what can be read is used as it is");
	ok(stage_can_open(&me, file, true), "and can be written");
	ok(!stage_can_open(&me, "/nonexistent", false), "what is not there cannot be opened");

	char *none = NULL;

	is_err(stage_file("staged", &me, "closed", &none), "not a regular file", "a directory is not staged");
	ok(!none, "and gives no path");
	is_err(stage_file("staged", &me, "/nonexistent", &none), "'/nonexistent'", "a missing file is named");
}

static void test_link(void)
{
	struct stat a, b;

	ok(!stage_can_open(&other, file, false), "a file in a closed directory is out of reach");

	const char *path = stage(&other, file);

	ok(strcmp(path, file) != 0, "so it is staged");
	ok(stage_can_open(&other, path, false), "where it can be read");
	ok(!stat(file, &a) && !stat(path, &b) && a.st_ino == b.st_ino, "as a link to the same file");

	is_str(stage(&other, file), path, "the second time it is there already");
}

static void test_copy(void)
{
	ok(chmod(file, 0600) == 0, "a file that only its owner may read");

	const char *path = stage(&other, file);
	struct stat a, b;

	is_str(test_text(path), "one", "is staged with its content");
	ok(!stat(file, &a) && !stat(path, &b) && a.st_ino != b.st_ino, "as a copy");
	is_int(a.st_mode & 07777, 0600, "and keeps its mode");
	ok(stage_can_open(&other, path, false), "the copy can be read");
	ok(!stage_can_open(&other, path, true), "but not written");
	ok(!stat(path, &b) && (b.st_mode & 07777) == 0640, "nor read by everyone");
}

static void test_change(void)
{
	const char *before = stage(&other, file);

	no_err(file_write_atomic(file, "two!", 4, 0600), "a file changes");

	const char *after = stage(&other, file);

	ok(strcmp(before, after) != 0, "it is staged anew");
	is_str(test_text(after), "two!", "with its new content");
	no_err(stage_clean("staged"), "cleaning");
	ok(!file_exists(before), "removes what is out of date");
	ok(file_exists(after), "and keeps what is not");
	unlink(file);
	must(stage_clean("staged"));
	ok(!file_exists(after), "until its original is gone");
	ok(rmdir("staged") == 0, "then nothing is left");
}

/** What a user who is not root gives to another and shows, in a process of that user. */
static int give_as_user(void)
{
	/* No groups of root's either. */
	if (setgroups(0, NULL) || setgid(65533) || setuid(65533))
		return 2;
	test_file("users/given", "one", 0600);
	must(stage_give("users/given", &other, true));
	test_file("users/shown", "one", 0600);
	must(stage_give("users/shown", &other, false));
	/* Who cannot become that user calculates it. */
	return !stage_can_open(&other, "users/given", true) ||
	       !stage_can_open(&other, "users/shown", false) || stage_can_open(&other, "users/shown", true) ||
	       stage_can_open(&other, "closed", false) || !stage_can_open(&other, "/etc/passwd", false) ||
	       stage_can_open(&other, "/etc/passwd", true);
}

static void test_access_list(void)
{
	static const char given[] = "users/given", shown[] = "users/shown";
	struct stage_user third, user;
	struct stat st;

	ok(mkdir("users", 0711) == 0 && chown("users", 65533, 65533) == 0, "a directory of a user");

	is_int(test_in_child(give_as_user()), 0, "who gives a file to another, and shows one, and knows it");
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
	const char *top = test_enter_dir();

	file = xasprintf("%s/closed/file", top);
	ok(chmod(top, 0711) == 0 && mkdir("closed", 0700) == 0 && mkdir("staged", 0711) == 0,
	   "there are a closed directory and one of staged files");
	test_file(file, "one", 0644);
	test_own_user();
	if (geteuid() == 0) {
		stage_user_init(&other, 65534, 65534);
		test_link();
		test_copy();
		test_change();
		test_access_list();
	}
	return tap_done();
}
