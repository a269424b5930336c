/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The head of a guest that libvirt saved: another definition goes in, all else stays; what is no such file is
 * refused. */
#include "harness/vm/save-image.h"

#include <stdint.h>

#include "tests/unit/errors.h"

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

static const struct image good = {
	.magic = { 'L', 'i', 'b', 'v', 'i', 'r', 't', 'Q', 'e', 'm', 'u', 'd', 'S', 'a', 'v', 'e' },
	.version = 2,
	.data_len = DATA_LEN,
	.was_running = 1,
	.cookie_offset = sizeof(OLD),
	.data = OLD "\0" COOKIE,
	.memory = MEMORY,
};

/** Puts the definition into the first len bytes of an image, which become what they are then. */
static struct err *set(struct image *image, size_t len, const char *xml)
{
	cleanup_strbuf struct strbuf now = STRBUF_INIT;

	must(file_write_atomic("image", image, len, 0600));

	struct err *e = save_image_set_xml("image", xml);

	must(file_read("image", len, &now));
	memcpy(image, now.data, len);
	return e;
}

static void test_good(void)
{
	static const char longer[] =
		"<domain>a definition that is longer than the one that was there</domain>";
	struct image image = good;

	no_err(set(&image, sizeof(image), longer), "a longer definition");
	is_str(image.data, longer, "is there");
	is_str(image.data + image.cookie_offset, COOKIE, "and libvirt's text behind it");
	is_int(image.cookie_offset, sizeof(longer), "where the header says");
	is_str(image.memory, MEMORY, "the guest's memory is where it was");
	is_int(image.data_len, DATA_LEN, "as the header says too");
	no_err(set(&image, sizeof(image), "<d/>"), "a shorter one");
	is_str(image.data, "<d/>", "replaces it");
	is_str(image.data + image.cookie_offset, COOKIE, "with the text behind it");

	size_t used = image.cookie_offset + sizeof(COOKIE), rest = 0;

	for (size_t i = used; i < DATA_LEN; i++)
		rest += image.data[i] != '\0';
	is_int(rest, 0, "and nothing of the longer one is left");
}

static void test_without_cookie(void)
{
	struct image image = good;

	image.cookie_offset = 0;
	no_err(set(&image, sizeof(image), "<d/>"), "an image without a text of libvirt's");
	is_int(image.cookie_offset, 0, "has none afterwards");
	is_str(image.data, "<d/>", "but the definition");
}

/** The image is refused with that text, and stays what it is. */
static void is_refused(struct image image, size_t len, const char *xml, const char *text, const char *what)
{
	struct image before = image;

	is_err(set(&image, len, xml), text, what);
	ok(memcmp(&before, &image, len) == 0, "and stays what it is");
}

/** Refuses the good image with another value in place of one. */
#define refuses(member, value, text, what)                                                                   \
	({                                                                                                   \
		struct image image_ = good;                                                                  \
		image_.member = (value);                                                                     \
		is_refused(image_, sizeof(image_), "<d/>", text, what);                                      \
	})

static void test_bad(void)
{
	struct image image = good;
	char large[DATA_LEN];

	memset(large, 'x', sizeof(large));
	/* One byte too many: the definition and the cookie have a NUL each. */
	large[DATA_LEN - sizeof(COOKIE)] = '\0';
	is_refused(image, sizeof(image), large, "does not fit", "a definition that is too large is refused");
	large[DATA_LEN - sizeof(COOKIE) - 1] = '\0';
	no_err(set(&image, sizeof(image), large), "the largest one is not");
	is_refused(good, 50, "<d/>", "cut off", "a file that ends in its header is refused");
	is_refused(good, 200, "<d/>", "cut off", "and one that ends in its definition");
	refuses(version, 3, "version 3", "a version that we do not know");
	refuses(data_len, UINT32_MAX, "damaged", "a length out of reason");
	refuses(cookie_offset, DATA_LEN, "damaged", "a text behind the end");
	image = good;
	memcpy(image.magic, "LibvirtQemudPart", 16);
	is_refused(image, sizeof(image), "<d/>", "not completed", "one that was not saved to its end");
	memcpy(image.magic, "SomethingElse...", 16);
	is_refused(image, sizeof(image), "<d/>", "not a guest that libvirt saved", "another kind of file");
	image = good;
	memset(image.data + image.cookie_offset, 'x', DATA_LEN - image.cookie_offset);
	is_refused(image, sizeof(image), "<d/>", "damaged", "a text without an end");
}

int main(void)
{
	test_enter_dir();
	test_good();
	test_without_cookie();
	test_bad();
	is_err(save_image_set_xml("none", "<d/>"), "cannot open saved guest", "a file that is not there");
	return tap_done();
}
