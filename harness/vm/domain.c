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
#include "harness/base/thread.h"
#include "harness/host/qemu-process.h"
#include "harness/host/workdir.h"
#include "harness/vm/channel.h"
#include "harness/vm/console.h"
#include "harness/vm/disks.h"
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
	struct guest *domains;
	struct guest *ended; /* the process is gone, libvirt may be busy with it */
};

struct guest {
	struct domain_conn *conn;
	struct guest *next;
	virDomainPtr virt; /* NULL: creating it failed */
	char *name;
	char *socket_path;
	char *console_path;
	char *swap_disk, *scratch_disk; /* NULL: none */
	char *command_line;
	struct channel qemu; /* the line, by which the process is known too */
	int64_t ended_ms;    /* when the process ended */
};

/** The one root that libvirt's embedded driver can have in a process, and how many connections use it. */
static struct {
	pthread_mutex_t lock;
	struct workdir *workdir;
	unsigned users;
} embedded = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Reaching the driver, also after its daemon was restarted. */

static virConnectPtr take_virt(struct domain_conn *conn)
{
	hold(&conn->lock);
	virConnectRef(conn->virt);
	return conn->virt;
}

/** The connection, to be closed, when it lives. */
static virConnectPtr conn_get(struct domain_conn *conn)
{
	virConnectPtr virt = take_virt(conn);

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
	virConnectPtr virt = NULL;
	struct err *e = NULL;

	log_note("connection '%s' was lost; connecting again", conn->uri);
	for (int i = 0; !virt && i < (int)COUNT(retry_pause_ms); i++) {
		err_free(e);
		e = pause_ms(retry_pause_ms[i]);
		if (!e)
			e = virt_connect(conn->uri, false, &virt);
		if (e && err_get_kind(e) == ERR_INTERRUPTED)
			return e;
	}
	if (!virt)
		return err_wrap(e, "the connection was lost, and %d attempts to open it again failed",
				(int)COUNT(retry_pause_ms));
	log_note("connection '%s' is open again", conn->uri);
	hold(&conn->lock);
	/* Guests of the old one that live on keep it until they find the new one. */
	virConnectClose(conn->virt);
	conn->virt = virt;
	return NULL;
}

static struct err *conn_ensure(struct domain_conn *conn, virConnectPtr *ret)
{
	virConnectPtr virt = conn_get(conn);
	int64_t asked_ms = clock_ms();

	if (!virt) {
		/* A thread that waited here finds what the first one found: a connection, or none. */
		hold(&conn->reach_lock);
		virt = conn_get(conn);
		if (!virt && conn->failed_ms < asked_ms) {
			struct err *e = reconnect(conn);

			if (e) {
				conn->failed_ms = clock_ms();
				return e;
			}
			virt = conn_get(conn);
		}
	}
	if (!virt)
		return err_new_kind(ERR_HOST, "connection '%s' was lost", conn->uri);
	*ret = virt;
	return NULL;
}

/** QEMU's log, where the driver keeps it. */
static char *make_log_path(const struct guest *g)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (g->conn->is_embedded)
		return xasprintf("%s/log/qemu/%s.log", g->conn->workdir->root, g->name);
	if (!strstr(g->conn->uri, "/session"))
		return xasprintf("/var/log/libvirt/qemu/%s.log", g->name);
	if (cache && *cache)
		return xasprintf("%s/libvirt/qemu/log/%s.log", cache, g->name);
	return xasprintf("%s/.cache/libvirt/qemu/log/%s.log", home ? home : "", g->name);
}

/** A call to libvirt begins, about g unless that is NULL; virt is borrowed until domain_watch_end(). */
static void watch_begin(struct domain_watch *w, const struct domain_conn *conn, const struct guest *g,
			virConnectPtr virt, const char *what, int limit_ms)
{
	domain_watch_begin(w, conn->is_embedded ? NULL : virt, conn->workdir->root, g ? g->name : "",
			   g ? g->qemu.pidfd : -1, what, limit_ms);
}

/**
 * Has g->virt belong to a connection that lives; a guest outlives the daemon that started it. may_wait: a
 * lost connection is opened again. False: there is none.
 */
static bool find_virt(struct guest *g, bool may_wait)
{
	virConnectPtr virt;
	struct err *e = NULL;

	if (!g->virt || virConnectIsAlive(virDomainGetConnect(g->virt)) == 1)
		return g->virt;
	if (may_wait)
		e = conn_ensure(g->conn, &virt);
	else
		virt = conn_get(g->conn);
	if (e || !virt) {
		err_free(e);
		return false;
	}

	struct domain_watch watch;

	watch_begin(&watch, g->conn, g, virt, "finding the guest", ASK_LIMIT_MS);

	virDomainPtr found = virDomainLookupByName(virt, g->name);

	err_free(domain_watch_end(&watch, NULL));
	if (found) {
		virDomainFree(g->virt);
		g->virt = found;
	}
	virConnectClose(virt);
	return found;
}

/** Has libvirt end the guest, which fails when libvirt is done with it. */
static void destroy(struct guest *g, bool may_wait)
{
	struct domain_watch watch;

	if (!find_virt(g, may_wait))
		return;
	watch_begin(&watch, g->conn, g, virDomainGetConnect(g->virt), "ending the guest", DESTROY_LIMIT_MS);
	virDomainDestroy(g->virt);
	err_free(domain_watch_end(&watch, NULL));
}

/** Has libvirt end the guest, if it has not seen the end of its process yet, and frees g. */
static void forget(struct guest *g)
{
	cleanup_free char *log = make_log_path(g);

	if (g->virt) {
		/* When the process has ended, nobody has to be waited for. */
		destroy(g, !g->ended_ms);
		virDomainFree(g->virt);
	}
	unlink(log);
	channel_deinit(&g->qemu);
	free(g->swap_disk);
	free(g->scratch_disk);
	free(g->command_line);
	free(g->socket_path);
	free(g->console_path);
	free(g->name);
	free(g);
}

/** The next guest whose process ended before then, or of that name; NULL: none. */
static struct guest *take_ended(struct domain_conn *conn, int64_t before_ms, const char *name)
{
	hold(&conn->lock);
	for (struct guest **link = &conn->ended, *g; (g = *link); link = &g->next)
		if (g->ended_ms <= before_ms || (name && strcmp(g->name, name) == 0)) {
			*link = g->next;
			return g;
		}
	return NULL;
}

/*
 * libvirt looks at a process every 200 ms to see whether it has ended. Waiting for that in domain_stop()
 * would be lost time: nothing of the guest is left by then but libvirt's notes.
 */
static void forget_ended(struct domain_conn *conn, int64_t age_ms, const char *name)
{
	for (struct guest *g; (g = take_ended(conn, clock_ms() - age_ms, name));)
		forget(g);
}

/** The file of the guest's with that ending in the work directory; to be freed. */
static char *make_path(const struct guest *g, const char *ending)
{
	return xasprintf("%s/%s.%s", g->conn->workdir->files, g->name, ending);
}

/** What a saved guest's directory holds; to be freed. */
static char *memory_path(const char *saved_dir)
{
	return xasprintf("%s/memory", saved_dir);
}

static char *scratch_path(const char *saved_dir)
{
	return xasprintf("%s/scratch", saved_dir);
}

static struct err *boot(struct guest *g, virConnectPtr virt, const char *xml)
{
	/* The embedded driver cannot destroy by itself; workdir.c does it instead. */
	g->virt = virDomainCreateXML(virt, xml, g->conn->is_embedded ? 0 : VIR_DOMAIN_START_AUTODESTROY);
	return g->virt ? NULL : virt_error();
}

/*
 * libvirt does not restore a guest under another name, but goes by the definition in the file. A restored
 * guest cannot be had destroyed with the connection: its agent powers it off when we are gone, and what is
 * left of that is ended by the next run.
 */
static struct err *restore(struct guest *g, virConnectPtr virt, const char *saved_dir, const char *xml)
{
	cleanup_free char *saved = memory_path(saved_dir);
	struct err *e = save_image_set_xml(saved, xml);

	if (e)
		return e;
	if (virDomainRestoreFlags(virt, saved, NULL, VIR_DOMAIN_SAVE_RUNNING) < 0)
		return virt_error();
	g->virt = virDomainLookupByName(virt, g->name);
	return g->virt ? NULL : virt_error();
}

/** Boots or restores the guest, within a limit. */
static struct err *make(struct guest *g, const char *saved_dir, const char *xml)
{
	struct domain_watch watch;
	virConnectPtr virt;
	struct err *e = conn_ensure(g->conn, &virt);

	if (e)
		return e;
	watch_begin(&watch, g->conn, g, virt, saved_dir ? "restoring the guest" : "creating the guest",
		    saved_dir ? SAVE_LIMIT_MS : CREATE_LIMIT_MS);
	e = saved_dir ? restore(g, virt, saved_dir, xml) : boot(g, virt, xml);
	e = domain_watch_end(&watch, e);
	virConnectClose(virt);
	return e;
}

static struct err *create(struct guest *g, const struct domain_spec *spec, int listen_fd)
{
	cleanup_free char *owner = qemu_owner(getpid());
	struct domain_xml_extra extra = {
		.swap_disk = g->swap_disk,
		.scratch_disk = g->scratch_disk,
		.agent_socket = g->socket_path,
		.console_path = g->console_path,
		.description = owner,
		.dac_label = g->conn->dac_label,
	};
	cleanup_free char *xml = NULL;
	struct err *e = domain_xml_build(spec, &extra, &xml);

	/* Ours from the start, so that we can read it whoever writes it. */
	if (!e)
		e = file_write_atomic(g->console_path, "", 0, 0600);
	if (!e)
		e = make(g, spec->saved_dir, xml);
	if (!e)
		e = channel_accept(listen_fd, g->conn->user.uid, CONNECT_TIMEOUT_MS, &g->qemu);
	if (e)
		return e;
	g->command_line = qemu_command_line(g->qemu.pid);
	return NULL;
}

static struct err *make_disks(struct guest *g, const struct domain_spec *spec)
{
	const struct guest_config *config = spec->config;
	const struct stage_user *user = &g->conn->user;
	struct err *e = NULL;

	if (config->swap_mib) {
		g->swap_disk = make_path(g, "swap");
		e = swapdisk_create(g->swap_disk, config->swap_mib);
		if (!e)
			e = stage_give(g->swap_disk, user, true);
	}
	if (e || !config->scratch_mib)
		return e;
	g->scratch_disk = make_path(g, "scratch");
	if (spec->saved_dir) {
		cleanup_free char *saved = scratch_path(spec->saved_dir);

		e = file_copy(saved, g->scratch_disk, 0600);
	} else {
		e = scratchdisk_create(g->scratch_disk, config->scratch_mib);
	}
	return e ? e : stage_give(g->scratch_disk, user, true);
}

static void link_domain(struct domain_conn *conn, struct guest **list, struct guest *g)
{
	hold(&conn->lock);
	g->next = *list;
	*list = g;
}

static void unlink_domain(struct domain_conn *conn, struct guest **list, struct guest *g)
{
	hold(&conn->lock);
	while (*list != g)
		list = &(*list)->next;
	*list = g->next;
}

struct err *domain_start(struct domain_conn *conn, const struct domain_spec *spec, struct guest **ret)
{
	cleanup(cleanup_guest_) struct guest *g = xcalloc(1, sizeof(*g));
	cleanup_close int listen_fd = -1;

	g->conn = conn;
	g->qemu = CHANNEL_INIT;
	g->name = xstrdup(spec->config->name);
	g->socket_path = make_path(g, "agent");
	g->console_path = make_path(g, "console");
	forget_ended(conn, FORGET_AFTER_MS, g->name);
	link_domain(conn, &conn->domains, g);

	struct err *e = make_disks(g, spec);

	if (e)
		return e;
	e = channel_listen(g->socket_path, &conn->user, &listen_fd);
	if (!e)
		e = create(g, spec, listen_fd);
	if (e) {
		unsigned n;

		e = err_set_detail(e, domain_log(g));
		/* A daemon that died while it was creating the guest may have left it. */
		if (!g->virt && !conn->is_embedded)
			err_free(qemu_end(conn->workdir->root, g->name, &n));
		return err_wrap(e, "guest '%s'", g->name);
	}
	*ret = take_ptr(g);
	return NULL;
}

struct err *domain_send(struct guest *g, json_t *json)
{
	return channel_send(&g->qemu, json);
}

struct err *domain_recv(struct guest *g, int timeout_ms, struct guest_msg **ret)
{
	return channel_recv(&g->qemu, timeout_ms, ret);
}

struct err *domain_save(struct guest *g, const char *dir)
{
	cleanup_free char *memory = memory_path(dir), *scratch = scratch_path(dir);
	struct domain_watch watch;
	struct err *e = NULL;

	watch_begin(&watch, g->conn, g, virDomainGetConnect(g->virt), "saving the guest", SAVE_LIMIT_MS);
	if (virDomainSaveFlags(g->virt, memory, NULL, VIR_DOMAIN_SAVE_RUNNING) < 0)
		e = virt_error();
	e = domain_watch_end(&watch, e);
	if (e)
		return err_wrap(e, "guest '%s' cannot be saved", g->name);
	return g->scratch_disk ? file_copy(g->scratch_disk, scratch, 0600) : NULL;
}

/** Has the QEMU process ended, or does it within that time? */
static bool has_ended(const struct guest *g, int wait_ms)
{
	struct pollfd pollfd = { .fd = g->qemu.pidfd, .events = POLLIN };

	return g->qemu.pidfd >= 0 && poll(&pollfd, 1, wait_ms) == 1;
}

/** What libvirt says. */
static enum guest_state ask_state(struct guest *g)
{
	int state = VIR_DOMAIN_NOSTATE, reason = 0, rc;
	struct domain_watch watch;

	if (has_ended(g, 0))
		return GUEST_GONE;
	if (g->qemu.pid > 0 && qemu_is_stopped(g->qemu.pid))
		return GUEST_STOPPED;
	/* Without a connection the process, if it can be seen, is all there is to go by. */
	if (!find_virt(g, false))
		return g->qemu.pidfd >= 0 ? GUEST_RUNNING : GUEST_GONE;
	watch_begin(&watch, g->conn, g, virDomainGetConnect(g->virt), "asking for the guest's state",
		    ASK_LIMIT_MS);
	rc = virDomainGetState(g->virt, &state, &reason, 0);
	err_free(domain_watch_end(&watch, NULL));
	if (rc < 0)
		return g->qemu.pidfd >= 0 && !has_ended(g, 0) && !find_virt(g, false) ? GUEST_RUNNING
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

enum guest_state domain_state(struct guest *g)
{
	enum guest_state state = ask_state(g);
	cleanup_free char *console = console_tail(g->console_path, TAIL_BYTES);

	/* Before the guest has loaded the driver of the panic device the console is the only sign. */
	return console_shows_panic(console) ? GUEST_PANICKED : state;
}

static struct err *ask_swap_written(struct guest *g, uint64_t *ret_bytes)
{
	virDomainBlockStatsStruct stats = { .wr_bytes = -1 };
	struct domain_watch watch;
	struct err *e = NULL;

	/* It would not answer, and the reason is plain. */
	if (g->qemu.pid > 0 && qemu_is_stopped(g->qemu.pid))
		return err_new("process %d of the guest is stopped", (int)g->qemu.pid);
	if (!find_virt(g, true))
		return err_new("libvirt does not know the guest any more");
	watch_begin(&watch, g->conn, g, virDomainGetConnect(g->virt), "asking QEMU", ASK_LIMIT_MS);
	if (virDomainBlockStats(g->virt, DOMAIN_SWAP_TARGET, &stats, sizeof(stats)) < 0)
		e = virt_error();
	e = domain_watch_end(&watch, e);
	if (!e && stats.wr_bytes < 0)
		e = err_new("QEMU tells none");
	if (!e)
		*ret_bytes = (uint64_t)stats.wr_bytes;
	return e;
}

struct err *domain_swap_written(struct guest *g, uint64_t *ret_bytes)
{
	struct err *e = ask_swap_written(g, ret_bytes);

	/* A daemon that was restarted just then knows the guest again. */
	if (e && !has_ended(g, 0) && g->virt && virConnectIsAlive(virDomainGetConnect(g->virt)) != 1) {
		err_free(e);
		e = ask_swap_written(g, ret_bytes);
	}
	return err_wrap(e, "counters of the swap disk");
}

char *domain_console(struct guest *g)
{
	return console_tail(g->console_path, TAIL_BYTES);
}

char *domain_log(struct guest *g)
{
	cleanup_free char *path = make_log_path(g);

	return console_tail(path, TAIL_BYTES);
}

char *domain_ending(struct guest *g)
{
	siginfo_t info = { 0 };

	if (g->qemu.pidfd < 0)
		return xstrdup("cannot be seen from here");
	/* Its line may break a moment before it has ended. */
	if (!has_ended(g, ENDING_WAIT_MS))
		return xstrdup(qemu_is_stopped(g->qemu.pid) ? "stopped" : "running");
	if (!orphans_find(g->qemu.pid, &info) &&
	    (waitid(P_PIDFD, (id_t)g->qemu.pidfd, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid))
		return xstrdup("ended; only its parent, a daemon, knows how");
	if (info.si_code == CLD_EXITED)
		return xasprintf("exit status %d", info.si_status);
	return xasprintf("signal %d (%s)", info.si_status, strsignal(info.si_status));
}

char *domain_command_line(struct guest *g)
{
	return xstrdup(g->command_line ? g->command_line : "");
}

/** Kills QEMU, waits, and reaps it. False: it must be left to libvirt. */
static bool end_process(struct guest *g)
{
	siginfo_t info;

	/* Not permitted for another user's QEMU (qemu:///system). */
	if (g->qemu.pidfd < 0 || (pidfd_send_signal(g->qemu.pidfd, SIGKILL, NULL, 0) && errno != ESRCH))
		return false;
	if (!has_ended(g, END_TIMEOUT_MS)) {
		log_note("guest '%s': process %d does not end", g->name, (int)g->qemu.pid);
		return false;
	}
	/* No child of ours when a daemon started it; already reaped when it had ended before. */
	waitid(P_PIDFD, (id_t)g->qemu.pidfd, &info, WEXITED | WNOHANG);
	return true;
}

void domain_stop(struct guest *g)
{
	struct domain_conn *conn = g->conn;
	bool has_gone = end_process(g);

	unlink_domain(conn, &conn->domains, g);
	unlink(g->socket_path);
	unlink(g->console_path);
	if (g->swap_disk)
		unlink(g->swap_disk);
	if (g->scratch_disk)
		unlink(g->scratch_disk);
	if (!has_gone) {
		forget(g);
		return;
	}
	g->ended_ms = clock_ms();
	link_domain(conn, &conn->ended, g);
}

/** A tunnel may begin here and end elsewhere. */
static struct err *check_hostname(const struct domain_conn *conn, const char *own_name)
{
	cleanup_free char *name = virConnectGetHostname(conn->virt);

	if (!name || virt_is_same_host(name, own_name))
		return NULL;
	return err_new_kind(ERR_USAGE, "connection '%s' leads to '%s', which is not this machine ('%s')",
			    conn->uri, name, own_name);
}

/**
 * Asks the driver whom it runs QEMU as; it says "+uid:+gid" when that is not the user of the driver itself.
 */
static void find_user(struct domain_conn *conn)
{
	struct domain_watch watch;

	/* libvirt may start a QEMU to find out what it can do; one that hangs is ended. */
	watch_begin(&watch, conn, NULL, conn->virt, "asking QEMU for its abilities", ABILITIES_LIMIT_MS);

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
	const char *root = conn->workdir->root;
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

struct err *domain_conn_open(const char *uri, struct domain_conn **ret)
{
	const char *standard = getenv("LIBVIRT_DEFAULT_URI");
	char own_name[HOST_NAME_MAX + 1] = "";
	bool has_host = false;
	struct err *e = NULL;

	if (!uri && standard && *standard)
		uri = standard;
	gethostname(own_name, sizeof(own_name) - 1);
	if (uri)
		e = virt_check_uri(uri, own_name, &has_host);
	if (e)
		return e;

	cleanup(cleanup_domain_conn_) struct domain_conn *conn = xcalloc(1, sizeof(*conn));

	conn->uri = xstrdup(uri ? uri : "");
	conn->is_embedded = !uri;
	pthread_mutex_init(&conn->lock, NULL);
	pthread_mutex_init(&conn->reach_lock, NULL);
	hold(&embedded.lock);
	e = open_locked(conn, has_host ? own_name : NULL);
	if (!e)
		*ret = take_ptr(conn);
	return e;
}

static void close_conn(struct domain_conn *conn)
{
	hold(&embedded.lock);
	if (conn->virt) {
		virConnectClose(conn->virt);
		virt_release();
	}
	if (!conn->is_embedded)
		workdir_close(conn->workdir);
	else if (conn->workdir && --embedded.users == 0)
		workdir_empty(conn->workdir);
}

void domain_conn_close(struct domain_conn *conn)
{
	/* Each takes itself out of the list. */
	for (struct guest *g, *next = conn->domains; (g = next);) {
		next = g->next;
		domain_stop(g);
	}
	forget_ended(conn, 0, NULL);
	close_conn(conn);
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

	/* libvirt may start a QEMU to find out what it can do; one that hangs is ended. */
	watch_begin(&watch, conn, NULL, conn->virt, "asking QEMU for its abilities", ABILITIES_LIMIT_MS);

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
	return conn->workdir->files;
}

const struct stage_user *domain_conn_user(const struct domain_conn *conn)
{
	return &conn->user;
}

struct err *domain_stage_file(struct domain_conn *conn, const char *path, char **ret)
{
	hold(&conn->lock);
	return stage_file(conn->workdir->staged, &conn->user, path, ret);
}
