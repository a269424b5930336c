/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/domain.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cancel.h"
#include "harness/base/clock.h"
#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/host/orphans.h"
#include "harness/host/qemu-process.h"
#include "harness/host/stage.h"
#include "harness/host/workdir.h"
#include "harness/vm/agent-socket.h"
#include "harness/vm/console.h"
#include "harness/vm/domain-uri.h"
#include "harness/vm/virt.h"
#include "harness/vm/domain-watch.h"
#include "harness/vm/domain-xml.h"
#include "harness/vm/save-image.h"

/* Reaching the driver, guests, then opening and closing. */

/** How much of the console and of QEMU's log is kept. */
#define TAIL_BYTES 16384

/**
 * QEMU has connected to the agent's socket before libvirt says that the guest was created; the rest is for
 * luck.
 */
#define CONNECT_TIMEOUT_MS 5000

/** SIGKILL takes effect at once unless QEMU hangs in the kernel. */
#define END_TIMEOUT_MS 15000

/** Creating a guest takes 0.3 s, on a busy machine a few; what takes so long hangs. */
#define CREATE_LIMIT_MS 30000

/** Also restoring. 100 MB take 1.4 s; gigabytes, on a slow disk, some minutes. */
#define SAVE_LIMIT_MS 300000

/** libvirt answers from memory, QEMU's monitor in milliseconds unless its main loop waits for a slow disk. */
#define ASK_LIMIT_MS 15000

/** libvirt kills, and gives QEMU 15 s to end before it says that it does not. */
#define DESTROY_LIMIT_MS 40000

/** A process that has closed its line has ended so soon, if it ends at all. */
#define ENDING_WAIT_MS 500

/** By then libvirt has seen the end of a process: it looks every 200 ms. */
#define FORGET_AFTER_MS 1000

/** QEMU tells what it can do in a second, on a busy machine in some; it is asked in several ways. */
#define ABILITIES_LIMIT_MS 60000

/** Pauses before each attempt to connect again: a restart takes seconds, an upgrade of packages a minute. */
static const int retry_pause_ms[] = { 500, 1000, 2000, 5000, 10000, 20000, 30000 };
#define RETRIES ((int)(sizeof(retry_pause_ms) / sizeof(retry_pause_ms[0])))

struct domain_conn {
	virConnectPtr virt; /* once there are guests: see conn_get() */
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

struct domain {
	struct domain_conn *conn;
	struct domain *next;
	virDomainPtr virt; /* NULL: creating it failed */
	char *name;
	char *socket_path;
	char *console_path;
	char *command_line;
	struct agent_peer qemu;
	int64_t ended_ms; /* when the process ended */
};

/** The one root that libvirt's embedded driver can have in a process, and how many connections use it. */
static struct {
	pthread_mutex_t lock;
	struct workdir *workdir;
	unsigned users;
} embedded = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Reaching the driver, also after its daemon was restarted. */

static virConnectPtr conn_get(struct domain_conn *conn)
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
			e = virt_connect(conn->uri, false, &virt);
		if (e && err_get_kind(e) == ERR_INTERRUPTED)
			return e;
	}
	if (!virt)
		return err_wrap(e, "the connection was lost, and %d attempts to open it again failed",
				RETRIES);
	log_note("connection '%s' is open again", conn->uri);
	pthread_mutex_lock(&conn->lock);
	old = conn->virt;
	conn->virt = virt;
	pthread_mutex_unlock(&conn->lock);
	/* Guests of it that live on keep it until they find the new one. */
	virConnectClose(old);
	return NULL;
}

static struct err *conn_ensure(struct domain_conn *conn, virConnectPtr *ret)
{
	virConnectPtr virt = conn_get(conn);
	int64_t asked_ms = clock_ms();
	struct err *e = NULL;

	if (!virt) {
		/* A thread that waited here finds what the first one found: a connection, or none. */
		pthread_mutex_lock(&conn->reach_lock);
		virt = conn_get(conn);
		if (!virt && conn->failed_ms < asked_ms)
			e = reconnect(conn);
		if (e)
			conn->failed_ms = clock_ms();
		pthread_mutex_unlock(&conn->reach_lock);
		if (!e && !virt)
			virt = conn_get(conn);
	}
	if (!e && !virt)
		e = err_new_kind(ERR_HOST, "connection '%s' was lost", conn->uri);
	if (!e)
		*ret = virt;
	return e;
}

/** QEMU's log, where the driver keeps it. */
static char *make_log_path(const struct domain *d)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (d->conn->is_embedded)
		return xasprintf("%s/log/qemu/%s.log", workdir_root(d->conn->workdir), d->name);
	if (!strstr(d->conn->uri, "/session"))
		return xasprintf("/var/log/libvirt/qemu/%s.log", d->name);
	if (cache && *cache)
		return xasprintf("%s/libvirt/qemu/log/%s.log", cache, d->name);
	return xasprintf("%s/.cache/libvirt/qemu/log/%s.log", home ? home : "", d->name);
}

/** A call to libvirt about d begins; virt is borrowed until domain_watch_end(). */
static void watch_begin(struct domain_watch *w, const struct domain *d, virConnectPtr virt, const char *what,
			int limit_ms)
{
	domain_watch_begin(w, d->conn->is_embedded ? NULL : virt, workdir_root(d->conn->workdir), d->name,
			   d->qemu.pidfd, what, limit_ms);
}

/**
 * Has d->virt belong to a connection that lives; a guest outlives the daemon that started it. may_wait: a
 * lost connection is opened again. False: there is none.
 */
static bool find_virt(struct domain *d, bool may_wait)
{
	virConnectPtr virt;
	struct err *e = NULL;

	if (!d->virt || virConnectIsAlive(virDomainGetConnect(d->virt)) == 1)
		return d->virt;
	if (may_wait)
		e = conn_ensure(d->conn, &virt);
	else
		virt = conn_get(d->conn);
	if (e || !virt) {
		err_free(e);
		return false;
	}

	struct domain_watch watch;

	watch_begin(&watch, d, virt, "finding the guest", ASK_LIMIT_MS);

	virDomainPtr found = virDomainLookupByName(virt, d->name);

	err_free(domain_watch_end(&watch, NULL));
	if (found) {
		virDomainFree(d->virt);
		d->virt = found;
	}
	virConnectClose(virt);
	return found;
}

/** Has libvirt end the guest, which fails when libvirt is done with it. */
static void destroy(struct domain *d, bool may_wait)
{
	struct domain_watch watch;

	if (!find_virt(d, may_wait))
		return;
	watch_begin(&watch, d, virDomainGetConnect(d->virt), "ending the guest", DESTROY_LIMIT_MS);
	virDomainDestroy(d->virt);
	err_free(domain_watch_end(&watch, NULL));
}

/** Has libvirt end the guest, if it has not seen the end of its process yet, and frees d. */
static void forget(struct domain *d)
{
	cleanup_free char *log = make_log_path(d);

	if (d->virt) {
		/* When the process has ended, nobody has to be waited for. */
		destroy(d, !d->ended_ms);
		virDomainFree(d->virt);
	}
	if (d->qemu.pidfd >= 0)
		close(d->qemu.pidfd);
	unlink(log);
	free(d->command_line);
	free(d->socket_path);
	free(d->console_path);
	free(d->name);
	free(d);
}

/*
 * libvirt looks at a process every 200 ms to see whether it has ended. Waiting for that in domain_stop()
 * would be lost time: nothing of the guest is left by then but libvirt's notes.
 */
static void forget_ended(struct domain_conn *conn, int64_t age_ms, const char *name)
{
	int64_t before_ms = clock_ms() - age_ms;
	struct domain *list = NULL;

	pthread_mutex_lock(&conn->lock);
	for (struct domain **link = &conn->ended, *d; (d = *link);) {
		if (d->ended_ms > before_ms && !(name && strcmp(d->name, name) == 0)) {
			link = &d->next;
			continue;
		}
		*link = d->next;
		d->next = list;
		list = d;
	}
	pthread_mutex_unlock(&conn->lock);
	for (struct domain *d; (d = list);) {
		list = d->next;
		forget(d);
	}
}

static struct err *boot(struct domain *d, virConnectPtr virt, const char *xml)
{
	/* The embedded driver cannot destroy by itself; workdir.c does it instead. */
	d->virt = virDomainCreateXML(virt, xml, d->conn->is_embedded ? 0 : VIR_DOMAIN_START_AUTODESTROY);
	return d->virt ? NULL : virt_error();
}

/*
 * libvirt does not restore a guest under another name, but goes by the definition in the file. A restored
 * guest cannot be had destroyed with the connection: its agent powers it off when we are gone, and what is
 * left of that is ended by the next run.
 */
static struct err *restore(struct domain *d, virConnectPtr virt, const char *saved, const char *xml)
{
	struct err *e = save_image_set_xml(saved, xml);

	if (e)
		return e;
	if (virDomainRestoreFlags(virt, saved, NULL, VIR_DOMAIN_SAVE_RUNNING) < 0)
		return virt_error();
	d->virt = virDomainLookupByName(virt, d->name);
	return d->virt ? NULL : virt_error();
}

/** Boots or restores the guest, within a limit. */
static struct err *make(struct domain *d, const char *saved, const char *xml)
{
	struct domain_watch watch;
	virConnectPtr virt;
	struct err *e = conn_ensure(d->conn, &virt);

	if (e)
		return e;
	watch_begin(&watch, d, virt, saved ? "restoring the guest" : "creating the guest",
		    saved ? SAVE_LIMIT_MS : CREATE_LIMIT_MS);
	e = saved ? restore(d, virt, saved, xml) : boot(d, virt, xml);
	e = domain_watch_end(&watch, e);
	virConnectClose(virt);
	return e;
}

static struct err *create(struct domain *d, const struct domain_spec *spec, int listen_fd)
{
	cleanup_free char *owner = qemu_owner(getpid());
	struct domain_xml_extra extra = {
		.agent_socket = d->socket_path,
		.console_path = d->console_path,
		.description = owner,
		.dac_label = d->conn->dac_label,
	};
	cleanup_free char *xml = NULL;
	struct err *e = domain_xml_build(spec, &extra, &xml);

	/* Ours from the start, so that we can read it whoever writes it. */
	if (!e)
		e = file_write_atomic(d->console_path, "", 0, 0600);
	if (e)
		return e;
	e = make(d, spec->saved, xml);
	if (e)
		return e;
	e = agent_socket_accept(listen_fd, d->conn->user.uid, CONNECT_TIMEOUT_MS, &d->qemu);
	if (!e)
		d->command_line = qemu_command_line(d->qemu.pid);
	return e;
}

static void link_domain(struct domain_conn *conn, struct domain **list, struct domain *d)
{
	pthread_mutex_lock(&conn->lock);
	d->next = *list;
	*list = d;
	pthread_mutex_unlock(&conn->lock);
}

static void unlink_domain(struct domain_conn *conn, struct domain **list, struct domain *d)
{
	pthread_mutex_lock(&conn->lock);
	while (*list != d)
		list = &(*list)->next;
	*list = d->next;
	pthread_mutex_unlock(&conn->lock);
}

struct err *domain_start(struct domain_conn *conn, const struct domain_spec *spec, struct domain **ret)
{
	struct domain *d = xcalloc(1, sizeof(*d));
	cleanup_close int listen_fd = -1;
	struct err *e;

	d->conn = conn;
	d->qemu = (struct agent_peer){ .fd = -1, .pidfd = -1 };
	d->name = xstrdup(spec->name);
	d->socket_path = xasprintf("%s/%s.agent", workdir_files(conn->workdir), d->name);
	d->console_path = xasprintf("%s/%s.console", workdir_files(conn->workdir), d->name);
	forget_ended(conn, FORGET_AFTER_MS, d->name);
	link_domain(conn, &conn->domains, d);
	e = agent_socket_listen(d->socket_path, conn->user.uid, conn->user.gid, &listen_fd);
	if (!e)
		e = create(d, spec, listen_fd);
	if (e) {
		unsigned n;

		e = err_set_detail(e, domain_log(d));
		/* A daemon that died while it was creating the guest may have left it. */
		if (!d->virt && !conn->is_embedded)
			err_free(qemu_end(workdir_root(conn->workdir), d->name, &n));
		domain_stop(d);
		return err_wrap(e, "guest '%s'", spec->name);
	}
	*ret = d;
	return NULL;
}

int domain_agent_fd(struct domain *d)
{
	return d->qemu.fd;
}

struct err *domain_save(struct domain *d, const char *path)
{
	struct domain_watch watch;
	struct err *e = NULL;

	watch_begin(&watch, d, virDomainGetConnect(d->virt), "saving the guest", SAVE_LIMIT_MS);
	if (virDomainSaveFlags(d->virt, path, NULL, VIR_DOMAIN_SAVE_RUNNING) < 0)
		e = virt_error();
	return err_wrap(domain_watch_end(&watch, e), "guest '%s' cannot be saved", d->name);
}

/** Has the QEMU process ended? */
static bool has_ended(const struct domain *d)
{
	struct pollfd pollfd = { .fd = d->qemu.pidfd, .events = POLLIN };

	return d->qemu.pidfd >= 0 && poll(&pollfd, 1, 0) == 1;
}

/** What libvirt says. */
static enum guest_state ask_state(struct domain *d)
{
	int state = VIR_DOMAIN_NOSTATE, reason = 0, rc;
	struct domain_watch watch;

	if (has_ended(d))
		return GUEST_GONE;
	if (d->qemu.pid > 0 && qemu_is_stopped(d->qemu.pid))
		return GUEST_STOPPED;
	/* Without a connection the process, if it can be seen, is all there is to go by. */
	if (!find_virt(d, false))
		return d->qemu.pidfd >= 0 ? GUEST_RUNNING : GUEST_GONE;
	watch_begin(&watch, d, virDomainGetConnect(d->virt), "asking for the guest's state", ASK_LIMIT_MS);
	rc = virDomainGetState(d->virt, &state, &reason, 0);
	err_free(domain_watch_end(&watch, NULL));
	if (rc < 0)
		return d->qemu.pidfd >= 0 && !has_ended(d) && !find_virt(d, false) ? GUEST_RUNNING
										   : GUEST_GONE;
	switch (state) {
	case VIR_DOMAIN_PAUSED:
		return reason == VIR_DOMAIN_PAUSED_CRASHED   ? GUEST_PANICKED
		       : reason == VIR_DOMAIN_PAUSED_IOERROR ? GUEST_DISK_ERROR
							     : GUEST_PAUSED;
	case VIR_DOMAIN_CRASHED:
		return GUEST_PANICKED;
	case VIR_DOMAIN_SHUTDOWN:
	case VIR_DOMAIN_SHUTOFF:
		return GUEST_GONE;
	default:
		return GUEST_RUNNING;
	}
}

enum guest_state domain_state(struct domain *d)
{
	enum guest_state state = ask_state(d);
	cleanup_free char *console = console_tail(d->console_path, TAIL_BYTES);

	/* Before the guest has loaded the driver of the panic device the console is the only sign. */
	return console_shows_panic(console) ? GUEST_PANICKED : state;
}

static struct err *ask_swap_written(struct domain *d, uint64_t *ret_bytes)
{
	virDomainBlockStatsStruct stats = { .wr_bytes = -1 };
	struct domain_watch watch;
	struct err *e = NULL;

	/* It would not answer, and the reason is plain. */
	if (d->qemu.pid > 0 && qemu_is_stopped(d->qemu.pid))
		return err_new("process %d of the guest is stopped", (int)d->qemu.pid);
	if (!find_virt(d, true))
		return err_new("libvirt does not know the guest any more");
	watch_begin(&watch, d, virDomainGetConnect(d->virt), "asking QEMU", ASK_LIMIT_MS);
	if (virDomainBlockStats(d->virt, DOMAIN_SWAP_TARGET, &stats, sizeof(stats)) < 0)
		e = virt_error();
	e = domain_watch_end(&watch, e);
	if (!e && stats.wr_bytes < 0)
		e = err_new("QEMU tells none");
	if (!e)
		*ret_bytes = (uint64_t)stats.wr_bytes;
	return e;
}

struct err *domain_swap_written(struct domain *d, uint64_t *ret_bytes)
{
	struct err *e = ask_swap_written(d, ret_bytes);

	/* A daemon that was restarted just then knows the guest again. */
	if (e && !has_ended(d) && d->virt && virConnectIsAlive(virDomainGetConnect(d->virt)) != 1) {
		err_free(e);
		e = ask_swap_written(d, ret_bytes);
	}
	return err_wrap(e, "counters of the swap disk");
}

char *domain_console(struct domain *d)
{
	return console_tail(d->console_path, TAIL_BYTES);
}

char *domain_log(struct domain *d)
{
	cleanup_free char *path = make_log_path(d);

	return console_tail(path, TAIL_BYTES);
}

char *domain_ending(struct domain *d)
{
	struct pollfd pollfd = { .fd = d->qemu.pidfd, .events = POLLIN };
	siginfo_t info = { 0 };

	if (d->qemu.pidfd < 0)
		return xstrdup("cannot be seen from here");
	/* Its line may break a moment before it has ended. */
	poll(&pollfd, 1, ENDING_WAIT_MS);
	if (!has_ended(d))
		return xstrdup(qemu_is_stopped(d->qemu.pid) ? "stopped" : "running");
	if (!orphans_find(d->qemu.pid, &info) &&
	    (waitid(P_PIDFD, (id_t)d->qemu.pidfd, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid))
		return xstrdup("ended; only its parent, a daemon, knows how");
	if (info.si_code == CLD_EXITED)
		return xasprintf("exit status %d", info.si_status);
	return xasprintf("signal %d (%s)", info.si_status, strsignal(info.si_status));
}

char *domain_command_line(struct domain *d)
{
	return xstrdup(d->command_line ? d->command_line : "");
}

/** Kills QEMU, waits, and reaps it. False: it must be left to libvirt. */
static bool end_process(struct domain *d)
{
	struct pollfd pollfd = { .fd = d->qemu.pidfd, .events = POLLIN };
	siginfo_t info;

	/* Not permitted for another user's QEMU (qemu:///system). */
	if (d->qemu.pidfd < 0 || (pidfd_send_signal(d->qemu.pidfd, SIGKILL, NULL, 0) && errno != ESRCH))
		return false;
	if (poll(&pollfd, 1, END_TIMEOUT_MS) != 1) {
		log_note("guest '%s': process %d does not end", d->name, (int)d->qemu.pid);
		return false;
	}
	/* No child of ours when a daemon started it; already reaped when it had ended before. */
	waitid(P_PIDFD, (id_t)d->qemu.pidfd, &info, WEXITED | WNOHANG);
	return true;
}

void domain_stop(struct domain *d)
{
	struct domain_conn *conn = d->conn;
	bool has_gone = end_process(d);

	unlink_domain(conn, &conn->domains, d);
	if (d->qemu.fd >= 0)
		close(d->qemu.fd);
	unlink(d->socket_path);
	unlink(d->console_path);
	if (!has_gone) {
		forget(d);
		return;
	}
	d->ended_ms = clock_ms();
	link_domain(conn, &conn->ended, d);
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
	if (!embedded.workdir) {
		struct err *e = workdir_open(NULL, &embedded.workdir);

		if (e)
			return e;
	}
	conn->workdir = embedded.workdir;
	embedded.users++;
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
		e = virt_acquire();
	if (e)
		return e;
	e = virt_connect(conn->uri, conn->is_embedded, &conn->virt);
	if (e) {
		virt_release();
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
		virt_release();
	}
	if (!conn->is_embedded)
		workdir_close(conn->workdir);
	else if (conn->workdir && --embedded.users == 0)
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
	pthread_mutex_lock(&embedded.lock);
	e = open_locked(conn, has_host ? own_name : NULL);
	pthread_mutex_unlock(&embedded.lock);
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
	forget_ended(conn, 0, NULL);
	pthread_mutex_lock(&embedded.lock);
	close_locked(conn);
	pthread_mutex_unlock(&embedded.lock);
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
