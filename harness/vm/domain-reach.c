/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include "harness/base/alloc.h"
#include "harness/base/cancel.h"
#include "harness/base/clock.h"
#include "harness/base/log.h"
#include "harness/base/thread.h"
#include "harness/vm/domain-internal.h"

/* Reaching the driver: opening a connection within bounds, and anew after its daemon was restarted. */

/** A daemon answers in milliseconds, one that has just been started in seconds. */
#define OPEN_LIMIT_MS 30000

/** A daemon that is silent for so many seconds is asked, and so many times, until the connection is dropped.
 */
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_COUNT      5

/** Pauses before each attempt to connect again: a restart takes seconds, an upgrade of packages a minute. */
static const int retry_pause_ms[] = { 500, 1000, 2000, 5000, 10000, 20000, 30000 };
#define RETRIES ((int)(sizeof(retry_pause_ms) / sizeof(retry_pause_ms[0])))

/** A connection being opened, by a thread of its own; freed by whoever is done with it last. */
struct opening {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char *uri;
	virConnectPtr virt;
	char *error;
	bool is_done, is_given_up;
};

static void free_opening(struct opening *o)
{
	if (o->virt)
		virConnectClose(o->virt);
	pthread_cond_destroy(&o->changed);
	pthread_mutex_destroy(&o->lock);
	free(o->error);
	free(o->uri);
	free(o);
}

static void *run_opening(void *arg)
{
	struct opening *o = arg;
	virConnectPtr virt = virConnectOpen(o->uri);
	struct err *e = virt ? NULL : domain_virt_error();

	pthread_mutex_lock(&o->lock);
	o->virt = virt;
	o->error = e ? xstrdup(err_message(e)) : NULL;
	o->is_done = true;

	bool is_mine = o->is_given_up;

	pthread_cond_signal(&o->changed);
	pthread_mutex_unlock(&o->lock);
	err_free(e);
	if (is_mine)
		free_opening(o);
	return NULL;
}

/** Waits for the opening thread; false when time is up. Called with its lock held. */
static bool wait_for(struct opening *o)
{
	int64_t until_ms = clock_ms() + OPEN_LIMIT_MS;
	struct timespec until = { .tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000 };

	while (!o->is_done)
		if (pthread_cond_clockwait(&o->changed, &o->lock, CLOCK_MONOTONIC, &until) == ETIMEDOUT)
			return o->is_done;
	return true;
}

/** virConnectOpen() has no limit, and nothing breaks it off: a thread that hangs in it is left behind. */
static struct err *open_within_limit(const char *uri, virConnectPtr *ret)
{
	struct opening *o = xcalloc(1, sizeof(*o));
	struct err *e = NULL;
	pthread_t thread;

	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->changed, NULL);
	o->uri = xstrdup(uri);

	int errnum = thread_start(&thread, run_opening, o);

	if (errnum) {
		free_opening(o);
		return err_errno(errnum, "cannot start a thread");
	}
	pthread_detach(thread);
	pthread_mutex_lock(&o->lock);
	if (!wait_for(o)) {
		o->is_given_up = true;
		pthread_mutex_unlock(&o->lock);
		return err_new("libvirt's daemon does not answer within %d s", OPEN_LIMIT_MS / 1000);
	}
	pthread_mutex_unlock(&o->lock);
	if (o->virt)
		*ret = take_ptr(o->virt);
	else
		e = err_new("%s", o->error);
	free_opening(o);
	return e;
}

struct err *domain_virt_open(const char *uri, bool is_embedded, virConnectPtr *ret)
{
	struct err *e = NULL;

	if (!is_embedded)
		e = open_within_limit(uri, ret);
	else if (!(*ret = virConnectOpen(uri)))
		e = domain_virt_error();
	if (e)
		return err_set_kind(err_wrap(e, "cannot connect to '%s'", uri), ERR_HOST);
	/* Refused by the drivers that have no daemon. */
	if (!is_embedded)
		virConnectSetKeepAlive(*ret, KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT);
	return NULL;
}

virConnectPtr domain_conn_get(struct domain_conn *conn)
{
	pthread_mutex_lock(&conn->lock);

	virConnectPtr virt = conn->virt;

	virConnectRef(virt);
	pthread_mutex_unlock(&conn->lock);
	if (virConnectIsAlive(virt) == 1)
		return virt;
	virConnectClose(virt);
	return NULL;
}

/** Waits, unless the user asks to stop. */
static struct err *pause_ms(int ms)
{
	struct pollfd pollfd = { .fd = cancel_fd(), .events = POLLIN };

	poll(&pollfd, 1, ms);
	return cancel_requested() ? cancel_error() : NULL;
}

/** Called with conn->reach_lock held. */
static struct err *reconnect(struct domain_conn *conn)
{
	virConnectPtr virt = NULL, old;
	struct err *e = NULL;

	log_note("connection '%s' was lost; connecting again", conn->uri);
	for (int i = 0; !virt && i < RETRIES; i++) {
		err_free(e);
		e = pause_ms(retry_pause_ms[i]);
		if (!e)
			e = domain_virt_open(conn->uri, false, &virt);
		if (e && err_get_kind(e) == ERR_INTERRUPTED)
			return e;
	}
	if (!virt)
		return err_wrap(e, "connection lost, and not found again in %d attempts", RETRIES);
	log_note("connection '%s' is there again", conn->uri);
	pthread_mutex_lock(&conn->lock);
	old = conn->virt;
	conn->virt = virt;
	pthread_mutex_unlock(&conn->lock);
	/* Guests of it that live on keep it until they find the new one. */
	virConnectClose(old);
	return NULL;
}

struct err *domain_conn_ensure(struct domain_conn *conn, virConnectPtr *ret)
{
	virConnectPtr virt = domain_conn_get(conn);
	int64_t asked_ms = clock_ms();
	struct err *e = NULL;

	if (!virt) {
		/* Who waits here finds what the first one has found: a connection, or none. */
		pthread_mutex_lock(&conn->reach_lock);
		virt = domain_conn_get(conn);
		if (!virt && conn->failed_ms < asked_ms)
			e = reconnect(conn);
		if (e)
			conn->failed_ms = clock_ms();
		pthread_mutex_unlock(&conn->reach_lock);
		if (!e && !virt)
			virt = domain_conn_get(conn);
	}
	if (!e && !virt)
		e = err_new_kind(ERR_HOST, "connection '%s' was lost", conn->uri);
	if (!e)
		*ret = virt;
	return e;
}
