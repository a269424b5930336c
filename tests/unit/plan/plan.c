/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plans: what is right is read, what is wrong is refused with file and line before any guest starts. */
#include "harness/plan/plan.h"
#include "tests/unit/errors.h"

#define RAM(mib)     "name: n\nimage: i\nguest: {ram_mib: " mib "}\nmethod: threshold\n"
#define GUEST(keys)  RAM("160" keys)
#define METHOD(list) "name: n\nimage: i\nguest: {ram_mib: 160}\nmethod: " list "\n"
#define HEAD         "name: n\nimage: bookworm\nguest: {ram_mib: [160, 256]}\nmethod: [growth]\n"
#define LOADS        "loads:\n  - {workload: strings, interpreter: [python3, pypy3]}\n"

static const char path[] = "at/plan.yaml";
static const char *dir;

static struct err *load(const char *text, struct plan **ret)
{
	test_file(path, text, 0600);
	return plan_load(path, ret);
}

/** The plan that this is, which must be right; the last one is gone. */
static struct plan *read_plan(const char *text, const char *what)
{
	static struct plan *plan;

	plan_destroy(plan);
	must(load(text, &plan));
	ok(plan, what);
	return plan;
}

/* Values of settings, in the plan's order. */
static const struct {
	const char *text, *name, *want;
} settings[] = {
	{ GUEST(""), "swap", "disk" },
	{ GUEST(""), "swap_mib", "512" },
	{ GUEST(""), "min_free_kib", "0" },
	{ GUEST(""), "vcpus", "1" },
	{ GUEST(""), "touch", "none" },
	{ GUEST(""), "start", "boot" },
	{ GUEST(", mglru: true"), "mglru", "1" },
	{ GUEST(", swap: [zram, disk]"), "swap", "zram disk" },
	{ GUEST(", min_free_kbytes: [0, 8192]"), "min_free_kib", "0 8192" },
	{ GUEST(", vcpus: [1, 2]"), "vcpus", "1 2" },
	{ GUEST("") "ballast: {touch: [none, sweep, random], fill: half}\n", "touch", "none sweep random" },
	{ GUEST("") "ballast: {fill: half}\n", "fill", "half" },
	{ GUEST("") "start: restore\n", "start", "restore" },
	{ GUEST("") "lru: [virgin, aged]\n", "lru", "virgin aged" },
};

static void test_settings(void)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		struct plan *plan = read_plan(settings[i].text, settings[i].name);
		size_t k = 0;

		while (strcmp(setting_at(k)->name, settings[i].name) != 0)
			k++;

		const struct plan_values *values = &plan->settings[k];
		cleanup_strbuf struct strbuf got = STRBUF_INIT;

		for (size_t v = 0; v < values->n; v++)
			if (values->v[v].choice)
				strbuf_addf(&got, " %s", values->v[v].choice);
			else
				strbuf_addf(&got, " %u", values->v[v].number);
		is_str(strbuf_str(&got) + 1, settings[i].want, settings[i].want);
		is_int(plan_is_restored(plan), strcmp(settings[i].want, "restore") == 0,
		       "guests go on from saved boots if the plan says so");
	}
}

static void test_good(void)
{
	struct plan *plan = read_plan(HEAD LOADS "replicates: 3\n", "a plan is read");

	is_int(plan->ram_mib.n, 2, "with its lists");
	is_int(plan->ram_mib.v[1].number, 256, "and their values");
	is_int(plan->replicates, 3, "what is written has not");
	is_str(plan->loads[0].interpreters.v[1].choice, "pypy3", "strings too");
	ok(plan->methods[METHOD_THRESHOLD] && plan->methods[METHOD_GROWTH], "every plan finds the threshold");
	is_str(plan->rule->name, "so32", "the onset rule is found by name");
}

static void test_one_value(void)
{
	struct plan *plan =
		read_plan(RAM("200"), "one value may stand for a list; a threshold alone needs no loads");

	is_int(plan->ram_mib.v[0].number, 200, "and is that value");
}

#define WEIGH  "name: n\nimage: bookworm\nguest: {ram_mib: 160}\nmethod: displacement\n"
#define LOADED "loads:\n  - {ballast: [shmem, forked-cow], mib: 48, children: 3, dirty_pct: 10}\n"

static void test_known(void)
{
	struct plan *plan =
		read_plan(WEIGH LOADED "  - {ballast: tmpfs, mib: 2}\n", "known-answer loads are read");

	is_int(plan->loads_n, 2, "all entries");
	is_int(plan->loads[0].kinds.n, 2, "with their kinds");
	is_int(plan->loads[0].kinds.v[1].number, KNOWN_FORKED_COW, "in order");
	is_int(plan->loads[0].mib, 48, "size");
	is_int(plan->loads[0].children, 3, "children");
	is_int(plan->loads[0].dirty_pct, 10, "and what those change");
	ok(plan->methods[METHOD_DISPLACEMENT] && plan->methods[METHOD_THRESHOLD] &&
		   !plan->methods[METHOD_GROWTH],
	   "the ballast is weighed against needs its threshold, and nothing grows");
	is_int(plan->loads[1].kinds.v[0].number, KNOWN_TMPFS, "one kind may stand for a list of one");
	plan = read_plan(METHOD("[growth, displacement]") "loads:\n  - {ballast: shmem, mib: 4}\n"
							  "  - {workload: strings, interpreter: python3}\n",
			 "a plan of both methods has both kinds of load");
	is_int(plan->loads[1].kinds.n, 0, "each known for what it is");
}

#define MANY                                                                                                 \
	"name: n\nimage: [a, b]\nguest: {ram_mib: [160, 256]}\n"                                             \
	"method: [growth, displacement, population, ram]\n"

static void test_workload(void)
{
	struct plan *plan = read_plan(
		MANY "loads:\n"
		     "  - {workload: [strings, dicts], interpreter: [mine, lua5.4], processes: [1, 4],\n"
		     "     launch: [forked, independent], size: [small, 32M], activity: frozen,\n"
		     "     weighing: [usual, unseen], method: [ram, growth]}\n"
		     "  - {workload: bare, interpreter: none}\n"
		     "  - {workload: bare, interpreter: none, checkpoints: false}\n"
		     "interpreters: {mine: {command: [/opt/my, -u], env: {A_B: \"1\"}, extension: my}}\n",
		"a workload with all of its keys is read");

	const struct plan_load *l = plan->loads;
	const struct interpreter *mine = interpreters_find(&plan->interpreters, "mine");

	is_int(plan->images.n, 2, "several images");
	is_str(l->workloads.v[1].choice, "dicts", "workloads");
	is_int(l->processes.v[1].number, 4, "processes");
	is_str(l->launch.v[0].choice, "forked", "launch, in the order written");
	is_str(l->sizes.v[1].choice, "32M", "sizes");
	is_int(l->sizes.v[1].number, 32 * 1024, "which are numbers");
	is_str(l->activity.v[0].choice, "frozen", "activity");
	is_str(l->weighing.v[1].choice, "unseen", "ways of weighing");
	ok(l->methods[METHOD_RAM] && l->methods[METHOD_GROWTH] && !l->methods[METHOD_DISPLACEMENT],
	   "methods of its own");
	ok(l->has_checkpoints && !l[2].has_checkpoints, "checkpoints");
	ok(l[1].methods[METHOD_RAM] && l[1].methods[METHOD_POPULATION] && l[1].has_checkpoints,
	   "what is not written is all that may be");
	if (!ok(mine != NULL, "the plan's own interpreter is found"))
		return;
	is_str(mine->command[1], "-u", "with its command");
	is_str(mine->env[0], "A_B=1", "environment");
	is_str(mine->extension, "my", "and extension");
	ok(interpreters_find(&plan->interpreters, "pypy3-tight") != NULL,
	   "beside those that come with swapcal");
}

#define ONE            "loads:\n  - {workload: strings, interpreter: python3"
#define WORKLOAD(keys) HEAD ONE keys "}\n"
#define KNOWN(keys)    WEIGH "loads:\n  - {" keys "}\n"
#define OWN(pairs)     HEAD LOADS "interpreters: {" pairs "}\n"

/* Plans that are refused: what comes after "PATH:LINE: ". */
static const struct {
	const char *text;
	int line;
	const char *message;
} refused[] = {
	/* Known-answer loads. */
	{ WEIGH, 1, "'displacement' needs 'loads' that it runs" },
	{ HEAD LOADS "  - {ballast: shmem, mib: 4}\n", 7,
	  "would run 'ballast'; is 'displacement' meant too?" },
	{ HEAD "loads:\n  - {ballast: shmem, mib: 4}\n", 6,
	  "would run 'ballast'; is 'displacement' meant too?" },
	{ METHOD("[growth, displacement]") "loads:\n  - {ballast: shmem, mib: 4}\n", 1,
	  "'growth' needs 'loads' that it runs" },
	{ KNOWN("ballast: shmem, mib: 48, children: 4"), 6, "only 'forked-cow' has 'children'" },
	{ KNOWN("ballast: shmem, mib: 48, dirty_pct: 4"), 6, "only 'forked-cow' has 'dirty_pct'" },
	{ KNOWN("ballast: shmem"), 6, "'mib' is missing" },
	{ KNOWN("ballast: shmem, mib: 3"), 6, "an even number of MiB, not 3" },
	{ KNOWN("ballast: shmem, mib: 0"), 6, "out of range: 2 to 65536" },
	{ KNOWN("ballast: shmem, mib: 65538"), 6, "out of range" },
	{ KNOWN("ballast: forked-cow, mib: 4, dirty_pct: 101"), 6, "out of range" },
	{ KNOWN("ballast: lead, mib: 4"), 6, "'lead' is not known" },
	{ KNOWN("ballast: [shmem, shmem], mib: 4"), 6, "lists 'shmem' twice" },
	{ KNOWN("ballast: shmem, mib: 4, workload: strings"), 6, "unknown key 'workload'" },
	/* Workloads. */
	{ HEAD "loads:\n  - {workload: strings, interpreter: pyton3}\n", 6, "no interpreter 'pyton3'" },
	{ WORKLOAD(", size: huge"), 6, "'huge' is not a size" },
	{ WORKLOAD(", size: 32"), 6, "'32' is not a size" },
	{ WORKLOAD(", size: 0M"), 6, "'0M' is not a size" },
	{ WORKLOAD(", processes: 33"), 6, "out of range: 1 to 32" },
	{ WORKLOAD(", launch: spawned"), 6, "'spawned' is not known" },
	{ WORKLOAD(", activity: asleep"), 6, "'asleep' is not known" },
	{ WORKLOAD(", launch: forked, checkpoints: false"), 6, "cannot be told to fork" },
	{ WORKLOAD(", method: ram"), 6, "not among the methods of the plan" },
	{ WORKLOAD(", method: threshold"), 6, "has no use for method 'threshold'" },
	{ "name: n\nimage: b\nguest: {ram_mib: 160}\nmethod: ram\n" ONE "}\n", 4, "two or more sizes" },
	/* Interpreters of the plan's own. */
	{ OWN("python3: {command: x}"), 7, "an interpreter 'python3' already" },
	{ OWN("\"-\": {command: x}"), 7, "'-' is not a name" },
	{ OWN("ballast: {command: x}"), 7, "'ballast' is not a name" },
	{ OWN("\"a b\": {command: x}"), 7, "'a b' is not a name" },
	{ OWN("a: {extension: x}"), 7, "'command' is missing" },
	{ OWN("a: {command: []}"), 7, "1 to 8 words" },
	{ OWN("a: {command: x, env: {A=B: c}}"), 7, "not the name of a variable" },
	{ OWN("a: {command: x, extension: ../y}"), 7, "not an extension" },
	{ HEAD LOADS "interpreters: none\n", 7, "expected interpreters" },
	/* Settings. */
	{ GUEST(", swap: tape"), 3, "'tape' is not known" },
	{ GUEST(", min_free_kbytes: 2000000"), 3, "out of range: 0 to 1048576" },
	{ GUEST(", min_free_kbytes: [0, 65536]"), 3, "65536 is more than a quarter of a guest of 160 MiB" },
	{ GUEST(", vcpus: [1, 65]"), 3, "out of range: 1 to 64" },
	{ GUEST("") "ballast: {touch: often}\n", 5, "'often' is not known" },
	{ GUEST("") "ballast: {touch: [sweep, sweep]}\n", 5, "lists 'sweep' twice" },
	{ METHOD("[displacement, growth]") "lru: [virgin, aged]\n" ONE "}\n", 5,
	  "does not go with method 'growth'" },
	{ GUEST("") "start: resume\n", 5, "'resume' is not known" },
	{ GUEST("") "start: restore\ndeterminism: icount\n", 5,
	  "'restore' does not go with 'determinism: icount'" },
	{ GUEST("") "determinism: icount\nstart: restore\n", 6,
	  "'restore' does not go with 'determinism: icount'" },
	/* All the rest. */
	{ HEAD "replicats: 3\n" LOADS, 5, "unknown key 'replicats'" },
	{ HEAD LOADS "  - {workload: strings, interpreter: [python3], proceses: [1]}\n", 7,
	  "unknown key 'proceses'" },
	{ HEAD "replicates: many\n" LOADS, 5, "'many' is not a whole number" },
	{ HEAD "replicates: -1\n" LOADS, 5, "'-1' is not a whole number" },
	{ HEAD "replicates: 99999999999999999999\n" LOADS, 5, "out of range" },
	{ HEAD "replicates: [1, 2]\n" LOADS, 5, "expected one value" },
	{ HEAD "replicates: 2\nreplicates: 3\n" LOADS, 6, "stands twice" },
	{ HEAD "onset: so33\n" LOADS, 5, "no onset rule 'so33'" },
	{ HEAD, 1, "needs 'loads'" },
	{ HEAD "loads:\n  - {interpreter: [python3]}\n", 6, "key 'workload' is missing" },
	{ GUEST("") LOADS, 6, "would run 'workload'; is 'growth' meant too?" },
	{ "name: n\nimage: i\nguest: {ram_mib: 160}\n", 1, "'method' is missing" },
	{ HEAD "loads:\n  - strings\n", 6, "expected a mapping" },
	{ "name: n\nimage: i\nguest:\n  ram_mib: [160]\n  swap_mib: 4\nmethod: threshold\n", 5,
	  "4 is out of range: 64 to 65536" },
	{ RAM("[8]"), 3, "out of range: 32 to" },
	{ RAM("[160, 160]"), 3, "lists 160 twice" },
	{ RAM("[]"), 3, "the list is empty" },
	{ "name: n\nimage: i\nguest: {thp: [never]}\nmethod: threshold\n", 3, "'ram_mib' is missing" },
	{ METHOD("[grow]"), 4, "'grow' is not known" },
	{ "name: \"n\\e[2J\"\nimage: i\nguest: {ram_mib: 160}\nmethod: threshold\n", 1,
	  "control character 0x1b" },
	{ "name: n\nimage: [i, \"a\\nb\"]\nguest: {ram_mib: 160}\nmethod: threshold\n", 2,
	  "control character 0x0a" },
	{ "name: \"n\\0x\"\nimage: i\nguest: {ram_mib: 160}\nmethod: threshold\n", 1, "binary text" },
	{ HEAD "\"seed\\0\": 3\n" LOADS, 5, "a key must be a plain word" },
	{ "name: [n\nimage: i\n", 2, "not valid YAML" },
	{ "", 1, "empty" },
};

static void test_refused(void)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct plan *plan = NULL;
		struct err *e = load(refused[i].text, &plan);

		has_str(e ? err_message(e) : "(accepted)", test_format("%s:%d: ", path, refused[i].line),
			"a wrong plan is refused at its line");
		is_err_kind(e, ERR_USAGE, refused[i].message, refused[i].message);
		plan_destroy(plan);
	}
}

static void put(const char *name, mode_t mode)
{
	test_file(test_format("at/mine/%s", name), "x", mode);
}

/** The program that a workload is on an interpreter. */
static void is_program(const struct plan *plan, const char *workload, const char *interpreter,
		       const char *want)
{
	const struct interpreter *found = interpreters_find(&plan->interpreters, interpreter);

	is_str(test_keep(plan_workload_path(plan, workload, found)), want, want);
}

#define OWN_HEAD "name: n\nimage: i\nguest: {ram_mib: 160}\nmethod: growth\nworkloads: %s\nloads:\n"

static struct plan *load_own(const char *own, const char *loads)
{
	return read_plan(test_format(OWN_HEAD "%s", own, loads), "a plan with workloads of its own");
}

static void test_own(void)
{
	put("both.py", 0644);
	put("both", 0755);
	put("plain", 0644);
	put("far", 0755);

	struct plan *plan =
		load_own("mine", "  - {workload: [both, plain, far], interpreter: [python3, none]}\n");
	const char *absolute = test_format("%s/at/mine", dir);
	struct image *none[1] = { NULL };
	char key[65];

	ok(!plan->own.n && !*plan->own_key, "they are not read with it");
	no_err(plan_read_workloads(plan, path), "but for themselves, from a directory beside the plan");
	is_int(plan->own.n, 4, "all of them");
	is_int(strlen(plan->own_key), 64, "and have a key");
	memcpy(key, plan->own_key, sizeof(key));
	is_program(plan, "both", "python3", "/mnt/both.py");
	is_program(plan, "both", "none", "/mnt/both");
	is_program(plan, "plain", "python3", "/mnt/plain");
	is_program(plan, "strings", "python3", "/usr/share/swapcal/workloads/strings.py");
	is_err_kind(plan_check_images(plan, none), ERR_USAGE,
		    ":7: workload 'plain' runs without an interpreter, but is not executable",
		    "a program that is run by itself must be executable");
	put("plain", 0755);
	is_err(plan_check_images(plan, none), "", "what was read counts, not what is there now");

	plan = load_own(absolute, "  - {workload: [both, plain, far], interpreter: [python3, none]}\n");
	no_err(plan_read_workloads(plan, "elsewhere/plan.yaml"),
	       "an absolute directory is meant as it stands");
	ok(strcmp(plan->own_key, key) != 0, "one that is executable now makes another key");
	no_err(plan_check_images(plan, none), "and all is well");

	plan = load_own("nonexistent", "  - {workload: far, interpreter: python3}\n");
	is_err_kind(plan_read_workloads(plan, path), ERR_USAGE,
		    ":5: workloads in 'at/nonexistent': cannot read",
		    "a directory that is not there is an error of the plan");
}

static void set_up(void)
{
	dir = test_enter_dir();
}

TAP_MAIN(set_up, test_settings, test_good, test_one_value, test_known, test_workload, test_refused, test_own)
