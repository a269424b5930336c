/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The ballast: holds exactly N KiB of memory that the kernel can only keep or swap out. All else is compared
 * with it, so it is meant to be read: it maps N KiB, writes every page once, says so, and waits to be told to
 * end (SIGTERM); then it checks every page it wrote.
 *
 *     ballast --kib N [--rate-kib-s R] [--slow-kib-s R --slow-below-kib F] [--fill random|half|zero]
 *             [--touch none|sweep|random] [--seed S]
 *
 * Once less than F KiB of the guest are free, it goes on at the slow rate: what counts is how much it holds
 * when the guest begins to swap, and all before that only takes time.
 *
 * No page is like another and none compresses, so that neither zswap nor a merging of same pages can hide it;
 * huge pages are refused, so that it grows page by page. Zeros are the negative control: newer kernels swap
 * such pages out without writing them, and the check at the end counts them. With half, the second half of
 * each page is zeros: for guests that swap to zram, where a page that does not compress frees nothing.
 *
 * A page once written is not used again, unless --touch asks for it: then it reads and writes back one word
 * of pages it has, in order and again from the start (sweep) or by chance (random), while it grows and as
 * long as it stays.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "guest/loads/fill.h"

/* Pages are written in bursts: every 2 ms is short beside a sampling tick, long beside a wake-up. */
#define BURST_US 2000

/* Behind by more (frozen, or stalled in reclaim), the schedule starts anew: no leap to catch up. */
#define LAG_MAX_US 20000

/* Without a rate there are no bursts; this is how often the order to end is looked for. */
#define UNPACED_PAGES 64

/*
 * So many pages are touched in the time that one is written. With 1 a sweep would only follow what was just
 * written; with 4 it is through while the ballast grows by a third, and at the usual 64 MiB/s it uses 256 MiB
 * within the second that the onset rule looks at. Touching costs little beside writing: one word, not 512.
 */
#define TOUCH_PER_PAGE 4

/*
 * How often the clock is looked at: in a guest without a clock of the hypervisor's that takes longer than
 * touching a page, and if all of these are in swap they are read back in a few ms.
 */
#define TOUCHES_PER_LOOK 16

enum touch { TOUCH_NONE, TOUCH_SWEEP, TOUCH_RANDOM, TOUCH_COUNT };

static const char *const touch_names[TOUCH_COUNT] = { "none", "sweep", "random" };

struct options {
	uint64_t kib, rate_kib_s, seed;
	uint64_t slow_kib_s, slow_below_kib;
	size_t fill_words; /* of each page; the rest is zeros */
	enum touch touch;
};

/** Where touching is, and what it did. */
struct toucher {
	uint64_t next;   /* of a sweep */
	uint64_t random; /* never 0 */
	uint64_t count;
};

_Noreturn static void die(const char *what, const char *why)
{
	fprintf(stderr, "ballast: %s: %s\n", what, why);
	exit(2);
}

static uint64_t parse_number(const char *option, const char *text)
{
	char *end;

	if (!text)
		die(option, "a value is missing");
	errno = 0;

	uint64_t n = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || errno)
		die(option, "not a number, or too large");
	return n;
}

static size_t parse_fill(const char *text)
{
	if (text && strcmp(text, "random") == 0)
		return PAGE_WORDS;
	if (text && strcmp(text, "half") == 0)
		return PAGE_WORDS / 2;
	if (!text || strcmp(text, "zero") != 0)
		die("--fill", "neither 'random' nor 'half' nor 'zero'");
	return 0;
}

static enum touch parse_touch(const char *text)
{
	for (int i = 0; text && i < TOUCH_COUNT; i++)
		if (strcmp(touch_names[i], text) == 0)
			return (enum touch)i;
	die("--touch", "neither 'none' nor 'sweep' nor 'random'");
}

static struct options parse_options(char **argv)
{
	struct options o = { .fill_words = PAGE_WORDS };

	for (argv++; *argv; argv += 2) {
		const char *value = argv[1];

		if (strcmp(*argv, "--kib") == 0)
			o.kib = parse_number("--kib", value);
		else if (strcmp(*argv, "--rate-kib-s") == 0)
			o.rate_kib_s = parse_number("--rate-kib-s", value);
		else if (strcmp(*argv, "--slow-kib-s") == 0)
			o.slow_kib_s = parse_number("--slow-kib-s", value);
		else if (strcmp(*argv, "--slow-below-kib") == 0)
			o.slow_below_kib = parse_number("--slow-below-kib", value);
		else if (strcmp(*argv, "--seed") == 0)
			o.seed = parse_number("--seed", value);
		else if (strcmp(*argv, "--touch") == 0)
			o.touch = parse_touch(value);
		else if (strcmp(*argv, "--fill") == 0)
			o.fill_words = parse_fill(value);
		else
			die(*argv, "unknown option");
	}
	/* The limit keeps all later arithmetic in 64 bits: 1 TiB. */
	if (o.kib == 0 || o.kib > 1ull << 30)
		die("--kib", "not within 1..1073741824");
	if (o.rate_kib_s > 1ull << 30)
		die("--rate-kib-s", "not within 0..1073741824");
	if (o.slow_below_kib && (o.slow_kib_s == 0 || o.slow_kib_s > o.rate_kib_s))
		die("--slow-kib-s", "not within 1 and --rate-kib-s");
	return o;
}

static void write_page(uint64_t *page, const struct options *o, uint64_t index)
{
	uint64_t x = fill_start(o->seed, index);

	for (size_t i = 0; i < PAGE_WORDS; i++) {
		page[i] = i < o->fill_words ? x : 0;
		x = fill_next(x);
	}
}

/** What a look at the pages found. */
struct check {
	uint64_t pages; /* looked at */
	uint64_t bad;   /* not what was written */
	uint64_t zero;  /* zeros from end to end, which a kernel may swap out without writing them */
};

static void check_page(const uint64_t *page, const struct options *o, uint64_t index, struct check *c)
{
	uint64_t x = fill_start(o->seed, index), any = 0;
	bool good = true;

	for (size_t i = 0; i < PAGE_WORDS; i++) {
		good &= page[i] == (i < o->fill_words ? x : 0);
		any |= page[i];
		x = fill_next(x);
	}
	c->pages++;
	c->bad += !good;
	c->zero += !any;
}

/*
 * Looks at the pages that are in RAM. Those in swap stay there: to read them all back in a guest that has
 * just run out of RAM takes it longer than all the rest of its life, and they are not what fills its RAM.
 */
static void check_resident(const uint64_t *memory, uint64_t pages, const struct options *o, struct check *c)
{
	unsigned char in_ram[512];

	for (uint64_t first = 0; first < pages; first += sizeof(in_ram)) {
		uint64_t n = pages - first < sizeof(in_ram) ? pages - first : sizeof(in_ram);

		if (mincore((void *)(memory + first * PAGE_WORDS), n * PAGE_BYTES, in_ram) < 0)
			die("cannot tell what is in RAM", strerror(errno));
		for (uint64_t i = 0; i < n; i++)
			if (in_ram[i] & 1)
				check_page(memory + (first + i) * PAGE_WORDS, o, first + i, c);
	}
}

/* Our counter in the page shared with the agent, or one of our own without an agent. */
static volatile uint64_t *open_progress(void)
{
	static uint64_t own;
	const char *fd = getenv("SWAPCAL_PROGRESS_FD"), *slot = getenv("SWAPCAL_PROGRESS_SLOT");

	if (!fd || !slot)
		return &own;

	uint64_t i = parse_number("SWAPCAL_PROGRESS_SLOT", slot);
	uint64_t *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			      (int)parse_number("SWAPCAL_PROGRESS_FD", fd), 0);

	if (page == MAP_FAILED || i >= PAGE_WORDS)
		die("progress page", page == MAP_FAILED ? strerror(errno) : "no such slot");
	return &page[i];
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Waits until that time for the order to end (SIGTERM is blocked, so it is kept until here). */
static bool told_to_end(const sigset_t *term, uint64_t until_us)
{
	uint64_t now = now_us(), left = until_us > now ? until_us - now : 0;
	struct timespec t = { .tv_sec = (time_t)(left / 1000000), .tv_nsec = (long)(left % 1000000 * 1000) };

	return sigtimedwait(term, NULL, &t) == SIGTERM;
}

/*
 * The next point half-way between two multiples of the burst's time. The agent's ticks are at multiples of
 * whole milliseconds: away from them, a jitter of microseconds does not decide which burst a tick still sees.
 */
static uint64_t grid_us(uint64_t now)
{
	return now / BURST_US * BURST_US + BURST_US + BURST_US / 2;
}

/*
 * Touches up to n of the first pages, for no longer than until_us: a page in swap is first read back, and
 * neither growing nor the order to end may wait for many of those.
 */
static void touch_pages(uint64_t *memory, uint64_t pages, uint64_t n, uint64_t until_us,
			const struct options *o, struct toucher *t)
{
	if (o->touch == TOUCH_NONE || pages == 0)
		return;
	for (uint64_t i = 0; i < n; i++, t->count++) {
		if (i % TOUCHES_PER_LOOK == 0 && now_us() >= until_us)
			return;

		uint64_t index = t->next < pages ? t->next : 0;

		if (o->touch == TOUCH_RANDOM)
			index = (t->random = fill_next(t->random)) % pages;
		t->next = index + 1;

		volatile uint64_t *word = memory + index * PAGE_WORDS;

		uint64_t same = *word;

		*word = same;
	}
}

/* Is less memory free than that? */
static bool is_free_below(uint64_t kib)
{
	struct sysinfo info;

	return kib && sysinfo(&info) == 0 && (uint64_t)info.freeram * info.mem_unit < kib * 1024;
}

/* Writes the pages at the asked rate. How many were written: all, or fewer when told to end. */
static uint64_t grow(uint64_t *memory, uint64_t pages, const struct options *o, const sigset_t *term,
		     struct toucher *t)
{
	volatile uint64_t *progress = open_progress();
	uint64_t start_us = grid_us(now_us()), start_page = 0, burst = 0, done = 0, rate = o->rate_kib_s;

	while (done < pages) {
		uint64_t due_us = start_us + ++burst * BURST_US, target = done + UNPACED_PAGES;
		bool turns_slow = rate != o->slow_kib_s && is_free_below(o->slow_below_kib);

		if (rate) {
			if (turns_slow || now_us() > due_us + LAG_MAX_US) {
				rate = turns_slow ? o->slow_kib_s : rate;
				start_us = grid_us(now_us());
				start_page = done;
				burst = 0;
				continue;
			}
			target = start_page + rate * burst * BURST_US / (1000000 * PAGE_KIB);
		}
		if (told_to_end(term, rate ? due_us : 0))
			break;

		uint64_t before = done;

		for (; done < target && done < pages; *progress = ++done)
			write_page(memory + done * PAGE_WORDS, o, done);
		touch_pages(memory, done, TOUCH_PER_PAGE * (done - before),
			    (rate ? due_us : now_us()) + BURST_US, o, t);
	}
	return done;
}

/* Stays with what it has, and goes on touching it at the same pace, until told to end. */
static void rest(uint64_t *memory, uint64_t pages, const struct options *o, const sigset_t *term,
		 struct toucher *t)
{
	uint64_t per_burst = TOUCH_PER_PAGE * o->rate_kib_s * BURST_US / (1000000 * PAGE_KIB);
	uint64_t due_us = grid_us(now_us());

	if (!o->rate_kib_s)
		per_burst = TOUCH_PER_PAGE * UNPACED_PAGES;
	if (!per_burst)
		per_burst = 1;
	while (o->touch == TOUCH_NONE ? sigwaitinfo(term, NULL) != SIGTERM : !told_to_end(term, due_us)) {
		touch_pages(memory, pages, per_burst, due_us + BURST_US, o, t);
		due_us += BURST_US;
		if (now_us() > due_us + LAG_MAX_US)
			due_us = grid_us(now_us());
	}
}

/* The number after the key in a file of /proc/self; 0 without one. */
static uint64_t read_kib(const char *path, const char *key)
{
	char text[2048];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	close(fd);
	text[n > 0 ? n : 0] = '\0';

	const char *line = strstr(text, key);

	return line ? strtoull(line + strlen(key), NULL, 10) : 0;
}

static uint64_t resident_or_swapped_kib(void)
{
	return read_kib("/proc/self/smaps_rollup", "\nRss:") + read_kib("/proc/self/smaps_rollup", "\nSwap:");
}

/* Tells the agent, or who reads stdout, what comes after "checkpoint". */
static void say(const char *text)
{
	const char *fd = getenv("SWAPCAL_CHECKPOINT_FD");

	if (dprintf(fd ? atoi(fd) : STDOUT_FILENO, "checkpoint %s\n", text) < 0)
		exit(2);
}

int main(int argc, char **argv)
{
	struct options o = parse_options(argv);
	uint64_t pages = (o.kib + PAGE_KIB - 1) / PAGE_KIB;
	sigset_t term;
	char text[128];

	(void)argc;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);

	uint64_t *memory = mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		die("cannot map memory", strerror(errno));
	/* EINVAL: a kernel without huge pages, which is as good. */
	if (madvise(memory, pages * PAGE_BYTES, MADV_NOHUGEPAGE) < 0 && errno != EINVAL)
		die("cannot refuse huge pages", strerror(errno));

	struct toucher t = { .random = fill_start(o.seed, pages) };
	uint64_t done = grow(memory, pages, &o, &term, &t);

	if (done == pages) {
		/* rss_kib: what it holds beside the pages; pte_kib: the page tables for all of it. */
		snprintf(text, sizeof(text), "full pages=%llu rss_kib=%llu pte_kib=%llu",
			 (unsigned long long)pages,
			 (unsigned long long)(resident_or_swapped_kib() - pages * PAGE_KIB),
			 (unsigned long long)read_kib("/proc/self/status", "\nVmPTE:"));
		say(text);
		rest(memory, pages, &o, &term, &t);
	}

	struct check c = { 0 };

	check_resident(memory, done, &o, &c);
	snprintf(text, sizeof(text), "verified pages=%llu bad=%llu zero=%llu swapped=%llu touched=%llu",
		 (unsigned long long)c.pages, (unsigned long long)c.bad, (unsigned long long)c.zero,
		 (unsigned long long)(done - c.pages), (unsigned long long)t.count);
	say(text);
	return c.bad > 0;
}
