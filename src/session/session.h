/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.h: one client from accept to close.  Lives and dies on one worker.
 * Its state moves in session_enter, it ends in session_end, and it is freed
 * by the loop when the turn is over.
 */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/identity.h"
#include "base/list.h"
#include "net/stream.h"
#include "session/end_reason.h"
#include "session/holders.h"
#include "session/leg.h"
#include "session/worker.h"

struct admission;
struct limits;
struct listener_counters;
struct login;
struct relay;
struct screening;
struct tarpit;

enum front_phase {
	FRONT_NEW,		/* just accepted */
	FRONT_PROXY,		/* a PROXY header must come first */
	FRONT_SCREEN,		/* its greeting, or a peer's next command, is delayed; lists are asked */
	FRONT_TLS,		/* a handshake is under way */
	FRONT_COMMAND,		/* the dialogue before the login */
	FRONT_AUTH,		/* an auth source was asked */
	FRONT_ROUTE,		/* a server is chosen, waited for or dialled */
	FRONT_RELAY,
	FRONT_DRAIN,		/* told to go: waits for a boundary in what the server sends */
	FRONT_LINGER,		/* last words were said: reads and drops until the client has them */
	FRONT_ENDED,
	FRONT_COUNT
};

struct session {
	struct list node;			/* in its worker's sessions */
	struct worker *worker;
	struct listener *listener;		/* one reference */
	struct snapshot *snapshot;		/* one reference; NULL once relaying */
	const struct listener_settings *settings;	/* of the snapshot; NULL likewise */
	const struct proto *proto;
	struct stream front;
	struct leg *leg;			/* the first of its legs; NULL: none */
	struct login *login;			/* login.h; NULL once relaying */
	struct relay *relay;			/* NULL before */
	struct loop_timer timer;
	int64_t accepted_at, last_data;		/* loop_now */
	int64_t tls_began_us;			/* clock_us, while a handshake is under way; else 0 */
	struct identity identity;
	const struct limits *limits;		/* of the snapshot: the listener's, or as `access` says */
	struct admission *admission;		/* what `limits` counts of it; or NULL */
	struct screening *screening;		/* screening.h; NULL: nothing is known against it */
	struct tarpit *tarpit;			/* NULL: no reply was late */
	struct addr *via;			/* who told identity.client; owned; NULL: itself came */
	struct holder holder;			/* among its listener's */
	uint8_t entrance_step;			/* entrance.c's: the next check */
	uint8_t phase;				/* enum front_phase; session_enter sets it */
	bool is_tls;				/* from the client's first byte */
	bool has_tls;				/* a handshake has succeeded: counted until it ends */
	bool has_ended;
};

/* A client of a gate; owns fd from now on.  No memory: the client is turned away. */
void session_open(struct gate *gate, int fd, const struct addr *peer);
void session_begin(struct session *s);		/* its client has passed: TLS, or the greeting */
void session_enter(struct session *s, enum front_phase phase);
void session_wake_at(struct session *s, int64_t at_ms);	/* for the phase's on_time; only the last counts */
void session_set_deadline(struct session *s);	/* of its login, as things are now */
void session_review(struct session *s);		/* the same of one that is its client's to speed up */
void session_drop_legs(struct session *s);
bool session_has_left(const struct session *s);	/* and has not left words for a server to hear */
void session_dequeue(struct session *s);	/* we stop: one that waits for a server waits no more */
void session_queued(struct session *s);		/* a leg waits for room: not for a client that has closed */
/* The endpoint its first leg has or is about to have; NULL: none yet, or it is one of several. */
const struct endpoint *session_endpoint(const struct session *s);
/*
 * The one way out: says the reason's last words, logs, gives everything
 * back.  The struct stays readable until the turn is over.
 */
void session_end(struct session *s, enum end_reason reason);
void session_end_told(struct session *s, enum end_reason reason);	/* the last words were said already */
struct listener_counters *session_counters(const struct session *s);	/* its worker's share */
void session_begin_tls(struct session *s);	/* enters FRONT_TLS */
void session_finish(struct session *s);		/* told to go: ends at once or at the next boundary */
void session_stop(struct session *s);		/* ends at once, last words unread if need be */
/* An operator ends it: at the first boundary from then on, RELAY_DRAIN_MS later at last. */
void session_kick(struct session *s, int64_t at_ms);
const char *session_doing(const struct session *s);	/* "reading greeting", as behind `while` */
const char *session_phase_name(enum front_phase phase);

/* Appends what a line of its begins with: "7f3a imap 192.0.2.7 user=bob back=imap/d03"; or NULL. */
void session_log_prefix(const struct session *s, const struct endpoint *endpoint, struct buf *out);
void session_log(const struct session *s, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* `code` is for SESSION_EVENT_SESSION, as log_fields.h has it; or NULL. */
void session_event(const struct session *s, enum session_events kind, const char *reason, const char *code);
struct mediated_message;
/* `endpoint`: whose words it ended by; or NULL. */
void session_message(const struct session *s, const struct mediated_message *message,
    const struct endpoint *endpoint, int64_t took_ms);

/* front_proxy.c: peers that must say first who their client is. */
void front_proxy_begin(struct session *s);
size_t front_proxy_read(struct session *s, struct slice data);	/* what is consumed */
void front_proxy_late(struct session *s);

/* front.c: the dialogue up to the login. */
void front_begin(struct session *s);		/* greets; or routes, where the protocol has no login */
size_t front_event(struct session *s, enum stream_event event, struct slice data);
void front_learn_local(struct session *s);	/* identity.local, where nobody has told it yet */
void front_flush(struct session *s);		/* writes what the dialogue has to say */
bool front_is_spared(const struct session *s);	/* stress is not for it: a user is known, or a peer trusted */
void front_count_error(struct session *s);	/* a bad command, a wrong guess; one too many ends it */
void front_resume(struct session *s);		/* after a failed login, or lists: runs what was pipelined */

#endif
