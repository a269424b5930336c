/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_CAMPAIGN_INTERNAL_H
#define SWAPCAL_CAMPAIGN_INTERNAL_H

#include <pthread.h>

#include "harness/campaign/campaign.h"
#include "harness/cell/cell.h"
#include "harness/plan/load-command.h"

/*
 * Shared by campaign.c (what is asked, and in which order) and campaign-life.c (one guest's life, in a thread
 * of its own).
 */

/** How the threads of guests tell that one has ended. */
struct life_bell {
	pthread_mutex_t lock;
	pthread_cond_t rung; /**< by CLOCK_MONOTONIC */
};

/** What a guest is started for, what it runs, and what came of it. */
struct life {
	const struct campaign *campaign;
	unsigned slot;
	struct life_bell *bell;

	bool is_busy;  /**< between life_begin() and life_join() */
	size_t cell_i; /**< for the caller */
	const struct cell *cell;
	struct probe_spec spec;

	/* What spec borrows. */
	char *name, *cpus;
	struct load_command command;

	pthread_t thread;
	void *ops_ctx;
	bool has_ended; /**< guarded by the bell's lock */
	struct err *error;
	struct probe_record record; /**< valid without an error */
};

/**
 * Prepares the life of a guest that answers what state has next of a cell. number: of the guests of this run,
 * for its name. When it is known beforehand that it cannot answer, *ret_missing says why (to be freed), and
 * there is nothing to begin; else it is NULL.
 */
struct err *life_prepare(struct life *life, const struct cell *cell, const struct cell_state *state,
			 unsigned number, char **ret_missing) must_check;

/** Starts the guest in a thread. */
struct err *life_begin(struct life *life) must_check;

/** Has it ended? Then it is to be joined. */
bool life_has_ended(struct life *life);

/** Waits for the thread; life->error or life->record, which become the caller's, tell what came of it. */
void life_join(struct life *life);

/** Frees what a prepared life holds; never of one that is busy. */
void life_deinit(struct life *life);

#endif
