/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * affinity_redis.h: what the parts of affinity_redis share.  Redis says who
 * is bound where; this process knows of those whose sessions it has, renews
 * their leases, and decides for itself while Redis is not there.
 */
#ifndef STATE_AFFINITY_REDIS_H
#define STATE_AFFINITY_REDIS_H

#include "state/affinity_engine.h"
#include "state/affinity_scripts.h"
#include "state/register.h"
#include "state/table.h"

enum {
	AFFINITY_RENEWALS = 3,		/* in the time of a lease */
	AFFINITY_RETRY_MS = 150		/* how often a login on hold asks again */
};

#define SHARED_DUE (INT64_MIN / 2)

struct page;

struct shared {				/* the bindings of one farm */
	struct cluster_ear ear;		/* its name is the farm's */
	struct cluster *cluster;
	struct table *holders;		/* struct holder, by user */
	_Atomic uint64_t guesses;	/* generations of its own decisions: older than all of Redis' */
	_Atomic int64_t retention_ms;
	int64_t lease_ms, renew_ms;
	struct loop_timer renewal;
	uint64_t cursor;
	int ended;			/* in the round under way: their leases could not be renewed */
	struct shared_register *words;	/* holds and pins */
	char *words_name;
	int hints;			/* users who are looked at since something was said of them */
};

struct holder {				/* a user whose sessions are here, or were a moment ago */
	char *server;			/* NULL: not known */
	uint64_t generation, kicked;	/* the latest ones that were heard of */
	int64_t since;
	int64_t heard_at;		/* when server or generation became so */
	struct list leases;
	int opens;			/* under way */
	bool is_told;			/* Redis was told of sessions, and not yet that all are gone */
	uint64_t sequence;		/* of what was told to Redis */
	int64_t renewed_at;		/* SHARED_DUE: at once */
	int64_t proved_at;		/* the lease runs from here: when that was sent which was answered */
};

/* What a script has answered. */
struct said {
	enum affinity_status status;
	char server[AFFINITY_SERVER_MAX];
	uint64_t generation, kicked;
	uint64_t stamp;			/* of the answer, as kicks have them */
	int64_t since;
	int sessions;
	bool is_held;			/* by peek */
	uint64_t hold;
	int64_t held_ms;
	bool is_pinned;
	int64_t hold_ms;		/* of an operator's hold alone */
};

/* A script's run for a user. */
struct work {
	struct cluster_call call;
	struct shared *shared;
	struct loop *loop;
	struct affinity_request *request;	/* NULL: nobody waits for it */
	struct loop_timer retry;
	char *user, *keys[2];
	char numbers[6][24];		/* of arguments */
	char server[AFFINITY_SERVER_MAX];
	uint64_t generation, sequence;
	int64_t sent_at;
	bool is_opening;		/* counted in opens */
	bool is_pin, is_split;
	struct page *page;		/* of affinity_list, else NULL */
};

struct work *shared_work(struct shared *shared, struct loop *loop, struct slice user,
    void (*on_reply)(struct cluster_call *call, const struct redis_reply *reply));
void shared_work_free(struct work *work);
/* False: Redis is not there. */
bool shared_run(struct work *work, const struct cluster_script *script, const struct slice *args, int count);
struct slice shared_number(struct work *work, int i, uint64_t number);
bool shared_read(const struct redis_reply *reply, struct said *said);
void shared_tell(const struct said *said, struct affinity_binding *binding);
struct work *shared_work_for(struct affinity_request *request,
    void (*on_reply)(struct cluster_call *call, const struct redis_reply *reply));
void shared_answer(struct work *work, enum affinity_answer result);		/* frees the work */

/* What operators want: affinity_redis_orders.c. */
void shared_move(struct affinity_request *request);
void shared_kick(struct affinity_request *request);
void shared_hold(struct affinity_request *request);
void shared_pin(struct affinity_request *request);

/* Holds and pins as all proxies know them: affinity_redis_words.c.  On control's loop. */
void shared_words_begin(struct shared *shared);
void shared_words_end(struct shared *shared);		/* fine after the cluster was left */
void shared_say_pin(struct shared *shared, struct slice user, const char *server);	/* NULL: none */
void shared_say_hold(struct shared *shared, struct slice user, int64_t ms);	/* from now on; 0: none */

/* affinity_list's engine: SCAN at one server after the other, and then a look at each user. */
void shared_list(struct affinity_request *request);
void shared_list_cancel(struct affinity_request *request);
/* What was heard of a user: sessions older than these are told to go; how many. */
int shared_hear(struct shared *shared, struct slice user, uint64_t generation, uint64_t kicked, int64_t now);
/* A renewal's answer: leases that were of `mine` are of said->generation, where it is the same server. */
void shared_renewed(struct work *work, uint64_t mine, const struct said *said);
void shared_renew_begin(struct shared *shared);
/* Everybody at once: what was said meanwhile may have been missed. */
void shared_renew_all(struct shared *shared);
/* Redis has not heard that nobody is here any more: it is told again. */
void shared_tell_again(struct shared *shared, struct slice user, int64_t now);
/* Nobody is here any more. */
void shared_close(struct shared *shared, struct loop *loop, struct slice user, uint64_t sequence);

#endif
