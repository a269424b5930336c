/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/campaign/audit.h"

#include <math.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "harness/base/cleanup.h"
#include "harness/base/file.h"
#include "harness/host/host.h"

static json_t *cpu_model(void)
{
	cleanup_free char *text = file_text("/proc/cpuinfo", NULL);
	const char *at = strstr(text, "model name");

	at = at ? strchr(at, ':') : NULL;
	if (!at)
		return json_null();
	at += 1 + strspn(at + 1, " ");
	return json_stringn(at, strcspn(at, "\n"));
}

/** A whole number; null for one that the kernel does not tell. */
static json_t *known(double value)
{
	return isnan(value) ? json_null() : json_integer((json_int_t)value);
}

static json_t *host(void)
{
	struct utsname u = { 0 };
	struct pressure now;
	json_t *h = json_object();

	uname(&u);
	host_pressure_read(&now);
	json_object_set_new(h, "kernel", json_string(u.release));
	json_object_set_new(h, "machine", json_string(u.machine));
	json_object_set_new(h, "cpu", cpu_model());
	json_object_set_new(h, "cpus", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	json_object_set_new(h, "mem_total_kib", known(now.mem_total_kib));
	json_object_set_new(h, "mem_available_kib", known(now.mem_available_kib));
	json_object_set_new(h, "swap_free_kib", known(now.swap_free_kib));
	json_object_set_new(h, "swap_total_kib", known(now.swap_total_kib));
	json_object_set_new(h, "load_1min", isnan(now.load_1min) ? json_null() : json_real(now.load_1min));
	return h;
}

json_t *audit_create(struct domain_conn *conn, struct image *const *images, size_t n, const char *accel,
		     int argc, char **argv)
{
	json_t *arguments = json_array(), *manifests = json_array();

	for (int i = 0; i < argc; i++)
		json_array_append_new(arguments, json_string(argv[i]));
	for (size_t i = 0; i < n; i++)
		json_array_append(manifests, images[i]->manifest);
	return json_pack("{s:s, s:o, s:o, s:o, s:s, s:o}", "tool_version", SWAPCAL_VERSION, "arguments",
			 arguments, "host", host(), "connection", domain_conn_describe(conn), "accel", accel,
			 "images", manifests);
}
