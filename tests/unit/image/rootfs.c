/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A root taken apart: a small tar as mmdebstrap makes them goes in; what comes out is read back with
 * libarchive. */

#include <archive.h>
#include <archive_entry.h>

#include "harness/image/rootfs.h"
#include "tests/unit/errors.h"

/** One more member: a directory when the path ends in a slash, a link when data begins with "->" or "=>"
 * (hard). */
static void add(struct archive *a, const char *path, const char *data, size_t len)
{
	struct archive_entry *entry = archive_entry_new();
	bool is_dir = path[strlen(path) - 1] == '/';
	bool is_symlink = len > 2 && memcmp(data, "->", 2) == 0,
	     is_link = len > 2 && memcmp(data, "=>", 2) == 0;

	archive_entry_set_pathname(entry, path);
	archive_entry_set_filetype(entry, is_dir ? AE_IFDIR : is_symlink ? AE_IFLNK : AE_IFREG);
	archive_entry_set_perm(entry, 0755);
	if (is_symlink)
		archive_entry_set_symlink(entry, data + 2);
	if (is_link)
		archive_entry_set_hardlink(entry, data + 2);
	if (is_dir || is_symlink || is_link)
		len = 0;
	archive_entry_set_size(entry, (int64_t)len);
	if (archive_write_header(a, entry) != ARCHIVE_OK || archive_write_data(a, data, len) != (ssize_t)len)
		abort();
	archive_entry_free(entry);
}

static void add_text(struct archive *a, const char *path, const char *text)
{
	add(a, path, text, strlen(text));
}

/** text as a .xz file. */
static void compress_xz(const char *text, struct strbuf *sb)
{
	char buf[4096];
	size_t used = 0;
	struct archive *a = archive_write_new();

	archive_write_set_format_raw(a);
	archive_write_add_filter_xz(a);
	archive_write_set_bytes_per_block(a, 0);
	if (archive_write_open_memory(a, buf, sizeof(buf), &used) != ARCHIVE_OK)
		abort();
	add_text(a, "x", text);
	archive_write_close(a);
	strbuf_add(sb, buf, used);
	archive_write_free(a);
}

/** A library as large as some are: 65 MiB of zeros. */
static void add_large(struct archive *a)
{
	size_t len = 65u << 20;
	cleanup_free char *zeros = xcalloc(len, 1);

	add(a, "./usr/lib/large.so", zeros, len);
}

/** Makes a tar; without lacks, it is a whole root. extra: one more member, "large" for a large one. */
static void make_tar(const char *lacks, const char *extra)
{
	static const char *const members[][2] = {
		{ "./", "" },
		{ "./boot/", "" },
		{ "./boot/vmlinuz-6.1.0-test", "the kernel" },
		{ "./boot/config-6.1.0-test", "CONFIG_PSI=y\n" },
		{ "./dev/", "" },
		{ "./dev/null", "not wanted" },
		{ "./vmlinuz", "->boot/vmlinuz-6.1.0-test" },
		{ "./usr/bin/", "" },
		{ "./usr/bin/python3", "->python3.11" },
		{ "./usr/bin/python3.11", "an interpreter" },
		{ "./usr/bin/twin", "=>./usr/bin/python3.11" },
		{ "./usr/lib/modules/6.1.0-test/modules.dep",
		  "kernel/a.ko.xz:\nkernel/b.ko: kernel/a.ko.xz\n" },
		{ "./usr/lib/modules/6.1.0-test/modules.builtin", "kernel/ext4.ko\n" },
		{ "./usr/lib/modules/6.1.0-test/kernel/b.ko", "module b" },
		{ "./usr/share/doc/", "" },
		{ "./usr/share/doc/x", "not wanted" },
		{ "./usr/share/doc/y", "=>./usr/share/doc/x" },
		/* Not a name of any locale that tests run in. */
		{ "./usr/share/F\305\221\377", "odd name" },
		{ "./var/lib/dpkg/status", "Package: p\n" },
	};
	cleanup_strbuf struct strbuf xz = STRBUF_INIT;
	struct archive *a = archive_write_new();

	archive_write_set_format_gnutar(a);
	if (archive_write_open_filename(a, "all.tar") != ARCHIVE_OK)
		abort();
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (!lacks || !strstr(members[i][0], lacks))
			add_text(a, members[i][0], members[i][1]);
	compress_xz("module a", &xz);
	add(a, "./usr/lib/modules/6.1.0-test/kernel/a.ko.xz", xz.data, xz.len);
	if (extra && strcmp(extra, "large") == 0)
		add_large(a);
	else if (extra)
		add_text(a, extra, "extra");
	archive_write_close(a);
	archive_write_free(a);
}

/** Takes that tar apart. */
static struct err *split(struct rootfs *ret)
{
	struct workload_file file = { .name = (char *)"w.py" };
	struct workloads workloads = { .files = &file, .n = 1 };

	strbuf_adds(&file.text, "a workload");

	struct err *e = rootfs_split("all.tar", &workloads, "root.tar", "vmlinuz", ret);

	strbuf_deinit(&file.text);
	return e;
}

/** The members of the root, one on each line, with their data or link. */
static void list(struct strbuf *lines)
{
	struct archive *a = archive_read_new();
	struct archive_entry *entry;

	archive_read_support_format_tar(a);
	ok(archive_read_open_filename(a, "root.tar", 10240) == ARCHIVE_OK, "the root is a tar");
	/* ARCHIVE_WARN: for the odd name. */
	for (int rc; (rc = archive_read_next_header(a, &entry)) == ARCHIVE_OK || rc == ARCHIVE_WARN;) {
		char data[64] = "";

		if (archive_entry_size(entry) > 0 && archive_read_data(a, data, sizeof(data) - 1) < 0)
			printf("# %s\n", archive_error_string(a));
		strbuf_addf(lines, "%s %s%s%s\n", archive_entry_pathname(entry), data,
			    archive_entry_symlink(entry) ? archive_entry_symlink(entry) : "",
			    archive_entry_hardlink(entry) ? archive_entry_hardlink(entry) : "");
	}
	archive_read_free(a);
}

static void test_modules(const struct rootfs *r)
{
	char *names[] = { (char *)"b" };
	const struct name_list wanted = { .v = names, .n = 1 };
	cleanup(name_list_deinit) struct name_list m = { 0 };

	if (mkdir("modules", 0755))
		abort();
	must(modules_resolve(strbuf_str(&r->modules_dep), strbuf_str(&r->modules_builtin), &wanted, &m));

	no_err(rootfs_extract_modules("all.tar", r->release, &m, "modules"), "modules are taken out");
	is_str(test_text("modules/00-a.ko"), "module a", "... the compressed one is plain now");
	is_str(test_text("modules/01-b.ko"), "module b", "... and a plain one as it was, in load order");

	/* Only modules of the kernel that is used. */
	is_err(rootfs_extract_modules("all.tar", "6.1.0-other", &m, "modules"), "does not have",
	       "another kernel's modules are not there");
}

static void test_whole(void)
{
	cleanup_strbuf struct strbuf lines = STRBUF_INIT;
	struct rootfs r = { 0 };

	make_tar(NULL, NULL);
	if (!no_err(split(&r), "a root is taken apart"))
		return;
	list(&lines);
	is_str(strbuf_str(&lines),
	       "./ \n"
	       "./boot/ \n"
	       "./dev/ \n"
	       "./usr/bin/ \n"
	       "./usr/bin/python3 python3.11\n"
	       "./usr/bin/python3.11 an interpreter\n"
	       "./usr/bin/twin ./usr/bin/python3.11\n"
	       "./usr/share/doc/ \n"
	       "./usr/share/F\305\221\377 odd name\n"
	       "./var/lib/dpkg/status Package: p\n\n"
	       "./usr/share/swapcal/ \n"
	       "./usr/share/swapcal/workloads/ \n"
	       "./usr/share/swapcal/workloads/w.py a workload\n",
	       "the root has what a guest needs, and the workloads");
	is_int(r.entries, 13, "its members are counted");
	is_int(r.bytes, 4 * 4096, "their data in blocks of 4 KiB");
	is_str(test_text("vmlinuz"), "the kernel", "the kernel is a file of its own");
	is_str(r.release, "6.1.0-test", "its release");
	is_str(strbuf_str(&r.config), "CONFIG_PSI=y\n", "its config");
	is_str(strbuf_str(&r.modules_builtin), "kernel/ext4.ko\n", "modules.builtin");
	is_str(strbuf_str(&r.dpkg_status), "Package: p\n", "the dpkg status");
	is_str(strbuf_str(&r.programs), "\npython3\npython3.11\ntwin\n", "the programs");
	test_modules(&r);
	rootfs_deinit(&r);
}

static void test_large(void)
{
	struct rootfs r = { 0 };
	struct stat st;

	make_tar(NULL, "large");
	no_err(split(&r), "a large library is no hindrance");
	ok(stat("root.tar", &st) == 0 && st.st_size > 65 << 20, "it is in the root");
	is_int(r.bytes, (65 << 20) + 4 * 4096, "and counted");
	rootfs_deinit(&r);
}

static void refused(const char *lacks, const char *extra, const char *part, const char *what)
{
	struct rootfs r = { 0 };

	make_tar(lacks, extra);
	is_err(split(&r), part, what);
	ok(!r.release, "... and nothing is given");
}

static void test_bad(void)
{
	refused("vmlinuz", NULL, "no kernel", "a root without a kernel is an error");
	refused("config", NULL, "no kernel config", "... without its config");
	refused("status", NULL, "dpkg status", "... without packages");
	refused(NULL, "./boot/vmlinuz-6.2", "two kernels", "... with two kernels");

	struct rootfs r = { 0 };

	make_tar(NULL, NULL);
	if (truncate("all.tar", 700))
		abort();
	is_err(split(&r), "", "a tar that is cut short is an error");
	ok(!r.release, "... and gives nothing");
}

TAP_MAIN(test_in_dir, test_whole, test_large, test_bad)
