/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_DOMAIN_INTERNAL_H
#define SWAPCAL_DOMAIN_INTERNAL_H

#include <libvirt/libvirt.h>
#include <pthread.h>

#include "harness/vm/domain.h"
#include "harness/host/stage.h"
#include "harness/host/workdir.h"

/*
 * Shared by domain-conn.c (the connection), domain-reach.c (connecting) and domain.c (the guests), and by
 * nothing else.
 */

struct domain_conn {
	virConnectPtr virt; /* once there are guests: see domain_conn_get() */
	char *uri;
	bool is_embedded;
	struct workdir *workdir;
	struct stage_user user;
	char *dac_label;            /* NULL: QEMU's user is ours, or the driver's affair */
	pthread_mutex_t lock;       /* guards virt, the lists and the staged files */
	pthread_mutex_t reach_lock; /* held while connecting again; guards failed_ms */
	int64_t failed_ms;          /* when that failed last */
	struct domain *domains;
	struct domain *ended; /* the process is gone, libvirt may be busy with it */
};

/** libvirt's last error in this thread. */
struct err *domain_virt_error(void) must_check;

/** Opens a connection within 30 s; one to a daemon that hangs later breaks by itself within half a minute. */
struct err *domain_virt_open(const char *uri, bool is_embedded, virConnectPtr *ret) must_check;

/** The connection with a reference for the caller, or NULL when it is lost. */
virConnectPtr domain_conn_get(struct domain_conn *conn);

/**
 * The same, and a lost one is opened again, with pauses for about a minute, which is said with log_note().
 * An error of kind ERR_HOST when that fails: then no guest can be started.
 */
struct err *domain_conn_ensure(struct domain_conn *conn, virConnectPtr *ret) must_check;

/** Forgets the guests that ended at least age_ms ago, and those of this name (NULL: none). */
void domain_forget_ended(struct domain_conn *conn, int64_t age_ms, const char *name);

#endif
