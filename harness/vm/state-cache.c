/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/state-cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"
#include "harness/base/log.h"

#define TMP_PREFIX  ".tmp-"
#define LOCK_SUFFIX ".lock"
#define HEX_LEN     32
#define NAME_LEN    (2 * HEX_LEN + 1)

/** Others have a state for as long as a restore takes, some 0.3 s, or a boot. */
#define LOCK_POLL_MS 10

#define NS_PER_S 1000000000LL

struct state {
	int lock_fd;
	char *dir, *tmp, *lock; /* paths */
	bool is_there;
};

/** A state, or what is left of one, as trimming sees it. */
struct found {
	char name[NAME_LEN + 1];
	uint64_t bytes;
	int64_t used_ns; /* when it was last used */
	bool is_whole;
};

struct found_list {
	struct found *v;
	size_t n, cap;
};

/** A state is all of a guest's memory, so only the user may read it. */
static struct err *states_dir(char **ret)
{
	return file_cache_part("states", 0700, ret);
}

static bool is_hex(const char *text, size_t len)
{
	return strspn(text, "0123456789abcdef") >= len;
}

static struct state *state_new(const char *dir, const char *name)
{
	struct state *s = xcalloc(1, sizeof(*s));

	s->lock_fd = -1;
	s->dir = xasprintf("%s/%s", dir, name);
	s->tmp = xasprintf("%s/" TMP_PREFIX "%s", dir, name);
	s->lock = xasprintf("%s/%s" LOCK_SUFFIX, dir, name);
	return s;
}

struct err *state_take(const char *owner, const char *key, struct state **ret)
{
	cleanup_free char *dir = NULL;
	struct err *e = states_dir(&dir);

	if (e)
		return e;
	if (strlen(owner) != HEX_LEN || strlen(key) != HEX_LEN || !is_hex(owner, HEX_LEN) ||
	    !is_hex(key, HEX_LEN))
		return err_new("'%s-%s' is not the name of a saved state", owner, key);

	cleanup_free char *name = xasprintf("%s-%s", owner, key);
	cleanup(cleanup_state_) struct state *s = state_new(dir, name);

	e = lock_wait(s->lock, LOCK_POLL_MS, NULL, NULL, &s->lock_fd);
	if (e)
		return e;
	s->is_there = file_exists(s->dir);
	/* Its age is that of its last use. */
	if (s->is_there && utimensat(AT_FDCWD, s->dir, NULL, 0))
		return err_errno(errno, "cannot touch '%s'", s->dir);
	*ret = take_ptr(s);
	return NULL;
}

/** Removes all there is of a state that we have locked; the lock last. */
static struct err *remove_all(struct state *s)
{
	struct err *e = file_remove_tree(s->tmp);
	bool was_there;

	if (!e)
		e = file_remove_aside(s->dir, s->tmp, &was_there);
	s->is_there = file_exists(s->dir);
	return e;
}

void state_release(struct state *s)
{
	if (s->lock_fd >= 0) {
		if (!s->is_there) {
			err_free(file_remove_tree(s->tmp));
			unlink(s->lock);
		}
		close(s->lock_fd);
	}
	free(s->dir);
	free(s->tmp);
	free(s->lock);
	free(s);
}

const char *state_dir(const struct state *s)
{
	return s->is_there ? s->dir : NULL;
}

struct err *state_begin(struct state *s, const char **ret)
{
	struct err *e = file_remove_tree(s->tmp);

	if (e)
		return e;
	if (mkdir(s->tmp, 0700))
		return err_errno(errno, "cannot make directory '%s'", s->tmp);
	*ret = s->tmp;
	return NULL;
}

struct err *state_finish(struct state *s)
{
	if (rename(s->tmp, s->dir))
		return err_errno(errno, "cannot rename '%s'", s->tmp);
	s->is_there = true;
	/* It is there all the same. */
	log_error(state_cache_trim(STATE_CACHE_MAX_BYTES, STATE_CACHE_MAX_AGE_S));
	return NULL;
}

void state_drop(struct state *s)
{
	log_error(err_wrap(remove_all(s), "a saved state stays behind"));
}

/** Removes a state by its name, unless someone has it; *ret says whether it is gone. */
static struct err *remove_free(const char *dir, const char *name, bool *ret)
{
	cleanup(cleanup_state_) struct state *s = state_new(dir, name);
	struct err *e = lock_try(s->lock, &s->lock_fd);

	*ret = s->lock_fd >= 0;
	return *ret ? remove_all(s) : e;
}

/** Bytes on the disk of what is in a directory. */
static uint64_t disk_bytes(const char *path)
{
	cleanup(cleanup_dir_) DIR *dir = opendir(path);
	uint64_t sum = 0;
	struct stat st;

	for (struct dirent *d; dir && (d = readdir(dir));)
		if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_blocks * 512;
	return sum;
}

/** The name of the state that a file in the directory of states belongs to; NULL when it is none of ours. */
static const char *state_name(const char *file)
{
	const char *name = strncmp(file, TMP_PREFIX, strlen(TMP_PREFIX)) ? file : file + strlen(TMP_PREFIX);
	const char *rest = name + NAME_LEN;

	if (strlen(name) < NAME_LEN || !is_hex(name, HEX_LEN) || name[HEX_LEN] != '-' ||
	    !is_hex(name + HEX_LEN + 1, HEX_LEN) || (*rest && strcmp(rest, LOCK_SUFFIX)))
		return NULL;
	return name;
}

static bool is_listed(const struct found_list *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (strncmp(list->v[i].name, name, NAME_LEN) == 0)
			return true;
	return false;
}

static struct err *list_states(const char *dir, struct found_list *list)
{
	cleanup_name_list struct name_list names = { 0 };
	struct err *e = file_list(dir, &names);

	for (size_t i = 0; !e && i < names.n; i++) {
		const char *name = state_name(names.v[i]);
		struct stat st;

		if (!name || is_listed(list, name))
			continue;

		struct found *f = array_push(list->v, list->n, list->cap);

		memcpy(f->name, name, NAME_LEN);

		cleanup_free char *path = xasprintf("%s/%s", dir, f->name);

		f->is_whole = lstat(path, &st) == 0;
		if (!f->is_whole)
			continue;
		f->used_ns = st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec;
		f->bytes = disk_bytes(path);
	}
	return e;
}

/** Those that are not whole come first. */
static int oldest_first(const void *a, const void *b)
{
	const struct found *fa = a, *fb = b;

	return fa->used_ns < fb->used_ns ? -1 : fa->used_ns > fb->used_ns;
}

/** Removes an owner's states, or (owner NULL) what is too old or too much. */
static struct err *remove_states(const char *owner, uint64_t max_bytes, int64_t max_age_s)
{
	cleanup_free char *dir = NULL;
	struct found_list list = { 0 };
	uint64_t total = 0;
	struct err *e = states_dir(&dir);

	if (!e)
		e = list_states(dir, &list);
	if (list.n)
		qsort(list.v, list.n, sizeof(*list.v), oldest_first);
	for (size_t i = 0; i < list.n; i++)
		total += list.v[i].bytes;
	for (size_t i = 0; !e && i < list.n; i++) {
		const struct found *f = &list.v[i];
		bool is_gone = false;

		if (owner ? strncmp(f->name, owner, HEX_LEN) == 0
			  : total > max_bytes || !f->is_whole ||
				    time(NULL) - f->used_ns / NS_PER_S > max_age_s)
			e = remove_free(dir, f->name, &is_gone);
		total -= is_gone ? f->bytes : 0;
	}
	free(list.v);
	return e;
}

struct err *state_cache_trim(uint64_t max_bytes, int64_t max_age_s)
{
	return err_wrap(remove_states(NULL, max_bytes, max_age_s), "saved states");
}

void state_cache_forget(const char *owner)
{
	log_error(err_wrap(remove_states(owner, 0, 0), "saved states stay behind"));
}
