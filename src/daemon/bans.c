/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bans.c: many in a message, each as its client in base64, a colon, and how many milliseconds it lasts.
 * Those of a cluster are its own.
 */
#include "daemon/bans.h"

#include <inttypes.h>
#include <string.h>

#include "access/penalty.h"
#include "base/base64.h"
#include "daemon/handover.h"

enum { SOME = CHANNEL_MESSAGE_MAX / 2 };

struct giver {
	struct channel *channel;
	struct buf some;
};

static void
send_some(struct giver *giver)
{
	struct channel_message message = { .kind = HANDOVER_BANS };

	if (buf_len(&giver->some) == 0)
		return;
	buf_append(&giver->some, "", 1);
	message.words[0] = buf_data(&giver->some);
	channel_send(giver->channel, &message);
	buf_clear(&giver->some);
}

static void
add(const struct penalty_entry *entry, void *arg)
{
	struct giver *giver = arg;

	if (!entry->is_banned)
		return;
	base64_encode(slice_make((const char *)entry->client.bytes, entry->client.len), &giver->some);
	buf_printf(&giver->some, ":%" PRId64 " ", entry->left_ms);
	if (buf_len(&giver->some) > SOME)
		send_some(giver);
}

void
bans_give(const struct control *control, struct channel *channel)
{
	struct giver giver = { .channel = channel };
	uint64_t cursor = 0;

	if (control->assets.cluster != NULL)
		return;
	do
		cursor = penalty_walk(control->assets.penalty, cursor, loop_now(control->loop), add, &giver);
	while (cursor != 0);
	send_some(&giver);
}

static void
take(const struct control *control, struct slice word)
{
	struct slice rest = word, name = slice_take(&rest, ':');
	struct limits_client client = { .len = 0 };
	struct buf bytes = { 0 };
	uint64_t left_ms;

	if (base64_decode(name, &bytes) && buf_len(&bytes) <= sizeof(client.bytes) &&
	    slice_to_number(rest, INT64_MAX, &left_ms) && left_ms > 0) {
		client.len = (uint8_t)buf_len(&bytes);
		memcpy(client.bytes, buf_slice(&bytes).data, client.len);
		penalty_ban(control->assets.penalty, &client, (int64_t)left_ms, control->loop);
	}
	buf_clear(&bytes);
}

void
bans_take(const struct control *control, const struct channel_message *message)
{
	struct slice rest = slice_of(message->words[0]), word;

	if (control->assets.cluster != NULL)
		return;
	while ((word = slice_word(&rest)).len > 0)
		take(control, word);
}
