/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * For the benchmark: the first process of a guest that does a ramp probe's work and nothing else. Modules,
 * swap, the same settings, the same ballast at the same rate, a look at pswpout each 20 ms, power off at 32
 * pages. No agent, no protocol, no evidence.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <unistd.h>

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

static int is_module(const struct dirent *d)
{
	return strstr(d->d_name, ".ko") != NULL;
}

static void load_modules(void)
{
	struct dirent **list;
	int n = scandir("/modules", &list, is_module, alphasort);

	for (int i = 0; i < n; i++) {
		char path[300];

		snprintf(path, sizeof(path), "/modules/%s", list[i]->d_name);

		int fd = open(path, O_RDONLY);

		if (syscall(SYS_finit_module, fd, "", 0))
			perror(path);
		close(fd);
		unlink(path);
	}
}

static unsigned long pswpout(void)
{
	static char text[16384];
	int fd = open("/proc/vmstat", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[n > 0 ? n : 0] = '\0';

	const char *at = strstr(text, "\npswpout ");

	return at ? strtoul(at + 9, NULL, 10) : 0;
}

int main(void)
{
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	load_modules();
	mkdir("/root-image", 0755);
	/* The disks come up in the order of the command line: root, then swap. */
	while (access("/dev/vdb", F_OK))
		usleep(1000);
	if (mount("/dev/vda", "/root-image", "ext4", MS_RDONLY, "noload") || swapon("/dev/vdb", 0))
		perror("disks");
	put("/proc/sys/vm/swappiness", "60");
	put("/proc/sys/vm/watermark_boost_factor", "0");
	put("/sys/kernel/mm/transparent_hugepage/enabled", "never");
	put("/proc/sys/vm/drop_caches", "3");

	unsigned long before = pswpout();

	if (fork() == 0) {
		execl("/ballast", "ballast", "--kib", "524288", "--rate-kib-s", "65536", NULL);
		_exit(1);
	}
	while (pswpout() < before + 32)
		usleep(20000);
	reboot(RB_POWER_OFF);
	return 1;
}
