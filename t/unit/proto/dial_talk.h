/* SPDX-License-Identifier: BSD-2-Clause */
/* dial_talk.h: a server's words come to a dial in pieces, and its own are compared; behind cmocka.h. */
#ifndef PROTO_DIAL_TALK_H
#define PROTO_DIAL_TALK_H

#include <string.h>

#include "base/buf.h"
#include "base/identity.h"
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

/* What the server says ("TLS": the handshake is done) and what is to be sent then; NULL: not looked at. */
struct turn {
	const char *server, *sent;
};

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

#endif
