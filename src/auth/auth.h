/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth.h: who decides whether a login is good.  Asynchronous from the start:
 * an answer may come at once or later, and can be cancelled.
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "auth/auth_fields.h"
#include "base/buf.h"
#include "base/credentials.h"
#include "base/identity.h"
#include "base/thread_pool.h"
#include "conf/conf.h"
#include "net/loop.h"

/* What the directive `source` may say; source `x` is auth_x. */
#define AUTH_SOURCES(row) \
	row(server), \
	row(file)

struct auth {				/* auth NAME { … } */
	struct conf_block conf;
	int source;			/* a row of AUTH_SOURCES */
	const char *path;
	struct string_list domains;	/* only users of these; empty: all */
	struct string_list mechanisms;
	unsigned offered;		/* the mechanisms that are written, as bits; 0: the source says */
	void *resource;			/* the source's own, from auth_open to auth_close */
};
extern const struct block auth_block;

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
	const char *user;		/* the canonical name to use instead of the one claimed */
	const char *why;		/* of a refusal, for the log */
	const char *reason;		/* the same, safe to be told to the client */
	const char *host;		/* where the session goes: a name or an address */
	uint16_t port;
	enum auth_tls tls;		/* to that host */
	const char *pool, *server;	/* or there */
	const char *destuser, *pass, *master;	/* how it logs in there */
	int64_t delay_ms;		/* to be waited before the client is served */
	struct slice challenge;		/* of AUTH_CHALLENGE */
};

/* One question.  Embedded in its owner; everything pointed to outlives the answer or the cancel. */
struct auth_request {
	struct loop *loop;
	const struct conf_list *chain;	/* of struct auth, asked in turn; empty: the server decides */
	const struct credentials *credentials;	/* of a login; a lookup has none */
	const struct identity *identity;
	const char *user;		/* canonical name claimed, or to be looked up */
	struct thread_pool *hashing;	/* for slow passwords; NULL: they are checked at once */
	/* Once for each auth_start, _lookup_start, _respond, at once or later; may end the session. */
	void (*on_verdict)(struct auth_request *request, const struct auth_answer *answer);
	/* Set by a source while its answer is under way, or the client's. */
	void (*cancel)(struct auth_request *request);
	void (*respond)(struct auth_request *request);	/* by one that has challenged the client; or NULL */
	void *work;			/* the source's own meanwhile */
	size_t next;			/* of the chain, to be asked */
	const struct auth *stranger;	/* the first source that was asked and did not know the user */
	bool is_lookup;
	bool is_beyond_sources;		/* a source that cannot look up was passed over */
};

/* A kind of source: one file, one row in AUTH_SOURCES. */
struct auth_source {
	const char *name;
	bool knows_users;		/* false: it only says AUTH_BY_SERVER */
	bool needs_path;
	/* By which it can judge all its users; before auth_open: by which it could. */
	unsigned (*mechanisms)(const struct auth *auth);
	/* Ends in auth_answer or, where the source does not know the user, in auth_pass_on. */
	void (*start)(struct auth_request *request, const struct auth *auth);
	/* The same without credentials; never AUTH_CHALLENGE.  NULL: it cannot look users up. */
	void (*lookup)(struct auth_request *request, const struct auth *auth);
	/* Nobody knows the user: refuses, and takes as long as with a wrong password.  NULL: at once. */
	void (*pretend)(struct auth_request *request, const struct auth *auth);
	/* The rest as auth_open and what follows it; NULL: nothing is to be done. */
	bool (*open)(struct auth *auth, const struct conf_list *before, struct conf_problems *problems);
	void (*close)(struct auth *auth);
	bool (*refresh)(const struct auth *auth, bool *changed, struct conf_problems *problems);
};

bool auth_knows_users(const struct conf_list *chain);	/* false: it leaves some logins to the server */
/* What all of it can judge and is to: bits of mechanism.h.  Before auth_open: all that may come of it. */
unsigned auth_mechanisms(const struct conf_list *chain);
/* What all of it names in `mechanisms`; one that says `auto` names none. */
unsigned auth_written(const struct conf_list *chain);
void auth_start(struct auth_request *request);
/*
 * Asks without a password who a user is: a recipient, or one whom a trusted peer names.  The first source
 * that knows the user answers.  AUTH_BY_SERVER: none does, and one of them cannot look users up, or there
 * are none.
 */
void auth_lookup_start(struct auth_request *request);
/* credentials->response answers the AUTH_CHALLENGE that came last. */
void auth_respond(struct auth_request *request);
void auth_cancel(struct auth_request *request);		/* no verdict will come; fine when none is awaited */

/*
 * For sources.  The request may be gone when these return.  With AUTH_CHALLENGE, which respond it is to be
 * and the work it needs are set before.
 */
void auth_answer(struct auth_request *request, const struct auth_answer *answer);
void auth_pass_on(struct auth_request *request, const struct auth *auth);

/*
 * Control's.  auth_open reads what the block names, or shares it with a block of `before` (or NULL) that
 * names the same.  false: the problems tell why; auth_close is fine all the same.
 */
bool auth_open(struct auth *auth, const struct conf_list *before, struct conf_problems *problems);
void auth_close(struct auth *auth);
/* Takes what changed; false: it is bad, what was before serves on, and that is said once a change. */
bool auth_refresh(const struct auth *auth, bool *changed, struct conf_problems *problems);

extern const struct auth_source auth_server, auth_file;

#endif
