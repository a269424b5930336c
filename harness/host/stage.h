/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "harness/base/err.h"

/*
 * Files for a process of another user: whom QEMU runs as, what that user can reach, and how a file of the
 * caller's is brought within reach.
 */

/** A user with all groups. */
struct stage_user {
	uid_t uid;
	gid_t gid;
	gid_t groups[64];
	int groups_count;
	char name[33]; /**< "" when the uid has none */
};

/** The user of that id and group; supplementary groups come from the user database. */
void stage_user_init(struct stage_user *user, uid_t uid, gid_t gid);

/**
 * Whom QEMU is to run as: the user of this process, but root gives way to libvirt-qemu, qemu or nobody, the
 * first that exists.
 */
void stage_user_for_qemu(struct stage_user *user);

/**
 * Can the user open path for reading (and writing)? Tried in a child process with the user's ids when they
 * are not our own; calculated from modes and our access lists when we are not root.
 */
bool stage_can_open(const struct stage_user *user, const char *path, bool to_write);

/**
 * Lets another user read a file or socket of mode 0600, and write it: it becomes that user's, or only its
 * group's when that is to read it. One who may not do that (not root) lets that user alone in by an access
 * list.
 */
struct err *stage_give(const char *path, const struct stage_user *user, bool to_write) must_check;

/**
 * Makes the file at path readable for user: sets *ret (to be freed) to its real path when it is, else to a
 * hard link in dir, else to a copy in dir. The same file is copied once, until its size, inode or time of
 * change differ.
 */
struct err *stage_file(const char *dir, const struct stage_user *user, const char *path,
		       char **ret) must_check;

/** Removes the links and copies in dir whose original is gone or has changed. */
struct err *stage_clean(const char *dir) must_check;
