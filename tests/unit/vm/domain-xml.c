/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/domain-xml.h"

#include <stdlib.h>

#include "guest/proto.h"
#include "harness/base/cleanup.h"
#include "tests/tap.h"

/* What libvirt makes of the text only a guest can show (tests/system). */

static const struct domain_spec plain = {
	.name = "swapcal-test-1",
	.accel = "tcg",
	.ram_mib = 256,
	.vcpus = 2,
	.kernel = "/k/vmlinuz",
	.initrd = "/k/initrd",
	.cmdline = "console=ttyS0 quiet",
	.root_disk = "/d/root.qcow2",
	.swap_disk = "/d/swap.raw",
};

static const struct domain_xml_extra extra = {
	.agent_socket = "/w/a.agent",
	.console_path = "/w/a.console",
	.description = "swapcal process 1",
};

/** The text for a spec that is fine. */
static char *build(const struct domain_spec *spec, const struct domain_xml_extra *x)
{
	char *xml = NULL;
	struct err *e = domain_xml_build(spec, x, &xml);

	if (e)
		printf("# %s\n", err_message(e));
	err_free(e);
	return xml;
}

static void refuses(const struct domain_spec *spec, const char *part, const char *what)
{
	char *xml = NULL;
	struct err *e = domain_xml_build(spec, &extra, &xml);

	has_str(e ? err_message(e) : "", part, what);
	ok(!xml, "and gives no text");
	err_free(e);
	free(xml);
}

/** How often part occurs in text. */
static int count(const char *text, const char *part)
{
	int n = 0;

	for (const char *p = text; p && (p = strstr(p, part)); p += strlen(part))
		n++;
	return n;
}

static void test_plain(void)
{
	cleanup_free char *xml = build(&plain, &extra);

	has_str(xml, "<domain type='qemu'", "TCG is libvirt's type 'qemu'");
	has_str(xml, "<memory unit='MiB'>256</memory>", "memory is in MiB");
	has_str(xml, "<vcpu>2</vcpu>", "vCPUs");
	has_str(xml, "<serial>" PROTO_SERIAL_ROOT "</serial>", "the root disk can be told by its serial");
	has_str(xml, "<serial>" PROTO_SERIAL_SWAP "</serial>", "the swap disk too");
	has_str(xml, "name='" PROTO_PORT_NAME "'", "the agent's port has its name");
	has_str(xml, "<source mode='connect' path='/w/a.agent'/>", "QEMU connects to us");
	is_int(count(xml, "<readonly/>"), 1, "one disk is read-only");
	is_int(count(xml, "<interface"), 0, "no network");
	has_str(xml, "<memballoon model='none'/>", "no balloon");
	is_int(count(xml, "-icount"), 0, "no counted clock unless asked for");
	is_int(count(xml, "<qemu:del capability='cpu-unavailable-features'/>"), 1,
	       "no hundreds of questions at the start");
	is_int(count(xml, "<seclabel"), 0, "no label unless asked for");
}

static void test_variants(void)
{
	struct domain_spec spec = plain;
	struct domain_xml_extra x = extra;

	spec.accel = "kvm";
	spec.root_disk = spec.swap_disk = spec.initrd = NULL;
	x.dac_label = "+1:+2";

	cleanup_free char *kvm = build(&spec, &x);

	has_str(kvm, "<domain type='kvm'", "KVM");
	is_int(count(kvm, "<disk"), 0, "no disks unless given");
	is_int(count(kvm, "<initrd"), 0, "no initrd unless given");
	has_str(kvm, "relabel='no'><label>+1:+2</label>", "a label leaves files alone");

	spec = plain;
	spec.scratch_disk = "/d/scratch.raw";

	cleanup_free char *scratch = build(&spec, &extra);

	has_str(scratch, "<serial>" PROTO_SERIAL_SCRATCH "</serial>", "a scratch disk has its serial");
	is_int(count(scratch, "<disk"), 3, "beside the others");
	spec.user_disk = "/d/user.qcow2";

	cleanup_free char *user = build(&spec, &extra);

	has_str(user,
		"<target dev='vdd' bus='virtio'/>\n   <readonly/>\n   <serial>" PROTO_SERIAL_USER "</serial>",
		"a disk of workloads is read-only and has its serial");
	is_int(count(user, "<readonly/>"), 2, "as the root disk");
	is_int(count(user, "<disk"), 4, "beside the others");

	spec = plain;
	spec.icount = true;

	cleanup_free char *counted = build(&spec, &extra);

	has_str(counted, "<qemu:arg value='-icount'/><qemu:arg value='shift=3,sleep=off'/>",
		"a counted clock");
	has_str(counted, "clock=vm", "and a clock that follows it");
}

static void test_escaping(void)
{
	struct domain_spec spec = plain;

	spec.kernel = "/a&b/<c>";
	spec.cmdline = "x=\"1\" y='2' </cmdline>";
	spec.root_disk = "/d/'/><disk>.qcow2";

	cleanup_free char *xml = build(&spec, &extra);

	has_str(xml, "<kernel>/a&amp;b/&lt;c&gt;</kernel>", "content is escaped");
	has_str(xml, "x=&quot;1&quot; y=&apos;2&apos; &lt;/cmdline&gt;</cmdline>", "so are quotes");
	has_str(xml, "file='/d/&apos;/&gt;&lt;disk&gt;.qcow2'", "attributes are escaped");
	is_int(count(xml, "<disk"), 2, "a path cannot add a disk");
}

static void test_refusals(void)
{
	struct domain_spec spec = plain;

	spec.name = "swapcal-A";
	refuses(&spec, "only a-z", "capital letters in a name are refused");
	spec.name = "other";
	refuses(&spec, "does not begin with", "names without our prefix are refused");
	spec.name = "swapcal-";
	refuses(&spec, "nothing after the prefix", "the prefix alone is no name");
	spec.name = "swapcal-0123456789012345678901234567890123456789012345678901234";
	refuses(&spec, "longer than 60", "too long names are refused");
	spec = plain;
	spec.accel = "xen";
	refuses(&spec, "'xen' is neither", "unknown accelerators are refused");
	spec.accel = "kvm";
	spec.icount = true;
	refuses(&spec, "needs accelerator 'tcg'", "KVM cannot count instructions");
	spec = plain;
	spec.ram_mib = 0;
	refuses(&spec, "MiB of RAM", "no RAM is refused");
	spec = plain;
	spec.vcpus = 0;
	refuses(&spec, "vCPUs", "no CPU is refused");
	spec = plain;
	spec.cmdline = "quiet\nroot";
	refuses(&spec, "control character 0x0a", "control characters are refused");
	spec = plain;
	spec.scratch_disk = "/d/\x1b[2J";
	refuses(&spec, "scratch disk path", "the scratch disk's path too");
	spec.scratch_disk = NULL;
	spec.user_disk = "/d/\n";
	refuses(&spec, "workload disk path", "and that of workloads");
	spec.swap_disk = "/d/\x1b[2J";
	refuses(&spec, "swap disk path", "in every text, by its name");
}

static void test_reading(void)
{
	static const char xml[] = "<a><baselabel type='kvm'>+1:+2</baselabel><base>x</base><path></path></a>";
	cleanup_free char *label = domain_xml_element(xml, "baselabel");
	cleanup_free char *base = domain_xml_element(xml, "base");
	cleanup_free char *empty = domain_xml_element(xml, "path");

	is_str(label, "+1:+2", "an element with attributes is read");
	is_str(base, "x", "and not mistaken for one whose name it begins");
	is_str(empty, "", "an empty one is empty");
	ok(!domain_xml_element(xml, "none"), "a missing one is NULL");
	ok(!domain_xml_element("<path>cut", "path"), "so is one that does not end");
	ok(!domain_xml_element("<path", "path"), "or hardly begins");
	ok(!domain_xml_element(NULL, "path"), "no text has none");
}

static void test_conf(void)
{
	cleanup_free char *root = domain_xml_qemu_conf(true, 7, 8);
	cleanup_free char *user = domain_xml_qemu_conf(false, 7, 8);

	has_str(root, "user = \"+7\"\ngroup = \"+8\"\n", "QEMU's user is set by number");
	ok(!strstr(user, "user ="), "and not at all where it cannot be chosen");
}

int main(void)
{
	test_plain();
	test_variants();
	test_escaping();
	test_refusals();
	test_reading();
	test_conf();
	return tap_done();
}
