/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * penalty.h: what failed logins cost.  They count for the client's address
 * and for the user, known or not, whose password was guessed; who has many
 * waits before the next guess is judged.  A pair of both that has logged in
 * once waits for its own failures only, so that one device with an old
 * password does not slow its office.  Names and passwords are kept as keyed
 * hashes, with a key that ends with the process.
 */
#ifndef ACCESS_PENALTY_H
#define ACCESS_PENALTY_H

#include "access/limits.h"
#include "state/counter.h"

struct penalty;				/* what all listeners have counted, over all reloads */

struct penalty *penalty_new(const struct counter_engine *engine);
void penalty_free(struct penalty **penalty);

enum { PENALTY_USER_SIZE = 16, PENALTY_NAME_MAX = 1 + LIMITS_CLIENT_MAX + PENALTY_USER_SIZE };

/* Whose login it is. */
struct penalty_pair {
	struct limits_client client;
	uint8_t user[PENALTY_USER_SIZE];	/* a hash */
	bool has_user;
};

/* What is asked of the counters at one time. */
enum { PENALTY_WISHES_MAX = 5 };
struct penalty_wishes {
	struct counter_wish items[PENALTY_WISHES_MAX];
	char names[PENALTY_WISHES_MAX][PENALTY_NAME_MAX];
	int count;
};

/* A login, from its credentials to its outcome; what it points to lives as long. */
struct penalty_case {
	struct penalty *penalty;
	const struct limits *limits;
	struct loop *loop;
	/* Of penalty_ask, once, perhaps before that returns; may end the case. */
	void (*on_answer)(struct penalty_case *pending, int64_t wait_ms);

	struct penalty_pair pair;
	struct penalty_wishes wishes;
	struct counter_request request;
};

/* The fields above the blank line are filled in.  user: whose password it is, canonical; "": nobody knows. */
void penalty_open(struct penalty_case *opened, const struct addr *client, struct slice user);
/* How long the login is to wait before it is judged.  now: as loop_now, in what follows too. */
void penalty_ask(struct penalty_case *opened, int64_t now);
void penalty_cancel(struct penalty_case *opened);	/* no answer will come; fine when none is awaited */
/* The outcome.  secret: the wrong password, or token; empty: the client did not show it. */
void penalty_failed(const struct penalty_case *judged, struct slice secret, int64_t now);
void penalty_succeeded(const struct penalty_case *judged, int64_t now);

/* At once, by what this process knows. */
bool penalty_bans(struct penalty *penalty, const struct limits *limits, const struct addr *client,
    int64_t now);

#endif
