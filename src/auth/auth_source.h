/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_source.h: what a source is, for those who write one. */
#ifndef AUTH_AUTH_SOURCE_H
#define AUTH_AUTH_SOURCE_H

#include "auth/auth.h"

/* What the directive `source` may say; source `x` is auth_x. */
#define AUTH_SOURCES(row) \
	row(server), \
	row(file), \
	row(http), \
	row(dovecot), \
	row(redis)

/* A kind of source: one file, one row in AUTH_SOURCES. */
struct auth_source {
	const char *name;
	bool knows_users;		/* false: it only says AUTH_BY_SERVER */
	/*
	 * Where it is the only one of its chain it leads exchanges of its own with clients: it is given their
	 * messages as they come (sasl.h).
	 */
	bool leads_exchanges;
	bool gives_passwords;		/* an answer may have the user's password for the servers */
	const char *const *takes;	/* its directives, of those that not all sources have; NULL ends */
	int needs;			/* the first so many must be written */
	const char *timeout;		/* its default, where it takes one */
	/* Nothing of the client decides on its answers, unless they say so (depends_on_client). */
	bool ignores_client;
	/* Another one when it knows other users: answers of before are not used then.  NULL: never. */
	unsigned (*version)(const struct auth *auth);
	/* By which it can judge all its users; before auth_open: by which it could. */
	unsigned (*mechanisms)(const struct auth *auth);
	/* Ends in auth_answer or, where the source does not know the user, in auth_pass_on. */
	void (*start)(struct auth_request *request, const struct auth *auth);
	/* The same without credentials; never AUTH_CHALLENGE.  NULL: it cannot look users up. */
	void (*lookup)(struct auth_request *request, const struct auth *auth);
	bool (*can_look_up)(const struct auth *auth);	/* by this block; NULL: by all, where it can */
	/* Nobody knows the user: refuses, and takes as long as with a wrong password.  NULL: at once. */
	void (*pretend)(struct auth_request *request, const struct auth *auth);
	/* Can none be asked now, of those that the block names?  NULL: nobody knows before it is tried. */
	bool (*is_away)(const struct auth *auth);
	/* The rest as auth_open and what follows it; NULL: nothing is to be done. */
	bool (*open)(struct auth *auth, const struct conf_list *before, struct conf_problems *problems);
	void (*close)(struct auth *auth);
	bool (*refresh)(const struct auth *auth, bool *changed, struct conf_problems *problems);
	/* A worker is about to serve by this block: opens what it needs (auth_client_get).  NULL: nothing. */
	void (*warm)(const struct auth *auth, struct auth_clients *clients);
};

/*
 * For sources.  The request may be gone when these return.  With AUTH_CHALLENGE, which respond it is to be
 * and the work it needs are set before.
 */
void auth_answer(struct auth_request *request, const struct auth_answer *answer);
void auth_pass_on(struct auth_request *request, const struct auth *auth);	/* it knows no such user */
/* A refusal by a source that does not tell whom it knows: where there is a next one, that is asked. */
void auth_refuse(struct auth_request *request, const struct auth_answer *answer);

/* For the cache: asks the source, if the cache has no answer now; asks it whatever the cache has. */
void auth_ask(struct auth_request *request, const struct auth *auth);
void auth_put(struct auth_request *request, const struct auth *auth);
/* For the gate: there is a place. */
void auth_go(struct auth_request *request, const struct auth *auth);
/* Tells what the source has told to an equal question, in the same way. */
void auth_tell(struct auth_request *request, enum auth_outcome outcome, const struct auth_answer *answer);

extern const struct auth_source auth_server, auth_file, auth_http, auth_dovecot, auth_redis;

#endif
