/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/image/userdisk.h"

#include <fcntl.h>
#include <time.h>

#include "harness/base/cancel.h"
#include "tests/unit/errors.h"

/*
 * What of a user's directory becomes a disk, and which disk: reading, the key, the cache. The disk itself is
 * made by a stand-in here; that guests mount the real one is shown in tests/system.
 */

static const char *tree = "tree"; /* the user's directory */

static void put(const char *name, const char *text, mode_t mode)
{
	test_file(test_format("%s/%s", tree, name), text, mode);
}

static void drop(const char *name)
{
	must(file_remove_tree(test_format("%s/%s", tree, name)));
}

/** The key of what the directory holds now. */
static const char *key(void)
{
	cleanup(workloads_deinit) struct workloads w = { 0 };
	char *text = test_keep(xcalloc(1, 65));

	must(workloads_load_tree(tree, &w));
	userdisk_key(&w, text);
	return text;
}

static void test_content(void)
{
	cleanup(workloads_deinit) struct workloads w = { 0 };

	put("grow.py", "print()\n", 0644);
	put("run", "#!/bin/sh\n", 0755);
	put("lib/deep/data.bin", "", 0600);
	put("lib-x", "x", 0644);
	put(".hidden", "x", 0644);
	put(".git/config", "x", 0644);
	put("grow.py~", "x", 0644);
	put("__pycache__/grow.pyc", "x", 0644);
	no_err(workloads_load_tree(tree, &w), "a directory is read");
	is_int(w.n, 4, "without hidden files, an editor's backups, and what Python keeps");
	if (w.n == 4) {
		is_str(w.files[0].name, "grow.py", "in the order of their bytes");
		is_str(w.files[1].name, "lib-x", "which is none of directories");
		is_str(w.files[2].name, "lib/deep/data.bin", "with paths");
		is_str(w.files[3].name, "run", "to the end");
	}
	ok(workloads_find(&w, "run") && workloads_find(&w, "run")->executable, "one is executable");
	ok(workloads_find(&w, "grow.py") && !workloads_find(&w, "grow.py")->executable, "another is not");
	ok(!workloads_find(&w, "grow"), "one is not there");
}

static void refuses(const char *words, const char *what)
{
	cleanup(workloads_deinit) struct workloads w = { 0 };
	struct err *e = workloads_load_tree(tree, &w);

	ok(!e || err_get_kind(e) == ERR_USAGE || err_get_kind(e) == ERR_FAILED, "... and says so");
	is_err(e, words, what);
	is_int(w.n, 0, "... and gives nothing");
}

static void test_refused(void)
{
	if (symlink("grow.py", "tree/link.py"))
		abort();
	refuses("link.py' is a symbolic link", "symbolic links are refused");
	drop("link.py");
	if (mkfifo("tree/fifo", 0600))
		abort();
	refuses("fifo' is a FIFO", "a FIFO is refused, and not waited for");
	drop("fifo");
	put("large", "", 0644);
	if (truncate("tree/large", (64 << 20) + 1))
		abort();
	refuses("more than 64 MiB; 'large'", "too much is refused");
	if (truncate("tree/large", 64 << 20))
		abort();
	refuses("more than 64 MiB", "also together with others");
	drop("large");
	must(file_mkdirs("tree/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d", 0755));
	refuses("directories deep", "a tree without end is refused");
	drop("d");
	tree = "nonexistent";
	refuses("nonexistent", "a directory that is not there");
	tree = "empty";
	put("sub/.hidden", "", 0644);
	refuses("there is no file in it", "one without a file");
	tree = "tree";
}

static void is_key(const char *first, bool is_same, const char *what)
{
	ok((strcmp(key(), first) == 0) == is_same, what);
}

static void test_key(void)
{
	const char *first = key();

	put("grow.py", "print()\n", 0600);
	is_key(first, true, "the key is the same whoever may read the file");
	put("grow.py", "print()\n", 0755);
	is_key(first, false, "another one when it is executable");
	put("grow.py", "print(1)", 0644);
	is_key(first, false, "or has other bytes");
	put("grow.py", "print()\n", 0644);
	put("lib/deep/more", "", 0644);
	is_key(first, false, "or there is one more");
	drop("lib/deep/more");
	is_key(first, true, "and the first one again when all is as it was");
}

/* The stand-in for the appliance. */

static unsigned made;
static bool must_fail;

static struct err *make_copy(const struct rootdisk_job *job)
{
	made++;
	if (must_fail)
		return err_new("no appliance today");
	return file_copy(job->tar, job->disk, 0600);
}

static const struct userdisk_options options = { .make = make_copy };

/** Asks for the disk of what the directory holds now. */
static struct err *get(char **ret)
{
	cleanup(workloads_deinit) struct workloads w = { 0 };
	struct err *e = workloads_load_tree(tree, &w);

	if (!e)
		e = userdisk_find_or_build(&w, &options, ret);
	return e;
}

/** How many files and directories the cache's part has, except its lock. */
static int entries(void)
{
	int status = system("exit $(ls -A cache/swapcal/workloads | grep -vc .lock)");

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/** What tar says of the stand-in, which is the tar. */
static void test_tar(const char *path)
{
	const char *command =
		test_format("tar tvf %s | awk '{ printf \"%%s %%s %%s;\", $1, $2, $NF }'", path);
	FILE *f = popen(command, "r");
	char text[400] = "";

	if (!f || !fgets(text, sizeof(text), f))
		printf("# nothing from: %s\n", command);
	if (f)
		pclose(f);
	is_str(text,
	       "-rw-r--r-- 0/0 ./grow.py;-rw-r--r-- 0/0 ./lib-x;drwxr-xr-x 0/0 ./lib/;"
	       "drwxr-xr-x 0/0 ./lib/deep/;-rw-r--r-- 0/0 ./lib/deep/data.bin;-rwxr-xr-x 0/0 ./run;",
	       "it has the files, each directory once, root's and for all to read");
}

static void test_cache(void)
{
	cleanup_free char *first = NULL, *again = NULL, *other = NULL;

	no_err(get(&first), "a disk is made");
	has_str(first, key(), "under its key");
	is_int(test_mode(first), 0600,
	       "it is there, and it is for its owner alone: QEMU's user is shown a copy");
	test_tar(first);
	no_err(get(&again), "asked for again,");
	is_str(again, first, "it is the same");
	is_int(made, 1, "and was made once");
	put("grow.py", "print(2)", 0644);
	no_err(get(&other), "another content");
	ok(strcmp(other, first) != 0, "makes another disk");
	is_int(entries(), 2, "both are there and nothing else");
}

static bool is_interrupted(void)
{
	char *path = NULL;

	cancel_now();

	struct err *e = get(&path);

	return !path && e && err_get_kind(e) == ERR_INTERRUPTED;
}

static void test_failures(void)
{
	char *path = NULL;

	put("grow.py", "print(3)", 0644);
	must_fail = true;
	is_err(get(&path), "disk of workloads: no appliance today", "a build that fails says so");
	must_fail = false;
	/* In a child: a wish to stop is for good. */
	is_int(test_in_child(!is_interrupted()), 0, "one can be interrupted");
	ok(!path, "neither gives a disk");
	is_int(entries(), 2, "or leaves anything");
}

/** Asks for a disk in a child, which ends with 0 when it gets one that it made. */
static pid_t get_in_child(const struct workloads *w, struct err *(*make)(const struct rootdisk_job *job))
{
	struct userdisk_options o = options;
	char *path = NULL;
	pid_t pid;

	made = 0;
	o.make = make;
	pid = fork();
	if (pid == 0)
		_exit(userdisk_find_or_build(w, &o, &path) || made != 1);
	return pid;
}

/** A build that is killed half way. */
static struct err *die(const struct rootdisk_job *job)
{
	(void)job;
	_exit(3);
}

static void test_killed(void)
{
	cleanup_free char *path = NULL;
	cleanup(workloads_deinit) struct workloads w = { 0 };

	must(workloads_load_tree(tree, &w));
	waitpid(get_in_child(&w, die), NULL, 0);
	is_int(entries(), 3, "a killed build leaves its work");
	no_err(userdisk_find_or_build(&w, &options, &path), "the next one is not held up");
	is_int(entries(), 3, "and has cleared it away");
}

/** Two ask for the same disk at once: the second when the first has begun to make it. */
static int begun[2];

static struct err *make_slowly(const struct rootdisk_job *job)
{
	if (write(begun[1], "x", 1) != 1)
		abort();
	usleep(300000);
	return make_copy(job);
}

static void test_two_at_once(void)
{
	cleanup_free char *path = NULL;
	cleanup(workloads_deinit) struct workloads w = { 0 };
	int status;
	pid_t pid;
	char x;

	put("grow.py", "print(4)", 0644);
	must(workloads_load_tree(tree, &w));
	if (pipe(begun))
		abort();
	pid = get_in_child(&w, make_slowly);
	if (read(begun[0], &x, 1) != 1)
		abort();
	no_err(userdisk_find_or_build(&w, &options, &path), "one waits for the other's disk");
	is_int(made, 0, "and does not make it again");
	waitpid(pid, &status, 0);
	is_int(status, 0, "which the other one did");
}

static void test_old(void)
{
	cleanup_free char *old = NULL, *used = NULL, *other = NULL;
	struct timespec days[2] = { { .tv_sec = time(NULL) - 31l * 24 * 3600 }, { 0 } };

	days[1] = days[0];
	put("grow.py", "print(5)", 0644);
	must(get(&old));
	put("grow.py", "print(6)", 0644);
	must(get(&used));
	if (utimensat(AT_FDCWD, old, days, 0) || utimensat(AT_FDCWD, used, days, 0))
		abort();
	free(take_ptr(used));
	no_err(get(&used), "a disk is asked for after a month");
	put("grow.py", "print(7)", 0644);
	no_err(get(&other), "then another one is made");
	ok(file_exists(used), "the one that was used stays");
	ok(!file_exists(old), "one that nobody has asked for in a month is removed");
}

static void set_up(void)
{
	setenv("XDG_CACHE_HOME", test_format("%s/cache", test_enter_dir()), 1);
}

TAP_MAIN(set_up, test_content, test_refused, test_key, test_cache, test_failures, test_killed,
	 test_two_at_once, test_old)
