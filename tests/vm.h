/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* For the programs of tests and benchmarks that run real guests. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/cancel.h"
#include "harness/base/cleanup.h"
#include "harness/image/image.h"
#include "harness/probe/probe.h"
#include "harness/vm/accel.h"
#include "harness/vm/guest-vm.h"

/** What guests need of their host. */
struct vm {
	struct image *image;
	struct domain_conn *conn;
	struct guest_vm_host *host;
	const char *accel;
};

static inline void vm_close(const struct vm *vm)
{
	guest_vm_host_destroy(vm->host);
	domain_conn_close(vm->conn);
	image_destroy(vm->image);
}
#define cleanup_vm cleanup(vm_close)

/** For guests of that image; user_disk may be NULL. What is in *vm must be closed, after an error too. */
static inline struct err *vm_open(const char *image, const char *user_disk, struct vm *vm)
{
	struct err *e = image_find(image, &vm->image);

	if (!e)
		e = domain_conn_open(NULL, &vm->conn);
	if (!e)
		e = accel_resolve("auto", vm->conn, &vm->accel);
	return e ? e : guest_vm_host_create(vm->conn, vm->image, user_disk, &vm->host);
}

/** The end of a program: tells the error, if any, and gives the exit status. */
static inline int vm_end(const char *program, struct err *e)
{
	if (!e)
		return 0;
	fprintf(stderr, "%s: %s\n", program, err_message(e));
	err_free(e);
	return 1;
}
