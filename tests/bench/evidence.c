/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * For the benchmark: what a snapshot of 8 PyPy processes of some 20 MiB each costs beside one listing by smem
 * in the same guest. `evidence ROUNDS` prints a line a round, microseconds, tab separated: smem, evidence,
 * frozen. smem is timed by the host's clock from the order to start it until its end is reported; the rest is
 * what the agent says.
 */
#include <inttypes.h>

#include "harness/base/alloc.h"
#include "tests/vm.h"

#define PROCESSES 8

/* Nothing asked here takes as long; an emulated guest takes seconds to start PyPy. */
#define WAIT_MS 120000

#define SAY_READY                                                                                            \
	"import os, time\n"                                                                                  \
	"os.write(int(os.environ['SWAPCAL_CHECKPOINT_FD']), b'checkpoint ready\\n')\n"                       \
	"time.sleep(1e6)\n"

static const char heap_program[] = "l = [(b'%8d' % i) * 128 for i in range(19 << 10)]\n" SAY_READY;

struct bench {
	struct guest *guest;
	json_int_t id;
	size_t payload_bytes; /* of files since the last request */
	uint64_t freeze_us, evidence_us, frozen_us;
};

static const char *get_str(const struct guest_msg *m, const char *key)
{
	const char *s = json_string_value(json_object_get(m->json, key));

	return s ? s : "";
}

static void take_file(struct bench *b, const struct guest_msg *m)
{
	b->payload_bytes += m->payload_len;
	if (*get_str(m, "error"))
		fprintf(stderr, "evidence: %s: %s\n", get_str(m, "name"), get_str(m, "error"));
	if (strcmp(get_str(m, "name"), "agent") != 0)
		return;

	cleanup_free char *text = xmemdup0(m->payload, m->payload_len);

	if (sscanf(text, "freeze_us %" SCNu64 " evidence_us %" SCNu64 " frozen_us %" SCNu64, &b->freeze_us,
		   &b->evidence_us, &b->frozen_us) != 3)
		b->evidence_us = 0;
}

/* Waits for the next message of that type; *ret, if asked for, is the caller's. */
static struct err *wait_for(struct bench *b, const char *type, struct guest_msg **ret)
{
	for (;;) {
		struct guest_msg *m = NULL;
		struct err *e = guest_vm_ops.recv(b->guest, WAIT_MS, &m);

		if (e)
			return e;
		if (!m)
			return err_new("the guest says nothing for %d ms (waiting for '%s')", WAIT_MS, type);
		if (strcmp(get_str(m, "type"), "file") == 0)
			take_file(b, m);
		if (strcmp(get_str(m, "type"), type) == 0) {
			if (ret)
				*ret = m;
			else
				guest_msg_destroy(m);
			return NULL;
		}
		guest_msg_destroy(m);
	}
}

/* Sends a request, which is taken over, and waits for its reply. */
static struct err *call(struct bench *b, json_t *request)
{
	struct guest_msg *m = NULL;

	json_object_set_new(request, "id", json_integer(++b->id));
	b->payload_bytes = 0;

	struct err *e = guest_vm_ops.send(b->guest, request);

	json_decref(request);
	if (!e)
		e = wait_for(b, "reply", &m);
	if (e)
		return e;
	if (!json_is_true(json_object_get(m->json, "ok")))
		e = err_new("%s", get_str(m, "error"));
	guest_msg_destroy(m);
	return e;
}

static struct err *call_type(struct bench *b, const char *type)
{
	return call(b, json_pack("{s:s, s:s, s:s}", "type", type, "name", "bench", "group", "load"));
}

static struct err *start(struct bench *b, const char *program, const char *option, const char *argument)
{
	json_t *argv = option ? json_pack("[s, s, s]", program, option, argument) : json_pack("[s]", program);

	return call(b, json_pack("{s:s, s:s, s:o, s:[s], s:b}", "type", "start", "group", "load", "argv",
				 argv, "env", "PATH=/usr/bin:/bin", "chroot", 1));
}

static struct err *start_loads(struct bench *b, unsigned n, const char *program)
{
	struct err *e = NULL;

	/* One after the other: each speaks when its memory is there. */
	for (unsigned i = 0; !e && i < n; i++) {
		e = start(b, "/usr/bin/pypy3", "-c", program);
		if (!e)
			e = wait_for(b, "checkpoint", NULL);
	}
	return e;
}

static struct err *time_smem(struct bench *b, int64_t *ret_us)
{
	int64_t begin_ms = guest_vm_ops.now_ms(b->guest);
	struct guest_msg *m = NULL;
	struct err *e = start(b, "/usr/bin/smem", NULL, NULL);

	if (!e)
		e = wait_for(b, "exit", &m);
	if (e)
		return e;
	*ret_us = (guest_vm_ops.now_ms(b->guest) - begin_ms) * 1000;
	if (json_integer_value(json_object_get(m->json, "status")) != 0)
		e = err_new("smem failed");
	guest_msg_destroy(m);
	return e;
}

static struct err *time_snapshot(struct bench *b)
{
	struct err *e = call_type(b, "freeze");

	b->evidence_us = 0;
	if (!e)
		e = call_type(b, "snapshot");
	fprintf(stderr, "evidence: %zu KiB\n", b->payload_bytes / 1024);
	if (!e)
		e = call_type(b, "thaw");
	if (!e && !b->evidence_us)
		e = err_new("the agent does not tell what the snapshot cost");
	return e;
}

static struct err *compare(struct bench *b, int rounds)
{
	int64_t smem_us = 0;
	struct err *e = start_loads(b, PROCESSES, heap_program);

	/* Not counted: it reads smem's modules from disk. */
	if (!e)
		e = time_smem(b, &smem_us);
	for (int i = 0; !e && i < rounds; i++) {
		e = time_smem(b, &smem_us);
		if (!e)
			e = time_snapshot(b);
		if (!e)
			printf("%" PRId64 "\t%" PRIu64 "\t%" PRIu64 "\n", smem_us, b->evidence_us,
			       b->frozen_us);
	}
	return e;
}

static struct err *run(int rounds)
{
	cleanup_vm struct vm vm = { 0 };
	struct guest_config config = {
		.name = "swapcal-bench-evidence", .ram_mib = 1024, .swap_mib = 64, .vcpus = 1, .seed = 1
	};
	struct bench b = { 0 };
	struct err *e = vm_open("bookworm", NULL, &vm);

	config.accel = vm.accel;
	if (!e)
		e = guest_vm_ops.start(vm.host, &config, &b.guest);
	if (e)
		return e;
	e = wait_for(&b, "hello", NULL);
	if (!e)
		e = compare(&b, rounds);
	guest_vm_ops.stop(b.guest);
	return e;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: evidence ROUNDS\n");
		return 2;
	}
	cancel_install();
	return vm_end("evidence", run(atoi(argv[1])));
}
