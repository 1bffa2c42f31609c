/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peer.h: the other end of a conversation, on the loop under test: says what
 * a test tells it to say, and waits for what it must hear.  Nothing sleeps:
 * the loop runs until the event has come.
 */
#ifndef UNIT_SESSION_PEER_H
#define UNIT_SESSION_PEER_H

#include "../net/tape.h"

struct peer {
	struct stream stream;
	struct buf heard;		/* what was not expected yet */
	int is_ready;			/* TLS */
	int is_gone;			/* closed or failed */
};

static inline size_t
on_peer_event(struct stream *stream, enum stream_event event, struct slice data, void *owner)
{
	struct peer *peer = owner;

	if (event == STREAM_DATA)
		buf_append_slice(&peer->heard, data);
	peer->is_ready |= event == STREAM_TLS_READY;
	peer->is_gone |= event == STREAM_CLOSED || event == STREAM_FAILED;
	loop_stop(stream->loop);
	return data.len;
}

static inline void
peer_open(struct peer *peer, struct loop *loop, int fd)
{
	memset(peer, 0, sizeof(*peer));
	stream_open(&peer->stream, loop, fd, on_peer_event, peer);
}

static inline void
peer_close(struct peer *peer)
{
	stream_close(&peer->stream);
	buf_clear(&peer->heard);
}

static inline void
peer_say(struct peer *peer, const char *text)
{
	stream_write(&peer->stream, slice_of(text));
}

/* Each byte is read before the next is written. */
static inline void
peer_say_slowly(struct peer *peer, const char *text)
{
	for (; *text != '\0'; text++) {
		stream_write(&peer->stream, slice_make(text, 1));
		turn_a_little(peer->stream.loop);
	}
}

/* What is heard next is this: it is forgotten then. */
static inline void
peer_expect(struct peer *peer, const char *text)
{
	size_t len = strlen(text);
	struct loop_timer watchdog;

	loop_timer_init(&watchdog, on_impatience);
	loop_timer_set(peer->stream.loop, &watchdog, loop_now(peer->stream.loop) + TAPE_PATIENCE_MS);
	while (buf_len(&peer->heard) < len && !peer->is_gone)
		loop_run(peer->stream.loop);
	loop_timer_stop(peer->stream.loop, &watchdog);
	if (buf_len(&peer->heard) < len || memcmp(buf_data(&peer->heard), text, len) != 0)
		fail_msg("heard \"%.*s\" and not \"%s\"", SLICE_ARGS(buf_slice(&peer->heard)), text);
	buf_consume(&peer->heard, len);
}

/* The other side says no more, and has said nothing but what was expected. */
static inline void
peer_expect_end(struct peer *peer)
{
	await(peer->stream.loop, &peer->is_gone, 1);
	if (buf_len(&peer->heard) > 0)
		fail_msg("heard \"%.*s\" before the end", SLICE_ARGS(buf_slice(&peer->heard)));
}

#endif
