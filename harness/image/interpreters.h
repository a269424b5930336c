/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>

#include "harness/base/err.h"
#include "harness/base/yaml.h"

/*
 * Interpreters as data: how a workload is started. Those that come with swapcal stand in
 * guest/interpreters.yaml; a plan may add its own. A name is the interpreter with its settings: one program
 * under two garbage collector settings is two interpreters.
 */

/** Words of a command, and variables of an environment, at most. */
#define INTERPRETER_WORDS_MAX 8
#define INTERPRETER_ENV_MAX   8

/** The name that stands for none: the workload is a program by itself. */
#define INTERPRETER_NONE "none"

struct interpreter {
	const char *name;
	const char *command[INTERPRETER_WORDS_MAX + 1]; /**< NULL-terminated; empty for INTERPRETER_NONE */
	const char *extension;                          /**< of its scripts; "" for INTERPRETER_NONE */
	char *env[INTERPRETER_ENV_MAX + 1];             /**< "NAME=value", NULL-terminated */
};

/** Strings but env are borrowed from the file they were read from. */
struct interpreters {
	struct yaml_file *shipped; /**< what the strings of the first of them are from */
	struct interpreter *v;
	size_t n, cap;
};

/** Those that come with swapcal. */
struct err *interpreters_load(struct interpreters *ret) must_check;

/**
 * Adds the interpreters of a mapping NAME: {command, extension, env, about}. One of a name that is there
 * already is an error at its line, like all that is wrong.
 */
struct err *interpreters_add(struct interpreters *list, struct yaml_node mapping) must_check;

/** The interpreter of that name, or NULL. */
const struct interpreter *interpreters_find(const struct interpreters *list, const char *name);

/** All names, comma separated, to be freed. */
char *interpreters_names(const struct interpreters *list);

void interpreters_deinit(struct interpreters *list);
