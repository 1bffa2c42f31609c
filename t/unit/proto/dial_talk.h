/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dial_talk.h: what the tests of protocols' dials share: orders for alice by flags, and servers whose words
 * come in pieces while what is sent to them is compared.  Behind cmocka.h.
 */
#ifndef PROTO_DIAL_TALK_H
#define PROTO_DIAL_TALK_H

#include <string.h>

#include "base/buf.h"
#include "base/identity.h"
#include "base/mechanism.h"
#include "proto/capability.h"
#include "proto/dial.h"

/* As a back does it: what is not taken is kept and comes again with more behind it. */
static inline enum dial_result
dial_feed_pieces(struct dial *dial, struct buf *in, const char *text, size_t piece)
{
	enum dial_result result = DIAL_MORE;
	size_t used, len = strlen(text);

	for (size_t i = 0; i < len && result == DIAL_MORE; i += piece) {
		buf_append(in, text + i, piece < len - i ? piece : len - i);
		result = dial_feed(dial, buf_slice(in), &used);
		buf_consume(in, used);
	}
	return result;
}

static inline void
dial_compare(const char *name, const char *what, struct slice is, const char *wanted)
{
	if (wanted != NULL && !slice_equals(is, wanted))
		fail_msg("%s: %s is \"%.*s\", not \"%s\"", name, what, SLICE_ARGS(is), wanted);
}

/* The list, with the mechanisms among it: "AUTH=PLAIN\nSIZE 1000\n"; NULL: not looked at. */
static inline void
dial_compare_announced(const char *name, const struct dial *dial, const char *wanted)
{
	struct buf list = { 0 }, entry = { 0 };

	buf_append_slice(&list, buf_slice(&dial->capabilities));
	for (int i = 0; i < MECHANISM_COUNT; i++) {
		buf_printf(&entry, "AUTH=%s", mechanism_facts[i].name);
		if ((dial->mechanisms & MECHANISM_BIT(i)) != 0)
			capability_add(&list, buf_slice(&entry));
		buf_truncate(&entry, 0);
	}
	dial_compare(name, "announced", buf_slice(&list), wanted);
	buf_clear(&entry);
	buf_clear(&list);
}

/* What the server says ("TLS": the handshake is done) and what is to be sent then; NULL: not looked at. */
struct turn {
	const char *server, *sent;
};

enum { TURNS_MAX = 10 };	/* of a script, and the end */

/* All turns of the script of this name, with a dial that is initialised; its last result. */
static inline enum dial_result
dial_talk(struct dial *dial, const char *name, const struct turn *turn, size_t piece)
{
	enum dial_result result = dial_start(dial);
	struct buf in = { 0 };

	for (; turn->server != NULL; turn++) {
		bool is_tls = strcmp(turn->server, "TLS") == 0;

		if (result != (is_tls ? DIAL_TLS : DIAL_MORE))
			fail_msg("%s: result %d before \"%s\" (%s)", name, result, turn->server, dial->why);
		buf_consume(&dial->out, buf_len(&dial->out));
		result = is_tls ? dial_tls_started(dial) : dial_feed_pieces(dial, &in, turn->server, piece);
		if (result != DIAL_FAILED)
			dial_compare(name, "sent", buf_slice(&dial->out), turn->sent);
	}
	assert_true(strlen(dial_doing(dial)) > 0);
	buf_clear(&in);
	return result;
}

/* Of a client over IPv4 that came to this port over IPv6. */
static inline const struct identity *
dial_identity(uint16_t port)
{
	static struct identity identity;

	addr_parse(slice_of("203.0.113.7"), 5555, &identity.client);
	addr_parse(slice_of("2001:db8::1"), port, &identity.local);
	memcpy(identity.session, "S1", 3);
	identity.hops = HOPS_MAX;
	return &identity;
}

/* What an order is made of; from OWN_FLAG on, flags are a test's own. */
enum {
	STARTTLS = 1 << 0,		/* order.starttls and needs_tls */
	NEEDS_TLS = 1 << 1,
	TLS_ACTIVE = 1 << 2,
	CHECK = 1 << 3,			/* until_login */
	ANONYMOUS = 1 << 4,		/* no credentials */
	MASTER = 1 << 5,		/* an authorization identity */
	IDENTIFIED = 1 << 6,		/* order.identity */
	ALWAYS_TOLD = 1 << 7,		/* of the client, in the protocol's own way, or never */
	NEVER_TOLD = 1 << 8,
	OWN_FLAG = 1 << 9
};

struct dial_rig {
	struct credentials credentials;
	struct dial dial;
	size_t used;
};

/* `way` is what ALWAYS_TOLD means; the client came to this port. */
static inline struct dial_order
dial_rig_order(struct dial_rig *rig, const struct proto *proto, unsigned flags, enum forward_way way,
    uint16_t port)
{
	rig->credentials = (struct credentials){ .mechanism = MECHANISM_PLAIN };
	buf_append_text(&rig->credentials.user, "alice");
	buf_append_text(&rig->credentials.password, "wonder");
	if ((flags & MASTER) != 0)
		buf_append_text(&rig->credentials.authzid, "bob");
	return (struct dial_order){
		.proto = proto,
		.identity = (flags & IDENTIFIED) != 0 ? dial_identity(port) : NULL,
		.credentials = (flags & ANONYMOUS) != 0 ? NULL : &rig->credentials,
		.forward = (flags & ALWAYS_TOLD) != 0 ? way
		    : (flags & NEVER_TOLD) != 0       ? FORWARD_NONE
						      : FORWARD_AUTO,
		.starttls = (flags & STARTTLS) != 0,
		.needs_tls = (flags & (STARTTLS | NEEDS_TLS)) != 0,
		.until_login = (flags & CHECK) != 0,
	};
}

static inline void
dial_rig_open(struct dial_rig *rig, const struct dial_order *order, unsigned flags)
{
	dial_init(&rig->dial, order);
	rig->dial.tls_active = (flags & TLS_ACTIVE) != 0;
}

/* A test's own: the order of its flags, with rig->credentials. */
typedef struct dial_order dial_order_maker(struct dial_rig *rig, unsigned flags);

/* Started, for words to be fed. */
static inline void
dial_rig_start(struct dial_rig *rig, dial_order_maker *make_order, unsigned flags)
{
	struct dial_order order = make_order(rig, flags);

	dial_rig_open(rig, &order, flags);
	dial_start(&rig->dial);
}

static inline void
dial_rig_close(struct dial_rig *rig)
{
	dial_wipe(&rig->dial);
	credentials_wipe(&rig->credentials);
}

/* What comes next in one piece, whose answer is in dial.out. */
static inline enum dial_result
dial_rig_feed(struct dial_rig *rig, const char *text)
{
	buf_consume(&rig->dial.out, buf_len(&rig->dial.out));
	return dial_feed(&rig->dial, slice_of(text), &rig->used);
}

/* A dial is fed the text in one piece, and then says so; why NULL: not looked at. */
static inline void
dial_expect(dial_order_maker *make_order, unsigned flags, struct slice text, enum dial_result result,
    const char *why)
{
	struct dial_rig rig;

	dial_rig_start(&rig, make_order, flags);
	assert_int_equal(dial_feed(&rig.dial, text, &rig.used), result);
	if (why != NULL)
		assert_string_equal(rig.dial.why, why);
	dial_rig_close(&rig);
}

/* What is left of a dial that ended so; NULL: not looked at. */
struct dial_end {
	enum dial_result result;
	const char *why, *last, *capabilities;
};

static inline void
dial_rig_play(struct dial_rig *rig, const char *name, const struct turn *turns, size_t piece,
    const struct dial_end *end)
{
	const struct dial *dial = &rig->dial;
	enum dial_result result = dial_talk(&rig->dial, name, turns, piece);

	if (result != end->result)
		fail_msg("%s: result %d (%s)", name, result, dial->why);
	dial_compare(name, "why", slice_of(dial->why), end->why);
	dial_compare(name, "last", buf_slice(&dial->last), end->last);
	dial_compare_announced(name, dial, end->capabilities);
}

/* Of protocols with nothing more to look at. */
struct dial_script {
	const char *name;
	unsigned flags;
	struct turn turns[TURNS_MAX];
	enum dial_result result;
	const char *why, *last, *capabilities;	/* NULL: not looked at */
};

/* In pieces of any size. */
static inline void
dial_scripts_play(const struct dial_script *scripts, size_t count, dial_order_maker *make_order)
{
	for (const struct dial_script *script = scripts; script < scripts + count; script++) {
		const struct dial_end end = { script->result, script->why, script->last,
			script->capabilities };

		for (size_t piece = 1; piece < 200; piece = piece * 3 + 1) {
			struct dial_rig rig;
			struct dial_order order = make_order(&rig, script->flags);

			dial_rig_open(&rig, &order, script->flags);
			dial_rig_play(&rig, script->name, script->turns, piece, &end);
			dial_rig_close(&rig);
		}
	}
}

#endif
