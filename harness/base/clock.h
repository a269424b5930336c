/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdint.h>

/** Milliseconds of CLOCK_MONOTONIC: for deadlines and durations. */
int64_t clock_ms(void);

/** The same in microseconds. */
int64_t clock_us(void);

/** Unix time in seconds, to tell when something was. It may jump. */
double clock_unix_s(void);
