/* SPDX-License-Identifier: BSD-2-Clause */
/* dial_talk.h: a server's words come to a dial in pieces, and its own are compared; behind cmocka.h. */
#ifndef PROTO_DIAL_TALK_H
#define PROTO_DIAL_TALK_H

#include <string.h>

#include "base/buf.h"
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

#endif
