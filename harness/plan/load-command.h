/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>

#include "harness/image/image.h"
#include "harness/cell/cell.h"

/** Longest command of a load without its seed, and its environment; each with its NULL. */
#define LOAD_COMMAND_MAX 32
#define LOAD_ENV_MAX     16

/** A NULL-terminated command to start in the guest, with its environment; the strings belong to it. */
struct load_command {
	char *argv[LOAD_COMMAND_MAX];
	char *env[LOAD_ENV_MAX];
	bool is_in_image; /**< a program of the image, not of the initramfs */
	bool has_seed;    /**< it takes "--seed N" as its last words */
};

/** The command of a cell's load, which must be a known-answer load or a workload. */
struct load_command load_command_create(const struct cell *cell, const struct image *image);
void load_command_deinit(struct load_command *command);

/**
 * Why this image cannot run the cell's load, to be freed; NULL when it can, or when that is known in the
 * guest only: a command of the plan's own may be any program.
 */
char *load_command_missing(const struct cell *cell, const struct image *image);
