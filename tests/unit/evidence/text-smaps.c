/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /proc/PID/smaps from kernels 5.10 to 6.18 (2.6: see views.c), and damaged ones. */
#include "calibrate/evidence/text.h"
#include "tests/unit/evidence/data.h"

#define MAPPINGS_MAX 100
#define FIELDS_MAX   40

struct field {
	struct text_span key;
	uint64_t value;
	bool has_kib;
};

struct mapping {
	struct text_mapping m;
	struct field fields[FIELDS_MAX];
	size_t n;
};

/* What a text says. Lives as long as the text. */
struct smaps {
	struct mapping mappings[MAPPINGS_MAX];
	size_t n, orphans, bad;
};

static void add_mapping(void *arg, const struct text_mapping *m)
{
	struct smaps *s = arg;

	if (s->n < MAPPINGS_MAX)
		s->mappings[s->n++] = (struct mapping){ .m = *m };
}

static void add_field(void *arg, struct text_span key, uint64_t value, bool has_kib)
{
	struct smaps *s = arg;
	struct mapping *m = s->n ? &s->mappings[s->n - 1] : NULL;

	if (m && m->n < FIELDS_MAX)
		m->fields[m->n++] = (struct field){ key, value, has_kib };
	else
		s->orphans++;
}

static void parse(struct smaps *s, const char *text, size_t len)
{
	s->n = s->orphans = 0;
	s->bad = text_each_smaps(text, len, add_mapping, add_field, NULL, s);
}

static const struct field *find(const struct mapping *m, const char *key)
{
	for (size_t i = 0; i < m->n; i++) {
		if (text_span_is(m->fields[i].key, key))
			return &m->fields[i];
	}
	return NULL;
}

/* A field of a mapping; -1 when there is none. */
static long long get(const struct mapping *m, const char *key)
{
	const struct field *f = find(m, key);

	return f ? (long long)f->value : -1;
}

static long long sum(const struct smaps *s, const char *key)
{
	long long n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += get(&s->mappings[i], key);
	return n;
}

static const struct mapping *find_path(const struct smaps *s, const char *path)
{
	static const struct mapping none = { .n = 0 };

	for (size_t i = 0; i < s->n; i++) {
		if (text_span_is(s->mappings[i].m.path, path))
			return &s->mappings[i];
	}
	printf("# no mapping of '%s'\n", path);
	return &none;
}

/* Size is what the addresses span, and Rss is the sum of its four parts. */
static bool is_consistent(const struct mapping *m)
{
	return (m->m.end - m->m.start) / 1024 == (uint64_t)get(m, "Size") &&
	       get(m, "Rss") == get(m, "Shared_Clean") + get(m, "Shared_Dirty") + get(m, "Private_Clean") +
					get(m, "Private_Dirty");
}

static void test_kernel(const char *kernel, size_t mappings, size_t fields)
{
	cleanup_strbuf struct strbuf sb = load(kernel, "smaps");
	struct smaps s;
	size_t right = 0, full = 0;

	printf("# linux %s\n", kernel);
	parse(&s, strbuf_str(&sb), sb.len);
	is_int(s.bad, 0, "no bad line");
	is_int(s.n, mappings, "all mappings");
	for (size_t i = 0; i < s.n; i++) {
		right += is_consistent(&s.mappings[i]);
		full += s.mappings[i].n == fields;
	}
	is_int(right, mappings, "each is consistent in itself");
	is_int(full, mappings, "each has all its fields");
}

static void test_paths(void)
{
	cleanup_strbuf struct strbuf sb = load("6.18", "smaps");
	struct smaps s;

	parse(&s, strbuf_str(&sb), sb.len);

	const struct mapping *m = find_path(&s, "/tmp/capture/file with spaces\\012and a newline");

	is_int(get(m, "Size"), 16, "a name with spaces and a newline");
	ok(text_span_is(m->m.perms, "rw-s"), "which is shared");
	m = find_path(&s, "/tmp/capture/deleted (deleted)");
	is_int(get(m, "Rss"), 8, "a deleted file");
	is_int(m->m.dev_major, 0xfe, "the device is hexadecimal");
	is_int(m->m.inode, 10961351, "the inode is decimal");
	is_int(get(find_path(&s, "/memfd:a memfd (deleted)"), "Size"), 8, "a memfd");
	is_int(get(find_path(&s, "/dev/zero (deleted)"), "Rss"), 64, "shared anonymous memory");
	m = find_path(&s, "[vsyscall]");
	ok(m->m.start == 0xffffffffff600000 && m->m.end == 0xffffffffff601000, "addresses of 64 bits");
	ok(text_span_is(m->m.perms, "--xp"), "that may only be run");

	const struct mapping *huge = NULL;

	for (size_t i = 0; i < s.n; i++)
		if (get(&s.mappings[i], "AnonHugePages") > 0)
			huge = &s.mappings[i];
	if (!ok(huge, "a mapping of huge pages"))
		return;
	is_int(get(huge, "AnonHugePages"), 8192, "8 MiB of them");
	is_int(get(huge, "THPeligible"), 1, "a field without kB");
	ok(!find(huge, "THPeligible")->has_kib && find(huge, "Rss")->has_kib, "is told apart");
	ok(!find(huge, "VmFlags"), "VmFlags are no number");
	ok(text_span_is(huge->m.path, ""), "an anonymous mapping with a blank at its end");
}

static void test_swapping(void)
{
	cleanup_strbuf struct strbuf sb = load("6.1-swapping", "smaps");
	struct smaps s;

	parse(&s, strbuf_str(&sb), sb.len);

	const struct mapping *shmem = find_path(&s, "/dev/zero (deleted)");

	is_int(get(shmem, "Swap"), 4096, "shared memory that went out is in Swap");
	is_int(get(shmem, "SwapPss"), 0, "and not in SwapPss");
	is_int(sum(&s, "Swap"), 33784, "Swap of all mappings: each counted once");
}

/* Shapes that few processes have; see tests/data/README.md. */
static void test_shapes(const char *kernel)
{
	cleanup_strbuf struct strbuf sb = load(kernel, "smaps");
	struct smaps s;

	printf("# linux %s\n", kernel);
	parse(&s, strbuf_str(&sb), sb.len);

	const struct mapping *huge = find_path(&s, "/anon_hugepage (deleted)"), *lazy = NULL, *longest = NULL;

	is_int(get(huge, "Shared_Hugetlb"), 2048, "a page of hugetlb that two processes have");
	is_int(get(huge, "Rss"), 0, "is not in Rss");
	is_int(get(huge, "KernelPageSize"), 2048, "and has its own size");
	is_int(get(find_path(&s, "/deleted (deleted)"), "Rss"), -1, "a path is the whole path");
	is_int(get(find_path(&s, "/t/deleted (deleted)"), "Rss"), 4, "a deleted file");
	is_int(get(find_path(&s, "/SYSV00000000 (deleted)"), "Rss"), 12, "System V shared memory");
	/* Only the newline is escaped: whether the second \012 was one cannot be told. */
	is_int(get(find_path(&s, "/t/two  blanks\\012and a newline \\012"), "Size"), 16,
	       "blanks, a newline and a backslash in a name");
	for (size_t i = 0; i < s.n; i++) {
		const struct mapping *m = &s.mappings[i];

		if (get(m, "LazyFree") > 0)
			lazy = m;
		if (!longest || m->m.path.len > longest->m.path.len)
			longest = m;
	}
	ok(lazy && get(lazy, "LazyFree") == 512 && get(lazy, "Rss") == 1024 &&
		   get(lazy, "Shared_Clean") == 512,
	   "half of a mapping given back with MADV_FREE is clean, and still in Rss");
	is_int(longest->m.path.len, 4028, "a path of 4028 bytes is not cut");
	is_int(get(longest, "Size"), 4, "and has its fields");
}

/* A process that ended while it was read: the kernel gives whole mappings, then nothing. */
static void test_vanished(void)
{
	cleanup_strbuf struct strbuf cut = load("6.1-vanished", "smaps-cut"),
				     zombie = load("6.1-vanished", "smaps");
	struct smaps s;

	parse(&s, strbuf_str(&cut), cut.len);
	is_int(s.bad, 0, "what was read before the end of the process has no bad line");
	is_int(s.n, 5, "and is its first mappings");
	is_int(s.mappings[4].n, 23, "the last of them whole: nothing tells that more were there");
	parse(&s, strbuf_str(&zombie), zombie.len);
	ok(zombie.len == 0 && s.n == 0 && s.bad == 0, "the smaps of a zombie are empty, and no error");
}

#define HEAD "00400000-00401000 r--p 00000000 00:14 2      /a b\n"

static void test_bad_headers(void)
{
	static const char *const heads[] = {
		"00400000-00401000 r--p 00000000 00:14\n",
		"00400000-00401000 r--p 00000000 00:14 \n",
		"00400000-00401000 r--p 00000000 0014 2\n",
		"00400000-00401000 r--p  00000000 00:14 2\n",
		"00400000-00401000 r--q 00000000 00:14 2\n",
		"00400000-00401000 r-- 00000000 00:14 2\n",
		"00400000-00401000 r--p 0000000g 00:14 2\n",
		"00400000-00401000 r--p 00000000 00:14 2x\n",
		"00400000-00401000 r--p 00000000 00:14 18446744073709551616\n",
		"00400000 00401000 r--p 00000000 00:14 2\n",
		"-00401000 r--p 00000000 00:14 2\n",
		"00401000-00400000 r--p 00000000 00:14 2\n",
		"00400000-00400000 r--p 00000000 00:14 2\n",
		"00400000-10000000000000000 r--p 00000000 00:14 2\n",
		"00400000-00401000\n",
		"x0400000-00401000 r--p 00000000 00:14 2 /x\n",
		"\n",
		":\n",
		"Rss 4 kB\n",
	};
	struct smaps s;

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		cleanup_free char *text =
			xasprintf(HEAD "Rss: 1 kB\n%sRss: 2 kB\nPss: 2 kB\n" HEAD "Rss: 3 kB\n", heads[i]);

		parse(&s, text, strlen(text));
		if (s.n != 2 || s.bad != 3 || get(&s.mappings[0], "Rss") != 1 || s.mappings[0].n != 1 ||
		    get(&s.mappings[1], "Rss") != 3) {
			printf("# %s", heads[i]);
			ok(false, "a damaged header");
		}
	}
	ok(true, "damaged headers: their fields are given to no other mapping");

	parse(&s, HEAD "R\0s: 1 kB\nPss: 1 kB\n", sizeof(HEAD "R\0s: 1 kB\nPss: 1 kB\n") - 1);
	is_int(s.bad, 2, "a NUL byte: nobody knows what line that was");
}

static void write_mapping(void *arg, const struct text_mapping *m)
{
	strbuf_addf(arg, "[%.*s] ", (int)m->dev.len, m->dev.ptr);
}

static void write_number(void *arg, struct text_span key, uint64_t value, bool has_kib)
{
	strbuf_addf(arg, "%.*s=%llu%s ", (int)key.len, key.ptr, (unsigned long long)value,
		    has_kib ? "k" : "");
}

static void write_string(void *arg, struct text_span key, struct text_span value)
{
	strbuf_addf(arg, "%.*s='%.*s' ", (int)key.len, key.ptr, (int)value.len, value.ptr);
}

/*
 * Fields come in any order, are missing, come twice, and are of each kind; of a text that is cut, or begins
 * in the midst of a mapping, what is whole is told.
 */
static void test_order(void)
{
	static const struct {
		const char *text, *want;
		size_t bad;
	} cases[] = {
		{ HEAD "A:   1 kB\nB: 2\nVmFlags: rd  wr \n" HEAD "A:   3 kB\nB: 4\nVmFlags: \n",
		  "[00:14] A=1k B=2 VmFlags='rd  wr' [00:14] A=3k B=4 VmFlags='' ", 0 },
		{ HEAD "A: 1 kB\nB: 2 kB\nC: 3 kB\n" HEAD "A: 4 kB\nC: 5 kB\n" HEAD "A: 6 kB\n",
		  "[00:14] A=1k B=2k C=3k [00:14] A=4k C=5k [00:14] A=6k ", 0 },
		{ HEAD "A: 1 kB\nB: 2 kB\n" HEAD "B: 3 kB\nAB: 4 kB\nA: 5 kB\nA: 6 kB\n",
		  "[00:14] A=1k B=2k [00:14] B=3k AB=4k A=5k A=6k ", 0 },
		{ HEAD "A: 00\nB: x\n" HEAD "A: 1 MB\nB: 12 kBx\n",
		  "[00:14] A='00' B='x' [00:14] A='1 MB' B='12 kBx' ", 0 },
		{ HEAD "A: 18446744073709551616 kB\nB: 18446744073709551615\n",
		  "[00:14] B=18446744073709551615 ", 1 },
		{ HEAD "SwapPss: 1 kB\nPss_Anon: 2 kB\nSwap: 3 kB\nPss: 4 kB\nNewThing_2: 5 kB\n",
		  "[00:14] SwapPss=1k Pss_Anon=2k Swap=3k Pss=4k NewThing_2=5k ", 0 },
		{ "A: 1 kB\n" HEAD "A: 2 kB\n", "[00:14] A=2k ", 1 },
		{ "00400000-00401000 r--p 00000000 00:14 2 /a", "", 1 },
		{ HEAD "A: 12", "[00:14] ", 1 },
		{ HEAD "A: 1 kB\n" HEAD "A: 2 k", "[00:14] A=1k [00:14] ", 1 },
		{ HEAD "A: 1 kB\n" HEAD "A: 2", "[00:14] A=1k [00:14] ", 1 },
		{ HEAD "A: 1 kB\n" HEAD "bad\nA: 2 kB\n", "[00:14] A=1k [00:14] ", 2 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *text = cases[i].text;
		cleanup_strbuf struct strbuf said = STRBUF_INIT;

		is_int(text_each_smaps(text, strlen(text), write_mapping, write_number, write_string, &said),
		       cases[i].bad, "bad lines");
		is_str(strbuf_str(&said), cases[i].want, "what is told, line by line");
	}
}

static void test_get_string(void)
{
	cleanup_strbuf struct strbuf sb = load("6.1", "status");
	struct text_span s = { "unset", 5 };

	ok(text_get_string(strbuf_str(&sb), sb.len, "Name", &s) && text_span_is(s, "busybox with sp"),
	   "Name of status");
	ok(text_get_string("A: 1\nB:\t x \nB: 2\n", 17, "B", &s) && text_span_is(s, " x "),
	   "blanks of the value stay; the first counts");
	ok(text_get_string("B:\n", 3, "B", &s) && s.len == 0, "an empty value");
	s.len = 5;
	ok(!text_get_string("B: cut", 6, "B", &s) && !text_get_string("B: a\0b\n", 8, "B", &s) &&
		   !text_get_string("BB: 1\n", 6, "B", &s) && !text_get_string("", 0, "B", &s),
	   "a cut line, one with a NUL byte, another key, no text");
	is_int(s.len, 5, "leave the result alone");
}

/* A text cut after any byte gives the first numbers of the whole. See the same test in text-numbers.c. */
static void test_prefixes(const char *kernel)
{
	cleanup_strbuf struct strbuf sb = load(kernel, "smaps");
	size_t wrong = 0;

	for (size_t len = 0; len < sb.len; len++) {
		cleanup_free char *part = xmalloc(len);
		struct smaps s;

		memcpy(part, sb.data, len);
		parse(&s, part, len);

		size_t lines = 0, told = s.n;

		for (size_t i = 0; i < len; i++)
			lines += part[i] == '\n';
		for (size_t i = 0; i < s.n; i++)
			told += s.mappings[i].n;
		/* Of each mapping's lines only the VmFlags are not told; 2.6 has none. */
		if (s.bad != (len > 0 && part[len - 1] != '\n') || s.orphans || told > lines ||
		    lines - told > s.n)
			wrong++;
	}
	printf("# linux %s: %zu prefixes\n", kernel, sb.len);
	ok(sb.len > 500 && wrong == 0, "each prefix gives what its whole lines say");
}

/* Any bit of a text changed: nothing breaks. (That a flipped newline hides a header cannot be seen from the
 * text.) */
static void test_flips(void)
{
	cleanup_strbuf struct strbuf sb = load("6.1", "smaps");
	cleanup_free char *text = xmemdup0(strbuf_str(&sb), sb.len);
	size_t too_many = 0;
	struct smaps s;

	parse(&s, text, sb.len);

	size_t mappings = s.n;

	for (size_t i = 0; i < sb.len; i++) {
		char was = text[i];

		for (unsigned bit = 0; bit < 8; bit++) {
			text[i] = (char)(was ^ (1 << bit));
			parse(&s, text, sb.len);
			too_many += s.n > mappings;
		}
		text[i] = was;
	}
	is_int(too_many, 0, "no single flipped bit makes a mapping");
}

static void test_kernels(void)
{
	static const struct {
		const char *kernel;
		size_t mappings, fields;
		bool has_shapes;
	} kernels[] = {
		{ "5.10", 10, 22, false },        { "6.1", 10, 23, false },
		{ "6.1-swapping", 9, 23, false }, { "6.12", 10, 24, false },
		{ "6.18", 55, 23, false },        { "5.10-shapes", 27, 22, true },
		{ "6.1-shapes", 26, 23, true },   { "6.12-shapes", 26, 24, true },
	};

	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
		test_kernel(kernels[i].kernel, kernels[i].mappings, kernels[i].fields);
		if (kernels[i].has_shapes)
			test_shapes(kernels[i].kernel);
	}
}

static void test_all_prefixes(void)
{
	test_prefixes("2.6");
	test_prefixes("6.1");
}

TAP_MAIN(test_kernels, test_paths, test_swapping, test_vanished, test_bad_headers, test_order,
	 test_get_string, test_all_prefixes, test_flips)
