/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Known-answer loads: memory of one kind, of a size that follows from the arguments alone, so that what every
 * measure must say of it can be written down (calibrate/evidence/known.c). It makes the memory, says so, and
 * holds it until it is told to end (SIGTERM).
 *
 *     known --kind KIND --kib N [--children C] [--dirty-pct P] [--seed S] [--dir DIR]
 *
 * Page contents are as unique as the ballast's, except where no content is the point. Huge pages are refused,
 * except where they are the point. Status 77: this guest cannot make memory of that kind, and why.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "guest/loads/fill.h"
#include "guest/proto.h"

#define HUGE_BYTES (2u << 20)

struct options {
	const char *kind, *dir;
	uint64_t kib, children, dirty_pct, seed;
};

/* Without stdio, which would be most of this program: what is here is memory beside the load. */
static void say(int fd, const char *a, const char *b, const char *c)
{
	char line[512] = "";

	/* Each at most a quarter, so that all three and the newline fit. */
	strncat(line, a, sizeof(line) / 4);
	strncat(line, b, sizeof(line) / 4);
	strncat(line, c, sizeof(line) / 4);
	strcat(line, "\n");
	if (write(fd, line, strlen(line)) < 0)
		_exit(2);
}

static void die(const char *what, const char *why)
{
	say(STDERR_FILENO, what, ": ", why);
	_exit(2);
}

static void die_errno(const char *what)
{
	die(what, strerror(errno));
}

/* The kind cannot be had here, whatever one does. */
static void skip(const char *why)
{
	say(STDERR_FILENO, why, "", "");
	_exit(PROTO_STATUS_NOT_APPLICABLE);
}

static uint64_t parse_number(const char *option, const char *text, uint64_t max)
{
	char *end;

	errno = 0;

	uint64_t n = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || errno || n > max)
		die(option, "not a number, or too large");
	return n;
}

static struct options parse_options(char **argv)
{
	struct options o = { .dir = "/scratch" };

	for (argv++; *argv; argv += 2) {
		const char *value = argv[1];

		if (!value)
			die(*argv, "a value is missing");
		if (strcmp(*argv, "--kind") == 0)
			o.kind = value;
		else if (strcmp(*argv, "--dir") == 0)
			o.dir = value;
		/* The limit keeps all later arithmetic, and the largest mapping, in range: 64 GiB. */
		else if (strcmp(*argv, "--kib") == 0)
			o.kib = parse_number("--kib", value, 64 << 20);
		else if (strcmp(*argv, "--children") == 0)
			o.children = parse_number("--children", value, 64);
		else if (strcmp(*argv, "--dirty-pct") == 0)
			o.dirty_pct = parse_number("--dirty-pct", value, 100);
		else if (strcmp(*argv, "--seed") == 0)
			o.seed = parse_number("--seed", value, UINT64_MAX);
		else
			die(*argv, "unknown option");
	}
	if (!o.kind)
		die("--kind", "is missing");
	if (o.kib == 0 || o.kib % (HUGE_BYTES / 1024))
		die("--kib", "not a multiple of 2048");
	return o;
}

static void fill_page(void *page, uint64_t seed, uint64_t index)
{
	uint64_t x = fill_start(seed, index), *words = page;

	for (size_t i = 0; i < PAGE_WORDS; i++, x = fill_next(x))
		words[i] = x;
}

static void fill_pages(char *memory, uint64_t bytes, uint64_t seed)
{
	for (uint64_t i = 0; i < bytes / PAGE_BYTES; i++)
		fill_page(memory + i * PAGE_BYTES, seed, i);
}

static char *map(uint64_t bytes, int prot, int flags, int fd)
{
	char *memory = mmap(NULL, bytes, prot, flags, fd, 0);

	if (memory == MAP_FAILED)
		die_errno("cannot map memory");
	/* EINVAL: a kernel without huge pages, which is as good. */
	if (madvise(memory, bytes, MADV_NOHUGEPAGE) < 0 && errno != EINVAL)
		die_errno("cannot refuse huge pages");
	return memory;
}

static char *map_private(uint64_t bytes)
{
	return map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
}

/* At a multiple of the size of huge pages, which is also what a page table maps. */
static char *map_aligned(uint64_t bytes)
{
	char *memory = map_private(bytes + HUGE_BYTES);
	uint64_t before = -(uintptr_t)memory % HUGE_BYTES;
	char *start = memory + before;

	if (before)
		munmap(start - before, before);
	munmap(start + bytes, HUGE_BYTES - before);
	return start;
}

static void read_pages(const volatile char *memory, uint64_t bytes)
{
	for (uint64_t at = 0; at < bytes; at += PAGE_BYTES)
		(void)memory[at];
}

static void write_file(int fd, uint64_t bytes, uint64_t seed)
{
	static uint64_t page[PAGE_WORDS];

	for (uint64_t i = 0; i < bytes / PAGE_BYTES; i++) {
		fill_page(page, seed, i);
		if (write(fd, page, PAGE_BYTES) != PAGE_BYTES)
			die_errno("cannot write the file");
	}
}

/* A file of that size, on its disk and not in the page cache. */
static int make_file(const struct options *o, uint64_t bytes)
{
	if (chdir(o->dir) < 0)
		die_errno(o->dir);

	int fd = open("known", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		die_errno("cannot make the file");
	write_file(fd, bytes, o->seed);
	if (fsync(fd) < 0)
		die_errno("cannot write the file back");
	/* Clean pages only can be dropped, hence the order. */
	if ((errno = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED)))
		die_errno("cannot drop the file's pages");
	return fd;
}

static void make_private_dirty(const struct options *o, uint64_t bytes)
{
	fill_pages(map_private(bytes), bytes, o->seed);
}

static void make_zero_read(const struct options *o, uint64_t bytes)
{
	(void)o;
	read_pages(map_private(bytes), bytes);
}

static void make_file_clean(const struct options *o, uint64_t bytes)
{
	read_pages(map(bytes, PROT_READ, MAP_PRIVATE, make_file(o, bytes)), bytes);
}

/*
 * Other bytes than the file's, all dirty at first. From then on the kernel may write some back, which makes
 * them clean again, at any time.
 */
static void make_file_dirty(const struct options *o, uint64_t bytes)
{
	char *memory = map(bytes, PROT_READ | PROT_WRITE, MAP_SHARED, make_file(o, bytes));

	fill_pages(memory, bytes, ~o->seed);
}

static void make_shmem(const struct options *o, uint64_t bytes)
{
	char *memory = map(bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1);

	fill_pages(memory, bytes, o->seed);
}

static void make_tmpfs(const struct options *o, uint64_t bytes)
{
	int fd = memfd_create("known", MFD_CLOEXEC);

	if (fd < 0)
		die_errno("cannot make a file in memory");
	write_file(fd, bytes, o->seed);
}

static void make_lazyfree(const struct options *o, uint64_t bytes)
{
	char *memory = map_private(bytes);

	fill_pages(memory, bytes, o->seed);
	if (madvise(memory, bytes, MADV_FREE) < 0)
		die_errno("cannot free lazily");
}

static void make_mlocked(const struct options *o, uint64_t bytes)
{
	char *memory = map_private(bytes);

	fill_pages(memory, bytes, o->seed);
	if (mlock(memory, bytes) < 0)
		die_errno("cannot lock memory");
}

/* One page in each table of 512 entries: a page of memory, and a page for the table. */
static void make_page_tables(const struct options *o, uint64_t bytes)
{
	uint64_t tables = bytes / 2 / PAGE_BYTES;
	char *memory = map_aligned(tables * HUGE_BYTES);

	for (uint64_t i = 0; i < tables; i++)
		fill_page(memory + i * HUGE_BYTES, o->seed, i);
}

/* --- Huge pages with holes */

static size_t read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);

	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static uint64_t huge_kib(void)
{
	static const char key[] = "\nAnonHugePages:";
	char text[2048];
	const char *line =
		read_text("/proc/self/smaps_rollup", text, sizeof(text)) ? strstr(text, key) : NULL;

	return line ? strtoull(line + strlen(key), NULL, 10) : 0;
}

static void need_huge_pages(void)
{
	char text[64];

	if (!read_text("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof(text)) ||
	    strstr(text, "[never]"))
		skip("this guest has no transparent huge pages (thp: madvise or always)");
}

/* Of each huge page the second half is given back: half of what was written stays mapped. */
static void make_thp_holes(const struct options *o, uint64_t bytes)
{
	need_huge_pages();

	char *memory = map_aligned(2 * bytes);

	if (madvise(memory, 2 * bytes, MADV_HUGEPAGE) < 0)
		die_errno("cannot ask for huge pages");
	fill_pages(memory, 2 * bytes, o->seed);

	if (huge_kib() < 2 * bytes / 1024)
		die("thp-holes", "the kernel did not have enough huge pages");
	for (uint64_t at = 0; at < 2 * bytes; at += HUGE_BYTES)
		if (madvise(memory + at + HUGE_BYTES / 2, HUGE_BYTES / 2, MADV_DONTNEED) < 0)
			die_errno("cannot give back memory");
}

/* --- Forked processes */

/* Waits until told to end; SIGTERM is blocked, so it is kept until here. */
static void wait_for_end(void)
{
	sigset_t term;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	while (sigwaitinfo(&term, NULL) != SIGTERM)
		;
}

/* Changes its part of the memory when its turn comes, says so, and holds it. */
_Noreturn static void live_as_child(char *memory, uint64_t bytes, uint64_t seed, int turn, int done)
{
	char c;

	/* It goes with its parent, whatever that one dies of. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(turn, &c, 1) != 1)
		_exit(2);
	fill_pages(memory, bytes, seed);
	if (write(done, &c, 1) != 1)
		_exit(2);
	close(turn);
	close(done);
	wait_for_end();
	_exit(0);
}

/*
 * The children write one after the other, each when nobody else writes: all but the last one get copies of
 * the pages they change, and the last one, alone with the originals by then, keeps those.
 */
static void make_forked_cow(const struct options *o, uint64_t bytes)
{
	char *memory = map_private(bytes), c = 0;
	uint64_t dirty = bytes / PAGE_BYTES * o->dirty_pct / 100 * PAGE_BYTES;
	int turn[2], done[2];

	if (pipe2(turn, O_CLOEXEC) < 0 || pipe2(done, O_CLOEXEC) < 0)
		die_errno("cannot make a pipe");
	fill_pages(memory, bytes, o->seed);
	for (uint64_t i = 0; i < o->children; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die_errno("cannot fork");
		if (pid == 0)
			live_as_child(memory, dirty, o->seed + 1 + i, turn[0], done[1]);
	}
	munmap(memory, bytes);
	close(done[1]);
	for (uint64_t i = 0; i < o->children; i++)
		if (write(turn[1], &c, 1) != 1 || read(done[0], &c, 1) != 1)
			die("a child", "ended too early");
	close(turn[0]);
	close(turn[1]);
	close(done[0]);
}

/* --- */

static const struct {
	const char *name;
	void (*make)(const struct options *o, uint64_t bytes);
} kinds[] = {
	{ "private-dirty", make_private_dirty },
	{ "zero-read", make_zero_read },
	{ "file-clean", make_file_clean },
	{ "file-dirty", make_file_dirty },
	{ "shmem", make_shmem },
	{ "tmpfs", make_tmpfs },
	{ "forked-cow", make_forked_cow },
	{ "lazyfree", make_lazyfree },
	{ "mlocked", make_mlocked },
	{ "thp-holes", make_thp_holes },
	{ "page-tables", make_page_tables },
};

static void make(const struct options *o)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, o->kind) == 0) {
			kinds[i].make(o, o->kib * 1024);
			return;
		}
	die("--kind", "unknown");
}

int main(int argc, char **argv)
{
	struct options o = parse_options(argv);
	const char *fd = getenv("SWAPCAL_CHECKPOINT_FD");
	sigset_t term;

	(void)argc;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	make(&o);
	/* Tells the agent, or who reads stdout. */
	say(fd ? atoi(fd) : STDOUT_FILENO, "checkpoint full", "", "");
	wait_for_end();
	return 0;
}
