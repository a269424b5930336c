/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "harness/base/err.h"

/*
 * A process's private directory for its guests: slot N of a base directory, held with a lock for as long as
 * the process lives. The next process to take the slot finds libvirt's capability cache in it.
 *
 *     BASE/          mode 0711, owned by the effective user, no symlink
 *     BASE/N.lock    flock()ed by the process that has slot N
 *     BASE/N/        root of the embedded libvirt driver
 *     BASE/N/files/  scratch files of this process, emptied when the slot is taken
 *     BASE/N/staged/ links or copies of files of the user (stage.h), kept while those are there
 */

struct workdir {
	int lock_fd;
	char *root, *files, *staged; /**< BASE/N and what is below it */
};

/**
 * Takes the first free slot of base (NULL: /var/tmp/swapcal-EUID). Ends the guests that dead processes left
 * in any free slot, and says so with log_note(). Fails when base belongs to someone else, or when its path
 * is too long for sockets below it.
 */
struct err *workdir_open(const char *base, struct workdir **ret) must_check;

/** Empties the scratch directory and gives the slot up. NULL is allowed. */
void workdir_close(struct workdir *w);

/** Empties the scratch directory. */
void workdir_empty(struct workdir *w);
