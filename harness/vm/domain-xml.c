/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/domain-xml.h"

#include <string.h>

#include "guest/proto.h"
#include "harness/base/alloc.h"
#include "harness/base/strbuf.h"

/** Leaves room for sockets named after the guest in a path of at most 107 bytes. */
#define NAME_MAX_LEN 60

/** A stock kernel does not boot in less; more than 1 TiB is a slip of the pen. */
#define RAM_MIB_MIN 32
#define RAM_MIB_MAX (1024u * 1024)

#define VCPUS_MAX 64

/** Adds text as XML content or attribute value. */
static void add_escaped(struct strbuf *sb, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			strbuf_adds(sb, "&amp;");
			break;
		case '<':
			strbuf_adds(sb, "&lt;");
			break;
		case '>':
			strbuf_adds(sb, "&gt;");
			break;
		case '\'':
			strbuf_adds(sb, "&apos;");
			break;
		case '"':
			strbuf_adds(sb, "&quot;");
			break;
		default:
			strbuf_add(sb, text, 1);
		}
	}
}

/** Adds before, text (escaped), after. */
static void add_around(struct strbuf *sb, const char *before, const char *text, const char *after)
{
	strbuf_adds(sb, before);
	add_escaped(sb, text);
	strbuf_adds(sb, after);
}

/** XML 1.0 cannot carry control characters, not even escaped; no path or command line needs one. */
static struct err *check_text(const char *what, const char *text)
{
	for (const char *p = text; p && *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return err_new("%s holds the control character 0x%02x", what, (unsigned)*p);
	return NULL;
}

static struct err *check_name(const char *name)
{
	size_t len = strlen(name);

	if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != len)
		return err_new("guest name '%s': only a-z, 0-9 and '-' are allowed", name);
	if (len > NAME_MAX_LEN)
		return err_new("guest name '%s' is longer than %d characters", name, NAME_MAX_LEN);
	if (strncmp(name, DOMAIN_NAME_PREFIX, strlen(DOMAIN_NAME_PREFIX)) != 0)
		return err_new("guest name '%s' does not begin with '%s'", name, DOMAIN_NAME_PREFIX);
	if (len == strlen(DOMAIN_NAME_PREFIX))
		return err_new("guest name '%s' has nothing after the prefix", name);
	return NULL;
}

static struct err *check_numbers(const struct domain_spec *spec)
{
	if (strcmp(spec->accel, "kvm") != 0 && strcmp(spec->accel, "tcg") != 0)
		return err_new("accelerator '%s' is neither 'kvm' nor 'tcg'", spec->accel);
	if (spec->icount && strcmp(spec->accel, "tcg") != 0)
		return err_new("an instruction-counted clock needs accelerator 'tcg'");
	if (spec->ram_mib < RAM_MIB_MIN || spec->ram_mib > RAM_MIB_MAX)
		return err_new("%u MiB of RAM are not in %u..%u", spec->ram_mib, RAM_MIB_MIN, RAM_MIB_MAX);
	if (spec->vcpus < 1 || spec->vcpus > VCPUS_MAX)
		return err_new("%u vCPUs are not in 1..%u", spec->vcpus, VCPUS_MAX);
	return NULL;
}

static struct err *check(const struct domain_spec *spec, const struct domain_xml_extra *extra)
{
	struct err *e = check_name(spec->name);
	const char *const texts[][2] = {
		{ "kernel path", spec->kernel },           { "initrd path", spec->initrd },
		{ "kernel command line", spec->cmdline },  { "root disk path", spec->root_disk },
		{ "swap disk path", spec->swap_disk },     { "scratch disk path", spec->scratch_disk },
		{ "workload disk path", spec->user_disk }, { "agent socket path", extra->agent_socket },
		{ "console path", extra->console_path },
	};

	if (!e)
		e = check_numbers(spec);
	for (size_t i = 0; !e && i < sizeof(texts) / sizeof(texts[0]); i++)
		e = check_text(texts[i][0], texts[i][1]);
	return e;
}

/** All threads of the guest on its share of the host's CPUs. */
static void add_pins(struct strbuf *sb, const struct domain_spec *spec)
{
	if (!spec->cpus)
		return;
	strbuf_adds(sb, " <cputune>\n");
	for (unsigned i = 0; i < spec->vcpus; i++) {
		strbuf_addf(sb, "  <vcpupin vcpu='%u'", i);
		add_around(sb, " cpuset='", spec->cpus, "'/>\n");
	}
	add_around(sb, "  <emulatorpin cpuset='", spec->cpus, "'/>\n");
	strbuf_adds(sb, " </cputune>\n");
}

static void add_boot(struct strbuf *sb, const struct domain_spec *spec)
{
	strbuf_adds(sb, " <os>\n  <type arch='x86_64' machine='pc'>hvm</type>\n");
	add_around(sb, "  <kernel>", spec->kernel, "</kernel>\n");
	if (spec->initrd)
		add_around(sb, "  <initrd>", spec->initrd, "</initrd>\n");
	add_around(sb, "  <cmdline>", spec->cmdline, "</cmdline>\n");
	strbuf_adds(sb, " </os>\n");
}

/*
 * unsafe: the disk is worth nothing after the guest's life, so flushes are ignored. stop: a full host disk
 * shows as a paused guest, not as a load that was killed for a strange reason.
 */
static void add_raw_disk(struct strbuf *sb, const char *path, const char *target, const char *serial)
{
	strbuf_adds(sb, "  <disk type='file' device='disk'>\n"
			"   <driver name='qemu' type='raw' cache='unsafe' error_policy='stop'/>\n");
	add_around(sb, "   <source file='", path, "'/>\n");
	strbuf_addf(sb, "   <target dev='%s' bus='virtio'/>\n   <serial>%s</serial>\n  </disk>\n", target,
		    serial);
}

/* Read-only: any number of guests may have it open at a time. */
static void add_shared_disk(struct strbuf *sb, const char *path, const char *target, const char *serial)
{
	strbuf_adds(sb, "  <disk type='file' device='disk'>\n"
			"   <driver name='qemu' type='qcow2' cache='writeback'/>\n");
	add_around(sb, "   <source file='", path, "'/>\n");
	strbuf_addf(sb,
		    "   <target dev='%s' bus='virtio'/>\n   <readonly/>\n   <serial>%s</serial>\n  </disk>\n",
		    target, serial);
}

static void add_disks(struct strbuf *sb, const struct domain_spec *spec)
{
	if (spec->root_disk)
		add_shared_disk(sb, spec->root_disk, "vda", PROTO_SERIAL_ROOT);
	if (spec->swap_disk)
		add_raw_disk(sb, spec->swap_disk, DOMAIN_SWAP_TARGET, PROTO_SERIAL_SWAP);
	if (spec->scratch_disk)
		add_raw_disk(sb, spec->scratch_disk, "vdc", PROTO_SERIAL_SCRATCH);
	if (spec->user_disk)
		add_shared_disk(sb, spec->user_disk, "vdd", PROTO_SERIAL_USER);
}

static void add_devices(struct strbuf *sb, const struct domain_spec *spec,
			const struct domain_xml_extra *extra)
{
	strbuf_adds(sb, " <devices>\n");
	add_disks(sb, spec);
	strbuf_adds(sb, "  <controller type='usb' model='none'/>\n"
			"  <controller type='virtio-serial' index='0' ports='2'/>\n"
			"  <channel type='unix'>\n");
	/* QEMU connects to us: the line stands before the guest's first instruction. */
	add_around(sb, "   <source mode='connect' path='", extra->agent_socket, "'/>\n");
	strbuf_adds(sb, "   <target type='virtio' name='" PROTO_PORT_NAME "'/>\n  </channel>\n"
			"  <serial type='file'>\n");
	/* append: a new file, which else virtlogd makes, would be root's. */
	add_around(sb, "   <source path='", extra->console_path, "' append='on'/>\n");
	strbuf_adds(sb, "   <target type='isa-serial' port='0'/>\n  </serial>\n"
			"  <memballoon model='none'/>\n"
			"  <panic model='isa'/>\n"
			" </devices>\n");
}

struct err *domain_xml_build(const struct domain_spec *spec, const struct domain_xml_extra *extra, char **ret)
{
	struct err *e = check(spec, extra);

	if (e)
		return e;

	cleanup_strbuf struct strbuf sb = STRBUF_INIT;
	bool is_kvm = strcmp(spec->accel, "kvm") == 0;

	strbuf_addf(&sb, "<domain type='%s' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n",
		    is_kvm ? "kvm" : "qemu");
	strbuf_addf(&sb, " <name>%s</name>\n", spec->name);
	add_around(&sb, " <description>", extra->description, "</description>\n");
	strbuf_addf(&sb, " <memory unit='MiB'>%u</memory>\n <vcpu>%u</vcpu>\n", spec->ram_mib, spec->vcpus);
	add_pins(&sb, spec);
	add_boot(&sb, spec);
	/* preserve: a panicked guest stays, so that its console and counters can still be read. */
	strbuf_adds(&sb, " <features><acpi/></features>\n"
			 " <cpu mode='custom' match='exact' check='none'><model>" DOMAIN_CPU_MODEL
			 "</model></cpu>\n"
			 " <clock offset='utc'/>\n"
			 " <on_poweroff>destroy</on_poweroff>\n"
			 " <on_reboot>destroy</on_reboot>\n"
			 " <on_crash>preserve</on_crash>\n");
	add_devices(&sb, spec, extra);
	if (extra->dac_label)
		add_around(&sb, " <seclabel type='static' model='dac' relabel='no'><label>", extra->dac_label,
			   "</label></seclabel>\n");
	/*
	 * Without this capability libvirt reads the processor's features in 2 requests to QEMU instead of
	 * 399, which took 0.3 s of each start; with check='none' it does nothing with them.
	 */
	strbuf_adds(&sb, " <qemu:capabilities>\n  <qemu:del capability='cpu-unavailable-features'/>\n"
			 " </qemu:capabilities>\n");
	/* shift=3: 8 ns an instruction, about what TCG takes, so that guest time keeps pace with ours. */
	if (spec->icount)
		strbuf_adds(&sb, " <qemu:commandline>\n"
				 "  <qemu:arg value='-icount'/><qemu:arg value='shift=3,sleep=off'/>\n"
				 "  <qemu:arg value='-rtc'/><qemu:arg value='base=2026-01-01,clock=vm'/>\n"
				 " </qemu:commandline>\n");
	strbuf_adds(&sb, "</domain>\n");
	*ret = strbuf_steal(&sb);
	return NULL;
}

char *domain_xml_qemu_conf(bool with_user, unsigned uid, unsigned gid)
{
	struct strbuf sb = STRBUF_INIT;

	/*
	 * No daemon for logs, no labels (and no warning about that), namespaces or cgroups; no file changes
	 * hands.
	 */
	strbuf_adds(&sb, "stdio_handler = \"file\"\n"
			 "security_driver = \"none\"\n"
			 "security_default_confined = 0\n"
			 "namespaces = []\n"
			 "cgroup_controllers = []\n"
			 "dynamic_ownership = 0\n"
			 /* Also with a QEMU that cannot: then guests do not start. */
			 "seccomp_sandbox = 1\n");
	if (with_user)
		strbuf_addf(&sb, "user = \"+%u\"\ngroup = \"+%u\"\n", uid, gid);
	return strbuf_steal(&sb);
}

char *domain_xml_element(const char *xml, const char *tag)
{
	cleanup_free char *open = xasprintf("<%s", tag);
	cleanup_free char *close = xasprintf("</%s>", tag);
	const char *p = xml ? strstr(xml, open) : NULL;

	/* "<a" also begins "<ab>". */
	while (p && !strchr("> ", p[strlen(open)]))
		p = strstr(p + 1, open);

	const char *begin = p ? strchr(p, '>') : NULL;
	const char *end = begin ? strstr(begin, close) : NULL;

	return end ? xmemdup0(begin + 1, (size_t)(end - begin - 1)) : NULL;
}
