/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/campaign/run-progress.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/clock.h"
#include "harness/base/log.h"
#include "harness/base/strbuf.h"
#include "harness/base/thread.h"
#include "harness/cell/cell.h"
#include "harness/store/live-file.h"
#include "harness/cell/record.h"

struct run_progress {
	const char *live_path;
	unsigned jobs;
	bool has_live_error;
	struct campaign_progress last;
	pthread_mutex_t lock; /* of the guests: they tell of themselves in threads of their own */
	struct live_guest guests[LIVE_JOBS_MAX]; /* by slot; without `what` there is none */
	int64_t phase_start_ms[LIVE_JOBS_MAX];
};

/** What a probe does, in a few words, to be freed. */
static char *describe(const struct cell *cell, enum probe_kind kind, uint64_t z_kib)
{
	unsigned x = cell->x_mib;
	const char *interpreter = cell->interpreter;
	const char *workload = cell->workload, *size = cell->size;
	struct known_spec known;
	cleanup_free char *load = cell_known(cell, &known) ? xasprintf("%s %s", workload, size)
							   : xasprintf("%u x %s %s %s", cell->processes,
								       interpreter, workload, size);

	switch (kind) {
	case PROBE_RAMP:
		return xasprintf("X=%u ballast ramp", x);
	case PROBE_FIXED:
		return xasprintf("X=%u ballast Z=%.1f MiB", x, (double)z_kib / 1024);
	case PROBE_GROWTH:
		return xasprintf("X=%u %s %s grows", x, interpreter, workload);
	case PROBE_POPULATION:
		return xasprintf("X=%u more and more %s %s", x, interpreter, workload);
	case PROBE_RAM:
		return xasprintf("X=%.0f with %s", (double)z_kib / 1024, load);
	case PROBE_DISPLACEMENT:
		return xasprintf("X=%u ballast ramp beside %s", x, load);
	}
	return xstrdup("?");
}

/** Redraws the line of what runs just now: "X=256 ballast ramp: load, 87 MiB, 3 s". Called with the lock
 * held.
 */
static void show(const struct run_progress *p)
{
	cleanup_strbuf struct strbuf line = STRBUF_INIT;
	cleanup_free char *left = probe_time_format(p->last.eta_s);

	strbuf_addf(&line, "[%u of about %u, %zu of %zu cells done] ETA %s", p->last.run,
		    p->last.run + p->last.left, p->last.cells_done, p->last.cells, left);
	for (unsigned i = 0; i < p->jobs; i++) {
		const struct live_guest *g = &p->guests[i];

		if (!g->what)
			continue;
		strbuf_addf(&line, " | %s: %s", g->what, g->phase);
		if (g->memory_kib)
			strbuf_addf(&line, ", %.0f MiB", (double)g->memory_kib / 1024);
		strbuf_addf(&line, ", %" PRId64 " s", (clock_ms() - p->phase_start_ms[i]) / 1000);
	}
	log_progress("%s", strbuf_str(&line));
}

/** What runs just now, for live_file_write(); it borrows the descriptions. Called with the lock held. */
static struct live_file get_live(const struct run_progress *p)
{
	struct live_file live = {
		.pid = getpid(),
		.jobs = p->jobs,
		.eta_s = p->last.eta_s,
		.updated_s = clock_unix_s(),
	};

	for (unsigned i = 0; i < p->jobs; i++)
		if (p->guests[i].what)
			live.guests[live.n++] = p->guests[i];
	return live;
}

/** Tells other processes what runs just now. */
static void write_live(struct run_progress *p, const struct live_file *live)
{
	struct err *e = live_file_write(p->live_path, live);

	/* Nobody's results depend on it. */
	if (e && !p->has_live_error)
		log_note("others cannot see what runs just now: %s", err_message(e));
	p->has_live_error |= e != NULL;
	err_free(e);
}

/** Called with the lock held. */
static void set_phase(struct run_progress *p, unsigned slot, enum probe_phase phase)
{
	struct live_guest *g = &p->guests[slot];

	snprintf(g->phase, sizeof(g->phase), "%s", probe_phase_name(phase));
	p->phase_start_ms[slot] = clock_ms();
}

void run_progress_start(struct run_progress *p, unsigned slot, const struct cell *cell, enum probe_kind kind,
			uint64_t z_kib)
{
	if (!p)
		return;
	hold(&p->lock);

	struct live_guest *g = &p->guests[slot];

	*g = (struct live_guest){
		.slot = slot,
		.what = describe(cell, kind, z_kib),
		.start_s = clock_unix_s(),
	};
	memcpy(g->cell, cell->key, sizeof(g->cell) - 1);
	set_phase(p, slot, PHASE_START);
}

void run_progress_phase(struct run_progress *p, unsigned slot, enum probe_phase phase)
{
	if (!p)
		return;
	hold(&p->lock);
	set_phase(p, slot, phase);
	show(p);
}

void run_progress_load(struct run_progress *p, unsigned slot, uint64_t load_kib)
{
	if (!p)
		return;
	hold(&p->lock);
	p->guests[slot].memory_kib = load_kib;
}

/** One line for a finished probe. */
static void note_end(const char *what, const struct probe_record *r, const struct campaign_progress *progress)
{
	bool has_size = (r->kind == PROBE_RAMP || r->kind == PROBE_DISPLACEMENT) && r->onset_t_us >= 0;
	cleanup_free char *held =
		has_size ? xasprintf(" at %.1f MiB", (double)r->load_pages * 4 / 1024) : xstrdup("");
	cleanup_free char *left = probe_time_format(progress->eta_s);

	log_note("[%u of about %u] %s: %s%s%s%s (%.1f s; ETA %s)", progress->run,
		 progress->run + progress->left, what, outcome_name(r->outcome), held, *r->reason ? ": " : "",
		 r->reason, (double)probe_time_ms(r) / 1000, left);
}

void run_progress_end(struct run_progress *p, unsigned slot, const struct probe_record *r,
		      const struct campaign_progress *progress)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);

	cleanup_free char *what = take_ptr(p->guests[slot].what);

	pthread_mutex_unlock(&p->lock);
	if (r)
		note_end(what, r, progress);
}

void run_progress_tick(struct run_progress *p, const struct campaign_progress *progress)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->last = *progress;
	show(p);

	struct live_file live = get_live(p);

	pthread_mutex_unlock(&p->lock);
	/* Guests do not wait for the disk; and only we free what live borrows. */
	write_live(p, &live);
}

struct run_progress *run_progress_create(const char *live_path, unsigned jobs)
{
	struct run_progress *p = xcalloc(1, sizeof(*p));

	p->live_path = live_path;
	p->jobs = jobs;
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

void run_progress_destroy(struct run_progress *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < p->jobs; i++)
		free(p->guests[i].what);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
