/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "harness/base/err.h"

/*
 * The file that libvirt saves a guest to. It begins with a header, the guest's definition as XML, a text of
 * libvirt's own ("cookie"), and 64 KiB of zeros that are there for a longer definition; then comes what QEMU
 * wrote:
 *
 *     char[16] "LibvirtQemudSave" | u32 version | u32 data_len | u32 was_running | u32 compressed
 *     | u32 cookie_offset | u32[14] unused | data_len bytes: XML, NUL, cookie, NUL, zeros
 *
 * in the host's byte order. Until the file is complete, its first 16 bytes are others.
 */

/**
 * Puts another definition into a file. libvirt's own call for that refuses another name, which a second
 * guest from the same state needs. An error when the file is not one of version 2, not complete or damaged,
 * or when the definition does not fit.
 */
struct err *save_image_set_xml(const char *path, const char *xml) must_check;
