/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/domain.h"

#include <errno.h>
#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/console.h"
#include "harness/domain-xml.h"
#include "harness/orphans.h"
#include "harness/process.h"
#include "harness/stage.h"
#include "harness/workdir.h"

/** How much of the console and of QEMU's log is kept. */
#define TAIL_BYTES 16384

/** QEMU has connected to the agent's socket before libvirt says that the guest was created; the rest is for luck. */
#define CONNECT_TIMEOUT_MS 5000

/** SIGKILL takes effect at once unless QEMU hangs in the kernel. */
#define END_TIMEOUT_MS 15000

/** How soon the end of a QEMU process is seen by libvirt (see orphans.h); costs 50 wakeups in a second. */
#define TICK_MS 20

struct domain_conn {
	virConnectPtr virt;
	char *uri;
	bool is_embedded;
	struct workdir *workdir;
	struct stage_user user;
	char *dac_label; /* NULL: QEMU's user is ours, or the driver's affair */
	pthread_mutex_t lock; /* guards domains and the staged files */
	struct domain *domains;
};

struct domain {
	struct domain_conn *conn;
	struct domain *next;
	virDomainPtr virt;
	char *name;
	char *socket_path;
	char *console_path;
	char *command_line;
	int agent_fd;
	pid_t pid;
	int pidfd; /* -1: QEMU runs where we cannot see it */
};

/** What connections of one process share: the event loop, and the one root that libvirt's embedded driver can have. */
static struct {
	pthread_mutex_t lock;
	bool is_initialized;
	unsigned users;
	pthread_t thread;
	atomic_bool stop;
	struct workdir *embedded_workdir;
	unsigned embedded_users;
} process = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct err *virt_error(void)
{
	virErrorPtr error = virGetLastError();

	return err_new("libvirt: %s", error && error->message ? error->message : "unknown error");
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
			/* Cannot happen but by a lack of memory or descriptors; do not spin until it passes. */
			usleep(TICK_MS * 1000);
	return arg;
}

/** The first time: prepares libvirt. log_dir: where its own log goes. */
static struct err *initialize(const char *log_dir)
{
	cleanup_free char *outputs = xasprintf("4:file:%s/libvirt.log", log_dir);

	/* It would write to stderr. An own setting of the user, for debugging, stays. */
	if (!getenv("LIBVIRT_LOG_OUTPUTS"))
		setenv("LIBVIRT_LOG_OUTPUTS", outputs, 1);
	virSetErrorFunc(NULL, ignore_error);
	if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0 ||
	    virEventAddTimeout(TICK_MS, tick, NULL, NULL) < 0)
		return virt_error();
	orphans_adopt();
	process.is_initialized = true;
	return NULL;
}

/** Has the event loop running for one more connection. Called with the process locked, like release_events(). */
static struct err *acquire_events(const char *log_dir)
{
	struct err *e = process.is_initialized ? NULL : initialize(log_dir);
	sigset_t all, old;

	if (e || process.users++ > 0)
		return e;
	atomic_store(&process.stop, false);
	/* Signals are for the threads of the program, which know what to do with them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);

	int errnum = pthread_create(&process.thread, NULL, run_events, NULL);

	pthread_sigmask(SIG_SETMASK, &old, NULL);
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
}

/** Does the URI name another machine: is there something between "://" and the next '/'? */
static bool is_remote(const char *uri)
{
	const char *host = strstr(uri, "://");

	return !host || (host[3] != '/' && host[3] != '\0');
}

/** Asks the driver whom it runs QEMU as; it says "+uid:+gid" when that is not the user of the driver itself. */
static void find_user(struct domain_conn *conn)
{
	cleanup_free char *xml = virConnectGetCapabilities(conn->virt);
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
	cleanup_free char *description = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_DESCRIPTION, NULL, 0);
	const char *name = virDomainGetName(domain);

	return name && strncmp(name, DOMAIN_NAME_PREFIX, strlen(DOMAIN_NAME_PREFIX)) == 0 && description &&
	       process_identity_is_dead(description);
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

	cleanup_free char *conf = domain_xml_qemu_conf(geteuid() == 0, user.uid, user.gid);

	if (!e)
		e = file_write_atomic(path, conf, strlen(conf), 0644);
	free(conn->uri);
	conn->uri = xasprintf("qemu:///embed?root=%s", root);
	return e;
}

static struct err *open_locked(struct domain_conn *conn)
{
	struct err *e = open_workdir(conn);

	if (!e && conn->is_embedded)
		e = configure_embedded(conn);
	if (!e)
		e = acquire_events(workdir_root(conn->workdir));
	if (e)
		return e;
	conn->virt = virConnectOpen(conn->uri);
	if (!conn->virt) {
		e = err_set_kind(virt_error(), ERR_HOST);
		release_events();
		return err_wrap(e, "cannot connect to '%s'", conn->uri);
	}
	find_user(conn);
	if (!conn->is_embedded)
		end_left_behind(conn->virt);
	return stage_clean(workdir_staged(conn->workdir));
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
	struct domain_conn *conn;
	struct err *e;

	if (uri && is_remote(uri))
		return err_new_kind(ERR_USAGE, "connection '%s': guests can only run on this machine", uri);
	conn = xcalloc(1, sizeof(*conn));
	conn->uri = xstrdup(uri ? uri : "");
	conn->is_embedded = !uri;
	pthread_mutex_init(&conn->lock, NULL);
	pthread_mutex_lock(&process.lock);
	e = open_locked(conn);
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
	pthread_mutex_lock(&process.lock);
	close_locked(conn);
	pthread_mutex_unlock(&process.lock);
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
	cleanup_free char *xml = virConnectGetDomainCapabilities(conn->virt, NULL, "x86_64", "pc", "qemu", 0);
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
	if (conn->user.uid == geteuid())
		return NULL;
	/* A user who may not give files away lets everyone have this one: its directory cannot be listed. */
	if (geteuid() == 0 ? lchown(path, conn->user.uid, conn->user.gid) : chmod(path, 0666))
		return err_errno(errno, "cannot give '%s' to user '%s'", path, conn->user.name);
	return NULL;
}

/** A socket at path that QEMU's user may connect to. */
static struct err *listen_at(struct domain_conn *conn, const char *path, int *ret)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		return err_new("socket path '%s' is too long", path);
	strcpy(address.sun_path, path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || chmod(path, 0600))
		return err_errno(errno, "cannot create socket '%s'", path);

	struct err *e = domain_own_file(conn, path);

	if (!e && listen(fd, 1))
		e = err_errno(errno, "cannot listen at '%s'", path);
	if (!e)
		*ret = take_fd(fd);
	return e;
}

/** Takes QEMU's connection to the agent's socket; others than QEMU's user are turned away. */
static struct err *accept_agent(struct domain *d, int listen_fd)
{
	struct pollfd pollfd = { .fd = listen_fd, .events = POLLIN };
	struct ucred cred;
	socklen_t len = sizeof(cred);

	while (poll(&pollfd, 1, CONNECT_TIMEOUT_MS) == 1) {
		cleanup_close int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) ||
		    cred.uid != d->conn->user.uid)
			continue;
		d->agent_fd = take_fd(fd);
		d->pid = cred.pid;
		/* 0: a process outside our PID namespace. */
		if (d->pid > 0)
			d->pidfd = pidfd_open(d->pid, 0);
		return NULL;
	}
	return err_new("QEMU did not connect to the agent's socket");
}

static struct err *create(struct domain *d, const struct domain_spec *spec, int listen_fd)
{
	cleanup_free char *owner = process_identity(getpid());
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
	/* The embedded driver cannot destroy by itself; workdir.c does it instead. */
	d->virt = virDomainCreateXML(d->conn->virt, xml,
				     d->conn->is_embedded ? 0 : VIR_DOMAIN_START_AUTODESTROY);
	if (!d->virt)
		return virt_error();
	e = accept_agent(d, listen_fd);
	if (!e)
		d->command_line = process_command_line(d->pid);
	return e;
}

struct err *domain_start(struct domain_conn *conn, const struct domain_spec *spec, struct domain **ret)
{
	struct domain *d = xcalloc(1, sizeof(*d));
	cleanup_close int listen_fd = -1;

	*d = (struct domain){ .conn = conn, .agent_fd = -1, .pidfd = -1, .name = xstrdup(spec->name) };
	d->socket_path = xasprintf("%s/%s.agent", workdir_files(conn->workdir), d->name);
	d->console_path = xasprintf("%s/%s.console", workdir_files(conn->workdir), d->name);
	pthread_mutex_lock(&conn->lock);
	d->next = conn->domains;
	conn->domains = d;
	pthread_mutex_unlock(&conn->lock);

	struct err *e = listen_at(conn, d->socket_path, &listen_fd);

	if (!e)
		e = create(d, spec, listen_fd);
	if (e) {
		domain_stop(d);
		return err_wrap(e, "guest '%s'", spec->name);
	}
	*ret = d;
	return NULL;
}

int domain_agent_fd(struct domain *d)
{
	return d->agent_fd;
}

/** Has the QEMU process ended? */
static bool has_ended(const struct domain *d)
{
	struct pollfd pollfd = { .fd = d->pidfd, .events = POLLIN };

	return d->pidfd >= 0 && poll(&pollfd, 1, 0) == 1;
}

/** What libvirt says. */
static enum guest_state ask_state(struct domain *d)
{
	int state, reason;

	if (has_ended(d) || virDomainGetState(d->virt, &state, &reason, 0) < 0)
		return GUEST_GONE;
	switch (state) {
	case VIR_DOMAIN_PAUSED:
		return reason == VIR_DOMAIN_PAUSED_CRASHED ? GUEST_PANICKED : GUEST_PAUSED;
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

struct err *domain_swap_written(struct domain *d, uint64_t *ret_bytes)
{
	virDomainBlockStatsStruct stats;

	if (virDomainBlockStats(d->virt, DOMAIN_SWAP_TARGET, &stats, sizeof(stats)) < 0)
		return err_wrap(virt_error(), "counters of the swap disk");
	if (stats.wr_bytes < 0)
		return err_new("counters of the swap disk: none");
	*ret_bytes = (uint64_t)stats.wr_bytes;
	return NULL;
}

char *domain_console(struct domain *d)
{
	return console_tail(d->console_path, TAIL_BYTES);
}

char *domain_command_line(struct domain *d)
{
	return xstrdup(d->command_line ? d->command_line : "");
}

/** Kills QEMU, waits, and reaps it: libvirt then has nothing to wait for. */
static void end_process(struct domain *d)
{
	struct pollfd pollfd = { .fd = d->pidfd, .events = POLLIN };
	siginfo_t info;

	/* Not permitted for another user's QEMU (qemu:///system): then libvirt does it. */
	if (d->pidfd < 0 || (pidfd_send_signal(d->pidfd, SIGKILL, NULL, 0) && errno != ESRCH))
		return;
	if (poll(&pollfd, 1, END_TIMEOUT_MS) != 1)
		log_note("guest '%s': process %d does not end", d->name, (int)d->pid);
	/* No child of ours when a daemon started it; already reaped when it had ended before. */
	waitid(P_PIDFD, (id_t)d->pidfd, &info, WEXITED | WNOHANG);
}

static void remove_from_list(struct domain *d)
{
	struct domain **link = &d->conn->domains;

	pthread_mutex_lock(&d->conn->lock);
	while (*link != d)
		link = &(*link)->next;
	*link = d->next;
	pthread_mutex_unlock(&d->conn->lock);
}

void domain_stop(struct domain *d)
{
	cleanup_free char *log = xasprintf("%s/log/qemu/%s.log", workdir_root(d->conn->workdir), d->name);

	end_process(d);
	if (d->virt) {
		/* Fails when libvirt has seen the end already; either way it has forgotten the guest afterwards. */
		virDomainDestroy(d->virt);
		virDomainFree(d->virt);
	}
	if (d->agent_fd >= 0)
		close(d->agent_fd);
	if (d->pidfd >= 0)
		close(d->pidfd);
	unlink(d->socket_path);
	unlink(d->console_path);
	unlink(log);
	remove_from_list(d);
	free(d->command_line);
	free(d->socket_path);
	free(d->console_path);
	free(d->name);
	free(d);
}
