/* SPDX-License-Identifier: GPL-3.0-or-later */
/* "Key: N kB" and "key N" lines: real kernel texts, and texts no kernel should write. */
#include "calibrate/evidence/text.h"
#include "tests/unit/evidence/data.h"

/* What no number in the captures is. */
#define ABSENT 999999999

struct all {
	size_t n;
	struct strbuf text;
};

/* Writes what it is told as "key=value[k] ". */
static void collect(void *arg, struct text_span key, uint64_t value, bool has_kib)
{
	struct all *a = arg;

	a->n++;
	strbuf_addf(&a->text, "%.*s=%llu%s ", (int)key.len, key.ptr, (unsigned long long)value,
		    has_kib ? "k" : "");
}

/* All numbers of a text, as collect() writes them; the caller frees. */
static char *numbers(const char *text, size_t len, size_t *bad)
{
	struct all a = { .text = STRBUF_INIT };

	*bad = text_each_number(text, len, collect, &a);
	return strbuf_steal(&a.text);
}

static uint64_t get(const struct strbuf *sb, const char *key)
{
	uint64_t value = ABSENT;

	text_get_number(sb->data, sb->len, key, &value);
	return value;
}

static void test_kernel(const char *kernel)
{
	static const char *const files[] = { "meminfo", "status", "smaps_rollup", "vmstat" };

	printf("# linux %s\n", kernel);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		cleanup_strbuf struct strbuf sb = load(kernel, files[i]);
		size_t bad = 0;

		ok(sb.len > 0 && test_keep(numbers(sb.data, sb.len, &bad))[0], files[i]);
		is_int(bad, 0, "has no bad line");
	}

	cleanup_strbuf struct strbuf meminfo = load(kernel, "meminfo");
	cleanup_strbuf struct strbuf rollup = load(kernel, "smaps_rollup");
	cleanup_strbuf struct strbuf status = load(kernel, "status");
	cleanup_strbuf struct strbuf vmstat = load(kernel, "vmstat");
	uint64_t total = get(&meminfo, "MemTotal"), available = get(&meminfo, "MemAvailable");

	ok(total > 50000 && available > 10000 && available < total, "MemAvailable is a part of MemTotal");
	ok(get(&meminfo, "Active(anon)") <= get(&meminfo, "Active"), "keys with parentheses");
	is_int(get(&rollup, "Rss"),
	       get(&rollup, "Shared_Clean") + get(&rollup, "Shared_Dirty") + get(&rollup, "Private_Clean") +
		       get(&rollup, "Private_Dirty"),
	       "Rss is the sum of its four parts");
	ok(get(&rollup, "Pss") <= get(&rollup, "Rss"), "Pss is not above Rss");
	is_int(get(&status, "Threads"), 1, "a number without kB in status");
	ok(get(&status, "VmSize") >= get(&status, "VmRSS"), "VmSize is not below VmRSS");
	ok(get(&vmstat, "pgfault") > 0 && get(&vmstat, "pgfault") != ABSENT, "vmstat counts page faults");
	is_int(get(&vmstat, "pswpout"), 0, "and no page swapped out");
}

static void test_kernels(void)
{
	test_kernel("5.10");
	test_kernel("6.1");
	test_kernel("6.12");
	test_kernel("6.18");
}

/* See tests/data/README.md for where these come from; a zombie has no sizes. */
static void test_known_answers(void)
{
	static const struct {
		const char *kernel, *file, *key;
		uint64_t want;
	} answers[] = {
		{ "6.1", "meminfo", "MemTotal", 93788 },
		{ "6.1", "meminfo", "MemAvailable", 70856 },
		{ "6.18", "smaps_rollup", "AnonHugePages", 8192 },
		{ "6.18", "smaps_rollup", "LazyFree", 992 },
		{ "6.18", "smaps_rollup", "Pss", 17006 },
		{ "6.1-swapping", "smaps_rollup", "Swap", 33784 },
		{ "6.1-swapping", "smaps_rollup", "SwapPss", 14844 },
		{ "6.1-swapping", "status", "VmSwap", 29696 },
		{ "6.1-swapping", "vmstat", "pswpout", 8556 },
		{ "6.1-swapping", "vmstat", "pswpin", 50 },
		{ "6.1-shapes", "memory.stat", "anon", 1179648 },
		{ "6.1-shapes", "status", "HugetlbPages", 2048 },
		{ "6.1-shapes", "status", "VmLck", 64 },
		{ "6.1-shapes", "status", "VmSwap", 256 },
		{ "6.1-vanished", "status", "VmRSS", ABSENT },
		{ "6.1-vanished", "status", "Threads", 1 },
	};
	cleanup_strbuf struct strbuf current = load("6.1-shapes", "memory.current");
	cleanup_strbuf struct strbuf pressure = load("6.1-shapes", "pressure_memory");
	size_t bad;

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		cleanup_strbuf struct strbuf sb = load(answers[i].kernel, answers[i].file);

		is_int(get(&sb, answers[i].key), answers[i].want, answers[i].key);
	}

	cleanup_free char *all = numbers(pressure.data, pressure.len, &bad);

	ok(bad == 0 && !*all, "pressure has no line that is a key and a number");
	free(numbers(current.data, current.len, &bad));
	is_int(bad, 1, "memory.current has no key");
}

/* What the text gives, in collect()'s words, and its bad lines. Its length is that of the string literal. */
#define CHECK(text, want, want_bad, what)                                                                    \
	do {                                                                                                 \
		size_t bad_;                                                                                 \
		cleanup_free char *all_ = numbers(text, sizeof(text) - 1, &bad_);                            \
		is_str(all_, want, what);                                                                    \
		is_int(bad_, want_bad, "its bad lines");                                                     \
	} while (0)

static void test_made_lines(void)
{
	CHECK("", "", 0, "no text");
	CHECK("Rss:    12 kB\nThreads:\t3\nnr_free_pages 77\n", "Rss=12k Threads=3 nr_free_pages=77 ", 0,
	      "three shapes");
	CHECK("Name:\tpython3\nUid:\t0\t0\t0\t0\nSigQ:\t0/789\nGroups:\t \nempty:\n", "", 0,
	      "no numbers, nothing bad");
	CHECK("SigPnd:\t0000000000000000\nShdPnd:\t0000000000010000\n", "", 0,
	      "hexadecimal masks are no numbers");
	CHECK("a 0\nb: 0 kB\nc: 00\n", "a=0 b=0k ", 0, "zero is one, two zeros are a mask");
	CHECK("Rss: 12 MB\nRss: 12kB\nRss: 12 kB \nRss: 12 kBx\nRss: 12.5\nRss: -1\nRss: +1\nRss: 0x10\n", "",
	      0, "another unit or notation is not taken for kB or a number");
	CHECK("55d0c000-7ffe1000 ---p 00000000 00:00 0      [rollup]\nRss: 4 kB\n", "Rss=4k ", 0,
	      "the head of smaps_rollup");
	CHECK("Node 0 MemTotal: 12 kB\n", "Node 0 MemTotal=12k ", 0,
	      "with a colon, spaces belong to the key");
	CHECK("some avg10=0.00 avg60=1.23\n", "", 0, "pressure is no number");

	CHECK("max 18446744073709551615\n", "max=18446744073709551615 ", 0, "the largest number");
	CHECK("max 18446744073709551616\nb 1\n", "b=1 ", 1, "one more is bad");
	CHECK("max 99999999999999999999999999999999999999999999999 kB\nb 1\n", "b=1 ", 1, "much more too");

	CHECK("a: 1 kB\nb: 123", "a=1k ", 1, "a last line without its newline is cut: bad, and not taken");
	CHECK("b: 123 kB", "", 1, "even when it looks whole");
	CHECK(":\n", "", 1, "only a colon");
	CHECK(": 5 kB\n 5\n", "", 2, "no key");
	CHECK("\n\n", "", 2, "empty lines");
	CHECK("word\n12\n", "", 2, "only a word");
	CHECK("a\0b: 1\nc: 1\0\nd: 1\n", "d=1 ", 2, "lines with a NUL byte");
	CHECK("\xff\xfe: 1\n", "\xff\xfe=1 ", 0, "other bytes are kept as they are");
	CHECK("a: 1 kB\r\n", "", 0, "a carriage return is no part of a number");
}

static void test_exact_keys(void)
{
	static const char text[] =
		"Pss_Anon: 1 kB\nSwapPss: 2 kB\nPss: 3 kB\nSwap: 4 kB\nSwapCached: 5 kB\nPss: 6 kB\n";
	uint64_t value = 77;

	ok(text_get_number(text, sizeof(text) - 1, "Pss", &value) && value == 3,
	   "Pss is not Pss_Anon; the first counts");
	ok(text_get_number(text, sizeof(text) - 1, "Swap", &value) && value == 4, "Swap is not SwapPss");
	value = 77;
	ok(!text_get_number(text, sizeof(text) - 1, "Swa", &value), "a prefix is no key");
	ok(!text_get_number(text, sizeof(text) - 1, "swap", &value), "nor is another case");
	ok(!text_get_number(text, sizeof(text) - 1, "", &value), "nor nothing");
	ok(!text_get_number(text, 0, "Pss", &value), "no text has no key");
	is_int(value, 77, "what is absent leaves the result alone");
	ok(text_span_is((struct text_span){ "abc", 2 }, "ab"), "a span ends where it ends");
	ok(!text_span_is((struct text_span){ "a\0c", 3 }, "a"), "not at a NUL byte");
}

/* A long line neither breaks the reader nor hides the next line. */
static void test_long_line(void)
{
	size_t len = 3 << 20;
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;
	cleanup_free char *x = xmalloc(len);

	memset(x, 'x', len);
	strbuf_add(&sb, x, len);
	strbuf_adds(&sb, ": 1\nk: ");
	memset(x, '7', len);
	strbuf_add(&sb, x, len);
	strbuf_adds(&sb, "\nend: 5\n");

	uint64_t value = 0;
	struct all a = { .text = STRBUF_INIT };

	is_int(text_each_number(sb.data, sb.len, collect, &a), 1, "3 MiB of digits are one bad line");
	is_int(a.n, 2, "3 MiB of key are a key");
	ok(text_get_number(sb.data, sb.len, "end", &value) && value == 5, "the line after them is read");
	strbuf_deinit(&a.text);
}

/*
 * A text cut after any byte: what is read is what the whole lines before the cut say, and the cut line is
 * bad. Each prefix stands in memory of its own size, for the sanitizer to see a byte too far.
 */
static void test_prefixes(const char *file)
{
	cleanup_strbuf struct strbuf sb = load("6.1", file);
	size_t bad, wrong = 0;
	cleanup_free char *whole = numbers(strbuf_str(&sb), sb.len, &bad);

	for (size_t len = 0; len < sb.len; len++) {
		cleanup_free char *part = xmalloc(len);

		memcpy(part, sb.data, len);

		cleanup_free char *got = numbers(part, len, &bad);
		bool is_cut = len > 0 && sb.data[len - 1] != '\n';

		if (strncmp(got, whole, strlen(got)) != 0 || bad != is_cut)
			wrong++;
	}
	printf("# %s: %zu prefixes\n", file, sb.len);
	ok(sb.len > 100 && wrong == 0,
	   "each prefix gives the first numbers of the whole, and one bad line when cut in it");
}

static void test_all_prefixes(void)
{
	test_prefixes("meminfo");
	test_prefixes("status");
	test_prefixes("smaps_rollup");
	test_prefixes("vmstat");
}

TAP_MAIN(test_kernels, test_known_answers, test_made_lines, test_exact_keys, test_long_line,
	 test_all_prefixes)
