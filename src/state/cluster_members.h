/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cluster_members.h: which proxies there are: each tells Redis of itself once
 * a second, and reads of the others in the same step.  And what they ask each
 * other.  On control's loop alone.
 */
#ifndef STATE_CLUSTER_MEMBERS_H
#define STATE_CLUSTER_MEMBERS_H

#include "state/cluster.h"

enum { CLUSTER_MEMBER_TEXT_MAX = 72, CLUSTER_MEMBERS_MAX = 1000, CLUSTER_QUESTION_WORDS = 3 };

struct cluster_member {
	/* A start of the program; one that is upgraded has two for a while, of one name. */
	char incarnation[CLUSTER_MEMBER_TEXT_MAX];
	char name[CLUSTER_MEMBER_TEXT_MAX], version[CLUSTER_MEMBER_TEXT_MAX];
	int64_t age_ms;			/* since it was heard of, when Redis said so */
	int64_t sessions, local, uptime_ms;
	int oldest, newest;		/* schemas that it knows, see cluster.h */
	bool is_self;
};

struct cluster_members;
struct cluster_poll;

/* sessions: how many there are now. */
struct cluster_members *cluster_members_new(struct cluster *cluster, const char *version,
    int64_t (*sessions)(void));
/* Before control's loop leaves.  Polls under way are done, with the answers that have come. */
void cluster_members_free(struct cluster_members **members);

/* As Redis said last; those that are silent for 10 s are forgotten. */
size_t cluster_members_count(const struct cluster_members *members);
const struct cluster_member *cluster_members_get(const struct cluster_members *members, size_t i);
/* Knows none of our schemas: nothing is shared with it. */
bool cluster_member_is_foreign(const struct cluster_member *member);
size_t cluster_members_foreign(const struct cluster_members *members);		/* how many do not */
/* How long the last heartbeat took to be answered; -1: it was not. */
int64_t cluster_members_latency_us(const struct cluster_members *members);

/* A question to all other proxies, that each answers with a number.  Embedded in its owner. */
struct cluster_poll {
	/* Once, perhaps before cluster_ask returns: all have answered, or some did not in time. */
	void (*on_done)(struct cluster_poll *poll);

	int asked, answered;
	int64_t sum;
	struct list node;		/* while it waits, as what follows */
	struct cluster_members *members;
	uint64_t serial;
	struct loop_timer timer;
};

/* `words`: CLUSTER_QUESTION_WORDS of them, without line ends. */
void cluster_ask(struct cluster_members *members, struct cluster_poll *poll, const char *subject,
    const char *const *words);
void cluster_poll_cancel(struct cluster_poll *poll);		/* fine where nothing is awaited */

/* To whom an answer goes. */
struct cluster_question {
	char asker[CLUSTER_MEMBER_TEXT_MAX], name[CLUSTER_MEMBER_TEXT_MAX];
	uint64_t serial;
};
/*
 * Who answers: now or later, by cluster_answer.  NULL: nobody does any more.  words: as asked, each with its
 * NUL.
 */
void cluster_members_on_question(struct cluster_members *members, void (*on_question)(void *owner,
    const struct cluster_question *question, const char *subject, const char *const *words), void *owner);
void cluster_answer(struct cluster_members *members, const struct cluster_question *question, int64_t number);

#endif
