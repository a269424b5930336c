/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "harness/probe/probe.h"

/** A probe of a simulated guest as campaigns make them; z_mib is 0 for growth. */
static inline struct probe_spec make_spec(enum probe_kind kind, uint64_t z_mib)
{
	static const char *const workload[] = { "/usr/bin/python3", "strings.py", NULL };
	static const char *const hold[] = { "/usr/bin/python3", "strings.py", "--mode", "hold", NULL };
	static const char *const known[] = { "/known", "--kind", "private-dirty", "--kib", "49152", NULL };

	return (struct probe_spec){
		.cell_key = "0",
		.kind = kind,
		.z_kib = z_mib * 1024,
		.guest = { .name = "swapcal-sim",
			   .accel = "tcg",
			   .ram_mib = 256,
			   .swap_mib = 512,
			   .vcpus = 1,
			   .seed = 7 },
		.settings = settings_default(),
		.rule = onset_rule_find("so32"),
		.tick_ms = 20,
		.settle_ms = 3000,
		.ramp_kib_s = 32768,
		.argv = kind == PROBE_GROWTH                            ? workload
			: kind == PROBE_DISPLACEMENT                    ? known
			: kind == PROBE_POPULATION || kind == PROBE_RAM ? hold
									: NULL,
		.is_in_image = kind == PROBE_GROWTH,
		.has_checkpoints = true,
		.processes = 1,
	};
}
