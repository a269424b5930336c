/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a mapping is for, by its line in smaps. */
#include "calibrate/evidence/views-kind.h"
#include "tests/unit/errors.h"

static const struct {
	const char *path, *perms, *dev, *vm_flags, *want;
	bool is_tmpfs;
} cases[] = {
	{ "", "rw-p", "00:00", "rd wr mr mw me ac", "anon", false },
	{ "", "---p", "00:00", NULL, "anon", false },
	{ "[heap]", "rw-p", "00:00", NULL, "heap", false },
	{ "[stack]", "rw-p", "00:00", "rd wr mr mw me gd ac", "stack", false },
	{ "[stack:1234]", "rw-p", "00:00", NULL, "stack", false },
	{ "[threadstack:007ff420]", "rw-p", "00:00", NULL, "stack", false },
	{ "[anon:glibc: malloc]", "rw-p", "00:00", NULL, "anon", false },
	{ "[anon_shmem:pool]", "rw-s", "00:01", NULL, "shmem", false },
	{ "[vdso]", "r-xp", "00:00", "rd ex mr mw me de", "special", false },
	{ "[vvar]", "r--p", "00:00", NULL, "special", false },
	{ "[vvar_vclock]", "r--p", "00:00", NULL, "special", false },
	{ "[vsyscall]", "--xp", "00:00", NULL, "special", false },
	{ "[uprobes]", "--xp", "00:00", NULL, "special", false },
	{ "[heap", "rw-p", "00:00", NULL, "special", false },
	{ "/usr/bin/python3.11", "r-xp", "fe:00", "rd ex mr mw me", "file_text", false },
	{ "/usr/bin/python3.11", "r--p", "fe:00", "rd mr mw me", "file_ro", false },
	{ "/usr/bin/python3.11", "---p", "fe:00", NULL, "file_ro", false },
	{ "/usr/bin/python3.11", "rw-p", "fe:00", NULL, "file_data", false },
	{ "/lib/ld-linux.so.2", "rwxp", "08:01", NULL, "file_data", false },
	{ "/var/cache/index", "r--s", "fe:00", NULL, "file_shared", false },
	{ "/tmp/x (deleted)", "rw-s", "fe:00", NULL, "file_shared", false },
	{ "/usr/lib/[heap]", "r-xp", "fe:00", NULL, "file_text", false },
	{ "(unreachable)/a", "r-xp", "fe:00", NULL, "file_text", false },
	{ "/dev/zero (deleted)", "rw-s", "00:01", NULL, "shmem", false },
	{ "/dev/zero (deleted)", "rw-s", "00:09", NULL, "shmem", false },
	{ "/dev/zero", "rw-p", "00:05", NULL, "anon", true },
	{ "/memfd:a memfd (deleted)", "rw-s", "00:01", NULL, "shmem", false },
	{ "/memfd:jit (deleted)", "r-xp", "00:01", NULL, "shmem", false },
	{ "/SYSV00000000 (deleted)", "rw-s", "00:01", NULL, "shmem", false },
	{ "/dev/shm/psm_1", "rw-s", "00:17", NULL, "shmem", false },
	{ "/run/lock/x", "rw-s", "00:19", NULL, "shmem", true },
	{ "/run/lock/x", "rw-s", "00:19", NULL, "file_shared", false },
	{ "/ballast", "r-xp", "00:02", NULL, "shmem", true },
	{ "/anon_hugepage (deleted)", "rw-p", "00:0f", NULL, "hugetlb", false },
	{ "/dev/hugepages/pool", "rw-s", "00:20", "rd wr sh mr mw me ms de ht sd", "hugetlb", false },
	{ "/dev/hugepages/pool", "rw-s", "00:20", "rd wr sh mr mw me ms de sd", "file_shared", false },
	{ "", "rw-p", "00:00", "ht", "hugetlb", false },
	{ "", "rw-p", "00:00", "htxx", "hugetlb", false },
	{ "", "rw-p", "00:00", "xhtx", "anon", false },
	{ "", "rw-p", "00:00", "r", "anon", false },
	{ "", "rw-p", "00:00", "", "anon", false },
	{ "anon_inode:[io_uring]", "rw-s", "00:0e", NULL, "special", false },
	{ "socket:[77]", "rw-s", "00:08", NULL, "special", false },
	{ "/x", "", "", NULL, "file_ro", false },
};

int main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mapping_facts f = { cases[i].path, cases[i].perms, cases[i].dev, cases[i].vm_flags,
					   cases[i].is_tmpfs };

		is_str(mapping_kind(&f), cases[i].want,
		       test_format("'%s' %s: %s", f.path, f.perms, cases[i].want));
	}
	return tap_done();
}
