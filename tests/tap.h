/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Test Anything Protocol for C tests: each check is one line; main is TAP_MAIN(), or ends with
 * `return tap_done();`.
 */

/** What takes so many seconds hangs. No check is about less: a busy host is slow, not wrong. */
#define HANGS_S 1200

static int tap_count_, tap_failed_;

__attribute__((unused)) static bool tap_report_(bool ok, const char *what, const char *file, int line)
{
	printf("%sok %d - %s\n", ok ? "" : "not ", ++tap_count_, what);
	if (!ok) {
		printf("# failed at %s:%d\n", file, line);
		tap_failed_++;
	}
	fflush(stdout);
	return ok;
}

/** One check; what says what is expected, as a statement. */
#define ok(cond, what) tap_report_((cond), (what), __FILE__, __LINE__)

/** Two integers are equal; prints both when not. */
#define is_int(got, want, what)                                                                              \
	({                                                                                                   \
		long long got_ = (long long)(got), want_ = (long long)(want);                                \
		bool ok_ = ok(got_ == want_, what);                                                          \
		if (!ok_)                                                                                    \
			printf("# got %lld, want %lld\n", got_, want_);                                      \
		ok_;                                                                                         \
	})

/** Two strings are equal; NULL equals nothing. */
#define is_str(got, want, what)                                                                              \
	({                                                                                                   \
		const char *got_ = (got), *want_ = (want);                                                   \
		bool ok_ = ok(got_ && want_ && strcmp(got_, want_) == 0, what);                              \
		if (!ok_)                                                                                    \
			printf("# got '%s', want '%s'\n", got_ ? got_ : "(null)", want_ ? want_ : "(null)"); \
		ok_;                                                                                         \
	})

/** got contains part. */
#define has_str(got, part, what)                                                                             \
	({                                                                                                   \
		const char *got_ = (got), *part_ = (part);                                                   \
		bool ok_ = ok(got_ && strstr(got_, part_), what);                                            \
		if (!ok_)                                                                                    \
			printf("# got '%s', want it to contain '%s'\n", got_ ? got_ : "(null)", part_);      \
		ok_;                                                                                         \
	})

/** |got - want| <= tolerance. */
#define is_near(got, want, tolerance, what)                                                                  \
	({                                                                                                   \
		double got_ = (got), want_ = (want);                                                         \
		bool ok_ = ok(fabs(got_ - want_) <= (tolerance), what);                                      \
		if (!ok_)                                                                                    \
			printf("# got %.12g, want %.12g\n", got_, want_);                                    \
		ok_;                                                                                         \
	})

/** Prints the plan; the exit status of the test. */
__attribute__((unused)) static int tap_done(void)
{
	printf("1..%d\n", tap_count_);
	return tap_failed_ ? 1 : 0;
}

/** The main function of a test that consists of these functions. */
#define TAP_MAIN(...)                                                                                        \
	int main(void)                                                                                       \
	{                                                                                                    \
		static void (*const tests_[])(void) = { __VA_ARGS__ };                                       \
                                                                                                             \
		for (size_t i_ = 0; i_ < sizeof(tests_) / sizeof(tests_[0]); i_++)                           \
			tests_[i_]();                                                                        \
		return tap_done();                                                                           \
	}
