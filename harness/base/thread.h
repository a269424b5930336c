/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <pthread.h>

#include "harness/base/cleanup.h"

/**
 * Starts a thread that no signal is delivered to: they are for the threads of the program that know what to
 * do with them. Returns 0 or an errno value.
 */
int thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);

static inline pthread_mutex_t *lock_(pthread_mutex_t *mutex)
{
	pthread_mutex_lock(mutex);
	return mutex;
}

static inline void unlock_(pthread_mutex_t **mutex)
{
	pthread_mutex_unlock(*mutex);
}

/** Holds a mutex to the end of the scope. */
#define hold(mutex) cleanup(unlock_) __attribute__((unused)) pthread_mutex_t *held_ = lock_(mutex)
