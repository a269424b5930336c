/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "harness/base/err.h"
#include "harness/vm/domain.h"

/** What domain.c adds to a caller's domain_spec. */
struct domain_xml_extra {
	const char *swap_disk;    /**< raw, writable for QEMU's user; NULL for none */
	const char *scratch_disk; /**< the same */
	const char *agent_socket; /**< unix socket that QEMU connects to */
	const char *console_path; /**< file the serial console is written to */
	const char *description;  /**< who owns the guest, in one line */
	const char *dac_label; /**< "+uid:+gid" to run QEMU as, files left alone; NULL: the driver's choice */
};

/**
 * The definition of a guest, as text for libvirt. Checks the whole spec: the name ([a-z0-9-], 1..60, begins
 * with "swapcal-"), sizes, accel, and that icount is asked for under TCG only.
 */
struct err *domain_xml_build(const struct domain_spec *spec, const struct domain_xml_extra *extra,
			     char **ret) must_check;

/**
 * qemu.conf of an embedded driver that needs nothing of the host; QEMU runs as uid and gid when with_user.
 * To be freed.
 */
char *domain_xml_qemu_conf(bool with_user, unsigned uid, unsigned gid);

/**
 * The text of the first element of that name in xml, to be freed; NULL when there is none. xml may be NULL.
 */
char *domain_xml_element(const char *xml, const char *tag);
