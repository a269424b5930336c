/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "guest/agent/agent.h"
#include "guest/agent/agent-json.h"

/* Our longest message is a reply with 1 KiB read back, most of which could need an escape. */
#define JSON_OUT_MAX 4096

/*
 * The driver copies each write to kernel memory in one piece; when memory is short, one page is easier to
 * get.
 */
#define WRITE_MAX 4096

/* Devices and the host are there at once or never; these limits are for mishaps. */
#define PORT_WAIT_US 5000000
#define HOST_WAIT_US 60000000

int port_fd = -1;

static struct json_writer out;
static char out_json[PROTO_FRAME_BYTES + JSON_OUT_MAX];
static _Alignas(8) char out_payload[PROTO_PAYLOAD_MAX];

static char in[PROTO_FRAME_BYTES + PROTO_JSON_MAX + 1];
static size_t in_len;

static bool find_port(char *path, size_t size)
{
	DIR *dir = opendir("/sys/class/virtio-ports");
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		char name_path[320], name[64] = "";

		snprintf(name_path, sizeof(name_path), "/sys/class/virtio-ports/%s/name", entry->d_name);
		if (entry->d_name[0] == '.' || file_read(name_path, name, sizeof(name), NULL))
			continue;
		name[strcspn(name, "\n")] = '\0';
		found = strcmp(name, PROTO_PORT_NAME) == 0;
		if (found)
			snprintf(path, size, "/dev/%.32s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

const char *port_open(void)
{
	char path[64];
	uint64_t start = now_us();

	while (!find_port(path, sizeof(path))) {
		if (now_us() - start > PORT_WAIT_US)
			return fail("no virtio-serial port named '%s'", PROTO_PORT_NAME);
		sleep_us(2000);
	}
	port_fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (port_fd < 0)
		return fail("cannot open '%s': %s", path, strerror(errno));
	for (;;) {
		struct pollfd p = { .fd = port_fd, .events = POLLOUT };

		if (poll(&p, 1, 0) >= 0 && !(p.revents & POLLHUP))
			return NULL;
		if (now_us() - start > HOST_WAIT_US)
			return fail("the host never opened the port");
		sleep_us(2000);
	}
}

/* Waits until the host takes more; a sample that falls due meanwhile is taken. */
static void wait_writable(void)
{
	struct pollfd p[2] = {
		{ .fd = port_fd, .events = POLLOUT },
		{ .fd = sample_timer_fd, .events = POLLIN },
	};

	if (poll(p, 2, -1) < 0)
		return;
	if (p[0].revents & (POLLHUP | POLLERR | POLLNVAL)) {
		say("the host is gone");
		power_off();
	}
	if (p[1].revents)
		sample_tick();
}

static void write_all(const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(port_fd, data, len < WRITE_MAX ? len : WRITE_MAX);

		if (n > 0) {
			data += n;
			len -= (size_t)n;
		} else if (n == 0 || errno == EAGAIN || errno == EINTR) {
			wait_writable();
		} else {
			say("cannot write to the port: %s", strerror(errno));
			power_off();
		}
	}
}

void msg_begin(const char *type)
{
	json_open(&out, out_json + PROTO_FRAME_BYTES, JSON_OUT_MAX);
	msg_string("type", type);
}

void msg_int(const char *key, int64_t value)
{
	json_put_int(&out, key, value);
}

void msg_bool(const char *key, bool value)
{
	json_put_bool(&out, key, value);
}

void msg_text(const char *key, const char *text, size_t len)
{
	json_put_text(&out, key, text, len);
}

void msg_string(const char *key, const char *text)
{
	json_put_text(&out, key, text, strlen(text));
}

char *msg_payload(void)
{
	return out_payload;
}

void msg_send(uint32_t payload_len)
{
	size_t json_len = json_close(&out);

	proto_encode((uint8_t *)out_json, out_json + PROTO_FRAME_BYTES, (uint32_t)json_len, out_payload,
		     payload_len);
	write_all(out_json, PROTO_FRAME_BYTES + json_len);
	write_all(out_payload, payload_len);
}

void msg_reply(int64_t id, const char *error)
{
	msg_begin("reply");
	msg_int("id", id);
	msg_bool("ok", !error);
	msg_string("error", error ? error : "");
	msg_send(0);
}

_Noreturn static void refuse_frame(const char *why)
{
	say("frame from the host: %s", why);
	power_off();
}

/* Handles the first frame of the buffer, if it is complete, and removes it. */
static bool take_frame(void)
{
	struct proto_frame f;
	const char *error;

	if (in_len < PROTO_FRAME_BYTES)
		return false;
	error = proto_decode((uint8_t *)in, &f);
	if (error)
		refuse_frame(error);
	if (f.payload_len > 0)
		refuse_frame("it has a payload, which the host never sends");

	size_t frame_len = PROTO_FRAME_BYTES + f.json_len;
	char *json = in + PROTO_FRAME_BYTES;

	if (in_len < frame_len)
		return false;
	if (!proto_crc_matches(&f, json, ""))
		refuse_frame("bad checksum");

	/* The parser needs a 0 byte after its text, where the next frame begins. */
	char next = in[frame_len];

	in[frame_len] = '\0';
	agent_handle(json, f.json_len);
	in[frame_len] = next;
	in_len -= frame_len;
	memmove(in, in + frame_len, in_len);
	return true;
}

void port_receive(void)
{
	ssize_t n = read(port_fd, in + in_len, sizeof(in) - 1 - in_len);

	if (n <= 0)
		return; /* EAGAIN, or a host that left: the poll after this one says so */
	in_len += (size_t)n;
	while (take_frame())
		;
}
