/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_cache.h: what a source has said, for the time that its block allows,
 * and who waits for what it is about to say: of equal questions that come
 * together, over all workers, one is asked.  It holds neither passwords nor
 * anything that shows one.
 */
#ifndef AUTH_AUTH_CACHE_H
#define AUTH_AUTH_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct auth;
struct auth_answer;
struct auth_cache;
struct auth_flight;
struct auth_place;
struct auth_request;
struct auth_source;
struct waiter;

/* By which function of auth_source.h a source has told what it had to say. */
enum auth_outcome { AUTH_OUTCOME_ANSWER, AUTH_OUTCOME_REFUSAL, AUTH_OUTCOME_UNKNOWN };

/* A request's with the source that has its question: auth.c's and the cache's own. */
struct auth_turn {
	int64_t began_us;		/* 0: nobody measures */
	struct auth_flight *flight;	/* a question that several may have; NULL: this one asks for itself */
	struct waiter *waiter;		/* of the flight; NULL: this one is who asks */
	bool is_unknown;		/* the source has said so, and pretends yet that it judges */
	bool is_inside;			/* it has a place with the source: auth_gate.h */
	unsigned cuts;			/* as the gate had them then */
	struct auth_place *place;	/* while it waits for one; or NULL */
};

struct auth_cache *auth_cache_new(void);
struct auth_cache *auth_cache_get(struct auth_cache *cache);
void auth_cache_put(struct auth_cache **cache);
void auth_cache_set_size(struct auth_cache *cache, int64_t size);	/* answers that it holds at most */
size_t auth_cache_count(struct auth_cache *cache);			/* some may be too old by now */
/*
 * Forgets what was said of a user, by the canonical name or that of an answer (and of others whose name
 * before the @ is alike); NULL: of all.  What is under way is not kept.  From any thread; NULL has nothing.
 */
void auth_cache_flush(struct auth_cache *cache, const char *user);

/*
 * auth.c's.  true: the answer was there, or another one asks already; on_verdict has come or will.  Otherwise
 * the source of request->asked is to be asked.
 */
bool auth_cache_ask(struct auth_request *request, const struct auth_source *source);
/* The source has spoken, before the request hears of it; `answer` is NULL where it knows no such user. */
void auth_cache_settle(struct auth_request *request, const struct auth_source *source,
    enum auth_outcome outcome, const struct auth_answer *answer);
void auth_cache_leave(struct auth_request *request);	/* it is cancelled: another one asks in its place */

#endif
