/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/proto.h"

/*
 * What is known about probes: plain data that the probe makes, the store keeps and the report reads.
 */

/** How a probe ended. A closed list: reports and exit codes depend on it. */
enum outcome {
	OUTCOME_ONSET,
	OUTCOME_NO_ONSET,
	OUTCOME_OOM,
	OUTCOME_TIMEOUT,
	OUTCOME_BOOT_FAIL,
	OUTCOME_AGENT_LOST,
	OUTCOME_INVALID,
	OUTCOME_NOT_APPLICABLE,
};

/** "onset", "no-onset", ... */
const char *outcome_name(enum outcome outcome);

/** The outcome of that name; false when there is none. */
bool outcome_parse(const char *name, enum outcome *ret);

/** Did the probe answer its question (onset or no-onset)? Only such probes count for Z* and Y. */
bool outcome_is_answer(enum outcome outcome);

/** What a probe does with its guest. */
enum probe_kind {
	PROBE_RAMP,   /**< ballast grows at a fixed rate until onset */
	PROBE_FIXED,  /**< ballast grows to z_kib, stays, the guest settles */
	PROBE_GROWTH, /**< the workload grows until onset */
	/** a load of fixed size is measured, stays, and a ballast grows beside it until onset */
	PROBE_DISPLACEMENT,
	PROBE_POPULATION, /**< processes of fixed size are added until onset */
	PROBE_RAM,        /**< a load of fixed size in a guest of z_kib RAM: does it swap? */
};

/** Number of kinds, for arrays. */
#define PROBE_KIND_COUNT (PROBE_RAM + 1)

const char *probe_kind_name(enum probe_kind kind);
bool probe_kind_parse(const char *name, enum probe_kind *ret);

/** One piece of raw evidence: a kernel text of a process, or of the guest (pid 0). */
struct evidence {
	unsigned pid;
	char *name; /**< "smaps", "meminfo", ... */
	char *data;
	size_t len;
	char *error; /**< why it could not be read; NULL when it could */
};

struct snapshot {
	/**
	 * "baseline" (before the load), "load" (at its fixed size), "onset", "end"; while a load is built,
	 * the name of its checkpoint, such as "build-4"; in a population "count-N" with N processes at their
	 * size. Of the host: "host", and "post-mortem" of a probe without an answer
	 */
	char *name;
	struct evidence *files;
	size_t files_count, files_cap;
};

/** The phases of a probe, for deadlines and for where the time goes. */
enum probe_phase {
	PHASE_START,   /**< define and create the domain */
	PHASE_BOOT,    /**< until the agent's hello */
	PHASE_PREPARE, /**< knobs, swap on, baseline */
	PHASE_LOAD,    /**< until onset, or until the load is complete */
	PHASE_SETTLE,
	PHASE_EVIDENCE, /**< snapshot and verification */
	PHASE_TEARDOWN,
	PHASE_COUNT,
};

const char *probe_phase_name(enum probe_phase phase);

struct probe_record {
	int64_t id; /**< set by the store */
	char cell_key[65];
	unsigned replicate; /**< from 0 */
	unsigned seq;       /**< order within the replicate, from 0 */
	enum probe_kind kind;
	uint64_t z_kib; /**< what was asked: ballast of a fixed probe, the guest's RAM of a ram probe; else 0
			 */
	uint64_t seed;

	enum outcome outcome;
	char *reason; /**< one sentence for a person; "" for a plain answer */
	char *flags;  /**< comma separated names of doubts, "" when none */

	double started_s; /**< Unix time */
	int64_t phase_ms[PHASE_COUNT];

	uint64_t mem_total_kib, mem_available0_kib; /**< just before the load */
	uint64_t load_pages; /**< held by the ballast at the end; of a ram probe charged to the load's cgroup
			      */
	int64_t onset_t_us;  /**< guest time from the first sample; -1 without onset */
	uint64_t onset_swapped_pages;
	uint64_t swap_written_bytes; /**< by the hypervisor's count */
	uint64_t freeze_us;
	uint64_t agent_rss_kib, sample_cpu_us_mean, sample_cpu_us_max;
	uint64_t ballast_rss_kib; /**< what a full ballast holds in RAM and swap beside Z; 0 when it was not
				     full */
	uint64_t ballast_pte_kib; /**< its page tables */

	char *console;      /**< last part of the guest's console */
	char *output;       /**< what the load printed */
	char *command_line; /**< of QEMU */

	struct proto_sample *samples;
	size_t samples_count, samples_cap;
	struct snapshot *snapshots;
	size_t snapshots_count, snapshots_cap;
};

void probe_record_deinit(struct probe_record *r);

/*
 * Names of doubts about a probe or a value, in one text with commas between them; "" when there are none.
 */

/** Is that name among the flags? */
bool flags_have(const char *flags, const char *name);

/** Puts names, which are flags too, into *flags (owned), each once. */
void flags_add(char **flags, const char *names);

/** How long a probe took, all its phases; 0 when no guest was needed. */
int64_t probe_time_ms(const struct probe_record *r);

struct cell;

/**
 * Seconds that a probe of the cell may take where none has been measured: as on the machine the project was
 * measured on (2 cores, TCG).
 */
double probe_time_typical_s(const struct cell *cell);

/** "2 min 05 s", to be freed. */
char *probe_time_format(double seconds);
