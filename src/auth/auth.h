/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth.h: who decides whether a login is good.  Asynchronous from the start:
 * an answer may come at once or later, and can be cancelled.
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "auth/auth_answer.h"
#include "auth/auth_cache.h"
#include "auth/auth_clients.h"
#include "auth/auth_fields.h"
#include "auth/auth_kept.h"
#include "base/buf.h"
#include "base/credentials.h"
#include "base/identity.h"
#include "base/thread_pool.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "net/redis_url.h"

struct auth {				/* auth NAME { … } */
	struct conf_block conf;
	int source;			/* a row of AUTH_SOURCES (auth_source.h) */
	const char *path;
	struct address_list socket, lookup_socket;
	struct string_list url;		/* whom the source http asks, in turn, … */
	struct conf_list header;	/* … and how: of struct auth_http_header */
	const char *ca;
	int escape;			/* enum auth_http_escape */
	bool pass_client_cert;
	struct redis_url redis;
	const char *key;		/* of a user's hash in it: a template */
	const char *redis_user, *redis_password_file;
	struct duration timeout;	/* of a question */
	struct string_list domains;	/* only users of these; empty: all */
	struct network_list allow_hosts;	/* where it may send sessions; empty: anywhere */
	struct string_list mechanisms;
	unsigned offered;		/* the mechanisms that are written, as bits; 0: the source says */
	struct duration cache_ttl, cache_negative_ttl;
	int64_t cache_size;
	bool cache_by_address;
	void *resource;			/* the source's own, from auth_open to auth_close */

	struct auth_kept *kept;		/* from auth_keep to auth_close */
	struct auth_cache *cache;	/* likewise; NULL: it has none */
	uint64_t epoch;			/* the same as long as the block says the same */
};
extern const struct block auth_block;

/* One question.  Embedded in its owner; everything pointed to outlives the answer or the cancel. */
struct auth_request {
	struct loop *loop;
	const struct conf_list *chain;	/* of struct auth, asked in turn; empty: the server decides */
	const struct credentials *credentials;	/* of a login; a lookup has none */
	const struct identity *identity;
	const char *user;		/* canonical name claimed, or to be looked up; "": none is known */
	const struct auth_scene *scene;	/* where it is asked; NULL: nothing is known of that */
	struct auth_clients *clients;	/* of the loop; NULL: no source that needs any is asked */
	struct thread_pool *hashing;	/* for slow passwords; NULL: they are checked at once */
	/* Once for each auth_start, _lookup_start, _respond, at once or later; may end the session. */
	void (*on_verdict)(struct auth_request *request, const struct auth_answer *answer);
	/* Set by a source while its answer is under way, or the client's. */
	void (*cancel)(struct auth_request *request);
	void (*respond)(struct auth_request *request);	/* by one that has challenged the client; or NULL */
	void *work;			/* the source's own meanwhile */
	const struct auth *asked;	/* who has the question; NULL: none has */
	size_t next;			/* of the chain, to be asked */
	const struct auth *stranger;	/* the first source that was asked and did not know the user */
	bool is_lookup;
	bool is_beyond_sources;		/* a source that cannot look up was passed over */
	struct auth_turn turn;		/* with the source that has the question */
};

bool auth_knows_users(const struct conf_list *chain);	/* false: it leaves some logins to the server */
/* What all of it can judge and is to: bits of mechanism.h.  Before auth_open: all that may come of it. */
unsigned auth_mechanisms(const struct conf_list *chain);
/* What all of it names in `mechanisms`; one that says `auto` names none. */
unsigned auth_written(const struct conf_list *chain);
/* Of these, proofs and certificates where its answers may have the passwords that servers are shown then. */
unsigned auth_answered(const struct conf_list *chain);
bool auth_looks_up(const struct conf_list *chain);	/* can any of it? */
/* Does its one source lead the exchanges with clients by itself? */
bool auth_leads_exchanges(const struct conf_list *chain);
/* May its answers send sessions to this address?  NULL: nobody's answer, which sends them nowhere. */
bool auth_allows_host(const struct auth *auth, const struct addr *host);
const struct auth *auth_first_for(const struct conf_list *chain, const char *user);	/* or NULL: nobody */
void auth_start(struct auth_request *request);
/*
 * Asks without a password who a user is: a recipient, or one whom a trusted peer names.  The first source
 * that knows the user answers.  AUTH_BY_SERVER: none does, and one of them cannot look users up, or there
 * are none.
 */
void auth_lookup_start(struct auth_request *request);
/* credentials->response answers the AUTH_CHALLENGE that came last. */
void auth_respond(struct auth_request *request);
/* Behind a verdict on a login without a name: is this user of the domains of the source that gave it? */
bool auth_vouches_for(const struct auth_request *request, const char *user);
bool auth_waits(const struct auth_request *request);	/* others come before it at the source */
void auth_cancel(struct auth_request *request);		/* no verdict will come; fine when none is awaited */

/*
 * Control's, in what follows.  Before auth_open: what outlives reloads is that of the block of `before` (or
 * NULL) with the same name.  Without it nothing is counted, nor cached.
 */
void auth_keep(struct auth *auth, const struct conf_list *before, int threads);
/*
 * Reads what the block names, or shares it with a block of `before` (or NULL) that names the same.  false:
 * the problems tell why; auth_close is fine all the same.
 */
bool auth_open(struct auth *auth, const struct conf_list *before, struct conf_problems *problems);
void auth_close(struct auth *auth);
/* Takes what changed; false: it is bad, what was before serves on, and that is said once a change. */
bool auth_refresh(const struct auth *auth, bool *changed, struct conf_problems *problems);
/* A worker's, with each new snapshot: its clients are those of these blocks (struct auth). */
void auth_warm(const struct conf_list *auths, struct auth_clients *clients);

#endif
