/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One real ballast until onset, and whether its page runs agree with its smaps: `page-runs` prints "key
 * number" lines. Two accounts of the same frozen process by the same kernel, so each mapping must agree to
 * the page, in RAM and in swap. [vvar] is left out: smaps does not count the kernel's own page in it.
 */
#include <inttypes.h>

#include "tests/vm.h"

#define IN_RAM    (1ull << 63)
#define FLAG_ZERO (1ull << 24)

struct sums {
	uint64_t rss_kib, swap_kib;
};

static const struct snapshot *find_snapshot(const struct probe_record *r, const char *name)
{
	for (size_t i = 0; i < r->snapshots_count; i++)
		if (strcmp(r->snapshots[i].name, name) == 0)
			return &r->snapshots[i];
	return NULL;
}

static const struct evidence *find(const struct snapshot *s, bool of_guest, const char *name)
{
	for (size_t i = 0; i < s->files_count; i++)
		if ((s->files[i].pid == 0) == of_guest && strcmp(s->files[i].name, name) == 0)
			return &s->files[i];
	return NULL;
}

static uint64_t overlap(uint64_t a_start, uint64_t a_end, uint64_t b_start, uint64_t b_end)
{
	uint64_t start = a_start > b_start ? a_start : b_start, end = a_end < b_end ? a_end : b_end;

	return start < end ? end - start : 0;
}

static struct sums sum_runs(const struct evidence *pagemap, uint64_t start, uint64_t end)
{
	struct sums ret = { 0 };

	for (size_t at = 0; at + sizeof(struct proto_page_run) <= pagemap->len;
	     at += sizeof(struct proto_page_run)) {
		struct proto_page_run run;

		memcpy(&run, pagemap->data + at, sizeof(run));

		uint64_t kib = overlap(start, end, run.address, run.address + run.pages * 4096ull) / 1024;

		if (!(run.entry & IN_RAM))
			ret.swap_kib += kib;
		else if (!(run.flags & FLAG_ZERO))
			ret.rss_kib += kib;
	}
	return ret;
}

/* Compares mapping by mapping. */
static void print_comparison(const struct evidence *smaps, const struct evidence *pagemap)
{
	uint64_t start = 0, end = 0, kib, mappings = 0, differing = 0, compared = 0, swapped = 0;
	bool skip = true, is_of_file = false;
	struct sums runs = { 0 };

	for (const char *line = smaps->data; line && *line;
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		/* Some fields' names begin with a hexadecimal digit too, and leave a number in start. */
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2) {
			size_t len = strcspn(line, "\n");

			skip = memmem(line, len, "[v", 2) && !memmem(line, len, "[vdso]", 6);
			is_of_file = memchr(line, '/', len);
			runs = sum_runs(pagemap, start, end);
			mappings += !skip;
		} else if (!skip && sscanf(line, "Rss: %" SCNu64, &kib) == 1) {
			differing += kib != runs.rss_kib;
			compared += kib;
		} else if (!skip && sscanf(line, "Swap: %" SCNu64, &kib) == 1) {
			differing += !is_of_file && kib != runs.swap_kib;
			swapped += kib;
		}
	}
	printf("mappings %" PRIu64 "\ndiffering %" PRIu64 "\nrss_kib %" PRIu64 "\nswap_kib %" PRIu64 "\n",
	       mappings, differing, compared, swapped);
	printf("runs %zu\nspare_bytes %zu\n", pagemap->len / sizeof(struct proto_page_run),
	       pagemap->len % sizeof(struct proto_page_run));
}

static struct err *print_evidence(const struct probe_record *r)
{
	if (r->outcome != OUTCOME_ONSET)
		return err_new("%s: %s", outcome_name(r->outcome), r->reason);

	const struct snapshot *s = find_snapshot(r, "onset");

	if (!s)
		return err_new("there is no snapshot of the onset");

	const struct evidence *smaps = find(s, false, "smaps"), *pagemap = find(s, false, "pagemap");
	const struct evidence *cost = find(s, true, "agent");

	if (!smaps || !pagemap || pagemap->error || !cost)
		return err_new("evidence is missing");
	print_comparison(smaps, pagemap);
	printf("%sagent_is_last %d\nagent_rss_kib %" PRIu64 "\n", cost->data,
	       cost == &s->files[s->files_count - 1], r->agent_rss_kib);
	for (size_t i = 0; i < s->files_count; i++)
		if (s->files[i].error)
			printf("missing %s\n", s->files[i].name);
	return NULL;
}

static struct err *run(void)
{
	cleanup_vm struct vm vm = { 0 };
	struct probe_spec spec = {
		.cell_key = "0",
		.kind = PROBE_RAMP,
		.z_kib = 512 * 1024,
		.guest = { .name = "swapcal-pages-0",
			   .ram_mib = 160,
			   .swap_mib = 512,
			   .vcpus = 1,
			   .seed = 1 },
		.settings = settings_default(),
		.rule = onset_rule_find("so32"),
		.tick_ms = 20,
		.ramp_kib_s = 65536,
	};
	struct probe_record r;
	struct err *e = vm_open("bookworm", NULL, &vm);

	spec.guest.accel = vm.accel;
	if (!e)
		e = probe_run(&guest_vm_ops, vm.host, &spec, NULL, &r);
	if (e)
		return e;
	e = print_evidence(&r);
	probe_record_deinit(&r);
	return e;
}

int main(void)
{
	cancel_install();
	return vm_end("page-runs", run());
}
