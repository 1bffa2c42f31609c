/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agents.h: the agents of all servers of the configuration at hand, each asked once however many pools share
 * its server.  On control's loop alone.
 */
#ifndef HEALTH_AGENTS_H
#define HEALTH_AGENTS_H

#include "conf/directive.h"
#include "net/loop.h"

struct agent_result;
struct agents;
struct machine;

struct agents *agents_new(struct loop *loop);
void agents_free(struct agents **agents);

/*
 * Asks the agents that the servers of these pools have now, and no others: who has none any more is as if it
 * never had one.  pools: struct pool, committed; they stay until the next call.
 */
void agents_commit(struct agents *agents, const struct conf_list *pools);

bool agents_have(const struct agents *agents, struct machine *machine);
/* What came of the last question to its agent; NULL: it has none. */
const struct agent_result *agents_result(const struct agents *agents, struct machine *machine);
/* No question comes while the machine's agent_is_off; this follows it at once. */
void agents_follow(struct agents *agents, struct machine *machine);

#endif
