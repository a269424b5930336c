/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `swapcal run` refuses before any guest, and the kind of its errors, which decides the exit status. */
#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/file.h"
#include "harness/cmd/cmd.h"
#include "tests/tap.h"

static char dir[] = "/tmp/swapcal-cmd-run-XXXXXX";

/** Runs it with these arguments; the error's kind and a part of its message. */
static void fails(char *const *args, enum err_kind kind, const char *words, const char *what)
{
	char *argv[8] = { (char *)"run" };
	int argc = 1;

	for (; *args; args++)
		argv[argc++] = *args;

	struct err *e = cmd_run(argc, argv);

	ok(e && err_get_kind(e) == kind, what);
	has_str(e ? err_message(e) : NULL, words, words);
	err_free(e);
}

int main(void)
{
	static const char text[] = "name: n\nimage: nowhere\nguest: {ram_mib: 160}\nmethod: threshold\n";

	if (!mkdtemp(dir))
		return 1;
	setenv("XDG_CACHE_HOME", dir, 1);

	cleanup_free char *plan = xasprintf("%s/plan.yaml", dir);
	cleanup_free char *bad = xasprintf("%s/bad.yaml", dir);
	cleanup_free char *out = xasprintf("%s/out", dir);

	err_free(file_write_atomic(plan, text, sizeof(text) - 1, 0600));
	err_free(file_write_atomic(bad, "nome: n\n", 8, 0600));
	fails((char *[]){ plan, NULL }, ERR_USAGE, "-o FILE", "results must go somewhere");
	fails((char *[]){ (char *)"-o", out, NULL }, ERR_USAGE, "PLAN is missing", "a plan is needed");
	fails((char *[]){ bad, (char *)"-o", out, NULL }, ERR_USAGE, "bad.yaml:1",
	      "a wrong plan is a usage error");
	fails((char *[]){ plan, (char *)"-o", out, NULL }, ERR_HOST, "image build nowhere",
	      "an image that is not there is something this host lacks");
	fails((char *[]){ plan, (char *)"-n", (char *)"--shard", (char *)"3/2", NULL }, ERR_USAGE,
	      "K from 1 to N", "a shard that there is not is a usage error");
	ok(!file_exists(out), "nothing was written");
	err_free(file_remove_tree(dir));
	return tap_done();
}
