/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/virt.h"

#include <dlfcn.h>
#include <errno.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/clock.h"
#include "harness/base/thread.h"
#include "harness/host/qemu-process.h"

/** How soon the end of a QEMU process is seen by libvirt (see qemu-process.h); costs 50 wakeups in a second.
 */
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

struct err *virt_acquire(void)
{
	hold(&events.lock);

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

void virt_release(void)
{
	hold(&events.lock);
	if (--events.users > 0)
		return;
	/* The timer wakes the loop within a tick. */
	atomic_store(&events.stop, true);
	pthread_join(events.thread, NULL);
	/* Without a connection libvirt has no command running; what it asked QEMU for leaves some. */
	orphans_reap_all(true);
}

/** A connection being opened, by a thread of its own; freed by whoever is done with it last. */
struct opening {
	sem_t is_done;
	atomic_bool is_left; /* by one of the two */
	char *uri;
	virConnectPtr virt;
	struct err *error;
};

static void leave(struct opening *o)
{
	if (!atomic_exchange(&o->is_left, true))
		return;
	if (o->virt)
		virConnectClose(o->virt);
	err_free(o->error);
	sem_destroy(&o->is_done);
	free(o->uri);
	free(o);
}

static void *run_opening(void *arg)
{
	struct opening *o = arg;

	o->virt = virConnectOpen(o->uri);
	o->error = o->virt ? NULL : virt_error();
	sem_post(&o->is_done);
	leave(o);
	return NULL;
}

/** Waits for the opening thread; false when time is up. */
static bool wait_for(struct opening *o)
{
	int64_t until_ms = clock_ms() + OPEN_LIMIT_MS;
	struct timespec until = { .tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000 };

	return TEMP_FAILURE_RETRY(sem_clockwait(&o->is_done, CLOCK_MONOTONIC, &until)) == 0;
}

/** virConnectOpen() has no limit, and nothing breaks it off: a thread that hangs in it is left behind. */
static struct err *open_within_limit(const char *uri, virConnectPtr *ret)
{
	struct opening *o = xcalloc(1, sizeof(*o));
	struct err *e = NULL;
	pthread_t thread;

	sem_init(&o->is_done, 0, 0);
	o->uri = xstrdup(uri);

	int errnum = thread_start(&thread, run_opening, o);

	if (errnum) {
		atomic_store(&o->is_left, true);
		e = err_errno(errnum, "cannot start a thread");
	} else {
		pthread_detach(thread);
		if (!wait_for(o))
			e = err_new("libvirt's daemon does not answer within %d s", OPEN_LIMIT_MS / 1000);
		else if (!(e = take_ptr(o->error)))
			*ret = take_ptr(o->virt);
	}
	leave(o);
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

/** HOST of "//USER@HOST:PORT/", "" when there is none; an IPv6 address without its brackets. */
static char *find_host(const char *authority)
{
	size_t len = strcspn(authority, "/?#");
	const char *end = authority + len;
	const char *at = memrchr(authority, '@', len);
	const char *host = at ? at + 1 : authority;

	if (*host == '[') {
		host++;
		len = strcspn(host, "]/?#");
	} else {
		len = strcspn(host, ":/?#");
	}
	return xmemdup0(host, len < (size_t)(end - host) ? len : (size_t)(end - host));
}

bool virt_is_same_host(const char *a, const char *b)
{
	size_t a_len = strcspn(a, "."), b_len = strcspn(b, ".");

	/* Two full names are compared in full. */
	if (a[a_len] && b[b_len])
		return strcasecmp(a, b) == 0;
	return a_len > 0 && a_len == b_len && strncasecmp(a, b, a_len) == 0;
}

static bool is_this_machine(const char *host, const char *own_name)
{
	return strcasecmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 ||
	       strcmp(host, "::1") == 0 || virt_is_same_host(host, own_name);
}

struct err *virt_check_uri(const char *uri, const char *own_name, bool *ret)
{
	const char *colon = strstr(uri, "://");

	if (!colon)
		return err_new_kind(ERR_USAGE, "connection '%s' is not a URI such as 'qemu:///system'", uri);

	cleanup_free char *host = find_host(colon + 3);

	if (*host && !is_this_machine(host, own_name))
		return err_new_kind(
			ERR_USAGE,
			"connection '%s': guests can only run on this machine, where their sockets and disks are; run swapcal on '%s' itself, e.g. with --shard, and merge the results files",
			uri, host);
	*ret = *host != '\0';
	return NULL;
}
