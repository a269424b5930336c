/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "guest/proto.h"
#include "harness/export/export.h"

/* Rows of numbers: the series of a probe, and the page runs of a process. */

#define COLUMNS (sizeof(struct proto_sample) / sizeof(uint64_t))

void export_series_header(struct strbuf *out)
{
	strbuf_addf(out, "probe,%s\n", PROTO_SAMPLE_NAMES);
}

/* The numbers of a sample, with commas between them. */
static void add_sample(struct strbuf *out, const struct proto_sample *s)
{
	uint64_t numbers[COLUMNS];

	memcpy(numbers, s, sizeof(numbers));
	for (size_t i = 0; i < COLUMNS; i++)
		strbuf_addf(out, "%s%" PRIu64, i ? "," : "", numbers[i]);
}

struct err *export_series_csv(struct store *store, int64_t probe_id, struct strbuf *out)
{
	cleanup_free struct proto_sample *samples = NULL;
	size_t n;
	struct err *e = store_samples(store, probe_id, &samples, &n);

	if (e)
		return e;
	for (size_t i = 0; i < n; i++) {
		strbuf_addf(out, "%" PRId64 ",", probe_id);
		add_sample(out, &samples[i]);
		strbuf_adds(out, "\n");
	}
	return NULL;
}

static void add_columns(struct strbuf *out)
{
	for (const char *p = PROTO_SAMPLE_NAMES; *p;) {
		size_t len = strcspn(p, ",");

		strbuf_addf(out, "\"%.*s\"%s", (int)len, p, p[len] ? ", " : "");
		p += len + (p[len] == ',');
	}
}

/* Written by hand: counters of 64 bits are numbers of JSON, but more than its library takes. */
struct err *export_series_json(struct store *store, int64_t probe_id, struct strbuf *out)
{
	cleanup_free struct proto_sample *samples = NULL;
	size_t n;
	struct err *e = store_samples(store, probe_id, &samples, &n);

	if (e)
		return e;
	strbuf_addf(out, "{\"probe\": %" PRId64 ", \"columns\": [", probe_id);
	add_columns(out);
	strbuf_adds(out, "], \"rows\": [");
	for (size_t i = 0; i < n; i++) {
		strbuf_adds(out, i ? ",\n[" : "\n[");
		add_sample(out, &samples[i]);
		strbuf_adds(out, "]");
	}
	strbuf_adds(out, "]}");
	return NULL;
}

struct err *export_runs_csv(const char *data, size_t len, struct strbuf *out)
{
	struct proto_page_run r;

	if (len % sizeof(r))
		return err_new("a piece of %zu bytes is no whole number of page runs", len);
	strbuf_adds(out, "address,entry,flags,mapcount,pages,step\n");
	for (; len > 0; data += sizeof(r), len -= sizeof(r)) {
		memcpy(&r, data, sizeof(r));
		strbuf_addf(out, "0x%" PRIx64 ",0x%" PRIx64 ",0x%" PRIx64 ",%" PRIu32 ",%u,%d\n", r.address,
			    r.entry, r.flags, r.mapcount, r.pages, r.step);
	}
	return NULL;
}
