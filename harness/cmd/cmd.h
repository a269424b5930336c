/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "harness/base/err.h"

/*
 * Subcommands. Each has a file cmd-NAME.c with a table of its options (argv[0] is its name). No other room
 * prints on stdout. An error's kind becomes the exit code.
 */

struct err *cmd_compare(int argc, char **argv) must_check;
struct err *cmd_doctor(int argc, char **argv) must_check;
struct err *cmd_export(int argc, char **argv) must_check;
struct err *cmd_image(int argc, char **argv) must_check;
struct err *cmd_measure(int argc, char **argv) must_check;
struct err *cmd_merge(int argc, char **argv) must_check;
struct err *cmd_metrics(int argc, char **argv) must_check;
struct err *cmd_report(int argc, char **argv) must_check;
struct err *cmd_run(int argc, char **argv) must_check;
struct err *cmd_status(int argc, char **argv) must_check;
struct err *cmd_validate(int argc, char **argv) must_check;
