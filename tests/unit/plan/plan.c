/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plans: what is right is read, what is wrong is refused with file and line before any guest starts. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/file.h"
#include "harness/base/strbuf.h"
#include "harness/plan/plan.h"
#include "tests/tap.h"

#define RAM(mib)     "name: n\nimage: i\nguest: {ram_mib: " mib "}\nmethod: threshold\n"
#define GUEST(keys)  RAM("160" keys)
#define METHOD(list) "name: n\nimage: i\nguest: {ram_mib: 160}\nmethod: " list "\n"
#define HEAD         "name: n\nimage: bookworm\nguest: {ram_mib: [160, 256]}\nmethod: [growth]\n"
#define LOADS        "loads:\n  - {workload: strings, interpreter: [python3, pypy3]}\n"

static char path[] = "/tmp/swapcal-plan-XXXXXX";

static struct err *load(const char *text, struct plan **ret)
{
	struct err *e = file_write_atomic(path, text, strlen(text), 0600);

	return e ? e : plan_load(path, ret);
}

/** The plan that this is, which must be right; NULL when it is not. */
static struct plan *read_plan(const char *text, const char *what)
{
	struct plan *plan = NULL;
	struct err *e = load(text, &plan);

	if (!ok(!e, what))
		printf("# %s\n", err_message(e));
	err_free(e);
	return plan;
}

/** The plan lists these values of a setting, in this order. */
static void is_setting(const struct plan *plan, const char *name, const char *want, const char *what)
{
	const struct plan_values *values = plan_setting(plan, name);
	cleanup_strbuf struct strbuf got = STRBUF_INIT;

	for (size_t i = 0; i < values->n; i++)
		if (values->v[i].choice)
			strbuf_addf(&got, " %s", values->v[i].choice);
		else
			strbuf_addf(&got, " %u", values->v[i].number);
	is_str(strbuf_str(&got) + 1, want, what);
}

/** The plan is refused with this text after "PATH:LINE: ". */
static void is_refused(const char *text, int line, const char *message, const char *what)
{
	struct plan *plan = NULL;
	struct err *e = load(text, &plan);
	char want[300];

	snprintf(want, sizeof(want), "%s:%d: ", path, line);
	has_str(e ? err_message(e) : "(accepted)", want, what);
	has_str(e ? err_message(e) : "(accepted)", message, message);
	ok(e && err_get_kind(e) == ERR_USAGE, "and it is a usage error");
	err_free(e);
	plan_destroy(plan);
}

static void test_good(void)
{
	struct plan *plan = read_plan(HEAD LOADS "replicates: 3\nballast: {fill: zero}\n", "a plan is read");

	if (!plan)
		return;
	is_int(plan->ram_mib.n, 2, "with its lists");
	is_int(plan->ram_mib.v[1].number, 256, "and their values");
	is_setting(plan, "swap_mib", "512", "what is not written has its default");
	is_int(plan->replicates, 3, "what is written has not");
	is_str(plan->loads[0].interpreters.v[1].choice, "pypy3", "strings too");
	is_setting(plan, "fill", "zero", "and nested keys");
	ok(plan->methods[METHOD_THRESHOLD] && plan->methods[METHOD_GROWTH], "every plan finds the threshold");
	is_str(plan->rule->name, "so32", "the onset rule is found by name");
	plan_destroy(plan);
}

static void test_one_value(void)
{
	struct plan *plan =
		read_plan("name: n\nimage: i\nguest: {ram_mib: 200, mglru: true}\nmethod: threshold\n",
			  "one value may stand for a list of one; a threshold alone needs no loads");

	if (!plan)
		return;
	is_int(plan->ram_mib.v[0].number, 200, "and is that value");
	is_setting(plan, "mglru", "1", "booleans too");
	plan_destroy(plan);
}

#define WEIGH  "name: n\nimage: bookworm\nguest: {ram_mib: 160}\nmethod: displacement\n"
#define LOADED "loads:\n  - {ballast: [shmem, forked-cow], mib: 48, children: 3, dirty_pct: 10}\n"

static void test_known(void)
{
	struct plan *plan =
		read_plan(WEIGH LOADED "  - {ballast: tmpfs, mib: 2}\n", "known-answer loads are read");

	if (!plan)
		return;
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
	plan_destroy(plan);
	plan = read_plan(METHOD("[growth, displacement]") "loads:\n  - {ballast: shmem, mib: 4}\n"
							  "  - {workload: strings, interpreter: python3}\n",
			 "a plan of both methods has both kinds of load");
	if (!plan)
		return;
	is_int(plan->loads[1].kinds.n, 0, "each known for what it is");
	plan_destroy(plan);
}

static void test_known_refused(void)
{
	is_refused(WEIGH, 1, "'displacement' needs 'loads' that it runs", "displacement without loads");
	is_refused(HEAD LOADS "  - {ballast: shmem, mib: 4}\n", 7,
		   "would run 'ballast'; is 'displacement' meant too?", "growth of a known-answer load");
	is_refused(HEAD "loads:\n  - {ballast: shmem, mib: 4}\n", 6,
		   "would run 'ballast'; is 'displacement' meant too?",
		   "the same, when there is nothing else");
	is_refused(METHOD("[growth, displacement]") "loads:\n"
						    "  - {ballast: shmem, mib: 4}\n",
		   1, "'growth' needs 'loads' that it runs", "growth without a workload");
	is_refused(WEIGH "loads:\n  - {ballast: shmem, mib: 48, children: 4}\n", 6,
		   "only 'forked-cow' has 'children'", "children of what does not fork");
	is_refused(WEIGH "loads:\n  - {ballast: shmem, mib: 48, dirty_pct: 4}\n", 6,
		   "only 'forked-cow' has 'dirty_pct'", "changes of what does not fork");
	is_refused(WEIGH "loads:\n  - {ballast: shmem}\n", 6, "'mib' is missing", "no size");
	is_refused(WEIGH "loads:\n  - {ballast: shmem, mib: 3}\n", 6, "an even number of MiB, not 3",
		   "an odd size");
	is_refused(WEIGH "loads:\n  - {ballast: shmem, mib: 0}\n", 6, "out of range: 2 to 65536", "nothing");
	is_refused(WEIGH "loads:\n  - {ballast: shmem, mib: 65538}\n", 6, "out of range", "too much");
	is_refused(WEIGH "loads:\n  - {ballast: forked-cow, mib: 4, dirty_pct: 101}\n", 6, "out of range",
		   "more than all");
	is_refused(WEIGH "loads:\n  - {ballast: lead, mib: 4}\n", 6, "'lead' is not known",
		   "an unknown kind");
	is_refused(WEIGH "loads:\n  - {ballast: [shmem, shmem], mib: 4}\n", 6, "lists 'shmem' twice",
		   "a kind twice");
	is_refused(WEIGH "loads:\n  - {ballast: shmem, mib: 4, workload: strings}\n", 6,
		   "unknown key 'workload'", "both forms at once");
}

#define MANY                                                                                                 \
	"name: n\nimage: [a, b]\nguest: {ram_mib: [160, 256]}\nmethod: [growth, displacement, population, "  \
	"ram]\n"

static void test_workload(void)
{
	struct plan *plan = read_plan(
		MANY "loads:\n"
		     "  - {workload: [strings, dicts], interpreter: [mine, lua5.4], processes: [1, 4],\n"
		     "     launch: [forked, independent], size: [small, 32M], activity: frozen,\n"
		     "     method: [ram, growth]}\n"
		     "  - {workload: bare, interpreter: none}\n"
		     "  - {workload: bare, interpreter: none, checkpoints: false}\n"
		     "interpreters: {mine: {command: [/opt/my, -u], env: {A_B: \"1\"}, extension: my}}\n",
		"a workload with all of its keys is read");

	if (!plan)
		return;

	const struct plan_load *l = plan->loads;
	const struct interpreter *mine = interpreters_find(&plan->interpreters, "mine");

	is_int(plan->images.n, 2, "several images");
	is_str(l->workloads.v[1].choice, "dicts", "workloads");
	is_int(l->processes.v[1].number, 4, "processes");
	is_str(l->launch.v[0].choice, "forked", "launch, in the order written");
	is_str(l->sizes.v[1].choice, "32M", "sizes");
	is_int(l->sizes.v[1].number, 32 * 1024, "which are numbers");
	is_str(l->activity.v[0].choice, "frozen", "activity");
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
	plan_destroy(plan);
}

#define ONE "loads:\n  - {workload: strings, interpreter: python3"

static void test_workload_refused(void)
{
	is_refused(HEAD "loads:\n  - {workload: strings, interpreter: pyton3}\n", 6,
		   "no interpreter 'pyton3'", "an unknown interpreter");
	is_refused(HEAD ONE ", size: huge}\n", 6, "'huge' is not a size", "a size that is a word");
	is_refused(HEAD ONE ", size: 32}\n", 6, "'32' is not a size", "a size without its unit");
	is_refused(HEAD ONE ", size: 0M}\n", 6, "'0M' is not a size", "nothing");
	is_refused(HEAD ONE ", processes: 33}\n", 6, "out of range: 1 to 32",
		   "more processes than have a line");
	is_refused(HEAD ONE ", launch: spawned}\n", 6, "'spawned' is not known", "an unknown launch");
	is_refused(HEAD ONE ", activity: asleep}\n", 6, "'asleep' is not known", "an unknown activity");
	is_refused(HEAD ONE ", launch: forked, checkpoints: false}\n", 6, "cannot be told to fork",
		   "forking asked of what gets no arguments");
	is_refused(HEAD ONE ", method: ram}\n", 6, "not among the methods of the plan", "a method of nobody");
	is_refused(HEAD ONE ", method: threshold}\n", 6, "has no use for method 'threshold'",
		   "a method that is the ballast's");
	is_refused("name: n\nimage: b\nguest: {ram_mib: 160}\nmethod: ram\n" ONE "}\n", 4,
		   "two or more sizes", "a search for the guest without a range");
	is_refused(HEAD LOADS "interpreters: {python3: {command: x}}\n", 7,
		   "an interpreter 'python3' already", "a shipped interpreter made anew");
	is_refused(HEAD LOADS "interpreters: {\"-\": {command: x}}\n", 7, "'-' is not a name",
		   "a name that is that of none");
	is_refused(HEAD LOADS "interpreters: {ballast: {command: x}}\n", 7, "'ballast' is not a name",
		   "a name that is that of another load");
	is_refused(HEAD LOADS "interpreters: {\"a b\": {command: x}}\n", 7, "'a b' is not a name",
		   "a name of several words");
	is_refused(HEAD LOADS "interpreters: {a: {extension: x}}\n", 7, "'command' is missing", "no command");
	is_refused(HEAD LOADS "interpreters: {a: {command: []}}\n", 7, "1 to 8 words", "an empty command");
	is_refused(HEAD LOADS "interpreters: {a: {command: x, env: {A=B: c}}}\n", 7,
		   "not the name of a variable", "a variable that is none");
	is_refused(HEAD LOADS "interpreters: {a: {command: x, extension: ../y}}\n", 7, "not an extension",
		   "an extension that is a path");
	is_refused(HEAD LOADS "interpreters: none\n", 7, "expected interpreters", "a word for a mapping");
}

static char *mine; /* a directory of workloads beside the plan */

static void put(const char *name, mode_t mode)
{
	cleanup_free char *file = xasprintf("%s/%s", mine, name);
	struct err *e = file_write_atomic(file, "x", 1, mode);

	ok(!e && !chmod(file, mode), name);
	err_free(e);
}

/** The program that a workload is on an interpreter. */
static void is_program(const struct plan *plan, const char *workload, const char *interpreter,
		       const char *want)
{
	cleanup_free char *got =
		plan_workload_path(plan, workload, interpreters_find(&plan->interpreters, interpreter));

	is_str(got, want, want);
}

#define OWN_HEAD "name: n\nimage: i\nguest: {ram_mib: 160}\nmethod: growth\nworkloads: %s\nloads:\n"

static struct plan *load_own(const char *dir, const char *loads)
{
	cleanup_free char *text = xasprintf(OWN_HEAD "%s", dir, loads);

	return read_plan(text, "a plan with workloads of its own");
}

static void test_own(void)
{
	struct plan *plan = load_own(strrchr(mine, '/') + 1,
				     "  - {workload: [both, plain, far], interpreter: [python3, none]}\n");
	struct image *none[1] = { NULL };
	char key[65];
	struct err *e;

	if (!plan)
		return;
	ok(!plan->own.n && !*plan->own_key, "they are not read with it");
	e = plan_read_workloads(plan, path);
	ok(!e, "but for themselves, from a directory beside the plan");
	err_free(e);
	is_int(plan->own.n, 4, "all of them");
	is_int(strlen(plan->own_key), 64, "and have a key");
	memcpy(key, plan->own_key, sizeof(key));
	is_program(plan, "both", "python3", "/mnt/both.py");
	is_program(plan, "both", "none", "/mnt/both");
	is_program(plan, "plain", "python3", "/mnt/plain");
	is_program(plan, "strings", "python3", "/usr/share/swapcal/workloads/strings.py");
	e = plan_check_images(plan, none);
	has_str(e ? err_message(e) : NULL,
		":7: workload 'plain' runs without an interpreter, but is not executable",
		"a program that is run by itself must be executable");
	ok(e && err_get_kind(e) == ERR_USAGE, "it is a usage error");
	err_free(e);
	put("plain", 0755);
	e = plan_check_images(plan, none);
	ok(e, "what was read counts, not what is there now");
	err_free(e);
	plan_destroy(plan);

	plan = load_own(mine, "  - {workload: [both, plain, far], interpreter: [python3, none]}\n");
	e = plan_read_workloads(plan, "elsewhere/plan.yaml");
	ok(!e, "an absolute directory is meant as it stands");
	ok(strcmp(plan->own_key, key) != 0, "one that is executable now makes another key");
	e = plan_check_images(plan, none);
	ok(!e, "and all is well");
	if (e)
		printf("# %s\n", err_message(e));
	err_free(e);
	plan_destroy(plan);

	plan = load_own("nonexistent", "  - {workload: far, interpreter: python3}\n");
	e = plan_read_workloads(plan, path);
	has_str(e ? err_message(e) : NULL, ":5: workloads in '/tmp/nonexistent': cannot read",
		"a directory that is not there");
	ok(e && err_get_kind(e) == ERR_USAGE, "is an error of the plan");
	err_free(e);
	plan_destroy(plan);
}

static void test_own_workloads(void)
{
	struct err *e;

	mine = xasprintf("%s-mine", path);
	e = file_mkdirs(mine, 0755);
	ok(!e, "a directory of workloads");
	err_free(e);
	put("both.py", 0644);
	put("both", 0755);
	put("plain", 0644);
	put("far", 0755);
	test_own();
	e = file_remove_tree(mine);
	ok(!e, "is removed");
	err_free(e);
	free(mine);
}

static void test_settings(void)
{
	struct plan *plan = read_plan(GUEST(", swap: [zram, disk], min_free_kbytes: [0, 8192], vcpus: [1, "
					    "2]") "ballast: {touch: [none, sweep, random], fill: half}\n",
				      "settings of the guest and the ballast are read");

	if (!plan)
		return;
	is_setting(plan, "swap", "zram disk", "both kinds of swap, in the plan's order");
	is_setting(plan, "min_free_kib", "0 8192", "min_free_kbytes");
	is_setting(plan, "vcpus", "1 2", "processors");
	is_setting(plan, "touch", "none sweep random", "and touch patterns are lists");
	is_setting(plan, "fill", "half", "the fill is one");
	plan_destroy(plan);
	plan = read_plan(GUEST(""), "a guest without settings is read");
	if (!plan)
		return;
	is_setting(plan, "swap", "disk", "swap is on the disk, if nothing is said");
	is_setting(plan, "min_free_kib", "0", "the kernel keeps its min_free_kbytes");
	is_setting(plan, "vcpus", "1", "one processor");
	is_setting(plan, "touch", "none", "and nothing is touched");
	ok(!plan_is_restored(plan), "guests boot");
	plan_destroy(plan);
	is_refused(GUEST(", swap: tape"), 3, "'tape' is not known", "an unknown kind of swap");
	is_refused(GUEST(", min_free_kbytes: 2000000"), 3, "out of range: 0 to 1048576",
		   "too much kept free");
	is_refused(GUEST(", min_free_kbytes: [0, 65536]"), 3,
		   "65536 is more than a quarter of a guest of 160 MiB",
		   "so much kept free that a guest has nothing left");
	is_refused(GUEST(", vcpus: [1, 65]"), 3, "out of range: 1 to 64", "too many processors");
	is_refused(GUEST("") "ballast: {touch: often}\n", 5, "'often' is not known",
		   "an unknown touch pattern");
	is_refused(GUEST("") "ballast: {touch: [sweep, sweep]}\n", 5, "lists 'sweep' twice",
		   "a pattern twice");
}

static void test_start(void)
{
	struct plan *plan = read_plan(GUEST("") "start: restore\n", "a plan of saved boots is read");

	ok(plan && plan_is_restored(plan), "its guests go on from them");
	plan_destroy(plan);
	is_refused(GUEST("") "start: resume\n", 5, "'resume' is not known", "an unknown start");
	is_refused(GUEST("") "start: restore\ndeterminism: icount\n", 5,
		   "'restore' does not go with 'determinism: icount'",
		   "an instruction-counted clock needs no saved boot");
	is_refused(GUEST("") "determinism: icount\nstart: restore\n", 6,
		   "'restore' does not go with 'determinism: icount'", "in whatever order they stand");
}

int main(void)
{
	int fd = mkstemp(path);

	if (fd < 0)
		return 1;
	close(fd);
	test_good();
	test_one_value();
	test_known();
	test_known_refused();
	test_settings();
	test_start();
	test_workload();
	test_workload_refused();
	is_refused(HEAD "replicats: 3\n" LOADS, 5, "unknown key 'replicats'", "an unknown key");
	is_refused(HEAD LOADS "  - {workload: strings, interpreter: [python3], proceses: [1]}\n", 7,
		   "unknown key 'proceses'", "an unknown key of a load, two lines down");
	is_refused(HEAD "replicates: many\n" LOADS, 5, "'many' is not a whole number", "text for a number");
	is_refused(HEAD "replicates: -1\n" LOADS, 5, "'-1' is not a whole number", "a negative number");
	is_refused(HEAD "replicates: 99999999999999999999\n" LOADS, 5, "out of range",
		   "a number beyond all ranges");
	is_refused(HEAD "replicates: [1, 2]\n" LOADS, 5, "expected one value", "a list for one value");
	is_refused(HEAD "replicates: 2\nreplicates: 3\n" LOADS, 6, "stands twice", "a key twice");
	is_refused(HEAD "onset: so33\n" LOADS, 5, "no onset rule 'so33'", "an unknown onset rule");
	is_refused(HEAD, 1, "needs 'loads'", "growth without loads");
	is_refused(HEAD "loads:\n  - {interpreter: [python3]}\n", 6, "key 'workload' is missing",
		   "a load without workload");
	is_refused(GUEST("") LOADS, 6, "would run 'workload'; is 'growth' meant too?",
		   "loads that nothing would run");
	is_refused("name: n\nimage: i\nguest: {ram_mib: 160}\n", 1, "'method' is missing", "no method");
	is_refused(HEAD "loads:\n  - strings\n", 6, "expected a mapping", "a load that is a word");
	is_refused("name: n\nimage: i\nguest:\n  ram_mib: [160]\n  swap_mib: 4\nmethod: threshold\n", 5,
		   "4 is out of range: 64 to 65536", "a swap disk too small");
	is_refused(RAM("[8]"), 3, "out of range: 32 to", "RAM no kernel boots with");
	is_refused(RAM("[160, 160]"), 3, "lists 160 twice", "a value twice");
	is_refused(RAM("[]"), 3, "the list is empty", "an empty list");
	is_refused("name: n\nimage: i\nguest: {thp: [never]}\nmethod: threshold\n", 3, "'ram_mib' is missing",
		   "no RAM");
	is_refused(METHOD("[grow]"), 4, "'grow' is not known", "an unknown method");
	is_refused("name: \"n\\e[2J\"\nimage: i\nguest: {ram_mib: 160}\nmethod: threshold\n", 1,
		   "control character 0x1b", "a name that a terminal takes for a command");
	is_refused("name: n\nimage: [i, \"a\\nb\"]\nguest: {ram_mib: 160}\nmethod: threshold\n", 2,
		   "control character 0x0a", "an image's name of two lines");
	is_refused("name: \"n\\0x\"\nimage: i\nguest: {ram_mib: 160}\nmethod: threshold\n", 1, "binary text",
		   "a NUL in a string");
	is_refused(HEAD "\"seed\\0\": 3\n" LOADS, 5, "a key must be a plain word", "a NUL in a key");
	is_refused("name: [n\nimage: i\n", 2, "not valid YAML", "broken YAML");
	is_refused("", 1, "empty", "an empty file");
	test_own_workloads();
	unlink(path);
	return tap_done();
}
