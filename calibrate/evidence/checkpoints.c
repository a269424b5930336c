/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/evidence/checkpoints.h"

#include <math.h>
#include <string.h>

#include "calibrate/evidence/text.h"

/* No plan can ask for more processes. */
#define PROCESSES_MAX 256

/* What a process last said of each thing; NAN where it said nothing. */
struct process {
	uint64_t pid;
	double cpu_ms, full_cpu_ms;
	struct gc_pauses gc[GC_KINDS];
};

#define NO_PAUSES                                                                                            \
	{                                                                                                    \
		[0 ... GC_KINDS - 1] = { NAN, NAN, NAN }                                                     \
	}

static const struct process nothing = { .cpu_ms = NAN, .full_cpu_ms = NAN, .gc = NO_PAUSES };

struct reader {
	struct process processes[PROCESSES_MAX];
	size_t n;
	struct checkpoints *c; /* what the lines together say */
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

static bool parse_number(struct text_span s, double *ret)
{
	uint64_t n = 0;
	bool is_number = text_span_number(s, &n);

	*ret = (double)n;
	return is_number;
}

/* "n,total_us,max_us" */
static bool parse_gc(struct text_span value, struct gc_pauses *ret)
{
	return parse_number(take_part(&value, ','), &ret->n) &&
	       parse_number(take_part(&value, ','), &ret->total_us) && parse_number(value, &ret->max_us);
}

/* False when the key is one of ours and the value is not valid. */
static bool parse_word(struct text_span word, struct process *p)
{
	struct text_span key = take_part(&word, '=');

	if (text_span_is(key, "cpu_ms"))
		return parse_number(word, &p->cpu_ms);
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
	r->processes[r->n] = nothing;
	r->processes[r->n].pid = pid;
	return &r->processes[r->n++];
}

static bool read_line(struct reader *r, struct text_span line)
{
	uint64_t t_us, pid;
	bool has_time = text_span_number(take_part(&line, ' '), &t_us) &&
			text_span_number(take_part(&line, ' '), &pid);
	struct text_span name = take_part(&line, ' ');
	struct process said = nothing, *process;

	if (!has_time || !name.len)
		return false;
	while (line.len)
		if (!parse_word(take_part(&line, ' '), &said))
			return false;
	process = find_process(r, pid);
	if (!process)
		return false;
	if (!isnan(said.cpu_ms))
		process->cpu_ms = said.cpu_ms;
	for (size_t i = 0; i < GC_KINDS; i++)
		if (!isnan(said.gc[i].n))
			process->gc[i] = said.gc[i];
	r->c->has_end = true;
	r->c->end_us = t_us;
	if (text_span_is(name, "full")) {
		r->c->has_full = true;
		r->c->full_us = t_us;
		process->full_cpu_ms = said.cpu_ms;
	}
	return true;
}

/* What is not known adds nothing. */
static double plus(double sum, double x)
{
	return isnan(sum) ? x : isnan(x) ? sum : sum + x;
}

static void add_pauses(struct gc_pauses *sum, struct gc_pauses more)
{
	sum->n = plus(sum->n, more.n);
	sum->total_us = plus(sum->total_us, more.total_us);
	sum->max_us = fmax(sum->max_us, more.max_us);
}

void checkpoints_read(const char *text, size_t len, struct checkpoints *ret)
{
	struct text_span rest = { text, len };
	struct reader r = { .c = ret };

	*ret = (struct checkpoints){ .cpu_ms = NAN, .full_cpu_ms = NAN, .gc = NO_PAUSES };
	for (; rest.len; ret->lines++) {
		/* A last line without its end was cut, and may hold the first digits of a larger number. */
		bool is_whole = memchr(rest.ptr, '\n', rest.len) != NULL;
		struct text_span line = take_part(&rest, '\n');

		ret->bad += !is_whole || memchr(line.ptr, 0, line.len) || !read_line(&r, line);
	}
	for (size_t i = 0; i < r.n; i++) {
		ret->cpu_ms = plus(ret->cpu_ms, r.processes[i].cpu_ms);
		ret->full_cpu_ms = plus(ret->full_cpu_ms, r.processes[i].full_cpu_ms);
		for (size_t k = 0; k < GC_KINDS; k++)
			add_pauses(&ret->gc[k], r.processes[i].gc[k]);
	}
}

struct gc_pauses checkpoints_all_pauses(const struct gc_pauses gc[GC_KINDS])
{
	struct gc_pauses all = { NAN, NAN, NAN };

	for (size_t i = 0; i < GC_KINDS; i++)
		add_pauses(&all, gc[i]);
	return all;
}
