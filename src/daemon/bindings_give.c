/* SPDX-License-Identifier: BSD-2-Clause */
/* bindings_give.c: the old process's bindings. */
#include "daemon/bindings.h"

#include <string.h>

#include "base/xalloc.h"
#include "daemon/handover.h"
#include "daemon/upgrade.h"
#include "state/affinity.h"

struct bindings_giver {
	struct control *control;
	struct channel *channel;
	void (*on_told)(void *owner);
	void *owner;
	size_t farm;			/* of the configuration's: whose bindings are told now */
	uint64_t cursor;
	struct buf some;		/* of affinity_list: user, server and state, each with its NUL */
	bool is_done;
};

/* The last session of a user has gone, in some thread. */
struct release {
	struct control *control;
	uint64_t serial;
	char *farm, *user;
};

static void
on_release(struct loop *loop, void *arg)
{
	struct release *release = arg;
	const struct channel_message message = {
		.kind = HANDOVER_RELEASE, .words = { release->farm, release->user },
	};

	(void)loop;
	upgrade_send(release->control, release->serial, &message);
	xfree(release->farm);
	xfree(release->user);
	xfree(release);
}

static void
on_released(void *owner, uint64_t serial, const char *farm, struct slice user)
{
	struct release *release = xcalloc(1, sizeof(*release));

	release->control = owner;
	release->serial = serial;
	release->farm = xstrdup(farm);
	release->user = xstrndup(user.data, user.len);
	loop_post(release->control->loop, on_release, release);
}

static void
on_binding(struct affinity_request *request, struct slice user, const struct affinity_binding *binding,
    int sessions)
{
	struct bindings_giver *giver = request->owner;
	const char *state = binding->is_blocked ? HANDOVER_BLOCKED : sessions > 0 ? HANDOVER_HELD : "";

	buf_append_slice(&giver->some, user);
	buf_append(&giver->some, "", 1);
	buf_append(&giver->some, binding->server, strlen(binding->server) + 1);
	buf_append(&giver->some, state, strlen(state) + 1);
}

static void
on_listed(struct affinity_request *request, enum affinity_answer answer)
{
	(void)request;
	(void)answer;
}

static const char *
take_word(struct slice *rest)
{
	const char *word = rest->data;

	*rest = slice_from(*rest, strlen(word) + 1);
	return word;
}

static void
send_some(struct bindings_giver *giver, const char *farm)
{
	struct slice rest = buf_slice(&giver->some);

	while (rest.len > 0) {
		struct channel_message message = { .kind = HANDOVER_BINDING, .words = { farm } };

		for (int i = 1; i <= 3; i++)
			message.words[i] = take_word(&rest);
		channel_send(giver->channel, &message);
	}
	buf_clear(&giver->some);
}

/* What one look at a shard shows; true: that was the last of the farm. */
static bool
tell_some(struct bindings_giver *giver, const struct farm *farm)
{
	struct affinity_request request = {
		.loop = giver->control->loop, .on_answer = on_listed, .on_binding = on_binding,
		.owner = giver, .cursor = giver->cursor,
	};

	affinity_list(farm->bindings, &request);
	giver->cursor = request.cursor;
	send_some(giver, farm->conf.title);
	return giver->cursor == 0;
}

void
bindings_give_on(struct bindings_giver *giver)
{
	const struct conf_list *farms = &giver->control->current->root->farms;

	while (!giver->is_done && !giver->channel->is_full) {
		const struct farm *farm = giver->farm < farms->count ? farms->items[giver->farm] : NULL;

		if (farm == NULL) {
			giver->is_done = true;
			giver->on_told(giver->owner);
		} else if (farm->bindings == NULL || !affinity_is_local(farm->bindings) ||
		    tell_some(giver, farm)) {
			giver->farm++;
		}
	}
}

struct bindings_giver *
bindings_give(struct control *control, uint64_t serial, struct channel *channel,
    void (*on_told)(void *owner), void *owner)
{
	const struct conf_list *farms = &control->current->root->farms;
	struct bindings_giver *giver = xcalloc(1, sizeof(*giver));

	giver->control = control;
	giver->channel = channel;
	giver->on_told = on_told;
	giver->owner = owner;
	for (size_t i = 0; i < farms->count; i++) {
		const struct farm *farm = farms->items[i];
		const struct affinity_heir heir = {
			.name = farm->conf.title, .on_released = on_released, .owner = control,
		};

		if (farm->bindings != NULL && affinity_is_local(farm->bindings))
			affinity_freeze(farm->bindings, serial, &heir);
	}
	return giver;
}

void
bindings_thaw(struct control *control)
{
	const struct conf_list *farms = &control->current->root->farms;

	for (size_t i = 0; i < farms->count; i++) {
		const struct farm *farm = farms->items[i];

		if (farm->bindings != NULL && affinity_is_local(farm->bindings))
			affinity_thaw(farm->bindings);
	}
}

void
bindings_kick(struct control *control, const struct channel_message *message)
{
	const struct conf_list *farms = &control->current->root->farms;
	struct affinity_request request = {
		.loop = control->loop, .user = slice_of(message->words[1]), .on_answer = on_listed,
	};

	for (size_t i = 0; i < farms->count; i++) {
		const struct farm *farm = farms->items[i];

		if (farm->bindings != NULL && strcmp(farm->conf.title, message->words[0]) == 0)
			affinity_kick(farm->bindings, &request);
	}
}

void
bindings_giver_free(struct bindings_giver **giver)
{
	if (*giver != NULL)
		buf_clear(&(*giver)->some);
	xfree(*giver);
	*giver = NULL;
}
