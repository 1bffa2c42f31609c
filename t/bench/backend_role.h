/* SPDX-License-Identifier: BSD-2-Clause */
/* backend_role.h: what the mock server says as which server. */
#ifndef BENCH_BACKEND_ROLE_H
#define BENCH_BACKEND_ROLE_H

#include "wire.h"

enum session_state { SESSION_COMMANDS, SESSION_MAIL, SESSION_PROOF, SESSION_IDLE };

struct session;

/* `then`: what follows the reply, or stands in its place where that is NULL. */
struct answer {
	const char *command, *reply;	/* reply: $ is the command's tag, which only IMAP has */
	void (*then)(struct session *session, struct slice arguments);
};

struct role {
	const char *name, *greeting;
	const struct answer *answers;	/* up to one without a command; NULL: each line is for `line` */
	const char *accepted, *refused, *challenge;	/* replies to a login */
	void (*line)(struct session *session, struct slice line);
	bool is_tagged, greets_again;
};

struct session {
	struct wire wire;		/* first, the wire's events are the session's */
	const struct role *role;
	enum session_state state;
	bool is_greeted;
	const struct role *asked;	/* http: the protocol of the login */
	bool keeps;			/* http: the connection is for more than one */
	char tag[32];
	struct buf command;		/* lines that end in a literal, until the last */
};

void role_init(SSL_CTX *ctx);		/* for STARTTLS */
const struct role *role_find(struct slice name);
void role_greet(struct session *session);
void role_line(struct session *session, struct slice line);
void role_note_port(const struct role *role, const struct sockaddr_in *host, unsigned port);

#endif
