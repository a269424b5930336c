/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <sys/stat.h>
#include <sys/wait.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/err.h"
#include "harness/base/file.h"
#include "harness/base/strbuf.h"
#include "tests/tap.h"

/** For what prepares a test: a failure of that ends it. */
__attribute__((unused)) static void must(struct err *e)
{
	if (!e)
		return;
	printf("Bail out! %s\n", err_message(e));
	exit(1);
}

/** A call that has to go well. */
#define no_err(call, what)                                                                                   \
	({                                                                                                   \
		struct err *err_ = (call);                                                                   \
		bool is_good_ = ok(!err_, what);                                                             \
		if (err_)                                                                                    \
			printf("# %s\n", err_message(err_));                                                 \
		err_free(err_);                                                                              \
		is_good_;                                                                                    \
	})

/** A call that has to fail with words that contain part. */
#define is_err(call, part, what)                                                                             \
	({                                                                                                   \
		struct err *err_ = (call);                                                                   \
		bool is_bad_ = has_str(err_ ? err_message(err_) : NULL, part, what);                         \
		err_free(err_);                                                                              \
		is_bad_;                                                                                     \
	})

/** The same, of that kind. */
#define is_err_kind(call, kind, part, what)                                                                  \
	({                                                                                                   \
		struct err *e_ = (call);                                                                     \
		bool is_kind_ = ok(e_ && err_get_kind(e_) == (kind), "an error of that kind");               \
		is_err(e_, part, what) && is_kind_;                                                          \
	})

/** Takes over a text, and frees it when 63 more have been kept. For one thread. */
__attribute__((unused)) static char *test_keep(char *text)
{
	static char *kept[64];
	static unsigned n;
	char **slot = &kept[n++ % 64];

	free(*slot);
	return *slot = text;
}
#define test_format(...) test_keep(xasprintf(__VA_ARGS__))

/** The text in a file, kept like that. */
__attribute__((unused)) static const char *test_text(const char *path)
{
	struct strbuf sb = STRBUF_INIT;

	must(file_read(path, 1 << 20, &sb));
	return test_keep(strbuf_steal(&sb));
}

/** A random number below n (xorshift64); the state may be set to any but 0. */
static uint64_t test_random_state = 88172645463325252;

__attribute__((unused)) static uint64_t test_random_below(uint64_t n)
{
	test_random_state ^= test_random_state << 13;
	test_random_state ^= test_random_state >> 7;
	test_random_state ^= test_random_state << 17;
	return test_random_state % n;
}

static char test_dir_path_[] = "/tmp/swapcal-test-XXXXXX";
static pid_t test_dir_owner_;

__attribute__((unused)) static void test_dir_remove_(void)
{
	/* Not by a child that ends. */
	if (getpid() == test_dir_owner_)
		err_free(file_remove_tree(test_dir_path_));
}

/**
 * Has the test work in a new directory, where files can be named relative to it, and which goes with it.
 * Returns its path.
 */
__attribute__((unused)) static const char *test_enter_dir(void)
{
	if (!mkdtemp(test_dir_path_) || chdir(test_dir_path_))
		must(err_new("cannot make a directory"));
	test_dir_owner_ = getpid();
	atexit(test_dir_remove_);
	return test_dir_path_;
}

/** The same as the first function of a TAP_MAIN(). */
__attribute__((unused)) static void test_in_dir(void)
{
	test_enter_dir();
}

/** The exit status of a process of its own that does this, for what cannot be taken back; -1: it was killed.
 */
#define test_in_child(does)                                                                                  \
	({                                                                                                   \
		int status_ = 0;                                                                             \
		fflush(stdout);                                                                              \
		pid_t child_ = fork();                                                                       \
		if (child_ == 0)                                                                             \
			_exit(does);                                                                         \
		waitpid(child_, &status_, 0);                                                                \
		child_ > 0 && WIFEXITED(status_) ? WEXITSTATUS(status_) : -1;                                \
	})

/** A child that does nothing until it is killed. */
__attribute__((unused)) static pid_t test_idle_child(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	return pid;
}

/** The permissions of a file; 0 when it is not there. */
__attribute__((unused)) static unsigned test_mode(const char *path)
{
	struct stat st;

	return lstat(path, &st) ? 0 : st.st_mode & 07777;
}

/** Writes a file of that mode, and makes the directories that it is in. */
__attribute__((unused)) static void test_file(const char *path, const char *text, mode_t mode)
{
	const char *slash = strrchr(path, '/');
	char *dir = strndup(path, slash ? (size_t)(slash - path) : 0);

	must(file_mkdirs(slash ? dir : ".", 0755));
	must(file_write_atomic(path, text, strlen(text), mode));
	free(dir);
}
