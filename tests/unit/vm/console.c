/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/console.h"

#include "tests/unit/errors.h"

static void test_tail(void)
{
	static const struct {
		const char *bytes;
		size_t len, max_bytes;
		const char *want, *what;
	} rows[] = {
		{ "\x1b[2J\x1b[1;1Hone\r\n\ttwo\n", 20, 100, "one\n\ttwo\n",
		  "escapes and carriage returns are dropped" },
		{ "a\0b\x07\x80\xff", 6, 100, "a?b???", "other bytes cannot reach a terminal" },
		{ "0123456789", 10, 4, "6789", "only the end is kept" },
		{ "x\x1b[", 3, 100, "x", "an escape that is cut off ends the text" },
		{ "x\x1b[12", 5, 100, "x", "also within its number" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		must(file_write_atomic("console", rows[i].bytes, rows[i].len, 0600));
		is_str(test_keep(console_tail("console", rows[i].max_bytes)), rows[i].want, rows[i].what);
	}
	is_str(test_keep(console_tail("/nonexistent", 100)), "", "a file that is not there is empty");
}

static void test_signs(void)
{
	static const char panic[] =
		"[    2.3] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100\n";

	ok(console_shows_panic(panic), "a panic is seen");
	ok(!console_shows_panic("[    1.0] Kernel command line: panic=-1\n"), "a word about panics is none");
	ok(console_shows_kernel("[    0.000000] Linux version 6.1.0-56-cloud-amd64\n"), "a kernel is seen");
	ok(!console_shows_kernel("SeaBIOS (version 1.16)\n"), "firmware is none");
}

static void test_qemu_lines(void)
{
	static const char log[] = "2026-01-01 06:53:54.534+0000: starting up libvirt version: 9.0.0\n"
				  "LC_ALL=C \\\n"
				  "/usr/bin/qemu-system-x86_64 \\\n"
				  "-name guest=swapcal-1,debug-threads=on \\\n"
				  "2026-01-01T06:53:57.881381Z qemu-system-x86_64: terminating on signal 15\n"
				  "qemu-kvm: ../hw/x.c:1: f: Assertion failed.\n"
				  "2026-01-01 06:53:59.084+0000: shutting down, reason=destroyed\nqemu-x:";

	is_str(test_keep(console_qemu_lines(log)),
	       "2026-01-01T06:53:57.881381Z qemu-system-x86_64: terminating on signal 15\n"
	       "qemu-kvm: ../hw/x.c:1: f: Assertion failed.\n",
	       "what QEMU said is kept, what libvirt noted is not");
	is_str(test_keep(console_qemu_lines("")), "", "an empty log says nothing");
}

TAP_MAIN(test_in_dir, test_tail, test_signs, test_qemu_lines)
