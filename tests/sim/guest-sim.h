/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "harness/vm/guest.h"

/*
 * A guest that exists in arithmetic only: it speaks the agent's side of guest/proto.h in virtual time, and
 * swaps when its load holds more than a known threshold. No threads, no real time; all chance comes from the
 * seed, so the same calls give the same guest. It cannot show what only a kernel does: stalls, late reclaim,
 * a threshold that depends on how fast the load grows.
 */
struct guest_sim_params {
	uint64_t threshold_kib; /**< a load that holds more makes the guest swap */
	uint64_t
		threshold_per_mib; /**< and so many KiB more for each MiB of RAM above 256; 0: whatever RAM */
	uint64_t noise_sd_kib;     /**< of the threshold, from life to life (logistic) */
	uint64_t seed; /**< of all chance, together with guest_config.seed and the number of the life */
	uint64_t mem_total_kib;
	uint64_t mem_available_kib; /**< before a load */

	/* A load that is no ballast: grows by steps, each ended by a checkpoint it waits at. */
	uint64_t workload_base_kib;
	uint64_t workload_step_kib;
	uint64_t workload_rate_kib_s;
	uint64_t workload_max_kib; /**< it exits with status 0 at this size; 0: never */

	/* A load of fixed size (/known, or --mode hold), which has all its memory at once. */
	uint64_t fixed_kib;    /**< what each process takes of the threshold, whatever its arguments say */
	bool never_full;       /**< it never says that it is */
	uint64_t round_us;     /**< so long do a round of its work and its building take; 0: half a second */
	unsigned cycle_rounds; /**< it tells of a collection after each so many of them; 0: of none */
	uint64_t garbage_kib;  /**< what each process holds in the second half of such a cycle beside its data
				*/
	const char *round;     /**< its line after a round; NULL: a short one */
	const char *first_checkpoint; /**< it comes to that before it is full; NULL: to none */
	bool garbage;                 /**< it writes what is not a checkpoint */
	bool kills_itself;            /**< by SIGKILL */
	bool forks;                   /**< without end, until the kernel refuses it */

	/* Faults. */
	unsigned wrong_answer_pct;   /**< so many lives of a hundred give the opposite answer */
	unsigned lose_samples;       /**< every n-th "samples" message gets lost; 0: none */
	uint64_t bad_pages;          /**< what the ballast finds when it verifies */
	const char *hello_error;     /**< the agent finds its guest unfit; NULL: fit */
	const char *start_error;     /**< a load cannot be started; NULL: it can */
	bool boot_fail;              /**< no hello ever */
	bool panic_at_start;         /**< the kernel panics when the load starts */
	enum guest_state load_state; /**< what becomes of the guest when the load starts, and no word more; 0:
					it runs */
	enum guest_state boot_state; /**< the same when it is created */
	const char *qemu_said;       /**< lines of its log; NULL: none */
	const char *qemu_ending;     /**< how it ended; NULL: orderly */
	bool is_debugged;            /**< it stands still for a moment whenever somebody looks, and goes on */
	bool silent;                 /**< nothing is heard after the load started */
	bool corrupt;                /**< the line breaks after the load started */
	bool exit_at_once;           /**< the load ends with status 1 and a word on why */
	bool not_applicable;         /**< the load finds that this guest cannot have it */
	uint64_t fixed_ends_kib;     /**< the fixed load ends when the ballast beside it holds so much; 0: it
					stays */
	bool oom;               /**< beyond the threshold the kernel kills the load, and nothing is swapped */
	bool late_oom;          /**< the kernel kills the frozen load after the last sample */
	const char *swaps_at;   /**< it begins to swap while the snapshot of that name is taken */
	bool mute_onset;        /**< the agent neither tells of an onset nor freezes the load */
	bool mute_swap_disk;    /**< the hypervisor counts no writes to the swap disk */
	bool touch_behind;      /**< the ballast touches a quarter of what it should */
	bool no_zram;           /**< it cannot have zram */
	bool zram_writes_disk;  /**< swapping to zram shows on the swap disk all the same */
	unsigned cpus;          /**< the guest has so many whatever was asked for; 0: as asked */
	const char *stuck_file; /**< a file whose path has this says 1 whatever is written to it */

	/** The host at the begin and end of each life, in turn; NULL: nothing is known of it. */
	const struct pressure *host;
	unsigned host_asked;     /**< how often so far */
	bool is_load_frozen;     /**< how it was left; set here */
	unsigned drops, forgets; /**< how often page cache was dropped, used pages forgotten; set here */
	uint64_t aged_kib;       /**< what loads and ballast held when all pages were made old; set here */
	unsigned lives;          /**< guests started so far; counted here by start() */
};

/** A guest with 256 MiB that swaps at 188 MiB, as measured ones do, a workload that grows by 1 MiB, a load of
 * 48 MiB. */
#define GUEST_SIM_PARAMS_INIT                                                                                \
	{                                                                                                    \
		.threshold_kib = 188 * 1024, .seed = 1, .mem_total_kib = 223596,                             \
		.mem_available_kib = 199724, .workload_base_kib = 8192, .workload_step_kib = 1024,           \
		.workload_rate_kib_s = 40960, .fixed_kib = 48 * 1024,                                        \
	}

/** ctx of start() is a struct guest_sim_params that outlives the guest; now_ms(NULL) is the virtual time. */
extern const struct guest_ops guest_sim_ops;
