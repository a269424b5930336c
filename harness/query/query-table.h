/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <sqlite3.h>

#include "calibrate/evidence/views.h"
#include "harness/base/err.h"

/** Makes every view a table of the database. The views outlive it. */
struct err *query_tables_create(sqlite3 *db, const struct views *views) must_check;
