/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>

#include "harness/base/err.h"
#include "harness/base/strbuf.h"
#include "harness/host/stage.h"
#include "harness/vm/guest.h"

/*
 * The line to a guest's agent: the socket that the guest's QEMU connects to, so that there is a line from the
 * first instruction on, and messages over it in the frames of guest/proto.h. The connection also tells which
 * process the QEMU is, whoever started it. Bytes of a guest are hostile: a frame that breaks a rule is an
 * error, after which the line must not be used again.
 */

/** The host's end of a line. */
struct channel {
	int fd;              /**< non-blocking; -1: there is none */
	pid_t pid;           /**< of the QEMU; 0 when it cannot be seen from here */
	int pidfd;           /**< -1 when it cannot be seen from here, or has ended */
	struct strbuf bytes; /**< received and not yet understood */
	size_t start;        /**< first byte of the next frame */
};

#define CHANNEL_INIT ((struct channel){ .fd = -1, .pidfd = -1 })

/** A listening socket at path; only user may connect, as far as we may arrange that. Removes what is there.
 */
struct err *channel_listen(const char *path, const struct stage_user *user, int *ret) must_check;

/** Accepts the first connection that comes from user uid within timeout_ms; others are turned away. */
struct err *channel_accept(int listen_fd, uid_t uid, int timeout_ms, struct channel *ret) must_check;

/** Closes what is open. */
void channel_deinit(struct channel *ch);

/**
 * Sends one message, waiting at most 10 s for room. After an error the line must not be used again: half a
 * message may be sent.
 */
struct err *channel_send(struct channel *ch, json_t *json) must_check;

/**
 * The next message; NULL in *ret when none came within timeout_ms. A closed line or a corrupt frame is an
 * error; so is the user's wish to stop (ERR_INTERRUPTED).
 */
struct err *channel_recv(struct channel *ch, int timeout_ms, struct guest_msg **ret) must_check;

/** What channel_recv() does with received bytes: takes them in. */
void channel_feed(struct channel *ch, const void *data, size_t len);

/**
 * The next complete message of them; *ret becomes NULL when more bytes are needed. The JSON is an object with
 * a string member "type".
 */
struct err *channel_next(struct channel *ch, struct guest_msg **ret) must_check;
