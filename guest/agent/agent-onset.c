/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest/agent/agent-onset.h"

static void drop_first(struct onset_window *w)
{
	w->first = (w->first + 1) % ONSET_SAMPLES_MAX;
	w->count--;
}

bool onset_add(struct onset_window *w, const struct proto_sample *s)
{
	uint64_t swapped = proto_swapped_out(s);

	/* The sample before stays, however old: what was swapped while the agent was stalled counts too. */
	while (w->count > 1 && w->ring[w->first].t_us + w->window_us < s->t_us)
		drop_first(w);
	if (w->count == ONSET_SAMPLES_MAX)
		drop_first(w);

	size_t last = (w->first + w->count++) % ONSET_SAMPLES_MAX;

	w->ring[last].t_us = s->t_us;
	w->ring[last].swapped = swapped;

	uint64_t before = w->ring[w->first].swapped;

	return swapped > before && swapped - before >= w->pages;
}

void onset_begin(struct onset_window *w, uint64_t pages, unsigned window_ms,
		 const struct proto_sample *baseline)
{
	w->pages = pages;
	w->window_us = (uint64_t)window_ms * 1000;
	w->baseline = proto_swapped_out(baseline);
	w->first = w->count = 0;
	onset_add(w, baseline);
}
