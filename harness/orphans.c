/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/orphans.h"

#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void orphans_adopt(void)
{
	/* Cannot fail since Linux 3.4, and if it did, init would do it. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static bool is_adopted(pid_t pid)
{
	pid_t session = getsid(pid);

	return session >= 0 && session != pid && session != getsid(0);
}

void orphans_reap(void)
{
	siginfo_t info = { 0 };

	/* NOWAIT: only looks. The first dead child hides the others until it is reaped, which its owner does soon. */
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
		if (!is_adopted(info.si_pid))
			return;
		waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
		info.si_pid = 0;
	}
}
