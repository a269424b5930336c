/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Places that another user has prepared. Only root can play that user here; the others' tests are of our own
 * links. */
#include "harness/base/trust.h"

#include "harness/cmd/cli.h"
#include "harness/export/export.h"
#include "harness/store/store.h"
#include "tests/unit/errors.h"

/** Some user who is not us. */
#define OTHER 65534

static void put(const char *path, const char *text, uid_t uid)
{
	must(file_write_atomic(path, text, strlen(text), 0644));
	ok(lchown(path, uid, (gid_t)-1) == 0, path);
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

static struct err *export_to(const char *dir)
{
	struct export x = { .probes_n = 0 };

	return export_tree(NULL, &x, dir);
}

static struct err *open_cache(const char *xdg)
{
	cleanup_free char *dir = NULL;

	setenv("XDG_CACHE_HOME", xdg, 1);
	return file_cache_dir(&dir);
}

static void test_own(void)
{
	struct stat st;
	mode_t mask = umask(0);

	no_err(write_report("new"), "a new report");
	is_int(test_mode("new"), 0600, "is for its owner alone");
	umask(mask);
	put("own", "old", geteuid());
	ok(symlink("own", "own-link") == 0, "through a link of one's own to one's own file");
	no_err(write_report("own-link"), "a report");
	ok(strcmp(test_text("own"), "report") == 0 && lstat("own-link", &st) == 0 && S_ISLNK(st.st_mode),
	   "is written to that file; the link stays");
	is_int(test_mode("own"), 0644, "and the file's mode");
	ok(symlink("/nonexistent/x", "dangling") == 0, "through a link to nothing");
	is_err(open_results("dangling"), "no results file", "results do not come");
}

static void test_results(void)
{
	mode_t mask = umask(0);

	no_err(open_results("r.swapcal"), "a results file");
	umask(mask);
	is_int(test_mode("r.swapcal"), 0600, "is for its owner alone");
	ok(symlink("r.swapcal", "r-link") == 0, "by a link of its owner's");
	no_err(open_results("r-link"), "it can be opened");
	ok(link("r.swapcal", "second") == 0, "when it has two names");
	is_err(open_results("r.swapcal"), "hard links", "it cannot");
	unlink("second");
	ok(symlink("own", "r.swapcal-wal") == 0, "nor with a journal");
	is_err(open_results("r.swapcal"), "no regular file", "that is a link");
	unlink("r.swapcal-wal");
	ok(link("r.swapcal", "r.swapcal-lock") == 0, "nor with a lock");
	is_err(open_results("r.swapcal"), "hard links", "that is the file itself");
	unlink("r.swapcal-lock");
	ok(link("own", "r.swapcal-lock") == 0, "nor with a lock");
	is_err(open_results("r.swapcal"), "2 names", "that is another file");
	is_str(test_text("own"), "report", "which keeps its content");
	unlink("r.swapcal-lock");
	no_err(open_results("r.swapcal"), "all of which is over");
}

static void test_dirs(const char *top)
{
	cleanup_free char *public = xasprintf("%s/public", top);

	ok(mkdir("public", 0700) == 0 && chmod("public", 01777) == 0, "a directory like /tmp");
	is_err(trust_dir("public"), "everyone may write", "is no place for a tree of files itself");
	no_err(export_to("public/out"), "a new directory in it is");
	is_int(test_mode("public/out"), 0700, "for its owner alone");
	is_err(export_to("public"), "everyone may write", "nor for an export");
	no_err(open_cache(public), "nor for a cache, but a new directory in it");
	is_int(test_mode("public/swapcal"), 0700, "for its owner alone");
	ok(chmod("public/swapcal", 0777) == 0, "which is opened for everyone");
	is_err(open_cache(public), "everyone may write", "and is a cache no more");
}

static void test_others_files(void)
{
	put("theirs", "theirs", OTHER);
	ok(symlink("theirs", "to-theirs") == 0, "through a link to another user's file");
	is_err(write_report("to-theirs"), "to a file of user 65534", "a report");
	is_err(open_results("to-theirs"), "to a file of user 65534", "and results");
	is_str(test_text("theirs"), "theirs", "do not change it");
	ok(symlink("own", "planted") == 0 && lchown("planted", OTHER, OTHER) == 0,
	   "through another user's link to a file of ours");
	is_err(write_report("planted"), "symbolic link of user 65534", "a report");
	is_err(open_results("planted"), "symbolic link of user 65534", "and results");
	is_str(test_text("own"), "report", "do not change it");
	ok(mkfifo("public/pipe", 0666) == 0 && chown("public/pipe", OTHER, OTHER) == 0,
	   "another user's pipe in a public directory");
	is_err(write_report("public/pipe"), "everyone may write", "gets no report, and holds nobody up");
	put("public/file", "theirs", OTHER);
	is_err(open_results("public/file"), "belongs to user 65534",
	       "another user's file there gets no results");
	no_err(open_results("public/r.swapcal"), "a new file there does");
	put("public/r.swapcal-wal", "", OTHER);
	is_err(open_results("public/r.swapcal"), "in the way: it belongs to user 65534",
	       "but not with another's journal beside it");
	no_err(trust_companion("public/r.swapcal-wal", OTHER), "which belongs beside a file of that user");
}

static void test_others_dirs(const char *top)
{
	cleanup_free char *cache = xasprintf("%s/their-cache", top), *link = xasprintf("%s/link-to-top", top);

	ok(symlink(top, "link-to-top") == 0, "a link to a directory");
	no_err(write_report("link-to-top/x"), "leads a report when it is ours");
	ok(lchown("link-to-top", OTHER, OTHER) == 0, "through that of another user");
	is_err(write_report("link-to-top/x"), "symbolic link of user 65534", "it does not lead one");
	is_err(open_results("link-to-top/x"), "symbolic link of user 65534", "nor results");
	is_err(export_to("link-to-top"), "symbolic link of user 65534", "nor a tree");
	is_err(trust_links("link-to-top/x"), "of user 65534", "by a relative name");
	is_err(export_to(link), "symbolic link of user 65534", "or a full one");
	ok(mkdir("their-dir", 0755) == 0 && chown("their-dir", OTHER, OTHER) == 0,
	   "in another user's directory");
	is_err(export_to("their-dir"), "belongs to user", "there is no tree");
	ok(mkdir(cache, 0700) == 0 && mkdir("their-cache/swapcal", 0755) == 0 &&
		   chown("their-cache/swapcal", OTHER, OTHER) == 0,
	   "another user's cache");
	is_err(open_cache(cache), "belongs to user 65534", "is not taken for ours");
	is_err(open_cache(link), "symbolic link of user 65534", "nor through their link");
}

int main(void)
{
	const char *top = test_enter_dir();

	test_own();
	test_results();
	test_dirs(top);
	if (geteuid() == 0) {
		test_others_files();
		test_others_dirs(top);
	}
	return tap_done();
}
