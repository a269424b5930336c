/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files: copies between file systems, replacements that are whole or not at all, and limits. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/file.h"
#include "tests/tap.h"

static char dir[] = "/tmp/swapcal-file-XXXXXX";
static char other_dir[] = "/dev/shm/swapcal-file-XXXXXX";

static bool failed(struct err *e)
{
	bool has_failed = e != NULL;

	err_free(e);
	return has_failed;
}

/** Do both files hold the same, and is that not nothing? */
static bool are_same(const char *a, const char *b)
{
	cleanup_strbuf struct strbuf x = STRBUF_INIT, y = STRBUF_INIT;

	if (failed(file_read(a, 1 << 20, &x)) || failed(file_read(b, 1 << 20, &y)))
		return false;
	return x.len > 0 && x.len == y.len && memcmp(x.data, y.data, x.len) == 0;
}

static void test_copy(const char *to_dir, const char *what)
{
	cleanup_free char *from = xasprintf("%s/from", dir);
	cleanup_free char *to = xasprintf("%s/to", to_dir);
	char data[200000];
	struct stat st;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 / 3);
	ok(!failed(file_write_atomic(from, data, sizeof(data), 0600)), "a file");
	ok(!failed(file_copy(from, to, 0640)) && are_same(from, to), what);
	ok(stat(to, &st) == 0 && (st.st_mode & 0777) == 0640, "with the mode that was asked for");
	ok(failed(file_copy(from, to, 0640)) && are_same(from, to),
	   "a file that is there is not copied over");
}

static void test_publish(void)
{
	cleanup_free char *from = xasprintf("%s/made", dir), *to = xasprintf("%s/published", dir);
	cleanup_free char *again = xasprintf("%s/again", dir), *nowhere = xasprintf("%s/no/where", dir);
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;

	ok(!failed(file_write_atomic(from, "1", 1, 0600)) && !failed(file_write_atomic(again, "2", 1, 0600)),
	   "two files");
	ok(!failed(file_publish(from, to)) && !file_exists(from), "one gets its name");
	ok(failed(file_publish(again, to)) && file_exists(again), "a name that is taken is not given again");
	ok(!failed(file_read(to, 9, &sb)), "what has it");
	is_str(strbuf_str(&sb), "1", "is as it was");
	ok(failed(file_publish(again, nowhere)), "nor one in a directory that there is not");
	ok(failed(file_publish(nowhere, from)), "nothing cannot be named");
	ok(symlink("nothing", from) == 0 && failed(file_publish(again, from)),
	   "a link to nothing is something");
}

/** A file of 64 MiB with something at its start and something else in its midst. */
static void test_holes(void)
{
	cleanup_free char *from = xasprintf("%s/holes", dir);
	cleanup_free char *to = xasprintf("%s/holes-too", dir);
	const off_t middle = 32 << 20, end = 64 << 20;
	char first[6] = "", second[6] = "";
	struct stat st;
	cleanup_close int in = open(from, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	ok(in >= 0 && pwrite(in, "first", 5, 0) == 5 && pwrite(in, "other", 5, middle) == 5 &&
		   ftruncate(in, end) == 0,
	   "a file with holes");
	ok(!failed(file_copy(from, to, 0600)) && stat(to, &st) == 0 && st.st_size == end,
	   "is copied in its size");

	cleanup_close int out = open(to, O_RDONLY | O_CLOEXEC);

	ok(pread(out, first, 5, 0) == 5 && pread(out, second, 5, middle) == 5, "with what is between them");
	is_str(first, "first", "at its start");
	is_str(second, "other", "and where it was");
	ok(st.st_blocks * 512 < 1 << 20, "and takes no room for them");
	ok(truncate(from, 0) == 0 && unlink(to) == 0 && !failed(file_copy(from, to, 0600)) &&
		   stat(to, &st) == 0 && st.st_size == 0,
	   "an empty file is copied too");
}

static void test_pipe(void)
{
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;
	int ends[2];

	if (!ok(pipe(ends) == 0, "a pipe"))
		return;
	ok(!failed(file_write_all(ends[1], "12345", 5)), "with something in it");
	close(ends[1]);
	ok(!failed(file_read_fd(ends[0], "pipe", 5, &sb)), "is read to its end");
	is_str(strbuf_str(&sb), "12345", "and all of it arrives");
	close(ends[0]);
	ok(failed(file_read_fd(ends[0], "pipe", 5, &sb)), "what is closed is an error");
}

static void test_limits(void)
{
	cleanup_free char *path = xasprintf("%s/limit", dir);
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;

	ok(!failed(file_write_atomic(path, "12345", 5, 0600)) && !failed(file_read(path, 5, &sb)),
	   "a file of the limit's size");
	ok(failed(file_read(path, 4, &sb)), "one byte more is too large");
	ok(failed(file_mkdirs("", 0700)), "a directory without a name is an error");
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	test_copy(dir, "is copied within a file system");
	if (mkdtemp(other_dir))
		test_copy(other_dir, "and to another one, which kernels may refuse to do themselves");
	test_publish();
	test_holes();
	test_pipe();
	test_limits();
	ok(!failed(file_remove_tree(dir)) && !file_exists(dir), "a tree is removed");
	err_free(file_remove_tree(other_dir));
	return tap_done();
}
