/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <poll.h>
#include <signal.h>

#include "harness/base/cancel.h"
#include "tests/unit/errors.h"

/* What signals ask for: each case in a process of its own, since a wish is never taken back. */

enum { NOTHING, FINISH, STOP };

static int state(void)
{
	struct pollfd fd = { .fd = cancel_fd(), .events = POLLIN };
	bool is_readable = poll(&fd, 1, 0) == 1;

	if (is_readable != cancel_requested())
		return -1;
	return cancel_requested() ? STOP : cancel_is_finishing() ? FINISH : NOTHING;
}

/** The state after these signals (0 at the end), in work that is finished first or not. */
static int after(bool lets_finish, bool has_nohup, const int *signals)
{
	/* Whoever runs the tests may do so under nohup. */
	signal(SIGHUP, has_nohup ? SIG_IGN : SIG_DFL);
	cancel_install();
	if (lets_finish)
		cancel_let_finish();
	for (; *signals; signals++)
		raise(*signals);
	return state();
}

int main(void)
{
	is_int(test_in_child(after(false, false, (int[]){ 0 })), NOTHING,
	       "without a signal nothing is asked for");
	is_int(test_in_child(after(false, false, (int[]){ SIGINT, 0 })), STOP, "SIGINT stops");
	is_int(test_in_child(after(false, false, (int[]){ SIGHUP, 0 })), STOP, "so does SIGHUP");
	is_int(test_in_child(after(false, true, (int[]){ SIGHUP, 0 })), NOTHING, "but under nohup");
	is_int(test_in_child(after(true, false, (int[]){ SIGINT, 0 })), FINISH,
	       "where work is finished first, SIGINT asks for that");
	is_int(test_in_child(after(true, false, (int[]){ SIGINT, SIGINT, 0 })), STOP, "a second one stops");
	is_int(test_in_child(after(true, false, (int[]){ SIGHUP, SIGHUP, 0 })), FINISH,
	       "a terminal that goes may say so twice");
	is_int(test_in_child(after(true, false, (int[]){ SIGHUP, SIGINT, 0 })), STOP,
	       "whoever is there still may stop all");
	is_int(test_in_child(after(true, false, (int[]){ SIGTERM, 0 })), STOP, "SIGTERM stops at once");
	is_int(test_in_child(after(true, true, (int[]){ SIGHUP, 0 })), NOTHING, "nohup counts there too");
	return tap_done();
}
