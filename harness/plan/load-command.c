/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/plan/load-command.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/image/interpreters.h"
#include "harness/cell/probe-course.h"
#include "harness/image/workloads.h"

static struct load_command known_command(const struct known_spec *spec)
{
	return (struct load_command){ .has_seed = true,
				      .argv = {
					      xstrdup("/known"),
					      xstrdup("--kind"),
					      xstrdup(known_kind_name(spec->kind)),
					      xstrdup("--kib"),
					      xasprintf("%" PRIu64, spec->kib),
					      xstrdup("--children"),
					      xasprintf("%u", spec->children),
					      xstrdup("--dirty-pct"),
					      xasprintf("%u", spec->dirty_pct),
					      xstrdup("--dir"),
					      xstrdup(PROTO_SCRATCH_DIR),
				      } };
}

/* More words than fit are dropped: only a file of someone else's making has so many. */
static void push(struct load_command *c, char *word)
{
	size_t n = 0;

	while (c->argv[n])
		n++;
	if (n + 1 < LOAD_COMMAND_MAX)
		c->argv[n] = word;
	else
		free(word);
}

static void push_number(struct load_command *c, const char *option, unsigned value)
{
	push(c, xstrdup(option));
	push(c, xasprintf("%u", value));
}

/** The interpreter's command: by path where the image knows it, else as PATH in the guest finds it. */
static void push_interpreter(struct load_command *c, const struct cell *cell, const struct image *image)
{
	size_t i;
	json_t *word;

	json_array_foreach(cell->command, i, word)
	{
		const char *text = json_string_value(word);
		const char *path = i == 0 ? image_interpreter_path(image, text) : NULL;

		push(c, xstrdup(path ? path : text));
	}
}

static void set_env(struct load_command *c, const struct cell *cell)
{
	size_t i;
	json_t *variable;

	json_array_foreach(cell->env, i, variable)
	{
		if (i + 1 < LOAD_ENV_MAX)
			c->env[i] = xstrdup(json_string_value(variable));
	}
}

/** Workloads of the plan's own find the module that those of swapcal have beside them. */
static void set_module_path(struct load_command *c)
{
	size_t n = 0;

	for (; c->env[n]; n++)
		if (strncmp(c->env[n], "PYTHONPATH=", strlen("PYTHONPATH=")) == 0)
			return;
	if (n + 1 < LOAD_ENV_MAX)
		c->env[n] = xstrdup("PYTHONPATH=" WORKLOADS_GUEST_DIR);
}

/** Does the workload itself make all of its processes? */
static bool is_family(const struct cell *cell)
{
	return cell_is_forked(cell) && !cell_is(cell, METHOD_POPULATION);
}

static void push_arguments(struct load_command *c, const struct cell *cell)
{
	push(c, xstrdup("--mode"));
	push(c, xstrdup(cell_is(cell, METHOD_GROWTH) ? "grow" : "hold"));
	push_number(c, "--size-kib", cell->size_kib);
	push_number(c, "--step-kib", PROBE_STEP_KIB);
	/* A population begins with one, and is told when to fork. */
	push_number(c, "--processes", is_family(cell) ? cell->processes : 1);
	c->has_seed = true;
}

struct load_command load_command_create(const struct cell *cell, const struct image *image)
{
	struct load_command command = { .is_in_image = true };
	struct known_spec known;

	if (cell_known(cell, &known))
		return known_command(&known);

	push_interpreter(&command, cell, image);
	push(&command, xstrdup(cell->file));
	/* A program that knows nothing of checkpoints knows nothing of our options either. */
	if (cell->checkpoints)
		push_arguments(&command, cell);
	set_env(&command, cell);
	if (strncmp(cell->file, PROTO_USER_DIR "/", strlen(PROTO_USER_DIR "/")) == 0)
		set_module_path(&command);
	return command;
}

void load_command_deinit(struct load_command *command)
{
	for (char **a = command->argv; *a; a++)
		free(*a);
	for (char **v = command->env; *v; v++)
		free(*v);
}

/** Does the interpreter come with swapcal? Then an image that lacks its program is known to lack it. */
static bool is_shipped(const char *name)
{
	struct interpreters list = { 0 };
	struct err *e = interpreters_load(&list);
	bool found = !e && interpreters_find(&list, name);

	err_free(e);
	interpreters_deinit(&list);
	return found;
}

char *load_command_missing(const struct cell *cell, const struct image *image)
{
	const char *name = cell->interpreter;
	const char *program = json_string_value(json_array_get(cell->command, 0));

	if (!program || image_interpreter_path(image, program) || !is_shipped(name))
		return NULL;
	return xasprintf("image '%s' has no '%s', which interpreter '%s' is", cell->image, program, name);
}
