/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <string.h>

#include "calibrate/evidence/views.h"
#include "tests/fuzz/fuzz.h"

/* For targets that make tables of evidence. */

/** Reads each cell: rows belong to the one snapshot, and texts are texts. */
static inline void check_tables(const struct views *v, int64_t snapshot_id)
{
	for (unsigned view = 0; view < VIEW_COUNT; view++) {
		size_t n, first, end, rows = views_rows(v, (enum view)view);
		const struct view_column *columns = view_columns((enum view)view, &n);

		must_hold(views_range(v, (enum view)view, snapshot_id, &first, &end) == (rows > 0));
		must_hold(rows == 0 || (first == 0 && end == rows));
		for (size_t row = 0; row < rows; row++) {
			const int64_t *cells = views_row(v, (enum view)view, row);

			must_hold(cells[0] == snapshot_id);
			for (size_t i = 0; i < n; i++) {
				if (!columns[i].is_text || cells[i] == VIEW_NULL)
					continue;

				const char *text = (const char *)(intptr_t)cells[i];

				/* Equal texts are kept once. */
				must_hold(views_text_find(v, text, strlen(text)) == cells[i]);
			}
		}
	}
}
