/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <libvirt/libvirt.h>
#include <stdbool.h>

#include "harness/base/err.h"

/*
 * libvirt as a library: made ready once in a process, its event loop, and connections opened within bounds.
 * All that it wants changed in the process stands here: virInitialize() is interposed, so that libvirt logs
 * no warnings; the process becomes the reaper of its descendants (qemu-process.h); an embedded driver has
 * umask 022.
 */

/** Has libvirt ready and its event loop running, in a thread, until virt_release(). Calls nest. */
struct err *virt_acquire(void) must_check;
void virt_release(void);

/** Opens a connection within 30 s; one to a daemon that hangs later breaks by itself within half a minute. */
struct err *virt_connect(const char *uri, bool is_embedded, virConnectPtr *ret) must_check;

/** libvirt's last error in this thread. */
struct err *virt_error(void) must_check;

/**
 * Where does a libvirt URI lead? Sets *ret to whether it names a host. An error of kind ERR_USAGE when that
 * is another machine, or when it is not a URI: guests, their sockets and disks must be on this one. own_name
 * is this machine's name.
 */
struct err *virt_check_uri(const char *uri, const char *own_name, bool *ret) must_check;

/** Are these two names of one host, of which either may have its domain ("a" and "a.example.org")? */
bool virt_is_same_host(const char *a, const char *b);
