/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_DOMAIN_INTERNAL_H
#define SWAPCAL_DOMAIN_INTERNAL_H

#include <libvirt/libvirt.h>
#include <pthread.h>

#include "harness/domain.h"
#include "harness/stage.h"
#include "harness/workdir.h"

/*
 * Shared by domain-conn.c (the connection) and domain.c (the guests), and by nothing else.
 */

struct domain_conn {
	virConnectPtr virt;
	char *uri;
	bool is_embedded;
	struct workdir *workdir;
	struct stage_user user;
	char *dac_label;      /* NULL: QEMU's user is ours, or the driver's affair */
	pthread_mutex_t lock; /* guards the lists and the staged files */
	struct domain *domains;
	struct domain *ended; /* the process is gone, libvirt may be busy with it */
};

/** libvirt's last error in this thread. */
struct err *domain_virt_error(void) must_check;

/** Forgets the guests that ended at least age_ms ago, and those of this name (NULL: none). */
void domain_forget_ended(struct domain_conn *conn, int64_t age_ms, const char *name);

#endif
