/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the host says of itself, from texts that Linux 6.18 wrote on a machine of 2 CPUs, and what of it
 * counts as a disturbance.
 */

#include "calibrate/evidence/pressure.h"
#include "tests/tap.h"

static const char psi_cpu[] = "some avg10=39.07 avg60=77.20 avg300=84.91 total=1066965920\n"
			      "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
static const char psi_memory[] = "some avg10=1.89 avg60=2.07 avg300=1.35 total=46895934\n"
				 "full avg10=0.43 avg60=0.35 avg300=0.12 total=21959390\n";
static const char vmstat[] = "pgpgout 7\npswpin 12\npswpout 345\npgalloc_dma 0\n";
static const char meminfo[] =
	"MemTotal:       24683728 kB\nMemFree:        21010640 kB\nMemAvailable:   23123104 kB\n"
	"SwapTotal:             0 kB\nSwapFree:              0 kB\n";

static void test_parse(void)
{
	const struct pressure_texts texts = { .psi_cpu = psi_cpu,
					      .psi_memory = psi_memory,
					      .vmstat = vmstat,
					      .meminfo = meminfo,
					      .loadavg = "6.72 7.35 5.18 4/158 31899\n" };
	struct pressure p = pressure_parse(&texts);

	is_near(p.cpu_some_us, 1066965920, 0, "time in which some task waited for a CPU");
	is_near(p.memory_some_us, 46895934, 0, "or for memory");
	is_near(p.memory_full_us, 21959390, 0, "or all did");
	ok(isnan(p.io_some_us) && isnan(p.io_full_us), "a file that is not there tells nothing");
	ok(p.pswpin == 12 && p.pswpout == 345, "pages swapped");
	ok(p.mem_total_kib == 24683728 && p.mem_available_kib == 23123104 && p.swap_free_kib == 0, "memory");
	is_near(p.load_1min, 6.72, 1e-9, "load");
}

static void test_bad_text(void)
{
	const struct pressure_texts texts = {
		.psi_cpu = "some avg10=1.00\nfull total=5\n", .psi_memory = "", .meminfo = "x", .loadavg = ""
	};
	struct pressure p = pressure_parse(&texts);

	ok(isnan(p.cpu_some_us), "a total of another line is not taken");
	ok(isnan(p.memory_some_us) && isnan(p.mem_total_kib) && isnan(p.load_1min),
	   "nor is anything made of nothing");
	ok(pressure_judge(&p, &p) == 0, "what is not known is no disturbance");
}

/** A host after 10 s in which nothing happened. */
static struct pressure calm_end(const struct pressure *begin)
{
	struct pressure p = *begin;

	p.t_us += 10e6;
	return p;
}

#define JUDGE(set, want, what)                                                                               \
	do {                                                                                                 \
		struct pressure end = calm_end(&begin);                                                      \
		set;                                                                                         \
		is_int(pressure_judge(&begin, &end), want, what);                                            \
	} while (0)

static void test_judge(void)
{
	const struct pressure begin = { .t_us = 5e6,
					.cpus = 2,
					.pswpin = 10,
					.pswpout = 20,
					.mem_total_kib = 1000,
					.mem_available_kib = 500,
					.load_1min = 2 };

	JUDGE((void)end, 0, "nothing happened");
	JUDGE(end.pswpout += 255, 0, "a few pages are something idle");
	JUDGE(end.pswpout += 256, PRESSURE_SWAPPED, "a MiB is swapping");
	JUDGE((end.pswpin += 128, end.pswpout += 128), PRESSURE_SWAPPED, "in or out");
	JUDGE(end.memory_some_us += 0.9e6, 0, "some waited for memory, for less than a tenth");
	JUDGE(end.memory_some_us += 1e6, PRESSURE_MEMORY, "a tenth");
	JUDGE(end.memory_full_us += 0.2e6, PRESSURE_MEMORY, "all waited, for a fiftieth");
	JUDGE(end.mem_available_kib = 49, PRESSURE_MEMORY, "hardly any is available");
	JUDGE(end.mem_available_kib = 50, 0, "enough is");
	JUDGE((end.load_1min = 8.1, end.cpu_some_us += 4.9e6), 0, "a load of the past");
	JUDGE((end.load_1min = 8.1, end.cpu_some_us += 5e6), PRESSURE_BUSY, "more than four tasks a CPU");
	JUDGE((end.load_1min = 8.1, end.cpu_some_us = (double)NAN), PRESSURE_BUSY,
	      "where only the load is known");
	JUDGE((end.load_1min = 3.6, end.cpu_some_us += 9.9e6), 0,
	      "two guests on two CPUs, which wait for each other");
}

TAP_MAIN(test_parse, test_bad_text, test_judge)
