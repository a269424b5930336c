/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/domain-watch.h"

#include <pthread.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <time.h>

#include "harness/base/clock.h"
#include "harness/base/log.h"
#include "harness/base/thread.h"
#include "harness/host/qemu-process.h"

/** A QEMU that is not there yet when the time is up, or is not to be found, is looked for again so often. */
#define AGAIN_MS 1000

/** The calls under way, and the thread that watches them, which lives from the first call on. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct domain_watch *calls;
	const struct domain_watch *late; /* whose guest is being ended: stays until that is done */
	bool has_thread;
} watch = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

/** Another user's QEMU. The daemon itself may hang: then keepalive ends this call too. */
static void destroy(const struct domain_watch *w)
{
	virDomainPtr domain = virDomainLookupByName(w->virt, w->name);

	if (!domain)
		return;
	virDomainDestroy(domain);
	virDomainFree(domain);
}

static void end_guest(const struct domain_watch *w)
{
	unsigned n = 0;

	if (w->pidfd >= 0)
		n = pidfd_send_signal(w->pidfd, SIGKILL, NULL, 0) == 0;
	else
		err_free(qemu_end(w->dir, w->name, &n));
	if (!n && w->virt)
		destroy(w);
}

/** The call that is due first; NULL: none. */
static struct domain_watch *find_first(void)
{
	struct domain_watch *first = NULL;

	for (struct domain_watch *w = watch.calls; w; w = w->next)
		if (!first || w->deadline_ms < first->deadline_ms)
			first = w;
	return first;
}

static void wait_until(const struct domain_watch *first)
{
	struct timespec until;

	if (!first) {
		pthread_cond_wait(&watch.changed, &watch.lock);
		return;
	}
	until.tv_sec = first->deadline_ms / 1000;
	until.tv_nsec = first->deadline_ms % 1000 * 1000000;
	pthread_cond_clockwait(&watch.changed, &watch.lock, CLOCK_MONOTONIC, &until);
}

static void *run_watch(void *arg)
{
	pthread_mutex_lock(&watch.lock);
	for (;;) {
		struct domain_watch *first = find_first();

		if (!first || first->deadline_ms > clock_ms()) {
			wait_until(first);
			continue;
		}
		first->is_late = true;
		first->deadline_ms = clock_ms() + AGAIN_MS;
		watch.late = first;
		pthread_mutex_unlock(&watch.lock);
		end_guest(first);
		pthread_mutex_lock(&watch.lock);
		watch.late = NULL;
		pthread_cond_broadcast(&watch.changed);
	}
	return arg;
}

/** Called with the lock held. */
static void start_thread(void)
{
	pthread_t thread;

	watch.has_thread = thread_start(&thread, run_watch, NULL) == 0;
	if (watch.has_thread)
		pthread_detach(thread);
	else
		log_note("cannot start the thread that watches calls of libvirt");
}

void domain_watch_begin(struct domain_watch *w, virConnectPtr virt, const char *dir, const char *name,
			int pidfd, const char *what, int limit_ms)
{
	log_debug(LOG_DOMAIN, "%s: %s", *name ? name : "connection", what);
	*w = (struct domain_watch){
		.what = what,
		.name = name,
		.dir = dir,
		.virt = virt,
		.pidfd = pidfd,
		.limit_ms = limit_ms,
		.deadline_ms = clock_ms() + limit_ms,
	};
	hold(&watch.lock);
	if (!watch.has_thread)
		start_thread();
	w->next = watch.calls;
	watch.calls = w;
	pthread_cond_broadcast(&watch.changed);
}

struct err *domain_watch_end(struct domain_watch *w, struct err *e)
{
	hold(&watch.lock);
	while (watch.late == w)
		pthread_cond_wait(&watch.changed, &watch.lock);

	struct domain_watch **link = &watch.calls;

	while (*link != w)
		link = &(*link)->next;
	*link = w->next;
	if (!w->is_late)
		return e;
	err_free(e);
	return err_new("%s took more than %d s, so the guest was killed", w->what, w->limit_ms / 1000);
}
