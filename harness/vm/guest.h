/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "calibrate/evidence/pressure.h"
#include "harness/base/err.h"

/*
 * The seam between a probe and its guest. The real guest is a libvirt domain with the agent behind a
 * virtio-serial port (guest-vm.c); the simulated one (tests/sim/guest-sim.c) answers the same messages in no
 * time, with a known threshold.
 */

/** How a guest is made. Strings are borrowed for the time of the call. */
struct guest_config {
	const char *name;  /**< unique on the host: swapcal-<campaign>-<process>-<probe> */
	const char *accel; /**< "kvm" or "tcg" */
	bool icount;       /**< instruction-counted clock, nothing random: TCG only */
	unsigned ram_mib;
	unsigned swap_mib;
	unsigned scratch_mib; /**< room on a writable file system at PROTO_SCRATCH_DIR; 0: there is none */
	unsigned vcpus;
	const char *cpus; /**< the host's CPUs it may run on, as in "0,2"; NULL: any */
	uint64_t seed;
	/**
	 * NULL: the guest boots. Else it goes on from a boot that was saved, the same for all guests of this
	 * configuration with this owner and number; 32 hex digits.
	 */
	const char *state_owner;
	unsigned state_number;
};

/**
 * So long may a guest take to its agent's hello, and others so many times longer that are emulated: several
 * times what it takes on a busy 2-core machine, so that only a guest that hangs takes longer.
 */
#define GUEST_BOOT_MS   20000
#define GUEST_SCALE_TCG 4

/** A message from or to the agent (see guest/proto.h). */
struct guest_msg {
	json_t *json;
	char *payload;
	size_t payload_len;
};

void guest_msg_destroy(struct guest_msg *m);

enum guest_state {
	GUEST_RUNNING,
	GUEST_PAUSED,     /**< by the hypervisor */
	GUEST_DISK_ERROR, /**< by the hypervisor, since a disk of the guest's cannot be read or written */
	GUEST_STOPPED,    /**< the hypervisor's process is stopped itself, as by SIGSTOP */
	GUEST_PANICKED,   /**< the guest kernel said so */
	GUEST_GONE,       /**< powered off, or the QEMU process ended */
};

struct guest;

struct guest_ops {
	/** Starts a guest and returns at once; its hello arrives later. */
	struct err *(*start)(void *ctx, const struct guest_config *config, struct guest **ret);
	/** Sends one message; json is borrowed. */
	struct err *(*send)(struct guest *g, json_t *json);
	/** The next message, or NULL after timeout_ms. An error means that the line is dead. */
	struct err *(*recv)(struct guest *g, int timeout_ms, struct guest_msg **ret);
	/** What the hypervisor says about the guest. */
	enum guest_state (*state)(struct guest *g);
	/** Bytes written to the swap disk so far, as the hypervisor counts them. */
	struct err *(*swap_written)(struct guest *g, uint64_t *ret_bytes);
	/** The last part of what the guest's console printed, to be freed by the caller. Never NULL. */
	char *(*console)(struct guest *g);
	/** The command line of the hypervisor process, to be freed; "" when there is none. */
	char *(*command_line)(struct guest *g);
	/** The last part of what the hypervisor process wrote to its log, to be freed. Never NULL. */
	char *(*log)(struct guest *g);
	/** How that process ended, or that it runs; a few words, to be freed. Never NULL. */
	char *(*ending)(struct guest *g);
	/** How the host is just now. */
	void (*pressure)(void *ctx, struct pressure *ret);
	/** Milliseconds on the clock that timeout_ms runs on; g may be NULL. */
	int64_t (*now_ms)(struct guest *g);
	/** Ends the guest at once, waits until it is gone, frees g. */
	void (*stop)(struct guest *g);
};
