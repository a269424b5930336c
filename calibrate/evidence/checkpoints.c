/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/evidence/checkpoints.h"

#include <math.h>
#include <string.h>

#include "calibrate/evidence/text.h"

/* More processes than a plan can ask for would be someone's mistake. */
#define PROCESSES_MAX 256

/* What a line said of one kind. */
struct said_gc {
	bool is_there;
	uint64_t n, total_us, max_us;
};

/* What the last lines of a process said. A line that does not speak of something leaves it. */
struct process {
	uint64_t pid;
	bool has_cpu;
	uint64_t cpu_ms;
	bool has_full_cpu;
	uint64_t full_cpu_ms;
	struct said_gc gc[GC_KINDS];
};

struct reader {
	struct process processes[PROCESSES_MAX];
	size_t n;
	uint64_t last_us, full_us;
	bool has_full;
};

static const char *const kind_names[GC_KINDS] = {
	[GC_0] = "0", [GC_1] = "1", [GC_2] = "2", [GC_MINOR] = "minor", [GC_STEP] = "step",
};

const char *gc_kind_name(enum gc_kind kind)
{
	return kind_names[kind];
}

/* What stands before the first such character, which is taken too; all when there is none. */
static struct text_span take_part(struct text_span *s, char end)
{
	struct text_span part;

	if (!text_take_until(s, end, &part)) {
		part = *s;
		*s = (struct text_span){ s->ptr + s->len, 0 };
	}
	return part;
}

/* "n,total_us,max_us" */
static bool parse_gc(struct text_span value, struct said_gc *ret)
{
	struct said_gc gc = { .is_there = true };

	if (!text_span_number(take_part(&value, ','), &gc.n) ||
	    !text_span_number(take_part(&value, ','), &gc.total_us) || !text_span_number(value, &gc.max_us))
		return false;
	*ret = gc;
	return true;
}

/* False when the word is one of ours with a value that is none. */
static bool parse_word(struct text_span word, struct process *p)
{
	struct text_span key = take_part(&word, '=');

	if (text_span_is(key, "cpu_ms"))
		return p->has_cpu = text_span_number(word, &p->cpu_ms);
	if (key.len < 3 || memcmp(key.ptr, "gc", 2) != 0)
		return true;
	key.ptr += 2;
	key.len -= 2;
	for (enum gc_kind i = 0; i < GC_KINDS; i++)
		if (text_span_is(key, kind_names[i]))
			return parse_gc(word, &p->gc[i]);
	return true;
}

static struct process *find_process(struct reader *r, uint64_t pid)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->processes[i].pid == pid)
			return &r->processes[i];
	if (r->n == PROCESSES_MAX)
		return NULL;
	r->processes[r->n] = (struct process){ .pid = pid };
	return &r->processes[r->n++];
}

static bool read_line(struct reader *r, struct text_span line)
{
	uint64_t t_us, pid;
	bool has_time = text_span_number(take_part(&line, ' '), &t_us) &&
			text_span_number(take_part(&line, ' '), &pid);
	struct text_span name = take_part(&line, ' ');
	struct process said = { 0 }, *process;

	if (!has_time || !name.len)
		return false;
	for (said.pid = pid; line.len;)
		if (!parse_word(take_part(&line, ' '), &said))
			return false;
	process = find_process(r, pid);
	if (!process)
		return false;
	if (said.has_cpu) {
		process->has_cpu = true;
		process->cpu_ms = said.cpu_ms;
	}
	for (size_t i = 0; i < GC_KINDS; i++)
		if (said.gc[i].is_there)
			process->gc[i] = said.gc[i];
	r->last_us = t_us;
	if (text_span_is(name, "full")) {
		r->has_full = true;
		r->full_us = t_us;
		process->has_full_cpu = said.has_cpu;
		process->full_cpu_ms = said.cpu_ms;
	}
	return true;
}

static double plus(double sum, double x)
{
	return isnan(sum) ? x : sum + x;
}

static void add_pauses(struct gc_pauses *sum, struct gc_pauses more)
{
	if (isnan(more.n))
		return;
	sum->n = plus(sum->n, more.n);
	sum->total_us = plus(sum->total_us, more.total_us);
	sum->max_us = fmax(sum->max_us, more.max_us);
}

static void add_process(struct checkpoints *c, const struct process *p)
{
	if (p->has_cpu)
		c->cpu_ms = plus(c->cpu_ms, (double)p->cpu_ms);
	if (p->has_full_cpu)
		c->full_cpu_ms = plus(c->full_cpu_ms, (double)p->full_cpu_ms);
	for (size_t i = 0; i < GC_KINDS; i++)
		if (p->gc[i].is_there)
			add_pauses(&c->gc[i],
				   (struct gc_pauses){ (double)p->gc[i].n, (double)p->gc[i].total_us,
						       (double)p->gc[i].max_us });
}

void checkpoints_read(const char *text, size_t len, struct checkpoints *ret)
{
	struct text_span rest = { text, len };
	struct reader r = { .n = 0 };

	*ret = (struct checkpoints){ .cpu_ms = NAN, .full_cpu_ms = NAN };
	for (size_t i = 0; i < GC_KINDS; i++)
		ret->gc[i] = (struct gc_pauses){ NAN, NAN, NAN };
	for (; rest.len; ret->lines++) {
		/* A last line without its end was cut, and may hold the first digits of a larger number. */
		bool is_whole = memchr(rest.ptr, '\n', rest.len) != NULL;
		struct text_span line = take_part(&rest, '\n');

		if (is_whole && !memchr(line.ptr, 0, line.len) && read_line(&r, line))
			ret->has_end = true;
		else
			ret->bad++;
	}
	ret->end_us = r.last_us;
	ret->has_full = r.has_full;
	ret->full_us = r.full_us;
	for (size_t i = 0; i < r.n; i++)
		add_process(ret, &r.processes[i]);
}

struct gc_pauses checkpoints_all_pauses(const struct gc_pauses gc[GC_KINDS])
{
	struct gc_pauses all = { NAN, NAN, NAN };

	for (size_t i = 0; i < GC_KINDS; i++)
		add_pauses(&all, gc[i]);
	return all;
}
