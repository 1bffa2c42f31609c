/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dial.h: the engine of the server's side: walks a protocol's dial steps.
 * The same dial logs users in and checks health (up to the login).  No I/O:
 * lines come in through dial_feed, bytes to send lie in dial->out.
 */
#ifndef PROTO_DIAL_H
#define PROTO_DIAL_H

#include "base/login_way.h"
#include "proto/proto.h"

/* What a dial is for.  All pointers outlive the dial. */
struct dial_order {
	const struct proto *proto;
	const struct identity *identity;	/* NULL: a health check */
	const struct credentials *credentials;	/* NULL: no login */
	enum login_way login;			/* LOGIN_XCLIENT: none either, but the user's name is told */
	const char *hostname;			/* ours, in greetings */
	enum forward_way forward;
	bool starttls;				/* TLS is wanted by the protocol's own command */
	bool needs_tls;				/* secrets only over TLS (server_tls starttls or implicit) */
	unsigned wishes;			/* of the client, before its login; the protocol's own bits */
	bool wants_capabilities;		/* the client wants to be told anew after login */
	bool until_login;			/* a health check: stop before the first DIAL_LOGIN step */
};

enum dial_result {
	DIAL_MORE,		/* write dial->out, feed more */
	DIAL_TLS,		/* write dial->out (empty), start TLS, then dial_tls_started */
	DIAL_READY,		/* logged in, or as far as the order wants */
	DIAL_REFUSED,		/* the login refused, or the client; dial->last has the server's words */
	DIAL_LATER,		/* temporary failure in the server's words */
	DIAL_FAILED		/* garbled, out of step, no TLS where wanted, PREAUTH, injected plaintext,
				   another command than the login refused; dial->why */
};

enum dial_way {
	DIAL_PLAIN,		/* user and password without SASL */
	DIAL_AT_ONCE,		/* proto->sasl_command with the initial response in its line */
	DIAL_IN_TURNS		/* the same, with the response behind the server's go-ahead */
};

struct dial {
	struct dial_order order;
	const struct dial_step *steps;
	int sending, reading;		/* the step to send next, the step whose reply comes next */
	uint32_t sent;			/* a bit for each step that was sent */
	bool tls_active;
	bool failed;			/* dial_fail was called */
	bool was_refused;		/* and `last` tells more */
	bool refuses_client;		/* the refusal is about the client, whom the server was told of */
	size_t early;			/* octets of input to come that were there before the last command */
	int lines;			/* since the last reply that a step waited for */
	size_t octets;
	unsigned notes;			/* the protocol's own, from step to step */
	enum dial_way way;		/* of the login, once it was chosen */
	struct frame frame;
	struct buf out;			/* to the server; holds secrets, wiped */
	struct buf initial;		/* the initial response, in base64; wiped */
	struct buf capabilities;	/* before login, capability.h's form, without mechanisms */
	unsigned mechanisms;		/* likewise, those we know: bits of mechanism.h */
	bool has_list;			/* the server has told both, be they empty */
	struct buf capabilities_after;	/* after login, in the server's own form; empty: it did not say */
	struct buf untagged;		/* lines before the login's final reply that are the client's, raw */
	struct buf last;		/* the login's final reply, or what ended the dial: a line */
	struct buf token_error;		/* JSON: why the server refuses the token; empty: it did not say */
	char why[120];			/* DIAL_FAILED: "PREAUTH greeting", printable, no secrets */
};

void dial_init(struct dial *dial, const struct dial_order *order);	/* a struct of any content */
void dial_wipe(struct dial *dial);
/* On connect; for implicit TLS after the handshake, with tls_active set by the caller. */
enum dial_result dial_start(struct dial *dial);
/*
 * Takes whole lines off `in` (all unconsumed input) until there is a result
 * other than DIAL_MORE; *used tells how many bytes.  Bytes behind the line
 * that led to DIAL_READY are the server's first of the relay.
 */
enum dial_result dial_feed(struct dial *dial, struct slice in, size_t *used);
enum dial_result dial_tls_started(struct dial *dial);
const char *dial_doing(const struct dial *dial);	/* "sending the password": what is awaited */

/* Does it repeat the password, whose owner would not like it in a log? */
bool dial_holds_secret(const struct dial *dial, struct slice text);
/* Why it ended, fit for a log: never with what it has shown.  False: it does not know, and `out` is "". */
bool dial_reason(const struct dial *dial, char *out, size_t size);

/* What the steps of protocols have in common. */
bool dial_logs_in(const struct dial *dial);		/* with the credentials */
bool dial_has(const struct dial *dial, const char *capability);
bool dial_wants_tls(const struct dial *dial);	/* by the protocol's own command, and it is to come yet */
bool dial_began_tls(const struct dial *dial);	/* by it: what was announced before does not count */
void dial_send_command(struct dial *dial, const char *command);	/* as a step's column has it, tagged */
void dial_send_starttls(struct dial *dial);
/* An entry of a server's list; mechanisms are in "SASL PLAIN LOGIN", "AUTH PLAIN LOGIN" and "AUTH=PLAIN". */
void dial_learn(struct dial *dial, struct slice entry);
void dial_forget(struct dial *dial);			/* what was announced: another list comes */
/* Must the credentials' mechanism be announced, as a plain login cannot say as much? */
bool dial_needs_mechanism(const struct dial *dial);
void dial_choose_login(struct dial *dial);		/* sets dial->way, or fails: there is none */
bool dial_is_plain(const struct dial *dial);
bool dial_is_at_once(const struct dial *dial);
bool dial_is_in_turns(const struct dial *dial);
void dial_send_at_once(struct dial *dial);
void dial_send_in_turns(struct dial *dial);
void dial_write_initial(struct dial *dial);		/* with the line's end */
/* By proto->take_challenge and proto->read_login; of a token the error is kept and answered. */
enum answer dial_read_go_ahead(struct dial *dial, struct slice line);
enum answer dial_read_login(struct dial *dial, struct slice line);
/* A take_challenge, where they are "+ AGFs". */
bool dial_take_plus(struct dial *dial, struct slice line, struct slice *base64);

/* The steps by SASL; those of a plain login follow, if there is one. */
#define DIAL_CHOICE \
	{ "choosing how to log in", NULL, NULL, DIAL_LOGIN | DIAL_DECIDES, .send = dial_choose_login }
#define DIAL_SASL_STEPS(its_tag) \
	DIAL_CHOICE, \
	{ "logging in", dial_is_at_once, dial_read_login, DIAL_TELLS, \
	    .send = dial_send_at_once, .tag = (its_tag) }, \
	{ "asking to authenticate", dial_is_in_turns, dial_read_go_ahead, DIAL_ASKS, \
	    .send = dial_send_in_turns, .tag = (its_tag) }, \
	{ "sending the credentials", dial_is_in_turns, dial_read_login, DIAL_TELLS, \
	    .send = dial_write_initial, .tag = (its_tag) }

/* For a protocol's steps: the dial ends with DIAL_FAILED once the step returns; the first reason counts. */
void dial_fail(struct dial *dial, const char *why);

#endif
