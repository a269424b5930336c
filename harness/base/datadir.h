/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "harness/base/err.h"

/**
 * Finds a file or directory that comes with swapcal: `vm-images/NAME.yaml`, `guest/workloads`,
 * `calibrate/metrics`. The data directory is $SWAPCAL_DATADIR
 * when set, else the directory of the running program when it is a source tree, else where `make install` put
 * it. Sets *ret to an absolute path the caller frees; an error when nothing is there.
 */
struct err *datadir_find(const char *relative, char **ret) must_check;
