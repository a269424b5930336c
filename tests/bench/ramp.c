/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * For the benchmark: one ramp probe of a 256 MiB guest. `ramp [--restore] DIR` prints the milliseconds of
 * each phase, tab separated, in the order of enum probe_phase, and leaves in DIR what the same guest needs
 * without swapcal: the recorded QEMU command line, the initramfs, a swap disk. With --restore the guest goes
 * on from a boot that was saved before; an eighth number is then how long it took to make that: to boot a
 * guest, save it, and restore a first one.
 */
#include <inttypes.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/clock.h"
#include "harness/base/file.h"
#include "harness/image/rootfs.h"
#include "harness/vm/state-cache.h"
#include "harness/vm/disks.h"
#include "tests/vm.h"

#define RAM_MIB  256
#define SWAP_MIB 512

/* As campaigns have it. */
#define RAMP_KIB_S 65536

static struct err *leave_files(const char *dir, const struct image *image, const struct probe_record *r)
{
	cleanup_free char *command = xasprintf("%s/command", dir);
	cleanup_free char *initramfs = xasprintf("%s/initramfs", dir);
	cleanup_free char *swap = xasprintf("%s/swap", dir);
	struct err *e = file_write_atomic(command, r->command_line, strlen(r->command_line), 0644);

	if (!e)
		e = initramfs_write(image, initramfs);
	return e ? e : swapdisk_create(swap, SWAP_MIB);
}

/** Has a saved boot made for guests of this configuration. */
static struct err *make_state(struct guest_vm_host *host, struct guest_config *config, int64_t *ret_ms)
{
	static char owner[33];
	struct guest *g;
	int64_t begin_ms = clock_ms();

	snprintf(owner, sizeof(owner), "%032x", (unsigned)getpid());
	state_cache_forget(owner);
	config->state_owner = owner;

	/* Under another name than the next, so that libvirt need not be done with it by then. */
	struct guest_config first = *config;

	first.name = "swapcal-bench-state";

	struct err *e = guest_vm_ops.start(host, &first, &g);

	if (e)
		return e;
	*ret_ms = clock_ms() - begin_ms;
	guest_vm_ops.stop(g);
	return NULL;
}

static struct err *run(const char *dir, bool is_restored)
{
	cleanup_vm struct vm vm = { 0 };
	struct probe_spec spec = {
		.cell_key = "0",
		.kind = PROBE_RAMP,
		.z_kib = RAM_MIB * 1024 + SWAP_MIB * 512,
		.guest = { .name = "swapcal-bench-0",
			   .ram_mib = RAM_MIB,
			   .swap_mib = SWAP_MIB,
			   .vcpus = 1,
			   .seed = 1 },
		.settings = settings_default(),
		.rule = onset_rule_find("so32"),
		.tick_ms = 20,
		.ramp_kib_s = RAMP_KIB_S,
	};
	struct probe_record r;
	int64_t make_ms = 0;
	struct err *e = vm_open("bookworm", NULL, &vm);

	spec.guest.accel = vm.accel;
	if (!e && is_restored)
		e = make_state(vm.host, &spec.guest, &make_ms);
	if (!e)
		e = probe_run(&guest_vm_ops, vm.host, &spec, NULL, &r);
	if (is_restored && spec.guest.state_owner)
		state_cache_forget(spec.guest.state_owner);
	if (e)
		return e;
	if (r.outcome != OUTCOME_ONSET)
		e = err_new("%s: %s", outcome_name(r.outcome), r.reason);
	for (int i = 0; !e && i < PHASE_COUNT; i++)
		printf("%" PRId64 "%s", r.phase_ms[i], i + 1 < PHASE_COUNT ? "\t" : "");
	if (!e && is_restored)
		printf("\t%" PRId64, make_ms);
	if (!e)
		putchar('\n');
	if (!e)
		e = leave_files(dir, vm.image, &r);
	probe_record_deinit(&r);
	return e;
}

int main(int argc, char **argv)
{
	bool is_restored = argc == 3 && strcmp(argv[1], "--restore") == 0;

	if (argc != 2 && !is_restored) {
		fprintf(stderr, "usage: ramp [--restore] DIR\n");
		return 2;
	}
	cancel_install();
	return vm_end("ramp", run(argv[argc - 1], is_restored));
}
