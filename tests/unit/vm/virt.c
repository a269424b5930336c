/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which libvirt URIs lead to this machine. */
#include "harness/vm/virt.h"
#include "tests/unit/errors.h"

static void accepts(const char *uri, bool has_host)
{
	bool got = !has_host;

	no_err(virt_check_uri(uri, "calib1.example.org", &got), uri);
	is_int(got, has_host, has_host ? "names a host" : "names none");
}

static void refuses(const char *uri, const char *why)
{
	bool got;

	is_err_kind(virt_check_uri(uri, "calib1.example.org", &got), ERR_USAGE, why, uri);
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
	ok(virt_is_same_host("a", "A.example.org"), "a name with and without its domain");
	ok(!virt_is_same_host("", ""), "no name is no host");
	ok(!virt_is_same_host("ab", "a.example.org"), "a longer name is another");
	return tap_done();
}
