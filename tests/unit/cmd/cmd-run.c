/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `swapcal run` refuses before any guest, and the kind of its errors, which decides the exit status. */

#include "harness/cmd/cmd.h"
#include "tests/unit/errors.h"

/** Runs it with these arguments. */
#define run(...)                                                                                             \
	({                                                                                                   \
		const char *argv_[] = { "run", __VA_ARGS__, NULL };                                          \
		cmd_run(sizeof(argv_) / sizeof(argv_[0]) - 1, (char **)argv_);                               \
	})

int main(void)
{
	static const char text[] = "name: n\nimage: nowhere\nguest: {ram_mib: 160}\nmethod: threshold\n";

	static const char plan[] = "plan.yaml", bad[] = "bad.yaml", out[] = "out";

	setenv("XDG_CACHE_HOME", test_enter_dir(), 1);
	test_file(plan, text, 0600);
	test_file(bad, "nome: n\n", 0600);
	is_err_kind(run(plan), ERR_USAGE, "-o FILE", "results must go somewhere");
	is_err_kind(run("-o", out), ERR_USAGE, "PLAN is missing", "a plan is needed");
	is_err_kind(run(bad, "-o", out), ERR_USAGE, "bad.yaml:1", "a wrong plan is a usage error");
	is_err_kind(run(plan, "-o", out), ERR_HOST, "image build nowhere",
		    "an image that is not there is something this host lacks");
	is_err_kind(run(plan, "-n", "--shard", "3/2"), ERR_USAGE, "K from 1 to N",
		    "a shard that there is not is a usage error");
	ok(!file_exists(out), "nothing was written");
	return tap_done();
}
