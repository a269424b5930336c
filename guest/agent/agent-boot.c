/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest/agent/agent.h"

#define ROOT "/root-image"

/* A driver that takes longer than this to find its disk is broken. */
#define DISK_WAIT_US 1000000

#define MODULES_MAX 64

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define ZRAM_SYSFS "/sys/block/zram0"

/** The virtio device type of a disk, as sysfs prints it. */
#define VIRTIO_TYPE_BLOCK "0x0002"

struct mount_step {
	const char *source, *target, *type;
	unsigned long flags;
	const char *options;
};

static const struct mount_step first_mounts[] = {
	{ "proc", "/proc", "proc", 0, NULL },
	{ "sysfs", "/sys", "sysfs", 0, NULL },
	{ "devtmpfs", "/dev", "devtmpfs", 0, NULL },
	{ "cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL },
};

/*
 * What an interpreter expects to find. Small limits: pages of these file systems go to swap like any other,
 * and what a program leaves there is part of its weight.
 */
static const struct mount_step root_mounts[] = {
	{ "proc", ROOT "/proc", "proc", 0, NULL },
	{ "sysfs", ROOT "/sys", "sysfs", MS_RDONLY, NULL },
	{ "/dev", ROOT "/dev", NULL, MS_BIND, NULL },
	{ "shm", ROOT "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "size=16m,mode=1777" },
	{ "tmp", ROOT "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=16m,mode=1777" },
	{ "run", ROOT "/run", "tmpfs", MS_NOSUID | MS_NODEV, "size=4m,mode=0755" },
};

static const char *mount_all(const struct mount_step *steps, size_t n)
{
	const char *error = NULL;

	for (const struct mount_step *s = steps; s < steps + n; s++) {
		mkdir(s->target, 0755); /* there already, or mount says what is wrong */
		if (mount(s->source, s->target, s->type, s->flags, s->options) < 0 && !error)
			error = fail("cannot mount '%s': %s", s->target, strerror(errno));
	}
	return error;
}

/* The kernel leaves these to an init; without them a program of the root image could not open its own output
 * again. */
static void link_descriptors(void)
{
	static const char *const links[][2] = {
		{ "/proc/self/fd", "/dev/fd" },
		{ "/proc/self/fd/0", "/dev/stdin" },
		{ "/proc/self/fd/1", "/dev/stdout" },
		{ "/proc/self/fd/2", "/dev/stderr" },
	};

	for (size_t i = 0; i < COUNT(links); i++)
		if (symlink(links[i][0], links[i][1]) < 0)
			say("cannot make '%s': %s", links[i][1], strerror(errno));
}

static const char *load_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fail("cannot open '%s': %s", path, strerror(errno));

	long failed = syscall(SYS_finit_module, fd, "", 0);
	int error = errno;

	close(fd);
	unlink(path); /* what stays in the initramfs is memory that the guest cannot get back */
	if (failed && error != EEXIST)
		return fail("cannot load '%s': %s", path, strerror(error));
	return NULL;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

/*
 * Modules that only a guest with zram has: they stay out of the kernel until the host asks for them.
 * Compressors may be modules of their own; some kernels have them built in.
 */
static const char *const zram_modules[] = { "zsmalloc", "lzo", "lzo_rle", "zram" };

/* "07-zram.ko" */
static bool is_for_zram(const char *file)
{
	const char *name = file + strspn(file, "0123456789-");
	size_t len = strcspn(name, ".");

	for (size_t i = 0; i < COUNT(zram_modules); i++)
		if (strlen(zram_modules[i]) == len && strncmp(zram_modules[i], name, len) == 0)
			return true;
	return false;
}

/* Loads, in order, the modules that are for zram, or all others. How many there were is in *ret_n. */
static const char *load_modules(bool for_zram, size_t *ret_n)
{
	char names[MODULES_MAX][64];
	size_t n = 0;
	DIR *dir = opendir("/modules");
	struct dirent *entry;
	const char *error = NULL;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || is_for_zram(entry->d_name) != for_zram)
			continue;
		if (n == MODULES_MAX || strlen(entry->d_name) >= sizeof(names[0])) {
			error = fail("there are more than %d modules, or a name is too long: '%s'",
				     MODULES_MAX, entry->d_name);
			break;
		}
		strcpy(names[n++], entry->d_name);
	}
	if (dir)
		closedir(dir);
	qsort(names, n, sizeof(names[0]), compare_names);
	for (size_t i = 0; i < n; i++) {
		char path[80];

		snprintf(path, sizeof(path), "/modules/%.63s", names[i]);

		if (!error)
			error = load_module(path);
	}
	*ret_n = n;
	return error;
}

/* Gives back the memory of modules that were not wanted. */
static void drop_modules(void)
{
	DIR *dir = opendir("/modules");
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
}

const char *boot_system(void)
{
	const char *error = mount_all(first_mounts, COUNT(first_mounts));
	size_t n;

	return error ? error : load_modules(false, &n);
}

const char *boot_zram(void)
{
	size_t n;
	const char *error = load_modules(true, &n);

	if (error)
		return error;
	/* Without a module it may still be built in. */
	if (access(ZRAM_SYSFS, F_OK) < 0)
		return n ? fail("its modules did not make '%s'", ZRAM_SYSFS)
			 : fail("the image has no module 'zram', and the kernel has none built in");
	return NULL;
}

/* The path of the block device with that serial, in a static buffer; NULL when there is none. */
static const char *find_disk(const char *serial)
{
	static char device[48];
	DIR *dir = opendir("/sys/block");
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		char path[320], text[64];

		snprintf(path, sizeof(path), "/sys/block/%s/serial", entry->d_name);
		if (entry->d_name[0] == '.' || file_read(path, text, sizeof(text), NULL))
			continue;
		text[strcspn(text, "\n")] = '\0';
		found = strcmp(text, serial) == 0;
		if (found)
			snprintf(device, sizeof(device), "/dev/%.32s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found ? device : NULL;
}

/* Has every virtio disk got its driver? Then a disk that is not there will not come. */
static bool disks_are_bound(void)
{
	DIR *dir = opendir("/sys/bus/virtio/devices");
	struct dirent *entry;
	bool bound = true;

	while (dir && (entry = readdir(dir))) {
		char path[320], type[16];

		snprintf(path, sizeof(path), "/sys/bus/virtio/devices/%s/device", entry->d_name);
		if (entry->d_name[0] == '.' || file_read(path, type, sizeof(type), NULL))
			continue;
		snprintf(path, sizeof(path), "/sys/bus/virtio/devices/%s/driver", entry->d_name);
		if (strncmp(type, VIRTIO_TYPE_BLOCK, strlen(VIRTIO_TYPE_BLOCK)) == 0 &&
		    access(path, F_OK) < 0)
			bound = false;
	}
	if (dir)
		closedir(dir);
	return bound;
}

static const char *wait_for_disk(const char *serial)
{
	uint64_t start = now_us();
	const char *device;

	while (!(device = find_disk(serial)) && !disks_are_bound() && now_us() - start < DISK_WAIT_US)
		sleep_us(2000);
	return device;
}

const char *boot_root_image(void)
{
	const char *device = wait_for_disk(PROTO_SERIAL_ROOT);

	if (!device)
		return NULL;
	mkdir(ROOT, 0755);
	/* noload: no journal replay, so that the disk can be read-only in the hypervisor too. */
	if (mount(device, ROOT, "ext4", MS_RDONLY, "noload") < 0)
		return fail("cannot mount the root image from '%s': %s", device, strerror(errno));
	link_descriptors();
	return mount_all(root_mounts, COUNT(root_mounts));
}

const char *boot_user(void)
{
	const char *device = wait_for_disk(PROTO_SERIAL_USER);

	if (!device)
		return NULL;
	/* Not as device or set-user-id files: nothing on it may give a load more rights than it was started
	 * with. */
	if (mount(device, ROOT PROTO_USER_DIR, "ext4", MS_RDONLY | MS_NOSUID | MS_NODEV, "noload") < 0)
		return fail("cannot mount the disk of workloads '%s': %s", device, strerror(errno));
	return NULL;
}

const char *boot_scratch(void)
{
	const char *device = wait_for_disk(PROTO_SERIAL_SCRATCH);

	if (!device)
		return NULL;
	mkdir(PROTO_SCRATCH_DIR, 0755);
	if (mount(device, PROTO_SCRATCH_DIR, "ext4", MS_NOATIME, NULL) < 0)
		return fail("cannot mount the scratch disk '%s': %s", device, strerror(errno));
	return NULL;
}

const char *boot_swapon(const char *device, uint64_t mkswap_kib)
{
	const char *path = device[0] == '/' ? device : wait_for_disk(device);
	const char *error = path && mkswap_kib ? swap_make(path, mkswap_kib) : NULL;

	drop_modules();
	if (!path)
		return fail("no disk has the serial '%s'", device);
	if (error)
		return error;
	if (swapon(path, 0) < 0)
		return fail("cannot swap on '%s': %s", path, strerror(errno));
	return NULL;
}
