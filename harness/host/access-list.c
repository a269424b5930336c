/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/host/access-list.h"

#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/xattr.h>

/** The attribute that has the list, as linux/posix_acl_xattr.h has it; all numbers are little-endian. */
#define ATTRIBUTE "system.posix_acl_access"
#define VERSION   2
#define NO_ID     UINT32_MAX

struct access_list {
	uint32_t version;
	struct {
		uint16_t tag, access;
		uint32_t id;
	} entries[5];
};

static struct access_list make_list(uid_t uid, unsigned access)
{
	enum { OWNER = 0x01, USER = 0x02, GROUP = 0x04, MASK = 0x10, OTHERS = 0x20 };

	return (struct access_list){
		.version = htole32(VERSION),
		.entries = {
			{ htole16(OWNER), htole16(ACCESS_READ | ACCESS_WRITE), NO_ID },
			{ htole16(USER), htole16((uint16_t)access), htole32(uid) },
			{ htole16(GROUP), 0, NO_ID },
			{ htole16(MASK), htole16((uint16_t)access), NO_ID },
			{ htole16(OTHERS), 0, NO_ID },
		},
	};
}

struct err *access_list_set(const char *path, uid_t uid, unsigned access)
{
	struct access_list list = make_list(uid, access);

	if (setxattr(path, ATTRIBUTE, &list, sizeof(list), 0) == 0)
		return NULL;
	return err_set_kind(
		err_errno(errno,
			  "cannot open '%s' to user %u by an access list; take qemu:///session, or be root",
			  path, (unsigned)uid),
		ERR_HOST);
}

bool access_list_has(const char *path, uid_t uid, unsigned access)
{
	struct access_list want = make_list(uid, access), got;

	return getxattr(path, ATTRIBUTE, &got, sizeof(got)) == (ssize_t)sizeof(got) &&
	       memcmp(&got, &want, sizeof(got)) == 0;
}
