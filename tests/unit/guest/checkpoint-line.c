/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines of a checkpoint fd: however they come in pieces, the same ones are taken, and the same of them are
 * bad. */
#include <fcntl.h>

#include "guest/checkpoint-line.h"
#include "tests/tap.h"

static char said[4096];
static size_t said_len;

static void say(const char *text)
{
	memcpy(said + said_len, text, strlen(text));
	said_len += strlen(text);
}

/* A line of so many bytes. */
static void say_long(const char *start, size_t len)
{
	say(start);
	memset(said + said_len, 'x', len - strlen(start));
	said_len += len - strlen(start);
	say("\n");
}

static void add(char *to, const struct checkpoint_line *line)
{
	sprintf(to + strlen(to), "%s[%zu]%.*s ", line->is_bad ? "bad" : "", line->len,
		(int)(line->len < 12 ? line->len : 12), line->text);
}

/* What is taken of all that was said, when it comes in pieces of so many bytes; "" when it is not the end. */
static const char *taken(size_t piece)
{
	static char lines[4096];
	struct checkpoint_reader r = { 0 };
	struct checkpoint_line line;
	int ends[2];

	if (pipe2(ends, O_NONBLOCK))
		return "no pipe";
	lines[0] = '\0';
	for (size_t at = 0; at < said_len; at += piece) {
		size_t n = piece < said_len - at ? piece : said_len - at;

		if (write(ends[1], said + at, n) != (ssize_t)n)
			return "no room";
		while (checkpoint_read(&r, ends[0]) > 0)
			while (checkpoint_take(&r, &line))
				add(lines, &line);
	}
	close(ends[1]);
	is_int(checkpoint_read(&r, ends[0]), 0, "then comes the end");
	ok(!checkpoint_has_line(&r) && !checkpoint_take(&r, &line), "a line without its end is none");
	close(ends[0]);
	return lines;
}

static void check(const char *want, const char *what)
{
	static const size_t pieces[] = { 1, 3, 199, 200, 201, 202, sizeof(said) };

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		is_str(taken(pieces[i]), want, what);
	said_len = 0;
}

static void test_lines(void)
{
	say("checkpoint start\ncheckpoint peak cpu_ms=12\n");
	check("[5]start [14]peak cpu_ms= ", "a checkpoint is what comes after the word");
	say("hello\n\ncheckpoint \ncheckpoints x\n checkpoint x\ncheckpoint\ncheckpoint a");
	check("bad[5]hello bad[0] bad[11]checkpoint  bad[13]checkpoints  bad[13] checkpoint  "
	      "bad[10]checkpoint ",
	      "all else is bad");
}

static void test_length(void)
{
	say_long("checkpoint ", 200);
	check("[189]xxxxxxxxxxxx ", "200 bytes are a line");
	say_long("checkpoint ", 201);
	say("checkpoint next\n");
	check("bad[200]checkpoint x [4]next ", "201 are not, and come once, cut");
	say_long("checkpoint ", 220);
	check("bad[200]checkpoint x ", "nor are 220");
	say_long("checkpoint ", 1000);
	say("checkpoint next\n");
	check("bad[200]checkpoint x [4]next ", "nor are many");
	say_long("checkpoint ", 401);
	say_long("", 402);
	say_long("", 403);
	say("checkpoint next\n");
	check("bad[200]checkpoint x bad[200]xxxxxxxxxxxx bad[200]xxxxxxxxxxxx [4]next ",
	      "a rest as long as the room for it is no line");
}

/* The reader's room is that of a line: then it waits for lines to be taken. */
static void test_full(void)
{
	struct checkpoint_reader r = { 0 };
	struct checkpoint_line line;
	int ends[2];

	is_int(pipe2(ends, O_NONBLOCK), 0, "a pipe");
	for (int i = 0; i < 30; i++)
		ok(write(ends[1], "checkpoint ab\n", 14) == 14, "a line is written");
	is_int(checkpoint_read(&r, ends[0]), CHECKPOINT_LINE_MAX + 1, "as much as there is room for");
	is_int(checkpoint_read(&r, ends[0]), 1, "without room nothing is read");

	int n = 0;

	do
		while (checkpoint_take(&r, &line))
			n += !line.is_bad && line.len == 2 && memcmp(line.text, "ab", 2) == 0;
	while (checkpoint_read(&r, ends[0]) > 0);
	is_int(n, 30, "no line is lost");
	close(ends[0]);
	close(ends[1]);
}

TAP_MAIN(test_lines, test_length, test_full)
