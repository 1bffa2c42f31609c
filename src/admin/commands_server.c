/* SPDX-License-Identifier: BSD-2-Clause */
/* commands_server.c: what HAProxy's tools change of a server, in its words. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/command_tables.h"
#include "admin/reason.h"
#include "admin/target.h"
#include "balance/endpoint_room.h"
#include "balance/endpoint_state.h"
#include "base/log.h"

enum { PERCENT = 100, CONNECTIONS_MAX = 1000000 };

/* A command about an endpoint: what it is about, and who wants it. */
struct order {
	struct admin_call *call;
	struct pool *pool;
	struct endpoint *endpoint;
	char why[REASON_MAX];
};

/* False: the call has failed. */
static bool
take_order(struct admin_call *call, struct order *order)
{
	order->call = call;
	reason_take(call, order->why);
	order->endpoint = target_endpoint(call, call->words[0], &order->pool);
	return order->endpoint != NULL;
}

static struct health *
health_of(const struct order *order)
{
	return order->call->cockpit->control->assets.health;
}

/* Logs what was done, and answers nothing: so HAProxy says that it is done. */
static void
obeyed(const struct order *order, const char *what)
{
	log_write(LOG_NOTICE, "%s: %s %s", order->endpoint->name, what, order->why);
	call_done(order->call);
}

static size_t
count_services(const struct order *order)
{
	const struct root *root = cockpit_root(order->call->cockpit);
	size_t count = 0;

	for (size_t i = 0; i < root->pools.count; i++) {
		const struct pool *pool = root->pools.items[i];

		for (size_t j = 0; j < pool->endpoint_count; j++)
			count += pool->endpoints[j]->machine == order->endpoint->machine;
	}
	return count;
}

/* The server of one service is as ready as that; of more, not by a word to one.  False: the call failed. */
static bool
ready_machine(const struct order *order)
{
	struct machine *machine = order->endpoint->machine;
	struct machine_facts facts;

	machine_read(machine, &facts);
	if (facts.admin.state == ADMIN_READY)
		return true;
	if (count_services(order) == 1) {
		machine_set_admin(machine, ADMIN_READY, order->why);
		return true;
	}
	log_write(LOG_NOTICE, "%s: ready %s", order->endpoint->name, order->why);
	call_fail(order->call, "%s is ready now, but server %s/%s is set to %s with all of its services: %s.",
	    order->endpoint->name, machine->farm, machine->name,
	    admin_state_text((enum admin_state)facts.admin.state), facts.admin.why);
	return false;
}

static void
set_admin(const struct order *order, enum admin_state state)
{
	endpoint_set_admin(order->endpoint, state, order->why);
	if (state != ADMIN_READY || ready_machine(order))
		obeyed(order, admin_state_text(state));
}

/* A word of a command and what it means. */
struct meaning {
	const char *word;
	int value;
};

static const struct meaning *
find_meaning(const struct meaning *meanings, const char *word)
{
	for (; word != NULL && meanings->word != NULL; meanings++)
		if (strcmp(meanings->word, word) == 0)
			return meanings;
	return NULL;
}

static void
set_state(const struct order *order, const char *const *words)
{
	static const struct meaning states[] = {
		{ "ready", ADMIN_READY }, { "drain", ADMIN_DRAIN }, { "maint", ADMIN_MAINTENANCE }, { 0 }
	};
	const struct meaning *state = find_meaning(states, words[0]);

	if (state == NULL)
		call_fail(order->call, "'set server <srv> state' expects 'ready', 'drain' and 'maint'.");
	else
		set_admin(order, (enum admin_state)state->value);
}

/* Returns what is wrong, in HAProxy's words; NULL: nothing. */
static const char *
read_number(const char *word, bool *is_percent, long *number)
{
	char *end;

	*number = strtol(word, &end, 10);
	*is_percent = strcmp(end, "%") == 0;
	if (end == word)
		return "Empty weight string empty or preceded by garbage";
	if (*end != '\0' && !*is_percent)
		return "Trailing garbage in weight string";
	if (*is_percent && *number < 0)
		return "Relative weight must be positive.";
	if (!*is_percent && (*number < 0 || *number > MACHINE_WEIGHT_MAX))
		return "Absolute weight can only be between 0 and 256 inclusive.";
	return NULL;
}

/* More than the highest is that; and a little of something is not nothing. */
static int
part_of(const struct order *order, long percent)
{
	struct machine_facts facts;
	long weight;

	machine_read(order->endpoint->machine, &facts);
	weight = facts.configured_weight * (percent < UINT16_MAX ? percent : UINT16_MAX) / PERCENT;
	if (weight == 0 && percent > 0 && facts.configured_weight > 0)
		return 1;
	return weight < MACHINE_WEIGHT_MAX ? (int)weight : MACHINE_WEIGHT_MAX;
}

/* False: the call has failed. */
static bool
read_weight(const struct order *order, const char *word, int *weight)
{
	const char *fault = "Require <weight> or <weight%>.";
	bool is_percent;
	long number;

	if (word != NULL)
		fault = read_number(word, &is_percent, &number);
	if (fault != NULL) {
		call_fail(order->call, "%s", fault);
		return false;
	}
	*weight = is_percent ? part_of(order, number) : (int)number;
	return true;
}

static void
set_weight(const struct order *order, const char *const *words)
{
	char what[sizeof("weight 256 for all services of its server")];
	int weight;

	if (!read_weight(order, words[0], &weight))
		return;
	machine_weigh(order->endpoint->machine, weight, order->why);
	snprintf(what, sizeof(what), "weight %d for all services of its server", weight);
	obeyed(order, what);
}

static void
set_health(const struct order *order, const char *const *words)
{
	enum { STOPPING = HEALTH_STATE_COUNT };
	static const struct meaning states[] = {
		{ "up", HEALTH_UP }, { "down", HEALTH_DOWN }, { "stopping", STOPPING }, { 0 }
	};
	const struct meaning *state = find_meaning(states, words[0]);

	if (state == NULL)
		call_fail(order->call, "'set server <srv> health' expects 'up', 'stopping', or 'down'.");
	else if (state->value == STOPPING)
		set_admin(order, ADMIN_DRAIN);
	else if (!health_force(health_of(order), order->endpoint, (enum health_state)state->value,
		     order->why))
		call_fail(order->call, "No address is known for this server.");
	else
		obeyed(order, state->value == HEALTH_UP ? "health up" : "health down");
}

static void
set_agent(const struct order *order, const char *const *words)
{
	static const struct meaning states[] = { { "up", 0 }, { "down", 1 }, { 0 } };
	const struct meaning *state = find_meaning(states, words[0]);
	struct agent_word word = AGENT_WORD_NONE;

	if (!health_has_agent(health_of(order), order->endpoint->machine)) {
		call_fail(order->call, "agent checks are not enabled on this server.");
		return;
	}
	if (state == NULL) {
		call_fail(order->call, "'set server <srv> agent' expects 'up' or 'down'.");
		return;
	}
	word.is_down = state->value;
	word.why = order->why;
	machine_obey_agent(order->endpoint->machine, &word);
	obeyed(order, state->value == 0 ? "agent up" : "agent down");
}

/* "IP changed from 'a' to 'b', port changed from '1' to '2' by 'stats socket command'": tools know it. */
static void
tell_move(struct buf *out, const struct addr *before, const struct addr *after, bool has_port)
{
	char old[ADDR_TEXT_MAX], new[ADDR_TEXT_MAX];
	bool is_other = addr_compare(before, after) != 0;
	bool is_other_port = addr_port(before) != addr_port(after);

	addr_host(before, old);
	addr_host(after, new);
	if (is_other)
		buf_printf(out, "IP changed from '%s' to '%s'", old, new);
	else
		buf_append_text(out, "no need to change the addr");
	if (has_port && is_other_port)
		buf_printf(out, ", port changed from '%u' to '%u'", addr_port(before), addr_port(after));
	else if (has_port)
		buf_append_text(out, ", no need to change the port");
	buf_append_text(out, " by 'stats socket command'\n");
}

static void
set_addr(const struct order *order, const char *const *words)
{
	struct addr before = endpoint_addr(order->endpoint), after;
	struct generation *generation = order->call->cockpit->control->current;
	bool has_port = words[0] != NULL && words[1] != NULL;
	uint64_t port = addr_port(&before) != 0 ? addr_port(&before) : (uint64_t)order->pool->port;
	char what[ADDR_TEXT_MAX + sizeof("address ")], text[ADDR_TEXT_MAX];

	if (words[0] == NULL || (has_port && (strcmp(words[1], "port") != 0 || words[2] == NULL))) {
		call_fail(order->call, "set server <b>/<s> addr requires an address and optionally a port.");
		return;
	}
	if (has_port && (!slice_to_number(slice_of(words[2]), UINT16_MAX, &port) || port == 0)) {
		call_fail(order->call, "provided port is not an integer");
		return;
	}
	if (!addr_parse(slice_of(words[0]), (uint16_t)port, &after)) {
		call_fail(order->call, "Invalid addr '%s' by 'stats socket command'", words[0]);
		return;
	}
	generation_move(generation, order->pool, order->endpoint, &after, order->why);
	tell_move(&order->call->out, &before, &after, has_port);
	snprintf(what, sizeof(what), "address %s", addr_format(&after, text));
	obeyed(order, what);
}

/* What `set server b/s WORD …` sets. */
static const struct setting {
	const char *word;
	void (*set)(const struct order *order, const char *const *words);
} settings[] = {
	{ "state", set_state }, { "weight", set_weight }, { "health", set_health }, { "agent", set_agent },
	{ "addr", set_addr },
};

static void
run_set_server(struct admin_call *call)
{
	struct order order;

	if (!take_order(call, &order))
		return;
	for (size_t i = 0; call->count > 1 && i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (strcmp(settings[i].word, call->words[1]) != 0)
			continue;
		settings[i].set(&order, call->words + 2);
		return;
	}
	call_fail(call, "usage: set server <backend>/<server> addr|agent|health|state|weight");
}

static void
run_set_weight(struct admin_call *call)
{
	struct order order;

	if (take_order(call, &order))
		set_weight(&order, call->words + 1);
}

static void
run_get_weight(struct admin_call *call)
{
	struct endpoint *e = target_endpoint(call, call->words[0], NULL);
	struct machine_facts facts;

	if (e == NULL)
		return;
	machine_read(e->machine, &facts);
	buf_printf(&call->out, "%d (initial %d)\n", facts.weight, facts.configured_weight);
	call_done(call);
}

static void
run_enable_server(struct admin_call *call)
{
	struct order order;

	if (take_order(call, &order))
		set_admin(&order, ADMIN_READY);
}

static void
run_disable_server(struct admin_call *call)
{
	struct order order;

	if (take_order(call, &order))
		set_admin(&order, ADMIN_MAINTENANCE);
}

static void
run_enable_health(struct admin_call *call)
{
	struct order order;

	if (!take_order(call, &order))
		return;
	if (!health_can_check(health_of(&order), order.endpoint)) {
		call_fail(call, "Health check was not configured on this server, cannot enable.");
		return;
	}
	health_set_checked(health_of(&order), order.endpoint, true, order.why);
	obeyed(&order, "checks enabled");
}

static void
run_disable_health(struct admin_call *call)
{
	struct order order;

	if (!take_order(call, &order))
		return;
	health_set_checked(health_of(&order), order.endpoint, false, order.why);
	obeyed(&order, "checks disabled");
}

static void
run_enable_agent(struct admin_call *call)
{
	struct order order;

	if (!take_order(call, &order))
		return;
	if (!health_has_agent(health_of(&order), order.endpoint->machine)) {
		call_fail(call, "Agent was not configured on this server, cannot enable.");
		return;
	}
	health_set_asked(health_of(&order), order.endpoint->machine, true, order.why);
	obeyed(&order, "agent enabled");
}

static void
run_disable_agent(struct admin_call *call)
{
	struct order order;

	if (!take_order(call, &order))
		return;
	health_set_asked(health_of(&order), order.endpoint->machine, false, order.why);
	obeyed(&order, "agent disabled");
}

static void
run_set_maxconn(struct admin_call *call)
{
	char what[sizeof("max_connections 1000000")];
	struct order order;
	uint64_t max;

	if (!take_order(call, &order))
		return;
	if (call->count < 2) {
		call_fail(call, "Require <maxconn>.");
		return;
	}
	if (!slice_to_number(slice_of(call->words[1]), CONNECTIONS_MAX, &max)) {
		call_fail(call, strspn(call->words[1], "0123456789") > 0 ?
		    "Trailing garbage in maxconn string" : "maxconn string empty or preceded by garbage");
		return;
	}
	endpoint_bound(order.endpoint, (int)max, order.why);
	snprintf(what, sizeof(what), "max_connections %d", (int)max);
	obeyed(&order, what);
}

#define REASON "[reason TEXT]"

const struct admin_command server_commands[] = {
	{
		.name = "get weight", .arguments = "POOL/SERVER", .run = run_get_weight,
		.help = "A server's weight, and the one that its file has.",
	},
	{
		.name = "set weight", .arguments = "POOL/SERVER N|N% " REASON, .level = ADMIN_LEVEL_ADMIN,
		.run = run_set_weight,
		.help = "Sets a server's weight, or a part of the one that its file has. The weight is the "
		    "server's, and so that of all pools of its farm. It stays until the file has another, at "
		    "all proxies of a cluster.",
	},
	{
		.name = "set server", .arguments = "POOL/SERVER state|weight|health|agent|addr … " REASON,
		.level = ADMIN_LEVEL_ADMIN, .run = run_set_server,
		.help = "Changes a server as one pool has it. `state ready|drain|maint`: drain takes no new "
		    "sessions, maint sends those that there are away, too. `weight` is `set weight`. "
		    "`health up|down` holds until checks say otherwise, `stopping` is drain. `agent "
		    "up|down` holds for the server in all pools, until its agent says otherwise. `addr IP "
		    "[port N]` is where it is reached until its file or DNS has another address; users are "
		    "told to go where they are bound to their server. In a cluster, `state` and `weight` are "
		    "set at all proxies; the others at this one alone.",
	},
	{
		.name = "enable server", .arguments = "POOL/SERVER " REASON, .level = ADMIN_LEVEL_ADMIN,
		.run = run_enable_server,
		.help = "The same as `set server POOL/SERVER state ready`.",
	},
	{
		.name = "disable server", .arguments = "POOL/SERVER " REASON, .level = ADMIN_LEVEL_ADMIN,
		.run = run_disable_server,
		.help = "The same as `set server POOL/SERVER state maint`.",
	},
	{
		.name = "enable health", .arguments = "POOL/SERVER " REASON, .level = ADMIN_LEVEL_ADMIN,
		.run = run_enable_health,
		.help = "Checks a server again, from now on; all proxies of a cluster do.",
	},
	{
		.name = "disable health", .arguments = "POOL/SERVER " REASON, .level = ADMIN_LEVEL_ADMIN,
		.run = run_disable_health,
		.help = "Checks a server no more: its health stays as it is. So at all proxies of a cluster.",
	},
	{
		.name = "enable agent", .arguments = "POOL/SERVER " REASON, .level = ADMIN_LEVEL_ADMIN,
		.run = run_enable_agent,
		.help = "Asks a server's agent again, from now on; all proxies of a cluster do.",
	},
	{
		.name = "disable agent", .arguments = "POOL/SERVER " REASON, .level = ADMIN_LEVEL_ADMIN,
		.run = run_disable_agent,
		.help = "Asks a server's agent no more: what it has said stays. All pools have one agent. So "
		    "at all proxies of a cluster.",
	},
	{
		.name = "set maxconn server", .arguments = "POOL/SERVER N " REASON,
		.level = ADMIN_LEVEL_ADMIN, .run = run_set_maxconn,
		.help = "Bounds a server's sessions of a pool; 0 is no bound. It holds until the file has "
		    "another bound, at all proxies of a cluster.",
	},
	{ 0 }
};
