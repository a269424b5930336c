/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CSV files of pairs: what is accepted, and that what is wrong is refused with line, reason and remedy. */
#include <time.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/compare/pairs.h"
#include "tests/unit/errors.h"

/* Every row has another line, so that a number tells the row. */
#define THREE "1,2\n3,4\n5,6\n"

#define PATH "pairs.csv"

static struct err *load(const char *data, size_t len, struct pairs *ret)
{
	must(file_write_atomic(PATH, data, len, 0600));
	return pairs_load(PATH, ret);
}

/** Reading a file failed with exactly that message, as a usage error. */
static void is_usage(struct err *e, const char *want, const char *what)
{
	is_str(e ? err_message(e) : "(accepted)", want, what);
	ok(e && err_get_kind(e) == ERR_USAGE, "and it is a usage error");
	err_free(e);
}

/** The text is refused with exactly this message after "PATH:LINE: ". */
static void is_refused(const char *data, size_t len, int line, const char *message)
{
	cleanup_pairs struct pairs pairs = { 0 };
	cleanup_free char *want = xasprintf(PATH ":%d: %s", line, message);

	is_usage(load(data, len, &pairs), want, message);
}

static const struct agreement_pair three[] = { { 1, 2, 0 }, { 3, 4, 1 }, { 5, 6, 2 } };
static const struct agreement_pair odd[] = { { -1, 0.5, 0 }, { 3e5, 4, 1 }, { 0.5, 1e-5, 2 }, { 0, 0, 3 } };
static const struct agreement_pair replicates[] = { { 1, 2, 0 }, { 3, 4, 1 }, { 5, 6, 0 }, { 7, 8, 2 } };
static const struct agreement_pair texts[] = {
	{ 1, 2, 0 }, { 1, 2, 1 }, { 1, 2, 2 }, { 1, 2, 0 }, { 1, 2, 3 },
};

/** Texts and their pairs. */
static const struct {
	const char *text;
	const struct agreement_pair *pairs;
	size_t n, clusters;
	const char *what;
} accepted[] = {
	{ "z,y\n" THREE, three, 3, 3, "a plain file" },
	{ "z,y\n1,2\n3,4\n5,6", three, 3, 3, "without a line end at its end" },
	{ "y,z\n2,1\n4,3\n6,5\n", three, 3, 3, "columns in the other order" },
	{ "id,z,why not,y\nx,1,,2\n,3,NaN,4\n\"a,\"\"b\",5,-,6\n", three, 3, 3, "other columns are ignored" },
	{ "\xef\xbb\xbfz,y\n" THREE, three, 3, 3, "a byte order mark" },
	{ "z,y\r\n1,2\r\n3,4\r\n5,6\r\n", three, 3, 3, "CR LF" },
	{ "z,y\r1,2\r3,4\r5,6\r", three, 3, 3, "CR alone" },
	{ "\"z\",\"y\"\n\"1\",\"2\"\n\"3\",4\n5,\"6\"\n", three, 3, 3, "quoted fields" },
	{ " z , y\n 1 ,\t2\n3 , 4\n5,6  \n", three, 3, 3, "blanks around fields" },
	{ "\n\n  \nz,y\n\n1,2\n\t\n3,4\n5,6\n\n\n", three, 3, 3, "blank lines" },
	{ "# of 1986\n#\nz,y\n1,2\n# 9,9\n3,4\n#\"\n5,6\n#", three, 3, 3, "comments, also before the names" },
	{ "\xef\xbb\xbf# BOM\nz,y\n" THREE, three, 3, 3, "a comment after a byte order mark" },
	{ "z,y\n-1,.5\n+3E+5,4.\n0.5,1e-5\n0,0e9\n", odd, 4, 4, "every way to write a number" },
	{ "cell,z,y\nb,1,2\na,3,4\nb,5,6\n10,7,8\n", replicates, 4, 3, "cells are numbered as they appear" },
	{ "cluster,cell,z,y\nb,1,1,2\na,,3,4\nb,2,5,6\n10,1,7,8\n", replicates, 4, 3,
	  "clusters are larger than cells" },
	{ "z,y,cell\n1,2,\"a\nb\"\n1,2,a b\n1,2,\"#1,\"\"2\"\"\"\n1,2,\"a\nb\"\n1,2,A b\n", texts, 5, 4,
	  "a cell is any text" },
	{ "#\ncell,z,y\n\"\n# no comment\",1,2\n\"# no comment\",1,2\n\n#\nx,1,2\n\"\n# no "
	  "comment\",1,2\n\xff,1,2\n",
	  texts, 5, 4, "what is in quotation marks is no comment" },
};

static const char *unit_of(const char *text)
{
	return strstr(text, "cluster") ? "cluster" : strstr(text, "cell") ? "cell" : "pair";
}

static void test_accepted(void)
{
	for (size_t t = 0; t < sizeof(accepted) / sizeof(accepted[0]); t++) {
		cleanup_pairs struct pairs pairs = { 0 };
		const struct agreement_pair *want = accepted[t].pairs;
		bool same;

		if (!no_err(load(accepted[t].text, strlen(accepted[t].text), &pairs), accepted[t].what))
			continue;
		same = pairs.n == accepted[t].n && pairs.clusters == accepted[t].clusters &&
		       strcmp(pairs.unit, unit_of(accepted[t].text)) == 0;
		for (size_t i = 0; same && i < pairs.n; i++)
			same = pairs.pairs[i].z == want[i].z && pairs.pairs[i].y == want[i].y &&
			       pairs.pairs[i].cluster == want[i].cluster;
		ok(same, "with these pairs and cells");
	}
}

#define EMPTY        "the file is empty; its first line has to be z,y"
#define TOO_FEW      "too few fields: 1 where the header has 2; "
#define NEVER_CLOSED "a quotation mark that is never closed; add the other one"
#define IN_FIELD                                                                                              \
	"a quotation mark in the middle of a field; put the field in quotation marks, and write those in it " \
	"twice"
#define TOO_LONG  "a field of more than 65536 bytes; is a quotation mark missing at its end?"
#define NUL       "a NUL byte: this is no text; save it as CSV in UTF-8"
#define NO_NUMBER " is no number; write it as in 12.5 or 1e3, or leave the row out"

static const struct {
	const char *text;
	int line;
	const char *message;
} refused[] = {
	/* The first line. */
	{ "", 1, EMPTY },
	{ "\xef\xbb\xbf", 1, EMPTY },
	{ "#\n\n \n", 3, "no columns but blank lines and comments; add a line z,y" },
	{ "#\n\na,y,c\n", 3, "no column 'z' but 'a', 'y', 'c': rename the one that is meant" },
	{ "z,x\n", 1, "no column 'y' but 'z', 'x': rename the one that is meant" },
	{ "z,Y\n" THREE, 1, "no column 'y' but 'z', 'Y': write 'y', small" },
	{ "z;y\n1;2\n", 1, "no column 'z' but 'z;y': the separator seems to be ';', and has to be a comma" },
	{ "z\ty\n1\t2\n", 1,
	  "no column 'z' but 'z?y': the separator seems to be a tab, and has to be a comma" },
	{ "z|y\n1|2\n", 1, "no column 'z' but 'z|y': the separator seems to be '|', and has to be a comma" },
	{ THREE, 1, "no column 'z' but '1', '2': a line of names such as z,y has to come first" },
	{ "z,y,z\n", 1, "column 'z' is there twice; rename one" },
	{ "z,y,y\n", 1, "column 'y' is there twice; rename one" },
	{ "cell,z,y,cell\n", 1, "column 'cell' is there twice; rename one" },
	{ "\x1b[2J,\x7f\n", 1, "no column 'z' but '?[2J', '?': rename the one that is meant" },
	{ "1,2,3,4,5,6,7,8,9,a,b,c,d,e\n", 1,
	  "no column 'z' but '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c' and 2 more: "
	  "rename the one that is meant" },
	/* Values. */
	{ "z,y\n1,2\n3,four\n5,6\n", 3, "y: 'four'" NO_NUMBER },
	{ "z,y\n1,2\nthree,four\n5,6\n", 3, "z: 'three'" NO_NUMBER },
	{ "z,y\n1,2\n3 3,4\n5,6\n", 3, "z: '3 3'" NO_NUMBER },
	{ "z,y\n1,2kB\n", 2, "y: '2kB'" NO_NUMBER },
	{ "z,y\n1,2e\n", 2, "y: '2e'" NO_NUMBER },
	{ "z,y\n1,-\n", 2, "y: '-'" NO_NUMBER },
	{ "z,y\n1,\"2\n\"\n", 2, "y: '2?'" NO_NUMBER },
	{ "z,y\n1,\x1b[31m\n", 2, "y: '?[31m'" NO_NUMBER },
	{ "z,y\n1,aaaaaaaaaabbbbbbbbbbccccccccccddddddddd\xc3\xa4\n", 2,
	  "y: 'aaaaaaaaaabbbbbbbbbbccccccccccddddddddd...'" NO_NUMBER },
	{ "z,y\n1,\n", 2, "y: the value is missing; give it, or leave the row out" },
	{ "z,y\n  ,1\n", 2, "z: the value is missing; give it, or leave the row out" },
	{ "cell,z,y\na,1,2\n,1,2\n", 3, "cell: the value is missing; give it, or leave the row out" },
	{ "z,y\n1,NaN\n", 2, "y: 'NaN' is not finite; leave the row out" },
	{ "z,y\n-inf,1\n", 2, "z: '-inf' is not finite; leave the row out" },
	{ "z,y\nInfinity,1\n", 2, "z: 'Infinity' is not finite; leave the row out" },
	{ "z,y\n0x10,1\n", 2, "z: '0x10' is hexadecimal; write it in decimal" },
	{ "z,y\n1,\"2,5\"\n", 2, "y: '2,5' is no number; the decimal sign is a point, as in 1.5" },
	{ "z,y\n1e999,1\n", 2, "z: '1e999' is out of range; use a larger unit" },
	{ "z,y\n-1e101,1\n", 2, "z: '-1e101' is out of range; use a larger unit" },
	{ "z,y\n1e-101,1\n", 2, "z: '1e-101' is out of range; use a smaller unit" },
	{ "z,y\n0.2e-999,1\n", 2, "z: '0.2e-999' is out of range; use a smaller unit" },
	/* Rows. */
	{ "z,y\n1,2\n3\n5,6\n", 3, TOO_FEW "give what is missing, or leave the row out" },
	{ "z,y\n1;2\n", 2,
	  TOO_FEW "the separator seems to be ';', and has to be a "
		  "comma" },
	{ "z,y\n1,5,2,5\n", 2,
	  "too many fields: 4 where the header has 2; decimal signs have to be points, and text "
	  "with a comma needs quotation marks around it" },
	{ "z,y\n", 1, "too few rows: 0 of data; at least 3 are needed" },
	{ "z,y\n1,2\n3,4\n\n", 4, "too few rows: 2 of data; at least 3 are needed" },
	{ "z,y\n1,2\n3,\"4\n5,6\n", 3, NEVER_CLOSED },
	{ "z,y,cell\n1,2,5\" disk\n", 2, IN_FIELD },
	{ "z,y,cell\n1,2,\"a\"b\n", 2, IN_FIELD },
	/* The line is the physical one, whatever was in quotation marks before. */
	{ "#\n\nz,y,cell\n1,2,\"a\n\nb\"\n3,x,\"\n\"\n", 7, "y: 'x'" NO_NUMBER },
	{ "cell,z,y\n\"a\nb\",1,x\n", 3, "y: 'x'" NO_NUMBER },
	{ "cell,z,y\r\n\"a\r\nb\",1,2\r\nc,1,x\r\n", 4, "y: 'x'" NO_NUMBER },
	{ "cell,z,y\r\"a\rb\",1,2\rc,1,x\r", 4, "y: 'x'" NO_NUMBER },
	{ "cell,z,y\n\"a\nb\",1\n", 2,
	  "too few fields: 2 where the header has 3; give what is missing, or leave the row out" },
	{ "cell,z,y\na,1,2\n\"a\nb\",\"1\n,3\n", 4, NEVER_CLOSED },
	{ "\"z\n\",y\n", 1, "no column 'z' but 'z?', 'y': rename the one that is meant" },
};

static void test_refused(void)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		is_refused(refused[i].text, strlen(refused[i].text), refused[i].line, refused[i].message);
	is_refused("z,y\n1,2\n3,\0\n", 12, 3, NUL);
	is_refused("\xff\xfez\0,\0y\0\n\0", 10, 1, NUL);
}

static void add_times(struct strbuf *text, size_t n, const char *part)
{
	while (n-- > 0)
		strbuf_adds(text, part);
}

static void test_limits(void)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_pairs struct pairs pairs = { 0 };

	strbuf_adds(&text, "z,y,cell\n1,2,a\n1,2,b\n1,2,");
	add_times(&text, PAIRS_FIELD_MAX - 100, "c");
	no_err(load(text.data, text.len, &pairs), "a field of nearly 64 KiB");
	is_int(pairs.n, 3, "is one of three");
	add_times(&text, 200, "c");
	is_refused(text.data, text.len, 4, TOO_LONG);

	strbuf_clear(&text);
	strbuf_adds(&text, "z,y\n1,2\n3,\"4");
	add_times(&text, 20000, "\n5,6");
	is_refused(text.data, text.len, 3, TOO_LONG);

	strbuf_clear(&text);
	add_times(&text, PAIRS_COLUMNS_MAX, ",");
	is_refused(text.data, text.len, 1, "more than 1024 columns; leave out those that are not needed");
}

/** What cannot be read at all. /dev/zero stands for a file that is too large. */
static void test_files(void)
{
	static const char *const files[][2] = {
		{ "/tmp/no/such/file", "cannot open '/tmp/no/such/file': No such file or directory" },
		{ "/tmp", "cannot read '/tmp': Is a directory" },
		{ "/dev/zero", "'/dev/zero' is larger than 268435456 bytes" },
		{ "/dev/null", "/dev/null:1: " EMPTY },
		/* Names of files are somebody's text too: without what would control a terminal. */
		{ "odd\x1b[31m", "odd?[31m:1: " EMPTY },
	};
	struct pairs pairs;

	test_file("odd\x1b[31m", "", 0600);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		is_usage(pairs_load(files[i][0], &pairs), files[i][1], files[i][1]);
}

static void test_standard_input(void)
{
	cleanup_pairs struct pairs pairs = { 0 };

	test_file(PATH, "z,y\n" THREE, 0600);
	is_str(pairs_name("-"), "standard input", "'-' has a name");
	if (!ok(freopen(PATH, "r", stdin), "standard input"))
		return;
	no_err(pairs_load("-", &pairs), "is read for '-'");
	is_int(pairs.n, 3, "all of it");
	is_usage(pairs_load("-", &pairs), "standard input:1: " EMPTY, "and named in errors");
}

/** As many cells as pairs must not take their square of time: a list of them would take some 10 s here. */
static void test_many(void)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_pairs struct pairs pairs = { 0 };
	clock_t start;

	strbuf_adds(&text, "cell,z,y\n");
	for (unsigned i = 0; i < 100000; i++)
		strbuf_addf(&text, "\"guest %u, pypy3\",%u,%u.5\n", i % 50000, i, i);
	start = clock();
	must(load(text.data, text.len, &pairs));
	ok(pairs.n == 100000 && pairs.clusters == 50000, "50,000 cells of two pairs");
	ok(clock() - start < 2 * CLOCKS_PER_SEC, "in little time");
	ok(pairs.pairs[99999].cluster == 49999 && pairs.pairs[50000].cluster == 0 &&
		   pairs.pairs[50001].z == 50001,
	   "each in its cell");
}

TAP_MAIN(test_in_dir, test_accepted, test_refused, test_limits, test_files, test_standard_input, test_many)
