/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_ACCESS_LIST_H
#define SWAPCAL_ACCESS_LIST_H

#include <stdbool.h>
#include <sys/types.h>

#include "harness/base/err.h"

/*
 * Files of ours that one more user may open: by an access list (acl(5)), for what only root can do by
 * changing the owner.
 */

#define ACCESS_READ  4u
#define ACCESS_WRITE 2u

/** Has the owner, who can read and write it, and user uid open the file or socket at path, and nobody else.
 */
struct err *access_list_set(const char *path, uid_t uid, unsigned access) must_check;

/** Is the list of path just that? */
bool access_list_has(const char *path, uid_t uid, unsigned access);

#endif
