/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent_reply.h: what an agent on a server says in its one line, in the words of HAProxy's agent checks and
 * two of ours, queue: and age:.  What comes of it is the caller's.
 */
#ifndef HEALTH_AGENT_REPLY_H
#define HEALTH_AGENT_REPLY_H

#include <stdbool.h>

#include "base/slice.h"

enum {
	AGENT_WEIGHT_MAX = 256,
	AGENT_PERCENT_MAX = 100 * AGENT_WEIGHT_MAX,	/* gives the smallest weight the largest one */
	AGENT_CONNECTIONS_MAX = 1000000,
	AGENT_COUNT_MAX = 1000000000,
	AGENT_REASON_SIZE = 128,
	AGENT_UNKNOWN_SIZE = 32
};

enum agent_admin { AGENT_ADMIN_NONE, AGENT_ADMIN_READY, AGENT_ADMIN_DRAIN, AGENT_ADMIN_MAINTENANCE };
enum agent_operational { AGENT_NONE, AGENT_UP, AGENT_DOWN, AGENT_STOPPED, AGENT_FAIL };

/* What was not said keeps its value of before.  Of two words about one thing the later one counts. */
struct agent_reply {
	bool has_percent, has_weight;	/* at most one of them */
	bool has_max_connections, has_queue, has_age_s;
	int percent;			/* of the configured weight */
	int weight;
	int max_connections;		/* 0: no bound */
	int queue, age_s;		/* messages that wait, seconds that the oldest has waited */
	enum agent_admin admin;
	enum agent_operational operational;
	/* Printable, cut where there is no room; "": none. */
	char reason[AGENT_REASON_SIZE];
	char unknown[AGENT_UNKNOWN_SIZE];	/* the first word that means nothing */
};

/*
 * Reads a line up to its end: CR, LF, NUL or no more.  Words stand between blanks, tabs and commas; a # in
 * their place begins the reason.  A number that is too large is the largest one, but a weight is unknown
 * then, as to HAProxy.  false: no word means anything, which says nothing about the server.
 */
bool agent_reply_parse(struct slice line, struct agent_reply *reply);

#endif
