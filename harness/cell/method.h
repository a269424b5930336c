/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/** Largest number of processes of a workload: each has a line of its own to the agent. */
#define PLAN_PROCESSES_MAX 32

/** How a load meets a guest. */
enum method {
	METHOD_THRESHOLD,
	METHOD_GROWTH,
	METHOD_POPULATION,
	METHOD_DISPLACEMENT,
	METHOD_RAM,
};

/** The names, in the order of the methods; NULL at the end. */
extern const char *const method_names[];

const char *method_name(enum method method);

/** Largest number of methods, for arrays. */
#define METHOD_COUNT (METHOD_RAM + 1)
