/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The initramfs as an independent reader of cpio sees it: what is in it, how it is owned, and that it is
 * always the same. */

#include <archive.h>
#include <archive_entry.h>

#include "harness/image/rootfs.h"
#include "tests/unit/errors.h"

/** The archive as lines "MODE UID:GID MTIME RDEV PATH", and the data of the member called want. */
static void list(const char *file, struct strbuf *lines, const char *want, struct strbuf *data)
{
	struct archive *a = archive_read_new();
	struct archive_entry *entry;

	archive_read_support_format_cpio(a);
	ok(archive_read_open_filename(a, file, 10240) == ARCHIVE_OK, "it is a cpio archive");
	while (archive_read_next_header(a, &entry) == ARCHIVE_OK) {
		const char *path = archive_entry_pathname(entry);
		char buf[4096];
		ssize_t n;

		strbuf_addf(lines, "%o %d:%d %d %llx %s%s\n", (unsigned)archive_entry_mode(entry),
			    (int)archive_entry_uid(entry), (int)archive_entry_gid(entry),
			    (int)archive_entry_mtime(entry), (unsigned long long)archive_entry_rdev(entry),
			    path, archive_entry_hardlink(entry) ? " is a link" : "");
		while (strcmp(path, want) == 0 && (n = archive_read_data(a, buf, sizeof(buf))) > 0)
			strbuf_add(data, buf, (size_t)n);
	}
	is_int(archive_format(a), ARCHIVE_FORMAT_CPIO_SVR4_NOCRC, "... of the newc kind");
	archive_read_free(a);
}

static struct image make_image(const char *manifest)
{
	return (struct image){ .dir = (char *)".", .manifest = json_loads(manifest, 0, NULL) };
}

static void test_content(void)
{
	struct image image = make_image("{\"modules\": [\"virtio\", \"virtio_blk\"]}");
	cleanup_strbuf struct strbuf lines = STRBUF_INIT, data = STRBUF_INIT, agent = STRBUF_INIT;

	if (!no_err(initramfs_write(&image, "out"), "an initramfs is written"))
		return;
	is_int(test_mode("out"), 0600, "it has mode 0600");
	list("out", &lines, "modules/01-virtio_blk.ko", &data);
	/* 0x501: the kernel's name for the console. */
	is_str(strbuf_str(&lines),
	       "40755 0:0 0 0 dev\n"
	       "40755 0:0 0 0 modules\n"
	       "40755 0:0 0 0 proc\n"
	       "40755 0:0 0 0 sys\n"
	       "20600 0:0 0 501 dev/console\n"
	       "100755 0:0 0 0 init\n"
	       "100755 0:0 0 0 ballast\n"
	       "100755 0:0 0 0 known\n"
	       "100644 0:0 0 0 modules/00-virtio.ko\n"
	       "100644 0:0 0 0 modules/01-virtio_blk.ko\n",
	       "its members, in order, each with its mode and without owner and time");
	is_str(strbuf_str(&data), "second module", "a module has the bytes of its file");

	strbuf_clear(&lines);
	list("out", &lines, "init", &agent);
	ok(agent.len == swapcal_agent_len && memcmp(agent.data, swapcal_agent, agent.len) == 0,
	   "/init is the embedded agent");

	/* Another second, another file: the same bytes. */
	char first[65] = "", second[65] = "";

	sleep(1);
	must(initramfs_write(&image, "again"));
	must(file_sha256("out", first));
	must(file_sha256("again", second));
	is_str(second, first, "the same input makes the same bytes");
	json_decref(image.manifest);
}

static void test_embedded(void)
{
	ok(swapcal_agent_len > 1000 && memcmp(swapcal_agent, "\177ELF", 4) == 0,
	   "the agent is an ELF program");
	ok(swapcal_ballast_len > 1000 && memcmp(swapcal_ballast, "\177ELF", 4) == 0,
	   "the ballast is an ELF program");
	ok(swapcal_agent_len != swapcal_ballast_len ||
		   memcmp(swapcal_agent, swapcal_ballast, swapcal_agent_len),
	   "they are two programs");
}

static void refused(const char *manifest, const char *part, const char *what)
{
	struct image image = make_image(manifest);

	is_err(initramfs_write(&image, "refused"), part, what);
	ok(!file_exists("refused"), "... and no file is made");
	json_decref(image.manifest);
}

int main(void)
{
	test_enter_dir();
	test_file("modules/00-virtio.ko", "first module", 0644);
	test_file("modules/01-virtio_blk.ko", "second module", 0644);
	test_embedded();
	test_content();
	refused("{\"modules\": [\"virtio\", \"missing\"]}", "01-missing.ko", "a missing module is an error");
	refused("{\"modules\": [\"../virtio\"]}", "bad name", "a name that leads elsewhere is an error");
	refused("{\"modules\": [1]}", "bad name", "a name that is none is an error");
	return tap_done();
}
