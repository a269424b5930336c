/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the host and the agent in the guest say to each other over one
 * virtio-serial port.
 *
 * A frame is 16 bytes of little-endian header, then a JSON object, then raw bytes:
 *
 *     u32 magic | u32 json_len | u32 payload_len | u32 crc | json | payload
 *
 * crc is the CRC-32 of the two lengths, the JSON and the payload. A frame that breaks a rule ends
 * the conversation: after a bad length nothing that follows can be trusted.
 *
 * The JSON object is flat: values are strings, integers, booleans, or arrays of strings. Its "type"
 * names the message.
 *
 * Host to agent. Each has an integer "id"; the agent answers with one "reply" that carries it.
 *
 *   write     path, value          write value to a file, read it back: reply.value is the text
 *                                  read back (at most 1 KiB) without its last newline, "" when
 *                                  unreadable
 *   read      path                 "file" frames, then the reply
 *   zram                           load the modules of zram, which are not loaded before: /dev/zram0 is
 *                                  there then, of size 0. Refused when the guest has none; before swapon
 *   swapon    device, [mkswap_kib] a path, or the serial of a disk. mkswap_kib: first write the header of
 *                                  a swap area of this size
 *   watch     tick_ms, rule, pages, window_ms, freeze(bool), [align_ms]
 *                                  start sampling; apply the onset rule on each tick, baseline = the
 *                                  sample taken now; freeze the load at onset. tick_ms 0 ends
 *                                  sampling; the samples so far are sent before the reply
 *   start     argv[], env[], chroot(bool), group, [align_ms]
 *                                  start a process in that cgroup: in the root image as a user
 *                                  without rights when chroot, else in the initramfs as root (ballast);
 *                                  reply.pid. The reply comes
 *                                  when exec worked or failed; refused while the group is frozen
 *                                  group, of this and others: "load", which all evidence is about, or
 *                                  "ballast": what grows beside a load. A ballast alone is a load
 *                                  align_ms, of both: first wait for the next multiple of so many ms of
 *                                  guest time (at most 2000), so that with an instruction-counted clock
 *                                  equal lives stay equal, however late the host is
 *   resume    pid, line            send a line to the resume fd of a load process
 *   signal    group, sig           to every process of the group
 *   unreference                    clears the reference bits of file pages in the load's page tables (3 to
 *                                  clear_refs): smaps then tells which of them are used from now on. It
 *                                  makes private copies of such pages the first to be swapped
 *   age                            clears the reference bits of all pages of all processes (1 to clear_refs):
 *                                  what is not used from now on is the first to be reclaimed
 *   freeze, thaw  group            reply.freeze_us: how long it took
 *   snapshot  name, [only]         "file" frames for every process and the guest, then the reply. A file of a
 *                                  process is a kernel text, or "pagemap": its pages as rows of struct
 *                                  proto_page_run. only: nothing but the text of that name of each
 *                                  process. The last file of the guest is "agent": what taking the
 *                                  snapshot cost, as lines "key value": freeze_us (from the order to freeze
 *                                  until the load stood still), evidence_us (from the first file's to the
 *                                  last one's end), frozen_us (from the order to freeze until now; both 0
 *                                  when the load is not frozen)
 *   hello                          no reply, but a hello again, for a host that did not hear the first one,
 *                                  as when the guest goes on from a saved state
 *   poweroff                       no reply
 *
 * Agent to host:
 *
 *   hello       proto, agent, kernel, mem_total_kib, mem_available_kib, page_size, cpus, error
 *               (error: "" or why the guest is unfit, e.g. the root image did not mount)
 *   reply       id, ok(bool), error
 *   heartbeat   t_us, rss_kib, samples, sample_cpu_us_mean, sample_cpu_us_max, and of load and ballast so
 * far: forks_refused (how often it was kept from having more than PROTO_LOAD_TASKS_MAX processes and
 *               threads), oom_kills (how many of its processes the kernel has killed to get memory)
 *   samples     seq, count; payload: count rows of struct proto_sample; seq is the number of the first,
 *               counted from 0 since `watch`
 *   onset       t_us, swapped_pages (since the baseline), freeze_us, frozen(bool: false when it was not asked
 *               for or did not work); sent after both groups are frozen and after the samples up to then
 *   checkpoint  pid, line          what came after "checkpoint " in a line a load wrote to its
 *                                  checkpoint fd, each byte that is not printable ASCII as '?'. Any other
 *                                  line, and the start of one over 200 bytes, has bad = true
 *   output      pid; payload: what a load wrote to stdout or stderr (cut after 16 KiB per load)
 *   exit        pid, status, signal, forks_refused, oom_kills; the last message about that process
 *   file        id, pid (0: the guest), name, more(bool); payload: a piece of raw text. A file that could
 *               not be read, or a process that vanished, has error and no payload
 */

#include <stdint.h>
#include <string.h>

/** Version of everything in this header; both ends must have the same. */
#define PROTO_VERSION 6

/** "SWC1", read as a little-endian number. */
#define PROTO_MAGIC 0x31435753u

#define PROTO_FRAME_BYTES 16

/** Largest JSON part: an argv with room to spare, small beside the agent's memory budget. */
#define PROTO_JSON_MAX 8192

/** Largest payload: a smaller one costs more round trips through virtio, a larger one more agent memory. */
#define PROTO_PAYLOAD_MAX 32768

/** Name of the virtio-serial port, as the guest finds it in /sys/class/virtio-ports. */
#define PROTO_PORT_NAME "org.swapcal.agent.0"

/** Block device serials, as the guest finds them in /sys/block/DEVICE/serial. */
#define PROTO_SERIAL_ROOT "swapcal-root"
#define PROTO_SERIAL_SWAP "swapcal-swap"
/** A writable ext4, mounted at PROTO_SCRATCH_DIR when there is one. */
#define PROTO_SERIAL_SCRATCH "swapcal-scratch"
#define PROTO_SCRATCH_DIR    "/scratch"
/** A read-only ext4 with a user's workloads; when there is one, loads in the root image see it at
 * PROTO_USER_DIR. */
#define PROTO_SERIAL_USER "swapcal-user"
#define PROTO_USER_DIR    "/mnt"

/**
 * A load may have so many processes and threads at a time. No sensible load has more; the agent has tables of
 * this size.
 */
#define PROTO_LOAD_TASKS_MAX 512

/**
 * Exit status of a load that cannot be made in its guest, as in Automake's tests; what the load printed last
 * says why.
 */
#define PROTO_STATUS_NOT_APPLICABLE 77

/** On each so many ticks memory.stat is read: kernels make some 60 lines for it, so not on each. */
#define PROTO_STAT_TICKS 5

/**
 * The counters of one sample, in order. t_us is CLOCK_MONOTONIC of the guest; load_pages is how many
 * pages the ballasts hold so far (0 for other loads); swap_used_kib is SwapTotal - SwapFree; load_kib and
 * ballast_kib are memory.current of the two cgroups. Columns load_stat_* are of the load's memory.stat, and
 * load_stat_swap_kib is its memory.swap.current: read on each PROTO_STAT_TICKS-th tick, at onset, and first
 * thing after the load was frozen or thawed; in between the last values are repeated. The rest are counters
 * of /proc/vmstat. All are 0 where the kernel has none. allocstall is the sum over zones.
 */
#define PROTO_SAMPLE_COLUMNS(X)                                                                              \
	X(t_us)                                                                                              \
	X(load_pages)                                                                                        \
	X(load_kib)                                                                                          \
	X(ballast_kib)                                                                                       \
	X(load_stat_active_anon_kib)                                                                         \
	X(load_stat_inactive_anon_kib)                                                                       \
	X(load_stat_active_file_kib)                                                                         \
	X(load_stat_inactive_file_kib)                                                                       \
	X(load_stat_unevictable_kib)                                                                         \
	X(load_stat_kernel_kib)                                                                              \
	X(load_stat_slab_reclaimable_kib)                                                                    \
	X(load_stat_swapcached_kib)                                                                          \
	X(load_stat_swap_kib)                                                                                \
	X(swap_used_kib)                                                                                     \
	X(pswpout)                                                                                           \
	X(pswpin)                                                                                            \
	X(zswpout)                                                                                           \
	X(swpout_zero)                                                                                       \
	X(nr_free_pages)                                                                                     \
	X(nr_file_pages)                                                                                     \
	X(nr_anon_pages)                                                                                     \
	X(nr_shmem)                                                                                          \
	X(nr_active_file)                                                                                    \
	X(nr_inactive_file)                                                                                  \
	X(nr_swapcached)                                                                                     \
	X(pgmajfault)                                                                                        \
	X(pgscan_kswapd)                                                                                     \
	X(pgscan_direct)                                                                                     \
	X(pgsteal_file)                                                                                      \
	X(pgsteal_anon)                                                                                      \
	X(workingset_refault_file)                                                                           \
	X(workingset_refault_anon)                                                                           \
	X(allocstall)                                                                                        \
	X(oom_kill)

/** One row of the sampled series, host byte order (both ends are little-endian x86-64). */
struct proto_sample {
#define X(name) uint64_t name;
	PROTO_SAMPLE_COLUMNS(X)
#undef X
};

/**
 * Pages swapped out since boot: to disk, to zswap, and pages of zeros that newer kernels do not write. A page
 * that zswap writes to disk later counts twice: this is for telling the start of swapping, not its amount.
 * The sum wraps at 2^64 as the counters do.
 */
static inline uint64_t proto_swapped_out(const struct proto_sample *s)
{
	return s->pswpout + s->zswpout + s->swpout_zero;
}

/** Names of the members of struct proto_sample, comma separated, as stored beside a series. */
#define PROTO_X_NAME_(name) "," #name
#define PROTO_SAMPLE_NAMES  ((PROTO_SAMPLE_COLUMNS(PROTO_X_NAME_)) + 1)

/**
 * Neighbouring pages of a process that are alike, from /proc/PID/pagemap, /proc/kpageflags and
 * /proc/kpagecount; little-endian, by address. Pages that are neither in RAM nor in swap are left out.
 *
 * Page i of a run is at address + i * 4096. In RAM (bit 63 of entry) its frame is the PFN of entry plus
 * i * step. In swap (bit 62) its slot is that of entry: type in bits 0-4, offset in bits 5-54, the offset
 * being i * step further. All other bits of entry, flags and mapcount are the same for every page.
 */
struct proto_page_run {
	uint64_t address;  /**< virtual, of the first page */
	uint64_t entry;    /**< of the first page in pagemap, as the kernel gave it */
	uint64_t flags;    /**< of kpageflags; 0 in swap */
	uint32_t mapcount; /**< of kpagecount, at most 2^32 - 1; 0 in swap */
	uint16_t pages;    /**< at least 1 */
	int16_t step;      /**< -1, 0 (the page of zeros, again and again) or 1 */
};

struct proto_frame {
	uint32_t json_len;
	uint32_t payload_len;
	uint32_t crc;
};

static inline uint32_t proto_crc32(uint32_t crc, const void *data, uint32_t len)
{
	/* CRC-32 as in IEEE 802.3, a nibble at a time: 64 bytes of table instead of 1 KiB. */
	static const uint32_t table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	const uint8_t *p = data;

	crc = ~crc;
	for (uint32_t i = 0; i < len; i++) {
		crc = table[(crc ^ p[i]) & 15] ^ (crc >> 4);
		crc = table[(crc ^ (uint32_t)(p[i] >> 4)) & 15] ^ (crc >> 4);
	}
	return ~crc;
}

static inline void proto_put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

static inline uint32_t proto_get32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/** Fills the 16 bytes before a frame of these parts. */
static inline void proto_encode(uint8_t head[PROTO_FRAME_BYTES], const void *json, uint32_t json_len,
				const void *payload, uint32_t payload_len)
{
	proto_put32(head, PROTO_MAGIC);
	proto_put32(head + 4, json_len);
	proto_put32(head + 8, payload_len);

	uint32_t crc = proto_crc32(0, head + 4, 8);

	crc = proto_crc32(crc, json, json_len);
	crc = proto_crc32(crc, payload, payload_len);
	proto_put32(head + 12, crc);
}

/** Reads the 16 bytes before a frame. NULL, or what is wrong with them. */
static inline const char *proto_decode(const uint8_t head[PROTO_FRAME_BYTES], struct proto_frame *ret)
{
	if (proto_get32(head) != PROTO_MAGIC)
		return "bad magic";

	struct proto_frame f = { proto_get32(head + 4), proto_get32(head + 8), proto_get32(head + 12) };

	if (f.json_len < 2 || f.json_len > PROTO_JSON_MAX)
		return "bad header length";
	if (f.payload_len > PROTO_PAYLOAD_MAX)
		return "bad payload length";
	*ret = f;
	return 0;
}

/** Does the content of a frame agree with its checksum? */
static inline int proto_crc_matches(const struct proto_frame *f, const void *json, const void *payload)
{
	uint8_t lengths[8];

	proto_put32(lengths, f->json_len);
	proto_put32(lengths + 4, f->payload_len);

	uint32_t crc = proto_crc32(0, lengths, 8);

	crc = proto_crc32(crc, json, f->json_len);
	return proto_crc32(crc, payload, f->payload_len) == f->crc;
}
