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
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/base/strbuf.h"
#include "harness/domain-xml.h"
#include "harness/orphans.h"
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
	struct workdir *workdir; /* borrowed when embedded */
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

static struct err *write_qemu_conf(const char *root, const struct stage_user *user)
{
	cleanup_free char *dir = xasprintf("%s/etc", root);
	cleanup_free char *path = xasprintf("%s/qemu.conf", dir);
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;

	/* No daemon for logs, no labels, namespaces or cgroups: nothing that needs a host set up for libvirt. */
	strbuf_adds(&sb, "stdio_handler = \"file\"\nsecurity_driver = \"none\"\nnamespaces = []\n"
			 "cgroup_controllers = []\ndynamic_ownership = 0\n");
	if (geteuid() == 0)
		strbuf_addf(&sb, "user = \"+%u\"\ngroup = \"+%u\"\n", (unsigned)user->uid, (unsigned)user->gid);

	struct err *e = file_mkdirs(dir, 0755);

	return e ? e : file_write_atomic(path, sb.data, sb.len, 0644);
}

/** Does the URI name another machine: is there something between "://" and the next '/'? */
static bool is_remote(const char *uri)
{
	const char *host = strstr(uri, "://");

	return !host || (host[3] != '/' && host[3] != '\0');
}

/** The text between <tag> (or <tag ...>) and </tag>, from *xml on, which moves behind it; NULL when there is none. */
static char *next_element(const char **xml, const char *tag)
{
	cleanup_free char *open = xasprintf("<%s", tag);
	cleanup_free char *close = xasprintf("</%s>", tag);
	const char *p = *xml ? strstr(*xml, open) : NULL;
	const char *begin = p ? strchr(p, '>') : NULL;
	const char *end = begin ? strstr(begin, close) : NULL;

	if (!end)
		return NULL;
	*xml = end + strlen(close);
	return xmemdup0(begin + 1, (size_t)(end - begin - 1));
}

/** Asks the driver whom it runs QEMU as; it says "+uid:+gid" when that is not the user of the driver itself. */
static void find_user(struct domain_conn *conn)
{
	cleanup_free char *xml = virConnectGetCapabilities(conn->virt);
	const char *p = xml ? strstr(xml, "<model>dac</model>") : NULL;
	cleanup_free char *label = next_element(&p, "baselabel");
	unsigned uid, gid;

	stage_user_init(&conn->user, geteuid(), getegid());
	if (!label || sscanf(label, "+%u:+%u", &uid, &gid) != 2)
		return;
	stage_user_init(&conn->user, uid, gid);
	conn->dac_label = take_ptr(label);
}

/** Owner of a guest, in its description: a process that has the same id later on started at another time. */
static char *owner_of(pid_t pid)
{
	cleanup_free char *path = xasprintf("/proc/%d/stat", (int)pid);
	cleanup_strbuf struct strbuf stat = STRBUF_INIT, boot = STRBUF_INIT;
	struct err *e = file_read(path, 4096, &stat);
	const char *p = strrchr(strbuf_str(&stat), ')');
	unsigned long long started;

	err_free(e);
	e = file_read("/proc/sys/kernel/random/boot_id", 64, &boot);
	err_free(e);
	/* starttime is field 22 of proc_pid_stat(5); the second one may hold anything up to its last ')'. */
	if (!p || sscanf(p + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
			 &started) != 1)
		return xstrdup("");
	return xasprintf("swapcal process %d started %llu boot %.36s", (int)pid, started, strbuf_str(&boot));
}

/** Is it a guest of a process of this boot that has ended? */
static bool is_left_behind(virDomainPtr domain)
{
	cleanup_free char *description = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_DESCRIPTION, NULL, 0);
	const char *name = virDomainGetName(domain);
	const char *boot = description ? strstr(description, " boot ") : NULL;
	int pid;

	if (!name || strncmp(name, DOMAIN_NAME_PREFIX, strlen(DOMAIN_NAME_PREFIX)) != 0 || !boot ||
	    sscanf(description, "swapcal process %d ", &pid) != 1 || pid <= 0)
		return false;

	cleanup_free char *owner = owner_of(pid);
	cleanup_free char *me = owner_of(getpid());
	const char *my_boot = strstr(me, " boot ");

	return my_boot && strcmp(boot, my_boot) == 0 && strcmp(owner, description) != 0;
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
	struct err *e;

	if (conn->is_embedded && process.embedded_workdir) {
		conn->workdir = process.embedded_workdir;
		return NULL;
	}
	e = workdir_open(NULL, &conn->workdir);
	if (!e && conn->is_embedded)
		process.embedded_workdir = conn->workdir;
	return e;
}

static struct err *open_embedded(struct domain_conn *conn)
{
	const char *root = workdir_root(conn->workdir);
	struct stage_user user;

	stage_user_for_qemu(&user);

	struct err *e = write_qemu_conf(root, &user);

	free(conn->uri);
	conn->uri = xasprintf("qemu:///embed?root=%s", root);
	return e;
}

static struct err *open_locked(struct domain_conn *conn)
{
	struct err *e = open_workdir(conn);

	if (!e && conn->is_embedded)
		e = open_embedded(conn);
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
