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
	static const char special[] = "&<>'\"";
	static const char *const names[] = { "&amp;", "&lt;", "&gt;", "&apos;", "&quot;" };

	for (; *text; text++) {
		const char *at = strchr(special, *text);

		strbuf_add(sb, at ? names[at - special] : text, at ? strlen(names[at - special]) : 1);
	}
}

/** Adds XML, where %s is a text, which is escaped, and %u a number. */
__attribute__((format(printf, 2, 3))) static void add(struct strbuf *sb, const char *xml, ...)
{
	va_list ap;

	va_start(ap, xml);
	for (const char *p; (p = strchr(xml, '%')); xml = p + 2) {
		strbuf_add(sb, xml, (size_t)(p - xml));
		if (p[1] == 's')
			add_escaped(sb, va_arg(ap, const char *));
		else
			strbuf_addf(sb, "%u", va_arg(ap, unsigned));
	}
	va_end(ap);
	strbuf_adds(sb, xml);
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

static struct err *check_numbers(const struct guest_config *config)
{
	if (strcmp(config->accel, "kvm") != 0 && strcmp(config->accel, "tcg") != 0)
		return err_new("accelerator '%s' is neither 'kvm' nor 'tcg'", config->accel);
	if (config->icount && strcmp(config->accel, "tcg") != 0)
		return err_new("an instruction-counted clock needs accelerator 'tcg'");
	if (config->ram_mib < RAM_MIB_MIN || config->ram_mib > RAM_MIB_MAX)
		return err_new("%u MiB of RAM are not in %u..%u", config->ram_mib, RAM_MIB_MIN, RAM_MIB_MAX);
	if (config->vcpus < 1 || config->vcpus > VCPUS_MAX)
		return err_new("%u vCPUs are not in 1..%u", config->vcpus, VCPUS_MAX);
	return NULL;
}

static struct err *check(const struct domain_spec *spec, const struct domain_xml_extra *extra)
{
	struct err *e = check_name(spec->config->name);
	const char *const texts[][2] = {
		{ "kernel path", spec->kernel },           { "initrd path", spec->initrd },
		{ "kernel command line", spec->cmdline },  { "root disk path", spec->root_disk },
		{ "swap disk path", extra->swap_disk },    { "scratch disk path", extra->scratch_disk },
		{ "workload disk path", spec->user_disk }, { "agent socket path", extra->agent_socket },
		{ "console path", extra->console_path },
	};

	if (!e)
		e = check_numbers(spec->config);
	for (size_t i = 0; !e && i < COUNT(texts); i++)
		e = check_text(texts[i][0], texts[i][1]);
	return e;
}

/** All threads of the guest on its share of the host's CPUs. */
static void add_pins(struct strbuf *sb, const struct guest_config *config)
{
	if (!config->cpus)
		return;
	add(sb, " <cputune>\n");
	for (unsigned i = 0; i < config->vcpus; i++)
		add(sb, "  <vcpupin vcpu='%u' cpuset='%s'/>\n", i, config->cpus);
	add(sb, "  <emulatorpin cpuset='%s'/>\n </cputune>\n", config->cpus);
}

/** A disk that any number of guests may have open at a time, or one of the guest's own. */
static void add_disk(struct strbuf *sb, const char *path, const char *target, const char *serial,
		     bool is_shared)
{
	if (!path)
		return;
	add(sb, "  <disk type='file' device='disk'>\n");
	/*
	 * unsafe: the disk is worth nothing after the guest's life, so flushes are ignored. stop: a full host
	 * disk shows as a paused guest, not as a load that was killed for a strange reason.
	 */
	add(sb, is_shared ? "   <driver name='qemu' type='qcow2' cache='writeback'/>\n"
			  : "   <driver name='qemu' type='raw' cache='unsafe' error_policy='stop'/>\n");
	add(sb, "   <source file='%s'/>\n   <target dev='%s' bus='virtio'/>\n", path, target);
	add(sb, is_shared ? "   <readonly/>\n" : "");
	add(sb, "   <serial>%s</serial>\n  </disk>\n", serial);
}

static void add_devices(struct strbuf *sb, const struct domain_spec *spec,
			const struct domain_xml_extra *extra)
{
	add(sb, " <devices>\n");
	add_disk(sb, spec->root_disk, "vda", PROTO_SERIAL_ROOT, true);
	add_disk(sb, extra->swap_disk, DOMAIN_SWAP_TARGET, PROTO_SERIAL_SWAP, false);
	add_disk(sb, extra->scratch_disk, "vdc", PROTO_SERIAL_SCRATCH, false);
	add_disk(sb, spec->user_disk, "vdd", PROTO_SERIAL_USER, true);
	/* connect: QEMU comes to us, and the line stands before the guest's first instruction. */
	add(sb,
	    "  <controller type='usb' model='none'/>\n"
	    "  <controller type='virtio-serial' index='0' ports='2'/>\n"
	    "  <channel type='unix'>\n"
	    "   <source mode='connect' path='%s'/>\n"
	    "   <target type='virtio' name='" PROTO_PORT_NAME "'/>\n  </channel>\n",
	    extra->agent_socket);
	/* append: a new file, which else virtlogd makes, would be root's. */
	add(sb,
	    "  <serial type='file'>\n"
	    "   <source path='%s' append='on'/>\n"
	    "   <target type='isa-serial' port='0'/>\n  </serial>\n"
	    "  <memballoon model='none'/>\n"
	    "  <panic model='isa'/>\n"
	    " </devices>\n",
	    extra->console_path);
}

struct err *domain_xml_build(const struct domain_spec *spec, const struct domain_xml_extra *extra, char **ret)
{
	const struct guest_config *config = spec->config;
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;
	struct err *e = check(spec, extra);

	if (e)
		return e;
	add(&sb,
	    "<domain type='%s' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n"
	    " <name>%s</name>\n"
	    " <description>%s</description>\n"
	    " <memory unit='MiB'>%u</memory>\n <vcpu>%u</vcpu>\n",
	    strcmp(config->accel, "kvm") == 0 ? "kvm" : "qemu", config->name, extra->description,
	    config->ram_mib, config->vcpus);
	add_pins(&sb, config);
	add(&sb, " <os>\n  <type arch='x86_64' machine='pc'>hvm</type>\n  <kernel>%s</kernel>\n",
	    spec->kernel);
	if (spec->initrd)
		add(&sb, "  <initrd>%s</initrd>\n", spec->initrd);
	/* preserve: a panicked guest stays, so that its console and counters can still be read. */
	add(&sb,
	    "  <cmdline>%s</cmdline>\n </os>\n"
	    " <features><acpi/></features>\n"
	    " <cpu mode='custom' match='exact' check='none'><model>" DOMAIN_CPU_MODEL "</model></cpu>\n"
	    " <clock offset='utc'/>\n"
	    " <on_poweroff>destroy</on_poweroff>\n"
	    " <on_reboot>destroy</on_reboot>\n"
	    " <on_crash>preserve</on_crash>\n",
	    spec->cmdline);
	add_devices(&sb, spec, extra);
	if (extra->dac_label)
		add(&sb, " <seclabel type='static' model='dac' relabel='no'><label>%s</label></seclabel>\n",
		    extra->dac_label);
	/*
	 * Without this capability libvirt reads the processor's features in 2 requests to QEMU instead of
	 * 399, which took 0.3 s of each start; with check='none' it does nothing with them.
	 */
	add(&sb, " <qemu:capabilities>\n  <qemu:del capability='cpu-unavailable-features'/>\n"
		 " </qemu:capabilities>\n");
	/* shift=3: 8 ns an instruction, about what TCG takes, so that guest time keeps pace with ours. */
	if (config->icount)
		add(&sb, " <qemu:commandline>\n"
			 "  <qemu:arg value='-icount'/><qemu:arg value='shift=3,sleep=off'/>\n"
			 "  <qemu:arg value='-rtc'/><qemu:arg value='base=2026-01-01,clock=vm'/>\n"
			 " </qemu:commandline>\n");
	add(&sb, "</domain>\n");
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
