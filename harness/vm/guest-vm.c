/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/guest-vm.h"

#include <stdlib.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/clock.h"
#include "harness/vm/guest-vm-internal.h"
#include "harness/host/host-pressure.h"
#include "harness/image/initramfs.h"
#include "harness/vm/scratchdisk.h"
#include "harness/vm/swapdisk.h"

/*
 * panic=-1: a guest that panics reboots at once, which ends it, rather than hang until a deadline.
 * no_timer_check: the kernel else counts ticks of its timer while it waits a moment, and panics when a busy
 * host has kept an emulator from giving it any ("IO-APIC + timer doesn't work"). Under KVM it does not look.
 *
 * What costs time in each guest's boot and is of no use to it: the kernel's tests of its own ciphers, and
 * looking for the BIOS's disks. mitigations=off: nobody has secrets in a guest, and a switch of page tables
 * at each system call makes an emulator forget where pages are.
 *
 * Where every life must be the same: no randomisation, and no idle processor, for with a clock that counts
 * instructions an idle guest's time races ahead while it waits for the host.
 */
#define CMDLINE        "console=ttyS0 quiet panic=-1 no_timer_check cryptomgr.notests edd=off mitigations=off"
#define CMDLINE_ICOUNT CMDLINE " nokaslr norandmaps idle=poll"

const char *guest_vm_cmdline(bool icount)
{
	return icount ? CMDLINE_ICOUNT : CMDLINE;
}

void guest_vm_host_destroy(struct guest_vm_host *host)
{
	if (!host)
		return;
	free(host->kernel);
	free(host->initrd);
	free(host->root_disk);
	free(host->user_disk);
	free(host->content);
	free(host);
}

struct err *guest_vm_host_create(struct domain_conn *conn, const struct image *image, const char *user_disk,
				 struct guest_vm_host **ret)
{
	cleanup(cleanup_host_) struct guest_vm_host *host = xcalloc(1, sizeof(*host));
	cleanup_free char *kernel = xasprintf("%s/vmlinuz", image->dir);
	cleanup_free char *root = xasprintf("%s/root.qcow2", image->dir);

	host->conn = conn;
	host->initrd = xasprintf("%s/initramfs-%.12s", domain_conn_workdir(conn), image->key);

	struct err *e = domain_stage_file(conn, kernel, &host->kernel);

	if (!e)
		e = domain_stage_file(conn, root, &host->root_disk);
	if (!e && user_disk)
		e = domain_stage_file(conn, user_disk, &host->user_disk);
	if (!e)
		e = initramfs_write(image, host->initrd);
	if (!e)
		e = domain_show_file(conn, host->initrd);
	if (!e)
		e = guest_vm_describe(host, image, user_disk);
	if (e)
		return err_wrap(e, "image in '%s'", image->dir);
	*ret = take_ptr(host);
	return NULL;
}

void guest_vm_stop(struct guest *g)
{
	channel_destroy(g->channel);
	if (g->domain)
		domain_stop(g->domain);
	unlink(g->swap_disk);
	if (g->scratch_disk)
		unlink(g->scratch_disk);
	free(g->swap_disk);
	free(g->scratch_disk);
	free(g);
}

/** saved_dir NULL: of a guest that boots. */
static struct err *make_disks(struct guest *g, struct domain_conn *conn, const struct guest_config *config,
			      const char *saved_dir)
{
	g->swap_disk = xasprintf("%s/%s.swap", domain_conn_workdir(conn), config->name);

	struct err *e = swapdisk_create(g->swap_disk, config->swap_mib);

	if (!e)
		e = domain_own_file(conn, g->swap_disk);
	if (e || !config->scratch_mib)
		return e;
	g->scratch_disk = xasprintf("%s/%s.scratch", domain_conn_workdir(conn), config->name);
	e = saved_dir ? guest_vm_get_scratch(saved_dir, g->scratch_disk)
		      : scratchdisk_create(g->scratch_disk, config->scratch_mib);
	return e ? e : domain_own_file(conn, g->scratch_disk);
}

struct err *guest_vm_launch(struct guest_vm_host *host, const struct guest_config *config,
			    const char *saved_dir, struct guest **ret)
{
	cleanup(cleanup_guest_) struct guest *g = xcalloc(1, sizeof(*g));
	cleanup_free char *memory = saved_dir ? guest_vm_memory_path(saved_dir) : NULL;

	struct err *e = make_disks(g, host->conn, config, saved_dir);

	if (e)
		return e;

	struct domain_spec spec = {
		.name = config->name,
		.accel = config->accel,
		.icount = config->icount,
		.ram_mib = config->ram_mib,
		.vcpus = config->vcpus,
		.cpus = config->cpus,
		.kernel = host->kernel,
		.initrd = host->initrd,
		.cmdline = guest_vm_cmdline(config->icount),
		.root_disk = host->root_disk,
		.swap_disk = g->swap_disk,
		.scratch_disk = g->scratch_disk,
		.user_disk = host->user_disk,
		.saved = memory,
	};

	e = domain_start(host->conn, &spec, &g->domain);
	if (e)
		return e;
	g->channel = channel_create(domain_agent_fd(g->domain));
	*ret = take_ptr(g);
	return NULL;
}

static struct err *vm_start(void *ctx, const struct guest_config *config, struct guest **ret)
{
	struct guest_vm_host *host = ctx;

	return config->state_owner ? guest_vm_start_saved(host, config, ret)
				   : guest_vm_launch(host, config, NULL, ret);
}

static struct err *vm_send(struct guest *g, json_t *json)
{
	return channel_send(g->channel, json);
}

static struct err *vm_recv(struct guest *g, int timeout_ms, struct guest_msg **ret)
{
	return channel_recv(g->channel, timeout_ms, ret);
}

static enum guest_state vm_state(struct guest *g)
{
	return domain_state(g->domain);
}

static struct err *vm_swap_written(struct guest *g, uint64_t *ret_bytes)
{
	return domain_swap_written(g->domain, ret_bytes);
}

static char *vm_console(struct guest *g)
{
	return domain_console(g->domain);
}

static char *vm_log(struct guest *g)
{
	return domain_log(g->domain);
}

static char *vm_ending(struct guest *g)
{
	return domain_ending(g->domain);
}

static char *vm_command_line(struct guest *g)
{
	return domain_command_line(g->domain);
}

static void vm_pressure(void *ctx, struct pressure *ret)
{
	(void)ctx;
	host_pressure_read(ret);
}

static int64_t vm_now_ms(struct guest *g)
{
	(void)g;
	return clock_ms();
}

const struct guest_ops guest_vm_ops = {
	.start = vm_start,
	.send = vm_send,
	.recv = vm_recv,
	.state = vm_state,
	.swap_written = vm_swap_written,
	.console = vm_console,
	.log = vm_log,
	.ending = vm_ending,
	.pressure = vm_pressure,
	.command_line = vm_command_line,
	.now_ms = vm_now_ms,
	.stop = guest_vm_stop,
};
