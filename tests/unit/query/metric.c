/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>

#include "guest/proto.h"
#include "harness/query/metric.h"
#include "harness/query/query.h"
#include "tests/unit/results.h"

/*
 * The shipped metrics over evidence whose sums are known, and over this process's own smaps; and files of
 * metrics that are wrong.
 */

static const char path[] = "f.swapcal";
static struct metric *metrics;
static size_t metrics_n;

static const struct metric *metric_of(const char *name)
{
	for (size_t i = 0; i < metrics_n; i++)
		if (strcmp(metrics[i].name, name) == 0)
			return &metrics[i];
	must(err_new("no metric '%s'", name));
	return NULL;
}

static const char *sql_of(const char *name)
{
	return metric_of(name)->sql;
}

/* The views of a results file with one probe, whose snapshot at onset fill makes. */
struct evaluated {
	struct views *views;
	struct query *q;
};

static struct evaluated evaluate(void (*fill)(struct snapshot *s))
{
	struct evaluated ev;
	struct store *store;
	cleanup(cell_deinit) struct cell cell = test_cell(0, 256, "growth", "strings", "python3", NULL);
	struct probe_record r = test_probe(&cell, 0, 0, PROBE_GROWTH, 0, OUTCOME_ONSET);
	struct snapshot *baseline = test_snapshot(&r, "baseline");

	unlink(path);
	test_heap(baseline, 9, 77777, 0);
	test_evidence(
		baseline, 0, "meminfo",
		"MemTotal:         223596 kB\nMemFree: 200000 kB\nMemAvailable: 100000 kB\n"
		"Active(anon): 100 kB\nInactive(anon): 200 kB\nUnevictable: 0 kB\nSUnreclaim: 11000 kB\n"
		"PageTables: 500 kB\nKernelStack: 900 kB\nSwapFree: 524288 kB\n");
	fill(test_snapshot(&r, "onset"));
	test_put_alone(path, &cell, r);
	store = test_open(path, STORE_READ);
	must(store_views(store, STORE_JUDGED, VIEWS_ALL, &ev.views));
	must(query_open(ev.views, &ev.q));
	store_close(store);
	return ev;
}

static void end(struct evaluated ev)
{
	query_close(ev.q);
	views_destroy(ev.views);
}

/* The one value that a query gives, -1 when it gives none. */
static double value_of(struct evaluated ev, const char *sql, bool *ret_is_incomplete)
{
	struct metric m = { .sql = (char *)sql, .path = (char *)"test.sql", .line = 1 };
	struct metric_value *v;
	size_t n;
	double y = -1;

	must(query_metric(ev.q, &m, &v, &n));
	if (n == 1) {
		y = v[0].y_kib;
		if (ret_is_incomplete)
			*ret_is_incomplete = v[0].is_incomplete;
	}
	free(v);
	return n > 1 ? -2 : y;
}

static void check_metric(struct evaluated ev, const char *name, double want)
{
	is_near(value_of(ev, sql_of(name), NULL), want, 0, name);
}

/*
 * Two processes: one with a heap, a private library and [vsyscall], one with a heap whose other half is
 * shared.
 */
static void fill_known(struct snapshot *s)
{
	test_evidence(
		s, 10, "smaps",
		"55d000000000-55d000400000 rw-p 00000000 00:00 0                          [heap]\n"
		"Size:               4096 kB\nKernelPageSize:        4 kB\nRss:                3000 kB\n"
		"Pss:                3000 kB\nPss_Dirty:          2900 kB\nShared_Clean:          0 kB\n"
		"Shared_Dirty:          0 kB\nPrivate_Clean:       100 kB\nPrivate_Dirty:      2900 kB\n"
		"Referenced:         2500 kB\nAnonymous:          3000 kB\nLazyFree:            40 kB\n"
		"Swap:                500 kB\nSwapPss:             500 kB\nTHPeligible:           0\n"
		"VmFlags: rd wr mr mw me ac\n"
		"7f0000000000-7f0000100000 r-xp 00001000 fe:00 1234                       /usr/lib/"
		"Swap: 9999 kB.so\n"
		"Size:               1024 kB\nRss:                 800 kB\nPss:                 400 kB\n"
		"Shared_Clean:        700 kB\nShared_Dirty:          0 kB\nPrivate_Clean:       100 kB\n"
		"Private_Dirty:         0 kB\nAnonymous:             0 kB\nSwap:                  0 kB\n"
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n"
		"Size:                  4 kB\nRss:                   0 kB\nPss:                   0 kB\n"
		"Private_Clean:         0 kB\nPrivate_Dirty:         0 kB\nAnonymous:             0 kB\n"
		"Swap:                  0 kB\n");
	test_evidence(s, 10, "status",
		      "Name:\tpython3\nVmSize:\t    5120 kB\nVmRSS:\t    3799 kB\nVmSwap:\t     500 kB\n");
	test_evidence(
		s, 10, "smaps_rollup",
		"55d000000000-7ffd00000000 ---p 00000000 00:00 0                          [rollup]\n"
		"Rss:                3800 kB\nPss:                3400 kB\nPss_Anon:           3000 kB\n");
	test_evidence(
		s, 11, "smaps",
		"55d000000000-55d000800000 rw-p 00000000 00:00 0 \n"
		"Size:               8192 kB\nRss:                2000 kB\nPss:                1500 kB\n"
		"Private_Clean:         0 kB\nPrivate_Dirty:      1000 kB\nShared_Dirty:       1000 kB\n"
		"Anonymous:          2000 kB\nSwap:                 24 kB\n");
	test_evidence(s, 0, "memory.current", "4096000\n");
}

static void test_known_sums(void)
{
	struct evaluated ev = evaluate(fill_known);
	bool is_incomplete = true;

	check_metric(ev, "vsz", 4096 + 1024 + 8192);
	check_metric(ev, "rss", 3000 + 800 + 2000);
	check_metric(ev, "pss", 3000 + 400 + 1500);
	check_metric(ev, "uss", 3000 + 100 + 1000);
	check_metric(ev, "private_dirty", 2900 + 1000);
	check_metric(ev, "anonymous", 3000 + 2000);
	check_metric(ev, "anonymous_swap", 3000 + 500 + 2000 + 24);
	check_metric(ev, "memcg_current", 4000);
	value_of(ev, sql_of("rss"), &is_incomplete);
	ok(!is_incomplete, "whole evidence is not called incomplete");
	end(ev);
}

/* What kpageflags says of a page on a list of reclaim, and its sort. */
#define ANON     (1ull << 5 | 1ull << 11 | 1ull << 12 | 1ull << 14)
#define LAZYFREE (1ull << 5 | 1ull << 11 | 1ull << 12)
#define SHMEM    (1ull << 5 | 1ull << 11 | 1ull << 14)
#define FILEPAGE (1ull << 5 | 1ull << 11)
#define ZERO     (1ull << 24)
#define PRESENT  (1ull << 63)
#define SWAPPED  (1ull << 62)

/*
 * A process and its forked child: they share 500 anonymous pages, 125 of shared memory, 150 of a file and 25
 * slots of swap; the first has 150 anonymous pages, 100 lazily freed ones and 50 of the file for itself, and
 * 256 times the page of zeros, the second has 125 anonymous pages and 25 of the file.
 */
static void fill_forked(struct snapshot *s)
{
	static const struct proto_page_run first[] = {
		{ 0x10000000, PRESENT | 1000, ANON, 2, 500, 1 },
		{ 0x11000000, PRESENT | 2000, ANON, 1, 150, 1 },
		{ 0x12000000, PRESENT | 2599, LAZYFREE, 1, 100, -1 },
		{ 0x13000000, PRESENT | 5, ZERO, 1, 256, 0 },
		{ 0x14000000, SWAPPED | 100 << 5, 0, 0, 25, 1 },
		{ 0x20000000, PRESENT | 3000, SHMEM, 2, 125, 1 },
		{ 0x30000000, PRESENT | 4000, FILEPAGE, 2, 150, 1 },
		{ 0x30096000, PRESENT | 4150, FILEPAGE, 1, 50, 1 },
	};
	static const struct proto_page_run second[] = {
		{ 0x10000000, PRESENT | 1000, ANON, 2, 500, 1 },
		{ 0x11000000, PRESENT | 6000, ANON, 1, 125, 1 },
		{ 0x14000000, SWAPPED | 100 << 5, 0, 0, 25, 1 },
		{ 0x20000000, PRESENT | 3000, SHMEM, 2, 125, 1 },
		{ 0x30000000, PRESENT | 4000, FILEPAGE, 2, 150, 1 },
		{ 0x30096000, PRESENT | 7000, FILEPAGE, 1, 25, 1 },
	};

	test_evidence(
		s, 0, "meminfo",
		"MemAvailable: 90000 kB\nActive(anon): 1100 kB\nInactive(anon): 2200 kB\nUnevictable: 10 kB\n"
		"SUnreclaim: 12000 kB\nPageTables: 700 kB\nKernelStack: 964 kB\nSwapFree: 524188 kB\n");
	test_evidence(
		s, 0, "zoneinfo",
		"Node 0, zone      DMA\n  pages free     3808\n        min      25\n        high     40\n"
		"  pagesets\n    cpu: 0\n              high:  378\nNode 0, zone    DMA32\n"
		"        min      564\n        high     60\n");
	test_evidence(s, 0, "memory.current", "8192000\n");
	test_evidence(s, 0, "memory.swap.current", "102400\n");
	test_evidence(s, 0, "memory.stat",
		      "anon 4096000\nkernel 409600\ninactive_anon 2048000\nactive_anon 1024000\n"
		      "inactive_file 1024000\nactive_file 10240\nunevictable 512000\nshmem 512000\n"
		      "slab_reclaimable 102400\n");
	test_evidence(
		s, 20, "smaps",
		"10000000-18000000 rw-p 00000000 00:00 0\n"
		"Size: 131072 kB\nRss: 3000 kB\nPss: 2000 kB\nPss_Dirty: 2000 kB\nShared_Clean: 0 kB\n"
		"Shared_Dirty: 2000 kB\nPrivate_Clean: 0 kB\nPrivate_Dirty: 1000 kB\nReferenced: 900 kB\n"
		"Anonymous: 3000 kB\nLazyFree: 400 kB\nSwap: 100 kB\nSwapPss: 50 kB\n"
		"20000000-20100000 rw-s 00000000 00:01 77 /dev/zero (deleted)\n"
		"Size: 1024 kB\nRss: 500 kB\nPss: 250 kB\nPss_Dirty: 250 kB\nShared_Clean: 0 kB\n"
		"Shared_Dirty: 500 kB\nPrivate_Clean: 0 kB\nPrivate_Dirty: 0 kB\nReferenced: 0 kB\n"
		"Anonymous: 0 kB\nLazyFree: 0 kB\nSwap: 0 kB\nSwapPss: 0 kB\n"
		"30000000-30100000 r-xp 00001000 fe:00 5 /bin/x\n"
		"Size: 1024 kB\nRss: 800 kB\nPss: 500 kB\nPss_Dirty: 0 kB\nShared_Clean: 600 kB\n"
		"Shared_Dirty: 0 kB\nPrivate_Clean: 200 kB\nPrivate_Dirty: 0 kB\nReferenced: 300 kB\n"
		"Anonymous: 0 kB\nLazyFree: 0 kB\nSwap: 0 kB\nSwapPss: 0 kB\n");
	test_evidence(s, 20, "smaps_rollup",
		      "10000000-7ffd00000000 ---p 00000000 00:00 0 [rollup]\n"
		      "Pss_Anon: 2000 kB\nPss_File: 500 kB\nPss_Shmem: 250 kB\n");
	test_evidence(s, 20, "status", "Name:\tx\nPPid:\t1\nVmPTE:\t     100 kB\nThreads:\t1\n");
	test_bytes(s, 20, "pagemap", first, sizeof(first));
	test_evidence(
		s, 21, "smaps",
		"10000000-18000000 rw-p 00000000 00:00 0\n"
		"Size: 131072 kB\nRss: 2500 kB\nPss: 1500 kB\nPss_Dirty: 1500 kB\nShared_Clean: 0 kB\n"
		"Shared_Dirty: 2000 kB\nPrivate_Clean: 0 kB\nPrivate_Dirty: 500 kB\nReferenced: 100 kB\n"
		"Anonymous: 2500 kB\nLazyFree: 0 kB\nSwap: 100 kB\nSwapPss: 50 kB\n"
		"20000000-20100000 rw-s 00000000 00:01 77 /dev/zero (deleted)\n"
		"Size: 1024 kB\nRss: 500 kB\nPss: 250 kB\nPss_Dirty: 250 kB\nShared_Clean: 0 kB\n"
		"Shared_Dirty: 500 kB\nPrivate_Clean: 0 kB\nPrivate_Dirty: 0 kB\nReferenced: 0 kB\n"
		"Anonymous: 0 kB\nLazyFree: 0 kB\nSwap: 0 kB\nSwapPss: 0 kB\n"
		"30000000-30100000 r-xp 00001000 fe:00 5 /bin/x\n"
		"Size: 1024 kB\nRss: 700 kB\nPss: 400 kB\nPss_Dirty: 0 kB\nShared_Clean: 600 kB\n"
		"Shared_Dirty: 0 kB\nPrivate_Clean: 100 kB\nPrivate_Dirty: 0 kB\nReferenced: 200 kB\n"
		"Anonymous: 0 kB\nLazyFree: 0 kB\nSwap: 0 kB\nSwapPss: 0 kB\n");
	test_evidence(s, 21, "smaps_rollup",
		      "10000000-7ffd00000000 ---p 00000000 00:00 0 [rollup]\n"
		      "Pss_Anon: 1500 kB\nPss_File: 400 kB\nPss_Shmem: 250 kB\n");
	test_evidence(s, 21, "status", "Name:\tx\nPPid:\t20\nVmPTE:\t      60 kB\nThreads:\t3\n");
	test_bytes(s, 21, "pagemap", second, sizeof(second));
}

static void test_forked(void)
{
	static const struct {
		const char *name;
		double kib;
	} wanted[] = {
		{ "vsz", 2 * (131072 + 1024 + 1024) },
		{ "rss", 4300 + 3700 },
		{ "rss_swap", 8000 + 200 },
		{ "rss_with_zeros", 8000 + 256 * 4 },
		{ "rss_without_lazyfree", 8000 - 400 },
		{ "pss", 2750 + 2150 },
		{ "pss_swap", 4900 + 100 },
		{ "pss_dirty", 2250 + 1750 },
		{ "pss_swap_backed", 3500 + 500 + 100 - 400 },
		{ "uss", 1200 + 600 },
		{ "uss_swap", 1800 + 100 },
		{ "private_dirty", 1500 },
		{ "anonymous", 5500 },
		{ "anonymous_swap", 5700 },
		{ "anonymous_shmem", 5500 + 1000 },
		{ "referenced", 1000 + 500 },
		{ "seed_formula", 1800 + 2000 + 500 + 600 },
		{ "page_union", 4 * (500 + 150 + 100 + 125 + 200 + 125 + 25) },
		{ "page_swap_backed", 4 * (500 + 150 + 125 + 125 + 25) },
		{ "page_swap_backed_kernel", 3700 + 160 + 4 * 16 + 1000 },
		{ "memcg_current", 8000 },
		{ "memcg_working_set", 7000 },
		{ "memcg_anon", 4000 },
		{ "memcg_swap_backed", 2000 + 1000 + 500 + 100 },
		{ "memcg_unreclaimable", 3600 + 400 - 100 },
		{ "working_set", 3900 + 300 },
		{ "working_set_kept", 3900 + 300 + 4 * (40 + 60) },
		{ "swap_weight", 3500 + 400 + (1600 + 1500 - 3000) + (2 * 10 + 300) },
		{ "mem_available_delta", 10000 },
		{ "guest_kept_delta", 1000 + 2000 + 10 + 1000 + 200 + 64 + 100 },
	};
	struct evaluated ev = evaluate(fill_forked);
	bool is_incomplete = true;

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		check_metric(ev, wanted[i].name, wanted[i].kib);
	is_int(metrics_n, sizeof(wanted) / sizeof(wanted[0]), "every shipped metric has its known value");
	value_of(ev, sql_of("rss"), &is_incomplete);
	ok(!is_incomplete, "nothing was wrong with the evidence");
	end(ev);
}

#define SELECT_Y(what) "SELECT s.snapshot_id, (SELECT " what ") AS y_kib FROM snapshot s"

/* What queries see of the tables; what these hold is shown in tests/unit/evidence/views.c. */
static void test_tables(void)
{
	static const struct {
		const char *sql;
		double want;
		const char *what;
	} checks[] = {
		{ SELECT_Y("count(*) FROM mapping"), 4, "a row for each mapping" },
		{ SELECT_Y("count(*) FROM process"), 2, "a row for each process" },
		{ SELECT_Y("vm_size_kib + vm_swap_kib FROM process WHERE pid = 10"), 5620,
		  "status of a process" },
		{ SELECT_Y("rss_kib + pss_anon_kib FROM process WHERE pid = 10"), 6800,
		  "and its smaps_rollup, in the same row" },
		{ SELECT_Y("rss_kib FROM process WHERE pid = 11 AND pss_anon_kib IS NULL"), 2000,
		  "its smaps summed where there was no such file, NULL for what smaps does not say" },
		{ SELECT_Y("count(*) FROM mapping WHERE lazyfree_kib IS NULL"), 3,
		  "NULL where the kernel had no such field" },
		{ SELECT_Y("size_kib FROM mapping WHERE path = '/usr/lib/Swap: 9999 kB.so'"), 1024,
		  "a path that looks like a field is a path" },
		{ "SELECT snapshot_id, lazyfree_kib AS y_kib FROM mapping WHERE n = 1 AND pid = 10", -1,
		  "a NULL is no value" },
		{ SELECT_Y("sum(value) FROM baseline WHERE key = 'meminfo.MemFree'"), 200000,
		  "the guest before the load" },
		{ SELECT_Y("count(*) FROM process WHERE pid = 9"), 0, "whose processes are not the load's" },
	};
	struct evaluated ev = evaluate(fill_known);

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		is_near(value_of(ev, checks[i].sql, NULL), checks[i].want, 0, checks[i].what);
	end(ev);
}

static char *own_smaps, *own_status;

/* A file of /proc into buf, whose size was fixed before: reading must not change what is read. */
static void read_into(const char *name, char *buf, size_t size)
{
	cleanup_close int fd = open(name, O_RDONLY);
	size_t len = 0;

	for (ssize_t n = 1; n > 0; len += (size_t)n)
		n = read(fd, buf + len, size - 1 - len);
	buf[len] = '\0';
}

static void fill_own(struct snapshot *s)
{
	test_evidence(s, (unsigned)getpid(), "smaps", own_smaps);
	test_evidence(s, (unsigned)getpid(), "status", own_status);
}

/* The plainest way to add up a field, as a second opinion. */
static unsigned long sum_lines(const char *text, const char *field)
{
	unsigned long sum = 0, value;

	for (const char *line = text; line && *line;
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (strncmp(line, field, strlen(field)) == 0 &&
		    sscanf(line + strlen(field), " %lu kB", &value) == 1)
			sum += value;
	return sum;
}

static void test_own_process(void)
{
	own_smaps = xmalloc(4 << 20);
	own_status = xmalloc(65536);
	read_into("/proc/self/smaps", own_smaps, 4 << 20);
	read_into("/proc/self/status", own_status, 65536);

	struct evaluated ev = evaluate(fill_own);
	bool is_incomplete = true;

	check_metric(ev, "vsz", (double)sum_lines(own_status, "VmSize:"));
	check_metric(ev, "rss", (double)sum_lines(own_smaps, "Rss:"));
	check_metric(ev, "pss", (double)sum_lines(own_smaps, "Pss:"));
	check_metric(
		ev, "uss",
		(double)(sum_lines(own_smaps, "Private_Clean:") + sum_lines(own_smaps, "Private_Dirty:")));
	check_metric(ev, "anonymous", (double)sum_lines(own_smaps, "Anonymous:"));
	ok(value_of(ev, sql_of("rss"), &is_incomplete) > 1000 && !is_incomplete,
	   "this kernel's smaps reads without doubt");
	end(ev);
	free(own_smaps);
	free(own_status);
}

static void fill_vanished(struct snapshot *s)
{
	test_heap(s, 10, 5000, 0);
	test_missing_evidence(s, 11, "smaps");
}

static void fill_cut(struct snapshot *s)
{
	test_heap(s, 10, 5000, 0);
	test_evidence(s, 11, "smaps", "55d000000000-55d000800000 rw-p 00000000 00:00 0 \nSize: 4 kB\nRs");
}

static void fill_nothing(struct snapshot *s)
{
	test_evidence(s, 0, "meminfo", "MemTotal: 1 kB\n");
}

static void check_rss(void (*fill)(struct snapshot *s), double want, bool want_incomplete, const char *what)
{
	struct evaluated ev = evaluate(fill);
	bool is_incomplete = false;

	is_near(value_of(ev, sql_of("rss"), &is_incomplete), want, 0, what);
	is_int(is_incomplete, want_incomplete, "and it is called incomplete when it is");
	end(ev);
}

static void test_incomplete(void)
{
	check_rss(fill_vanished, 5000, true, "of a process that vanished what is there counts");
	check_rss(fill_cut, 5000, true, "a cut line does not count");
	check_rss(fill_nothing, -1, false, "no process, no value");
}

/* A metric as if it came with swapcal. */
static struct err *load(const char *name, const char *text, struct metric *ret)
{
	test_file(test_format("calibrate/metrics/%s.sql", name), text, 0600);
	return metric_find(name, ret);
}

static void check_wrong_file(const char *name, const char *text, const char *part)
{
	struct metric m;

	is_err(load(name, text, &m), part, part);
}

#define HEADER "-- name: x\n-- summary: s\n-- meaning: m\n--   goes on\n-- wrong when: w\n-- source: t\n"

static void test_files(void)
{
	struct metric m;

	for (size_t i = 0; i < metrics_n; i++)
		ok(*metrics[i].summary && *metrics[i].meaning && *metrics[i].wrong_when, metrics[i].name);

	check_wrong_file("y", HEADER "SELECT 1", "must be in a file of that name");
	check_wrong_file("x", "SELECT 1", "x.sql:1: the header has no line '-- name: ...'");
	check_wrong_file("x", "-- name: x\n-- summary: s\n-- name: y\n", "x.sql:3: given a second time");
	check_wrong_file("x", "-- name: x\n-- author: me\n", "x.sql:2: 'author: me' is not one of");
	check_wrong_file("x",
			 "-- name: X/../y\n-- summary: s\n-- meaning: m\n-- wrong when: w\n-- source: t\n",
			 "must be lower-case letters");
	check_wrong_file("x", "", "is empty");

	must(load("x", HEADER "SELECT 1\n", &m));
	is_str(m.meaning, "m goes on", "an indented line goes on with the field");
	is_str(m.sql, "SELECT 1\n", "the query follows the header");
	is_str(m.best_for, "", "no header need say what a metric is best for");
	metric_deinit(&m);
	must(load("x", HEADER "-- best for: b\nSELECT 1\n", &m));
	is_str(m.best_for, "b", "but it can");
	metric_deinit(&m);
}

static void set_up(void)
{
	setenv("SWAPCAL_DATADIR", ".", 1);
	must(metric_load_shipped(&metrics, &metrics_n));
	test_enter_dir();
}

TAP_MAIN(set_up, test_files, test_known_sums, test_forked, test_tables, test_own_process, test_incomplete)
