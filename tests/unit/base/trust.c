/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Places that another user has prepared. Only root can play that user here; the others' tests are of our own
 * links. */
#include "harness/base/trust.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/file.h"
#include "harness/cmd/cli.h"
#include "harness/export/export.h"
#include "harness/store/store.h"
#include "tests/tap.h"

/** Some user who is not us. */
#define OTHER 65534

static char top[] = "/tmp/swapcal-trust-XXXXXX";

static char *in_top(const char *name)
{
	return xasprintf("%s/%s", top, name);
}

static bool refused(struct err *e, const char *why)
{
	bool has_why = e && strstr(err_message(e), why);

	if (!has_why)
		printf("# %s\n", e ? err_message(e) : "no error");
	err_free(e);
	return has_why;
}

static bool accepted(struct err *e)
{
	if (e)
		printf("# %s\n", err_message(e));
	err_free(e);
	return !e;
}

static void put(const char *path, const char *text, uid_t uid)
{
	struct err *e = file_write_atomic(path, text, strlen(text), 0644);

	ok(!e && lchown(path, uid, (gid_t)-1) == 0, path);
	err_free(e);
}

static bool holds(const char *path, const char *text)
{
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;

	return accepted(file_read(path, 1000, &sb)) && strcmp(strbuf_str(&sb), text) == 0;
}

static struct err *write_report(const char *path)
{
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;

	strbuf_adds(&sb, "report");
	return cli_write_output(path, &sb);
}

static struct err *open_results(const char *path)
{
	struct store *store;
	struct err *e = store_open(path, STORE_WRITE, &store);

	if (!e)
		store_close(store);
	return e;
}

static unsigned mode_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) ? 0 : st.st_mode & 07777;
}

static void test_own(void)
{
	cleanup_free char *file = in_top("own"), *link = in_top("own-link"), *new = in_top("new"),
			  *dangling = in_top("dangling");
	struct stat st;
	mode_t mask = umask(0);

	ok(accepted(write_report(new)) && mode_of(new) == 0600, "a new report is for its owner alone");
	umask(mask);
	put(file, "old", geteuid());
	ok(symlink(file, link) == 0 && accepted(write_report(link)),
	   "a report through a link of one's own to one's own file");
	ok(holds(file, "report") && lstat(link, &st) == 0 && S_ISLNK(st.st_mode),
	   "is written to that file; the link stays");
	is_int(mode_of(file), 0644, "and the file's mode");
	ok(symlink("/nonexistent/x", dangling) == 0 && refused(open_results(dangling), "no results file"),
	   "results do not come through a link to nothing");
}

static void test_results(void)
{
	cleanup_free char *file = in_top("r.swapcal"), *second = in_top("second"),
			  *link_name = in_top("r-link");
	mode_t mask = umask(0);

	ok(accepted(open_results(file)), "a results file");
	umask(mask);
	is_int(mode_of(file), 0600, "is for its owner alone");
	ok(symlink(file, link_name) == 0 && accepted(open_results(link_name)),
	   "and can have a link of its owner's");
	ok(link(file, second) == 0 && refused(open_results(file), "hard links"), "but not two names");
	unlink(second);

	cleanup_free char *wal = xasprintf("%s-wal", file), *lock = xasprintf("%s-lock", file);

	ok(symlink("own", wal) == 0 && refused(open_results(file), "no regular file"),
	   "a journal that is a link");
	unlink(wal);
	ok(link(file, lock) == 0 && refused(open_results(file), "hard links"),
	   "a lock that is the file itself");
	unlink(lock);

	cleanup_free char *own = in_top("own");

	ok(link(own, lock) == 0 && refused(open_results(file), "2 names"), "a lock that is another file");
	ok(holds(own, "report"), "which keeps its content");
	unlink(lock);
	ok(accepted(open_results(file)), "all of which is over");
}

static void test_dirs(void)
{
	cleanup_free char *public = in_top("public"), *dir = in_top("public/out"), *cache = NULL;
	struct export x = { .probes_n = 0 };
	struct store *store = NULL;

	ok(mkdir(public, 0700) == 0 && chmod(public, 01777) == 0, "a directory like /tmp");
	ok(refused(trust_dir(public), "everyone may write"), "is no place for a tree of files itself");
	ok(accepted(export_tree(store, &x, dir)) && mode_of(dir) == 0700,
	   "a new directory in it is, of mode 0700");
	ok(refused(export_tree(store, &x, public), "everyone may write"), "nor for an export");
	setenv("XDG_CACHE_HOME", public, 1);
	ok(accepted(file_cache_dir(&cache)) && mode_of(cache) == 0700,
	   "nor for a cache, but a new directory in it");
	ok(chmod(cache, 0777) == 0, "which is opened for everyone");
	free(cache);
	cache = NULL;
	ok(refused(file_cache_dir(&cache), "everyone may write"), "and is a cache no more");
}

static void test_others_files(void)
{
	cleanup_free char *theirs = in_top("theirs"), *to_theirs = in_top("to-theirs"),
			  *planted = in_top("planted"), *own = in_top("own"), *pipe = in_top("public/pipe"),
			  *file = in_top("public/file"), *results = in_top("public/r.swapcal");

	put(theirs, "theirs", OTHER);
	ok(symlink(theirs, to_theirs) == 0 && refused(write_report(to_theirs), "to a file of user 65534"),
	   "a report through a link to another user's file");
	ok(refused(open_results(to_theirs), "to a file of user 65534"), "and results");
	ok(holds(theirs, "theirs"), "do not change it");
	ok(symlink(own, planted) == 0 && lchown(planted, OTHER, OTHER) == 0 &&
		   refused(write_report(planted), "symbolic link of user 65534"),
	   "a report through another user's link to a file of ours");
	ok(refused(open_results(planted), "symbolic link of user 65534"), "and results");
	ok(holds(own, "report"), "do not change it");
	ok(mkfifo(pipe, 0666) == 0 && chown(pipe, OTHER, OTHER) == 0 &&
		   refused(write_report(pipe), "everyone may write"),
	   "another user's pipe in a public directory gets no report, and holds nobody up");
	put(file, "theirs", OTHER);
	ok(refused(open_results(file), "belongs to user 65534"), "another user's file there gets no results");
	ok(accepted(open_results(results)), "a new file there does");

	cleanup_free char *wal = xasprintf("%s-wal", results);

	put(wal, "", OTHER);
	ok(refused(open_results(results), "in the way: it belongs to user 65534"),
	   "but not with another's journal beside it");
	ok(accepted(trust_companion(wal, OTHER)), "which belongs beside a file of that user");
}

static void test_others_dirs(void)
{
	cleanup_free char *link = in_top("link-to-top"), *through = in_top("link-to-top/x"),
			  *dir = in_top("their-dir"), *cache = in_top("their-cache"),
			  *entry = in_top("their-cache/swapcal"), *none = NULL;
	struct export x = { .probes_n = 0 };

	ok(symlink(top, link) == 0 && accepted(write_report(through)),
	   "a report through a directory that is a link of ours");
	ok(lchown(link, OTHER, OTHER) == 0 && refused(write_report(through), "symbolic link of user 65534"),
	   "or of another user's");
	ok(refused(open_results(through), "symbolic link of user 65534"), "results through that");
	ok(refused(export_tree(NULL, &x, link), "symbolic link of user 65534"), "a tree");
	ok(refused(trust_links("link-to-top/x") /* relative */, "of user 65534"), "by a relative name, too");
	ok(mkdir(dir, 0755) == 0 && chown(dir, OTHER, OTHER) == 0 &&
		   refused(export_tree(NULL, &x, dir), "belongs to user"),
	   "a tree in another user's directory");
	ok(mkdir(cache, 0700) == 0 && mkdir(entry, 0755) == 0 && chown(entry, OTHER, OTHER) == 0,
	   "another user's cache");
	setenv("XDG_CACHE_HOME", cache, 1);
	ok(refused(file_cache_dir(&none), "belongs to user 65534"), "is not taken for ours");
	setenv("XDG_CACHE_HOME", link, 1);
	ok(refused(file_cache_dir(&none), "symbolic link of user 65534"), "nor through their link");
}

int main(void)
{
	if (!mkdtemp(top) || chdir(top))
		return 1;
	test_own();
	test_results();
	test_dirs();
	if (geteuid() == 0) {
		test_others_files();
		test_others_dirs();
	}
	ok(accepted(file_remove_tree(top)), "cleared up");
	return tap_done();
}
