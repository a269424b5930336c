/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/domain-xml.h"

#include "guest/proto.h"
#include "tests/unit/errors.h"

/* What libvirt makes of the text only a guest can show (tests/system). */

/** All that a definition is made of. */
struct parts {
	struct guest_config config;
	struct domain_spec spec;
	struct domain_xml_extra extra;
};

static const struct parts plain = {
	.config = { .name = "swapcal-test-1", .accel = "tcg", .ram_mib = 256, .vcpus = 2 },
	.spec = { .kernel = "/k/vmlinuz",
		  .initrd = "/k/initrd",
		  .cmdline = "console=ttyS0 quiet",
		  .root_disk = "/d/root.qcow2" },
	.extra = { .swap_disk = "/d/swap.raw",
		   .agent_socket = "/w/a.agent",
		   .console_path = "/w/a.console",
		   .description = "swapcal process 1" },
};

static struct err *build(struct parts p, char **ret)
{
	p.spec.config = &p.config;
	return domain_xml_build(&p.spec, &p.extra, ret);
}

/** How often part occurs in text. */
static int count(const char *text, const char *part)
{
	int n = 0;

	for (const char *p = text; p && (p = strstr(p, part)); p += strlen(part))
		n++;
	return n;
}

/** A part of a text, and how often it is there; -1: somewhere. */
struct part {
	const char *text;
	int times;
	const char *what;
};

static void check(struct parts p, const struct part *parts)
{
	cleanup_free char *xml = NULL;

	must(build(p, &xml));
	for (; parts->text; parts++)
		if (parts->times < 0)
			has_str(xml, parts->text, parts->what);
		else
			is_int(count(xml, parts->text), parts->times, parts->what);
}

static void test_plain(void)
{
	static const struct part parts[] = {
		{ "<domain type='qemu'", -1, "TCG is libvirt's type 'qemu'" },
		{ "<memory unit='MiB'>256</memory>", -1, "memory is in MiB" },
		{ "<vcpu>2</vcpu>", -1, "vCPUs" },
		{ "<serial>" PROTO_SERIAL_ROOT "</serial>", -1, "the root disk can be told by its serial" },
		{ "<serial>" PROTO_SERIAL_SWAP "</serial>", -1, "the swap disk too" },
		{ "name='" PROTO_PORT_NAME "'", -1, "the agent's port has its name" },
		{ "<source mode='connect' path='/w/a.agent'/>", -1, "QEMU connects to us" },
		{ "<readonly/>", 1, "one disk is read-only" },
		{ "<interface", 0, "no network" },
		{ "<memballoon model='none'/>", -1, "no balloon" },
		{ "-icount", 0, "no counted clock unless asked for" },
		{ "<qemu:del capability='cpu-unavailable-features'/>", 1,
		  "no hundreds of questions at the start" },
		{ "<seclabel", 0, "no label unless asked for" },
		{ .text = NULL },
	};

	check(plain, parts);
}

static void test_variants(void)
{
	static const struct part kvm[] = {
		{ "<domain type='kvm'", -1, "KVM" },
		{ "<disk", 0, "no disks unless given" },
		{ "<initrd", 0, "no initrd unless given" },
		{ "relabel='no'><label>+1:+2</label>", -1, "a label leaves files alone" },
		{ .text = NULL },
	};
	static const struct part disks[] = {
		{ "<serial>" PROTO_SERIAL_SCRATCH "</serial>", -1, "a scratch disk has its serial" },
		{ "<target dev='vdd' bus='virtio'/>\n   <readonly/>\n   <serial>" PROTO_SERIAL_USER
		  "</serial>",
		  -1, "a disk of workloads is read-only and has its serial" },
		{ "<readonly/>", 2, "as the root disk" },
		{ "<disk", 4, "beside the others" },
		{ .text = NULL },
	};
	static const struct part counted[] = {
		{ "<qemu:arg value='-icount'/><qemu:arg value='shift=3,sleep=off'/>", -1, "a counted clock" },
		{ "clock=vm", -1, "and a clock that follows it" },
		{ .text = NULL },
	};
	struct parts p = plain;

	p.config.accel = "kvm";
	p.spec.root_disk = p.extra.swap_disk = p.spec.initrd = NULL;
	p.extra.dac_label = "+1:+2";
	check(p, kvm);
	p = plain;
	p.extra.scratch_disk = "/d/scratch.raw";
	p.spec.user_disk = "/d/user.qcow2";
	check(p, disks);
	p = plain;
	p.config.icount = true;
	check(p, counted);
}

static void test_escaping(void)
{
	static const struct part parts[] = {
		{ "<kernel>/a&amp;b/&lt;c&gt;%s</kernel>", -1, "content is escaped" },
		{ "x=&quot;1&quot; y=&apos;2&apos; &lt;/cmdline&gt;</cmdline>", -1, "so are quotes" },
		{ "file='/d/&apos;/&gt;&lt;disk&gt;.qcow2'", -1, "attributes are escaped" },
		{ "<disk", 2, "a path cannot add a disk" },
		{ .text = NULL },
	};
	struct parts p = plain;

	p.spec.kernel = "/a&b/<c>%s";
	p.spec.cmdline = "x=\"1\" y='2' </cmdline>";
	p.spec.root_disk = "/d/'/><disk>.qcow2";
	check(p, parts);
}

/** Refuses the plain parts with another value in place of one. */
#define refuses(member, value, part, what)                                                                   \
	({                                                                                                   \
		struct parts p_ = plain;                                                                     \
		char *xml_ = NULL;                                                                           \
		p_.member = (value);                                                                         \
		is_err(build(p_, &xml_), part, what);                                                        \
		ok(!xml_, "and gives no text");                                                              \
	})

static void test_refusals(void)
{
	struct guest_config counted = plain.config;

	refuses(config.name, "swapcal-A", "only a-z", "capital letters in a name are refused");
	refuses(config.name, "other", "does not begin with", "names without our prefix are refused");
	refuses(config.name, "swapcal-", "nothing after the prefix", "the prefix alone is no name");
	refuses(config.name, "swapcal-0123456789012345678901234567890123456789012345678901234",
		"longer than 60", "too long names are refused");
	refuses(config.accel, "xen", "'xen' is neither", "unknown accelerators are refused");
	counted.accel = "kvm";
	counted.icount = true;
	refuses(config, counted, "needs accelerator 'tcg'", "KVM cannot count instructions");
	refuses(config.ram_mib, 0, "MiB of RAM", "no RAM is refused");
	refuses(config.vcpus, 0, "vCPUs", "no CPU is refused");
	refuses(spec.cmdline, "quiet\nroot", "control character 0x0a", "control characters are refused");
	refuses(extra.scratch_disk, "/d/\x1b[2J", "scratch disk path", "the scratch disk's path too");
	refuses(spec.user_disk, "/d/\n", "workload disk path", "and that of workloads");
	refuses(extra.swap_disk, "/d/\x1b[2J", "swap disk path", "in every text, by its name");
}

static void test_reading(void)
{
	static const char xml[] = "<a><baselabel type='kvm'>+1:+2</baselabel><base>x</base><path></path></a>";

	is_str(test_keep(domain_xml_element(xml, "baselabel")), "+1:+2",
	       "an element with attributes is read");
	is_str(test_keep(domain_xml_element(xml, "base")), "x",
	       "and not mistaken for one whose name it begins");
	is_str(test_keep(domain_xml_element(xml, "path")), "", "an empty one is empty");
	ok(!domain_xml_element(xml, "none"), "a missing one is NULL");
	ok(!domain_xml_element("<path>cut", "path"), "so is one that does not end");
	ok(!domain_xml_element("<path", "path"), "or hardly begins");
	ok(!domain_xml_element(NULL, "path"), "no text has none");
}

static void test_conf(void)
{
	has_str(test_keep(domain_xml_qemu_conf(true, 7, 8)), "user = \"+7\"\ngroup = \"+8\"\n",
		"QEMU's user is set by number");
	ok(!strstr(test_keep(domain_xml_qemu_conf(false, 7, 8)), "user ="),
	   "and not at all where it cannot be chosen");
}

TAP_MAIN(test_plain, test_variants, test_escaping, test_refusals, test_reading, test_conf)
