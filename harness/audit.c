/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "calibrate/text.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/file.h"

/** Text of a small file of the kernel, "" when it cannot be read. To be freed. */
static char *read_text(const char *path)
{
	struct strbuf text = STRBUF_INIT;

	/* 1 MiB: /proc/cpuinfo of a machine with hundreds of CPUs. */
	err_free(file_read(path, 1 << 20, &text));
	return strbuf_steal(&text);
}

static json_t *cpu_model(void)
{
	cleanup_free char *text = read_text("/proc/cpuinfo");
	const char *at = strstr(text, "model name");

	at = at ? strchr(at, ':') : NULL;
	if (!at)
		return json_null();
	at += 1 + strspn(at + 1, " ");
	return json_stringn(at, strcspn(at, "\n"));
}

static json_t *meminfo(const char *text, const char *key)
{
	uint64_t kib;

	return text_get_number(text, strlen(text), key, &kib) ? json_integer((json_int_t)kib) : json_null();
}

static json_t *host(void)
{
	struct utsname u = { 0 };
	double load[1] = { 0 };
	cleanup_free char *mem = read_text("/proc/meminfo");
	json_t *h = json_object();

	uname(&u);
	json_object_set_new(h, "kernel", json_string(u.release));
	json_object_set_new(h, "machine", json_string(u.machine));
	json_object_set_new(h, "cpu", cpu_model());
	json_object_set_new(h, "cpus", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	json_object_set_new(h, "mem_total_kib", meminfo(mem, "MemTotal"));
	json_object_set_new(h, "mem_available_kib", meminfo(mem, "MemAvailable"));
	json_object_set_new(h, "swap_free_kib", meminfo(mem, "SwapFree"));
	json_object_set_new(h, "swap_total_kib", meminfo(mem, "SwapTotal"));
	json_object_set_new(h, "load_1min", getloadavg(load, 1) == 1 ? json_real(load[0]) : json_null());
	return h;
}

json_t *audit_create(struct domain_conn *conn, struct image *const *images, size_t n, const char *accel,
		     int argc, char **argv)
{
	json_t *audit = json_object();
	json_t *arguments = json_array();

	for (int i = 0; i < argc; i++)
		json_array_append_new(arguments, json_string(argv[i]));
	json_object_set_new(audit, "tool_version", json_string(SWAPCAL_VERSION));
	json_object_set_new(audit, "arguments", arguments);
	json_object_set_new(audit, "host", host());
	json_object_set_new(audit, "connection", domain_conn_describe(conn));
	json_object_set_new(audit, "accel", json_string(accel));
	json_t *manifests = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append(manifests, images[i]->manifest);
	json_object_set_new(audit, "images", manifests);
	return audit;
}
