/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "harness/base/strbuf.h"
#include "tests/sim/guest-sim-internal.h"

/* As much of the kernel's texts as keeps the parsers and the metrics busy, consistent in itself. */

static void add_kib(struct strbuf *sb, const char *key, uint64_t kib)
{
	strbuf_addf(sb, "%s:%*s%8" PRIu64 " kB\n", key, (int)(15 - strlen(key)), "", kib);
}

/* The fields of private memory of which anon_kib is not backed by a file. */
static void add_smaps_fields(struct strbuf *sb, uint64_t rss_kib, uint64_t anon_kib, uint64_t swap_kib)
{
	add_kib(sb, "Rss", rss_kib);
	add_kib(sb, "Pss", rss_kib);
	add_kib(sb, "Pss_Dirty", anon_kib);
	add_kib(sb, "Shared_Clean", 0);
	add_kib(sb, "Shared_Dirty", 0);
	add_kib(sb, "Private_Clean", rss_kib - anon_kib);
	add_kib(sb, "Private_Dirty", anon_kib);
	add_kib(sb, "Referenced", rss_kib);
	add_kib(sb, "Anonymous", anon_kib);
	add_kib(sb, "LazyFree", 0);
	add_kib(sb, "AnonHugePages", 0);
	add_kib(sb, "Swap", swap_kib);
	add_kib(sb, "SwapPss", swap_kib);
	add_kib(sb, "Locked", 0);
}

static void add_mapping(struct strbuf *sb, uint64_t start, const char *tail, uint64_t size_kib)
{
	strbuf_addf(sb, "%08" PRIx64 "-%08" PRIx64 " %s\n", start, start + size_kib * 1024, tail);
	add_kib(sb, "Size", size_kib);
}

static void say_file(struct guest *g, json_int_t id, int pid, const char *name, const struct strbuf *text)
{
	sim_say(g,
		json_pack("{s:s, s:I, s:i, s:s, s:b}", "type", "file", "id", id, "pid", pid, "name", name,
			  "more", 0),
		strbuf_str(text), text->len);
}

static void say_process(struct guest *g, json_int_t id, int pid, uint64_t held, uint64_t swap_used)
{
	uint64_t swap = swap_used < held ? swap_used : held, rss = held - swap;
	cleanup_strbuf struct strbuf smaps = STRBUF_INIT, rollup = STRBUF_INIT, status = STRBUF_INIT,
				     statm = STRBUF_INIT;

	add_mapping(&smaps, 0x400000, "r-xp 00000000 fe:00 12       /load", SIM_OVERHEAD_KIB);
	add_smaps_fields(&smaps, SIM_OVERHEAD_KIB, 0, 0);
	strbuf_adds(&smaps, "THPeligible:    0\nVmFlags: rd ex mr mw me sd \n");
	if (held) {
		add_mapping(&smaps, 0x7f0000000000, "rw-p 00000000 00:00 0 ", held);
		add_smaps_fields(&smaps, rss, rss, swap);
		strbuf_adds(&smaps, "THPeligible:    0\nVmFlags: rd wr mr mw me ac nh sd \n");
	}
	strbuf_adds(&rollup, "00400000-7fffffffe000 ---p 00000000 00:00 0      [rollup]\n");
	add_smaps_fields(&rollup, SIM_OVERHEAD_KIB + rss, rss, swap);
	strbuf_addf(&status, "Name:\tload\nPid:\t%d\n", pid);
	add_kib(&status, "VmSize", SIM_OVERHEAD_KIB + held);
	add_kib(&status, "VmRSS", SIM_OVERHEAD_KIB + rss);
	add_kib(&status, "RssAnon", rss);
	add_kib(&status, "RssFile", SIM_OVERHEAD_KIB);
	add_kib(&status, "VmPTE", held / 512 + 40);
	add_kib(&status, "VmSwap", swap);
	strbuf_addf(&statm, "%" PRIu64 " %" PRIu64 " %d %d 0 %" PRIu64 " 0\n", (SIM_OVERHEAD_KIB + held) / 4,
		    (SIM_OVERHEAD_KIB + rss) / 4, SIM_OVERHEAD_KIB / 4, SIM_OVERHEAD_KIB / 4, held / 4);

	say_file(g, id, pid, "smaps_rollup", &rollup);
	say_file(g, id, pid, "smaps", &smaps);
	say_file(g, id, pid, "status", &status);
	say_file(g, id, pid, "statm", &statm);
}

static void say_guest_files(struct guest *g, json_int_t id, const struct proto_sample *s)
{
	cleanup_strbuf struct strbuf meminfo = STRBUF_INIT, vmstat = STRBUF_INIT, zoneinfo = STRBUF_INIT;

	add_kib(&meminfo, "MemTotal", g->params->mem_total_kib);
	add_kib(&meminfo, "MemFree", s->nr_free_pages * 4);
	add_kib(&meminfo, "MemAvailable", s->nr_free_pages * 4);
	add_kib(&meminfo, "Cached", s->nr_file_pages * 4);
	add_kib(&meminfo, "AnonPages", s->nr_anon_pages * 4);
	add_kib(&meminfo, "SwapTotal", g->swap_kib);
	add_kib(&meminfo, "SwapFree", g->swap_kib - s->swap_used_kib);
	strbuf_addf(&vmstat,
		    "nr_free_pages %" PRIu64 "\nnr_anon_pages %" PRIu64 "\nnr_file_pages %" PRIu64
		    "\npswpin 0\npswpout %" PRIu64 "\npgscan_kswapd %" PRIu64 "\noom_kill %" PRIu64
		    "\nswpout_zero %" PRIu64 "\n",
		    s->nr_free_pages, s->nr_anon_pages, s->nr_file_pages, s->pswpout, s->pgscan_kswapd,
		    s->oom_kill, s->swpout_zero);
	strbuf_addf(&zoneinfo, "Node 0, zone    DMA32\n  pages free     %" PRIu64 "\n        min      500\n",
		    s->nr_free_pages);

	say_file(g, id, 0, "meminfo", &meminfo);
	say_file(g, id, 0, "vmstat", &vmstat);
	say_file(g, id, 0, "zoneinfo", &zoneinfo);
}

void sim_say_evidence(struct guest *g, json_int_t id)
{
	struct proto_sample s;

	sim_take_sample(g, &s);
	say_guest_files(g, id, &s);
	for (unsigned i = 0; i < g->fixed_n + g->forked_n; i++)
		say_process(g, id, SIM_FIXED_PID + (int)i, g->params->fixed_kib, 0);
	if (g->load.is_alive)
		say_process(g, id, SIM_LOAD_PID, sim_held_kib(g), s.swap_used_kib);
}
