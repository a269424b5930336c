/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_DOCTOR_H
#define SWAPCAL_DOCTOR_H

#include "harness/base/err.h"

/*
 * Is this host fit to calibrate on? Every check tries the thing itself where it can, rather than looking
 * for signs of it.
 */

enum check_level {
	CHECK_PASS,
	CHECK_WARN, /**< works, with a drawback */
	CHECK_FAIL, /**< campaigns cannot run, or no image can be built */
};

/** "PASS", "WARN", "FAIL" */
const char *check_level_name(enum check_level level);

/** The result of one check. Strings are borrowed for the time of the call. */
struct check {
	const char *id;    /**< a word for programs: "kvm" */
	const char *title; /**< "KVM boots a kernel" */
	enum check_level level;
	const char *detail; /**< what was found */
	const char *hint;   /**< what to do, or what it means; "" when nothing */
};

/**
 * Does all checks in order, calling report() after each. uri as for domain_conn_open(). Boots guests: takes
 * a few seconds, and up to 15 more when KVM is tried for the first time. Fails only when the user
 * interrupts it.
 */
struct err *doctor_run(const char *uri, void (*report)(void *arg, const struct check *check),
		       void *arg) must_check;

#endif
