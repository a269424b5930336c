/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A metric as anybody may write it: its file, and its query, which is checked on tables without rows. */
#include <string.h>

#include "harness/base/cleanup.h"
#include "harness/base/file.h"
#include "harness/query/metric.h"
#include "harness/query/query.h"
#include "tests/fuzz/fuzz.h"

static char dir[] = "/tmp/swapcal-fuzz-XXXXXX";

static void remove_dir(void)
{
	err_free(file_remove_tree(dir));
}

/* A metric's name is that of its file, so this one, m, always has the same: a link to the file in memory. */
static void make_metric(const uint8_t *data, size_t size)
{
	const char *file = fuzz_file(data, size);
	char path[64];

	if (getenv("SWAPCAL_DATADIR"))
		return;
	if (!mkdtemp(dir) || atexit(remove_dir) || setenv("SWAPCAL_DATADIR", dir, 1))
		exit(1);
	snprintf(path, sizeof(path), "%s/calibrate/metrics", dir);
	must_hold(!file_mkdirs(path, 0700));
	strcat(path, "/m.sql");
	if (symlink(file, path))
		exit(1);
}

static void check_query(const struct metric *metric)
{
	unsigned set = 0;
	int is_good = is_read(query_check(metric, &set));

	must_hold(is_good ? (set & ~VIEWS_ALL) == 0 : set == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct metric m;

	make_metric(data, size);
	if (is_read(metric_find("m", &m))) {
		check_query(&m);
		metric_deinit(&m);
	} else {
		/* The text alone, whatever is wrong with its header. */
		cleanup_free char *sql = strndup((const char *)data, size);
		struct metric bare = { .sql = sql, .path = (char *)"m.sql", .line = 1 };

		check_query(&bare);
	}
	return 0;
}
