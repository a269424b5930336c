/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/evidence/text.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/cell/method.h"
#include "harness/probe/probe-internal.h"

static json_t *message(const char *type)
{
	return json_pack("{s:s}", "type", type);
}

static json_t *write_request(const char *path, const char *value)
{
	return json_pack("{s:s, s:s, s:s}", "type", "write", "path", path, "value", value);
}

/** Writes value to a file in the guest; p->reply_value is what it says afterwards. */
static bool write_file(struct probe *p, const char *path, const char *value)
{
	return probe_call(p, write_request(path, value));
}

/** A knob that every kernel has: set, and read back as set. */
static bool set_sysctl(struct probe *p, const char *path, unsigned value)
{
	cleanup_free char *text = xasprintf("%u", value);

	if (!write_file(p, path, text))
		return false;
	if (!p->reply_ok || strcmp(p->reply_value, text) != 0)
		return probe_end(p, OUTCOME_INVALID, "knob %s: asked for %s, guest says '%s' %s", path, text,
				 p->reply_value, p->reply_error);
	return true;
}

bool probe_has_zram(const struct probe *p)
{
	return strcmp(p->spec->settings.swap, "zram") == 0;
}

/** Swap on a compressed disk in the guest's own RAM, of the size that the swap disk has. */
static bool swap_on_zram(struct probe *p)
{
	static const char path[] = "/sys/block/zram0/disksize";
	uint64_t kib = p->spec->guest.swap_mib * 1024ull;
	cleanup_free char *bytes = xasprintf("%" PRIu64, kib * 1024);

	if (!probe_call(p, message("zram")))
		return false;
	if (!p->reply_ok)
		return probe_end(p, OUTCOME_NOT_APPLICABLE, "this guest has no zram: %s", p->reply_error);
	if (!write_file(p, path, bytes))
		return false;
	/* It takes its size when it has its compressor, in some kernels a module that no other depends on. */
	if (!p->reply_ok)
		return probe_end(p, OUTCOME_NOT_APPLICABLE,
				 "this guest's zram takes no size; has the image its compressor? %s",
				 p->reply_error);
	if (strcmp(p->reply_value, bytes) != 0)
		return probe_end(p, OUTCOME_INVALID, "knob %s: asked for %s, guest says '%s'", path, bytes,
				 p->reply_value);
	return probe_call_ok(p, json_pack("{s:s, s:s, s:I}", "type", "swapon", "device", "/dev/zram0",
					  "mkswap_kib", (json_int_t)kib));
}

static bool swap_on(struct probe *p)
{
	if (probe_has_zram(p))
		return swap_on_zram(p);
	return probe_call_ok(p, json_pack("{s:s, s:s}", "type", "swapon", "device", PROTO_SERIAL_SWAP));
}

/** After huge pages, which make the kernel raise it. */
static bool set_min_free(struct probe *p)
{
	return !p->spec->settings.min_free_kib ||
	       set_sysctl(p, "/proc/sys/vm/min_free_kbytes", p->spec->settings.min_free_kib);
}

static bool set_thp(struct probe *p)
{
	static const char path[] = "/sys/kernel/mm/transparent_hugepage/enabled";
	cleanup_free char *chosen = xasprintf("[%s]", p->spec->settings.thp);

	if (!write_file(p, path, p->spec->settings.thp))
		return false;
	if (!p->reply_ok && strcmp(p->spec->settings.thp, "never") != 0)
		return probe_end(p, OUTCOME_NOT_APPLICABLE, "this kernel has no transparent huge pages");
	if (p->reply_ok && !strstr(p->reply_value, chosen))
		return probe_end(p, OUTCOME_INVALID, "knob %s: asked for %s, guest says '%s'", path,
				 p->spec->settings.thp, p->reply_value);
	return true;
}

static bool set_mglru(struct probe *p)
{
	static const char path[] = "/sys/kernel/mm/lru_gen/enabled";

	if (!write_file(p, path, p->spec->settings.mglru ? "y" : "n"))
		return false;
	if (!p->reply_ok && p->spec->settings.mglru)
		return probe_end(p, OUTCOME_NOT_APPLICABLE, "this kernel has no multi-generational LRU");

	/* The file shows a bit mask of its parts, 0 when all are off. */
	bool is_on = p->reply_ok && strtoul(p->reply_value, NULL, 0) != 0;

	if (is_on != p->spec->settings.mglru)
		return probe_end(p, OUTCOME_INVALID, "knob %s: asked for %s, guest says '%s'", path,
				 p->spec->settings.mglru ? "on" : "off", p->reply_value);
	return true;
}

static bool take_baseline(struct probe *p)
{
	if (!probe_snapshot(p, "baseline"))
		return false;

	const struct snapshot *s = &p->rec->snapshots[p->rec->snapshots_count - 1];

	for (size_t i = 0; i < s->files_count; i++) {
		const struct evidence *f = &s->files[i];

		if (f->pid || strcmp(f->name, "meminfo") != 0)
			continue;
		if (text_get_number(f->data, f->len, "MemTotal", &p->rec->mem_total_kib) &&
		    text_get_number(f->data, f->len, "MemAvailable", &p->rec->mem_available0_kib))
			return true;
	}
	return probe_end(p, OUTCOME_INVALID, "guest did not tell its MemTotal and MemAvailable");
}

/**
 * With an instruction-counted clock, asks that a request take effect at a full second of guest time: when it
 * arrives depends on the host, and lives must not differ by that.
 */
static void align(const struct probe *p, json_t *request)
{
	if (p->spec->guest.icount)
		json_object_set_new(request, "align_ms", json_integer(1000));
}

bool probe_prepare(struct probe *p)
{
	const struct probe_spec *spec = p->spec;

	if (!swap_on(p))
		return false;
	if (!set_sysctl(p, "/proc/sys/vm/swappiness", spec->settings.swappiness) ||
	    !set_sysctl(p, "/proc/sys/vm/watermark_boost_factor", 0) || !set_thp(p) || !set_mglru(p) ||
	    !set_min_free(p))
		return false;
	/* 3: page cache, dentries and inodes; what boot left behind must not differ from guest to guest. */
	if (!probe_call_ok(p, write_request("/proc/sys/vm/drop_caches", "3")))
		return false;
	if (!take_baseline(p))
		return false;

	json_t *watch =
		json_pack("{s:s, s:i, s:s, s:I, s:i, s:b}", "type", "watch", "tick_ms", (int)spec->tick_ms,
			  "rule", spec->rule->name, "pages", (json_int_t)spec->rule->pages, "window_ms",
			  (int)spec->rule->window_ms, "freeze", 1);

	align(p, watch);
	return probe_call_ok(p, watch);
}

static bool start(struct probe *p, json_t *argv, json_t *env, bool in_root_image,
		  struct probe_process *process)
{
	json_t *m = message("start");

	json_object_set_new(m, "argv", argv);
	json_object_set_new(m, "env", env);
	json_object_set_new(m, "chroot", json_boolean(in_root_image));
	align(p, m);
	if (!probe_call(p, m))
		return false;
	if (!p->reply_ok)
		return probe_end(p, OUTCOME_INVALID, "%s: %s",
				 p->has_onset ? "the guest swapped just before another process was to start"
					      : "the load does not start",
				 p->reply_error);
	process->pid = p->reply_pid;
	return true;
}

static void push_option(json_t *argv, const char *name, uint64_t value)
{
	cleanup_free char *text = xasprintf("%" PRIu64, value);

	json_array_append_new(argv, json_string(name));
	json_array_append_new(argv, json_string(text));
}

bool probe_start_ballast(struct probe *p)
{
	json_t *argv = json_pack("[s, s, s, s, s]", "/ballast", "--fill", p->spec->settings.fill, "--touch",
				 p->spec->settings.touch);

	push_option(argv, "--kib", p->spec->z_kib);
	push_option(argv, "--rate-kib-s", p->spec->ramp_kib_s);
	push_option(argv, "--seed", p->spec->guest.seed);
	return start(p, argv, json_array(), false, &p->ballast);
}

static json_t *string_array(const char *const *strings)
{
	json_t *array = json_array();

	for (; strings && *strings; strings++)
		json_array_append_new(array, json_string(*strings));
	return array;
}

bool probe_start_load(struct probe *p)
{
	if (p->loads_n == PLAN_PROCESSES_MAX)
		return probe_end(p, OUTCOME_INVALID, "the load is to have more than %d processes",
				 PLAN_PROCESSES_MAX);

	struct probe_process *process = &p->loads[p->loads_n];
	json_t *argv = string_array(p->spec->argv);

	if (p->spec->has_seed)
		push_option(argv, "--seed", p->spec->guest.seed + p->loads_n);
	if (!start(p, argv, string_array(p->spec->env), p->spec->is_in_image, process))
		return false;
	p->loads_n++;
	p->load_start_us = probe_last_sample_us(p);
	return true;
}

bool probe_stop_load(struct probe *p)
{
	return probe_call_ok(p, json_pack("{s:s, s:i}", "type", "signal", "sig", SIGSTOP));
}

/** A process that has exited: one of the load rather than the ballast; NULL when none has. */
static const struct probe_process *find_exit(const struct probe *p)
{
	for (size_t i = 0; i < p->loads_n; i++)
		if (p->loads[i].has_exited)
			return &p->loads[i];
	return p->ballast.has_exited ? &p->ballast : NULL;
}

bool probe_has_exit(const struct probe *p)
{
	return find_exit(p) != NULL;
}

bool probe_has_load_exit(const struct probe *p)
{
	return probe_has_exit(p) && find_exit(p) != &p->ballast;
}

bool probe_has_ballast(const struct probe *p)
{
	return p->ballast.pid != 0;
}

bool probe_explain_exit(struct probe *p)
{
	const struct probe_process *process = find_exit(p);

	assert(process);

	bool is_load = process != &p->ballast;
	const char *name = is_load || p->spec->kind != PROBE_DISPLACEMENT ? "load" : "ballast";
	cleanup_free char *line = probe_last_output_line(p);
	const char *sep = *line ? ": " : "";

	if (process->signal == SIGKILL && p->oom_kills)
		return probe_end(p, OUTCOME_OOM,
				 "the guest ran out of memory and swap, and its kernel killed the %s%s%s",
				 name, sep, line);
	if (process->signal)
		return probe_end(p, OUTCOME_INVALID, "the %s died of signal %d%s%s", name, process->signal,
				 sep, line);
	if (process->status == PROTO_STATUS_NOT_APPLICABLE && is_load)
		return probe_end(p, OUTCOME_NOT_APPLICABLE, "%s",
				 *line ? line : "the load says that this guest cannot have it");
	if (process->status)
		return probe_end(p, OUTCOME_INVALID, "the %s failed with status %d%s%s", name,
				 process->status, sep, line);
	if (p->spec->kind != PROBE_GROWTH)
		return probe_end(p, OUTCOME_INVALID, "the %s ended by itself%s%s",
				 is_load ? "load" : "ballast", sep, line);
	return true;
}

bool probe_ask(struct probe *p, const char *type)
{
	return probe_call_ok(p, message(type));
}

bool probe_snapshot(struct probe *p, const char *name)
{
	struct probe_record *r = p->rec;
	struct snapshot *s = array_push(r->snapshots, r->snapshots_count, r->snapshots_cap);

	s->name = xstrdup(name);
	p->is_in_snapshot = true;

	bool go_on = probe_call_ok(p, json_pack("{s:s, s:s}", "type", "snapshot", "name", name));

	p->is_in_snapshot = false;
	if (go_on)
		probe_add_checkpoints(p);
	return go_on;
}

bool probe_verify_ballast(struct probe *p)
{
	if (!probe_call_ok(p, json_pack("{s:s, s:i}", "type", "signal", "sig", SIGTERM)) ||
	    !probe_ask(p, "thaw"))
		return false;
	while (!p->ballast.has_exited)
		if (!probe_pump(p, 1000))
			return false;
	if (!p->is_verified && p->ballast.signal == SIGKILL)
		return probe_end(p, OUTCOME_OOM,
				 "the ballast was killed in the guest after its last sample, as its kernel "
				 "does when memory and swap are full");
	if (!p->is_verified)
		return probe_end(p, OUTCOME_INVALID, "the ballast ended without verifying its pages");
	if (p->bad_pages)
		return probe_end(p, OUTCOME_INVALID,
				 "%" PRIu64 " of the ballast's %" PRIu64
				 " pages do not hold what was written",
				 p->bad_pages, p->verified_pages);
	if (p->zero_pages)
		return probe_end(p, OUTCOME_INVALID,
				 "%" PRIu64 " of the ballast's %" PRIu64
				 " pages are zeros, which a kernel may swap without using RAM or disk: they "
				 "do not count as Z",
				 p->zero_pages, p->verified_pages);
	return true;
}
