/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/cell/method.h"

#include <stddef.h>

const char *const method_names[] = { [METHOD_THRESHOLD] = "threshold",
				     [METHOD_GROWTH] = "growth",
				     [METHOD_POPULATION] = "population",
				     [METHOD_DISPLACEMENT] = "displacement",
				     [METHOD_RAM] = "ram",
				     NULL };

const char *method_name(enum method method)
{
	return method_names[method];
}
