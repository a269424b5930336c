/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/clock.h"
#include "harness/base/file.h"
#include "harness/base/hash.h"
#include "harness/base/log.h"
#include "harness/vm/guest-vm-internal.h"
#include "harness/vm/state-cache.h"

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

char *guest_vm_memory_path(const char *dir)
{
	return xasprintf("%s/memory", dir);
}

static char *scratch_path(const char *dir)
{
	return xasprintf("%s/scratch", dir);
}

struct err *guest_vm_get_scratch(const char *dir, const char *path)
{
	cleanup_free char *saved = scratch_path(dir);

	return file_copy(saved, path, 0600);
}

struct err *guest_vm_describe(struct guest_vm_host *host, const struct image *image, const char *user_disk)
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

	/* The manifest has the hashes of kernel and root disk; a user's disk has its content's in its path.
	 */
	cleanup(cleanup_json_) json_t *all = json_pack(
		"{s:O, s:s, s:s, s:O, s:s}", "image", image->manifest, "initramfs", initrd, "user_disk",
		user_disk ? user_disk : "", "software", software, "host_boot", strbuf_str(&boot));

	host->content = all ? json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	return host->content ? NULL : err_new("its manifest cannot be written as JSON");
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

/** Has the agent say hello again, for who waits for it. */
static struct err *ask_hello(struct guest *g)
{
	cleanup(cleanup_json_) json_t *request = json_pack("{s:s, s:i}", "type", "hello", "id", 0);

	return channel_send(g->channel, request);
}

/** Waits for a hello. *ret is false when none comes or when it says that the guest is unfit. */
static struct err *await_hello(struct guest *g, const struct guest_config *config, bool *ret)
{
	int scale = strcmp(config->accel, "kvm") == 0 ? 1 : GUEST_SCALE_TCG;
	int64_t end_ms = clock_ms() + (int64_t)GUEST_BOOT_MS * scale;

	*ret = false;
	while (clock_ms() < end_ms && domain_state(g->domain) == GUEST_RUNNING) {
		struct guest_msg *m = NULL;
		struct err *e = channel_recv(g->channel, 1000, &m);

		if (e && err_get_kind(e) == ERR_INTERRUPTED)
			return e;
		if (e) {
			err_free(e);
			return NULL;
		}
		if (!m)
			continue;

		const char *type = json_string_value(json_object_get(m->json, "type"));
		const char *error = json_string_value(json_object_get(m->json, "error"));
		bool is_hello = type && strcmp(type, "hello") == 0;

		*ret = is_hello && error && !*error;
		guest_msg_destroy(m);
		if (is_hello)
			return *ret ? NULL : ask_hello(g);
	}
	return NULL;
}

/** Writes a guest that waits for requests to its state. It has ended then. */
static struct err *save(struct guest *g, struct state *state)
{
	const char *dir;
	struct err *e = state_begin(state, &dir);

	if (e)
		return e;

	cleanup_free char *memory = guest_vm_memory_path(dir), *scratch = scratch_path(dir);

	e = domain_save(g->domain, memory);
	if (!e && g->scratch_disk)
		e = file_copy(g->scratch_disk, scratch, 0600);
	return e ? e : state_finish(state);
}

/** Starts a guest from a state that is there. */
static struct err *go_on(struct guest_vm_host *host, const struct guest_config *config,
			 const struct state *state, struct guest **ret)
{
	cleanup(cleanup_guest_) struct guest *g = NULL;
	struct err *e = guest_vm_launch(host, config, state_dir(state), &g);

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
	bool is_fit = false;
	struct err *e = guest_vm_launch(host, config, NULL, &g);

	if (!e)
		e = await_hello(g, config, &is_fit);
	if (e)
		return e;
	/* Who started it finds out what is wrong with it, as with any guest. */
	if (!is_fit) {
		*ret = take_ptr(g);
		return NULL;
	}
	e = save(g, state);
	guest_vm_stop(take_ptr(g));
	return e ? e : go_on(host, config, state, ret);
}

struct err *guest_vm_start_saved(struct guest_vm_host *host, const struct guest_config *config,
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
		/* A host that is unsuitable is no fault of the state. */
		if (!e || err_get_kind(e) == ERR_INTERRUPTED || err_get_kind(e) == ERR_HOST)
			return e;
		log_note("made anew: %s", err_message(e));
		err_free(e);
		state_drop(state);
	}
	return make(host, config, state, ret);
}
