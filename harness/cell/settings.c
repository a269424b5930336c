/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/cell/settings.h"

static const struct setting settings[] = {
#define COMMON(member_, section_, key_, nesting_)                                                            \
	.name = #member_, .offset = offsetof(struct guest_settings, member_), .section = SETTING_##section_, \
	.key = key_, .nesting = nesting_
#define NUMBER(member, stands, section, key, nesting, least_, most_, default_, ...)                          \
	{ COMMON(member, section, key, nesting), .type = SETTING_NUMBER, .least = least_, .most = most_,     \
	  .default_number = default_ },
#define FLAG(member, stands, section, key, nesting, ...)                                                     \
	{ COMMON(member, section, key, nesting), .type = SETTING_FLAG, .most = 1 },
#define CHOICE(member, stands, section, key, nesting, choices_, ...)                                         \
	{ COMMON(member, section, key, nesting), .type = SETTING_CHOICE, .choices = choices_ },
	GUEST_SETTINGS(NUMBER, FLAG, CHOICE) BALLAST_SETTINGS(NUMBER, FLAG, CHOICE)
};

#define COUNT (sizeof(settings) / sizeof(settings[0]))
_Static_assert(COUNT <= SETTINGS_MAX, "arrays of settings are too short");

const struct setting *setting_at(size_t i)
{
	return i < COUNT ? &settings[i] : NULL;
}

struct setting_value setting_default(const struct setting *s)
{
	return (struct setting_value){ s->default_number, s->choices ? s->choices[0] : NULL };
}

void setting_store(void *variable, enum setting_type type, struct setting_value value)
{
	switch (type) {
	case SETTING_NUMBER:
		*(unsigned *)variable = value.number;
		break;
	case SETTING_FLAG:
		*(bool *)variable = value.number != 0;
		break;
	case SETTING_CHOICE:
		*(const char **)variable = value.choice;
		break;
	}
}

void setting_set(struct guest_settings *to, const struct setting *s, struct setting_value value)
{
	setting_store((char *)to + s->offset, s->type, value);
}

struct guest_settings settings_default(void)
{
	struct guest_settings ret = { 0 };

	for (size_t i = 0; i < COUNT; i++)
		setting_set(&ret, &settings[i], setting_default(&settings[i]));
	return ret;
}
