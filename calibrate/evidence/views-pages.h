/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "calibrate/evidence/views.h"

/** The pages of all processes of a snapshot, from which the rows of pages are made. */
struct pages;

struct pages *pages_create(void);
void pages_destroy(struct pages *p);

/** Begins a snapshot. */
void pages_begin(struct pages *p);

/** Adds the page runs of one process; false when they are bad, which spoils the snapshot. */
bool pages_add(struct pages *p, const char *data, size_t len);

/** A process of which there are no page runs spoils the snapshot too. */
void pages_set_missing(struct pages *p);

/** Adds the rows of the snapshot to the views, none when it is spoilt. */
void pages_end(struct pages *p, struct views *v);
