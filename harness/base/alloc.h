/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdarg.h>
#include <stddef.h>

/*
 * Allocation that cannot fail: out of memory aborts the program. Freed with free().
 */

void *xmalloc(size_t size) __attribute__((returns_nonnull, malloc));
void *xcalloc(size_t n, size_t size) __attribute__((returns_nonnull, malloc));

/** Resizes to n elements of size bytes; aborts when n * size overflows. */
void *xreallocarray(void *p, size_t n, size_t size) __attribute__((returns_nonnull));

char *xstrdup(const char *s) __attribute__((returns_nonnull, malloc));

/** The first len bytes of data plus a terminating NUL. */
char *xmemdup0(const void *data, size_t len) __attribute__((returns_nonnull, malloc));

char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull, malloc));
char *xvasprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0), returns_nonnull, malloc));

/** How many elements an array has. */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/**
 * Makes room for one more element in a growing array and returns a pointer to
 * it, zeroed. array is an lvalue pointer, n and cap lvalue size_t.
 */
#define array_push(array, n, cap)                                                                            \
	((array) = array_grow((array), (n), &(cap), sizeof(*(array))), &(array)[(n)++])

/** For array_push() only. */
void *array_grow(void *array, size_t n, size_t *cap, size_t size) __attribute__((returns_nonnull));
