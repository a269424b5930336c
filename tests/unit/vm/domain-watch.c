/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/domain-watch.h"

#include <pthread.h>
#include <signal.h>
#include <sys/pidfd.h>

#include "tests/unit/errors.h"

/*
 * Calls that take too long, without libvirt: what they wait for is a child in the place of a QEMU. With real
 * ones: tests/system/frozen.t.
 */

static pid_t start_child(int *pidfd)
{
	pid_t pid = test_idle_child();

	*pidfd = pidfd_open(pid, 0);
	return pid;
}

/** Waits for the child as libvirt does for a monitor that closes: without a limit. */
static int wait_for(pid_t pid)
{
	int status = 0;

	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void test_late(void)
{
	struct domain_watch watch;
	int pidfd;
	pid_t pid = start_child(&pidfd);

	domain_watch_begin(&watch, NULL, "/nowhere", "swapcal-none", pidfd, "asking QEMU", 100);
	is_int(wait_for(pid), SIGKILL, "a call that takes too long has its QEMU killed, and returns");

	is_err(domain_watch_end(&watch, err_new("monitor closed")),
	       "asking QEMU took more than 0 s, so the guest was killed", "with an error that says so");
	close(pidfd);
}

static void test_in_time(void)
{
	struct domain_watch soon, late;
	int pidfd;
	pid_t pid = start_child(&pidfd);

	domain_watch_begin(&soon, NULL, "/nowhere", "swapcal-none", pidfd, "x", HANGS_S * 1000);
	ok(!domain_watch_end(&soon, NULL), "a call in time is no error");
	domain_watch_begin(&soon, NULL, "/nowhere", "swapcal-none", pidfd, "x", HANGS_S * 1000);
	is_err(domain_watch_end(&soon, err_new("no such guest")), "no such guest",
	       "and keeps the error it has");
	/* Another call is due meanwhile, which has no process that could be killed. */
	domain_watch_begin(&soon, NULL, "/nowhere", "swapcal-none", pidfd, "x", HANGS_S * 1000);
	domain_watch_begin(&late, NULL, "/nowhere", "swapcal-none", -1, "y", 1);
	while (!__atomic_load_n(&late.is_late, __ATOMIC_RELAXED))
		usleep(1000);
	is_err(domain_watch_end(&late, NULL), "y took more than",
	       "one that came back late by itself is an error all the same");
	ok(!domain_watch_end(&soon, NULL), "and no business of another one");
	is_int(kill(pid, 0), 0, "whose QEMU lives");
	kill(pid, SIGKILL);
	wait_for(pid);
	close(pidfd);
}

/** A child that becomes a QEMU of that guest after a while, to judge by its command line. */
static pid_t start_qemu_later(const char *word)
{
	int input[2];
	pid_t pid = pipe(input) ? -1 : fork();

	if (pid == 0) {
		/* It waits for input, but not for ever. */
		dup2(input[0], 0);
		alarm(HANGS_S);
		usleep(300000);
		execl("/bin/sh", "/usr/bin/qemu-x", "-c", "read x", "-name", word, "/nowhere/x", NULL);
		_exit(1);
	}
	close(input[0]);
	close(input[1]);
	return pid;
}

static void test_not_there_yet(void)
{
	struct domain_watch watch;
	char name[32], word[64];

	snprintf(name, sizeof(name), "swapcal-watch-%d", (int)getpid());
	snprintf(word, sizeof(word), "guest=%s,debug-threads=on", name);

	pid_t pid = start_qemu_later(word);

	domain_watch_begin(&watch, NULL, "/nowhere", name, -1, "creating the guest", 1);
	is_int(wait_for(pid), SIGKILL, "a QEMU that comes when the time was up is killed all the same");
	err_free(domain_watch_end(&watch, NULL));
}

struct caller {
	pthread_t thread;
	pid_t pid;
	int pidfd;
	int signal;
};

static void *call(void *arg)
{
	struct caller *c = arg;
	struct domain_watch watch;

	domain_watch_begin(&watch, NULL, "/nowhere", "swapcal-none", c->pidfd, "x", 50);
	c->signal = wait_for(c->pid);
	err_free(domain_watch_end(&watch, NULL));
	return NULL;
}

static void test_threads(void)
{
	struct caller callers[8];
	unsigned killed = 0;

	for (int i = 0; i < 8; i++) {
		callers[i].pid = start_child(&callers[i].pidfd);
		pthread_create(&callers[i].thread, NULL, call, &callers[i]);
	}
	for (int i = 0; i < 8; i++) {
		pthread_join(callers[i].thread, NULL);
		killed += callers[i].signal == SIGKILL;
		close(callers[i].pidfd);
	}
	is_int(killed, 8, "calls of several threads are watched at once");
}

TAP_MAIN(test_late, test_in_time, test_not_there_yet, test_threads)
