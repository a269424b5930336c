/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/cell/method.h"
#include "harness/probe/probe-internal.h"

/*
 * Checkpoints: the processes of a load work in step. One that has come to a checkpoint waits; when all that
 * were started wait, the barrier is complete: they are measured there, or go on.
 */

/*
 * The log of checkpoints. When it is full its older half goes: what counts is the last line of each process,
 * and when it was complete. More such lines than there are processes are a program's that means nothing by
 * it.
 */
#define LOG_BYTES_MAX  131072
#define LOG_FULLS_KEPT PLAN_PROCESSES_MAX

/** Is a line of the log, "TIME PID NAME ...", of a process that was complete? */
static bool is_full(const char *line)
{
	const char *name = strchr(strchr(line, ' ') + 1, ' ') + 1;

	return strcspn(name, " \n") == strlen("full") && strncmp(name, "full", strlen("full")) == 0;
}

static void shorten(struct strbuf *log)
{
	const char *line = strbuf_str(log), *rest = strchr(line + log->len / 2, '\n') + 1;
	struct strbuf newer = STRBUF_INIT;

	for (unsigned fulls = 0; line < rest && fulls < LOG_FULLS_KEPT;) {
		const char *end = strchr(line, '\n') + 1;

		if (is_full(line)) {
			strbuf_add(&newer, line, (size_t)(end - line));
			fulls++;
		}
		line = end;
	}
	strbuf_adds(&newer, rest);
	strbuf_deinit(log);
	*log = newer;
}

static void log_checkpoint(struct probe *p, const struct probe_process *process, const char *line)
{
	struct strbuf *log = &p->checkpoints;

	if (log->len > LOG_BYTES_MAX)
		shorten(log);
	strbuf_addf(log, "%" PRIu64 " %" JSON_INTEGER_FORMAT " %s\n", probe_last_sample_us(p), process->pid,
		    line);
}

static bool is_name(const char *s, size_t len)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	return len > 0 && len < CHECKPOINT_NAME_MAX && strspn(s, chars) >= len;
}

bool probe_all_wait(const struct probe *p, const char *name)
{
	for (size_t i = 0; i < p->loads_n; i++)
		if (!p->loads[i].is_waiting || (name && strcmp(p->loads[i].checkpoint, name) != 0))
			return false;
	return p->loads_n > 0;
}

bool probe_answer(struct probe *p, const char *answer, const char *except)
{
	for (size_t i = 0; i < p->loads_n; i++) {
		struct probe_process *process = &p->loads[i];

		if (!process->is_waiting || (except && strcmp(process->checkpoint, except) == 0))
			continue;
		process->is_waiting = false;
		/* Not waited for: the reply of one that ended meanwhile says so, and its exit tells more. */
		if (!probe_send(p, json_pack("{s:s, s:I, s:s}", "type", "resume", "pid", process->pid, "line",
					     answer)))
			return false;
	}
	return true;
}

bool probe_at_checkpoint(struct probe *p, struct probe_process *process, const char *line)
{
	size_t len = strcspn(line, " ");

	if (!is_name(line, len))
		return probe_end(
			p, OUTCOME_INVALID,
			"the load's checkpoint '%s' has no name of lower-case letters, digits and '-', "
			"shorter than %d",
			line, CHECKPOINT_NAME_MAX);
	if (process->is_waiting)
		return probe_end(p, OUTCOME_INVALID,
				 "the load came to checkpoint '%s' without waiting for an answer at '%s'",
				 line, process->checkpoint);
	memcpy(process->checkpoint, line, len);
	process->checkpoint[len] = '\0';
	process->is_waiting = true;
	log_checkpoint(p, process, line);
	if (!p->has_free_run || !probe_all_wait(p, NULL))
		return true;
	p->rounds++;
	return probe_answer(p, "go", NULL);
}

void probe_add_checkpoints(struct probe *p)
{
	struct snapshot *s = &p->rec->snapshots[p->rec->snapshots_count - 1];
	struct evidence *f;

	if (!p->checkpoints.len)
		return;
	f = array_push(s->files, s->files_count, s->files_cap);
	f->name = xstrdup("checkpoints");
	f->len = p->checkpoints.len;
	f->data = xmemdup0(p->checkpoints.data, f->len);
}
