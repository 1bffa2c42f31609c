/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fanout.h: a protocol by which one client's message goes to several servers,
 * each of its recipients to one.  It reads all commands and replies, says who
 * is told what, and in which order.  No I/O: what comes is told by the calls
 * of struct fanout, what is to happen is asked of struct fanout_host.
 */
#ifndef PROTO_FANOUT_H
#define PROTO_FANOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "proto/mediator.h"

enum { FANOUT_SERVERS_MAX = 64 };	/* of one session at once; they have numbers below that */

/*
 * What the owner does.  None of these calls back.  Recipients are numbered within their message.
 */
struct fanout_host {
	void (*say)(void *owner, struct slice words);		/* to the client */
	void (*send)(void *owner, unsigned server, struct slice data);
	/* Where does this one belong?  Behind this call: placed, or unplaced. */
	void (*place)(void *owner, unsigned recipient);
	/* May one more mail begin, one more recipient be named?  NULL: always. */
	bool (*takes)(const void *owner, enum mediator_count what);
	/* It has its last word, perhaps before it was placed: nothing is held for it any more. */
	void (*release)(void *owner, unsigned recipient);
	/*
	 * Close it; server_gone is not to be called.  `words` are its own, or empty.  `is_idle`: it had
	 * nothing to do, and no mail suffers.
	 */
	void (*leave)(void *owner, unsigned server, const char *why, struct slice words, bool is_idle);
	/* A message is over, as far as this server goes; FANOUT_SERVERS_MAX: recipients that had none. */
	void (*tell)(void *owner, unsigned server, const struct mediated_message *message);
	void (*note)(void *owner, const char *why);		/* for the log */
};

/* What a session is for it.  Pointers outlive init. */
struct fanout_order {
	const char *hostname;			/* ours, in replies */
	struct slice offer;			/* what the client was offered: capability.h's form */
	enum bare_newline bare_newline;
	struct manners manners;			/* so far */
	const struct identity *identity;	/* the client's */
	const struct fanout_host *host;
	void *owner;
};

struct fanout_recipient {			/* lasts until it is released */
	struct slice address;			/* as the client wrote it, without <> */
};

/* What an auth source says of a recipient. */
struct fanout_refusal {
	bool may_be_final;			/* there is no such user, as far as it knows */
	const char *code, *reason;		/* for the client; or NULL */
};

struct fanout {
	size_t size;						/* of the state */
	void (*init)(void *state, const struct fanout_order *order);
	void (*clear)(void *state);				/* frees what it holds; tells nobody */
	/*
	 * Takes commands and data off the front of what is not empty.  WISH_GO_ON: call again with what is
	 * left; WISH_WAIT: behind the next words of a server, or place of a recipient; MORE, DELAY, DONE,
	 * TOO_MANY and FATAL as those of a mediator.
	 */
	enum wish (*client)(void *state, struct slice in, size_t *used);
	void (*waited)(void *state);
	/* A server is there that announced this.  `is_single`: it has one reply for all recipients. */
	void (*server_came)(void *state, unsigned server, struct slice capabilities, bool is_single);
	/* What is used of its words. */
	size_t (*server)(void *state, unsigned server, struct slice in);
	void (*server_gone)(void *state, unsigned server);	/* it was lost; fine where it was left */
	/* It belongs to this server, which came; `address` is what it is called there, or empty. */
	void (*placed)(void *state, unsigned recipient, unsigned server, struct slice address);
	/* Nowhere now; NULL: for no reason that somebody else has given. */
	void (*unplaced)(void *state, unsigned recipient, const struct fanout_refusal *refusal);
	/* Its user is to be moved: it must not be delivered where it was to, if that can be helped. */
	void (*displaced)(void *state, unsigned recipient);
	struct fanout_recipient (*recipient)(const void *state, unsigned recipient);
	void (*end)(void *state);		/* the session ends: tells of what is under way */
	bool (*at_boundary)(const void *state);	/* between two messages: may it end here? */
	bool (*may_speak)(const void *state);	/* the client is to speak, so that last words may be said */
	bool (*takes_payload)(const void *state);	/* the client is sending data, not commands */
	bool (*awaits_finals)(const void *state);	/* servers have a whole message */
	bool (*server_owes)(const void *state, unsigned server);	/* a reply */
	bool (*server_is_needed)(const void *state, unsigned server);	/* for the message at hand */
};

#endif
