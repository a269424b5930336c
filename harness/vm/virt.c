/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/virt.h"

#include <dlfcn.h>
#include <errno.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/clock.h"
#include "harness/base/thread.h"
#include "harness/host/orphans.h"

/** How soon the end of a QEMU process is seen by libvirt (see orphans.h); costs 50 wakeups in a second. */
#define REAP_TICK_MS 20

/** A daemon answers in milliseconds, one that has just been started in seconds. */
#define OPEN_LIMIT_MS 30000

/** A daemon that is silent for so many seconds is asked, so many times until the connection is dropped. */
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_COUNT      5

/** What connections of one process share. */
static struct {
	pthread_mutex_t lock;
	bool is_initialized;
	unsigned users;
	pthread_t thread;
	atomic_bool stop;
} events = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct err *virt_error(void)
{
	virErrorPtr error = virGetLastError();

	return err_new("libvirt: %s", error && error->message ? error->message : "unknown error");
}

/*
 * Stands before libvirt's own, also for libguestfs, which calls it before main(): only then does libvirt read
 * how much it is to log. Without this it warns on standard error about each guest whose definition asks for
 * something unusual.
 */
int virInitialize(void)
{
	static const char name[] = "LIBVIRT_LOG_FILTERS";
	int (*next)(void) = (int (*)(void))dlsym(RTLD_NEXT, "virInitialize");
	bool is_set = getenv(name);
	int rc;

	setenv(name, "4:qemu.qemu_domain", 0);
	rc = next ? next() : -1;
	if (!is_set)
		unsetenv(name);
	return rc;
}

static void ignore_error(void *arg, virErrorPtr error)
{
	(void)arg;
	(void)error;
}

static void tick(int timer, void *arg)
{
	(void)timer;
	(void)arg;
	orphans_reap();
}

static void *run_events(void *arg)
{
	while (!atomic_load(&events.stop))
		if (virEventRunDefaultImpl() < 0)
			/*
			 * Cannot happen but by a lack of memory or descriptors; do not spin until it
			 * passes.
			 */
			usleep(REAP_TICK_MS * 1000);
	return arg;
}

/** The first time: prepares libvirt. */
static struct err *initialize(void)
{
	virSetErrorFunc(NULL, ignore_error);
	if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0 ||
	    virEventAddTimeout(REAP_TICK_MS, tick, NULL, NULL) < 0)
		return virt_error();
	orphans_adopt();
	events.is_initialized = true;
	return NULL;
}

/** Has the event loop running for one more connection. Called with the lock held, like remove_user(). */
static struct err *add_user(void)
{
	struct err *e = events.is_initialized ? NULL : initialize();

	if (e || events.users++ > 0)
		return e;
	atomic_store(&events.stop, false);

	int errnum = thread_start(&events.thread, run_events, NULL);

	if (!errnum)
		return NULL;
	events.users--;
	return err_errno(errnum, "cannot start the event thread");
}

static void remove_user(void)
{
	if (--events.users > 0)
		return;
	/* The timer wakes the loop within a tick. */
	atomic_store(&events.stop, true);
	pthread_join(events.thread, NULL);
	/* Without a connection libvirt has no command running; what it asked QEMU for leaves some. */
	orphans_reap_leaders();
}

struct err *virt_acquire(void)
{
	pthread_mutex_lock(&events.lock);

	struct err *e = add_user();

	pthread_mutex_unlock(&events.lock);
	return e;
}

void virt_release(void)
{
	pthread_mutex_lock(&events.lock);
	remove_user();
	pthread_mutex_unlock(&events.lock);
}

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
	struct err *e = virt ? NULL : virt_error();

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

struct err *virt_connect(const char *uri, bool is_embedded, virConnectPtr *ret)
{
	struct err *e = NULL;

	if (is_embedded) {
		/* It makes directories as the umask has it: QEMU's user must get through, and nobody may
		 * write. */
		umask(022);
		*ret = virConnectOpen(uri);
		e = *ret ? NULL : virt_error();
	} else {
		e = open_within_limit(uri, ret);
	}
	if (e)
		return err_set_kind(err_wrap(e, "cannot connect to '%s'", uri), ERR_HOST);
	/* Refused by the drivers that have no daemon. */
	if (!is_embedded)
		virConnectSetKeepAlive(*ret, KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT);
	return NULL;
}
