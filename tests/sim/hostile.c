/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A guest whose agent lies: whatever it says, whenever, a probe ends with one outcome and a reason that is
 * safe to print. Forged messages are mixed into the simulated guest's own, first some that were thought of,
 * then thousands at random: under sanitizers that is what this test is for.
 */
#include "tests/sim/guest-sim.h"
#include "tests/sim/spec.h"
#include "tests/unit/errors.h"

/** What the agent does beside the simulated one's work; one guest lives at a time. */
static struct evil {
	const char *first;                  /**< a message of its own before all others, or NULL */
	struct guest_msg *(*forge)(void);   /**< one at this call of recv, or NULL */
	void (*alter)(struct guest_msg *m); /**< changes what the simulated agent says */
} evil;

static bool has_heard_onset;

static struct guest_msg *new_msg(json_t *json, const void *payload, size_t len)
{
	struct guest_msg *m = xcalloc(1, sizeof(*m));

	m->json = json;
	m->payload = xmemdup0(payload, len);
	m->payload_len = len;
	return m;
}

static struct guest_msg *new_text(const char *text)
{
	return new_msg(json_loads(text, 0, NULL), "", 0);
}

static struct err *evil_recv(struct guest *g, int timeout_ms, struct guest_msg **ret)
{
	*ret = evil.first ? new_text(evil.first) : evil.forge ? evil.forge() : NULL;
	evil.first = NULL;
	if (*ret)
		return NULL;

	struct err *e = guest_sim_ops.recv(g, timeout_ms, ret);

	if (!e && *ret && evil.alter)
		evil.alter(*ret);
	return e;
}

static struct probe_record live(enum probe_kind kind)
{
	struct guest_sim_params params = GUEST_SIM_PARAMS_INIT;
	struct guest_ops ops = guest_sim_ops;
	struct probe_spec spec = make_spec(kind, kind == PROBE_GROWTH ? 0 : kind == PROBE_FIXED ? 100 : 512);
	struct probe_record r = { 0 };

	spec.has_rounds = kind == PROBE_DISPLACEMENT;
	spec.processes = kind == PROBE_DISPLACEMENT ? 3 : 1;
	ops.recv = evil_recv;
	must(probe_run(&ops, &params, &spec, NULL, &r));
	return r;
}

static bool is_type(const struct guest_msg *m, const char *type)
{
	return strcmp(json_string_value(json_object_get(m->json, "type")), type) == 0;
}

static void hear_onset(struct guest_msg *m)
{
	has_heard_onset |= is_type(m, "onset");
}

#define ONSET "{\"type\": \"onset\", \"t_us\": 5, \"frozen\": true}"

static struct guest_msg *onset_again(void)
{
	bool is_time = has_heard_onset;

	has_heard_onset = false;
	return is_time ? new_text(ONSET) : NULL;
}

static void thaw_at_onset(struct guest_msg *m)
{
	if (is_type(m, "onset"))
		json_object_set_new(m->json, "frozen", json_false());
}

static void forget_pages(struct guest_msg *m)
{
	const char *line = json_string_value(json_object_get(m->json, "line"));

	if (line && strncmp(line, "verified", 8) == 0)
		json_object_set_new(m->json, "line",
				    json_string("verified pages=10 bad=0 zero=0 swapped=0 touched=0"));
}

static void hide_onset(struct guest_msg *m)
{
	/* The workload ends, says the agent, which keeps to itself that the guest has swapped. */
	if (!is_type(m, "onset"))
		return;
	has_heard_onset = true;
	json_decref(m->json);
	m->json = json_pack("{s:s, s:i, s:i, s:i}", "type", "exit", "pid", 42, "status", 0, "signal", 0);
}

static void late_samples(struct guest_msg *m)
{
	struct proto_sample *s = (struct proto_sample *)m->payload;

	if (is_type(m, "samples"))
		for (size_t i = 0; i < m->payload_len / sizeof(*s); i++)
			s[i].t_us += UINT64_MAX / 2 - 5000000;
}

static json_int_t snapshot_id;

static void note_snapshot(struct guest_msg *m)
{
	if (is_type(m, "file"))
		snapshot_id = json_integer_value(json_object_get(m->json, "id"));
}

static struct guest_msg *flood(void)
{
	static char name[8000];
	static unsigned calls;
	json_t *json;

	if (!snapshot_id)
		return NULL;
	memset(name, 'a' + (int)(calls++ % 26), sizeof(name) - 1);
	json = json_pack("{s:s, s:I, s:i, s:s}", "type", "file", "id", snapshot_id, "pid", -7, "name", name);
	return new_msg(json, "", 0);
}

/** The probe ends so, and its reason has these words. */
static void ends(struct evil how, enum probe_kind kind, const char *outcome, const char *words,
		 const char *what)
{
	evil = how;
	has_heard_onset = false;

	cleanup(probe_record_deinit) struct probe_record r = live(kind);

	is_str(outcome_name(r.outcome), outcome, what);
	has_str(r.reason, words, words);
}

/** A lie, by members of struct evil, and what it comes to. */
#define LIE(kind, outcome, words, what, ...) ends((struct evil){ __VA_ARGS__ }, kind, outcome, words, what)

static void test_lies(void)
{
	LIE(PROBE_RAMP, "invalid", "guest and host disagree", "an onset before there is a load",
	    .first = ONSET);
	LIE(PROBE_RAMP, "invalid", "guest and host disagree", "a second onset", .forge = onset_again,
	    .alter = hear_onset);
	LIE(PROBE_FIXED, "invalid", "was not started", "a load that ends before it was started",
	    .first = "{\"type\": \"exit\", \"pid\": 42, \"status\": 0}");
	LIE(PROBE_RAMP, "invalid",
	    "'hello?]0;x?"
	    "?"
	    "?"
	    "?'",
	    "a terminal's escapes are not passed on",
	    .first = "{\"type\": \"hello\\u001b]0;x\\u0007\\n\\u009b\", \"x\": \"\"}");
	LIE(PROBE_RAMP, "invalid", "protocol", "a hello of another protocol",
	    .first = "{\"type\": \"hello\", \"proto\": -1}");
	LIE(PROBE_GROWTH, "invalid", "did not freeze", "a load that runs on while it is measured",
	    .alter = thaw_at_onset);
	LIE(PROBE_FIXED, "invalid", "knows of 10 pages", "a ballast that verified a part of its pages",
	    .alter = forget_pages);
	LIE(PROBE_GROWTH, "invalid", "guest and host disagree", "an end of the workload instead of the onset",
	    .alter = hide_onset);
	LIE(PROBE_GROWTH, "invalid", "just when the workload had ended",
	    "an onset after the end of the workload", .forge = onset_again, .alter = hide_onset);
	LIE(PROBE_FIXED, "no-onset", "", "guest time beyond 2^63 is only a time", .alter = late_samples);
	LIE(PROBE_FIXED, "invalid", "too much evidence", "a flood of files", .forge = flood,
	    .alter = note_snapshot);
}

/* Random messages. */

static json_t *random_value(void)
{
	static const json_int_t numbers[] = { 0,  1,    -1,        2,         5,         9,
					      42, 4096, INT32_MAX, INT64_MAX, INT64_MIN, 1ll << 32 };

	switch (test_random_below(10)) {
	case 0:
		return json_string("");
	case 1:
		return json_string("full pages=99999999999999999999");
	case 2:
		return json_string(
			"verified pages=-1 bad=-1 zero=99999999999999999999999 swapped=x touched=-1");
	case 3:
		return json_boolean(test_random_below(2));
	case 4:
		return json_pack("[s, s]", "\xc3\xa9\x1b[2J", "b");
	default:
		return json_integer(numbers[test_random_below(sizeof(numbers) / sizeof(numbers[0]))]);
	}
}

static struct guest_msg *random_msg(void)
{
	static const char *const types[] = { "hello", "reply", "heartbeat",  "samples", "onset",
					     "file",  "exit",  "checkpoint", "output",  "x" };
	static const char *const keys[] = { "id",     "ok",     "error", "pid",   "proto",
					    "seq",    "count",  "t_us",  "value", "status",
					    "signal", "frozen", "name",  "line",  "more" };
	static char payload[20 * sizeof(struct proto_sample)];
	json_t *json = json_pack("{s:s}", "type", types[test_random_below(sizeof(types) / sizeof(types[0]))]);
	size_t len = test_random_below(4)   ? 0
		     : test_random_below(2) ? sizeof(struct proto_sample) * test_random_below(20)
					    : test_random_below(sizeof(payload));

	for (unsigned n = (unsigned)test_random_below(8); n > 0; n--)
		json_object_set_new(json, keys[test_random_below(sizeof(keys) / sizeof(keys[0]))],
				    random_value());
	for (size_t i = 0; i < len; i++)
		payload[i] = (char)test_random_below(256);
	return new_msg(json, payload, len);
}

static struct guest_msg *forge_at_random(void)
{
	return test_random_below(60) ? NULL : random_msg();
}

static void alter_at_random(struct guest_msg *m)
{
	if (test_random_below(200) == 0)
		json_object_del(m->json, test_random_below(2) ? "id" : "pid");
	if (m->payload_len && test_random_below(200) == 0)
		m->payload[test_random_below(m->payload_len)] ^= (char)(1 << test_random_below(8));
	if (test_random_below(1000) == 0)
		json_object_set_new(m->json, "seq", random_value());
}

static bool is_printable(const char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s > '~')
			return false;
	return true;
}

static void test_at_random(void)
{
	static const enum probe_kind kinds[] = { PROBE_RAMP,         PROBE_FIXED,      PROBE_GROWTH,
						 PROBE_DISPLACEMENT, PROBE_POPULATION, PROBE_RAM };
	unsigned by_outcome[OUTCOME_NOT_APPLICABLE + 1] = { 0 }, unsafe = 0;

	evil = (struct evil){ NULL, forge_at_random, alter_at_random };
	for (unsigned i = 0; i < 600; i++) {
		test_random_state = i + 1;

		struct probe_record r = live(kinds[i % 6]);

		by_outcome[r.outcome]++;
		unsafe += !is_printable(r.reason) || strlen(r.reason) > 500;
		probe_record_deinit(&r);
	}
	is_int(unsafe, 0, "600 lives with an agent gone mad: every reason can be printed");
	ok(by_outcome[OUTCOME_INVALID] > 100, "most of its lies are seen through");
	ok(by_outcome[OUTCOME_ONSET] + by_outcome[OUTCOME_NO_ONSET] > 0, "and some did not matter");
	for (int i = 0; i <= OUTCOME_NOT_APPLICABLE; i++)
		printf("# %s: %u\n", outcome_name((enum outcome)i), by_outcome[i]);
}

TAP_MAIN(test_lies, test_at_random)
