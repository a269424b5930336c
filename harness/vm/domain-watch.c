/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/domain-watch.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/alloc.h"
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
	bool has_thread;
} watch = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

/** What is needed to end a guest; the call that waits for it may return meanwhile. */
struct victim {
	char *name, *dir;
	virConnectPtr virt;
	int pidfd;
};

static struct victim make_victim(const struct domain_watch *w)
{
	if (w->virt)
		virConnectRef(w->virt);
	return (struct victim){
		.name = xstrdup(w->name),
		.dir = xstrdup(w->dir),
		.virt = w->virt,
		.pidfd = w->pidfd >= 0 ? fcntl(w->pidfd, F_DUPFD_CLOEXEC, 0) : -1,
	};
}

/** Another user's QEMU. The daemon itself may hang: then keepalive ends this call too. */
static void destroy(const struct victim *v)
{
	virDomainPtr domain = virDomainLookupByName(v->virt, v->name);

	if (!domain)
		return;
	virDomainDestroy(domain);
	virDomainFree(domain);
}

static void end_guest(struct victim *v)
{
	unsigned n = 0;

	if (v->pidfd >= 0)
		n = pidfd_send_signal(v->pidfd, SIGKILL, NULL, 0) == 0;
	else
		err_free(qemu_end(v->dir, v->name, &n));
	if (!n && v->virt)
		destroy(v);
	if (v->pidfd >= 0)
		close(v->pidfd);
	if (v->virt)
		virConnectClose(v->virt);
	free(v->dir);
	free(v->name);
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

		struct victim victim = make_victim(first);

		pthread_mutex_unlock(&watch.lock);
		end_guest(&victim);
		pthread_mutex_lock(&watch.lock);
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
	pthread_mutex_lock(&watch.lock);
	if (!watch.has_thread)
		start_thread();
	w->next = watch.calls;
	watch.calls = w;
	pthread_cond_signal(&watch.changed);
	pthread_mutex_unlock(&watch.lock);
}

struct err *domain_watch_end(struct domain_watch *w, struct err *e)
{
	pthread_mutex_lock(&watch.lock);

	struct domain_watch **link = &watch.calls;

	while (*link != w)
		link = &(*link)->next;
	*link = w->next;
	pthread_mutex_unlock(&watch.lock);
	if (!w->is_late)
		return e;
	err_free(e);
	return err_new("%s took more than %d s, so the guest was killed", w->what, w->limit_ms / 1000);
}
