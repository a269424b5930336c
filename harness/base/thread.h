/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <pthread.h>

/**
 * Starts a thread that no signal is delivered to: they are for the threads of the program that know what to
 * do with them. Returns 0 or an errno value.
 */
int thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);
