/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <libvirt/libvirt.h>
#include <stdbool.h>
#include <stdint.h>

#include "harness/base/err.h"

/*
 * libvirt waits for QEMU without a limit, also for one that is stopped or hangs. What may wait so stands
 * between domain_watch_begin() and domain_watch_end(): when the time is up, a thread kills the guest's QEMU,
 * whereupon the call returns.
 */

/** A call under way; belongs to the caller, the members to domain-watch.c. */
struct domain_watch {
	struct domain_watch *next;
	const char *what, *name, *dir;
	virConnectPtr virt;
	int pidfd;
	int limit_ms;
	int64_t deadline_ms;
	bool is_late;
};

/**
 * From now on the call `what` about guest `name` must end within limit_ms. Strings are borrowed until
 * domain_watch_end(). pidfd: the guest's QEMU; -1 when it is not known yet, then it is found by its name and
 * the work directory dir (see qemu_end()), which also ends processes that libvirt asks for QEMU's abilities.
 * A QEMU that we may not kill is destroyed through virt; NULL: an embedded driver's, which is ours to kill.
 */
void domain_watch_begin(struct domain_watch *w, virConnectPtr virt, const char *dir, const char *name,
			int pidfd, const char *what, int limit_ms);

/** The call is over, with that error or NULL. Returns e, or an error in its place that says what took too
 * long. */
struct err *domain_watch_end(struct domain_watch *w, struct err *e) must_check;
