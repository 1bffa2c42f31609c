/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay.h: a session from its login on: the clock that looks at who was
 * silent for too long, and the ways to leave without cutting a word short.
 * How the bytes go is a relay_kind's: passed on, with a filter that looks at
 * them (relay_pass.c), read by the protocol's mediator (relay_mediate.c), or
 * taken to several servers (relay_fanout.c).
 */
#ifndef SESSION_RELAY_H
#define SESSION_RELAY_H

#include "net/connect.h"
#include "net/pipe.h"
#include "proto/mediator.h"
#include "session/session.h"

enum { RELAY_DRAIN_MS = 10000 };	/* for a boundary; then a session is cut off */

/* What a moment is good for, or-ed. */
enum relay_look {
	RELAY_SPEAK = 1,	/* our last words may follow what the client has had */
	RELAY_QUIET = 2,	/* in IDLE, or nothing under way: who is quiet is sent away first */
	RELAY_LEAVE = 4,	/* as good a moment to end as any to come */
	RELAY_OWED = 8,		/* the server keeps the client waiting: it owes a reply, or takes nothing */
	RELAY_BLIND = 16	/* it was followed once, and cannot be any more */
};

/* Why its server, which is up, is left: see departure.h. */
enum relay_departure { DEPARTS_NOT, DEPARTS_DRAINED, DEPARTS_SHARED };

/* One file each.  The session is in FRONT_RELAY or FRONT_DRAIN; those that are void may end it. */
struct relay_kind {
	void (*begin)(struct session *s);	/* takes over from s->login, with a leg or without */
	size_t (*on_front)(struct session *s, enum stream_event event, struct slice data);
	unsigned (*look)(const struct session *s);		/* enum relay_look */
	int (*reply_timeout)(const struct session *s);		/* ms, for what is owed now; 0: none */
	void (*on_reply_timeout)(struct session *s);
	void (*end)(struct session *s);		/* before the session ends.  NULL: nothing to be done */
	void (*clear)(struct session *s);	/* frees the filter's state.  NULL: it holds nothing */
};

extern const struct relay_kind relay_pass, relay_mediate, relay_fanout;

/* What relaying needs: no more than this stays of an idle session. */
struct relay {
	struct pipe up, down;
	int idle_timeout_ms, reply_timeout_ms;	/* copies: the snapshot is gone; 0: none */
	struct tcp_settings tcp;		/* a copy too */
	int64_t leave_at;			/* in FRONT_DRAIN: cut off then; or see relay_leave_at */
	unsigned era;				/* of its pool, when it came: see service.h, and leg.h */
	int close_spread_ms;			/* of the pool that it came to first */
	uint8_t departs;			/* enum relay_departure, with leave_at */
	bool is_kicked;				/* by an operator */
	bool is_settled;			/* the server's socket has its keepalive */
	bool client_spoke_last;			/* as far as one can tell without a filter, a reply is due */
	/* Of mediated sessions: */
	struct offer *offer;			/* what the client was told; one reference, or NULL */
	struct recipient *recipient;		/* who is asked about; or NULL */
	int lookups;			/* such questions of the session */
	char *host_name;			/* of the server at hand, where an auth source called it so */
	uint16_t host_port;			/* and the port that it gave */
	bool can_replace;			/* another server takes it, without a word of the client */
	bool waits;				/* the client's input waits for the server's next words */
	int64_t message_since;			/* when the transaction at hand began */
	_Alignas(void *) unsigned char filter[];	/* the protocol's filter or mediator's state */
};

/* Takes over from s->login. */
void relay_begin(struct session *s);
size_t relay_front_event(struct session *s, enum stream_event event, struct slice data);
void relay_on_time(struct session *s);		/* FRONT_RELAY's */
unsigned relay_look(const struct session *s);	/* enum relay_look */

/* Ends in its first quiet moment from then on; at a server that is down, RELAY_DRAIN_MS later at last. */
void relay_leave_at(struct session *s, int64_t at_ms);
/* Its server's; NULL: it has none, not yet, or more than one, of which none is all it came for. */
struct endpoint *relay_endpoint(const struct session *s);
void relay_kick(struct session *s, int64_t at_ms);	/* see session_kick */
/* Its pool was dropped, or its bindings, or its server is left by all: see endpoint_send_away. */
bool relay_is_outdated(const struct session *s);
int relay_close_spread(const struct session *s);	/* ms over which its like are told to go */
void relay_finish(struct session *s);	/* told to go: at once, or in FRONT_DRAIN at the next good moment */
enum end_reason relay_leave_reason(const struct session *s);	/* of one that is told to go */
void relay_drain_late(struct session *s);	/* FRONT_DRAIN's */

void relay_end(struct session *s);	/* the session ends; fine without a relay, as is relay_free */
void relay_free(struct session *s);

/* For the kinds. */
/* Octets that were relayed, at the session's listener, and at its server where there is but one. */
void relay_count_up(const struct session *s, size_t n);
void relay_count_down(const struct session *s, size_t n);
struct relay *relay_new(const struct session *s, size_t state_size);	/* with copies of s->settings */
void relay_start(struct session *s);	/* in s->relay: enters FRONT_RELAY, settings and login are left */
void relay_watch(struct session *s);	/* starts the clock for the idle and the silent */
/* The session's listener as the current configuration has it; NULL: it is no more, or speaks otherwise. */
const struct listener_settings *relay_settings(const struct session *s);
/* May the client begin one more mail, or name one more recipient?  Counts it. */
bool relay_takes(const struct session *s, enum mediator_count what);
/* The client has sent this much of use.  Payload earns time by its octets: dripping is no way to stay. */
void relay_note_input(struct session *s, size_t used, bool is_payload);

#endif
