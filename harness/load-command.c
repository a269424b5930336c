/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/load-command.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/campaign.h"
#include "harness/image-query.h"

static struct load_command known_command(const struct known_spec *spec, uint64_t seed)
{
	return (struct load_command){ .argv = {
					      xstrdup("/known"),
					      xstrdup("--kind"),
					      xstrdup(known_kind_name(spec->kind)),
					      xstrdup("--kib"),
					      xasprintf("%" PRIu64, spec->kib),
					      xstrdup("--children"),
					      xasprintf("%u", spec->children),
					      xstrdup("--dirty-pct"),
					      xasprintf("%u", spec->dirty_pct),
					      xstrdup("--seed"),
					      xasprintf("%" PRIu64, seed),
					      xstrdup("--dir"),
					      xstrdup(PROTO_SCRATCH_DIR),
				      } };
}

struct err *load_command_init(struct load_command *command, const struct cell *cell,
			      const struct image *image, uint64_t seed)
{
	const char *name = cell_str(cell, "interpreter");
	struct known_spec known;

	if (cell_known(cell, &known)) {
		*command = known_command(&known, seed);
		return NULL;
	}

	const char *path = image_interpreter_path(image, name);

	if (!path)
		return err_new("image '%s' has no interpreter '%s'", cell_str(cell, "image"), name);
	*command = (struct load_command){ .is_in_image = true,
					  .argv = {
						  xstrdup(path),
						  xasprintf("/usr/share/swapcal/workloads/%s.py",
							    cell_str(cell, "workload")),
						  xstrdup("--step-kib"),
						  xasprintf("%u", cell_uint(cell, "step_kib")),
						  xstrdup("--seed"),
						  xasprintf("%" PRIu64, seed),
					  } };
	return NULL;
}

void load_command_deinit(struct load_command *command)
{
	for (char **a = command->argv; *a; a++)
		free(*a);
}
