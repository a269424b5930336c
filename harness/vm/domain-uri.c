/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/domain-uri.h"

#include <string.h>
#include <strings.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

/** HOST of "//USER@HOST:PORT/", "" when there is none; an IPv6 address without its brackets. */
static char *find_host(const char *authority)
{
	size_t len = strcspn(authority, "/?#");
	const char *end = authority + len;
	const char *at = memrchr(authority, '@', len);
	const char *host = at ? at + 1 : authority;

	if (*host == '[') {
		host++;
		len = strcspn(host, "]/?#");
	} else {
		len = strcspn(host, ":/?#");
	}
	return xmemdup0(host, len < (size_t)(end - host) ? len : (size_t)(end - host));
}

bool domain_uri_is_same_host(const char *a, const char *b)
{
	size_t a_len = strcspn(a, "."), b_len = strcspn(b, ".");

	/* Two full names are compared in full. */
	if (a[a_len] && b[b_len])
		return strcasecmp(a, b) == 0;
	return a_len > 0 && a_len == b_len && strncasecmp(a, b, a_len) == 0;
}

static bool is_this_machine(const char *host, const char *own_name)
{
	return strcasecmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 ||
	       strcmp(host, "::1") == 0 || domain_uri_is_same_host(host, own_name);
}

struct err *domain_uri_check(const char *uri, const char *own_name, bool *ret)
{
	const char *colon = strstr(uri, "://");

	if (!colon)
		return err_new_kind(ERR_USAGE, "connection '%s' is not a URI such as 'qemu:///system'", uri);

	cleanup_free char *host = find_host(colon + 3);

	if (*host && !is_this_machine(host, own_name))
		return err_new_kind(
			ERR_USAGE,
			"connection '%s': guests can only run on this machine, where their sockets and disks "
			"are; run swapcal on '%s' itself, e.g. with --shard, and merge the results files",
			uri, host);
	*ret = *host != '\0';
	return NULL;
}
