/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <signal.h>

#include "guest/checkpoint-line.h"
#include "harness/base/err.h"

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

/** Did exec work? To be called once `exec` is readable. Only a stop tells that a traced command has
 * started. */
struct err *child_check_exec(struct child *c, const char *name, enum child_event *ret) must_check;

/** Reads what the command said. True when it waits at a checkpoint: to be sampled and answered. */
bool child_read_checkpoint(struct child *c);
void child_resume(struct child *c);
