/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dialogue.h: one client's conversation before the relay: what its commands
 * ask of the session, what it can be told, and the state between commands.
 * The engine is command.c.
 */
#ifndef PROTO_DIALOGUE_H
#define PROTO_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/credentials.h"
#include "base/identity.h"
#include "base/slice.h"
#include "proto/frame.h"
#include "proto/sasl.h"

struct dialogue;
struct proto;

/* What a whole client command asks of the session. */
enum step {
	STEP_MORE,		/* no whole command yet */
	STEP_REPLIED,		/* answered in d->out; go on with the next */
	STEP_STARTTLS,		/* the go-ahead is in d->out; input must be empty, then TLS */
	STEP_LOGIN,		/* d->credentials are complete: authenticate, route, dial */
	STEP_RESPONSE,		/* d->credentials.response answers the challenge of dialogue_challenge */
	STEP_MEDIATE,		/* nothing was consumed: from this command on the mediator is spoken to */
	STEP_QUIT,		/* farewell in d->out; close */
	STEP_BAD,		/* refused in d->out and counted against max_errors */
	STEP_FATAL,		/* refused in d->out; close: input cannot be trusted any further */
	STEP_INJECTION		/* refused in d->out; close: plaintext came behind STARTTLS */
};

/* Everything shared code ever says to a client; each protocol has a text for each. */
enum reply {
	REPLY_NONE,
	REPLY_GREETING,
	REPLY_UNKNOWN,		/* no such command (or not before login) */
	REPLY_NOT_NOW,		/* known, but not in this phase */
	REPLY_SYNTAX,		/* arguments are wrong */
	REPLY_NEED_TLS,		/* no credentials before TLS */
	REPLY_NO_TLS,		/* STARTTLS, but there is none to be had or it runs already */
	REPLY_START_TLS,	/* go ahead */
	REPLY_TLS_SPENT,	/* the client has begun too many TLS sessions */
	REPLY_NO_MECHANISM,	/* a SASL mechanism that is not offered */
	REPLY_SASL_SYNTAX,	/* not base64, or not what the mechanism wants */
	REPLY_SASL_CANCELLED,
	REPLY_AUTH_FAILED,
	REPLY_REFUSED,		/* no login now, whatever the password: the auth source says why */
	REPLY_WRONG,		/* REPLY_AUTH_FAILED in the auth source's words */
	REPLY_LATER,		/* no login now, and later perhaps: the auth source says why */
	REPLY_CODED,		/* either, with a code of the auth source's */
	REPLY_UNAVAILABLE,	/* no server can be had now; the client may stay and try again */
	REPLY_PACED,		/* no login now: the client has tried too many */
	REPLY_CROWDED_USER,	/* no login: the user has too many sessions */
	REPLY_TOO_BIG,		/* a literal that is refused before it is read */
	REPLY_TOO_LONG,		/* last words: endless line or literal */
	REPLY_TOO_MANY_ERRORS,	/* last words */
	REPLY_BANNED,		/* last words: too many failed logins came from its address */
	REPLY_DENIED,		/* last words: it may not come, as %r or %q has it */
	REPLY_DENIED_LOGIN,	/* to a login: likewise */
	REPLY_CROWDED,		/* last words: too many connections of its address */
	REPLY_CROWDED_TLS,	/* last words: too many TLS sessions, likewise */
	REPLY_TIMEOUT,		/* last words: login_timeout, idle_timeout */
	REPLY_SHUTDOWN,		/* last words: drained, told to go */
	REPLY_UNAVAILABLE_BYE,	/* last words: REPLY_UNAVAILABLE with `unavailable bye` */
	REPLY_REFUSED_BYE,	/* last words: behind the refusal of a login that is to be the only one */
	REPLY_INJECTION,	/* last words: input behind STARTTLS */
	REPLY_FORBIDDEN,	/* last words: what the relay's filter does not let pass */
	REPLY_FOREIGN,		/* last words: a client of another protocol, HTTP or TLS by its first bytes */
	REPLY_COUNT
};

/* Phases of a dialogue: a protocol's own bits, of which these are common. */
enum {
	PHASE_START = 1,	/* after the greeting */
	PHASE_USER = 2,		/* the name is said (command_user), the password is not */
	PHASE_ANY = ~0
};

/* Columns of a verb, judged once in command.c. */
enum {
	VERB_NO_ARG = 1 << 0,
	VERB_NEEDS_ARG = 1 << 1,
	VERB_NEEDS_TLS = 1 << 2,	/* takes credentials, or mail: refused without d->secrets_allowed */
	VERB_LAST_IN_PIPELINE = 1 << 3,	/* input behind it is an attack (STARTTLS) */
	VERB_PREFIX = 1 << 4,		/* every command that begins so, less the rows above */
	VERB_PASSWORD = 1 << 5,		/* takes a password: refused where no offered mechanism does */
	VERB_CAPABILITIES = 1 << 6,	/* asks what there is: the client is told anew after its login */

	VERB_SECRET = 1 << 7,		/* what is behind it is for nobody's eyes: see transcript.h */
	VERB_IDLES = 1 << 8,		/* leads nowhere: manners.h counts it */

	VERB_STARTS_TLS = VERB_NO_ARG | VERB_LAST_IN_PIPELINE,
	VERB_LOGS_IN = VERB_NEEDS_ARG | VERB_NEEDS_TLS | VERB_SECRET,
	VERB_TAKES_PASSWORD = VERB_LOGS_IN | VERB_PASSWORD
};

struct verb {
	const char *name;
	int phases;
	unsigned flags;
	enum step (*run)(struct dialogue *d, struct slice args);	/* args: behind verb and blank */
	/* Without `run`, or where that gives STEP_REPLIED, what the client hears (letters: reply.h), and: */
	const char *says;
	enum step step;			/* 0: STEP_REPLIED */
	unsigned wish;			/* bits for the dialogue's wishes */
	const char *capability;		/* unknown where servers do not have this; NULL: never */
	size_t max_line, max_literals;	/* where they are larger than the protocol's; 0: they are not */
};

/* One client's conversation before the relay.  Owned by the session's login; wiped with it. */
struct dialogue {
	const struct proto *proto;
	struct identity *identity;	/* the session's; the dialogue sets its HELO name, and what is told */
	const char *hostname;		/* ours, in greetings */
	struct slice offer;		/* what may be said of the servers (capability.h); session's */
	unsigned mechanisms;		/* that are offered where secrets are allowed: bits of mechanism.h */
	bool is_led;			/* who judges logins leads exchanges for proofs (sasl.h) */
	bool tls_offered;		/* STARTTLS may be asked for now */
	bool tls_is_spent;		/* and is refused for now */
	bool secrets_allowed;		/* TLS runs, or it may do without: plaintext logins are allowed */
	bool has_told;			/* a trusted peer, of its client: these are its own addresses */
	struct addr told_from, told_at;
	bool is_trusted;		/* a proxy of ours: what it tells of its client is believed */
	bool is_idle;			/* the last command was a known one that leads nowhere */
	bool asked_capabilities;	/* the client asked before login: it is told anew afterwards */
	unsigned wishes;		/* the protocol's own: of what servers are to be told */
	int phase;
	int phase_again;		/* where a failed login leads back to; verbs set it */
	struct frame frame;
	struct sasl sasl;
	char tag[64];			/* tagged protocols: of the command at hand, "" for none */
	struct buf timestamp;		/* that the greeting had for APOP; empty: it is not offered */
	struct buf scratch;		/* a protocol's own pre-login memory; wiped */
	struct credentials credentials;
	struct buf token_error;		/* JSON: why a server refused the token at hand; empty: not said */
	struct buf refusal;		/* what the client hears once it has answered that */
	struct buf out;			/* what is to be written to the client */
	const char *doing;		/* for logs: "waiting for a command", "logging in" */
};

#endif
