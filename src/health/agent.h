/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent.h: one machine's agent, over time: it is asked each agent_interval, and what it says holds for the
 * machine.  One that does not answer, or not in whole lines that mean something, changes nothing.
 */
#ifndef HEALTH_AGENT_H
#define HEALTH_AGENT_H

#include <stdbool.h>

#include "balance/machine.h"
#include "balance/pool.h"
#include "health/check_code.h"
#include "net/loop.h"
#include "net/stream.h"

enum { AGENT_LINE_MAX = 512, AGENT_TIMEOUT_MS = 3000 };

/* What came of a question, in a check's words. */
struct agent_result {
	enum check_code code;		/* INI before the first answer */
	int64_t took_ms;
	char text[STANDING_WHY_MAX];	/* the reason it gave, or why it is not heeded; "" */
};

/* Zeroed by the owner; freed by loop_defer only. */
struct agent {
	struct loop *loop;		/* NULL: it is stopped */
	struct machine *machine;	/* one reference */
	const struct server *server;	/* of the configuration at hand; it names an agent */
	struct addr addr;
	struct stream stream;
	struct loop_timer timer;	/* to ask; or while it is asked, to give up */
	int64_t due_at;			/* loop_now of the next question */
	int64_t asked_at;		/* loop_now */
	struct agent_result result;	/* of the last question */
	bool is_asked;
	bool is_connected;		/* while it is asked */
	bool was_asked;			/* at least once, to the end */
	bool is_mute;			/* the last answer was of no use, and that was said */
};

/* The first question is due at `at_ms`, as loop_now. */
void agent_start(struct agent *agent, struct loop *loop, struct machine *machine, const struct server *server,
    int64_t at_ms);
/* Another configuration: what was said stays.  Where the agent is another one, it is asked at once. */
void agent_move(struct agent *agent, const struct server *server);
void agent_follow(struct agent *agent);		/* the machine's agent_is_off, at once */
void agent_stop(struct agent *agent);		/* what was said stays; twice is fine */
void agent_forget(struct agent *agent);		/* stops it, and nothing that it said holds any more */

#endif
