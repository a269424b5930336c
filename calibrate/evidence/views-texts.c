/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/evidence/views-texts.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"

/* Some thousand paths and keys; a longer text gets a block of its own. */
#define BLOCK_BYTES 65536

struct texts_block {
	struct texts_block *next;
	char data[];
};

struct texts_slot {
	const char *text; /* NULL: free */
	size_t len;
	uint64_t hash;
};

/* Any odd number with bits all over: it spreads those of the text. */
#define HASH_FACTOR 0x9e3779b97f4a7c15ull

static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * HASH_FACTOR;
	return h ^ (h >> 29);
}

/* The hash depends on the pool's address, so that nobody can make texts that collide. */
static uint64_t hash(const struct texts *t, const char *text, size_t len)
{
	uint64_t h = mix((uintptr_t)t, len), word;

	for (; len >= sizeof(word); len -= sizeof(word), text += sizeof(word)) {
		memcpy(&word, text, sizeof(word));
		h = mix(h, word);
	}
	word = 0;
	if (len)
		memcpy(&word, text, len);
	return mix(h, word);
}

void texts_deinit(struct texts *t)
{
	while (t->blocks) {
		struct texts_block *b = t->blocks;

		t->blocks = b->next;
		free(b);
	}
	free(t->slots);
	*t = (struct texts){ .n = 0 };
}

/* Where the text is, or the free slot where it would be. */
static struct texts_slot *find_slot(const struct texts *t, const char *text, size_t len, uint64_t h)
{
	size_t mask = t->slots_n - 1;

	for (size_t i = h & mask;; i = (i + 1) & mask) {
		struct texts_slot *s = &t->slots[i];

		if (!s->text || (s->hash == h && s->len == len && memcmp(s->text, text, len) == 0))
			return s;
	}
}

static void grow(struct texts *t)
{
	struct texts old = *t;

	t->slots_n = old.slots_n ? old.slots_n * 2 : 1024;
	t->slots = xcalloc(t->slots_n, sizeof(*t->slots));
	for (size_t i = 0; i < old.slots_n; i++) {
		const struct texts_slot *s = &old.slots[i];

		if (s->text)
			*find_slot(t, s->text, s->len, s->hash) = *s;
	}
	free(old.slots);
}

static char *take_space(struct texts *t, size_t n)
{
	if (n > t->left) {
		size_t bytes = n > BLOCK_BYTES ? n : BLOCK_BYTES;
		struct texts_block *b = xmalloc(sizeof(*b) + bytes);

		b->next = t->blocks;
		t->blocks = b;
		t->next = b->data;
		t->left = bytes;
	}

	char *p = t->next;

	t->next += n;
	t->left -= n;
	return p;
}

const char *texts_intern(struct texts *t, const char *text, size_t len)
{
	/* At most half full: then a slot is found in a step or two. */
	if (t->n * 2 >= t->slots_n)
		grow(t);

	uint64_t h = hash(t, text, len);
	struct texts_slot *s = find_slot(t, len ? text : "", len, h);

	if (!s->text) {
		char *copy = take_space(t, len + 1);

		if (len)
			memcpy(copy, text, len);
		copy[len] = '\0';
		*s = (struct texts_slot){ copy, len, h };
		t->n++;
	}
	return s->text;
}

const char *texts_find(const struct texts *t, const char *text, size_t len)
{
	return t->slots_n ? find_slot(t, len ? text : "", len, hash(t, text, len))->text : NULL;
}
