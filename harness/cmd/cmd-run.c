/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "harness/cell/cell.h"
#include "harness/campaign/status.h"
#include "harness/vm/accel.h"
#include "harness/base/cancel.h"
#include "harness/base/clock.h"
#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/campaign/campaign.h"
#include "harness/cmd/cli.h"
#include "harness/cmd/cmd.h"
#include "harness/vm/domain.h"
#include "harness/vm/guest-vm.h"
#include "harness/host/host.h"
#include "harness/plan/load-command.h"
#include "harness/cell/record.h"
#include "harness/cell/cell-format.h"
#include "harness/campaign/schedule.h"
#include "harness/vm/state-cache.h"
#include "harness/image/userdisk.h"

DEFINE_CLEANUP(cleanup_plan, struct plan *, plan_destroy)

/** The images of a plan, in its order, and what starts guests of each. */
struct images {
	struct image *built[PLAN_LIST_MAX]; /**< NULL: not built */
	struct guest_vm_host *hosts[PLAN_LIST_MAX];
	struct campaign_image campaign[PLAN_LIST_MAX];
	size_t n;
};

static void images_deinit(struct images *images)
{
	for (size_t i = 0; i < images->n; i++) {
		guest_vm_host_destroy(images->hosts[i]);
		image_destroy(images->built[i]);
	}
}

/*
 * After the third guest in a row that cannot be started, up to the ninth, the run waits seven minutes in all:
 * the cause may pass, such as an upgrade of libvirt.
 */
#define START_PAUSE_MS 10000

struct options {
	const char *plan_path, *output, *accel, *uri;
	unsigned jobs;
	double time_limit_s;
	int64_t start_ms; /**< when the command began */
	bool is_dry_run, retry_failed;
	struct shard shard;
	const char *shard_text; /**< NULL: the whole plan */
};

static const char help[] =
	"usage: swapcal run PLAN -o FILE [OPTION]...\n"
	"\n"
	"Runs the campaign that PLAN describes and keeps every probe in FILE. The same command resumes it:\n"
	"only what FILE does not answer yet is asked. Ctrl-C finishes the probes under way and stops; a\n"
	"second one ends their guests at once. What is recorded stays in either case.\n"
	"\n"
	"  -o, --output FILE      results file, made when missing\n"
	"  -j, --jobs N           guests side by side, each on its share of the CPUs; default 1\n"
	"      --time-limit TIME  begin no probe that would not end in TIME (8h, 90m, 7h30m), and stop then\n"
	"  -n, --dry-run          check the plan, list its cells and an estimate of the time, start nothing\n"
	"      --retry-failed     ask again what failed in earlier runs\n"
	"      --shard K/N        only shard K of N of the plan's cells: for N machines, each with a FILE of\n"
	"                         its own, which 'swapcal merge' joins\n"
	"      --accel ACCEL      kvm, tcg or auto (default): KVM if a guest really boots under it\n"
	"  -c, --connect URI      libvirt connection; default $LIBVIRT_DEFAULT_URI, else an embedded driver\n"
	"  -h, --help             this text\n"
	"\n"
	"Example:\n"
	"  swapcal run examples/first-light.yaml -o first-light.swapcal\n"
	"  swapcal report first-light.swapcal\n"
	"\n"
	"For a night, out of a terminal's reach, and to look at it meanwhile:\n"
	"  nohup swapcal run night.yaml -o night.swapcal --jobs 2 --time-limit 9h 2> night.log &\n"
	"  swapcal status night.swapcal\n"
	"\n"
	"Exit status: 0 all answered, 1 failed, 2 wrong plan or usage, 3 host unsuitable, 5 some probes\n"
	"lost or not run for lack of time, 130 interrupted. The plan's format is in swapcal-plan(5).\n";

static struct err *parse_shard(const char *value, void *options)
{
	struct options *o = options;

	o->shard_text = value;
	return shard_parse(value, &o->shard);
}

/** The image of a cell; NULL when it is not built. */
static const struct image *image_of(const struct plan *plan, const struct images *images,
				    const struct cell *cell)
{
	for (size_t i = 0; i < images->n; i++)
		if (strcmp(plan->images.v[i].choice, cell->image) == 0)
			return images->built[i];
	return NULL;
}

/** One line for people: what is run, in what guest, and what of it varies within the plan. */
static void print_cell(const struct cell *cell, const struct cell *cells, size_t n, const char *missing)
{
	cleanup_strbuf struct strbuf line = STRBUF_INIT;

	strbuf_addf(&line, "%-12.12s  %-12s  ", *cell->image_content ? cell->key : "-", cell->method);
	format_cell(&line, cell);
	format_varying(&line, cell, cells, n);
	if (missing)
		strbuf_addf(&line, ": not applicable: %s", missing);
	printf("%s\n", strbuf_str(&line));
}

/** The plan's cells, or those of a shard of it. */
static void expand(const struct options *o, const struct plan *plan, const struct images *images,
		   const char *accel, struct cell **ret, size_t *ret_n)
{
	campaign_expand(plan, images->built, accel, ret, ret_n);

	size_t all = *ret_n;

	*ret_n = shard_select(&o->shard, *ret, all);
	if (o->shard_text)
		log_note("shard %s of the plan: %zu of its %zu cells%s", o->shard_text, *ret_n, all,
			 *ret_n ? "" : "; more shards than cells, nothing is left for this one");
}

static struct err *dry_run(const struct options *o, const struct plan *plan, const struct images *images,
			   const char *accel)
{
	struct cell *cells;
	size_t n;
	unsigned probes = 0;
	double seconds = 0;

	/* Nothing is started, so an undecided accelerator stays so. */
	expand(o, plan, images, accel, &cells, &n);
	printf("plan %s: %zu cells, %u replicate(s) each, accelerator %s\n", plan->name, n, plan->replicates,
	       accel);
	printf("%-12s  %-12s  %s\n", "cell", "method", "guest and load");
	for (size_t i = 0; i < n; i++) {
		const struct image *image = image_of(plan, images, &cells[i]);
		cleanup_free char *missing = image ? load_command_missing(&cells[i], image) : NULL;

		print_cell(&cells[i], cells, n, missing);
		unsigned left =
			missing ? 0 : schedule_cell_state(&cells[i], NULL, 0, 0, NULL, 0, 1).probes_left;

		probes += left;
		seconds += left * probe_time_typical_s(&cells[i]);
	}
	for (size_t i = 0; i < images->n; i++)
		if (!images->built[i])
			printf("(image '%s' is not built yet, so its cells have no names: run 'swapcal image "
			       "build %s')\n",
			       plan->images.v[i].choice, plan->images.v[i].choice);
	if (strcmp(accel, "auto") == 0)
		printf("(the names of cells depend on the accelerator, which a run decides on)\n");

	cleanup_free char *time = probe_time_format(seconds / o->jobs);

	printf("about %u probes; about %s, as under TCG on a small machine\n", probes, time);
	store_cells_free(cells, n);
	return NULL;
}

/** The error, which sets the exit status, of a campaign that came to its end. */
static struct err *conclude(const struct campaign_result *result, const char *file)
{
	log_note("%u probes run; %u replicates answered, %u lost, %u not applicable", result->probes_run,
		 result->replicates_done, result->replicates_lost, result->replicates_not_applicable);
	if (result->replicates_left)
		return err_new_kind(ERR_LOST,
				    "%u replicate(s) are left for lack of time; the same command goes on",
				    result->replicates_left);
	if (result->replicates_lost)
		return err_new_kind(
			ERR_LOST,
			"%u replicate(s) lost; 'swapcal status %s' tells why, --retry-failed asks again",
			result->replicates_lost, file);
	return NULL;
}

/** What starts guests of each image. */
static struct err *make_hosts(const struct plan *plan, struct domain_conn *conn, const char *accel,
			      struct images *images)
{
	const struct userdisk_options options = { .force_tcg = strcmp(accel, "kvm") != 0 };
	cleanup_free char *disk = NULL;
	struct err *e = plan->own.n ? userdisk_find_or_build(&plan->own, &options, &disk) : NULL;

	for (size_t i = 0; !e && i < images->n; i++) {
		e = guest_vm_host_create(conn, images->built[i], disk, &images->hosts[i]);
		images->campaign[i] = (struct campaign_image){ images->built[i], images->hosts[i] };
	}
	return e;
}

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

static json_t *describe_host(void)
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

/**
 * Every fact needed to repeat a run, besides its plan: host (kernel, CPU, memory, load), versions,
 * connection, accelerator, the manifests of the n images, arguments. A new reference.
 */
static json_t *make_audit(struct domain_conn *conn, struct image *const *images, size_t n, const char *accel,
			  int argc, char **argv)
{
	json_t *arguments = json_array(), *manifests = json_array();

	for (int i = 0; i < argc; i++)
		json_array_append_new(arguments, json_string(argv[i]));
	for (size_t i = 0; i < n; i++)
		json_array_append(manifests, images[i]->manifest);
	return json_pack("{s:s, s:o, s:o, s:o, s:s, s:o}", "tool_version", SWAPCAL_VERSION, "arguments",
			 arguments, "host", describe_host(), "connection", domain_conn_describe(conn),
			 "accel", accel, "images", manifests);
}

/** How a run ended, as the results file says it. */
static const char *run_status(const struct err *e, const struct campaign_result *result)
{
	if (e)
		return err_get_kind(e) == ERR_INTERRUPTED ? "interrupted" : "failed";
	return result->replicates_left ? "out of time" : "done";
}

static struct err *run(const struct options *o, const struct plan *plan, struct images *images,
		       struct store *store, struct domain_conn *conn, const char *accel, int argc,
		       char **argv)
{
	cleanup(cleanup_json_) json_t *audit = make_audit(conn, images->built, images->n, accel, argc, argv);
	struct campaign campaign = {
		.store = store,
		.name = plan->name,
		.images = images->campaign,
		.images_n = images->n,
		.ops = &guest_vm_ops,
		.seed = plan->seed,
		.retry_failed = o->retry_failed,
		.jobs = o->jobs,
		.time_limit_s = o->time_limit_s - (double)(clock_ms() - o->start_ms) / 1000,
		.start_pause_ms = START_PAUSE_MS,
		.shows_progress = true,
	};
	struct campaign_result result;

	if (o->shard_text)
		json_object_set_new(audit, "shard", json_string(o->shard_text));
	if (plan->own.n)
		json_object_set_new(audit, "workloads", userdisk_describe(&plan->own));

	struct err *e = make_hosts(plan, conn, accel, images);

	if (!e)
		e = store_begin_run(store, audit, plan->name, plan->text, &campaign.run_id);
	if (e)
		return e;

	cancel_let_finish();
	e = campaign_run(&campaign, &result);
	/* A run that goes on with this campaign needs the saved boots. */
	if (!e && !result.replicates_left)
		state_cache_forget(store_id(store));

	struct err *end = store_end_run(store, campaign.run_id, run_status(e, &result));

	if (e) {
		err_free(end);
		return e;
	}
	return end ? end : conclude(&result, o->output);
}

static unsigned largest_ram_mib(const struct cell *cells, size_t n)
{
	unsigned largest = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned x_mib = cell_is(&cells[i], METHOD_RAM) ? cells[i].x_hi_mib : cells[i].x_mib;

		largest = x_mib > largest ? x_mib : largest;
	}
	return largest;
}

/** Makes the plan's cells the current ones of the store, and says what of an earlier plan still applies. */
static struct err *set_cells(struct store *store, const struct cell *cells, size_t n)
{
	struct store_change change;
	struct err *e = store_set_cells(store, cells, n, &change);

	if (e)
		return e;
	if (change.kept)
		log_note("resuming: %zu of the plan's %zu cells are in the results file already", change.kept,
			 n);
	if (change.dropped)
		log_note(
			"%zu cell(s) of the results file are not in the plan any more (or in another shard, or of another image, kernel or swapcal): they stay in the file, and out of its reports",
			change.dropped);
	return NULL;
}

static struct err *run_plan(const struct options *o, const struct plan *plan, struct images *images, int argc,
			    char **argv)
{
	cleanup(cleanup_store_) struct store *store = NULL;
	cleanup(cleanup_domain_conn_) struct domain_conn *conn = NULL;
	const char *accel;

	/* A campaign goes on when the terminal or pipe that shows its progress is gone. */
	signal(SIGPIPE, SIG_IGN);
	if (plan_is_restored(plan) && plan->replicates == 1)
		log_note("'start: restore' with one replicate: Z* will be that of a single boot");

	struct err *e = store_open(o->output, STORE_WRITE, &store);

	if (!e)
		e = domain_conn_open(o->uri, &conn);
	if (!e)
		e = accel_resolve(o->accel, conn, &accel);
	if (e)
		return e;

	struct pressure host;
	struct cell *cells;
	size_t n;

	expand(o, plan, images, accel, &cells, &n);
	host_pressure_read(&host);
	e = host_room_check(o->jobs, largest_ram_mib(cells, n), host.mem_available_kib);
	if (!e)
		e = set_cells(store, cells, n);
	store_cells_free(cells, n);
	return e ? e : run(o, plan, images, store, conn, accel, argc, argv);
}

/** The images of the plan. For a dry run one that is not built is no error. */
static struct err *find_images(const struct plan *plan, bool is_dry_run, struct images *ret)
{
	ret->n = plan->images.n;
	for (size_t i = 0; i < ret->n; i++) {
		struct err *e = image_find(plan->images.v[i].choice, &ret->built[i]);

		if (e && !is_dry_run)
			return err_set_kind(e, ERR_HOST);
		err_free(e);
	}
	return NULL;
}

struct err *cmd_run(int argc, char **argv)
{
	struct options o = {
		.accel = "auto", .jobs = 1, .time_limit_s = (double)INFINITY, .start_ms = clock_ms()
	};
	const struct cli_option options[] = {
		{ "PLAN", .argument = &o.plan_path },
		{ "output", 'o', .text = &o.output },
		{ "jobs", 'j', .count = &o.jobs, .min = 1, .max = LIVE_JOBS_MAX },
		{ "time-limit", .time_s = &o.time_limit_s },
		{ "dry-run", 'n', .flag = &o.is_dry_run },
		{ "retry-failed", .flag = &o.retry_failed },
		{ "shard", .parse = parse_shard, .to = &o },
		{ "accel", .choice = &o.accel, .choices = "auto|kvm|tcg" },
		{ "connect", 'c', .text = &o.uri },
		{ .name = NULL },
	};
	cleanup(cleanup_plan_) struct plan *plan = NULL;
	cleanup(images_deinit) struct images images = { .n = 0 };
	struct err *e = cli_parse(argc, argv, help, options);

	if (!e && !o.output && !o.is_dry_run)
		e = err_new_kind(ERR_USAGE, "where do the results go? give -o FILE");
	if (!e)
		e = plan_load(o.plan_path, &plan);
	if (!e)
		e = plan_read_workloads(plan, o.plan_path);
	if (!e)
		e = find_images(plan, o.is_dry_run, &images);
	if (!e)
		e = plan_check_images(plan, images.built);
	if (!e)
		e = o.is_dry_run ? dry_run(&o, plan, &images, o.accel)
				 : run_plan(&o, plan, &images, argc, argv);
	return e;
}
