/* SPDX-License-Identifier: BSD-2-Clause */
/* bindings_take.c: the new process's bindings, with those of the old one. */
#include "daemon/bindings.h"

#include <string.h>

#include "base/map.h"
#include "base/xalloc.h"
#include "daemon/handover.h"
#include "state/affinity.h"

/* A user with sessions in the old process. */
struct held {
	struct list node;
	struct bindings_taker *taker;
	char *farm, *user, *server;
	struct affinity_request request;
	struct affinity_lease *lease;
};

struct bindings_taker {
	struct control *control;
	struct channel *channel;
	struct list all;		/* struct held */
	struct map *by_name;		/* the same */
};

struct bindings_taker *
bindings_taker_new(struct control *control, struct channel *channel)
{
	struct bindings_taker *taker = xcalloc(1, sizeof(*taker));

	taker->control = control;
	taker->channel = channel;
	list_init(&taker->all);
	taker->by_name = map_new();
	return taker;
}

static struct affinity *
find_bindings(const struct bindings_taker *taker, const char *name)
{
	const struct conf_list *farms = &taker->control->current->root->farms;

	for (size_t i = 0; i < farms->count; i++) {
		const struct farm *farm = farms->items[i];

		if (farm->bindings != NULL && affinity_is_local(farm->bindings) &&
		    strcmp(farm->conf.title, name) == 0)
			return farm->bindings;
	}
	return NULL;
}

/* No user's name has a line feed. */
static struct slice
name_of(const struct channel_message *message, struct buf *name)
{
	buf_printf(name, "%s\n%s", message->words[0], message->words[1]);
	return buf_slice(name);
}

static void
forget(struct held *held)
{
	affinity_close(&held->lease);
	list_remove(&held->node);
	xfree(held->farm);
	xfree(held->user);
	xfree(held->server);
	xfree(held);
}

static void
on_kick(void *owner)
{
	const struct held *held = owner;
	const struct channel_message message = {
		.kind = HANDOVER_KICK, .words = { held->farm, held->user },
	};

	channel_send(held->taker->channel, &message);
}

static void
on_answer(struct affinity_request *request, enum affinity_answer answer)
{
	struct held *held = request->owner;

	if (answer == AFFINITY_HERE)
		held->lease = request->lease;
}

static struct held *
hold(struct bindings_taker *taker, struct affinity *bindings, const struct channel_message *message)
{
	struct held *held = xcalloc(1, sizeof(*held));

	held->taker = taker;
	held->farm = xstrdup(message->words[0]);
	held->user = xstrdup(message->words[1]);
	held->server = xstrdup(message->words[2]);
	held->request = (struct affinity_request){
		.loop = taker->control->loop, .user = slice_of(held->user), .wanted = held->server,
		.deadline = loop_now(taker->control->loop), .on_answer = on_answer, .on_kick = on_kick,
		.owner = held,
	};
	list_append(&taker->all, &held->node);
	/* nobody is bound here yet, so that the answer comes at once, and is yes */
	affinity_open(bindings, &held->request);
	affinity_cancel(&held->request);
	return held;
}

static void
on_moved(struct affinity_request *request, enum affinity_answer answer)
{
	(void)request;
	(void)answer;
}

/* The lease is of an older generation now: nobody gets in before it is released. */
static void
block(struct held *held, struct affinity *bindings)
{
	struct affinity_request request = {
		.loop = held->request.loop, .user = held->request.user, .wanted = held->server,
		.deadline = loop_now(held->request.loop), .on_answer = on_moved,
	};

	affinity_move(bindings, &request);
	affinity_cancel(&request);
}

void
bindings_take(struct bindings_taker *taker, const struct channel_message *message)
{
	struct affinity *bindings = find_bindings(taker, message->words[0]);
	struct buf text = { 0 };
	struct slice name = name_of(message, &text);
	struct held *held;

	if (bindings != NULL && map_get(taker->by_name, name) == NULL) {
		held = hold(taker, bindings, message);
		if (held->lease == NULL || message->words[3][0] == '\0') {
			forget(held);
		} else {
			map_set(taker->by_name, name, held);
			if (strcmp(message->words[3], HANDOVER_BLOCKED) == 0)
				block(held, bindings);
		}
	}
	buf_clear(&text);
}

void
bindings_release(struct bindings_taker *taker, const struct channel_message *message)
{
	struct buf text = { 0 };
	struct held *held = map_remove(taker->by_name, name_of(message, &text));

	if (held != NULL)
		forget(held);
	buf_clear(&text);
}

size_t
bindings_held(const struct bindings_taker *taker)
{
	return map_count(taker->by_name);
}

void
bindings_taker_free(struct bindings_taker **taker)
{
	struct bindings_taker *t = *taker;

	*taker = NULL;
	if (t == NULL)
		return;
	list_each(node, &t->all)
		forget(list_entry(node, struct held, node));
	map_free(&t->by_name);
	xfree(t);
}
