/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Saved states: there when whole and not before, held by one at a time, bounded in size and age, and gone
 * with their owner. */
#include "harness/vm/state-cache.h"

#include <fcntl.h>
#include <pthread.h>

#include "tests/unit/errors.h"

#define OWNER "0123456789abcdef0123456789abcdef"
#define OTHER "ffffffffffffffffffffffffffffffff"
#define MIB   (1024 * 1024)

/** The key number n, in a buffer of this thread's. */
static const char *key(unsigned n)
{
	static _Thread_local char hex[33];

	snprintf(hex, sizeof(hex), "%032x", n);
	return hex;
}

/** Is there a file or directory of that state, in the directory of states, which the test works in? */
static bool is_there(const char *prefix, const char *owner, unsigned n, const char *suffix)
{
	return file_exists(test_format("%s%s-%s%s", prefix, owner, key(n), suffix));
}

static struct state *take(const char *owner, unsigned n)
{
	struct state *s;

	must(state_take(owner, key(n), &s));
	return s;
}

/** Begins to make a state, with a file of that size in it. */
static void begin(struct state *s, size_t bytes)
{
	cleanup_free char *data = xcalloc(bytes, 1);
	const char *dir;

	must(state_begin(s, &dir));
	memset(data, 'x', bytes);

	cleanup_free char *path = xasprintf("%s/memory", dir);

	must(file_write_atomic(path, data, bytes, 0600));
}

static void make(const char *owner, unsigned n, size_t bytes)
{
	struct state *s = take(owner, n);

	begin(s, bytes);
	must(state_finish(s));
	state_release(s);
}

/** Uses a state; was it there? */
static bool use(const char *owner, unsigned n)
{
	struct state *s = take(owner, n);
	bool is_whole = state_dir(s) != NULL;

	state_release(s);
	return is_whole;
}

static void test_life(void)
{
	struct state *s = take(OWNER, 1);

	ok(!state_dir(s), "a state that nobody made is not there");
	begin(s, 10);
	ok(!state_dir(s) && !is_there("", OWNER, 1, ""), "nor is one that is being made");
	must(state_finish(s));
	ok(state_dir(s) && is_there("", OWNER, 1, ""), "it is when it is complete");

	ok(file_exists(test_format("%s/memory", state_dir(s))), "with what was put in");
	is_int(test_mode(state_dir(s)), 0700, "nobody else can look into it");
	state_release(s);
	ok(use(OWNER, 1) && !use(OWNER, 2) && !use(OTHER, 1), "it is found again, under its names only");
	s = take(OWNER, 1);
	state_drop(s);
	ok(!state_dir(s) && !is_there("", OWNER, 1, ""), "one that is dropped is gone");
	begin(s, 10);
	must(state_finish(s));
	state_release(s);
	ok(use(OWNER, 1), "and can be made anew at once");
}

static void test_names(void)
{
	static const char *const bad[] = { "", "../../../../../../../../../../tmp/",
					   "0123456789ABCDEF0123456789abcdef", OWNER "0" };
	struct state *s;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		is_err(state_take(bad[i], key(1), &s), "is not the name of a saved state", bad[i]);
		is_err(state_take(OWNER, bad[i], &s), "is not the name", "is neither an owner nor a key");
	}
}

/** Leaves half of state 3, as who is killed does. */
static void leave_half(void)
{
	is_int(test_in_child((begin(take(OWNER, 3), 10), 0)), 0, "a state is begun");
}

/** What is begun and not finished. */
static void test_unfinished(void)
{
	struct state *s = take(OWNER, 3);

	begin(s, 10);
	state_release(s);
	ok(!use(OWNER, 3) && !is_there(".tmp-", OWNER, 3, ""),
	   "a state that could not be made leaves nothing");
	leave_half();
	ok(is_there(".tmp-", OWNER, 3, ""), "who is killed leaves half of one");
	ok(!use(OWNER, 3), "which is not taken for one");
	ok(!is_there(".tmp-", OWNER, 3, "") && !is_there("", OWNER, 3, ".lock"), "and is gone after that");
	leave_half();
	must(state_cache_trim(UINT64_MAX, 1000));
	ok(!is_there(".tmp-", OWNER, 3, "") && !is_there("", OWNER, 3, ".lock"),
	   "trimming removes such a half too");
	ok(use(OWNER, 1), "and leaves the others");
}

static void test_bound(void)
{
	state_cache_forget(OWNER);
	for (unsigned n = 1; n <= 4; n++)
		make(OWNER, n, MIB);
	ok(use(OWNER, 1), "of four states the first is used again");
	must(state_cache_trim(3 * MIB + MIB / 2, 1000));
	ok(use(OWNER, 1) && !is_there("", OWNER, 2, "") && is_there("", OWNER, 3, "") &&
		   is_there("", OWNER, 4, ""),
	   "when there is room for three, the one that was not used for longest goes");

	struct state *s = take(OWNER, 3);

	must(state_cache_trim(0, 1000));
	ok(is_there("", OWNER, 3, "") && !is_there("", OWNER, 1, "") && !is_there("", OWNER, 4, ""),
	   "without room all go but the one that is in use");
	state_release(s);
	ok(!is_there("", OWNER, 1, ".lock"), "with their locks");
}

static void test_age(void)
{
	struct timespec times[2] = { { .tv_sec = 1000000 }, { .tv_sec = 1000000 } };

	make(OWNER, 5, 10);
	make(OWNER, 6, 10);
	ok(utimensat(AT_FDCWD, test_format(OWNER "-%s", key(5)), times, 0) == 0,
	   "a state that was not used for years");
	must(state_cache_trim(UINT64_MAX, 1000));
	ok(!is_there("", OWNER, 5, "") && is_there("", OWNER, 6, ""), "is removed, and no other");
}

static void test_forget(void)
{
	make(OWNER, 1, 10);
	make(OWNER, 2, 10);
	make(OTHER, 1, 10);
	state_cache_forget(OWNER);
	ok(!is_there("", OWNER, 1, "") && !is_there("", OWNER, 2, "") && is_there("", OTHER, 1, ""),
	   "an owner's states are removed, and no others");
	state_cache_forget(OTHER);
	ok(rmdir("../states") == 0, "nothing is left");
}

/** Makes state 7 when it is missing; the result says whether it did. */
static void *need(void *arg)
{
	struct state *s = take(OWNER, 7);
	bool *made = arg;

	*made = !state_dir(s);
	if (*made) {
		begin(s, 10);
		usleep(20000);
		must(state_finish(s));
	}
	state_release(s);
	return NULL;
}

static void test_threads(void)
{
	enum { N = 4 };
	pthread_t threads[N];
	bool made[N];
	int sum = 0;

	for (int i = 0; i < N; i++)
		if (pthread_create(&threads[i], NULL, need, &made[i]))
			abort();
	for (int i = 0; i < N; i++) {
		pthread_join(threads[i], NULL);
		sum += made[i];
	}
	is_int(sum, 1, "of threads that need the same state one makes it");
}

static void set_up(void)
{
	setenv("XDG_CACHE_HOME", test_enter_dir(), 1);
	must(file_mkdirs("swapcal/states", 0700));
	ok(chdir("swapcal/states") == 0, "there is a directory of states");
}

TAP_MAIN(set_up, test_life, test_names, test_unfinished, test_bound, test_age, test_threads, test_forget)
