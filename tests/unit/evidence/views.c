/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From raw evidence to tables: kernels from 2.6 to 6.18, known sums, damaged and missing pieces. */
#include "tests/unit/evidence/views.h"

static void test_columns(void)
{
	for (enum view view = 0; view < VIEW_COUNT; view++) {
		size_t n, twice = 0;
		const struct view_column *c = view_columns(view, &n);

		for (size_t i = 0; i < n; i++)
			twice += view_column_find(view, c[i].name) != (int)i;
		is_str(c[0].name, "snapshot_id", view_name(view));
		is_int(twice, 0, "no name stands for two columns");
	}
	is_int(view_column_find(VIEW_GUEST, "nothing"), -1, "no column of that name");
}

/* Fields that mapping and process both have. */
static const char *const common[] = { "rss_kib",          "pss_kib",           "shared_clean_kib",
				      "shared_dirty_kib", "private_dirty_kib", "anonymous_kib",
				      "swap_kib",         "swap_pss_kib",      "locked_kib",
				      "lazyfree_kib" };

static int64_t size_without_vsyscall(const struct views *v)
{
	int64_t size = sum(v, VIEW_MAPPING, "size_kib");

	for (size_t i = 0; i < views_rows(v, VIEW_MAPPING); i++)
		if (strcmp(text_cell(v, VIEW_MAPPING, i, "path"), "[vsyscall]") == 0)
			size -= cell(v, VIEW_MAPPING, i, "size_kib");
	return size;
}

/* smaps alone, as of a kernel without smaps_rollup, and with it. */
static void test_kernel(const char *kernel, size_t mappings, bool slept)
{
	cleanup(cleanup_views_) struct views *without = views_create(VIEWS_ALL);
	struct views *with = begin(VIEWS_ALL);
	size_t unknown = 0;

	printf("# linux %s\n", kernel);
	add_data(with, 10, kernel, "smaps_rollup");
	add_data(with, 10, kernel, "smaps");
	add_data(with, 10, kernel, "status");
	views_end(with);
	views_begin(without, 7, 3, "onset");
	views_add_failed(without, 10, "smaps_rollup");
	add_data(without, 10, kernel, "smaps");
	views_end(without);

	ok(!is_incomplete(with) && !is_incomplete(without), "complete, even where a kernel has no rollup");
	is_int(views_rows(with, VIEW_MAPPING), mappings, "all mappings");
	is_int(views_rows(with, VIEW_PROCESS), 1, "one process");
	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
		int64_t rollup = cell(with, VIEW_PROCESS, 0, common[i]);
		int64_t summed = sum(with, VIEW_MAPPING, common[i]);

		is_int(cell(without, VIEW_PROCESS, 0, common[i]), summed, common[i]);
		/* Each mapping loses the rest of a KiB of what is divided. The other process read itself. */
		if (slept)
			is_near(rollup, summed + (strstr(common[i], "pss") ? mappings / 2.0 : 0),
				strstr(common[i], "pss") ? mappings / 2.0 : 0, "as smaps_rollup has it");
	}
	is_int(cell(with, VIEW_PROCESS, 0, "size_kib"), size_without_vsyscall(with),
	       "size_kib is that of smaps without [vsyscall]");
	is_int(cell(without, VIEW_PROCESS, 0, "pss_anon_kib"), VIEW_NULL, "smaps has no Pss_Anon");
	is_int(cell(without, VIEW_PROCESS, 0, "vm_size_kib"), VIEW_NULL, "nor what status says");
	for (size_t i = 0; i < views_rows(with, VIEW_UNKNOWN); i++)
		unknown += cell(with, VIEW_UNKNOWN, i, "n") != VIEW_NULL;
	is_int(unknown, 0, "no field of smaps is unknown");
}

static void test_2_6(void)
{
	struct views *v = begin(VIEWS_ALL);

	add_data(v, 10, "2.6", "smaps");
	views_end(v);
	ok(!is_incomplete(v), "2.6: no bad line");
	is_int(views_rows(v, VIEW_MAPPING), 7, "all mappings");
	is_int(cell(v, VIEW_PROCESS, 0, "rss_kib"), 30504, "the sum stands in for smaps_rollup");
	is_int(cell(v, VIEW_PROCESS, 0, "size_kib"), 36332, "Size");
	is_int(cell(v, VIEW_PROCESS, 0, "private_dirty_kib"), 12120, "Private_Dirty");
	is_int(cell(v, VIEW_PROCESS, 0, "referenced_kib"), 5128, "of mappings that have the field");
	is_int(cell(v, VIEW_PROCESS, 0, "pss_kib"), VIEW_NULL, "what no mapping has is not known");
	is_int(cell(v, VIEW_MAPPING, 0, "swap_kib"), VIEW_NULL, "also of a mapping");
	is_int(cell(v, VIEW_MAPPING, 0, "start"), 0x08048000, "start");
	is_int(cell(v, VIEW_MAPPING, 0, "end"), 0x08140000, "end");
	is_int(cell(v, VIEW_MAPPING, 0, "shared_clean_kib"), 764, "Shared_Clean of python2.5");
	is_str(text_cell(v, VIEW_MAPPING, 2, "path"), "", "an anonymous mapping without a blank at its end");
	is_int(cell(v, VIEW_MAPPING, 2, "rss_kib"), 3908, "Rss of the list of strings");
	is_int(cell(v, VIEW_MAPPING, 6, "shared_clean_kib"), 14308, "pages of zeros of the PyPy heap");
	is_str(text_cell(v, VIEW_MAPPING, 0, "path"), "/usr/bin/python2.5", "path");
	is_str(text_cell(v, VIEW_MAPPING, 0, "perms"), "r-xp", "perms");
	is_str(text_cell(v, VIEW_MAPPING, 0, "dev"), "08:01", "dev");
	is_int(cell(v, VIEW_MAPPING, 0, "inode"), 89921, "inode");
	is_int(cell(v, VIEW_MAPPING, 1, "offset"), 0x08165000, "offset");
	is_str(text_cell(v, VIEW_MAPPING, 0, "vm_flags"), "(none)", "no VmFlags yet");
	is_str(text_cell(v, VIEW_MAPPING, 0, "kind"), "file_text", "kind of the program");
	is_str(text_cell(v, VIEW_MAPPING, 1, "kind"), "heap", "of the heap");
	is_str(text_cell(v, VIEW_MAPPING, 2, "kind"), "anon", "of a mapping without a path");
	is_str(text_cell(v, VIEW_MAPPING, 4, "kind"), "file_data", "of a program's data");
	is_int(cell(v, VIEW_MAPPING, 6, "n"), 6, "mappings are numbered from 0");
}

static void test_6_18(void)
{
	struct views *v = begin(VIEWS_ALL);
	size_t shmem = 0, special = 0;

	add_data(v, 10, "6.18", "smaps_rollup");
	add_data(v, 10, "6.18", "smaps");
	add_data(v, 10, "6.18", "status");
	views_end(v);
	is_str(text_cell(v, VIEW_PROCESS, 0, "name"), "python3", "name");
	is_int(cell(v, VIEW_PROCESS, 0, "ppid"), 18432, "ppid");
	is_int(cell(v, VIEW_PROCESS, 0, "threads"), 1, "threads");
	is_int(cell(v, VIEW_PROCESS, 0, "vm_peak_kib"), 31484, "VmPeak");
	is_int(cell(v, VIEW_PROCESS, 0, "vm_exe_kib"), 2764, "VmExe");
	is_int(cell(v, VIEW_PROCESS, 0, "vm_lib_kib"), 2192, "VmLib");
	is_int(cell(v, VIEW_PROCESS, 0, "vm_pte_kib"), 88, "VmPTE");
	is_int(cell(v, VIEW_PROCESS, 0, "rss_anon_kib"), 13052, "RssAnon");
	is_int(cell(v, VIEW_PROCESS, 0, "hugetlb_pages_kib"), 0, "HugetlbPages");
	is_int(cell(v, VIEW_PROCESS, 0, "pss_kib"), 17006, "Pss is that of smaps_rollup");
	is_int(cell(v, VIEW_PROCESS, 0, "pss_file_kib"), 3886, "Pss_File");
	is_int(cell(v, VIEW_PROCESS, 0, "lazyfree_kib"), 992, "LazyFree");
	is_int(cell(v, VIEW_PROCESS, 0, "vm_pmd_kib"), VIEW_NULL, "VmPMD is gone since 4.15");
	for (size_t i = 0; i < views_rows(v, VIEW_MAPPING); i++) {
		shmem += strcmp(text_cell(v, VIEW_MAPPING, i, "kind"), "shmem") == 0;
		special += strcmp(text_cell(v, VIEW_MAPPING, i, "kind"), "special") == 0;
		if (strcmp(text_cell(v, VIEW_MAPPING, i, "path"), "[vsyscall]") == 0) {
			ok(cell(v, VIEW_MAPPING, i, "start") < 0, "addresses above 2^63 are negative");
			is_str(text_cell(v, VIEW_MAPPING, i, "vm_flags"), "ex", "VmFlags without blanks");
		}
	}
	is_int(shmem, 2, "a memfd and shared anonymous memory");
	ok(special >= 3, "vdso, vvar and vsyscall");
	for (size_t i = 0; i < views_rows(v, VIEW_UNKNOWN); i++)
		if (strcmp(text_cell(v, VIEW_UNKNOWN, i, "key"), "voluntary_ctxt_switches") == 0)
			is_int(cell(v, VIEW_UNKNOWN, i, "value"), 30,
			       "a number of status without a column is kept");
}

#define HEAD "00400000-00401000 rw-p 00000000 00:17 2      "

static void test_fields(void)
{
	struct views *v = begin(VIEWS_ALL);

	add_text(v, 5, "smaps",
		 HEAD
		 "/a b\nSize: 4 kB\nRss: 3\nNewThing: 8 kB\nProtectionKey: 2\nNonlinear: 12 kB\nRss: 1 kB\n"
		 "VmFlags: rd  \n" HEAD
		 "\nNewThing: 9 kB\nPss: 99999999999999999999999 kB\nSwap: 18446744073709551615 kB\n");
	add_text(v, 5, "status", "Name:\t a\\nb \nThreads:\t3\nVmRSS:\t4\nVmPMD:\t 12 kB\n");
	views_end(v);
	is_int(cell(v, VIEW_MAPPING, 0, "rss_kib"), 1, "only a number with kB is a size");
	is_int(cell(v, VIEW_MAPPING, 0, "protection_key"), 2, "ProtectionKey has none");
	is_int(cell(v, VIEW_MAPPING, 0, "nonlinear_kib"), 12, "Nonlinear");
	is_str(text_cell(v, VIEW_MAPPING, 0, "vm_flags"), "rd", "VmFlags");
	is_int(cell(v, VIEW_MAPPING, 1, "rss_kib"), VIEW_NULL, "a field is of its mapping alone");
	is_int(cell(v, VIEW_MAPPING, 1, "swap_kib"), INT64_MAX, "a number too large for SQL is the largest");
	ok(is_incomplete(v), "and one too large for 64 bits is a bad line");
	is_int(views_rows(v, VIEW_UNKNOWN), 4, "unknown fields");
	is_str(text_cell(v, VIEW_UNKNOWN, 0, "key"), "Rss", "Rss without kB is none of ours");
	is_str(text_cell(v, VIEW_UNKNOWN, 1, "key"), "NewThing", "key");
	is_int(cell(v, VIEW_UNKNOWN, 1, "value"), 8, "value");
	is_int(cell(v, VIEW_UNKNOWN, 1, "n"), 0, "of the first mapping");
	is_int(cell(v, VIEW_UNKNOWN, 2, "n"), 1, "of the second");
	is_int(cell(v, VIEW_UNKNOWN, 3, "n"), VIEW_NULL, "of status");
	is_str(text_cell(v, VIEW_PROCESS, 0, "name"), " a\\nb ", "a name as the kernel writes it");
	is_int(cell(v, VIEW_PROCESS, 0, "vm_rss_kib"), VIEW_NULL, "VmRSS without kB is not known");
	is_int(cell(v, VIEW_PROCESS, 0, "vm_pmd_kib"), 12, "VmPMD");
	is_int(cell(v, VIEW_PROCESS, 0, "swap_kib"), INT64_MAX, "the sum of what is there");

	v = begin(VIEWS_ALL);
	add_text(v, 5, "smaps", HEAD "\nSwap: 9223372036854775807 kB\n" HEAD "\nSwap: 9 kB\n");
	views_end(v);
	is_int(cell(v, VIEW_PROCESS, 0, "swap_kib"), INT64_MAX, "a sum does not run over");
}

static void test_tmpfs(void)
{
	struct views *v = begin(VIEWS_ALL);

	add_text(v, 5, "smaps",
		 "00400000-00401000 rw-s 00000000 00:17 2 /run/x\nRss: 4 kB\n"
		 "00401000-00402000 rw-s 00000000 00:23 2 /srv/y\nRss: 4 kB\n");
	/* 23 is 0x17; a device 0x23 would be 35. Order does not matter. */
	add_text(v, 0, "mountinfo",
		 "25 24 0:35 / /srv rw shared:1 - ext4 tmpfs rw\n"
		 "26 24 0:23 / /run rw,relatime shared:3 master:1 - tmpfs tmpfs rw,size=24684084k\nbad\n\n1 "
		 "2 - tmpfs\n");
	views_end(v);
	is_str(text_cell(v, VIEW_MAPPING, 0, "kind"), "shmem", "a file of a tmpfs");
	is_str(text_cell(v, VIEW_MAPPING, 1, "kind"), "file_shared", "a file of a disk");
	views_begin(v, 8, 3, "onset");
	add_text(v, 5, "smaps", "00400000-00401000 rw-s 00000000 00:17 2 /run/x\nRss: 4 kB\n");
	views_end(v);
	is_str(text_cell(v, VIEW_MAPPING, 2, "kind"), "file_shared", "mounts are those of the snapshot");
}

/* What was used is told by a later smaps of the same process. */
static void test_used(void)
{
	struct views *v = begin(VIEWS_ALL);

	add_text(v, 8, "smaps",
		 "1000-2000 r-xp 00000000 fe:00 12 /a\nReferenced: 40 kB\n"
		 "3000-4000 r--p 00000000 fe:00 13 /b\nReferenced: 30 kB\n"
		 "5000-6000 r--p 00000000 fe:00 14 /c\nReferenced: 20 kB\n"
		 "7000-8000 rw-p 00000000 00:00 0\nReferenced: 10 kB\n");
	add_text(v, 8, VIEWS_USED,
		 "1000-2000 r-xp 00000000 fe:00 12 /a\nReferenced: 4 kB\n"
		 "2000-3000 r--p 00000000 fe:00 99 /new\nReferenced: 8 kB\n"
		 "3000-4000 r--p 00000000 fe:00 77 /other\nReferenced: 12 kB\n"
		 "7000-8000 rw-p 00000000 00:00 0\nReferenced: 0 kB\n");
	views_end(v);
	is_int(views_rows(v, VIEW_MAPPING), 4, "no mapping comes to those of the snapshot");
	is_int(cell(v, VIEW_MAPPING, 0, "referenced_kib"), 4, "the pages of a file that were used");
	is_int(cell(v, VIEW_MAPPING, 1, "referenced_kib"), 0, "none of one that has another file by then");
	is_int(cell(v, VIEW_MAPPING, 2, "referenced_kib"), 0, "none of one that is gone");
	is_int(cell(v, VIEW_MAPPING, 3, "referenced_kib"), 10, "memory without a file as it was");
	is_int(cell(v, VIEW_PROCESS, 0, "referenced_kib"), 100, "and the sum as the kernel gave it");
	v = begin(VIEWS_ALL);
	add_text(v, 8, VIEWS_USED, "1000-2000 r-xp 00000000 fe:00 12 /a\nReferenced: 4 kB\n");
	is_int(views_rows(v, VIEW_MAPPING), 0, "of a process that was not there nothing follows");
}

static void test_guest(void)
{
	struct views *v = begin(VIEWS_ALL);

	add_data(v, 0, "6.1", "meminfo");
	add_data(v, 0, "6.1-swapping", "vmstat");
	add_text(v, 0, "memory.current", "4096000\n");
	add_text(v, 0, "memory.stat", "anon 4000000\nfile 96000\n");
	add_text(v, 0, "cpu.stat", "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\n");
	add_text(v, 0, "memory.events", "low 0\noom_kill 2\n");
	add_text(v, 0, "memory.max", "max\n");
	add_text(v, 0, "pressure/memory",
		 "some avg10=1.00 avg60=0.00 avg300=0.00 total=5123\nfull avg10=0.00 avg60=0.00 avg300=0.00 "
		 "total=17\n");
	add_text(v, 0, "memory.pressure", "some avg10=1.00 avg60=0.00 avg300=0.00 total=88\n");
	add_text(v, 0, "zoneinfo",
		 "Node 0, zone      DMA\n  pages free     3808\n        min      25\n        low      31\n"
		 "        high     37\n  pagesets\n    cpu: 0\n              high:  378\n"
		 "Node 0, zone    DMA32\n        min      564\n        low      705\n        high     846\n");
	add_text(v, 0, "slabinfo",
		 "slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> <objperslab> "
		 "<pagesperslab>"
		 " : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> "
		 "<sharedavail>\n"
		 "bio-312               12     24    320   12    2 : tunables    0    0    0 : slabdata      "
		 "1      3      0\n"
		 "two words              0      0    312   13    1 : tunables    0    0    0 : slabdata      "
		 "0      7      0\n"
		 "cut                   12     24    320   12\n");
	add_text(v, 0, "buddyinfo",
		 "Node 0, zone      DMA      0      0      0      0      0      0      0      0      1      "
		 "1      3 \n"
		 "Node 0, zone    DMA32      2      1      4\nNode 1, zone Normal 9\nNode 1,\n");
	add_text(v, 0, "agent", "freeze_us 1200\nevidence_us 45000\nfrozen_us 47000\n");
	add_text(v, 0, "cgroup.procs", "77\n");
	add_text(v, 0, "zoneinfo", "Node 0, zone DMA\n  pages free 3\n");
	views_add_baseline(v, "meminfo", "MemAvailable: 1234 kB\n", 22);
	views_end(v);

	is_int(guest_value(v, VIEW_GUEST, "meminfo.MemAvailable"), 70856, "meminfo");
	is_int(guest_value(v, VIEW_GUEST, "vmstat.pswpout"), 8556, "vmstat");
	is_int(guest_value(v, VIEW_GUEST, "memory.current"), 4096000, "a file of one number is its own key");
	is_int(guest_value(v, VIEW_GUEST, "memory.stat.file"), 96000, "memory.stat");
	is_int(guest_value(v, VIEW_GUEST, "cpu.stat.usage_usec"), 1500, "cpu.stat");
	is_int(guest_value(v, VIEW_GUEST, "memory.events.oom_kill"), 2, "memory.events");
	is_int(guest_value(v, VIEW_GUEST, "memory.max"), -1, "no limit is no number");
	is_int(guest_value(v, VIEW_GUEST, "pressure/memory.some.total"), 5123, "pressure, some");
	is_int(guest_value(v, VIEW_GUEST, "pressure/memory.full.total"), 17, "pressure, full");
	is_int(guest_value(v, VIEW_GUEST, "memory.pressure.some.total"), 88, "pressure of the cgroup");
	is_int(guest_value(v, VIEW_GUEST, "zoneinfo.high"), 37 + 846, "watermarks of all zones");
	is_int(guest_value(v, VIEW_GUEST, "zoneinfo.low"), 31 + 705, "each by itself");
	is_int(guest_value(v, VIEW_GUEST, "slabinfo.bio-312"), 3 * 2 * 4, "slabs in KiB");
	is_int(guest_value(v, VIEW_GUEST, "slabinfo.two words"), 28, "a name with a blank");
	is_int(guest_value(v, VIEW_GUEST, "buddyinfo.0.DMA.10"), 3, "free blocks");
	is_int(guest_value(v, VIEW_GUEST, "buddyinfo.0.DMA32.1"), 1, "of another zone");
	is_int(guest_value(v, VIEW_GUEST, "buddyinfo.1.Normal.0"), 9, "of another node");
	is_int(guest_value(v, VIEW_GUEST, "agent.frozen_us"), 47000, "what the snapshot cost");
	is_int(guest_value(v, VIEW_GUEST, "cgroup.procs"), -1, "a process id is no quantity");
	is_int(guest_value(v, VIEW_BASELINE, "meminfo.MemAvailable"), 1234, "baseline");
	is_int(views_rows(v, VIEW_BASELINE), 1, "has its own only");
	is_int(views_rows(v, VIEW_PROCESS), 0, "the guest is no process");
}

static void test_hostile_guest(void)
{
	static const char *const names[] = { "meminfo",        "vmstat",          "slabinfo",
					     "buddyinfo",      "pressure/memory", "memory.pressure",
					     "memory.current", "mountinfo",       "agent",
					     "zoneinfo" };
	cleanup_free char *big = xmalloc(70000);
	struct views *v = begin(VIEWS_ALL);

	memset(big, ' ', 70000);
	for (size_t i = 0; i < 70000; i += 3)
		big[i] = i % 7 == 0 ? ':' : '7';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		views_add(v, 0, names[i], "", 0);
		views_add(v, 0, names[i], "\n", 1);
		views_add(v, 0, names[i], "\0\n:\n: \n", 7);
		views_add(v, 0, names[i], "Node , zone x 1\n ::: :\n - \n- tmpfs\n", 34);
		views_add(v, 0, names[i],
			  "a 1 2 3 4 5 : t : slabdata 1 18446744073709551615 1\ntotal=\nx total=\n", 68);
		views_add(v, 0, names[i], big, 70000);
		big[69999] = '\n';
		views_add(v, 0, names[i], big, 70000);
	}
	views_end(v);
	ok(!is_incomplete(v), "nothing breaks on texts no kernel writes");
}

static void test_incomplete(void)
{
	struct views *v = begin(VIEWS_ALL);

	views_add_failed(v, 0, "memory.peak");
	views_add_failed(v, 5, "pagemap");
	add_text(v, 5, "smaps", HEAD "\nRss: 4 kB\n");
	views_add_failed(v, 5, "smaps_rollup");
	views_end(v);
	ok(!is_incomplete(v), "what the guest lacks, or smaps says too, or is said nowhere, is not missed");
	is_int(cell(v, VIEW_PROCESS, 0, "rss_kib"), 4, "Rss is that of smaps");

	v = begin(VIEWS_ALL);
	views_add_failed(v, 5, "smaps_rollup");
	views_end(v);
	ok(is_incomplete(v), "no smaps_rollup, and no smaps");
	is_int(views_rows(v, VIEW_PROCESS), 0, "of a process that vanished there is no row");

	v = begin(VIEWS_ALL);
	views_add_failed(v, 5, "smaps");
	views_end(v);
	ok(is_incomplete(v), "no smaps");

	v = begin(VIEWS_ALL);
	add_text(v, 5, "status", "Name:\tx\nVmRSS:\t 12");
	views_end(v);
	ok(is_incomplete(v), "a status that was cut");
	is_int(views_rows(v, VIEW_PROCESS), 1, "the process is there");
	views_begin(v, 8, 3, "onset");
	add_text(v, 5, "status", "Name:\tx\n");
	views_end(v);
	is_int(cell(v, VIEW_SNAPSHOT, 1, "is_incomplete"), 0, "the next snapshot is another matter");

	v = begin(VIEWS_ALL);
	add_text(v, 5, "smaps_rollup", "00400000-00401000 ---p 00000000 00:00 0 [rollup]\nRss: 8 kB\n");
	add_text(v, 5, "smaps", "");
	add_text(v, 6, "smaps", HEAD "\nRss: 1 kB\nRss");
	views_end(v);
	ok(is_incomplete(v), "a smaps that was cut");
	is_int(cell(v, VIEW_PROCESS, 0, "rss_kib"), 8, "the other process is as it is");
	is_int(cell(v, VIEW_PROCESS, 1, "rss_kib"), 1, "and what was read is there");
}

static void test_set(void)
{
	static const char *const files[] = { "smaps", "smaps_rollup", "status" };
	cleanup(cleanup_views_) struct views *all = views_create(VIEWS_ALL);

	views_begin(all, 7, 3, "onset");
	for (size_t i = 0; i < 3; i++)
		add_data(all, 10, "6.18", files[i]);
	views_end(all);
	for (enum view only = 0; only < VIEW_COUNT; only++) {
		struct views *v = begin(VIEW_BIT(only));
		size_t n, wrong = 0;

		view_columns(only, &n);
		for (size_t i = 0; i < 3; i++)
			if (views_want(v, 10, files[i]))
				add_data(v, 10, "6.18", files[i]);
		views_end(v);
		for (enum view i = 0; i < VIEW_COUNT; i++)
			wrong += views_rows(v, i) != (i == only ? views_rows(all, i) : 0);
		for (size_t i = 0; i < views_rows(v, only); i++)
			for (size_t j = 0; j < n; j++)
				if (!view_columns(only, &n)[j].is_text)
					wrong += views_row(v, only, i)[j] != views_row(all, only, i)[j];
		is_int(wrong, 0, "one view alone is the same as among all");
	}

	cleanup(cleanup_views_) struct views *guest = views_create(VIEW_BIT(VIEW_GUEST)),
					     *pages = views_create(VIEW_BIT(VIEW_PAGES));

	ok(views_want(guest, 0, "meminfo") && !views_want(guest, 0, "mountinfo"),
	   "guest wants what it has keys for");
	ok(!views_want(guest, 5, "smaps") && !views_want(guest, 5, "meminfo"), "and nothing of a process");
	ok(!views_want_baseline(guest, "meminfo"), "nor the baseline");
	ok(views_want(pages, 5, "pagemap") && !views_want(pages, 5, "smaps"), "pages wants pagemap");
	ok(!views_want(pages, 0, "pagemap"), "of a process");
}

static void test_ranges(void)
{
	struct views *v = views_create(VIEWS_ALL);
	size_t first = 0, end = 0, wrong = 0;

	for (int64_t id = 2; id <= 40; id += 2) {
		views_begin(v, id, 1, "onset");
		for (int64_t i = 0; i < id % 3; i++)
			views_add_row(v, VIEW_GUEST)[2] = id * 100 + i;
		views_end(v);
	}
	for (int64_t id = 1; id <= 41; id++) {
		bool want = id % 2 == 0 && id % 3 != 0;

		if (views_range(v, VIEW_GUEST, id, &first, &end) != want)
			wrong++;
		else if (want &&
			 (end - first != (size_t)(id % 3) || cell(v, VIEW_GUEST, first, "value") != id * 100))
			wrong++;
	}
	is_int(wrong, 0, "the rows of each snapshot");
	ok(!views_range(v, VIEW_GUEST, INT64_MIN, &first, &end) &&
		   !views_range(v, VIEW_GUEST, INT64_MAX, &first, &end),
	   "the smallest and the largest id have none");
	ok(!views_range(v, VIEW_PAGES, 4, &first, &end), "nor has an empty view");
	views_destroy(v);

	v = views_create(VIEWS_ALL);
	views_begin(v, INT64_MAX, 1, "onset");
	views_end(v);
	ok(views_range(v, VIEW_SNAPSHOT, INT64_MAX, &first, &end) && first == 0 && end == 1,
	   "the largest id has a row");
	views_destroy(v);
}

static void test_texts(void)
{
	cleanup(cleanup_views_) struct views *v = views_create(VIEWS_ALL);
	int64_t cells[3000];
	size_t wrong = 0;

	for (int i = 0; i < 3000; i++) {
		cleanup_free char *text = xasprintf("%*d", i % 50, i);

		cells[i] = views_text(v, text, strlen(text));
	}
	for (int i = 0; i < 3000; i++) {
		cleanup_free char *text = xasprintf("%*d", i % 50, i);

		wrong += views_text(v, text, strlen(text)) != cells[i] ||
			 views_text_find(v, text, strlen(text)) != cells[i] ||
			 strcmp((const char *)(intptr_t)cells[i], text) != 0;
	}
	is_int(wrong, 0, "equal texts are one, and stay where they are");
	is_int(views_text_find(v, "nothing", 7), VIEW_NULL, "a text that is not there");
	ok(views_text(v, NULL, 0) == views_text(v, "x", 0), "the empty text");
}

static void test_kernels(void)
{
	static const struct {
		const char *kernel;
		size_t mappings;
	} kernels[] = { { "5.10", 10 },        { "6.1", 10 },        { "6.1-swapping", 9 }, { "6.12", 10 },
			{ "5.10-shapes", 27 }, { "6.1-shapes", 26 }, { "6.12-shapes", 26 }, { "6.18", 55 } };

	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++)
		test_kernel(kernels[i].kernel, kernels[i].mappings, strcmp(kernels[i].kernel, "6.18") != 0);
}

TAP_MAIN(test_columns, test_kernels, test_2_6, test_6_18, test_fields, test_tmpfs, test_used, test_guest,
	 test_hostile_guest, test_incomplete, test_set, test_ranges, test_texts)
