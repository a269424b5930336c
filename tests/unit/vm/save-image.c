/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The head of a guest that libvirt saved: another definition goes in, all else stays; what is no such file is
 * refused. */
#include "harness/vm/save-image.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/file.h"
#include "tests/tap.h"

#define DATA_LEN 300
#define OLD      "<domain>old</domain>"
#define COOKIE   "<cookie/>"
#define MEMORY   "QEVM and so on"

/* As libvirt lays it out on x86-64. */
struct image {
	char magic[16];
	uint32_t version, data_len, was_running, compressed, cookie_offset, unused[14];
	char data[DATA_LEN];
	char memory[sizeof(MEMORY)];
};

static char path[] = "/tmp/swapcal-save-XXXXXX";

static struct image make_image(void)
{
	struct image image = {
		.magic = { 'L', 'i', 'b', 'v', 'i', 'r', 't', 'Q', 'e', 'm', 'u', 'd', 'S', 'a', 'v', 'e' },
		.version = 2,
		.data_len = DATA_LEN,
		.was_running = 1,
		.cookie_offset = sizeof(OLD),
		.data = OLD "\0" COOKIE,
		.memory = MEMORY,
	};

	return image;
}

/** What becomes of the image when the definition is put in: *image afterwards, and the error's text, to be
 * freed; "" when there is none. */
static char *set(struct image *image, size_t len, const char *xml)
{
	cleanup_strbuf struct strbuf now = STRBUF_INIT;
	struct err *e = file_write_atomic(path, image, len, 0600);

	if (e)
		abort();
	e = save_image_set_xml(path, xml);

	char *text = xstrdup(e ? err_message(e) : "");

	err_free(e);
	if (file_read(path, sizeof(*image), &now) || now.len != len)
		abort();
	memcpy(image, now.data, len);
	return text;
}

static void test_good(void)
{
	struct image image = make_image();
	static const char longer[] =
		"<domain>a definition that is longer than the one that was there</domain>";
	cleanup_free char *first = set(&image, sizeof(image), longer);

	is_str(first, "", "a longer definition");
	is_str(image.data, longer, "is there");
	is_str(image.data + image.cookie_offset, COOKIE, "and libvirt's text behind it");
	is_int(image.cookie_offset, sizeof(longer), "where the header says");
	is_str(image.memory, MEMORY, "the guest's memory is where it was");
	is_int(image.data_len, DATA_LEN, "as the header says too");

	cleanup_free char *second = set(&image, sizeof(image), "<d/>");

	is_str(second, "", "a shorter one");
	is_str(image.data, "<d/>", "replaces it");
	is_str(image.data + image.cookie_offset, COOKIE, "with the text behind it");

	size_t used = image.cookie_offset + sizeof(COOKIE), rest = 0;

	for (size_t i = used; i < DATA_LEN; i++)
		rest += image.data[i] != '\0';
	is_int(rest, 0, "and nothing of the longer one is left");
}

static void test_without_cookie(void)
{
	struct image image = make_image();

	image.cookie_offset = 0;

	cleanup_free char *said = set(&image, sizeof(image), "<d/>");

	is_str(said, "", "an image without a text of libvirt's");
	is_int(image.cookie_offset, 0, "has none afterwards");
	is_str(image.data, "<d/>", "but the definition");
}

/** The image is refused with that text, and stays what it is. */
static void is_refused(struct image image, size_t len, const char *xml, const char *text, const char *what)
{
	struct image before = image;
	cleanup_free char *said = set(&image, len, xml);

	has_str(said, text, what);
	ok(memcmp(&before, &image, len) == 0, "and stays what it is");
}

static void test_bad(void)
{
	struct image image = make_image();
	char large[DATA_LEN];

	memset(large, 'x', sizeof(large));
	/* One byte too many: the definition and the cookie have a NUL each. */
	large[DATA_LEN - sizeof(COOKIE)] = '\0';
	is_refused(image, sizeof(image), large, "does not fit", "a definition that is too large is refused");
	large[DATA_LEN - sizeof(COOKIE) - 1] = '\0';

	cleanup_free char *said = set(&image, sizeof(image), large);

	is_str(said, "", "the largest one is not");
	image = make_image();
	is_refused(image, 50, "<d/>", "cut off", "a file that ends in its header is refused");
	is_refused(image, 200, "<d/>", "cut off", "and one that ends in its definition");
	memcpy(image.magic, "LibvirtQemudPart", 16);
	is_refused(image, sizeof(image), "<d/>", "not completed", "one that was not saved to its end");
	memcpy(image.magic, "SomethingElse...", 16);
	is_refused(image, sizeof(image), "<d/>", "not a guest that libvirt saved", "another kind of file");
	image = make_image();
	image.version = 3;
	is_refused(image, sizeof(image), "<d/>", "version 3", "a version that we do not know");
	image = make_image();
	image.data_len = UINT32_MAX;
	is_refused(image, sizeof(image), "<d/>", "damaged", "a length out of reason");
	image = make_image();
	image.cookie_offset = DATA_LEN;
	is_refused(image, sizeof(image), "<d/>", "damaged", "a text behind the end");
	image = make_image();
	memset(image.data + image.cookie_offset, 'x', DATA_LEN - image.cookie_offset);
	is_refused(image, sizeof(image), "<d/>", "damaged", "a text without an end");
}

int main(void)
{
	int fd = mkstemp(path);

	if (fd < 0)
		return 1;
	close(fd);
	test_good();
	test_without_cookie();
	test_bad();
	unlink(path);

	struct err *e = save_image_set_xml(path, "<d/>");

	has_str(e ? err_message(e) : "", "cannot open saved guest", "a file that is not there is an error");
	err_free(e);
	return tap_done();
}
