/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Guests side by side: `restored OWNER GUEST...` starts each, then asks all of them, and prints a line for
 * each, in their order: GUEST, where the agent has its stack, MemTotal in kB. GUEST is "boot" or the number
 * of a saved boot of that owner, from which the guest goes on; "+" before it: at the same time as the one
 * before. A guest has 128 MiB, and a scratch disk when its number is over 100. The agent has its stack at
 * random, once in each boot.
 */
#include <pthread.h>

#include "calibrate/evidence/text.h"
#include "guest/proto.h"
#include "harness/base/alloc.h"
#include "harness/base/strbuf.h"
#include "tests/vm.h"

#define GUESTS_MAX 8

struct start {
	const char *arg;
	char *name;
	struct guest_vm_host *host;
	struct guest_config config;
	pthread_t thread;
	struct guest *guest;
	struct err *error;
};

static void *start(void *arg)
{
	struct start *s = arg;

	s->error = guest_vm_ops.start(s->host, &s->config, &s->guest);
	return NULL;
}

/** What a file in the guest holds, to be freed. */
static struct err *read_file(struct guest *g, const char *path, char **ret)
{
	cleanup(cleanup_json_) json_t *request =
		json_pack("{s:s, s:i, s:s}", "type", "read", "id", 7, "path", path);
	struct strbuf text = STRBUF_INIT;
	struct err *e = guest_vm_ops.send(g, request);

	for (bool is_done = false; !e && !is_done;) {
		struct guest_msg *m = NULL;

		e = guest_vm_ops.recv(g, 60000, &m);
		if (!e && !m)
			e = err_new("the guest is silent");
		if (e)
			break;

		const char *type = json_string_value(json_object_get(m->json, "type"));

		if (strcmp(type, "file") == 0)
			strbuf_add(&text, m->payload, m->payload_len);
		is_done = strcmp(type, "reply") == 0;
		guest_msg_destroy(m);
	}
	*ret = strbuf_steal(&text);
	return e;
}

/** Tells of a guest; the scratch disk of one that has it must be what it was, as the guest has it mounted. */
static struct err *describe(const struct start *s)
{
	cleanup_free char *maps = NULL, *meminfo = NULL, *mounts = NULL;
	struct err *e = read_file(s->guest, "/proc/1/maps", &maps);
	uint64_t total_kib = 0;

	if (!e)
		e = read_file(s->guest, "/proc/meminfo", &meminfo);
	if (!e)
		e = read_file(s->guest, "/proc/mounts", &mounts);
	if (e)
		return e;

	const char *stack = strstr(maps, "[stack]");

	while (stack && stack > maps && stack[-1] != '\n')
		stack--;
	if (!stack || !text_get_number(meminfo, strlen(meminfo), "MemTotal", &total_kib))
		return err_new("no stack, or no MemTotal");
	printf("%s %.12s %llu %s\n", s->arg, stack, (unsigned long long)total_kib,
	       strstr(mounts, PROTO_SCRATCH_DIR) ? "scratch" : "-");
	return NULL;
}

static struct err *run(const char *owner, int n, char **args)
{
	cleanup_vm struct vm vm = { 0 };
	struct start starts[GUESTS_MAX] = { 0 };
	struct err *e = vm_open("bookworm", NULL, &vm);

	if (e)
		return e;
	for (int i = 0; i < n; i++) {
		struct start *s = &starts[i];
		unsigned number = (unsigned)strtoul(args[i], NULL, 10);

		s->arg = args[i];
		s->host = vm.host;
		s->name = xasprintf("swapcal-restored-%d-%d", (int)getpid(), i);
		s->config = (struct guest_config){ .name = s->name,
						   .accel = vm.accel,
						   .ram_mib = 128,
						   .swap_mib = 64,
						   .vcpus = 1,
						   .scratch_mib = number > 100 ? 16 : 0,
						   .state_number = number };
		s->config.state_owner = strcmp(args[i], "boot") == 0 ? NULL : owner;
		pthread_create(&s->thread, NULL, start, s);
		if (i + 1 == n || args[i + 1][0] != '+')
			for (int k = 0; k <= i; k++)
				if (starts[k].thread) {
					pthread_join(starts[k].thread, NULL);
					starts[k].thread = 0;
				}
	}
	for (int i = 0; i < n; i++) {
		if (!e)
			e = starts[i].error ? starts[i].error : describe(&starts[i]);
		else
			err_free(starts[i].error);
	}
	for (int i = 0; i < n; i++) {
		if (starts[i].guest)
			guest_vm_ops.stop(starts[i].guest);
		free(starts[i].name);
	}
	return e;
}

int main(int argc, char **argv)
{
	if (argc < 3 || argc > 2 + GUESTS_MAX) {
		fprintf(stderr, "usage: restored OWNER GUEST...\n");
		return 2;
	}
	cancel_install();
	return vm_end("restored", run(argv[1], argc - 2, argv + 2));
}
