/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CSV files of pairs: what is accepted, and that what is wrong is refused with line, reason and remedy. */
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/file.h"
#include "harness/compare/pairs.h"
#include "tests/tap.h"

/* Every row has another line, so that a number tells the row. */
#define THREE "1,2\n3,4\n5,6\n"

static char path[] = "/tmp/swapcal-pairs-XXXXXX";

static struct err *load(const char *data, size_t len, struct pairs *ret)
{
	struct err *e = file_write_atomic(path, data, len, 0600);

	return e ? e : pairs_load(path, ret);
}

/** Reading a file failed with that message, as a usage error. */
static void is_usage(struct err *e, const char *want, const char *what)
{
	is_str(e ? err_message(e) : "(accepted)", want, what);
	ok(e && err_get_kind(e) == ERR_USAGE, "and it is a usage error");
	err_free(e);
}

static void is_refused_bytes(const char *data, size_t len, int line, const char *message)
{
	cleanup_pairs struct pairs pairs = { 0 };
	cleanup_free char *want = xasprintf("%s:%d: %s", path, line, message);

	is_usage(load(data, len, &pairs), want, message);
}

/** The text is refused with exactly this message after "PATH:LINE: ". */
static void is_refused(const char *text, int line, const char *message)
{
	is_refused_bytes(text, strlen(text), line, message);
}

/** The text has these pairs. */
static void is_read(const char *text, const struct agreement_pair *want, size_t n, const char *what)
{
	cleanup_pairs struct pairs pairs = { 0 };
	struct err *e = load(text, strlen(text), &pairs);
	bool same = !e && pairs.n == n;

	for (size_t i = 0; same && i < n; i++)
		same = pairs.pairs[i].z == want[i].z && pairs.pairs[i].y == want[i].y &&
		       pairs.pairs[i].cell == want[i].cell;
	if (!ok(same, what))
		printf("# %s\n", e ? err_message(e) : "other pairs");
	err_free(e);
}

static void test_accepted(void)
{
	static const struct agreement_pair three[] = { { 1, 2, 0 }, { 3, 4, 1 }, { 5, 6, 2 } };
	static const struct agreement_pair odd[] = {
		{ -1, 0.5, 0 }, { 3e5, 4, 1 }, { 0.5, 1e-5, 2 }, { 0, 0, 3 }
	};

	is_read("z,y\n" THREE, three, 3, "a plain file");
	is_read("z,y\n1,2\n3,4\n5,6", three, 3, "without a line end at its end");
	is_read("y,z\n2,1\n4,3\n6,5\n", three, 3, "columns in the other order");
	is_read("id,z,why not,y\nx,1,,2\n,3,NaN,4\n\"a,\"\"b\",5,-,6\n", three, 3,
		"other columns are ignored");
	is_read("\xef\xbb\xbfz,y\n" THREE, three, 3, "a byte order mark");
	is_read("z,y\r\n1,2\r\n3,4\r\n5,6\r\n", three, 3, "CR LF");
	is_read("z,y\r1,2\r3,4\r5,6\r", three, 3, "CR alone");
	is_read("\"z\",\"y\"\n\"1\",\"2\"\n\"3\",4\n5,\"6\"\n", three, 3, "quoted fields");
	is_read(" z , y\n 1 ,\t2\n3 , 4\n5,6  \n", three, 3, "blanks around fields");
	is_read("\n\n  \nz,y\n\n1,2\n\t\n3,4\n5,6\n\n\n", three, 3, "blank lines");
	is_read("# of 1986\n#\nz,y\n1,2\n# 9,9\n3,4\n#\"\n5,6\n#", three, 3,
		"comments, also before the names");
	is_read("\xef\xbb\xbf# BOM\nz,y\n" THREE, three, 3, "a comment after a byte order mark");
	is_read("z,y\n-1,.5\n+3E+5,4.\n0.5,1e-5\n0,0e9\n", odd, 4, "every way to write a number");
}

static void test_cells(void)
{
	static const struct agreement_pair replicates[] = {
		{ 1, 2, 0 }, { 3, 4, 1 }, { 5, 6, 0 }, { 7, 8, 2 }
	};
	static const struct agreement_pair texts[] = {
		{ 1, 2, 0 }, { 1, 2, 1 }, { 1, 2, 2 }, { 1, 2, 0 }, { 1, 2, 3 },
	};
	struct pairs pairs = { 0 };
	const char text[] = "cell,z,y\nb,1,2\na,3,4\nb,5,6\n10,7,8\n";

	is_read(text, replicates, 4, "cells are numbered as they appear");
	is_read("z,y,cell\n1,2,\"a\nb\"\n1,2,a b\n1,2,\"#1,\"\"2\"\"\"\n1,2,\"a\nb\"\n1,2,A b\n", texts, 5,
		"a cell is any text");
	is_read("#\ncell,z,y\n\"\n# no comment\",1,2\n\"# no comment\",1,2\n\n#\nx,1,2\n\"\n# no "
		"comment\",1,2\n\xff,1,2\n",
		texts, 5, "what is in quotation marks is no comment");
	ok(!load(text, sizeof(text) - 1, &pairs) && pairs.cells == 3 && pairs.has_cells, "and counted");
	pairs_deinit(&pairs);
	ok(!load("z,y\n" THREE, 16, &pairs) && pairs.cells == 3 && !pairs.has_cells,
	   "without that column each pair is a cell");
	pairs_deinit(&pairs);
}

static void test_header(void)
{
	is_refused("", 1, "the file is empty; its first line has to be z,y");
	is_refused("\xef\xbb\xbf", 1, "the file is empty; its first line has to be z,y");
	is_refused("#\n\n \n", 3, "no columns but blank lines and comments; add a line z,y");
	is_refused("#\n\na,y,c\n", 3, "no column 'z' but 'a', 'y', 'c': rename the one that is meant");
	is_refused("z,x\n", 1, "no column 'y' but 'z', 'x': rename the one that is meant");
	is_refused("z,Y\n" THREE, 1, "no column 'y' but 'z', 'Y': write 'y', small");
	is_refused("z;y\n1;2\n", 1,
		   "no column 'z' but 'z;y': the separator seems to be ';', and has to be a comma");
	is_refused("z\ty\n1\t2\n", 1,
		   "no column 'z' but 'z?y': the separator seems to be a tab, and has to be a comma");
	is_refused("z|y\n1|2\n", 1,
		   "no column 'z' but 'z|y': the separator seems to be '|', and has to be a comma");
	is_refused(THREE, 1, "no column 'z' but '1', '2': a line of names such as z,y has to come first");
	is_refused("z,y,z\n", 1, "column 'z' is there twice; rename one");
	is_refused("z,y,y\n", 1, "column 'y' is there twice; rename one");
	is_refused("cell,z,y,cell\n", 1, "column 'cell' is there twice; rename one");
	is_refused("\x1b[2J,\x7f\n", 1, "no column 'z' but '?[2J', '?': rename the one that is meant");
	is_refused("1,2,3,4,5,6,7,8,9,a,b,c,d,e\n", 1,
		   "no column 'z' but '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c' and 2 more: "
		   "rename the one that is meant");
}

#define NO_NUMBER " is no number; write it as in 12.5 or 1e3, or leave the row out"

static void test_numbers(void)
{
	is_refused("z,y\n1,2\n3,four\n5,6\n", 3, "y: 'four'" NO_NUMBER);
	is_refused("z,y\n1,2\nthree,four\n5,6\n", 3, "z: 'three'" NO_NUMBER);
	is_refused("z,y\n1,2\n3 3,4\n5,6\n", 3, "z: '3 3'" NO_NUMBER);
	is_refused("z,y\n1,2kB\n", 2, "y: '2kB'" NO_NUMBER);
	is_refused("z,y\n1,2e\n", 2, "y: '2e'" NO_NUMBER);
	is_refused("z,y\n1,-\n", 2, "y: '-'" NO_NUMBER);
	is_refused("z,y\n1,\"2\n\"\n", 2, "y: '2?'" NO_NUMBER);
	is_refused("z,y\n1,\x1b[31m\n", 2, "y: '?[31m'" NO_NUMBER);
	is_refused("z,y\n1,aaaaaaaaaabbbbbbbbbbccccccccccddddddddd\xc3\xa4\n", 2,
		   "y: 'aaaaaaaaaabbbbbbbbbbccccccccccddddddddd...'" NO_NUMBER);
	is_refused("z,y\n1,\n", 2, "y: the value is missing; give it, or leave the row out");
	is_refused("z,y\n  ,1\n", 2, "z: the value is missing; give it, or leave the row out");
	is_refused("cell,z,y\na,1,2\n,1,2\n", 3, "cell: the value is missing; give it, or leave the row out");
	is_refused("z,y\n1,NaN\n", 2, "y: 'NaN' is not finite; leave the row out");
	is_refused("z,y\n-inf,1\n", 2, "z: '-inf' is not finite; leave the row out");
	is_refused("z,y\nInfinity,1\n", 2, "z: 'Infinity' is not finite; leave the row out");
	is_refused("z,y\n0x10,1\n", 2, "z: '0x10' is hexadecimal; write it in decimal");
	is_refused("z,y\n1,\"2,5\"\n", 2, "y: '2,5' is no number; the decimal sign is a point, as in 1.5");
	is_refused("z,y\n1e999,1\n", 2, "z: '1e999' is out of range; use a larger unit");
	is_refused("z,y\n-1e101,1\n", 2, "z: '-1e101' is out of range; use a larger unit");
	is_refused("z,y\n1e-101,1\n", 2, "z: '1e-101' is out of range; use a smaller unit");
	is_refused("z,y\n0.2e-999,1\n", 2, "z: '0.2e-999' is out of range; use a smaller unit");
}

static void test_rows(void)
{
	is_refused("z,y\n1,2\n3\n5,6\n", 3,
		   "too few fields: 1 where the header has 2; give what is missing, or leave the row out");
	is_refused("z,y\n1;2\n", 2,
		   "too few fields: 1 where the header has 2; the separator seems to be ';', and has to be a "
		   "comma");
	is_refused("z,y\n1,5,2,5\n", 2,
		   "too many fields: 4 where the header has 2; decimal signs have to be points, and text "
		   "with a comma needs quotation marks around it");
	is_refused("z,y\n", 1, "too few rows: 0 of data; at least 3 are needed");
	is_refused("z,y\n1,2\n3,4\n\n", 4, "too few rows: 2 of data; at least 3 are needed");
	is_refused("z,y\n1,2\n3,\"4\n5,6\n", 3, "a quotation mark that is never closed; add the other one");
	is_refused("z,y,cell\n1,2,5\" disk\n", 2,
		   "a quotation mark in the middle of a field; put the field in quotation marks, and write "
		   "those in it twice");
	is_refused("z,y,cell\n1,2,\"a\"b\n", 2,
		   "a quotation mark in the middle of a field; put the field in quotation marks, and write "
		   "those in it twice");
	is_refused_bytes("z,y\n1,2\n3,\0\n", 12, 3, "a NUL byte: this is no text; save it as CSV in UTF-8");
	is_refused_bytes("\xff\xfez\0,\0y\0\n\0", 10, 1,
			 "a NUL byte: this is no text; save it as CSV in UTF-8");
}

/** LINE is the physical one, whatever was in quotation marks before. */
static void test_lines(void)
{
	is_refused("#\n\nz,y,cell\n1,2,\"a\n\nb\"\n3,x,\"\n\"\n", 7, "y: 'x'" NO_NUMBER);
	is_refused("cell,z,y\n\"a\nb\",1,x\n", 3, "y: 'x'" NO_NUMBER);
	is_refused("cell,z,y\r\n\"a\r\nb\",1,2\r\nc,1,x\r\n", 4, "y: 'x'" NO_NUMBER);
	is_refused("cell,z,y\r\"a\rb\",1,2\rc,1,x\r", 4, "y: 'x'" NO_NUMBER);
	is_refused("cell,z,y\n\"a\nb\",1\n", 2,
		   "too few fields: 2 where the header has 3; give what is missing, or leave the row out");
	is_refused("cell,z,y\na,1,2\n\"a\nb\",\"1\n,3\n", 4,
		   "a quotation mark that is never closed; add the other one");
	is_refused("\"z\n\",y\n", 1, "no column 'z' but 'z?', 'y': rename the one that is meant");
}

static void test_limits(void)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	struct pairs pairs = { 0 };
	struct err *e;

	strbuf_adds(&text, "z,y,cell\n1,2,a\n1,2,b\n1,2,");
	for (size_t i = 0; i < PAIRS_FIELD_MAX - 100; i++)
		strbuf_adds(&text, "c");
	e = load(text.data, text.len, &pairs);
	ok(!e && pairs.n == 3, "a field of nearly 64 KiB");
	err_free(e);
	pairs_deinit(&pairs);
	for (size_t i = 0; i < 200; i++)
		strbuf_adds(&text, "c");
	is_refused(text.data, 4, "a field of more than 65536 bytes; is a quotation mark missing at its end?");

	strbuf_clear(&text);
	strbuf_adds(&text, "z,y\n1,2\n3,\"4");
	for (size_t i = 0; i < 20000; i++)
		strbuf_adds(&text, "\n5,6");
	is_refused(text.data, 3, "a field of more than 65536 bytes; is a quotation mark missing at its end?");

	strbuf_clear(&text);
	for (size_t i = 0; i < PAIRS_COLUMNS_MAX; i++)
		strbuf_adds(&text, ",");
	is_refused(text.data, 1, "more than 1024 columns; leave out those that are not needed");
}

static void is_unreadable(const char *name, const char *message)
{
	struct pairs pairs;

	is_usage(pairs_load(name, &pairs), message, message);
}

/** What cannot be read at all. /dev/zero stands for a file that is too large. */
static void test_files(void)
{
	is_unreadable("/tmp/no/such/file", "cannot open '/tmp/no/such/file': No such file or directory");
	is_unreadable("/tmp", "cannot read '/tmp': Is a directory");
	is_unreadable("/dev/zero", "'/dev/zero' is larger than 268435456 bytes");
	is_unreadable("/dev/null", "/dev/null:1: the file is empty; its first line has to be z,y");
	is_str(pairs_name("-"), "standard input", "'-' has a name");
}

/** Names of files are somebody's text too. */
static void test_name(void)
{
	cleanup_free char *odd = xasprintf("%s\x1b[31m", path);
	cleanup_free char *want =
		xasprintf("%s?[31m:1: the file is empty; its first line has to be z,y", path);
	struct pairs pairs;
	struct err *e = file_write_atomic(odd, "", 0, 0600);

	ok(!e, "a file with an odd name");
	err_free(e);
	is_usage(pairs_load(odd, &pairs), want, "is named without what would control a terminal");
	unlink(odd);
}

/** In standard input. */
static void test_standard_input(void)
{
	struct pairs pairs = { 0 };
	struct err *e = file_write_atomic(path, "z,y\n" THREE, 16, 0600);

	if (!ok(!e && freopen(path, "r", stdin), "standard input"))
		return;
	e = pairs_load("-", &pairs);
	ok(!e && pairs.n == 3, "is read for '-'");
	err_free(e);
	pairs_deinit(&pairs);
	is_usage(pairs_load("-", &pairs), "standard input:1: the file is empty; its first line has to be z,y",
		 "and named in errors");
}

/** As many cells as pairs must not take their square of time: a list of them would take some 10 s here. */
static void test_many(void)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	struct pairs pairs = { 0 };
	clock_t start;
	struct err *e;

	strbuf_adds(&text, "cell,z,y\n");
	for (unsigned i = 0; i < 100000; i++)
		strbuf_addf(&text, "\"guest %u, pypy3\",%u,%u.5\n", i % 50000, i, i);
	start = clock();
	e = load(text.data, text.len, &pairs);
	ok(!e && pairs.n == 100000 && pairs.cells == 50000, "50,000 cells of two pairs");
	ok(clock() - start < 2 * CLOCKS_PER_SEC, "in little time");
	ok(!e && pairs.pairs[99999].cell == 49999 && pairs.pairs[50000].cell == 0 &&
		   pairs.pairs[50001].z == 50001,
	   "each in its cell");
	err_free(e);
	pairs_deinit(&pairs);
}

int main(void)
{
	int fd = mkstemp(path);

	if (!ok(fd >= 0, "a file"))
		return tap_done();
	close(fd);
	test_accepted();
	test_cells();
	test_header();
	test_numbers();
	test_rows();
	test_lines();
	test_limits();
	test_files();
	test_name();
	test_standard_input();
	test_many();
	unlink(path);
	return tap_done();
}
