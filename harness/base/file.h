/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "harness/base/err.h"
#include "harness/base/strbuf.h"

/** The whole file appended to sb; fails when it is larger than max_bytes. */
struct err *file_read(const char *path, size_t max_bytes, struct strbuf *sb) must_check;

/**
 * The same of what is open already, up to its end; name is for errors. Of kind ERR_INTERRUPTED when the user
 * asks to stop meanwhile.
 */
struct err *file_read_fd(int fd, const char *name, size_t max_bytes, struct strbuf *sb) must_check;

/**
 * What a file of the kernel's says: to be freed, "" when it cannot be read. ret_len may be NULL; what
 * programs say there may hold NUL bytes.
 */
char *file_text(const char *path, size_t *ret_len);

/** Writes len bytes to path so that it has the old or the new content, never a part. */
struct err *file_write_atomic(const char *path, const void *data, size_t len, mode_t mode) must_check;

/** Creates dir and its missing parents with the given mode. */
struct err *file_mkdirs(const char *dir, mode_t mode) must_check;

/** Removes path and everything below it, not following symlinks; a missing path is fine. */
struct err *file_remove_tree(const char *path) must_check;

/** Copies a regular file to a new one with the given mode; shares blocks where the file system can, and keeps
 * holes. */
struct err *file_copy(const char *from, const char *to, mode_t mode) must_check;

/** Gives the complete file from its name to, durably, unless there is something of that name already. */
struct err *file_publish(const char *from, const char *to) must_check;

/** SHA-256 of the file, or of len bytes, as 64 lower-case hex digits and a NUL. */
struct err *file_sha256(const char *path, char hex[65]) must_check;
void hash_sha256(const void *data, size_t len, char hex[65]);

bool file_exists(const char *path);

/** Names of files, or of what else has some; it owns them. */
struct name_list {
	char **v;
	size_t n, cap;
};

/** The names in a directory, whatever they are of, in the order of their bytes; without "." and "..". */
struct err *file_list(const char *dir, struct name_list *ret) must_check;
void name_list_deinit(struct name_list *names);
#define cleanup_name_list cleanup(name_list_deinit)

/** Writes everything or fails; retries after signals and short writes. */
struct err *file_write_all(int fd, const void *data, size_t len) must_check;

/**
 * swapcal's cache directory, `$XDG_CACHE_HOME/swapcal` or `~/.cache/swapcal`, created when missing and
 * checked with trust_dir(). Sets *ret to a string the caller frees.
 */
struct err *file_cache_dir(char **ret) must_check;

/** The directory of a part of the cache, made with that mode when missing. To be freed. */
struct err *file_cache_part(const char *part, mode_t mode, char **ret) must_check;

/**
 * Removes a directory of the cache. It is renamed to aside first, so that half of it is never taken for the
 * whole. *ret: was there one? When this fails, what is left is at path or at aside.
 */
struct err *file_remove_aside(const char *path, const char *aside, bool *ret) must_check;

/*
 * Locks that end with their process: flock() on a file, which is made when missing. Its owner may remove the
 * file together with what it guards; a lock on a file that is gone counts for nothing.
 */

/** Is the open file fd still the one at path? Its last owner may have removed that. */
bool lock_is_at(int fd, const char *path);

/** Locks the file at path if nobody has it. *ret: a descriptor that has the lock, or -1. */
struct err *lock_try(const char *path, int *ret) must_check;

/**
 * Locks the file at path, trying again each poll_ms while another has it. When it has to wait it calls
 * waiting(arg) once, which may be NULL. An error of kind ERR_INTERRUPTED when the user asks to stop.
 */
struct err *lock_wait(const char *path, int poll_ms, void (*waiting)(void *arg), void *arg,
		      int *ret) must_check;
