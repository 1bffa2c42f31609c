/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proto.h: a mail protocol as a description.  It owns no socket, timer, TLS
 * or session: it turns a client's command into a step and a server's line
 * into an answer, and the session performs them.  Two engines walk its
 * tables: command.c the client's side, dial.c the server's.
 */
#ifndef PROTO_PROTO_H
#define PROTO_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/login_way.h"
#include "base/slice.h"
#include "proto/dial_step.h"
#include "proto/dialogue.h"
#include "proto/frame.h"

struct dial;
struct fanout;
struct mediator;
struct relay_filter;

/* What a directive says by default. */
struct proto_default {
	const char *directive, *text;		/* NULL ends the list */
};
#define PROTO_DEFAULTS(...) (const struct proto_default[]) { __VA_ARGS__, { NULL, NULL } }

/* A bit of the columns `logins` and `forwards`. */
#define PROTO_WAY(way) (1U << (way))
/* How any server may hear of its client: by a PROXY header, or not; and by the ways of its protocol. */
#define PROTO_FORWARDS (PROTO_WAY(FORWARD_AUTO) | PROTO_WAY(FORWARD_PROXY) | PROTO_WAY(FORWARD_PROXY_V2) | \
    PROTO_WAY(FORWARD_NONE))

struct proto {
	const char *name, *alpn;		/* alpn NULL: none */
	const char *mail_name;			/* what nginx calls it, where mail is taken; or NULL */
	const char *help;			/* sentences for the manual */
	const char *trusted_help;		/* how trusted peers tell of their clients: "by XCLIENT" */
	uint16_t port;				/* 0: none of its own */
	bool has_login;				/* users log in before they are relayed */
	bool is_tagged;				/* replies repeat the command's tag */
	bool trims_lines;			/* blanks at a command's end do not count */
	bool is_bound;				/* one user belongs on one server: balance user by default */
	unsigned own_mechanisms;		/* that are none of SASL's: bits of mechanism.h */
	unsigned logins, forwards;		/* what pools may say: PROTO_WAY(LOGIN_…) | … */
	/* Besides its own, that servers of its listeners may speak: ends with NULL; or NULL. */
	const char *const *also_served_by;
	bool tells_if_asked;		/* `forward auto` is none where a server offers no way */
	const char *forward_none_warning;	/* what must be heeded where servers see no client; or NULL */
	const struct proto_default *listener_defaults;	/* PROTO_DEFAULTS */
	const char *default_queue_timeout;	/* of pools */
	size_t max_line;			/* octets of a command line */
	size_t max_response;			/* octets of a line within a SASL exchange */
	size_t max_literals;			/* octets of all literals of a command */
	const char *sasl_prompt;		/* "+ %s\r\n": %s is the challenge, in base64 */
	const char *sasl_cancel;		/* "*" */
	bool greets_after_tls;			/* with the capabilities of then, unasked */
	/* Where what is said within a SASL exchange is no bare line of base64: */
	enum frame_result (*sasl_frame)(struct frame *, struct slice in, const struct frame_limits *);
	bool (*take_response)(struct slice line, struct slice *base64);	/* a client's; false: malformed */
	void (*write_response)(struct buf *out, struct slice base64);	/* a line to a server */
	enum frame_result (*frame)(struct frame *frame, struct slice in, const struct frame_limits *limits);
	bool (*is_foreign)(struct slice line);	/* other protocols' clients, besides HTTP; or NULL */
	const char *literal_prompt;		/* when frame asks for it; NULL: it is refused */
	const char *capability_floor;		/* offered before anything was learned; capability.h's form */
	/* Words ("AUTH=*" is a prefix) the proxy itself speaks for; or all that it takes from servers. */
	const char *const *capability_own, *const *capability_passed;
	/* The list as the client sees it now. */
	void (*write_capabilities)(const struct dialogue *d, struct buf *out);
	const char *const *replies;		/* one text per enum reply; see reply.h for the % letters */
	/*
	 * What of an auth source's code can stand in REPLY_CODED, and whether that is of a temporary failure.
	 * Empty: nothing, it is another protocol's.
	 */
	struct slice (*take_code)(struct slice code, bool *is_temporary);
	const struct verb *verbs;		/* ends with a zero row; NULL: routed right after accept */
	const struct dial_step *dial;		/* ends with a zero row; NULL: connected is ready */
	const char *hello_command;		/* to a server, with our name behind it; or NULL */
	const char *starttls_command;		/* to a server, and what it announces; NULL: "STARTTLS" */
	const char *sasl_command;		/* to a server: "AUTH" */
	const char *sasl_initial;		/* announced if it may be "AUTH PLAIN AGFs"; NULL: it may */
	size_t max_dial_line;			/* octets of such a line; 0: any */
	/* Of a server behind a command of the login: a challenge's base64 (false: it is none), or a reply. */
	bool (*take_challenge)(struct dial *dial, struct slice line, struct slice *base64);
	enum answer (*read_login)(struct dial *dial, struct slice line);
	/* Why user and password would not do without SASL; NULL: they would.  NULL itself: never. */
	const char *(*refuses_plain)(const struct dial *dial);
	const char *dial_farewell;		/* to a server that was only asked; NULL: none is asked */
	/* Tells the client the outcome of its login in d->out, from the server's own words in the dial. */
	void (*login_ok)(struct dialogue *d, const struct dial *dial);
	void (*login_refused)(struct dialogue *d, const struct dial *dial);
	/* Mail in the dialogue, where it is no literal, for transcript.h: */
	const char *data_command, *data_go_ahead;	/* DATA: from the go-ahead on, up to a lone dot */
	const char *chunk_command;		/* BDAT: so many octets behind the line */
	/* What servers' replies begin with, and NULL; all else, once logged in, is mail up to a lone dot. */
	const char *const *status_words;
	bool quotes_mail;			/* mail may stand in quoted strings of untagged lines */
	const struct relay_filter *filter;	/* NULL: blind, unless there is a mediator */
	const struct mediator *mediator;	/* or NULL */
	const struct fanout *fanout;	/* where sessions have several servers at once; or NULL */
};

/* Columns that the protocols of mailboxes have in common: each user logs in, and belongs on one server. */
#define PROTO_MAILBOX_FIELDS \
	.has_login = true, \
	.is_bound = true, \
	.logins = PROTO_WAY(LOGIN_PASSWORD) | PROTO_WAY(LOGIN_MASTER) | PROTO_WAY(LOGIN_TRUSTED) | \
	    PROTO_WAY(LOGIN_NONE), \
	.default_queue_timeout = "10s", \
	.max_response = SASL_LINE_MAX

/* All but `idle_timeout` of such a protocol's listeners. */
#define PROTO_MAILBOX_DEFAULTS \
	{ "starttls", "required" }, { "login_timeout", "60s" }, { "reply_timeout", "5m" }, \
	{ "max_errors", "5" }

/* All of them, as protocols.c lists them; protocol `x` is proto_x. */
#define PROTOCOLS(row) \
	row(imap) \
	row(lmtp) \
	row(pop3) \
	row(sieve) \
	row(smtp) \
	row(submission) \
	row(tcp)

#define PROTO_DECLARE(name) extern const struct proto proto_##name;
#define PROTO_ADDRESS(name) &proto_##name,
PROTOCOLS(PROTO_DECLARE)

extern const struct proto *const protocols[];		/* the last is NULL */
const struct proto *proto_find(const char *name);	/* NULL: no such protocol */
/* May a pool whose servers speak this protocol, a name, serve the listeners of the other one? */
bool proto_is_served_by(const struct proto *proto, const char *servers);

#endif
