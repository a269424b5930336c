/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files: copies between file systems, replacements that are whole or not at all, and limits. */
#include <fcntl.h>

#include "tests/unit/errors.h"

/** Do both files hold the same, and is that not nothing? */
static bool are_same(const char *a, const char *b)
{
	cleanup_strbuf struct strbuf x = STRBUF_INIT, y = STRBUF_INIT;

	must(file_read(a, 1 << 20, &x));
	must(file_read(b, 1 << 20, &y));
	return x.len > 0 && x.len == y.len && memcmp(x.data, y.data, x.len) == 0;
}

static void test_copy(const char *to, const char *what)
{
	char data[200000];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 / 3);
	no_err(file_write_atomic("from", data, sizeof(data), 0600), "a file");
	no_err(file_copy("from", to, 0640), what);
	ok(are_same("from", to), "with its content");
	is_int(test_mode(to), 0640, "with the mode that was asked for");
	is_err(file_copy("from", to, 0640), "cannot create", "a file that is there is not copied over");
	ok(are_same("from", to), "but stays");
}

static void test_publish(void)
{
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;

	must(file_write_atomic("made", "1", 1, 0600));
	must(file_write_atomic("again", "2", 1, 0600));
	no_err(file_publish("made", "published"), "of two files one gets its name");
	ok(!file_exists("made"), "in the place of the one it had");
	is_err(file_publish("again", "published"), "cannot make", "a name that is taken is not given again");
	ok(file_exists("again"), "and the file stays");
	no_err(file_read("published", 9, &sb), "what has the name");
	is_str(strbuf_str(&sb), "1", "is as it was");
	is_err(file_publish("again", "no/where"), "cannot make", "nor one in a directory that there is not");
	is_err(file_publish("no/where", "made"), "cannot make", "nothing cannot be named");
	ok(symlink("nothing", "made") == 0, "a link to nothing");
	is_err(file_publish("again", "made"), "cannot make", "is something");
}

/** A file of 64 MiB with something at its start and something else in its midst. */
static void test_holes(void)
{
	const off_t middle = 32 << 20, end = 64 << 20;
	char first[6] = "", second[6] = "";
	struct stat st;
	cleanup_close int in = open("holes", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	ok(in >= 0 && pwrite(in, "first", 5, 0) == 5 && pwrite(in, "other", 5, middle) == 5 &&
		   ftruncate(in, end) == 0,
	   "a file with holes");
	no_err(file_copy("holes", "holes-too", 0600), "is copied");
	ok(stat("holes-too", &st) == 0 && st.st_size == end, "in its size");

	cleanup_close int out = open("holes-too", O_RDONLY | O_CLOEXEC);

	ok(pread(out, first, 5, 0) == 5 && pread(out, second, 5, middle) == 5, "with what is between them");
	is_str(first, "first", "at its start");
	is_str(second, "other", "and where it was");
	ok(st.st_blocks * 512 < 1 << 20, "and takes no room for them");
	must(file_write_atomic("empty", "", 0, 0600));
	no_err(file_copy("empty", "empty-too", 0600), "an empty file is copied too");
	ok(stat("empty-too", &st) == 0 && st.st_size == 0, "and is empty");
}

static void test_pipe(void)
{
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;
	int ends[2];

	if (!ok(pipe(ends) == 0, "a pipe"))
		return;
	no_err(file_write_all(ends[1], "12345", 5), "with something in it");
	close(ends[1]);
	no_err(file_read_fd(ends[0], "pipe", 5, &sb), "is read to its end");
	is_str(strbuf_str(&sb), "12345", "and all of it arrives");
	close(ends[0]);
	is_err(file_read_fd(ends[0], "pipe", 5, &sb), "cannot read 'pipe'", "what is closed is an error");
}

static void test_limits(void)
{
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;

	must(file_write_atomic("limit", "12345", 5, 0600));
	no_err(file_read("limit", 5, &sb), "a file of the limit's size");
	is_err(file_read("limit", 4, &sb), "larger than 4 bytes", "one byte more is too large");
	is_err(file_mkdirs("", 0700), "cannot create directory", "a directory without a name is an error");
}

int main(void)
{
	char other_dir[] = "/dev/shm/swapcal-file-XXXXXX";

	test_enter_dir();
	test_copy("to", "is copied within a file system");
	if (mkdtemp(other_dir)) {
		cleanup_free char *to = xasprintf("%s/to", other_dir);

		test_copy(to, "and to another one, which kernels may refuse to do themselves");
	}
	test_publish();
	test_holes();
	test_pipe();
	test_limits();
	no_err(file_remove_tree(other_dir), "a tree is removed");
	ok(!file_exists(other_dir), "and gone");
	return tap_done();
}
