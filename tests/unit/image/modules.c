/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Which kernel modules are loaded, and in which order, for texts as depmod writes them. */

#include "harness/base/strbuf.h"
#include "harness/image/rootfs.h"
#include "tests/tap.h"

/* As in Linux 6.1 and, with compressed modules, 6.12. A line names all dependencies, not only the direct
 * ones. */
static const char dep[] =
	"kernel/drivers/virtio/virtio_ring.ko: kernel/drivers/virtio/virtio.ko\n"
	"kernel/drivers/virtio/virtio.ko:\n"
	"kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio_pci_modern_dev.ko "
	"kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko\n"
	"kernel/drivers/virtio/virtio_pci_modern_dev.ko:\n"
	"kernel/drivers/block/virtio_blk.ko.xz: kernel/drivers/virtio/virtio_ring.ko "
	"kernel/drivers/virtio/virtio.ko\n"
	"kernel/drivers/misc/pvpanic/pvpanic-mmio.ko: kernel/drivers/misc/pvpanic/pvpanic.ko\n"
	"kernel/drivers/misc/pvpanic/pvpanic.ko:\n"
	"kernel/broken.ko: kernel/gone.ko\n"
	"kernel/a.ko: kernel/b.ko\n"
	"kernel/b.ko: kernel/a.ko\n"
	"../../etc/evil.ko:\n";

static const char builtin[] = "kernel/fs/ext4/ext4.ko\n"
			      "kernel/lib/crc16.ko\n";

/** The order as names with spaces between, or "error: TEXT". */
static const char *resolve(size_t n, const char *first, const char *second)
{
	static struct strbuf sb;
	char *names[] = { (char *)first, (char *)second };
	const struct name_list wanted = { .v = names, .n = n };
	cleanup(name_list_deinit) struct name_list m = { 0 };
	struct err *e = modules_resolve(dep, builtin, &wanted, &m);

	strbuf_clear(&sb);
	if (e)
		strbuf_addf(&sb, "error: %s", err_message(e));
	for (size_t i = 0; i < m.n; i++) {
		char *name = modules_name(m.v[i]);

		strbuf_addf(&sb, "%s%s", i ? " " : "", name);
		free(name);
	}
	err_free(e);
	return strbuf_str(&sb);
}

static void test_order(void)
{
	is_str(resolve(1, "virtio", NULL), "virtio", "a module without dependencies");
	is_str(resolve(1, "virtio_pci", NULL), "virtio_pci_modern_dev virtio virtio_ring virtio_pci",
	       "each after all it depends on");
	is_str(resolve(2, "virtio_ring", "virtio_blk"), "virtio virtio_ring virtio_blk", "none twice");
	is_str(resolve(1, "pvpanic-mmio", NULL), "pvpanic pvpanic_mmio", "a name with a minus");
	is_str(resolve(1, "pvpanic_mmio", NULL), "pvpanic pvpanic_mmio",
	       "... is the same with an underscore");
	is_str(resolve(2, "ext4", "virtio"), "virtio", "what is built in is left out");
	is_str(resolve(1, "crc16", NULL), "", "... also when nothing else is wanted");
}

static void test_bad(void)
{
	is_str(resolve(1, "virtio_net", NULL), "error: the kernel has no module 'virtio_net'",
	       "an unknown module");
	is_str(resolve(1, "virt", NULL), "error: the kernel has no module 'virt'",
	       "the start of a name is not a name");
	is_str(resolve(1, "broken", NULL), "error: module 'broken': the kernel has no module 'gone'",
	       "a dependency that is not there");
	has_str(resolve(1, "a", NULL), "bad entry", "a circle is an error, not an endless loop");
	has_str(resolve(1, "evil", NULL), "bad entry", "a path that leads out of the modules is an error");
}

static void test_path(void)
{
	cleanup(name_list_deinit) struct name_list m = { 0 };
	char *names[] = { (char *)"virtio_blk" };
	const struct name_list wanted = { .v = names, .n = 1 };
	struct err *e = modules_resolve(dep, builtin, &wanted, &m);

	ok(!e && m.n == 3, "three modules");
	is_str(m.n == 3 ? m.v[2] : NULL, "kernel/drivers/block/virtio_blk.ko.xz",
	       "a path is as modules.dep has it");
	err_free(e);
}

TAP_MAIN(test_order, test_bad, test_path)
