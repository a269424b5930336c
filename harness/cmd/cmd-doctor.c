/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "calibrate/evidence/text.h"
#include "harness/base/alloc.h"
#include "harness/base/cancel.h"
#include "harness/base/file.h"
#include "harness/base/format.h"
#include "harness/base/log.h"
#include "harness/base/strbuf.h"
#include "harness/base/subprocess.h"
#include "harness/cmd/cli.h"
#include "harness/cmd/cmd.h"
#include "harness/image/image.h"
#include "harness/vm/accel.h"
#include "harness/vm/domain.h"
#include "harness/vm/guest-vm.h"

/* Of the object printed with --format json. */
#define DOCTOR_SCHEMA_VERSION 1

static const char help[] =
	"usage: swapcal doctor [-c URI] [--format text|json]\n"
	"\n"
	"Is this host fit to calibrate on? Tries what a campaign needs, guests included, and says\n"
	"what to do about what it lacks. Takes some seconds; the first time on a host with /dev/kvm\n"
	"up to 15 more, since KVM is believed only when a kernel boots under it.\n"
	"\n"
	"Options:\n"
	"  -c, --connect URI  libvirt connection (default: an embedded driver, no daemon needed)\n"
	"      --format FMT   text (the default) or json\n"
	"  -h, --help         show this text\n"
	"\n"
	"Example:\n"
	"  swapcal doctor\n"
	"\n"
	"Exit status: 0 fit (there may be warnings), 2 usage, 3 a check failed, 130 interrupted.\n";

/** An image takes about 0.4 GB, building one three times that for a while. */
#define CACHE_FREE_MIB 2048

/** Swap disks are sparse, and a guest writes some tens of MiB to its own. */
#define WORKDIR_FREE_MIB 1024

/** A guest of 256 MiB under TCG takes about 0.5 GiB of the host, the libguestfs appliance 1.2. */
#define MEMORY_WARN_MIB 1536
#define MEMORY_FAIL_MIB 512

/** Hello comes after 3 s on a host that is not busy. */
#define HELLO_DEADLINE_MS 60000

enum check_level {
	CHECK_PASS,
	CHECK_WARN, /**< works, with a drawback */
	CHECK_FAIL, /**< campaigns cannot run, or no image can be built */
};

struct doctor {
	struct domain_conn *conn;
	const char *accel;
	json_t *checks; /**< NULL: checks are printed as text */
	unsigned failed;
};

/**
 * Reports a check. id is a word for programs, hint says what to do, or what it means, and detail, a format,
 * what was found.
 */
__attribute__((format(printf, 6, 7))) static void tell(struct doctor *d, const char *id, const char *title,
						       enum check_level level, const char *hint,
						       const char *detail, ...)
{
	static const char *const levels[] = { "PASS", "WARN", "FAIL" };
	va_list ap;

	va_start(ap, detail);

	cleanup_free char *text = xvasprintf(detail, ap);

	va_end(ap);
	if (level == CHECK_PASS)
		hint = "";
	d->failed += level == CHECK_FAIL;
	if (d->checks) {
		json_array_append_new(
			d->checks, json_pack("{s:s, s:s, s:s, s:o, s:s}", "id", id, "title", title, "status",
					     levels[level],
					     /* The detail may name a file, whose name may be of any bytes. */
					     "detail", format_json_string(text), "hint", hint));
		return;
	}
	log_progress_end();
	printf("CHECK %-44s %s: %s\n", title, levels[level], text);
	if (*hint)
		printf("      %s\n", hint);
	/* The user sees each result at once, since the next check may take a while. */
	fflush(stdout);
}

/** Reports and frees an error as a failed check. */
static void tell_error(struct doctor *d, const char *id, const char *title, const char *hint, struct err *e)
{
	/* An interrupted check has no result. */
	if (err_get_kind(e) != ERR_INTERRUPTED)
		tell(d, id, title, CHECK_FAIL, hint, "%s", err_message(e));
	err_free(e);
}

static void check_libvirt(struct doctor *d, const char *uri)
{
	static const char title[] = "libvirt starts guests with QEMU";
	struct err *e = domain_conn_open(uri, &d->conn);

	if (e) {
		tell_error(d, "libvirt", title,
			   "install libvirt-daemon-driver-qemu and qemu-system-x86 ('make deps')", e);
		return;
	}

	cleanup(cleanup_json_) json_t *about = domain_conn_describe(d->conn);
	const char *connection = "", *libvirt = "", *qemu = "", *emulator = "", *user = "";

	json_unpack(about, "{s:s, s:s, s:s, s:s, s:s}", "uri", &connection, "libvirt", &libvirt, "qemu",
		    &qemu, "emulator", &emulator, "qemu_user", &user);
	tell(d, "libvirt", title, *emulator ? CHECK_PASS : CHECK_FAIL,
	     "install qemu-system-x86 ('make deps')", "libvirt %s, QEMU %s (%s), connection %s", libvirt,
	     qemu, *emulator ? emulator : "not found", connection);
	tell(d, "qemu-user", "QEMU does not run as root", strcmp(user, "root") ? CHECK_PASS : CHECK_WARN,
	     "an escape from a guest would have all rights: install libvirt-daemon-system, which brings a user for it",
	     "as user '%s'", user);
}

static void check_kvm(struct doctor *d)
{
	static const char title[] = "KVM boots a kernel";
	cleanup_free char *why = NULL;
	bool works;
	struct err *e = accel_ask_kvm(d->conn, &works, &why);

	d->accel = "tcg";
	if (e) {
		tell_error(d, "kvm", title, "install a kernel to try with: linux-image-cloud-amd64", e);
		return;
	}
	if (works)
		d->accel = "kvm";
	tell(d, "kvm", title, works ? CHECK_PASS : CHECK_WARN,
	     "guests run under TCG instead: slower, results are as valid", "%s", why);
}

/** Checks what QEMU could still do when a guest has taken it over. */
static void check_sandbox(struct doctor *d, struct guest *g)
{
	cleanup_free char *line = guest_vm_ops.command_line(g);
	bool is_on = strstr(line, " -sandbox on") != NULL;

	/* The line is empty when /proc hides the processes of other users. */
	if (*line)
		tell(d, "sandbox", "QEMU is in a sandbox", is_on ? CHECK_PASS : CHECK_WARN,
		     "an escape from a guest could start programs: install a QEMU with seccomp, and do not set seccomp_sandbox in libvirt's qemu.conf",
		     "%s", is_on ? "it may start nothing" : "its system calls are not filtered");
}

/** Boots an image as a probe does. */
static struct err *boot_image(struct doctor *d, const struct image *image)
{
	cleanup(cleanup_host_) struct guest_vm_host *host = NULL;
	cleanup_free char *name = xasprintf(DOMAIN_NAME_PREFIX "doctor-%d", (int)getpid());
	struct guest_config config = {
		.name = name,
		.accel = d->accel,
		.ram_mib = 256,
		.swap_mib = 64,
		.vcpus = 1,
	};
	int64_t start_ms;
	struct guest *g;
	struct err *e = guest_vm_host_create(d->conn, image, NULL, &host);

	if (!e)
		e = guest_vm_ops.start(host, &config, &g);
	if (e)
		return e;
	start_ms = guest_vm_ops.now_ms(g);
	e = guest_vm_await_hello(g, HELLO_DEADLINE_MS);
	if (!e)
		tell(d, "guest", "a guest boots to its agent's hello", CHECK_PASS, "", "under %s in %.1f s",
		     d->accel, (double)(guest_vm_ops.now_ms(g) - start_ms) / 1000);
	check_sandbox(d, g);
	guest_vm_ops.stop(g);
	return e;
}

/** Boots a kernel alone, which shows without an image that guests run. */
static void check_kernel_boot(struct doctor *d)
{
	static const char title[] = "a guest boots";
	cleanup_free char *why = NULL;
	bool works;
	struct err *e = accel_try_boot(d->conn, d->accel, NULL, &works, &why);

	if (e)
		tell_error(d, "guest", title, "", e);
	else
		tell(d, "guest", title, works ? CHECK_PASS : CHECK_FAIL,
		     "see the messages of QEMU and the host's log", "under %s: %s", d->accel, why);
}

static void check_images(struct doctor *d)
{
	struct image **images = NULL;
	size_t n = 0;
	struct err *e = image_list(&images, &n);
	cleanup_strbuf struct strbuf names = STRBUF_INIT;

	if (e) {
		tell_error(d, "images", "guest images are built", "", e);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const char *name = json_string_value(json_object_get(images[i]->manifest, "name"));

		strbuf_addf(&names, "%s%s", i ? ", " : "", name ? name : "?");
	}
	tell(d, "images", "guest images are built", n ? CHECK_PASS : CHECK_WARN,
	     "run 'swapcal image build bookworm'", "%s", n ? strbuf_str(&names) : "none");
	if (d->conn && n) {
		e = boot_image(d, images[0]);
		if (e)
			tell_error(d, "guest", "a guest boots to its agent's hello",
				   "run it again; then 'swapcal image build' with --force", e);
	} else if (d->conn) {
		check_kernel_boot(d);
	}
	for (size_t i = 0; i < n; i++)
		image_destroy(images[i]);
	free(images);
}

/** Checks what building an image needs. */
static void check_build_tools(struct doctor *d)
{
	bool supermin = subprocess_program_exists("supermin"),
	     mmdebstrap = subprocess_program_exists("mmdebstrap");
	cleanup_free char *kernel = NULL;
	struct err *e = accel_find_boot_kernel(&kernel);

	tell(d, "libguestfs", "libguestfs can make its appliance", supermin && !e ? CHECK_PASS : CHECK_FAIL,
	     "images cannot be built: install libguestfs-dev and linux-image-cloud-amd64 ('make deps')", "%s",
	     !supermin ? "supermin not found"
	     : e       ? err_message(e)
		       : kernel);
	err_free(e);
	tell(d, "mmdebstrap", "mmdebstrap is installed", mmdebstrap ? CHECK_PASS : CHECK_FAIL,
	     "images cannot be built: install mmdebstrap ('make deps')", "%s",
	     mmdebstrap ? "found" : "not found");
}

static void check_space(struct doctor *d, const char *id, const char *title, const char *dir,
			unsigned want_mib)
{
	struct statvfs fs;
	bool can_write = access(dir, W_OK | X_OK) == 0;

	if (!can_write || statvfs(dir, &fs)) {
		tell(d, id, title, CHECK_FAIL, "give yourself the right to write there",
		     "cannot write in '%s'", dir);
		return;
	}

	unsigned long long free_mib = (unsigned long long)fs.f_bavail * fs.f_frsize >> 20;

	tell(d, id, title, free_mib >= want_mib ? CHECK_PASS : CHECK_FAIL, "make room",
	     "%s: %llu MiB free, %u wanted", dir, free_mib, want_mib);
}

static void check_directories(struct doctor *d)
{
	cleanup_free char *cache = NULL;
	struct err *e = file_cache_dir(&cache);

	if (e)
		tell_error(d, "cache", "the cache has room for images", "set HOME or XDG_CACHE_HOME", e);
	else
		check_space(d, "cache", "the cache has room for images", cache, CACHE_FREE_MIB);
	if (d->conn)
		check_space(d, "workdir", "the work directory has room for swap disks",
			    domain_conn_workdir(d->conn), WORKDIR_FREE_MIB);
}

static void check_memory(struct doctor *d)
{
	cleanup_strbuf struct strbuf meminfo = STRBUF_INIT;
	uint64_t available_kib = 0, swap_kib = 0, swap_free_kib = 0;
	struct err *e = file_read("/proc/meminfo", 65536, &meminfo);

	if (e) {
		tell_error(d, "memory", "there is memory for guests", "mount /proc", e);
		return;
	}
	text_get_number(meminfo.data, meminfo.len, "MemAvailable", &available_kib);
	text_get_number(meminfo.data, meminfo.len, "SwapTotal", &swap_kib);
	text_get_number(meminfo.data, meminfo.len, "SwapFree", &swap_free_kib);

	uint64_t available_mib = available_kib / 1024;

	tell(d, "memory", "there is memory for guests",
	     available_mib >= MEMORY_WARN_MIB   ? CHECK_PASS
	     : available_mib >= MEMORY_FAIL_MIB ? CHECK_WARN
						: CHECK_FAIL,
	     "end other programs, or use small guests", "%ju MiB available", (uintmax_t)available_mib);
	/* A tenth: a few pages that were swapped out long ago say nothing. */
	tell(d, "swap", "the host itself does not swap",
	     (swap_kib - swap_free_kib) * 10 <= swap_kib ? CHECK_PASS : CHECK_WARN,
	     "guests that the host swaps out are slow and may run into deadlines; what is measured in them does not change",
	     "%ju of %ju MiB used", (uintmax_t)(swap_kib - swap_free_kib) / 1024, (uintmax_t)swap_kib / 1024);
}

/**
 * Tries everything that a campaign needs, rather than looking for signs of it. Boots guests: takes a few
 * seconds, and up to 15 more when KVM is tried for the first time.
 */
static void check_all(struct doctor *d, const char *uri)
{
	check_libvirt(d, uri);
	if (d->conn && !cancel_requested())
		check_kvm(d);
	if (!cancel_requested())
		check_images(d);
	check_build_tools(d);
	check_directories(d);
	check_memory(d);
	if (d->conn)
		domain_conn_close(d->conn);
}

struct err *cmd_doctor(int argc, char **argv)
{
	const char *uri = NULL;
	enum cli_format format = CLI_TEXT;
	const struct cli_option options[] = {
		{ "connect", 'c', .text = &uri },
		{ "format", .format = &format, .choices = "text|json" },
		{ .name = NULL },
	};
	struct err *e = cli_parse(argc, argv, help, options);

	if (e)
		return e;
	if (optind < argc)
		return err_new_kind(ERR_USAGE, "'%s': doctor takes no arguments", argv[optind]);

	struct doctor d = { .checks = format == CLI_JSON ? json_array() : NULL };

	check_all(&d, uri);
	if (d.checks)
		cli_print_json(json_pack("{s:s, s:i, s:b, s:o}", "tool_version", SWAPCAL_VERSION,
					 "schema_version", DOCTOR_SCHEMA_VERSION, "fit", d.failed == 0,
					 "checks", d.checks));
	if (cancel_requested())
		return cancel_error();
	if (!d.failed)
		return NULL;
	return err_new_kind(ERR_HOST, "this host is not fit yet: %u check%s failed", d.failed,
			    d.failed == 1 ? "" : "s");
}
