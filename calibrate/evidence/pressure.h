/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Was the host itself short of memory or CPU while a guest lived? A guest's time is the host's, so a guest
 * that is not run, or whose RAM is swapped, does less in it than it seems to.
 */

/** Texts of the kernel; NULL: it has no such file. */
struct pressure_texts {
	const char *psi_cpu, *psi_memory, *psi_io; /**< /proc/pressure/ */
	const char *vmstat, *meminfo, *loadavg;    /**< /proc/ */
};

/** A host at one moment. NAN is what the kernel does not tell. X(member): counters grow since boot. */
#define PRESSURE_COLUMNS(X)                                                                                  \
	X(t_us)           /* monotonic time */                                                               \
	X(cpus)           /* online */                                                                       \
	X(cpu_some_us)    /* time in which some task waited for a CPU */                                     \
	X(memory_some_us) /* in which some task waited for memory */                                         \
	X(memory_full_us) /* in which all did */                                                             \
	X(io_some_us)                                                                                        \
	X(io_full_us)                                                                                        \
	X(pswpin) /* pages */                                                                                \
	X(pswpout)                                                                                           \
	X(mem_total_kib)                                                                                     \
	X(mem_available_kib)                                                                                 \
	X(swap_total_kib)                                                                                    \
	X(swap_free_kib)                                                                                     \
	X(load_1min) /* tasks that run, want to, or wait for a disk: mean over the last minute */

struct pressure {
#define PRESSURE_MEMBER_(name) double name;
	PRESSURE_COLUMNS(PRESSURE_MEMBER_)
#undef PRESSURE_MEMBER_
};

/** Reads the texts; t_us and cpus are the caller's to set. */
struct pressure pressure_parse(const struct pressure_texts *texts);

/** What disturbed the host between two moments: a set of these bits. */
enum {
	PRESSURE_SWAPPED = 1, /**< it swapped, at least 1 MiB: less is a page or two of something idle */
	/**
	 * Some task waited for memory in at least a tenth of the time, or all did in a fiftieth, or less than
	 * 5 % of RAM was available at the end: from there on a kernel reclaims for each page it gives.
	 */
	PRESSURE_MEMORY = 2,
	/**
	 * More than four tasks for each CPU, and some waited in at least half of the time: a guest had a
	 * quarter of a CPU or less. Guests side by side, one on each CPU, with all that serves them, come to
	 * less than two. A starved guest is slow as a whole, and where it swaps hardly depends on how fast it
	 * is filled; but its agent's ticks come late, and so does the onset.
	 */
	PRESSURE_BUSY = 4,
};
unsigned pressure_judge(const struct pressure *begin, const struct pressure *end);
