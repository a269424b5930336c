/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/host/qemu-process.h"

#include <sched.h>
#include <sys/mount.h>

#include "tests/unit/host/fake-qemu.h"

static void test_identity(void)
{
	pid_t pid = test_idle_child();
	cleanup_free char *me = qemu_owner(getpid()), *child = qemu_owner(pid);

	ok(*me && *child && strcmp(me, child) != 0, "processes have identities");
	ok(!qemu_owner_is_dead(me), "this one lives");
	ok(!qemu_owner_is_dead(child), "so does its child");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ok(qemu_owner_is_dead(child), "until it ends");

	char *started = strstr(me, "started ") + strlen("started ");
	const char *earlier =
		test_format("%.*s1%s", (int)(started - me), me, started + strspn(started, "0123456789"));

	ok(qemu_owner_is_dead(earlier), "an earlier process with the same id is dead");

	cleanup_free char *boot = xstrdup(earlier), *container = xstrdup(earlier);

	strstr(boot, "boot ")[5] ^= 1;
	ok(!qemu_owner_is_dead(boot), "of another boot or machine nothing is known");
	strstr(container, "pid:[")[5] ^= 1;
	ok(!qemu_owner_is_dead(container), "nor of another container");
	ok(!qemu_owner_is_dead(""), "nor of no text");
	ok(!qemu_owner_is_dead("swapcal process -1 started 2 boot 3"), "nor of nonsense");
}

static void test_command_line(void)
{
	has_str(test_keep(qemu_command_line(getpid())), "qemu-process.t", "a command line is read");
	is_str(test_keep(qemu_command_line(-1)), "", "of no process it is empty");
}

/** How many guests qemu_end() ends. */
static unsigned end(const char *dir, const char *guest)
{
	unsigned n;

	must(qemu_end(dir, guest, &n));
	return n;
}

static void test_by_name(void)
{
	static const char qemu[] = "/usr/bin/qemu-x";
	static const char name[] = "guest=swapcal-t-1,debug-threads=on";
	pid_t guest = start_fake(qemu, name, "/w/1/a");
	pid_t other = start_fake(qemu, "guest=swapcal-t-11,debug-threads=on", "/w/1/a");
	pid_t ability = start_fake(qemu, NULL, "/w/1/lib/a");
	pid_t elsewhere = start_fake(qemu, NULL, "/w/11/lib/a");
	pid_t namesake = start_fake(qemu, name, "/w/11/a");
	pid_t editor = start_fake("/usr/bin/vi", "guest=swapcal-t-1,", "/w/1/lib/a");

	is_int(end("/w/2", "swapcal-t-1"), 0, "no guest of that directory");
	is_int(end("/w/1", "swapcal-t-1"), 1, "a guest is killed by its name");
	ok(was_killed(guest), "it has ended");
	ok(was_killed(ability), "and so has what libvirt asked for abilities");
	ok(!was_killed(other), "not a guest of a longer name");
	ok(!was_killed(elsewhere), "nor what belongs to another directory");
	ok(!was_killed(namesake), "nor a guest of that name there");
	ok(!was_killed(editor), "nor what is no QEMU");
}

static void test_all(void)
{
	pid_t one = start_fake("qemu-system-x86_64", "guest=test", "/w/z/x");
	pid_t two = start_fake("qemu-kvm", "guest=test", "/w/z/x");

	is_int(end("/w/z", NULL), 2, "guests are ended, and counted");
	ok(was_killed(one) && was_killed(two), "both");
	is_int(end("/w/z", NULL), 0, "then there are none");
}

/** Ends the guests of dir in a child that become() makes different; says how many, 99 when it cannot be. */
static int end_as(bool (*become)(const char *dir), const char *dir)
{
	return test_in_child(become(dir) ? (int)end(dir, NULL) : 99);
}

static bool become_nobody(const char *dir)
{
	(void)dir;
	return setgid(65534) == 0 && setuid(65534) == 0;
}

static bool become_contained(const char *dir)
{
	return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", dir, "tmpfs", 0, NULL) == 0;
}

/* Anybody can name our directory in his arguments; a container may have one of the same name, and guests in
 * it. */
static void test_others(void)
{
	if (geteuid() != 0)
		return;

	const char *dir = test_enter_dir();
	pid_t guest = start_fake("qemu-system-x86_64", "guest=test", test_format("%s/x", dir));

	is_int(end_as(become_nobody, dir), 0, "another user's process is passed over");
	is_int(end_as(become_contained, dir), 0, "so is one for which that directory is another");
	is_int(end(dir, NULL), 1, "and both live on");
	ok(was_killed(guest), "until they are ours");
}

static void test_stopped(void)
{
	pid_t pid = test_idle_child();
	int status;

	ok(!qemu_is_stopped(pid), "a process that waits is not stopped");
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	ok(qemu_is_stopped(pid), "one that got SIGSTOP is");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	ok(!qemu_is_stopped(pid), "one that is not there is not");
}

int main(int argc, char **argv)
{
	(void)argv;
	be_fake(argc);
	test_by_name();
	test_all();
	test_others();
	test_stopped();
	test_identity();
	test_command_line();
	return tap_done();
}
