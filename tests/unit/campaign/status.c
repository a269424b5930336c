/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "harness/campaign/status.h"
#include "tests/unit/results.h"

/* How far a made-up campaign is: during its run, after its end, after a kill. */

static const char path[] = "f.swapcal";

static json_t *status_of_file(char **ret_text)
{
	cleanup_strbuf struct strbuf json = STRBUF_INIT;
	struct strbuf text = STRBUF_INIT;
	struct store *store = test_open(path, STORE_READ);
	struct status *s;

	must(status_build(store, &s));
	status_json(s, &json);
	status_text(s, &text);
	status_destroy(s);
	store_close(store);
	*ret_text = strbuf_steal(&text);
	return json_loads(strbuf_str(&json), JSON_REJECT_DUPLICATES, NULL);
}

static long long number(const json_t *root, const char *key)
{
	const json_t *v = json_object_get(root, key);

	return json_is_integer(v) ? json_integer_value(v) : -1;
}

static void put_campaign(struct store *store, int64_t run)
{
	cleanup(cell_deinit) struct cell g = test_cell(0, 256, "growth", "strings", "python3", NULL);
	cleanup(cell_deinit) struct cell lost = test_cell(1, 256, "growth", "strings", "pypy3", NULL);
	cleanup(cell_deinit) struct cell old = test_cell(2, 256, "growth", "strings", "pypy2", NULL);
	struct store_change change;

	must(store_put_cell(store, &old));
	test_put(store, run, test_probe(&old, 0, 0, PROBE_GROWTH, 0, OUTCOME_OOM));
	g.replicates = 2;
	must(store_set_cells(store, (struct cell[]){ g, lost }, 2, &change));
	is_int(change.dropped, 1, "an older plan's cell is not in the plan any more");

	struct probe_record answer = test_probe(&g, 0, 0, PROBE_GROWTH, 0, OUTCOME_ONSET);

	answer.agent_rss_kib = 344;
	answer.sample_cpu_us_mean = 650;
	answer.ballast_rss_kib = 56;
	answer.ballast_pte_kib = 400;
	test_put(store, run, answer);
	test_put(store, run, test_probe(&lost, 0, 0, PROBE_GROWTH, 0, OUTCOME_BOOT_FAIL));
	test_put(store, run, test_probe(&lost, 0, 1, PROBE_GROWTH, 0, OUTCOME_TIMEOUT));
}

/** What a run with two guests tells of itself. */
static void put_live(const struct store *store, long pid)
{
	struct live_file live = {
		.pid = pid,
		.jobs = 2,
		.eta_s = 9,
		.updated_s = 1000,
		.guests = { { .slot = 0,
			      .what = (char *)"X=256 \033[2J ramp",
			      .phase = "boot",
			      .start_s = 996 },
			    { .slot = 1,
			      .what = (char *)"strings grows",
			      .phase = "load",
			      .start_s = 997,
			      .memory_kib = 51200 } },
		.n = 2,
	};

	must(live_file_write(store_live_path(store), &live));
}

/** A run that was killed while it told may leave a file, which those after it do not add to. */
static void check_killed_live(const struct store *store)
{
	cleanup_free char *left = xasprintf("%s.new", store_live_path(store));

	must(file_write_atomic(left, "{", 1, 0600));
	put_live(store, getpid());
	ok(!file_exists(left), "what a killed run left beside the live file goes with the next one's");
}

/** A file that is not what a run writes, or another one's, tells nothing; and breaks nothing. */
static void check_hostile_live(const struct store *store)
{
	static const char *const texts[] = {
		"",
		"{}",
		"[1]",
		"{\"pid\":1,\"jobs\":0,\"eta_s\":1,\"updated_s\":1.0,\"guests\":[]}",
		"{\"pid\":1,\"jobs\":1,\"eta_s\":null,\"updated_s\":1.0,\"guests\":[{\"slot\":-1}]}",
		"{\"pid\":1,\"jobs\":1,\"eta_s\":null,\"updated_s\":1.0,\"guests\":[{\"slot\":1,\"cell\":"
		"\"0123456789abcdef\","
		"\"what\":\"\",\"phase\":\"boot\",\"start_s\":1.0,\"memory_kib\":1}]}",
	};
	struct live_file live;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		must(file_write_atomic(store_live_path(store), texts[i], strlen(texts[i]), 0600));
		ok(!live_file_read(store_live_path(store), &live), texts[i]);
	}
	put_live(store, getpid() + 1);

	cleanup_free char *text = NULL;
	cleanup(cleanup_json_) json_t *root = status_of_file(&text);

	is_int(number(root, "running"), 0, "what another process tells does not count");
}

static void check_running(void)
{
	cleanup_free char *text = NULL;
	cleanup(cleanup_json_) json_t *root = status_of_file(&text);
	const json_t *guests = json_object_get(root, "guests");
	const json_t *failures = json_object_get(root, "failures"), *probes = json_object_get(root, "probes");

	is_int(number(root, "total"), 3, "replicates of the current cells");
	is_int(number(root, "done"), 1, "with their answer");
	is_int(number(root, "failed"), 1, "given up");
	is_int(number(root, "probes_left"), 1, "one is left");
	is_int(number(root, "eta_s"), 5, "which takes as long as those before: the sum of the phases");
	is_int(number(root, "cells"), 2, "cells of an older plan do not count");
	is_int(number(root, "cells_done"), 0, "no cell is done");
	is_int(number(probes, "onset"), 1, "onsets");
	is_int(number(probes, "oom"), 0, "nor do the older plan's probes");
	is_int(json_array_size(failures), 2, "failures are listed");
	is_str(json_string_value(json_object_get(json_array_get(failures, 1), "outcome")), "timeout",
	       "by outcome");
	is_str(json_string_value(json_object_get(json_array_get(failures, 1), "reason")), "it did not work",
	       "and reason");
	has_str(json_string_value(json_object_get(json_array_get(failures, 1), "see")), "--probe ",
		"and where to look");
	has_str(text, "\n    see: swapcal export ", "in the text too");
	is_int(number(root, "running"), 2, "two guests run just now");
	is_int(number(root, "jobs"), 2, "as many as may");
	is_int(number(json_array_get(guests, 1), "memory_kib"), 51200, "with their memory");
	is_str(json_string_value(json_object_get(json_array_get(guests, 1), "phase")), "load", "and phase");
	is_int(number(root, "pid"), getpid(), "with its pid");
	is_str(json_string_value(json_object_get(root, "run_status")), "running", "its status");
	has_str(text, "replicates  1 of 3 done, 1 lost\n", "the text counts replicates");
	has_str(text, "probes      1 onset, 1 timeout, 1 boot-fail\n", "and probes");
	has_str(text, "agent       at most 344 KiB of the guest's RAM; a sample costs 0.65 ms of its CPU\n",
		"what the agent costs its guest");
	has_str(text, "ballast     at most 56 KiB beside Z, and 400 KiB of page tables\n", "and the ballast");
	has_str(text, "left        about 1 probe, 5 s with 2 guests at a time\n", "and tells the time left");
	has_str(text,
		"running     X=256 ?[2J ramp: boot, since 4 s\n            strings grows: load, load of 50 "
		"MiB, since 3 s\n",
		"and what runs, without what a terminal could take for a command");
	has_str(text, "256 MiB: strings on pypy3, 1 process, size -: boot-fail: it did not work\n",
		"and why a probe failed");
}

static void check_status(const char *want)
{
	cleanup_free char *text = NULL;
	cleanup(cleanup_json_) json_t *root = status_of_file(&text);

	is_str(json_string_value(json_object_get(root, "run_status")), want, want);
	is_int(number(root, "running"), 0, "and nothing runs");
	is_int(json_array_size(json_object_get(root, "guests")), 0, "whatever a dead run left behind");
}

int main(void)
{
	struct store *store;

	test_enter_dir();
	store = test_open(path, STORE_WRITE);

	int64_t run = test_begin_run(store);

	put_campaign(store, run);
	put_live(store, getpid());
	check_running();
	check_killed_live(store);
	check_hostile_live(store);
	/* Closed without an end of the run: what kill -9 leaves too. */
	store_close(store);
	check_status("died");
	store = test_open(path, STORE_WRITE);
	must(store_end_run(store, test_begin_run(store), "interrupted"));
	store_close(store);
	check_status("interrupted");
	return tap_done();
}
