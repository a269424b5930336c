/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/save-image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

#define MAGIC         "LibvirtQemudSave"
#define MAGIC_PARTIAL "LibvirtQemudPart"
#define VERSION       2

/** A definition of ours has 3 KiB, libvirt's form of it 8. */
#define DATA_MAX (4u << 20)

struct header {
	char magic[16];
	uint32_t version;
	uint32_t data_len;
	uint32_t was_running;
	uint32_t compressed;
	uint32_t cookie_offset;
	uint32_t unused[14];
	char data[]; /* the definition and the cookie */
};

_Static_assert(sizeof(struct header) == 92, "the header is packed by nature");

static struct err *read_all(int fd, void *buf, size_t len)
{
	ssize_t n = pread(fd, buf, len, 0);

	if (n < 0)
		return err_errno(errno, "cannot read it");
	return (size_t)n == len ? NULL : err_new("it is cut off");
}

static struct err *check_header(const struct header *h)
{
	if (memcmp(h->magic, MAGIC_PARTIAL, sizeof(h->magic)) == 0)
		return err_new("saving it was not completed");
	if (memcmp(h->magic, MAGIC, sizeof(h->magic)) != 0)
		return err_new("it is not a guest that libvirt saved");
	if (h->version != VERSION)
		return err_new("it has version %u of libvirt's format, not %d", h->version, VERSION);
	if (h->data_len < 2 || h->data_len > DATA_MAX || h->cookie_offset >= h->data_len)
		return err_new("its header is damaged");
	return NULL;
}

static struct err *set_xml(struct header *h, const char *xml)
{
	size_t xml_len = strlen(xml) + 1, cookie_len = 0;
	const char *cookie = h->data + h->cookie_offset;

	/* 0: there is none. */
	if (h->cookie_offset) {
		cookie_len = strnlen(cookie, h->data_len - h->cookie_offset) + 1;
		if (cookie_len > h->data_len - h->cookie_offset)
			return err_new("its header is damaged");
	}
	if (xml_len + cookie_len > h->data_len)
		return err_new("a definition of %zu bytes does not fit", xml_len);
	memmove(h->data + xml_len, cookie, cookie_len);
	memcpy(h->data, xml, xml_len);
	memset(h->data + xml_len + cookie_len, 0, h->data_len - xml_len - cookie_len);
	h->cookie_offset = cookie_len ? (uint32_t)xml_len : 0;
	return NULL;
}

static struct err *rewrite(int fd, const char *xml)
{
	struct header fixed;
	struct err *e = read_all(fd, &fixed, sizeof(fixed));

	if (!e)
		e = check_header(&fixed);
	if (e)
		return e;

	size_t len = sizeof(fixed) + fixed.data_len;
	cleanup_free struct header *h = xcalloc(len, 1);

	e = read_all(fd, h, len);
	if (!e)
		e = set_xml(h, xml);
	if (e)
		return e;

	/* In one go, so that who is killed leaves one definition or the other. */
	ssize_t n = pwrite(fd, h, len, 0);

	if (n < 0)
		return err_errno(errno, "cannot write to it");
	return (size_t)n == len ? NULL : err_new("cannot write all of its header");
}

struct err *save_image_set_xml(const char *path, const char *xml)
{
	cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return err_errno(errno, "cannot open saved guest '%s'", path);
	return err_wrap(rewrite(fd, xml), "saved guest '%s'", path);
}
