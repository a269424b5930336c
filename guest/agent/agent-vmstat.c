/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include "guest/agent/agent.h"
#include "guest/agent/agent-vmstat.h"

/*
 * A kernel prints some 200 counters, always in the same order. Which line holds a counter we want is learnt
 * once; after that each line is skipped by its length, and only the key of a wanted one is looked at.
 */

#define LINES_MAX 400

/* Longer than the file is on any kernel so far (4 KiB); what comes after that is not read. */
#define TEXT_MAX 12288

/** A counter: its key, and where in a sample it is added. */
struct counter {
	const char *key;
	uint16_t offset;
};

#define X(name) { #name, offsetof(struct proto_sample, name) },
/* Columns that come from elsewhere have names that no key has. */
static const struct counter counters[] = {
	PROTO_SAMPLE_COLUMNS(X)
	/* One line per zone; which zones there are depends on the kernel. */
	{ "allocstall_dma", offsetof(struct proto_sample, allocstall) },
	{ "allocstall_dma32", offsetof(struct proto_sample, allocstall) },
	{ "allocstall_normal", offsetof(struct proto_sample, allocstall) },
	{ "allocstall_movable", offsetof(struct proto_sample, allocstall) },
	{ "allocstall_device", offsetof(struct proto_sample, allocstall) },
};
#undef X

#define N_COUNTERS (sizeof(counters) / sizeof(counters[0]))

static int fd = -1;
static char text[TEXT_MAX + 1];
static size_t text_len;

/* Index of the counter on each line, -1 for lines of no interest; lines at and after n_lines are of none. */
static int8_t counter_of_line[LINES_MAX];
static size_t n_lines;

/* Reads more: the kernel gives about a page at a time. False at the end of the file. */
static bool read_more(void)
{
	ssize_t n = pread(fd, text + text_len, TEXT_MAX - text_len, (off_t)text_len);

	if (n <= 0)
		return false;
	text_len += (size_t)n;
	text[text_len] = '\0';
	return true;
}

/* The line at offset *at, which it moves to the next line. NULL at the end of the file. */
static const char *next_line(size_t *at)
{
	for (;;) {
		const char *line = text + *at;
		const char *end = memchr(line, '\n', text_len - *at);

		if (end) {
			*at = (size_t)(end + 1 - text);
			return line;
		}
		if (!read_more())
			return NULL;
	}
}

static bool has_key(const char *line, const char *key)
{
	size_t len = strlen(key);

	return strncmp(line, key, len) == 0 && line[len] == ' ';
}

static int8_t find_counter(const char *line)
{
	for (size_t i = 0; i < N_COUNTERS; i++)
		if (has_key(line, counters[i].key))
			return (int8_t)i;
	return -1;
}

static void learn(void)
{
	const char *line;
	size_t at = 0;

	text_len = n_lines = 0;
	for (size_t i = 0; i < LINES_MAX && (line = next_line(&at)); i++) {
		counter_of_line[i] = find_counter(line);
		if (counter_of_line[i] >= 0)
			n_lines = i + 1;
	}
}

static uint64_t parse_number(const char *p)
{
	uint64_t n = 0;

	while (*p >= '0' && *p <= '9')
		n = n * 10 + (uint64_t)(*p++ - '0');
	return n;
}

/* False when a line is not the one it was. */
static bool read_known_lines(struct proto_sample *s)
{
	size_t at = 0;

	text_len = 0;
	for (size_t i = 0; i < n_lines; i++) {
		const char *line = next_line(&at);

		if (!line)
			return false;
		if (counter_of_line[i] < 0)
			continue;

		const struct counter *c = &counters[counter_of_line[i]];

		if (!has_key(line, c->key))
			return false;
		*(uint64_t *)((char *)s + c->offset) += parse_number(line + strlen(c->key) + 1);
	}
	return true;
}

const char *vmstat_init(void)
{
	fd = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail("cannot open '/proc/vmstat': %s", strerror(errno));
	learn();
	return n_lines ? NULL : fail("'/proc/vmstat' has no counter that we know");
}

void vmstat_read(struct proto_sample *s)
{
	struct proto_sample counted = *s;

	if (!read_known_lines(&counted)) {
		learn();
		counted = *s;
		read_known_lines(&counted);
	}
	*s = counted;
}
