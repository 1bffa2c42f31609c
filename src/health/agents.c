/* SPDX-License-Identifier: BSD-2-Clause */
/* agents.c: who is asked: by machine, which pools with one farm share. */
#include "health/agents.h"

#include "balance/endpoint.h"
#include "balance/member.h"
#include "base/list.h"
#include "base/map.h"
#include "base/xalloc.h"
#include "health/agent.h"

enum { FIRST_SPACING_US = 500 };

struct asker {
	struct list node;
	struct agent agent;
	unsigned round;			/* of agents_commit, when it was wanted last */
};

struct agents {
	struct loop *loop;
	struct list askers;
	struct map *by_machine;		/* struct asker, by the bytes of the pointer */
	unsigned round;
	size_t started;			/* first questions of this round: they are spread */
};

static struct slice
key_of(struct machine *const *machine)
{
	return slice_make((const char *)machine, sizeof(struct machine *));
}

struct agents *
agents_new(struct loop *loop)
{
	struct agents *agents = xcalloc(1, sizeof(*agents));

	agents->loop = loop;
	agents->by_machine = map_new();
	list_init(&agents->askers);
	return agents;
}

/* Its timer's and stream's callbacks may be under way. */
static void
remove_asker(struct agents *agents, struct asker *asker)
{
	list_remove(&asker->node);
	loop_defer(agents->loop, xfree, asker);
}

void
agents_free(struct agents **agents)
{
	struct agents *gone = *agents;

	*agents = NULL;
	if (gone == NULL)
		return;
	list_each(node, &gone->askers) {
		struct asker *asker = list_entry(node, struct asker, node);

		agent_stop(&asker->agent);
		remove_asker(gone, asker);
	}
	map_free(&gone->by_machine);
	xfree(gone);
}

static void
want(struct agents *agents, struct machine *machine, const struct server *server)
{
	struct asker *asker = map_get(agents->by_machine, key_of(&machine));

	if (asker != NULL && asker->round == agents->round)
		return;
	if (asker != NULL) {
		agent_move(&asker->agent, server);
	} else {
		asker = xcalloc(1, sizeof(*asker));
		list_append(&agents->askers, &asker->node);
		map_set(agents->by_machine, key_of(&machine), asker);
		agent_start(&asker->agent, agents->loop, machine, server,
		    loop_now(agents->loop) + (int64_t)agents->started++ * FIRST_SPACING_US / 1000);
	}
	asker->round = agents->round;
}

void
agents_commit(struct agents *agents, const struct conf_list *pools)
{
	agents->round++;
	agents->started = 0;
	for (size_t i = 0; i < pools->count; i++) {
		const struct pool *pool = pools->items[i];

		for (size_t j = 0; j < pool->endpoint_count; j++) {
			const struct server *server = pool->members[j].server;

			if (server->agent.text != NULL)
				want(agents, pool->endpoints[j]->machine, server);
		}
	}
	list_each(node, &agents->askers) {
		struct asker *asker = list_entry(node, struct asker, node);

		if (asker->round == agents->round)
			continue;
		map_remove(agents->by_machine, key_of(&asker->agent.machine));
		agent_forget(&asker->agent);
		remove_asker(agents, asker);
	}
}

bool
agents_have(const struct agents *agents, struct machine *machine)
{
	return map_get(agents->by_machine, key_of(&machine)) != NULL;
}

const struct agent_result *
agents_result(const struct agents *agents, struct machine *machine)
{
	const struct asker *asker = map_get(agents->by_machine, key_of(&machine));

	return asker != NULL ? &asker->agent.result : NULL;
}

void
agents_follow(struct agents *agents, struct machine *machine)
{
	struct asker *asker = map_get(agents->by_machine, key_of(&machine));

	if (asker != NULL)
		agent_follow(&asker->agent);
}
