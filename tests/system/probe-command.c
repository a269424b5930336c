/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One real guest life with any command as its load: `probe-command [--image NAME] [--root] [--user DIR]
 * [--signal PHASE SIG] [--beside MIB] RAM_MIB COMMAND...` prints "OUTCOME: REASON". For system tests of what
 * plans cannot ask for, such as a guest that panics. --root: COMMAND has all rights in the guest. --user: the
 * guest has a disk with what is in DIR. --signal: QEMU gets that signal when the phase begins, in phase start
 * as soon as it is there. --beside: a ballast of MIB is built beside COMMAND, which works in rounds, and
 * stays for a while. Then "took N s", "since the signal N s", "flags: FLAGS", "QEMU: HOW IT ENDED",
 * "qemu.log: N bytes", "samples: N, longest gap M ms" and what the load printed follow.
 */
#include <pthread.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/clock.h"
#include "harness/image/userdisk.h"
#include "tests/vm.h"

/*
 * A program of the image that is started in the initramfs, where loads are root, needs its own loader;
 * chroot(1) is such a program.
 */
#define LIB "/root-image/usr/lib/x86_64-linux-gnu"

static const char *const as_root[] = { LIB "/ld-linux-x86-64.so.2", "--library-path", LIB,
				       "/root-image/usr/sbin/chroot", "/root-image" };

struct options {
	const char *image;
	bool is_root;
	const char *user_dir;
	const char *signal_phase;
	int signal;
	double beside_mib;
	unsigned ram_mib;
	const char *const *argv;
};

/** The path of a disk with what is in dir. */
static struct err *make_user_disk(const char *dir, char **ret)
{
	const struct userdisk_options options = { .force_tcg = true };
	cleanup(workloads_deinit) struct workloads files = { 0 };
	struct err *e = workloads_load_tree(dir, &files);

	if (!e)
		e = userdisk_find_or_build(&files, &options, ret);
	return e;
}

static int64_t signalled_ms;

/** Sends the signal to the QEMU of this process's guest; false when there is none yet. */
static bool signal_qemu(int sig)
{
	/* The brackets keep the shell from finding itself. */
	cleanup_free char *command =
		xasprintf("pkill -%d -f '[q]emu-system.*guest=swapcal-command-%d,'", sig, (int)getpid());

	signalled_ms = clock_ms();
	return system(command) == 0;
}

static void on_phase(void *arg, enum probe_phase phase)
{
	const struct options *o = arg;

	if (o->signal_phase && phase != PHASE_START && strcmp(probe_phase_name(phase), o->signal_phase) == 0)
		signal_qemu(o->signal);
}

/** Waits for the QEMU that is being created. */
static void *signal_at_start(void *arg)
{
	const struct options *o = arg;

	while (!signal_qemu(o->signal))
		;
	return NULL;
}

static void print_post_mortem(const struct probe_record *r)
{
	const struct snapshot *s = r->snapshots_count ? &r->snapshots[r->snapshots_count - 1] : NULL;

	if (!s || strcmp(s->name, PROBE_POST_MORTEM) != 0)
		return;
	for (size_t k = 0; k < s->files_count; k++)
		if (strcmp(s->files[k].name, "qemu-exit") == 0)
			printf("QEMU: %s\n", s->files[k].data);
		else
			printf("%s: %zu bytes\n", s->files[k].name, s->files[k].len);
}

static void print_record(const struct probe_record *r)
{
	uint64_t longest = 0;

	for (size_t i = 1; i < r->samples_count; i++) {
		uint64_t gap = r->samples[i].t_us - r->samples[i - 1].t_us;

		longest = gap > longest ? gap : longest;
	}
	printf("%s: %s\n", outcome_name(r->outcome), r->reason);
	print_post_mortem(r);
	printf("ballast: %.2f MiB\n", (double)r->load_pages / 256);
	printf("samples: %zu, longest gap %llu ms\n%s", r->samples_count, (unsigned long long)longest / 1000,
	       r->output ? r->output : "");
}

static struct err *run(const struct options *o)
{
	cleanup_free char *user_disk = NULL;
	const char *argv[64] = { NULL };
	size_t argc = 0;
	cleanup_vm struct vm vm = { 0 };
	struct probe_record r;
	struct err *e = o->user_dir ? make_user_disk(o->user_dir, &user_disk) : NULL;

	if (!e)
		e = vm_open(o->image, user_disk, &vm);
	if (e)
		return e;
	for (size_t i = 0; o->is_root && i < sizeof(as_root) / sizeof(as_root[0]); i++)
		argv[argc++] = as_root[i];
	for (const char *const *a = o->argv; *a && argc < 63; a++)
		argv[argc++] = *a;

	/* Tests run beside each other. */
	cleanup_free char *name = xasprintf("swapcal-command-%d", (int)getpid());
	struct probe_spec spec = {
		.cell_key = "0",
		.kind = PROBE_GROWTH,
		.guest = { .name = name,
			   .accel = vm.accel,
			   .ram_mib = o->ram_mib,
			   .swap_mib = 128,
			   .vcpus = 1,
			   .seed = 1 },
		.settings = settings_default(),
		.rule = onset_rule_find("so32"),
		.tick_ms = 20,
		.settle_ms = 1000,
		.argv = argv,
		.is_in_image = !o->is_root,
		.has_checkpoints = true,
		.processes = 1,
	};

	if (o->beside_mib > 0) {
		spec.kind = PROBE_DISPLACEMENT;
		spec.z_kib = (uint64_t)(o->beside_mib * 256) * 4;
		spec.has_rounds = true;
		spec.has_seed = true;
		spec.guest.swap_mib = 512;
		spec.settle_ms = 3000;
		spec.ramp_kib_s = 64 * 1024;
	}
	const struct probe_events events = { .arg = (void *)o, .phase = on_phase };
	int64_t start_ms = clock_ms();
	pthread_t thread;

	if (o->signal_phase && strcmp(o->signal_phase, "start") == 0 &&
	    pthread_create(&thread, NULL, signal_at_start, (void *)o))
		return err_new("no thread");
	e = probe_run(&guest_vm_ops, vm.host, &spec, &events, &r);
	if (e)
		r = probe_not_started(&spec, e);
	err_free(e);
	print_record(&r);
	printf("flags: %s\ntook %.1f s\n", r.flags, (double)(clock_ms() - start_ms) / 1000);
	if (o->signal_phase)
		printf("since the signal %.1f s\n", (double)(clock_ms() - signalled_ms) / 1000);
	probe_record_deinit(&r);
	return NULL;
}

int main(int argc, char **argv)
{
	struct options o = { .image = "bookworm" };

	argv++;
	if (*argv && strcmp(*argv, "--image") == 0 && argv[1]) {
		o.image = argv[1];
		argv += 2;
	}
	if (*argv && strcmp(*argv, "--root") == 0) {
		o.is_root = true;
		argv++;
	}
	if (*argv && strcmp(*argv, "--user") == 0 && argv[1]) {
		o.user_dir = argv[1];
		argv += 2;
	}
	if (*argv && strcmp(*argv, "--signal") == 0 && argv[1] && argv[2]) {
		o.signal_phase = argv[1];
		o.signal = atoi(argv[2]);
		argv += 3;
	}
	if (*argv && strcmp(*argv, "--beside") == 0 && argv[1]) {
		o.beside_mib = atof(argv[1]);
		argv += 2;
	}
	if (!*argv || !argv[1]) {
		fprintf(stderr, "usage: probe-command [--image NAME] [--root] [--user DIR] [--signal PHASE "
				"SIG] [--beside MIB] RAM_MIB COMMAND...\n");
		return 2;
	}
	o.ram_mib = (unsigned)atoi(*argv);
	o.argv = (const char *const *)argv + 1;
	(void)argc;
	cancel_install();
	return vm_end("probe-command", run(&o));
}
