/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_MEASURE_INTERNAL_H
#define SWAPCAL_MEASURE_INTERNAL_H

#include <signal.h>

#include "calibrate/evidence/views.h"
#include "guest/checkpoint-line.h"
#include "harness/measure/measure.h"
#include "harness/measure/procfs.h"
#include "harness/measure/proctree.h"

/* What measure*.c share. */

/** Values of one metric in the order of time. */
struct measure_series {
	size_t n;
	double max, sum, area; /* area: value times microseconds */
	int64_t first_us, last_us;
	double last;
};

/** Adds a value at a time that is not before the last one's. */
void measure_series_add(struct measure_series *s, int64_t t_us, double y);
struct measure_stat measure_series_stat(const struct measure_series *s, enum measure_kind kind);

/** When samples are due: often at first, so that short commands have some, and never so often that they cost
 * much. */
struct measure_pace {
	int64_t interval_us;
	int64_t start_us; /* of the command */
	int64_t last_us;  /* when the last sample began */
	int64_t spent_us; /* in all samples until now */
	int64_t cost_us;  /* of the last one */
};

/** When the next sample is due. */
int64_t measure_pace_next(const struct measure_pace *p);

/** Is there time for a sample that is not due? */
bool measure_pace_may(const struct measure_pace *p, int64_t now_us);

/** CPU time of processes, from what their stat files said at first and at last. */
struct measure_cpu {
	struct measure_cpu_process *processes;
	size_t n, cap;
};

/** is_first: what it has used by now is not to count. */
void measure_cpu_add(struct measure_cpu *cpu, const struct procfs_stat *st, bool is_first);
void measure_cpu_sum(const struct measure_cpu *cpu, double *ret_user_s, double *ret_system_s);
void measure_cpu_deinit(struct measure_cpu *cpu);

/** The files of a process that are its evidence, beside stat; named as in the guest. */
enum {
	PIECE_ROLLUP,
	PIECE_SMAPS,
	PIECE_STATUS,
	PIECE_STATM,
	PIECE_PAGEMAP,
	PIECES,
};
extern const char *const measure_piece_names[PIECES];

/** All evidence of one process. */
struct measure_process {
	struct procfs_stat stat;
	struct strbuf stat_text;
	struct strbuf pieces[PIECES];
	int errors[PIECES]; /**< errno, 0, or -1: not read */
};

void measure_process_deinit(struct measure_process *p);

enum measure_process_result {
	PROCESS_READ,
	PROCESS_NONE, /**< no memory of its own: a zombie, or a child that shares its parent's until exec */
	PROCESS_VANISHED, /**< it ended meanwhile */
};

/** Reads what the views want of a process. */
enum measure_process_result measure_process_read(pid_t pid, const struct views *views, bool has_pages,
						 struct measure_process *ret);

/** The kernel's high-water mark of its resident memory, 0 when unknown. */
uint64_t measure_process_peak_kib(const struct measure_process *p);

/** Takes samples and applies the metrics to them. */
struct sampler;

/** Reads the machine's baseline. */
struct sampler *sampler_create(const struct measure_metrics *metrics);
void sampler_destroy(struct sampler *s);
DEFINE_CLEANUP(cleanup_sampler, struct sampler *, sampler_destroy)

/** One sample of the processes; `first` is the one whose high-water mark counts. No process: no sample. */
struct err *sampler_take(struct sampler *s, const struct proctree *tree, pid_t first,
			 enum measure_kind kind) must_check;

/** How long all samples took, and the last one. */
void sampler_costs(const struct sampler *s, int64_t *ret_spent_us, int64_t *ret_last_us);

/** Applies the metrics to what is left and fills stats, samples, sample_ms and what was not readable. */
struct err *sampler_finish(struct sampler *s, struct measure_run *run) must_check;

/** CPU time of all processes sampled, since the first sample. */
void sampler_cpu(const struct sampler *s, double *ret_user_s, double *ret_system_s);

/** A command that was started, and what it says. */
struct child {
	pid_t pid;
	int checkpoint, resume, resume_theirs; /* the last one keeps a write from raising SIGPIPE */
	int exec;                              /* says errno when exec failed */
	int gate;                              /* closed: it may execute its program */
	bool is_traced;
	bool is_let_go; /* once it has started */
	bool has_started, has_ended;
	int wait_status;
	struct checkpoint_reader lines;
};

/** Starts a command, which waits for child_go(). mask: the signals it is to have blocked. */
struct err *child_start(const char *const *argv, const sigset_t *mask, struct child *ret) must_check;
void child_go(struct child *c);
void child_deinit(struct child *c);

enum child_event {
	CHILD_NOTHING, /* no more for now */
	CHILD_STARTED, /* its program is in memory; traced: it stands still until child_continue() */
	CHILD_EXITING, /* traced only: its memory is still there; it stands still until child_continue() */
	CHILD_ENDED,
};

/** Reaps what has ended, of the command's orphans too, and answers its stops. To be called until nothing. */
enum child_event child_next(struct child *c);
void child_continue(struct child *c);

/** Did exec work? To be called once `exec` is readable. Of a traced one only a stop tells that it has
 * started. */
struct err *child_check_exec(struct child *c, const char *name, enum child_event *ret) must_check;

/** Reads what the command said. True when it waits at a checkpoint: to be sampled and answered. */
bool child_read_checkpoint(struct child *c);
void child_resume(struct child *c);

#endif
