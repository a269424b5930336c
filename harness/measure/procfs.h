/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "harness/base/strbuf.h"

/*
 * Reading of this machine's /proc, while the processes it tells of live on: each may end, or become another
 * program, between two reads. `proc` is the directory, "/proc" but in tests.
 */

/**
 * Appends a file of a process, or with pid 0 of the machine, to sb. 0, or the errno value of what failed;
 * then sb may have a part of the file.
 */
int procfs_read(const char *proc, pid_t pid, const char *name, struct strbuf *sb);

/** What /proc/PID/stat says, as far as it is needed. */
struct procfs_stat {
	pid_t pid, ppid;
	char state; /**< 'R', 'S', 'Z', ... */
	uint64_t utime_ticks, stime_ticks;
	uint64_t start_ticks;   /**< since boot: with pid it names one process for ever */
	uint64_t vsize_bytes;   /**< 0 once the process has no memory any more */
	uint64_t stack_address; /**< another one after an exec, where addresses are random */
};

/** Reads the text of a stat file, of which the name in the second field may hold anything. False for a bad
 * one. */
bool procfs_parse_stat(const char *text, size_t len, struct procfs_stat *ret);

/** stat of a process; false when there is none (any more). */
bool procfs_stat(const char *proc, pid_t pid, struct procfs_stat *ret);

/** Has the process memory of its own? Not so a zombie. */
bool procfs_has_memory(const struct procfs_stat *st);

/** Is b the same program in the same process as a? */
bool procfs_is_same(const struct procfs_stat *a, const struct procfs_stat *b);

/** Do two processes share one address space, as after vfork()? False when the kernel does not tell. */
bool procfs_shares_memory(pid_t a, pid_t b);

/** Why page frames cannot be read by this process; NULL when they can. */
const char *procfs_pages_missing(const char *proc);

/**
 * Appends the pages of a process to sb as rows of struct proto_page_run (guest/proto.h). smaps is the text of
 * its smaps file: only mappings that have pages in RAM or in swap there are looked at, since others can be
 * far larger than all memory. 0 or an errno value; E2BIG when those mappings together are larger than 256
 * GiB.
 */
int procfs_pagemap(const char *proc, pid_t pid, const char *smaps, size_t smaps_len, struct strbuf *sb);

/** Processes by their ids, parents before their children. */
struct proctree {
	pid_t *pids;
	size_t n, cap;
};

void proctree_deinit(struct proctree *t);
#define cleanup_proctree cleanup(proctree_deinit)

/**
 * Finds what descends from root, and root itself when with_root: children, their children, and so on, zombies
 * too. A process whose parent ended has another parent now; it is found when that one is in the tree. Leaves
 * out the process `without` and what descends from it. A process that is forked or ends meanwhile may be in
 * it or not.
 *
 * proc is "/proc" but in tests. Kernels that list the children of each thread are asked for these; else all
 * processes of the machine are looked at.
 */
void proctree_find(const char *proc, pid_t root, bool with_root, pid_t without, struct proctree *ret);
