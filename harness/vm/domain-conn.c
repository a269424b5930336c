/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <libvirt/virterror.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/base/thread.h"
#include "harness/vm/domain-internal.h"
#include "harness/vm/domain-watch.h"
#include "harness/vm/domain-uri.h"
#include "harness/vm/domain-xml.h"
#include "harness/host/orphans.h"
#include "harness/host/qemu-process.h"
#include "harness/host/workdir.h"

/** How soon the end of a QEMU process is seen by libvirt (see orphans.h); costs 50 wakeups in a second. */
#define REAP_TICK_MS 20

/** QEMU tells what it can do in a second, on a busy machine in some; it is asked in several ways. */
#define ABILITIES_LIMIT_MS 60000

/**
 * What connections of one process share: the event loop, and the one root that libvirt's embedded driver
 * can have.
 */
static struct {
	pthread_mutex_t lock;
	bool is_initialized;
	unsigned users;
	pthread_t thread;
	atomic_bool stop;
	struct workdir *embedded_workdir;
	unsigned embedded_users;
} process = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct err *domain_virt_error(void)
{
	virErrorPtr error = virGetLastError();

	return err_new("libvirt: %s", error && error->message ? error->message : "unknown error");
}

/*
 * Stands before libvirt's own, also for libguestfs, which calls it before main(): only then does libvirt read
 * how much it is to log. Else it warns on standard error of each guest whose definition asks for something
 * unusual.
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
	while (!atomic_load(&process.stop))
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
		return domain_virt_error();
	orphans_adopt();
	process.is_initialized = true;
	return NULL;
}

/**
 * Has the event loop running for one more connection. Called with the process locked, like
 * release_events().
 */
static struct err *acquire_events(void)
{
	struct err *e = process.is_initialized ? NULL : initialize();

	if (e || process.users++ > 0)
		return e;
	atomic_store(&process.stop, false);

	int errnum = thread_start(&process.thread, run_events, NULL);

	if (!errnum)
		return NULL;
	process.users--;
	return err_errno(errnum, "cannot start the event thread");
}

static void release_events(void)
{
	if (--process.users > 0)
		return;
	/* The timer wakes the loop within a tick. */
	atomic_store(&process.stop, true);
	pthread_join(process.thread, NULL);
	/* Without a connection libvirt has no command running; what it asked QEMU for leaves some. */
	orphans_reap_leaders();
}

/** A tunnel may begin here and end elsewhere. */
static struct err *check_hostname(const struct domain_conn *conn, const char *own_name)
{
	cleanup_free char *name = virConnectGetHostname(conn->virt);

	if (!name || domain_uri_is_same_host(name, own_name))
		return NULL;
	return err_new_kind(ERR_USAGE, "connection '%s' leads to '%s', which is not this machine ('%s')",
			    conn->uri, name, own_name);
}

/** What follows may have libvirt start a QEMU to find out what it can do; one that hangs is ended. */
static void watch_abilities(struct domain_watch *w, const struct domain_conn *conn)
{
	domain_watch_begin(w, conn->is_embedded ? NULL : conn->virt, workdir_root(conn->workdir), "", -1,
			   "asking QEMU for its abilities", ABILITIES_LIMIT_MS);
}

/**
 * Asks the driver whom it runs QEMU as; it says "+uid:+gid" when that is not the user of the driver itself.
 */
static void find_user(struct domain_conn *conn)
{
	struct domain_watch watch;

	watch_abilities(&watch, conn);

	cleanup_free char *xml = virConnectGetCapabilities(conn->virt);

	err_free(domain_watch_end(&watch, NULL));

	const char *p = xml ? strstr(xml, "<model>dac</model>") : NULL;
	cleanup_free char *label = domain_xml_element(p, "baselabel");
	unsigned uid, gid;

	stage_user_init(&conn->user, geteuid(), getegid());
	if (!label || sscanf(label, "+%u:+%u", &uid, &gid) != 2)
		return;
	stage_user_init(&conn->user, uid, gid);
	conn->dac_label = take_ptr(label);
}

/** Is it a guest of ours whose process has ended? */
static bool is_left_behind(virDomainPtr domain)
{
	cleanup_free char *description =
		virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_DESCRIPTION, NULL, 0);
	const char *name = virDomainGetName(domain);

	return name && strncmp(name, DOMAIN_NAME_PREFIX, strlen(DOMAIN_NAME_PREFIX)) == 0 && description &&
	       qemu_owner_is_dead(description);
}

/** For drivers that others use too; in an embedded one the work directory has told. */
static void end_left_behind(virConnectPtr virt)
{
	virDomainPtr *domains = NULL;
	int n = virConnectListAllDomains(virt, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
	unsigned ended = 0;

	for (int i = 0; i < n; i++) {
		if (is_left_behind(domains[i]) && virDomainDestroy(domains[i]) == 0)
			ended++;
		virDomainFree(domains[i]);
	}
	free(domains);
	if (ended)
		log_note("ended %u guest%s that a dead run left behind", ended, ended == 1 ? "" : "s");
}

static struct err *open_workdir(struct domain_conn *conn)
{
	if (!conn->is_embedded)
		return workdir_open(NULL, &conn->workdir);
	if (!process.embedded_workdir) {
		struct err *e = workdir_open(NULL, &process.embedded_workdir);

		if (e)
			return e;
	}
	conn->workdir = process.embedded_workdir;
	process.embedded_users++;
	return NULL;
}

/** Configures the embedded driver for this work directory. */
static struct err *configure_embedded(struct domain_conn *conn)
{
	const char *root = workdir_root(conn->workdir);
	cleanup_free char *dir = xasprintf("%s/etc", root);
	cleanup_free char *path = xasprintf("%s/qemu.conf", dir);
	struct stage_user user;
	struct err *e = file_mkdirs(dir, 0755);

	stage_user_for_qemu(&user);
	/* libvirt makes directories as the user's umask has it: QEMU's user must get through, and nobody may
	 * write. */
	umask(022);

	cleanup_free char *conf = domain_xml_qemu_conf(geteuid() == 0, user.uid, user.gid);

	if (!e)
		e = file_write_atomic(path, conf, strlen(conf), 0644);
	free(conn->uri);
	conn->uri = xasprintf("qemu:///embed?root=%s", root);
	return e;
}

/** own_name: what the other end must be called; NULL when it is this machine anyway. */
static struct err *open_locked(struct domain_conn *conn, const char *own_name)
{
	struct err *e = open_workdir(conn);

	if (!e && conn->is_embedded)
		e = configure_embedded(conn);
	if (!e)
		e = acquire_events();
	if (e)
		return e;
	e = domain_virt_open(conn->uri, conn->is_embedded, &conn->virt);
	if (e) {
		release_events();
		return e;
	}
	e = own_name ? check_hostname(conn, own_name) : NULL;
	if (e)
		return e;
	find_user(conn);
	if (!conn->is_embedded)
		end_left_behind(conn->virt);
	return NULL;
}

static void close_locked(struct domain_conn *conn)
{
	if (conn->virt) {
		virConnectClose(conn->virt);
		release_events();
	}
	if (!conn->is_embedded)
		workdir_close(conn->workdir);
	else if (conn->workdir && --process.embedded_users == 0)
		workdir_empty(conn->workdir);
}

struct err *domain_conn_open(const char *uri, struct domain_conn **ret)
{
	const char *standard = getenv("LIBVIRT_DEFAULT_URI");
	struct domain_conn *conn;
	char own_name[HOST_NAME_MAX + 1] = "";
	bool has_host = false;
	struct err *e = NULL;

	if (!uri && standard && *standard)
		uri = standard;
	gethostname(own_name, sizeof(own_name) - 1);
	if (uri)
		e = domain_uri_check(uri, own_name, &has_host);
	if (e)
		return e;
	conn = xcalloc(1, sizeof(*conn));
	conn->uri = xstrdup(uri ? uri : "");
	conn->is_embedded = !uri;
	pthread_mutex_init(&conn->lock, NULL);
	pthread_mutex_init(&conn->reach_lock, NULL);
	pthread_mutex_lock(&process.lock);
	e = open_locked(conn, has_host ? own_name : NULL);
	pthread_mutex_unlock(&process.lock);
	if (e) {
		domain_conn_close(conn);
		return e;
	}
	*ret = conn;
	return NULL;
}

void domain_conn_close(struct domain_conn *conn)
{
	while (conn->domains)
		domain_stop(conn->domains);
	domain_forget_ended(conn, 0, NULL);
	pthread_mutex_lock(&process.lock);
	close_locked(conn);
	pthread_mutex_unlock(&process.lock);
	pthread_mutex_destroy(&conn->reach_lock);
	pthread_mutex_destroy(&conn->lock);
	free(conn->dac_label);
	free(conn->uri);
	free(conn);
}

/** A version as libvirt counts: 1000000 * major + 1000 * minor + release. */
static json_t *version_json(unsigned long v)
{
	cleanup_free char *text = xasprintf("%lu.%lu.%lu", v / 1000000, v / 1000 % 1000, v % 1000);

	return json_string(text);
}

json_t *domain_conn_describe(struct domain_conn *conn)
{
	struct domain_watch watch;

	watch_abilities(&watch, conn);

	cleanup_free char *xml = virConnectGetDomainCapabilities(conn->virt, NULL, "x86_64", "pc", "qemu", 0);

	err_free(domain_watch_end(&watch, NULL));

	cleanup_free char *emulator = domain_xml_element(xml, "path");
	unsigned long libvirt = 0, qemu = 0;

	virConnectGetLibVersion(conn->virt, &libvirt);
	virConnectGetVersion(conn->virt, &qemu);
	return json_pack("{s:s, s:o, s:o, s:s, s:s, s:s}", "uri", conn->uri, "libvirt", version_json(libvirt),
			 "qemu", version_json(qemu), "emulator", emulator ? emulator : "", "qemu_user",
			 conn->user.name, "cpu_model", DOMAIN_CPU_MODEL);
}

const char *domain_conn_workdir(struct domain_conn *conn)
{
	return workdir_files(conn->workdir);
}

bool domain_can_open(struct domain_conn *conn, const char *path, bool to_write)
{
	return stage_can_open(&conn->user, path, to_write);
}

struct err *domain_stage_file(struct domain_conn *conn, const char *path, char **ret)
{
	pthread_mutex_lock(&conn->lock);

	struct err *e = stage_file(workdir_staged(conn->workdir), &conn->user, path, ret);

	pthread_mutex_unlock(&conn->lock);
	return e;
}

struct err *domain_own_file(struct domain_conn *conn, const char *path)
{
	return stage_give(path, conn->user.uid, conn->user.gid);
}

struct err *domain_show_file(struct domain_conn *conn, const char *path)
{
	return stage_show(path, conn->user.uid, conn->user.gid);
}
