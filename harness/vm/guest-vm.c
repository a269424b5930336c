/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/guest-vm.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/clock.h"
#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/host/host.h"
#include "harness/image/rootfs.h"
#include "harness/vm/state-cache.h"

/*
 * panic=-1: a guest that panics reboots at once, which ends it, rather than hang until a deadline.
 * no_timer_check: the kernel else counts ticks of its timer while it waits a moment, and panics when a busy
 * host has kept an emulator from giving it any ("IO-APIC + timer doesn't work"). Under KVM it does not look.
 *
 * The kernel's tests of its own ciphers and its search for the BIOS's disks only cost time in each boot.
 * mitigations=off: nobody has secrets in a guest, and a switch of page tables at each system call makes an
 * emulator forget where pages are.
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

/*
 * A state is saved as soon as the agent has said hello: swap is not on then, so the swap disk is no part of
 * it, and what is still to be done before a load takes some 50 ms. Its files: "memory", and "scratch" of a
 * guest that has that disk.
 *
 * The agent then waits for requests. What it says by itself (hello, heartbeats) is each written to its port
 * in one piece, so that no guest goes on in the middle of a message.
 */

/** To be changed whenever the same guest would be saved in another way. */
#define FORMAT 1

struct guest_vm_host {
	struct domain_conn *conn;
	char *kernel, *initrd, *root_disk, *user_disk;
	char *content; /* all that guests of this host are made of, as text */
};

/** Sets host->content. */
static struct err *describe(struct guest_vm_host *host, const struct image *image, const char *user_disk)
{
	cleanup(cleanup_json_) json_t *software = domain_conn_describe(host->conn);
	cleanup_strbuf struct strbuf boot = STRBUF_INIT;
	char initrd[65];
	struct err *e = file_sha256(host->initrd, initrd);

	/* A state is not synced to the disk, so it must not be found after a crash of the host. */
	if (!e)
		e = file_read("/proc/sys/kernel/random/boot_id", 64, &boot);
	if (e)
		return e;
	/* It names this process's work directory. */
	json_object_del(software, "uri");

	/* The manifest has the hashes of kernel and root disk, the path of a user's disk that of its content.
	 */
	cleanup(cleanup_json_) json_t *all = json_pack(
		"{s:O, s:s, s:s, s:O, s:s}", "image", image->manifest, "initramfs", initrd, "user_disk",
		user_disk ? user_disk : "", "software", software, "host_boot", strbuf_str(&boot));

	host->content = all ? json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	return host->content ? NULL : err_new("its manifest cannot be written as JSON");
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
	const struct stage_user *user = domain_conn_user(conn);

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
		e = stage_give(host->initrd, user, false);
	if (!e)
		e = describe(host, image, user_disk);
	if (e)
		return err_wrap(e, "image in '%s'", image->dir);
	*ret = take_ptr(host);
	return NULL;
}

/**
 * Starts a guest: boots it, or has it go on from the state in saved_dir, when that is not NULL. Only one
 * guest at a time may do the latter.
 */
static struct err *launch(struct guest_vm_host *host, const struct guest_config *config,
			  const char *saved_dir, struct guest **ret)
{
	struct domain_spec spec = {
		.config = config,
		.kernel = host->kernel,
		.initrd = host->initrd,
		.cmdline = guest_vm_cmdline(config->icount),
		.root_disk = host->root_disk,
		.user_disk = host->user_disk,
		.saved_dir = saved_dir,
	};

	return domain_start(host->conn, &spec, ret);
}

/** Has the agent say hello again, for whoever waits for it. */
static struct err *ask_hello(struct guest *g)
{
	cleanup(cleanup_json_) json_t *request = json_pack("{s:s, s:i}", "type", "hello", "id", 0);

	return domain_send(g, request);
}

struct err *guest_vm_await_hello(struct guest *g, int timeout_ms)
{
	int64_t end_ms = clock_ms() + timeout_ms;

	while (clock_ms() < end_ms) {
		struct guest_msg *m = NULL;
		struct err *e = domain_recv(g, 1000, &m);

		if (e)
			return e;
		if (!m && domain_state(g) != GUEST_RUNNING)
			return err_new("the guest does not run");

		const char *type = m ? json_string_value(json_object_get(m->json, "type")) : NULL;
		const char *error = m ? json_string_value(json_object_get(m->json, "error")) : NULL;
		bool is_hello = type && strcmp(type, "hello") == 0;

		if (is_hello && (!error || *error))
			e = err_new("the agent says: %s", error ? error : "nothing of how it is");
		guest_msg_destroy(m);
		if (is_hello)
			return e;
	}
	return err_new("the agent did not say hello within %d s", timeout_ms / 1000);
}

/** What a state is a state of: all that makes the guest what it is up to there. */
static void state_key(const struct guest_vm_host *host, const struct guest_config *config, char key[33])
{
	cleanup_free char *text =
		xasprintf("%d %u %s %d %u %u %u %u\n%s\n%s", FORMAT, config->state_number, config->accel,
			  config->icount, config->ram_mib, config->swap_mib, config->scratch_mib,
			  config->vcpus, guest_vm_cmdline(config->icount), host->content);
	char hex[65];

	hash_sha256(text, strlen(text), hex);
	memcpy(key, hex, 32);
	key[32] = '\0';
}

/** Writes a guest that waits for requests to its state. It has ended then. */
static struct err *save(struct guest *g, struct state *state)
{
	const char *dir;
	struct err *e = state_begin(state, &dir);

	if (!e)
		e = domain_save(g, dir);
	return e ? e : state_finish(state);
}

/** Starts a guest from a state that is there. */
static struct err *go_on(struct guest_vm_host *host, const struct guest_config *config,
			 const struct state *state, struct guest **ret)
{
	cleanup(cleanup_guest_) struct guest *g = NULL;
	struct err *e = launch(host, config, state_dir(state), &g);

	if (!e)
		e = ask_hello(g);
	if (e)
		return err_wrap(e, "saved state '%s'", state_dir(state));
	*ret = take_ptr(g);
	return NULL;
}

/** Boots a guest, saves it, and goes on with another from there, so that the first is like all others. */
static struct err *make(struct guest_vm_host *host, const struct guest_config *config, struct state *state,
			struct guest **ret)
{
	cleanup(cleanup_guest_) struct guest *g = NULL;
	int scale = strcmp(config->accel, "kvm") == 0 ? 1 : GUEST_SCALE_TCG;
	struct err *e = launch(host, config, NULL, &g);

	if (e)
		return e;
	e = guest_vm_await_hello(g, GUEST_BOOT_MS * scale);
	if (e && err_get_kind(e) == ERR_INTERRUPTED)
		return e;
	/* The caller finds out what is wrong with it, as with any guest: the hello is said again. */
	if (e) {
		err_free(e);
		err_free(ask_hello(g));
		*ret = take_ptr(g);
		return NULL;
	}
	e = save(g, state);
	domain_stop(take_ptr(g));
	return e ? e : go_on(host, config, state, ret);
}

/** Starts a guest from the saved boot of its configuration, which is made when there is none. */
static struct err *start_saved(struct guest_vm_host *host, const struct guest_config *config,
			       struct guest **ret)
{
	cleanup(cleanup_state_) struct state *state = NULL;
	char key[33];

	state_key(host, config, key);

	struct err *e = state_take(config->state_owner, key, &state);

	if (e)
		return e;
	if (state_dir(state)) {
		e = go_on(host, config, state, ret);
		/* The state is not to blame for an unsuitable host. */
		if (!e || err_get_kind(e) == ERR_INTERRUPTED || err_get_kind(e) == ERR_HOST)
			return e;
		log_error(err_wrap(e, "a guest is saved anew"));
		state_drop(state);
	}
	return make(host, config, state, ret);
}

static struct err *vm_start(void *ctx, const struct guest_config *config, struct guest **ret)
{
	struct guest_vm_host *host = ctx;

	return config->state_owner ? start_saved(host, config, ret) : launch(host, config, NULL, ret);
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
	.send = domain_send,
	.recv = domain_recv,
	.state = domain_state,
	.swap_written = domain_swap_written,
	.console = domain_console,
	.log = domain_log,
	.ending = domain_ending,
	.pressure = vm_pressure,
	.command_line = domain_command_line,
	.now_ms = vm_now_ms,
	.stop = domain_stop,
};
