/* SPDX-License-Identifier: BSD-2-Clause */
/* machine.c: what was said of a server, and that its endpoints hear of it. */
#include "balance/machine.h"

#include <stdio.h>
#include <string.h>

#include "balance/endpoint.h"
#include "balance/endpoint_room.h"
#include "balance/endpoint_state.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/xalloc.h"

struct machine *
machine_new(const char *farm, const char *name)
{
	struct machine *machine = xcalloc(1, sizeof(*machine));

	machine->farm = xstrdup(farm);
	machine->name = xstrdup(name);
	machine->hash = hash_bytes(name, strlen(name), 0);
	machine->configured_weight = -1;
	machine->agent_percent = 100;
	machine->agent_weight = -1;
	atomic_init(&machine->references, 1);
	pthread_mutex_init(&machine->lock, NULL);
	list_init(&machine->endpoints);
	return machine;
}

struct machine *
machine_get(struct machine *machine)
{
	atomic_fetch_add_explicit(&machine->references, 1, memory_order_relaxed);
	return machine;
}

void
machine_put(struct machine **machine)
{
	struct machine *gone = *machine;

	*machine = NULL;
	if (gone == NULL || atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel) > 1)
		return;
	pthread_mutex_destroy(&gone->lock);
	xfree(gone->farm);
	xfree(gone->name);
	xfree(gone);
}

bool
standing_set(struct standing *standing, int state, const char *why)
{
	if (standing->state == state && strncmp(standing->why, why, sizeof(standing->why) - 1) == 0)
		return false;
	if (standing->state != state)
		standing->since = clock_ms();
	standing->state = state;
	snprintf(standing->why, sizeof(standing->why), "%s", why);
	return true;
}

static void
refresh_all(struct machine *machine)
{
	list_each(node, &machine->endpoints)
		endpoint_refresh_locked(list_entry(node, struct endpoint, machine_node));
}

void
machine_configure(struct machine *machine, int weight, enum admin_state state)
{
	pthread_mutex_lock(&machine->lock);
	if (machine->configured_weight != weight) {
		machine->weight = weight;
		machine->weighed = (struct standing){ 0 };
	}
	if (machine->configured_state != (int)state)
		standing_set(&machine->admin, (int)state, "configured");
	machine->configured_weight = weight;
	machine->configured_state = (int)state;
	refresh_all(machine);
	pthread_mutex_unlock(&machine->lock);
}

void
machine_set_weight(struct machine *machine, int weight)
{
	pthread_mutex_lock(&machine->lock);
	machine->weight = weight;
	refresh_all(machine);
	pthread_mutex_unlock(&machine->lock);
}

void
machine_weigh(struct machine *machine, int weight, const char *why)
{
	pthread_mutex_lock(&machine->lock);
	machine->weight = weight;
	if (weight == machine->configured_weight)
		machine->weighed = (struct standing){ 0 };
	else
		standing_set(&machine->weighed, weight, why);
	refresh_all(machine);
	pthread_mutex_unlock(&machine->lock);
}

bool
machine_set_admin(struct machine *machine, enum admin_state state, const char *why)
{
	bool is_new;

	pthread_mutex_lock(&machine->lock);
	is_new = standing_set(&machine->admin, (int)state, why);
	if (is_new)
		refresh_all(machine);
	pthread_mutex_unlock(&machine->lock);
	return is_new;
}

/* There may be more room at each of them.  Without the lock: the last reference may go with who is let in. */
static void
let_in(struct machine *machine)
{
	struct endpoint **endpoints;
	size_t count = 0;

	pthread_mutex_lock(&machine->lock);
	list_each(node, &machine->endpoints)
		count++;
	endpoints = xcalloc(count, sizeof(struct endpoint *));
	count = 0;
	list_each(node, &machine->endpoints) {
		struct endpoint *e = endpoint_get_living(list_entry(node, struct endpoint, machine_node));

		if (e != NULL)
			endpoints[count++] = e;
	}
	pthread_mutex_unlock(&machine->lock);
	for (size_t i = 0; i < count; i++) {
		endpoint_let_in(endpoints[i]);
		endpoint_put(&endpoints[i]);
	}
	xfree(endpoints);
}

static bool
set_number(int *field, int value)
{
	bool is_new = *field != value;

	*field = value;
	return is_new;
}

bool
machine_obey_agent(struct machine *machine, const struct agent_word *word)
{
	bool has_weight = word->percent >= 0 || word->weight >= 0, has_bound = word->max_connections >= 0;
	bool is_new = false, is_bound_new;

	pthread_mutex_lock(&machine->lock);
	if (has_weight) {
		is_new |= set_number(&machine->agent_percent, word->percent >= 0 ? word->percent : 100);
		is_new |= set_number(&machine->agent_weight, word->weight);
	}
	if (word->admin >= 0)
		is_new |= standing_set(&machine->agent_admin, word->admin, word->why);
	if (word->is_down >= 0)
		is_new |= standing_set(&machine->agent_down, word->is_down, word->why);
	is_bound_new = has_bound && set_number(&machine->agent_max_connections, word->max_connections);
	is_new |= is_bound_new;
	if (is_new)
		refresh_all(machine);
	pthread_mutex_unlock(&machine->lock);
	if (is_bound_new)
		let_in(machine);
	return is_new;
}

bool
machine_forget_agent(struct machine *machine)
{
	static const struct agent_word nothing = { .percent = 100, .weight = -1, .why = "" };

	return machine_obey_agent(machine, &nothing);
}

void
machine_note_asked(struct machine *machine, bool is_on, const char *why)
{
	pthread_mutex_lock(&machine->lock);
	standing_set(&machine->unasked, !is_on, is_on ? "" : why);
	pthread_mutex_unlock(&machine->lock);
}

void
machine_read(struct machine *machine, struct machine_facts *out)
{
	pthread_mutex_lock(&machine->lock);
	*out = (struct machine_facts){
		.weight = machine->weight,
		.configured_weight = machine->configured_weight,
		.agent_percent = machine->agent_percent,
		.agent_weight = machine->agent_weight,
		.agent_max_connections = machine->agent_max_connections,
		.weighed = machine->weighed,
		.admin = machine->admin,
		.agent_admin = machine->agent_admin,
		.agent_down = machine->agent_down,
		.unasked = machine->unasked,
	};
	pthread_mutex_unlock(&machine->lock);
}

const char *
admin_state_text(enum admin_state state)
{
	static const char *const texts[] = {
		[ADMIN_READY] = "ready", [ADMIN_DRAIN] = "drain", [ADMIN_MAINTENANCE] = "maintenance",
	};

	_Static_assert(sizeof(texts) / sizeof(texts[0]) == ADMIN_STATE_COUNT, "one text per state");
	return texts[state];
}
