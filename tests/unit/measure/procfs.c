/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Reading of /proc: stat, the tree of processes over made-up directories, and this process's own pages. What
 * the kernel does while processes come and go is for tests/measure.
 */

#include <errno.h>
#include <sys/mman.h>

#include "guest/proto.h"
#include "harness/measure/procfs.h"
#include "tests/unit/errors.h"

#define TAIL                                                                                                 \
	" 1 2 0 -1 4194304 100 200 300 400 5 6 7 8 20 0 1 0 900 1000 50 18446744073709551615 1 1 140724 0 "  \
	"0\n"

static bool parse(const char *text, struct procfs_stat *ret)
{
	return procfs_parse_stat(text, strlen(text), ret);
}

static void test_stat(void)
{
	struct procfs_stat st, other;

	ok(parse("42 (python3) S 7" TAIL, &st), "a stat file");
	ok(st.pid == 42 && st.ppid == 7 && st.state == 'S', "... its process, parent and state");
	ok(st.utime_ticks == 5 && st.stime_ticks == 6 && st.start_ticks == 900, "... its times");
	ok(st.vsize_bytes == 1000 && st.stack_address == 140724, "... its size and stack");
	ok(procfs_has_memory(&st), "it has memory");
	ok(parse("42 (a) b) (c) R 7" TAIL, &other) && other.ppid == 7 && other.state == 'R',
	   "a name may look like more fields");
	ok(procfs_is_same(&st, &other), "pid, start and stack make the process");
	other.stack_address++;
	ok(!procfs_is_same(&st, &other), "another stack is another program");
	other = st;
	other.state = 'Z';
	ok(!procfs_has_memory(&other), "a zombie has no memory");
	other = st;
	other.vsize_bytes = 0;
	ok(!procfs_has_memory(&other), "nor has one that is ending");
}

static void test_bad_stat(void)
{
	static const char *const bad[] = {
		"",
		"42",
		"42 (python3",
		"42 (python3)",
		"42 (python3) S",
		"42 (python3) S 7 8",
		"42 python3) S 7" TAIL,
		"0 (a) S 7" TAIL,
		"-3 (a) S 7" TAIL,
		"99999999999 (a) S 7" TAIL,
		"42 (a) S 99999999999" TAIL,
		"42 (a) S x" TAIL,
		") 42 (a S 7" TAIL,
		"42 (a) S 7 1 2 0 -1 0 0 0 0 0 99999999999999999999 6 7 8 20 0 1 0 900 1000 50 1 1 1 1 0 0\n",
	};
	struct procfs_stat st = { .pid = 1 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!parse(bad[i], &st) && st.pid == 1, "a text that is no stat file");
	ok(!procfs_parse_stat("42 (a) S\0 7" TAIL, sizeof("42 (a) S\0 7" TAIL) - 1, &st), "a NUL byte");

	cleanup_free char *longest = xmalloc(1 << 20);

	memset(longest, '(', 1 << 20);
	ok(!procfs_parse_stat(longest, 1 << 20, &st), "a text without end");
}

static const char *proc;

static void put(const char *path, const char *text)
{
	test_file(test_format("%s/%s", proc, path), text, 0644);
}

/* A process with two threads of which the second is the parent of children. */
static void put_process(int pid, int ppid, const char *children)
{
	const char *stat = test_format("%d (p) S %d" TAIL, pid, ppid);

	put(test_format("%d/stat", pid), stat);
	for (int tid = pid; tid < pid + 2; tid++) {
		put(test_format("%d/task/%d/stat", pid, tid), stat);
		if (children)
			put(test_format("%d/task/%d/children", pid, tid), tid == pid ? "" : children);
	}
}

static int by_number(const void *a, const void *b)
{
	return *(const pid_t *)a - *(const pid_t *)b;
}

/* The processes of a tree in the order of their ids. */
static const char *find(pid_t root, bool with_root, pid_t without)
{
	static char text[200];
	cleanup_proctree struct proctree t = { 0 };
	size_t len = 0;

	proctree_find(proc, root, with_root, without, &t);
	text[0] = '\0';
	if (t.n)
		qsort(t.pids, t.n, sizeof(*t.pids), by_number);
	for (size_t i = 0; i < t.n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%d", i ? " " : "", (int)t.pids[i]);
	return text;
}

/* 10 has 20 and 30; 20 has 40; 40 has 50; 60 is of nobody, 70 is 60's. */
static void put_family(bool with_lists)
{
	proc = with_lists ? "lists" : "parents";
	put_process(10, 1, with_lists ? "20 30 " : NULL);
	put_process(20, 10, with_lists ? "40 " : NULL);
	put_process(30, 10, with_lists ? "" : NULL);
	put_process(40, 20, with_lists ? "50 " : NULL);
	put_process(50, 40, with_lists ? "" : NULL);
	put_process(60, 1, with_lists ? "70 " : NULL);
	put_process(70, 60, with_lists ? "" : NULL);
	put("bus/input", "no process");
}

static void check_tree(bool with_lists)
{
	put_family(with_lists);
	printf("# %s\n", proc);
	is_str(find(10, true, 0), "10 20 30 40 50", "a process and all that descends from it");
	is_str(find(10, false, 0), "20 30 40 50", "... without it");
	is_str(find(10, true, 20), "10 30", "... without another one and its children");
	is_str(find(10, true, 50), "10 20 30 40", "... or a late one");
	is_str(find(30, true, 0), "30", "one without children");
	is_str(find(30, false, 0), "", "... without it");
	is_str(find(60, true, 0), "60 70", "another family");
	is_str(find(99, true, 0), "99", "a process that is gone stands alone");
}

static void test_tree(void)
{
	check_tree(true);
	check_tree(false);
}

static void test_hostile_tree(void)
{
	put_family(true);
	put("50/task/50/children", "10 20 50 ");
	is_str(find(10, true, 0), "10 20 30 40 50", "a circle ends");
	put("50/task/50/children", "x 61");
	is_str(find(10, true, 0), "10 20 30 40 50", "no numbers, no children");
	put("50/task/50/children", "61 -4 62");
	is_str(find(10, true, 0), "10 20 30 40 50 61", "what follows nonsense is not believed");
	put("50/task/50/children", "99999999999999999999 62");
	is_str(find(10, true, 0), "10 20 30 40 50", "nor what is no id");
}

static void test_read(void)
{
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;
	struct procfs_stat st;

	is_int(procfs_read("/proc", 0, "no-such-file", &sb), ENOENT, "a missing file has its errno");
	is_int(procfs_read("/proc", getpid(), "status", &sb), 0, "one that is there");
	has_str(strbuf_str(&sb), "VmHWM:", "... is read");
	ok(procfs_stat("/proc", getpid(), &st) && st.ppid == getppid(), "this process's stat");
	ok(procfs_has_memory(&st), "... it has memory");

	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT);
	ok(procfs_stat("/proc", pid, &st) && !procfs_has_memory(&st), "a zombie has none");
	waitpid(pid, NULL, 0);
	ok(!procfs_stat("/proc", pid, &st), "and then it is gone");
}

/* Runs, summed: pages of an address range; *ret_ok: runs are in order, not empty, and do not overlap. */
static size_t pages_in(const struct strbuf *sb, uintptr_t start, size_t len, bool *ret_ok)
{
	const struct proto_page_run *runs = (const void *)sb->data;
	size_t sum = 0;
	uint64_t end = 0;

	*ret_ok = sb->len % sizeof(*runs) == 0;
	for (size_t i = 0; i < sb->len / sizeof(*runs); i++) {
		*ret_ok &= runs[i].pages > 0 && runs[i].address >= end && runs[i].step >= -1 &&
			   runs[i].step <= 1;
		end = runs[i].address + runs[i].pages * 4096ull;
		if (runs[i].address >= start && end <= start + len)
			sum += runs[i].pages;
	}
	return sum;
}

/** Does the kernel count the mapping at p in RSS? The page of zeros it does not. */
static bool has_frames_of_its_own(const void *p)
{
	cleanup_strbuf struct strbuf smaps = STRBUF_INIT;

	err_free(file_read("/proc/self/smaps", 16 << 20, &smaps));

	const char *at = strstr(strbuf_str(&smaps), test_format("%lx-", (unsigned long)p));
	const char *rss = at ? strstr(at, "Rss:") : NULL;

	return rss && strtoul(rss + 4, NULL, 10) > 0;
}

static void test_pagemap(void)
{
	size_t len = 2000 * 4096;
	char *p = mmap(NULL, len + 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		       -1, 0);
	cleanup_strbuf struct strbuf smaps = STRBUF_INIT, runs = STRBUF_INIT;
	const char *missing = procfs_pages_missing("/proc");
	bool is_good;

	if (missing) {
		printf("# pages: %s\n", missing);
		return;
	}
	mprotect(p, 4096, PROT_NONE);
	mprotect(p + 4096 + len, 4096, PROT_NONE);
	madvise(p + 4096, len, MADV_NOHUGEPAGE);
	p += 4096;
	for (size_t i = 0; i < len; i += 4096)
		if (i / 4096 % 10)
			p[i] = 1;
	/* Not all of this process's: under a sanitizer it has mappings of terabytes. */
	strbuf_addf(&smaps, "%lx-%lx rw-p 00000000 00:00 0 \nSize: 8000 kB\nRss: 7200 kB\n", (unsigned long)p,
		    (unsigned long)p + len);
	is_int(procfs_pagemap("/proc", getpid(), smaps.data, smaps.len, &runs), 0,
	       "the pages of this process");
	is_int(pages_in(&runs, (uintptr_t)p, len, &is_good), 1800,
	       "... every page that was written, no other");
	ok(is_good, "... by address, once each");

	/* Read only: the page of zeros, again and again. */
	char *zeros = mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	madvise(zeros, 1 << 20, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < 1 << 20; i += 4096)
		(void)*(volatile char *)&zeros[i];
	p[0] = 1;
	strbuf_clear(&runs);
	strbuf_clear(&smaps);
	strbuf_addf(&smaps,
		    "%lx-%lx rw-p 00000000 00:00 0 \nRss: 4 kB\n%lx-%lx r--p 00000000 00:00 0 \nRss: 4 kB\n",
		    (unsigned long)p, (unsigned long)p + 4096, (unsigned long)zeros,
		    (unsigned long)zeros + (1 << 20));
	is_int(procfs_pagemap("/proc", getpid(), smaps.data, smaps.len, &runs), 0, "two mappings");

	const struct proto_page_run *run = (const void *)runs.data;

	if (has_frames_of_its_own(zeros)) {
		/* A host's kernel may be built without the page of zeros. */
		is_int(pages_in(&runs, (uintptr_t)zeros, 1 << 20, &is_good), 256,
		       "... the zeros are in frames of their own");
	} else {
		is_int(runs.len, 2 * sizeof(struct proto_page_run), "... are two runs");
		ok(run[1].step == 0 && run[1].pages == 256 && (run[1].flags >> 24 & 1),
		   "... the zeros are one run of one frame");
	}
	ok(run[0].mapcount == 1 && (run[0].flags >> 12 & 1),
	   "... the written page is anonymous and mapped once");
}

static void test_hostile_pagemap(void)
{
	static const char huge[] = "10000-7f0000000000 rw-p 00000000 00:00 0 \nRss: 4 kB\n";
	static const char strange[] = "7fffffffe000-ffffffffffffe000 rw-p 00000000 00:00 0 \nRss: 0 kB\n";
	cleanup_strbuf struct strbuf runs = STRBUF_INIT;

	if (procfs_pages_missing("/proc"))
		return;
	is_int(procfs_pagemap("/proc", getpid(), huge, sizeof(huge) - 1, &runs), E2BIG,
	       "mappings larger than any machine are refused");
	is_int(procfs_pagemap("/proc", getpid(), strange, sizeof(strange) - 1, &runs), 0,
	       "empty ones are not read");
	is_int(runs.len, 0, "... and have no runs");
	ok(procfs_pagemap("/proc", 1 << 30, huge, sizeof(huge) - 1, &runs) == ENOENT, "no process, no pages");
}

TAP_MAIN(test_in_dir, test_stat, test_bad_stat, test_tree, test_hostile_tree, test_read, test_pagemap,
	 test_hostile_pagemap)
