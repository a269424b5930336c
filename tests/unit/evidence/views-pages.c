/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Page runs to rows of pages: known answers, a model that counts one page at a time, and damaged runs. That a
 * kernel's flags mean what is assumed here is not shown: see the known-answer loads.
 */
#include "guest/proto.h"
#include "tests/unit/evidence/views.h"

#define PRESENT (1ull << 63)
#define SWAPPED (1ull << 62)

/* Of kpageflags, by number, so that a wrong name in the code is seen. */
#define BIT(n)   (1ull << (n))
#define MMAP     BIT(11)
#define ANON     (BIT(12) | BIT(14) | BIT(5) | MMAP)
#define LAZYFREE (BIT(12) | BIT(5) | MMAP)
#define SHMEM    (BIT(14) | BIT(5) | MMAP)
#define FILE_    (BIT(3) | BIT(5) | MMAP)
#define DIRTY    BIT(4)
#define HEAD     (BIT(15) | BIT(22))
#define TAIL     (BIT(16) | BIT(22))

static struct proto_page_run run(uint64_t page, uint64_t pfn, uint64_t flags, uint32_t mapcount,
				 unsigned pages, int step)
{
	return (struct proto_page_run){ page * 4096, PRESENT | pfn,   flags,
					mapcount,    (uint16_t)pages, (int16_t)step };
}

static struct proto_page_run swap_run(uint64_t page, unsigned type, uint64_t offset, unsigned pages, int step)
{
	return (struct proto_page_run){ page * 4096,  SWAPPED | offset << 5 | type, 0, 0, (uint16_t)pages,
					(int16_t)step };
}

static void add(struct views *v, unsigned pid, const struct proto_page_run *runs, size_t n)
{
	views_add(v, pid, "pagemap", (const char *)runs, n * sizeof(*runs));
}

#define ADD(v, pid, ...)                                                                                     \
	({                                                                                                   \
		struct proto_page_run runs_[] = { __VA_ARGS__ };                                             \
		add(v, pid, runs_, sizeof(runs_) / sizeof(runs_[0]));                                        \
	})

/* The rows as lines: state backing, a letter for each question, mappers kib mapped_kib. */
static const char *rows_of(const struct views *v)
{
	static const struct {
		const char *column, *letter;
	} questions[] = { { "is_dirty", "d" }, { "is_lazyfree", "l" }, { "is_ksm", "k" },
			  { "is_huge", "h" },  { "is_mlocked", "m" },  { "is_shared_outside", "o" } };
	static struct strbuf sb;

	strbuf_clear(&sb);
	for (size_t i = 0; i < views_rows(v, VIEW_PAGES); i++) {
		strbuf_addf(&sb, "%s %s ", text_cell(v, VIEW_PAGES, i, "state"),
			    text_cell(v, VIEW_PAGES, i, "backing"));
		for (size_t j = 0; j < sizeof(questions) / sizeof(questions[0]); j++) {
			int64_t value = cell(v, VIEW_PAGES, i, questions[j].column);

			strbuf_adds(&sb, value == VIEW_NULL ? "?" : value ? questions[j].letter : "");
		}
		strbuf_addf(&sb, " %lld %lld %lld\n", (long long)cell(v, VIEW_PAGES, i, "mappers"),
			    (long long)cell(v, VIEW_PAGES, i, "kib"),
			    (long long)cell(v, VIEW_PAGES, i, "mapped_kib"));
	}
	return strbuf_str(&sb);
}

static void test_sorts(void)
{
	struct views *v = begin(VIEWS_ALL);

	ADD(v, 5, run(1, 100, ANON, 1, 2, 1), run(3, 200, LAZYFREE, 1, 3, 1),
	    run(6, 300, LAZYFREE | DIRTY, 1, 4, 1), run(10, 400, SHMEM, 2, 5, 1),
	    run(15, 500, FILE_, 1, 6, 1), run(21, 600, FILE_ | DIRTY, 1, 7, 1),
	    run(28, 700, BIT(24) | BIT(32), 0, 8, 0), run(36, 800, ANON | BIT(21), 9, 9, 1),
	    run(45, 900, ANON | BIT(33), 1, 10, 1), run(55, 1000, FILE_ | BIT(18), 1, 11, 1),
	    run(66, 1100, BIT(17) | MMAP, 1, 12, 1), run(78, 1200, BIT(20), 0, 13, 1),
	    run(91, 1300, BIT(32), 0, 14, 1), run(105, 1400, 0, 0, 15, 1), swap_run(120, 0, 0, 16, 1),
	    swap_run(136, 30, 77, 17, 1));
	views_end(v);
	is_str(rows_of(v),
	       "resident anon  1 8 8\n"
	       "resident anon l 1 12 12\n"
	       "resident anon d 1 16 16\n"
	       "resident shmem o 1 20 20\n"
	       "resident file  1 24 24\n"
	       "resident file d 1 28 28\n"
	       "resident zero  1 4 32\n"
	       "resident anon ko 1 36 36\n"
	       "resident anon m 1 40 40\n"
	       "resident file m 1 44 44\n"
	       "resident shmem h 1 48 48\n"
	       "swapped anon ? 1 64 64\n",
	       "each sort; what has no page, or is no swap slot, is left out");
	ok(!is_incomplete(v), "all is well");
}

/* The rest of a huge page has no flags of its own for what it shares with its first page. */
static void test_compound(void)
{
	struct views *v = begin(VIEWS_ALL);
	uint64_t tail = BIT(12) | MMAP | TAIL;

	ADD(v, 5, run(1, 512, ANON | HEAD, 1, 1, 0), run(2, 513, tail, 1, 300, 1),
	    run(302, 813, tail, 1, 211, 1), run(513, 1024, LAZYFREE | HEAD, 1, 1, 1),
	    run(514, 1025, tail, 1, 511, 1), run(1025, 1537, tail, 1, 100, 1),
	    run(1125, 2048, SHMEM | DIRTY | HEAD, 1, 1, 1), run(1126, 2049, MMAP | TAIL, 1, 511, 1),
	    run(1637, 2560, ANON, 1, 1, 1));
	views_end(v);
	is_str(rows_of(v),
	       "resident anon h 1 2448 2448\nresident anon lh 1 2048 2048\n"
	       "resident shmem dh 1 2048 2048\nresident anon  1 4 4\n",
	       "they are those of the page before");
}

/* N processes with the same pages: physical memory once, mapped N times; steps up or down are one. */
static void test_forks(void)
{
	for (unsigned n = 1; n <= 9; n += 4) {
		struct views *v = begin(VIEWS_ALL);
		cleanup_free char *want = xasprintf("resident anon  %u 20000 %u\nswapped anon ? %u 4000 %u\n"
						    "resident zero  %u 4 %u\n",
						    n, n * 20000, n, n * 4000, n, n * 400);

		for (unsigned pid = 1; pid <= n; pid++)
			ADD(v, pid,
			    pid % 2 ? run(1, 30000, ANON, n, 5000, 1) : run(1, 34999, ANON, n, 5000, -1),
			    swap_run(6000, 1, 32000, 1000, 1), run(7000, 7, BIT(24), 0, 100, 0));
		views_end(v);
		is_str(rows_of(v), want, "each page is there once, and mapped by all");
	}

	struct views *v = begin(VIEWS_ALL);

	ADD(v, 1, run(1, 10, SHMEM, 3, 4, 1), run(9, 10, SHMEM, 3, 4, 1));
	ADD(v, 2, run(1, 12, SHMEM, 3, 4, 1));
	views_end(v);
	/* Frames 10 and 11 twice in one process, 14 and 15 once. */
	is_str(rows_of(v), "resident shmem o 1 16 24\nresident shmem  2 8 24\n", "and by some, some twice");
}

/* Slots of two swap areas, and frames, with the same numbers are different. */
static void test_spaces(void)
{
	struct views *v = begin(VIEWS_ALL);

	ADD(v, 1, run(1, 10, ANON, 1, 4, 1), swap_run(10, 0, 10, 4, 1), swap_run(20, 1, 10, 4, 1),
	    swap_run(30, 22, 13, 4, -1));
	views_end(v);
	is_str(rows_of(v), "resident anon  1 16 16\nswapped anon ? 1 48 48\n", "RAM, and two areas");
	views_begin(v, 8, 3, "onset");
	ADD(v, 1, run(1, 12, ANON, 1, 4, 1));
	views_end(v);
	is_int(cell(v, VIEW_PAGES, 2, "snapshot_id"), 8, "another snapshot");
	is_int(cell(v, VIEW_PAGES, 2, "kib"), 16, "begins anew");
	is_int(cell(v, VIEW_PAGES, 2, "mappers"), 1, "also with the mappers");
}

/* Frames where chunks of the table end, and far up. */
static void test_large(void)
{
	struct views *v = begin(VIEWS_ALL);

	ADD(v, 1, run(1, 32760, ANON, 1, 65535, 1), run(70000, (1u << 30) - 1, ANON, 1, 10, -1));
	views_end(v);
	is_str(rows_of(v), "resident anon  1 262180 262180\n", "over all chunks");
}

#define FRAMES    300
#define PROCESSES 6

/* Each page of the model has flags and a mapcount that depend on its number alone. */
static uint64_t model_flags(unsigned pfn)
{
	static const uint64_t flags[] = { ANON, LAZYFREE, SHMEM | DIRTY, FILE_ };

	return flags[pfn / 16 % 4];
}

/* The runs of a process that maps these frames in this order, as few as can be. */
static size_t make_runs(const unsigned *pfns, size_t n, struct proto_page_run *runs)
{
	size_t runs_n = 0;

	for (size_t i = 0; i < n; i++) {
		struct proto_page_run *r = runs_n ? &runs[runs_n - 1] : NULL;
		int step = i ? (int)pfns[i] - (int)pfns[i - 1] : 2;

		if (r && step >= -1 && step <= 1 && model_flags(pfns[i]) == r->flags &&
		    (r->pages == 1 || r->step == step) && pfns[i] % 64 != 0 && pfns[i - 1] % 64 != 0) {
			r->step = (int16_t)step;
			r->pages++;
		} else {
			runs[runs_n++] = run(1000 + i, pfns[i], model_flags(pfns[i]), 8, 1, 1);
		}
	}
	return runs_n;
}

/* Against counting page by page; each part that a page can be in is checked by its sums. */
static void test_model(void)
{
	static unsigned pfns[2000];
	static struct proto_page_run runs[2000];
	size_t wrong = 0;

	for (unsigned round = 0; round < 300; round++) {
		unsigned times[FRAMES] = { 0 }, mappers[FRAMES] = { 0 }, last[FRAMES] = { 0 };
		struct views *v = begin(VIEWS_ALL);
		int64_t kib[PROCESSES + 1][2] = { { 0 } }, mapped = 0, all = 0;

		for (unsigned pid = 1; pid <= PROCESSES; pid++) {
			size_t n = test_random_below(400);

			for (size_t i = 0; i < n; i++) {
				unsigned near = i ? pfns[i - 1] + (unsigned)test_random_below(3) - 1 : 1;

				pfns[i] = test_random_below(8) && near > 0 && near < FRAMES
						  ? near
						  : 1 + (unsigned)test_random_below(FRAMES - 1);
				times[pfns[i]]++;
				mappers[pfns[i]] += last[pfns[i]] != pid;
				last[pfns[i]] = pid;
				mapped += 4;
			}
			add(v, pid, runs, make_runs(pfns, n, runs));
		}
		views_end(v);
		for (unsigned i = 0; i < FRAMES; i++)
			if (times[i]) {
				kib[mappers[i]][times[i] < 8] += 4;
				all += 4;
			}
		for (size_t i = 0; i < views_rows(v, VIEW_PAGES); i++)
			kib[cell(v, VIEW_PAGES, i, "mappers")][cell(v, VIEW_PAGES, i, "is_shared_outside")] -=
				cell(v, VIEW_PAGES, i, "kib");
		for (unsigned i = 0; i <= PROCESSES; i++)
			wrong += kib[i][0] != 0 || kib[i][1] != 0;
		wrong += sum(v, VIEW_PAGES, "mapped_kib") != mapped || sum(v, VIEW_PAGES, "kib") != all;
	}
	is_int(wrong, 0, "as counted page by page; the union is below the sum");
}

static void is_bad(const struct proto_page_run *runs, size_t bytes, const char *what)
{
	struct views *v = begin(VIEWS_ALL);

	ADD(v, 4, run(1, 100, ANON, 1, 2, 1));
	views_add(v, 5, "pagemap", (const char *)runs, bytes);
	ADD(v, 6, run(1, 100, ANON, 1, 2, 1));
	views_end(v);
	ok(views_rows(v, VIEW_PAGES) == 0 && is_incomplete(v), what);
	views_begin(v, 8, 3, "onset");
	ADD(v, 4, run(1, 100, ANON, 1, 2, 1));
	views_end(v);
	if (views_rows(v, VIEW_PAGES) != 1 || cell(v, VIEW_PAGES, 0, "kib") != 8)
		ok(false, "the next snapshot is another matter");
}

#define BAD(what, ...)                                                                                       \
	({                                                                                                   \
		struct proto_page_run runs_[] = { __VA_ARGS__ };                                             \
		is_bad(runs_, sizeof(runs_), what);                                                          \
	})

static void test_hostile(void)
{
	struct proto_page_run good = run(10, 100, ANON, 1, 2, 1), odd = good, both = good, none = good;

	for (size_t bytes = 1; bytes < sizeof(good); bytes++)
		is_bad(&good, bytes, "a piece of a record");
	odd.address++;
	both.entry |= SWAPPED;
	none.entry &= ~PRESENT;
	BAD("an address within a page", odd);
	BAD("in RAM and in swap", both);
	BAD("in neither", none);
	BAD("no page", run(10, 100, ANON, 1, 0, 1));
	BAD("a step of 2", run(10, 100, ANON, 1, 1, 2));
	BAD("a step of -2", run(10, 100, ANON, 1, 1, -2));
	BAD("the same address twice", good, good);
	BAD("pages that overlap", good, run(11, 300, ANON, 1, 1, 1));
	BAD("addresses that fall", good, run(9, 300, ANON, 1, 1, 1));
	BAD("an address above all", run(1ull << 44, 100, ANON, 1, 1, 1));
	BAD("the frame 0, which hides the true one", run(10, 0, ANON, 1, 1, 1));
	BAD("frames that fall to 0", run(10, 3, ANON, 1, 4, -1));
	BAD("frames that fall below it", run(10, 3, ANON, 1, 5, -1));
	BAD("slots that fall below 0", swap_run(10, 0, 3, 5, -1));
	BAD("more RAM than there is", run(10, 1u << 30, ANON, 1, 1, 1));
	BAD("which the last page reaches", run(10, (1u << 30) - 1, ANON, 1, 2, 1));
	BAD("the largest frame", run(10, BIT(55) - 1, ANON, 1, 65535, 1));
	BAD("the largest slot", swap_run(10, 31, BIT(50) - 1, 65535, -1),
	    swap_run(70000, 0, BIT(50) - 1, 65535, 1));
}

/* More pages than a process can have are refused before they cost time. */
static void test_too_many(void)
{
	size_t n = 1100;
	cleanup_free struct proto_page_run *runs = xcalloc(n, sizeof(*runs));

	for (size_t i = 0; i < n; i++)
		runs[i] = run(1 + i * 65535, 1 + i, ANON, 1, 65535, 0);
	is_bad(runs, n * sizeof(*runs), "more than 256 GiB of one process");

	struct views *v = begin(VIEWS_ALL);

	views_add(v, 7, "pagemap", (const char *)runs, n / 2 * sizeof(*runs));
	views_add(v, 8, "pagemap", (const char *)runs, n / 2 * sizeof(*runs));
	views_end(v);
	ok(views_rows(v, VIEW_PAGES) == 0 && is_incomplete(v), "or of several together");
}

/* Linux 6.12 calls every anonymous page merged. */
static void test_ksm(void)
{
	struct views *v = begin(VIEWS_ALL);

	ADD(v, 7, run(1, 100, ANON | BIT(21), 1, 64, 1), run(100, 500, BIT(5), 1, 8, 1));
	views_end(v);
	is_int(views_rows(v, VIEW_PAGES), 2, "a row of memory, a row of a file");
	ok(cell(v, VIEW_PAGES, 0, "is_ksm") == VIEW_NULL && cell(v, VIEW_PAGES, 1, "is_ksm") == VIEW_NULL,
	   "whose flag says nothing when all have it");
	views_begin(v, 8, 3, "onset");
	ADD(v, 7, run(1, 100, ANON | BIT(21), 1, 64, 1), run(100, 500, ANON, 1, 8, 1));
	views_end(v);
	is_int(cell(v, VIEW_PAGES, 2, "is_ksm") + cell(v, VIEW_PAGES, 3, "is_ksm"), 1,
	       "and tells them apart when one goes without");
}

/* Every bit of a run turned: nothing breaks. */
static void test_flips(void)
{
	struct proto_page_run runs[2] = { run(10, 100, ANON, 1, 2, 1), swap_run(20, 0, 100, 9, -1) };
	unsigned char *bytes = (unsigned char *)runs;
	size_t wrong = 0;

	for (size_t i = 0; i < sizeof(runs) * 8; i++) {
		struct views *v = begin(VIEWS_ALL);

		bytes[i / 8] ^= (unsigned char)(1u << i % 8);
		add(v, 5, runs, 2);
		bytes[i / 8] ^= (unsigned char)(1u << i % 8);
		views_end(v);
		/* Either the piece is refused, or it says something. */
		wrong += (views_rows(v, VIEW_PAGES) == 0) != (is_incomplete(v));
	}
	is_int(wrong, 0, "no flipped bit goes half way");
}

static void test_missing(void)
{
	struct views *v = begin(VIEWS_ALL);

	ADD(v, 4, run(1, 100, ANON, 1, 2, 1));
	add_text(v, 4, "statm", "2 2 0 0 0 0 0\n");
	add_text(v, 5, "statm", "2 2 0 0 0 0 0\n");
	views_add_failed(v, 5, "pagemap");
	views_end(v);
	is_int(views_rows(v, VIEW_PAGES), 0, "no union of some of the processes");
	ok(!is_incomplete(v), "no other number is missing");

	v = begin(VIEWS_ALL);
	ADD(v, 4, run(1, 100, ANON, 1, 2, 1));
	add_text(v, 5, "status", "Name:\tx\n");
	views_end(v);
	is_int(views_rows(v, VIEW_PAGES), 0, "nor when a process has no such piece");

	v = begin(VIEWS_ALL);
	ADD(v, 4, run(1, 100, ANON, 1, 2, 1));
	views_add_failed(v, 5, "smaps");
	views_add_failed(v, 5, "pagemap");
	views_add_failed(v, 5, "status");
	views_end(v);
	is_int(sum(v, VIEW_PAGES, "kib"), 8, "a process that vanished has no pages");
	ok(is_incomplete(v), "but is missed");

	v = begin(VIEWS_ALL);
	ADD(v, 4, run(1, 100, ANON, 1, 2, 1));
	add_text(v, 5, "statm", "0 0 0 0 0 0 0\n");
	views_add_failed(v, 5, "pagemap");
	views_add(v, 6, "pagemap", "", 0);
	views_end(v);
	is_int(sum(v, VIEW_PAGES, "kib"), 8, "nor has one without memory, or without a page");

	v = begin(VIEWS_ALL);
	add_text(v, 0, "meminfo", "MemTotal: 1 kB\n");
	views_end(v);
	is_int(views_rows(v, VIEW_PAGES), 0, "no process, no pages");
}

TAP_MAIN(test_sorts, test_compound, test_forks, test_spaces, test_large, test_model, test_hostile,
	 test_too_many, test_ksm, test_flips, test_missing)
