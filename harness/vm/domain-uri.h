/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>

#include "harness/base/err.h"

/**
 * Where does a libvirt URI lead? Sets *ret to whether it names a host. An error of kind ERR_USAGE when that
 * is another machine, or when it is not a URI: guests, their sockets and disks must be on this one. own_name
 * is this machine's name.
 */
struct err *domain_uri_check(const char *uri, const char *own_name, bool *ret) must_check;

/** Are these two names of one host, of which either may have its domain ("a" and "a.example.org")? */
bool domain_uri_is_same_host(const char *a, const char *b);
