/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * penalty.h: what failed logins cost.  They count for the client's address
 * and for the user, known or not, whose password was guessed; who has many
 * waits before the next guess is judged.  A pair of both that has logged in
 * once waits for its own failures only, so that one device with an old
 * password does not slow its office.  Names and passwords are kept as keyed
 * hashes, with a key that ends with the process.
 *
 * So that guesses do not get around that by coming at the same time, a login
 * is booked when it asks, until its outcome is known.  One under way counts
 * like a failure for those of the same user that come after it; of an
 * address, where an office with a hundred telephones may come back at once,
 * and for a pair that has logged in, only every PENALTY_CROWD count as one.
 * Of an address those do not count that its newcomers outweigh, users who
 * have logged in there for the first time within the last minutes: each
 * makes room for PENALTY_ROOM, so that a large office is in as fast as its
 * logins are judged, and one who guesses has no more than a small one had.
 * What one client shows for one user counts once, however many of its
 * connections show the same password.  Whoever waits is looked at again,
 * soon where it waits for logins under way alone, and never waits longer in
 * all than the longest delay.
 */
#ifndef ACCESS_PENALTY_H
#define ACCESS_PENALTY_H

#include "access/limits.h"
#include "state/counter.h"

struct cluster;
struct penalty;				/* what all listeners have counted, over all reloads */

struct penalty *penalty_new(const struct counter_engine *engine);
/* Together with the other proxies, which need the cluster's secret for it; NULL: there is none. */
struct penalty *penalty_new_shared(struct cluster *cluster);
void penalty_free(struct penalty **penalty);

enum {
	PENALTY_CROWD = 20,		/* logins under way at the same time */
	PENALTY_ROOM = 2
};

enum { PENALTY_USER_SIZE = 16, PENALTY_NAME_MAX = 1 + LIMITS_CLIENT_MAX + PENALTY_USER_SIZE };

/* Whose login it is. */
struct penalty_pair {
	struct limits_client client;
	uint8_t user[PENALTY_USER_SIZE];	/* a hash */
	bool has_user;
};

/* What is asked of the counters at one time. */
enum { PENALTY_WISHES_MAX = 8 };
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
	/* Of penalty_ask, and of each _ask_again, perhaps before that returns; may end the case. */
	void (*on_answer)(struct penalty_case *pending, int64_t wait_ms);

	struct penalty_pair pair;
	struct penalty_pair booked;	/* the same when it asked; a name may come later */
	enum penalty_booking {
		PENALTY_NOT_BOOKED, PENALTY_BOOKED, PENALTY_BOOKED_BY_PASSWORD
	} booking;
	char password[PENALTY_NAME_MAX];	/* a hash, of the last kind of booking */
	int64_t asked_at, failures;	/* … and how many it found, with those under way */
	int64_t ahead;			/* of its address, under way when it asked */
	int64_t look_ms;		/* of an answer: when to ask again, by wait_ms at last */
	struct penalty_wishes wishes;
	struct counter_request request;
};

/* The fields above the blank line are filled in.  user: whose password it is, canonical; "": nobody knows. */
void penalty_open(struct penalty_case *opened, const struct addr *client, struct slice user);
/* Behind penalty_open with nobody's name, before the outcome is told: it is known now. */
void penalty_name(struct penalty_case *named, struct slice user);
/*
 * How long the login is to wait before it is judged, and books it.  secret: the password, or token; empty:
 * the client did not show it.  now: as loop_now, in what follows too.
 */
void penalty_ask(struct penalty_case *opened, struct slice secret, int64_t now);
/* The time to look again has come: how much longer, by what has happened meanwhile. */
void penalty_ask_again(struct penalty_case *waited, int64_t now);
void penalty_cancel(struct penalty_case *opened);	/* no answer will come; fine when none is awaited */
/* The outcome, each ends what is booked.  secret: the wrong one, as above. */
void penalty_failed(struct penalty_case *judged, struct slice secret, int64_t now);
void penalty_succeeded(struct penalty_case *judged, int64_t now);
void penalty_undecided(struct penalty_case *judged, int64_t now);	/* fine when nothing is booked */

/* At once, by what this process knows. */
bool penalty_bans(struct penalty *penalty, const struct limits *limits, const struct addr *client,
    int64_t now);

/* A client's failures, or that it is banned, for so long from now on. */
struct penalty_entry {
	struct limits_client client;
	int64_t failures;		/* in a row, users' of one address together */
	bool is_banned;
	int64_t left_ms;
};
typedef void penalty_visit(const struct penalty_entry *entry, void *arg);
/* What this process knows of clients: from cursor 0 until it is 0 again, as table_walk.  From any thread. */
uint64_t penalty_walk(struct penalty *penalty, uint64_t cursor, int64_t now, penalty_visit *visit, void *arg);
/* An operator forgives a client: its failures and its ban are gone, under these limits (or any: NULL). */
void penalty_forgive(struct penalty *penalty, const struct limits_client *client, const struct limits *limits,
    struct loop *loop);
/* A client that was banned before, by another process. */
void penalty_ban(struct penalty *penalty, const struct limits_client *client, int64_t left_ms,
    struct loop *loop);
size_t penalty_count(struct penalty *penalty);	/* clients, users and pairs of both; many are over */
size_t penalty_limit(void);			/* of these */

#endif
