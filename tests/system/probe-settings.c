/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One real guest life of a ballast with guest settings as given: `probe-settings KEY=VALUE...` prints lines
 * "key value" of how it ended. Keys: ram_mib, swap_mib, z_mib (0: a ramp), vcpus, swappiness, min_free_kib,
 * swap, thp, mglru, touch, fill, rate_mib_s, times (lives), series (so many samples around the onset).
 */
#include <inttypes.h>

#include "calibrate/evidence/text.h"
#include "tests/vm.h"

struct options {
	struct guest_settings settings;
	unsigned ram_mib, z_mib, rate_mib_s, times, series;
};

/** KEY=VALUE of a setting, by its name in a cell's identity. */
static bool parse_setting(const char *key, const char *value, struct guest_settings *settings)
{
	const struct setting *s;
	size_t i = 0;

	while ((s = setting_at(i)) && strcmp(s->name, key) != 0)
		i++;
	if (s)
		setting_set(settings, s, (struct setting_value){ (unsigned)strtoul(value, NULL, 10), value });
	return s != NULL;
}

static bool parse_options(char **args, struct options *o)
{
	const struct {
		const char *key;
		unsigned *number;
	} keys[] = {
		{ "ram_mib", &o->ram_mib }, { "z_mib", &o->z_mib },   { "rate_mib_s", &o->rate_mib_s },
		{ "times", &o->times },     { "series", &o->series },
	};

	for (; *args; args++) {
		char *value = strchr(*args, '=');
		size_t i = 0;

		if (!value)
			return false;
		*value++ = '\0';
		while (i < sizeof(keys) / sizeof(keys[0]) && strcmp(keys[i].key, *args) != 0)
			i++;
		if (i < sizeof(keys) / sizeof(keys[0]))
			*keys[i].number = (unsigned)strtoul(value, NULL, 10);
		else if (!parse_setting(*args, value, &o->settings))
			return false;
	}
	return true;
}

/** The guest's text of that name in the last snapshot that has it; NULL: none has. */
static const struct evidence *find_last(const struct probe_record *r, const char *file)
{
	const struct evidence *last = NULL;

	for (size_t k = 0; k < r->snapshots_count; k++)
		for (size_t i = 0; i < r->snapshots[k].files_count; i++) {
			const struct evidence *f = &r->snapshots[k].files[i];

			if (!f->pid && strcmp(f->name, file) == 0)
				last = f;
		}
	return last;
}

/** What it has after a key; 0 without it. */
static uint64_t number_of(const struct probe_record *r, const char *file, const char *key)
{
	const struct evidence *f = find_last(r, file);
	uint64_t n = 0;

	if (f)
		text_get_number(f->data, f->len, key, &n);
	return n;
}

static void print_text(const struct probe_record *r, const char *file)
{
	const struct evidence *f = find_last(r, file);

	if (f && f->len)
		printf("%s %s", file, f->data);
}

static void print_series(const struct probe_record *r, unsigned n)
{
	struct onset_result onset = onset_find(onset_rule_find("so32"), r->samples, r->samples_count);
	size_t first = onset.found && onset.index > n ? onset.index - n : 0;

	for (size_t i = first; onset.found && i < r->samples_count && i < onset.index + n; i++) {
		const struct proto_sample *s = &r->samples[i];

		printf("sample %" PRIu64 " ms, ballast %" PRIu64 " KiB, swapped %" PRIu64 ", back %" PRIu64
		       ", free %" PRIu64 " KiB, stalls %" PRIu64 ", oom %" PRIu64 "%s\n",
		       (s->t_us - r->samples[0].t_us) / 1000, s->load_pages * 4, s->pswpout, s->pswpin,
		       s->nr_free_pages * 4, s->allocstall, s->oom_kill, i == onset.index ? " onset" : "");
	}
}

static void print_record(const struct probe_record *r)
{
	const struct proto_sample *s = r->samples_count ? &r->samples[r->samples_count - 1] : NULL;

	printf("outcome %s\nreason %s\nflags %s\n", outcome_name(r->outcome), r->reason, r->flags);
	printf("mem_total_kib %" PRIu64 "\nmem_available0_kib %" PRIu64 "\n", r->mem_total_kib,
	       r->mem_available0_kib);
	if (!s)
		return;
	printf("load_kib %" PRIu64 "\nonset_swapped_pages %" PRIu64 "\nfreeze_us %" PRIu64
	       "\nswap_written_bytes %" PRIu64 "\n",
	       r->load_pages * 4, r->onset_swapped_pages, r->freeze_us, r->swap_written_bytes);
	printf("pswpin %" PRIu64 "\nfree_kib %" PRIu64 "\nfile_kib %" PRIu64 "\nswap_total_kib %" PRIu64
	       "\nload_ms %" PRId64 "\n",
	       s->pswpin, s->nr_free_pages * 4, s->nr_file_pages * 4, number_of(r, "meminfo", "SwapTotal"),
	       r->phase_ms[PHASE_LOAD]);
	print_text(r, "swaps");
	print_text(r, "zram0/mm_stat");
	print_text(r, "zram0/comp_algorithm");
}

static struct err *run(const struct options *o)
{
	cleanup_vm struct vm vm = { 0 };
	unsigned swap_mib = o->settings.swap_mib;
	struct probe_spec spec = {
		.cell_key = "0",
		.kind = o->z_mib ? PROBE_FIXED : PROBE_RAMP,
		.z_kib = (o->z_mib ? o->z_mib : o->ram_mib + swap_mib / 2) * 1024,
		.guest = { .name = "swapcal-settings-0",
			   .ram_mib = o->ram_mib,
			   .swap_mib = swap_mib,
			   .vcpus = o->settings.vcpus },
		.settings = o->settings,
		.rule = onset_rule_find("so32"),
		.tick_ms = 20,
		.settle_ms = 3000,
		.ramp_kib_s = o->rate_mib_s * 1024,
	};
	struct err *e = vm_open("bookworm", NULL, &vm);

	spec.guest.accel = vm.accel;
	for (unsigned i = 0; !e && i < o->times; i++) {
		struct probe_record r;

		spec.guest.seed = i + 1;
		e = probe_run(&guest_vm_ops, vm.host, &spec, NULL, &r);
		if (e)
			break;
		print_record(&r);
		if (o->series)
			print_series(&r, o->series);
		fflush(stdout);
		probe_record_deinit(&r);
	}
	return e;
}

int main(int argc, char **argv)
{
	struct options o = {
		.settings = settings_default(),
		.ram_mib = 160,
		.rate_mib_s = 64,
		.times = 1,
	};

	o.settings.swap_mib = 128;
	(void)argc;
	if (!parse_options(argv + 1, &o)) {
		fprintf(stderr, "usage: probe-settings KEY=VALUE...\n");
		return 2;
	}
	cancel_install();
	return vm_end("probe-settings", run(&o));
}
