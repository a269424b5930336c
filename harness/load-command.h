/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_LOAD_COMMAND_H
#define SWAPCAL_LOAD_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/image.h"
#include "harness/record.h"

/** Longest command of a workload, with its NULL. */
#define LOAD_COMMAND_MAX 16

/** A NULL-terminated command to start in the guest; the strings belong to it. */
struct load_command {
	char *argv[LOAD_COMMAND_MAX];
	bool is_in_image; /**< a program of the image, not of the initramfs */
};

/**
 * Payload of one growth step of a workload. A step is a checkpoint, a round trip of about a millisecond: 1
 * MiB keeps that small beside the step itself and the steps small beside a guest.
 */
#define LOAD_STEP_KIB 1024

/**
 * The command of a cell's load; seed makes its content differ from probe to probe. An error when the image
 * lacks the interpreter.
 */
struct err *load_command_init(struct load_command *command, const struct cell *cell,
			      const struct image *image, uint64_t seed) must_check;
void load_command_deinit(struct load_command *command);

#endif
