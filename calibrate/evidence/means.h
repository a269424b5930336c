/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>

/**
 * The mean of each of `numbers` doubles over n records, which lie stride doubles apart from first on. NAN is
 * what a record does not know: the mean is of those that do, and NAN when none does.
 */
void means_known(const double *first, size_t stride, size_t n, size_t numbers, double *ret);
