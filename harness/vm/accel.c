/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/accel.h"

#include <glob.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cancel.h"
#include "harness/base/clock.h"
#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/vm/console.h"
#include "harness/image/image.h"

/**
 * A stock kernel boots in about a second under KVM: a host that needs 15 times that is not worth its noise.
 */
#define KVM_DEADLINE_MS 15000

/** And in about two seconds under TCG; a host may be busy with other guests. */
#define TCG_DEADLINE_MS 60000

#define POLL_MS 20

/** Says what was seen of a kernel that did not come to its end. */
static char *describe_failure(struct guest *d, enum guest_state state, int64_t passed_ms)
{
	cleanup_free char *console = domain_console(d);

	if (state != GUEST_RUNNING)
		return xasprintf("the guest %s after %.1f s", state == GUEST_GONE ? "ended" : "stopped",
				 (double)passed_ms / 1000);
	if (console_shows_kernel(console))
		return xasprintf("a kernel began to boot but was not done after %.0f s",
				 (double)passed_ms / 1000);
	return xasprintf("no line from a kernel within %.0f s", (double)passed_ms / 1000);
}

/** Watches until the kernel has come to its end, or time is up. */
static struct err *watch(struct guest *d, int deadline_ms, bool *ret, char **ret_why)
{
	int64_t start_ms = clock_ms(), passed_ms;
	enum guest_state state;

	do {
		usleep(POLL_MS * 1000);
		state = domain_state(d);
		passed_ms = clock_ms() - start_ms;
		if (cancel_requested())
			return cancel_error();
	} while (state == GUEST_RUNNING && passed_ms < deadline_ms);
	*ret = state == GUEST_PANICKED;
	*ret_why = *ret ? xasprintf("a kernel boots in %.1f s", (double)passed_ms / 1000)
			: describe_failure(d, state, passed_ms);
	return NULL;
}

struct err *accel_find_boot_kernel(char **ret)
{
	char *newest = NULL;
	glob_t found;

	if (glob("/boot/vmlinuz-*", 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			if (access(found.gl_pathv[i], R_OK) == 0 &&
			    (!newest || strverscmp(found.gl_pathv[i], newest) > 0))
				newest = found.gl_pathv[i];
		newest = newest ? xstrdup(newest) : NULL;
		globfree(&found);
	}
	if (!newest)
		return err_new_kind(ERR_HOST,
				    "no kernel in /boot can be read: install linux-image-cloud-amd64");
	*ret = newest;
	return NULL;
}

/** A kernel to try things with: of the newest built image, else of /boot. To be freed. */
static struct err *find_kernel(char **ret)
{
	struct image **images = NULL;
	size_t n = 0;

	err_free(image_list(&images, &n));
	if (n == 0)
		return accel_find_boot_kernel(ret);
	*ret = xasprintf("%s/vmlinuz", images[0]->dir);
	for (size_t i = 0; i < n; i++)
		image_destroy(images[i]);
	free(images);
	return NULL;
}

struct err *accel_try_boot(struct domain_conn *conn, const char *accel, const char *kernel, bool *ret,
			   char **ret_why)
{
	cleanup_free char *name = xasprintf(DOMAIN_NAME_PREFIX "try-%s-%d", accel, (int)getpid());
	cleanup_free char *found = NULL, *staged = NULL;
	struct err *e = kernel ? NULL : find_kernel(&found);

	if (!e)
		e = domain_stage_file(conn, kernel ? kernel : found, &staged);

	struct guest_config config = { .name = name, .accel = accel, .ram_mib = 256, .vcpus = 1 };
	struct domain_spec spec = {
		.config = &config,
		.kernel = staged,
		.cmdline = "console=ttyS0 earlyprintk=ttyS0",
	};
	cleanup(cleanup_guest_) struct guest *d = NULL;

	if (!e)
		e = domain_start(conn, &spec, &d);
	if (!e)
		e = watch(d, strcmp(accel, "kvm") == 0 ? KVM_DEADLINE_MS : TCG_DEADLINE_MS, ret, ret_why);
	return e;
}

/** What a verdict depends on, as text. */
static char *make_key(struct domain_conn *conn)
{
	cleanup(cleanup_json_) json_t *about = domain_conn_describe(conn);
	/* Unknown parts only make a verdict last longer. */
	cleanup_free char *boot = file_text("/proc/sys/kernel/random/boot_id", NULL);
	struct utsname host;
	const char *emulator = "", *qemu = "", *user = "";

	json_unpack(about, "{s:s, s:s, s:s}", "emulator", &emulator, "qemu", &qemu, "qemu_user", &user);
	uname(&host);
	return xasprintf("host %s boot %.36s qemu %s %s as %s", host.release, boot, emulator, qemu, user);
}

/**
 * The verdict in the file at path, if it has one for this key. Whatever is wrong with the file, it has
 * none.
 */
static bool load(const char *path, const char *key, bool *ret, char **ret_why)
{
	cleanup(cleanup_json_) json_t *json = json_load_file(path, 0, NULL);
	const json_t *works = json_object_get(json, "kvm_works");
	const char *file_key = json_string_value(json_object_get(json, "key"));
	const char *why = json_string_value(json_object_get(json, "why"));

	if (!json_is_boolean(works) || !file_key || !why || strcmp(file_key, key) != 0)
		return false;
	*ret = json_is_true(works);
	*ret_why = xstrdup(why);
	return true;
}

static void save(const char *path, const char *key, bool works, const char *why)
{
	cleanup(cleanup_json_) json_t *json =
		json_pack("{s:s, s:b, s:s}", "key", key, "kvm_works", works, "why", why);
	cleanup_free char *text = json ? json_dumps(json, JSON_INDENT(1)) : NULL;
	struct err *e = text ? file_write_atomic(path, text, strlen(text), 0600) : NULL;

	/* Without a cache the next run tries again: slower, not wrong. */
	log_error(err_wrap(e, "cannot keep the verdict on KVM"));
}

/** Tries, and keeps the verdict at path. */
static struct err *try_kvm(struct domain_conn *conn, const char *path, const char *key, bool *ret,
			   char **ret_why)
{
	cleanup_free char *kernel = NULL;
	struct err *e = find_kernel(&kernel);
	bool works = false;

	if (e)
		return err_wrap(e, "cannot try KVM");
	log_progress("trying to boot a kernel under KVM");
	e = accel_try_boot(conn, "kvm", kernel, &works, ret_why);
	log_progress_end();
	if (e && err_get_kind(e) == ERR_INTERRUPTED)
		return e;
	if (e) {
		/* A refusal is a verdict too, but of a kind that may pass, so it is not kept. */
		*ret_why = xstrdup(err_message(e));
		err_free(e);
	} else {
		save(path, key, works, *ret_why);
	}
	*ret = works;
	return NULL;
}

struct err *accel_ask_kvm(struct domain_conn *conn, bool *ret, char **ret_why)
{
	cleanup_free char *dir = NULL;
	struct err *e;

	if (!stage_can_open(domain_conn_user(conn), "/dev/kvm", true)) {
		*ret = false;
		*ret_why = xstrdup(file_exists("/dev/kvm") ? "QEMU's user may not open /dev/kvm"
							   : "there is no /dev/kvm");
		return NULL;
	}
	e = file_cache_dir(&dir);
	if (e)
		return e;

	cleanup_free char *key = make_key(conn);
	cleanup_free char *path = xasprintf("%s/accel.json", dir);

	if (load(path, key, ret, ret_why))
		return NULL;
	return try_kvm(conn, path, key, ret, ret_why);
}

struct err *accel_kvm_works(bool *ret)
{
	cleanup(cleanup_domain_conn_) struct domain_conn *conn = NULL;
	cleanup_free char *why = NULL;
	struct err *e = domain_conn_open(NULL, &conn);

	return e ? e : accel_ask_kvm(conn, ret, &why);
}

struct err *accel_resolve(const char *wanted, struct domain_conn *conn, const char **ret)
{
	cleanup_free char *why = NULL;
	bool is_auto = strcmp(wanted, "auto") == 0, works = false;

	if (strcmp(wanted, "tcg") == 0) {
		*ret = "tcg";
		return NULL;
	}
	if (!is_auto && strcmp(wanted, "kvm") != 0)
		return err_new_kind(ERR_USAGE, "accelerator '%s' is not auto, kvm or tcg", wanted);

	struct err *e = accel_ask_kvm(conn, &works, &why);

	if (e)
		return e;
	if (!works && !is_auto)
		return err_new_kind(ERR_HOST, "accelerator 'kvm' does not work here: %s", why);
	*ret = works ? "kvm" : "tcg";
	return NULL;
}
