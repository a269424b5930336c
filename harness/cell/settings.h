/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * The settings of a guest and of its ballast that a plan chooses: each is one row here and stands nowhere
 * else. From its row a setting gets its member of struct guest_settings, its key in the plan with bounds and
 * default, its member of a cell's identity, and the words that a report has for it. What is left to write is
 * the code that sets it in a guest and reads it back, and its item in swapcal-plan(5).
 *
 *   NUMBER(member, stands, section and key in the plan, nesting, least, most, default, before, after, usual)
 *   FLAG(member, stands, section and key, nesting, before, after, usual), false by default
 *   CHOICE(member, stands, section and key, nesting, choices, before, after, usual), the first by default
 *
 * The member's name is also its key in the identity. It stands there ALWAYS or, if CHANGED, only where
 * its value is not the default. A new setting is CHANGED, and its default is what guests had before, so that
 * their cells keep their keys. Nesting: 0 for a single value; else a plan may list several, which multiply,
 * and those of the setting with the smallest number vary slowest. A report tells the words before and after
 * with the value between them, unless it is the usual one, which goes without saying (NULL: none is).
 */
/* clang-format off */
#define GUEST_SETTINGS(NUMBER, FLAG, CHOICE)                                                                   \
	NUMBER(vcpus, ALWAYS, GUEST, "vcpus", 2, 1, 64, 1, "", " vCPU", NULL)                                  \
	NUMBER(swap_mib, ALWAYS, GUEST, "swap_mib", 0, 64, 65536, 512, "", " MiB swap", NULL)                  \
	CHOICE(swap, ALWAYS, GUEST, "swap", 1, CHOICES("disk", "zram"), "swap on ", "", "disk")                \
	NUMBER(swappiness, ALWAYS, GUEST, "swappiness", 5, 0, 200, 60, "swappiness ", "", NULL)                \
	NUMBER(min_free_kib, ALWAYS, GUEST, "min_free_kbytes", 3, 0, 1048576, 0, "min_free_kbytes ", "", "0")  \
	CHOICE(thp, ALWAYS, GUEST, "thp", 6, CHOICES("never", "madvise", "always"), "thp ", "", NULL)          \
	FLAG(mglru, ALWAYS, GUEST, "mglru", 7, "mglru ", "", NULL)                                             \
	CHOICE(start, ALWAYS, ROOT, "start", 0, CHOICES("boot", "restore"), "start ", "", NULL)           \
	CHOICE(lru, CHANGED, ROOT, "lru", 8, CHOICES("virgin", "aged"), "lru ", "", "virgin")

#define BALLAST_SETTINGS(NUMBER, FLAG, CHOICE)                                                                 \
	CHOICE(fill, ALWAYS, BALLAST, "fill", 0, CHOICES("random", "half", "zero"), "ballast fill ", "", "random") \
	CHOICE(touch, ALWAYS, BALLAST, "touch", 4, CHOICES("none", "sweep", "random"), "ballast touch ", "", "none")
/* clang-format on */

#define CHOICES(...)                                                                                         \
	(const char *const[])                                                                                \
	{                                                                                                    \
		__VA_ARGS__, NULL                                                                            \
	}

/** The settings of one guest. Strings are borrowed. */
struct guest_settings {
#define NUMBER(member, ...) unsigned member;
#define FLAG(member, ...)   bool member;
#define CHOICE(member, ...) const char *member;
	GUEST_SETTINGS(NUMBER, FLAG, CHOICE)
	BALLAST_SETTINGS(NUMBER, FLAG, CHOICE)
#undef NUMBER
#undef FLAG
#undef CHOICE
};

/** What a setting's value is. */
enum setting_type {
	SETTING_NUMBER, /**< an unsigned */
	SETTING_FLAG,   /**< a bool */
	SETTING_CHOICE, /**< a string, one of several */
};

/** Which mapping of a plan has its key. */
enum setting_section {
	SETTING_ROOT,
	SETTING_GUEST,
	SETTING_BALLAST,
};

/** What a row says. */
struct setting {
	const char *name; /**< of the member, and of the key in the identity */
	enum setting_type type;
	size_t offset; /**< of the member in struct guest_settings */
	enum setting_section section;
	const char *key;                      /**< in the plan */
	unsigned nesting;                     /**< 0: the plan has a single value */
	unsigned least, most, default_number; /**< of a number */
	const char *const *choices;           /**< of a choice; NULL at the end */
};

/** A value for a setting: a number (0 or 1 of a flag, the index of a choice), and a choice. */
struct setting_value {
	unsigned number;
	const char *choice;
};

/** The settings, in the order of their rows; NULL beyond the last. */
const struct setting *setting_at(size_t i);

/** Upper bound of their number, for arrays. */
#define SETTINGS_MAX 32

struct setting_value setting_default(const struct setting *s);

/** Puts a value where a variable of that type is. */
void setting_store(void *variable, enum setting_type type, struct setting_value value);

/** Sets one of them. */
void setting_set(struct guest_settings *settings, const struct setting *s, struct setting_value value);

/** All of them at their defaults. */
struct guest_settings settings_default(void);
