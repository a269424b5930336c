/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdarg.h>

/** Marks a function whose result must not be dropped. */
#define must_check __attribute__((warn_unused_result))

/**
 * Why something failed, as far as the caller can act on it. The program's exit
 * code follows from the kind (see main.c).
 */
enum err_kind {
	ERR_FAILED,      /**< the operation failed */
	ERR_USAGE,       /**< wrong command line, plan, recipe or query */
	ERR_HOST,        /**< this host lacks something the operation needs */
	ERR_UNSTABLE,    /**< the answer is no, or cannot be trusted */
	ERR_LOST,        /**< done, but some probes were lost */
	ERR_INTERRUPTED, /**< the user asked to stop */
	ERR_HELP,        /**< no failure: the user asked for help, which is the message */
};

/**
 * An error on its way to the user. Functions that can fail return
 * `struct err *`: NULL is success, and then, and only then, the results behind
 * the last parameters are set. The receiver of an error frees it or passes it on.
 */
struct err;

/** A new error of the given kind. */
struct err *err_new_kind(enum err_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), returns_nonnull)) must_check;
#define err_new(...) err_new_kind(ERR_FAILED, __VA_ARGS__)

/** A new error "TEXT: strerror(errnum)"; errnum is an errno value. */
struct err *err_errno(int errnum, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), returns_nonnull)) must_check;

/** Puts "TEXT: " before the message of e, which keeps its kind; NULL stays NULL. */
struct err *err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3))) must_check;

/** Changes the kind of e; NULL stays NULL. */
struct err *err_set_kind(struct err *e, enum err_kind kind) must_check;

/** The message, without a newline; valid until e is wrapped or freed. */
const char *err_message(const struct err *e);

/** Gives e a longer text (taken over), such as a log, for those who want to know more. */
struct err *err_set_detail(struct err *e, char *detail) must_check;

/** That text, "" when it has none; valid until e is freed. */
const char *err_detail(const struct err *e);

enum err_kind err_get_kind(const struct err *e);

/** Frees e; NULL is allowed. */
void err_free(struct err *e);
