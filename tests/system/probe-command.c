/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One real guest life with any command as its load: `probe-command RAM_MIB COMMAND...` prints "OUTCOME: REASON". For system tests of
 * what plans cannot ask for, such as a guest that panics.
 */
#include <stdlib.h>

#include "harness/accel.h"
#include "harness/base/cancel.h"
#include "harness/base/cleanup.h"
#include "harness/guest-vm.h"
#include "harness/image.h"
#include "harness/probe.h"

static struct err *run(unsigned ram_mib, const char *const *argv)
{
	cleanup(cleanup_image_) struct image *image = NULL;
	cleanup(cleanup_domain_conn_) struct domain_conn *conn = NULL;
	cleanup(cleanup_host_) struct guest_vm_host *host = NULL;
	const char *accel;
	struct probe_record r;
	struct err *e = image_find("bookworm", &image);

	if (!e)
		e = domain_conn_open(NULL, &conn);
	if (!e)
		e = accel_resolve("auto", conn, &accel);
	if (!e)
		e = guest_vm_host_create(conn, image, NULL, &host);
	if (e)
		return e;

	struct probe_spec spec = {
		.cell_key = "0",
		.kind = PROBE_GROWTH,
		.guest = { .name = "swapcal-command-0", .accel = accel, .ram_mib = ram_mib, .swap_mib = 128, .vcpus = 1, .seed = 1 },
		.swappiness = 60,
		.thp = "never",
		.rule = onset_rule_find("so32"),
		.tick_ms = 20,
		.settle_ms = 1000,
		.argv = argv,
		.is_in_image = true,
	};

	e = probe_run(&guest_vm_ops, host, &spec, NULL, NULL, &r);
	if (e)
		return e;
	printf("%s: %s\n", outcome_name(r.outcome), r.reason);
	probe_record_deinit(&r);
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: probe-command RAM_MIB COMMAND...\n");
		return 2;
	}
	cancel_install();

	struct err *e = run((unsigned)atoi(argv[1]), (const char *const *)argv + 2);

	if (!e)
		return 0;
	fprintf(stderr, "probe-command: %s\n", err_message(e));
	err_free(e);
	return 1;
}
