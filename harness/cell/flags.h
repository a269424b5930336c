/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>

/*
 * Names of doubts about a probe or a value, in one text with commas between them; "" when there are none.
 */

/** Is that name among the flags? */
bool flags_have(const char *flags, const char *name);

/** Puts names, which are flags too, into *flags (owned), each once. */
void flags_add(char **flags, const char *names);
