/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mediator.h: a protocol that stands between client and server for the whole
 * session: it reads commands and replies, answers for the server, holds back
 * and asks for another server.  No I/O: input comes in as slices, and what is
 * to happen goes out as a mediation.
 */
#ifndef PROTO_MEDIATOR_H
#define PROTO_MEDIATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/identity.h"
#include "base/slice.h"
#include "proto/manners.h"

/* What is done about CR and LF that stand alone in mail data. */
enum bare_newline {
	BARE_NEWLINE_REJECT,		/* the message is refused at its end, and not delivered */
	BARE_NEWLINE_NORMALIZE,		/* they become CRLF */
	BARE_NEWLINE_PASS
};

/* What a client may do so often only. */
enum mediator_count { MEDIATOR_MAIL, MEDIATOR_RECIPIENT };

/* What a session is for its mediator.  Pointers outlive init, that to the identity the session. */
struct mediator_order {
	const char *hostname;			/* ours, in replies */
	struct slice offer;			/* what the client was offered: capability.h's form */
	const struct identity *identity;
	bool chooses_anew;			/* each transaction may go to another server */
	bool asks_recipients;			/* and which, depends on its first recipient */
	/* With asks_recipients: does this one belong elsewhere than to the server at hand? */
	bool (*is_elsewhere)(const void *owner, struct slice recipient);
	/* May one more mail begin, one more recipient be named?  Each is asked once; NULL: always. */
	bool (*takes)(const void *owner, enum mediator_count what);
	const void *owner;
	bool looks_up;				/* instead: each recipient is asked about, WISH_JUDGEMENT */
	enum bare_newline bare_newline;
	const char *turned_down;		/* what each recipient hears, and no server; or NULL */
	struct manners manners;			/* so far */
};

enum wish {
	WISH_GO_ON,		/* call again with what is left of the input */
	WISH_MORE,		/* what is left is no whole command or reply: call again once there is more */
	WISH_WAIT,		/* by client() only: what is left waits for the server's next words */
	WISH_SERVER,		/* a server is wanted, this or another: then server_came or server_gone */
	WISH_JUDGEMENT,		/* by client() only: of a recipient; then judged */
	WISH_DELAY,		/* the next reply is late: in time call `waited`, and then again */
	WISH_NO_SERVER,		/* the server is of no use any more: close it, without server_gone */
	WISH_DONE,		/* the client took its leave: to_client is the last it hears */
	WISH_TOO_MANY,		/* the client has had too many commands refused: likewise */
	WISH_FATAL		/* the client cannot be talked to any further: likewise */
};

/* Of a recipient; where it is the first, of the server that it wants, too. */
enum judgement {
	JUDGED_NOT,
	JUDGED_GOOD,
	JUDGED_ELSEWHERE,	/* it belongs to another server than those before it */
	JUDGED_REFUSED,		/* with a code and words, where there are any */
	JUDGED_LATER		/* likewise; nobody can say now */
};

/* One message, for the log. */
struct mediated_message {
	struct slice from;		/* as the client wrote it, without <> */
	struct slice recipients;	/* the accepted ones, ", " between them; cut where there are many */
	struct slice refused_recipients;	/* likewise */
	uint32_t accepted, refused;	/* how many */
	uint64_t size;			/* octets of data */
	struct slice reply;		/* the server's last line, or ours; empty: the client gave it up */
	bool is_ours;			/* not the server has ended it */
	bool is_accepted;		/* 2xx to the end of data */
};

/* What one call made of its input. */
struct mediation {
	size_t used;			/* octets of the input that are done with */
	struct buf to_client, to_server;	/* to be written first; the caller's, empty before the call */
	struct slice pass;		/* then this part of the input, as it is; empty without a server */
	enum wish wish;
	struct slice recipient;		/* of WISH_SERVER, where it decides, and WISH_JUDGEMENT */
	struct slice mail, command;	/* of the latter: the lines MAIL and RCPT, without their end */
	bool is_first;			/* likewise: no server has the MAIL, and with JUDGED_GOOD one comes */
	bool has_message;		/* a transaction is over */
	struct mediated_message message;	/* its slices last until the next call */
	const char *why;		/* something for the log: "bare LF in data"; or NULL */
	struct slice words;		/* of the server's, to that; or empty */
	bool is_fault;			/* it is the server's, and a mail suffers */
};

/* More of the input is passed on: as one with what is passed already, where nothing lies between. */
static inline void
mediation_pass(struct mediation *m, struct buf *own, struct slice part)
{
	if (m->pass.len > 0 && m->pass.data + m->pass.len == part.data) {
		m->pass.len += part.len;
		return;
	}
	buf_append_slice(own, m->pass);
	m->pass = part;
}

struct mediator {
	size_t size;						/* of the state */
	void (*init)(void *state, const struct mediator_order *order);
	void (*clear)(void *state);				/* frees what it holds */
	/* A server is there that announced this (capability.h); NULL: that of before will do. */
	void (*server_came)(void *state, const struct slice *capabilities);
	/* The server was lost, or none can be had: what was owed is answered in to_client. */
	void (*server_gone)(void *state, struct mediation *m);
	/* Before server_gone: a server would not have this client, in these words (a line without end). */
	void (*refused)(void *state, struct slice words);
	/* What was wished for.  Where it is the first: then server_came or server_gone, if it is good. */
	void (*judged)(void *state, enum judgement judgement, const char *code, const char *reason);
	void (*waited)(void *state);
	/* Neither is called with an empty input. */
	void (*client)(void *state, struct slice in, struct mediation *m);
	void (*server)(void *state, struct slice in, struct mediation *m);
	void (*end)(void *state, struct mediation *m);	/* the session ends: tells of what is under way */
	bool (*at_boundary)(const void *state);	/* between two transactions: may it end here? */
	bool (*may_speak)(const void *state);	/* the client is to speak, so that last words may be said */
	bool (*server_owes)(const void *state);	/* a reply to something */
	bool (*takes_payload)(const void *state);	/* the client is sending data, not commands */
	bool (*awaits_final)(const void *state);	/* the server owes the reply to a whole message */
};

#endif
