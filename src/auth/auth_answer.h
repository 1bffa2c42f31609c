/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_answer.h: what a source says of a login or of a user, and what it may be told of where it is asked. */
#ifndef AUTH_AUTH_ANSWER_H
#define AUTH_AUTH_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/auth_fields.h"
#include "base/slice.h"

struct stream;

enum auth_verdict {
	AUTH_OK,			/* the source vouches for the user; to a lookup: knows it */
	AUTH_REFUSED,			/* to a lookup: there is no such user */
	AUTH_LATER,			/* the source cannot say now */
	AUTH_BY_SERVER,			/* the mail server judges the password, knows who is a user */
	AUTH_CHALLENGE			/* no verdict yet: the client is to answer, then auth_respond */
};

/* What it says is there while on_verdict runs.  NULL and 0: the source does not say. */
struct auth_answer {
	enum auth_verdict verdict;
	/* A user who was looked up may not log in (why and reason tell); mail may come in all the same. */
	bool refuses_login;
	/* Refused though the credentials are right: the user may not, and has guessed nothing. */
	bool is_right;
	bool has_no_reply;		/* of AUTH_LATER: nothing was heard of the source in time */
	bool depends_on_client;		/* from another address the same could be answered otherwise */
	const char *user;		/* the canonical name to use instead of the one claimed */
	const char *why;		/* of a refusal or AUTH_LATER, for the log */
	const char *reason;		/* the same, safe to be told to the client */
	const char *code;		/* of both, in the client's protocol: "535 5.7.8", "LIMIT" */
	bool ends_session;		/* a client that hears of a refusal is disconnected */
	int64_t wait_ms;		/* before it hears of it */
	const char *host;		/* where the session goes: a name or an address */
	uint16_t port;
	enum auth_tls tls;		/* to that host */
	const char *pool, *server;	/* or there */
	const char *destuser, *pass, *master;	/* how it logs in there */
	int64_t delay_ms;		/* to be waited before the client is served */
	int64_t timeout_ms;		/* for the login at the server; 0: the pool's */
	struct slice challenge;		/* of AUTH_CHALLENGE */
	const char *token_error;	/* JSON: why a token was refused */
};

/* What a source may tell the one it asks about a client, beside what its identity has. */
struct auth_scene {
	const char *listener, *protocol;	/* their names */
	const struct stream *client;	/* for facts of its TLS; or NULL */
	const char *mail_name;		/* nginx's for the protocol, where mail is taken; or NULL */
	const char *sni;		/* or NULL */
	bool has_header;		/* a PROXY header told of the client */
	bool is_trusted;		/* it is a proxy of ours: as good as TLS */
	int attempt;			/* from 1: logins of this connection, by whatever mechanism */
	struct slice mail, recipient;	/* of a lookup for mail: the lines MAIL and RCPT, without their end */
};

#endif
