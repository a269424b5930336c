/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/store/live-file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"
#include "harness/base/strbuf.h"

/* Many times what live_file_write() makes for LIVE_JOBS_MAX guests. */
#define LIVE_BYTES_MAX (1 << 20)

static json_t *guest_json(const struct live_guest *g)
{
	return json_pack("{s:i, s:s, s:s, s:s, s:f, s:I}", "slot", (int)g->slot, "cell", g->cell, "what",
			 g->what, "phase", g->phase, "start_s", g->start_s, "memory_kib",
			 (json_int_t)g->memory_kib);
}

/** The file is not synced to the disk: its writer does not outlive the kernel. */
static struct err *replace_file(const char *path, const char *text)
{
	cleanup_free char *new_path = xasprintf("%s.new", path);

	/* A run that was killed just then left it. */
	unlink(new_path);

	cleanup_close int fd = open(new_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_errno(errno, "cannot create '%s'", new_path);

	struct err *e = file_write_all(fd, text, strlen(text));

	if (!e && rename(new_path, path))
		e = err_errno(errno, "cannot write '%s'", path);
	if (e)
		unlink(new_path);
	return e;
}

struct err *live_file_write(const char *path, const struct live_file *live)
{
	json_t *guests = json_array();

	for (size_t i = 0; i < live->n; i++)
		json_array_append_new(guests, guest_json(&live->guests[i]));

	json_t *root =
		json_pack("{s:I, s:i, s:o, s:f, s:o}", "pid", (json_int_t)live->pid, "jobs", (int)live->jobs,
			  "eta_s", isfinite(live->eta_s) ? json_real(live->eta_s) : json_null(), "updated_s",
			  live->updated_s, "guests", guests);
	cleanup_free char *text = json_dumps(root, JSON_COMPACT);

	json_decref(root);
	return text ? replace_file(path, text) : err_new("what runs now cannot be written as JSON");
}

static bool read_guest(json_t *json, struct live_guest *g)
{
	const char *cell, *what, *phase;
	json_int_t slot, memory_kib;

	if (json_unpack(json, "{s:I, s:s, s:s, s:s, s:F, s:I}", "slot", &slot, "cell", &cell, "what", &what,
			"phase", &phase, "start_s", &g->start_s, "memory_kib", &memory_kib))
		return false;
	if (slot < 0 || slot >= LIVE_JOBS_MAX || memory_kib < 0 || strlen(cell) >= sizeof(g->cell) ||
	    strlen(phase) >= sizeof(g->phase))
		return false;
	g->slot = (unsigned)slot;
	g->memory_kib = (uint64_t)memory_kib;
	strcpy(g->cell, cell);
	strcpy(g->phase, phase);
	g->what = xstrdup(what);
	return true;
}

static bool read_all(json_t *root, struct live_file *live)
{
	json_t *guests, *eta_s, *json;
	json_int_t pid, jobs;
	size_t i;

	if (json_unpack(root, "{s:I, s:I, s:o, s:F, s:o}", "pid", &pid, "jobs", &jobs, "eta_s", &eta_s,
			"updated_s", &live->updated_s, "guests", &guests) ||
	    pid <= 0 || pid > INT32_MAX || jobs < 1 || jobs > LIVE_JOBS_MAX ||
	    json_array_size(guests) > LIVE_JOBS_MAX)
		return false;
	live->pid = (long)pid;
	live->jobs = (unsigned)jobs;
	live->eta_s = json_is_number(eta_s) ? json_number_value(eta_s) : (double)NAN;
	json_array_foreach(guests, i, json)
	{
		if (!read_guest(json, &live->guests[live->n]))
			return false;
		live->n++;
	}
	return true;
}

bool live_file_read(const char *path, struct live_file *ret)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	struct live_file live = { .n = 0 };
	struct err *e = file_read(path, LIVE_BYTES_MAX, &text);
	json_t *root = e ? NULL : json_loadb(strbuf_str(&text), text.len, JSON_REJECT_DUPLICATES, NULL);
	bool is_ok = root && read_all(root, &live);

	err_free(e);
	json_decref(root);
	if (is_ok)
		*ret = live;
	else
		live_file_deinit(&live);
	return is_ok;
}

void live_file_deinit(struct live_file *live)
{
	for (size_t i = 0; i < live->n; i++)
		free(live->guests[i].what);
	live->n = 0;
}
