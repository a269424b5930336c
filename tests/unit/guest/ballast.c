/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How the ballast uses its pages. What that does to a guest only a guest can show. */
#include <sys/wait.h>

#define main ballast_main
int ballast_main(int argc, char **argv);
#include "guest/loads/ballast.c"
#undef main
#include "tests/tap.h"

#define PAGES 8

static uint64_t memory[PAGES * PAGE_WORDS] __attribute__((aligned(PAGE_BYTES)));

static const uint64_t soon = UINT64_MAX;

static void test_sweep(void)
{
	struct options o = { .touch = TOUCH_SWEEP };
	struct toucher t = { .random = 1 };

	touch_pages(memory, 3, 2, soon, &o, &t);
	is_int(t.next, 2, "a sweep goes in order");
	touch_pages(memory, 3, 2, soon, &o, &t);
	is_int(t.next, 1, "and begins again after the last page");
	touch_pages(memory, PAGES, 4, soon, &o, &t);
	is_int(t.next, 5, "new pages come when it is their turn");
	is_int(t.count, 8, "each touch counts");
	touch_pages(memory, 0, 4, soon, &o, &t);
	touch_pages(memory, PAGES, 4, 0, &o, &t);
	is_int(t.count, 8, "without pages, or time, none is touched");
}

static void test_random(void)
{
	struct options o = { .touch = TOUCH_RANDOM };
	struct toucher t = { .random = 1 }, again = t;
	unsigned seen[PAGES] = { 0 }, least = 1000, most = 0, steps = 0;

	for (unsigned i = 0; i < 800; i++) {
		uint64_t before = t.next;

		touch_pages(memory, PAGES, 1, soon, &o, &t);
		seen[(t.next - 1) % PAGES]++;
		steps += t.next == before + 1;
	}
	for (unsigned i = 0; i < PAGES; i++) {
		least = seen[i] < least ? seen[i] : least;
		most = seen[i] > most ? seen[i] : most;
	}
	/* 100 each is expected, with a standard deviation of 9. */
	ok(least > 60 && most < 140, "random touches come to all pages alike");
	ok(steps < 200, "and in no order");
	touch_pages(memory, PAGES, 800, soon, &o, &again);
	ok(again.next == t.next && again.random == t.random, "the same seed, the same pages");
}

static void test_none(void)
{
	struct options o = { .touch = TOUCH_NONE };
	struct toucher t = { .random = 1 };

	touch_pages(memory, PAGES, 5, soon, &o, &t);
	is_int(t.count, 0, "without a pattern nothing is touched");
}

static void test_content(enum touch touch, const char *fill)
{
	struct options o = { .touch = touch, .seed = 7, .fill_words = parse_fill(fill) };
	struct toucher t = { .random = 5 };
	struct check c = { 0 };

	for (uint64_t i = 0; i < PAGES; i++)
		write_page(memory + i * PAGE_WORDS, &o, i);
	touch_pages(memory, PAGES, 1000, soon, &o, &t);
	check_resident(memory, PAGES, &o, &c);
	ok(c.pages == PAGES && c.bad == 0, "touched pages hold what was written");
	is_int(c.zero, strcmp(fill, "zero") == 0 ? PAGES : 0, "zeros only where they were asked for");
	ok((memory[PAGE_WORDS / 2 - 1] == 0) == (strcmp(fill, "zero") == 0),
	   "the first half is not of zeros");
	ok((memory[PAGE_WORDS - 1] == 0) == (strcmp(fill, "random") != 0),
	   "the second half is what the fill says");
	memory[PAGE_WORDS + 3] ^= 1;
	check_resident(memory, PAGES, &o, &c);
	is_int(c.bad, 1, "and a changed one is noticed");
}

struct life {
	char said[512];
	int status;
	uint64_t ms;
};

/* The program as the agent runs it, told to end after rest_ms of having all its pages. */
static struct life live(const char *touch, const char *rate, unsigned rest_ms)
{
	const char *argv[] = { "ballast", "--kib", "4096", "--rate-kib-s", rate, "--touch", touch, NULL };
	struct life life = { "", -1, 0 };
	uint64_t start = now_us();
	bool is_told = false;
	int fds[2];
	size_t len = 0;
	ssize_t n;

	if (pipe(fds) < 0)
		return life;
	fflush(stdout);

	pid_t pid = fork();

	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		_exit(ballast_main(7, (char **)argv));
	}
	close(fds[1]);
	while ((n = read(fds[0], life.said + len, sizeof(life.said) - 1 - len)) > 0) {
		len += (size_t)n;
		if (!is_told && strstr(life.said, "full")) {
			is_told = true;
			usleep(rest_ms * 1000);
			kill(pid, SIGTERM);
		}
	}
	close(fds[0]);
	waitpid(pid, &life.status, 0);
	life.ms = (now_us() - start) / 1000;
	return life;
}

static long long touched(const struct life *life)
{
	const char *at = strstr(life->said, "touched=");

	return at ? atoll(at + strlen("touched=")) : -1;
}

/*
 * Four for each page written, in the quarter of a second that this takes or more, and 4 x 16 MiB/s at rest
 * for 0.3 s; a busy machine may leave some out, or rest longer.
 */
static bool has_pace(const struct life *life)
{
	long long rest_ms = (long long)life->ms - 250 + 50;

	return touched(life) > 2 * 1024 && touched(life) < 4096 + 4 * 4096 * rest_ms / 1000;
}

static void test_life(const char *touch)
{
	struct life life = live(touch, "16384", 300);

	/* One that got too little time shows nothing. */
	for (int i = 0; i < 4 && !has_pace(&life); i++)
		life = live(touch, "16384", 300);
	ok(WIFEXITED(life.status) && WEXITSTATUS(life.status) == 0, touch);
	has_str(life.said, "full pages=1024", "all pages are written");
	has_str(life.said, "bad=0", "and hold that after they were touched");
	ok(has_pace(&life), "at the pace that is promised");
	ok(life.ms < HANGS_S * 1000, "it ends when told to");
	life = live(touch, "0", 20);
	has_str(life.said, "bad=0", "without a rate it works too");
	ok(touched(&life) > 0, "and touches");
}

int main(void)
{
	test_none();
	test_sweep();
	test_random();
	test_content(TOUCH_SWEEP, "random");
	test_content(TOUCH_RANDOM, "half");
	test_content(TOUCH_SWEEP, "zero");
	test_life("sweep");
	test_life("random");

	struct life life = live("none", "16384", 20);

	is_int(touched(&life), 0, "none: nothing is touched");
	return tap_done();
}
