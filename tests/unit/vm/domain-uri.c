/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which libvirt URIs lead to this machine. */
#include "harness/vm/domain-uri.h"

#include "tests/tap.h"

static void accepts(const char *uri, bool has_host)
{
	bool got = !has_host;
	struct err *e = domain_uri_check(uri, "calib1.example.org", &got);

	ok(!e && got == has_host, uri);
	err_free(e);
}

static void refuses(const char *uri, const char *why)
{
	bool got;
	struct err *e = domain_uri_check(uri, "calib1.example.org", &got);

	has_str(e ? err_message(e) : "accepted", why, uri);
	ok(e && err_get_kind(e) == ERR_USAGE, "... is wrong usage");
	err_free(e);
}

int main(void)
{
	accepts("qemu:///system", false);
	accepts("qemu:///session", false);
	accepts("qemu+unix:///system?socket=/run/my/sock", false);
	accepts("qemu+tcp://127.0.0.1/system", true);
	accepts("qemu+tcp://127.0.0.1:16509/system", true);
	accepts("qemu+tcp://[::1]:16509/system", true);
	accepts("qemu+ssh://me@localhost/session", true);
	accepts("qemu+tls://LOCALHOST/system", true);
	accepts("qemu+tcp://calib1/system", true);
	accepts("qemu+tcp://calib1.example.org/system", true);
	refuses("qemu+ssh://calib2/system", "run swapcal on 'calib2' itself");
	refuses("qemu+ssh://root@calib2.example.org:2222/system?keyfile=/a@localhost",
		"on 'calib2.example.org' itself");
	refuses("qemu+ssh://localhost@calib2/system", "'calib2'");
	refuses("qemu+ssh://calib1.example.com/system", "'calib1.example.com'");
	refuses("qemu+tcp://[fe80::1]/system", "'fe80::1'");
	refuses("qemu+tcp://127.0.0.1.example.org/system", "'127.0.0.1.example.org'");
	refuses("qemu+tcp://localhost.example.org/system", "'localhost.example.org'");
	refuses("my-alias", "not a URI such as 'qemu:///system'");
	refuses("", "not a URI");
	ok(domain_uri_is_same_host("a", "A.example.org"), "a name with and without its domain");
	ok(!domain_uri_is_same_host("", ""), "no name is no host");
	ok(!domain_uri_is_same_host("ab", "a.example.org"), "a longer name is another");
	return tap_done();
}
