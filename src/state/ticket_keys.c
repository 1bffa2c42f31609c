/* SPDX-License-Identifier: BSD-2-Clause */
/* ticket_keys.c: P:{tickets}, a list: "SINCE SEALED", the newest first; it ends with its last key's time. */
#include "state/ticket_keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/random.h"
#include "base/seal.h"
#include "base/xalloc.h"

enum { RETRY_MS = 1000 };

#define TICKETS \
	"local K, t = KEYS[1], redis.call('TIME')\n" \
	"local now, rotate = t[1] * 1000 + math.floor(t[2] / 1000), tonumber(ARGV[2])\n" \
	"local newest = redis.call('LINDEX', K, 0)\n" \
	"if not newest or now - tonumber(string.match(newest, '^%d+')) >= rotate then\n" \
	"  redis.call('LPUSH', K, string.format('%.0f', now) .. ' ' .. ARGV[1])\n" \
	"  redis.call('LTRIM', K, 0, 2)\n" \
	"  redis.call('PEXPIRE', K, math.max(3 * rotate, 60000))\n" \
	"end\n" \
	"local out = {}\n" \
	"for _, item in ipairs(redis.call('LRANGE', K, 0, -1)) do\n" \
	"  local since = string.match(item, '^%d+')\n" \
	"  out[#out + 1] = math.max(now - since, 0)\n" \
	"  out[#out + 1] = string.sub(item, #since + 2)\n" \
	"end\n" \
	"return out\n"

const struct cluster_script ticket_keys_script = { "tickets", TICKETS, 1, false };

struct ticket_keys {
	struct ticket_keys_settings settings;
	uint8_t seal[SEAL_KEY_SIZE];
	char *key, rotate[24];
	struct buf proposal;		/* sealed */
	struct cluster_call call;
	struct loop_timer timer;
	bool is_complaining;
};

struct found {
	uint8_t keys[TLS_TICKET_KEYS][TLS_TICKET_KEY_SIZE];
	int count, sealing;		/* which one is to be the first */
};

static bool
open_key(const struct ticket_keys *keys, struct slice sealed, uint8_t out[TLS_TICKET_KEY_SIZE])
{
	struct buf secret = { 0 };
	bool ok = seal_open(keys->seal, sealed, &secret) && buf_len(&secret) == TLS_TICKET_KEY_SIZE;

	if (ok)
		memcpy(out, buf_data(&secret), TLS_TICKET_KEY_SIZE);
	buf_wipe(&secret);
	return ok;
}

/* The newest one that all know by now; where there is none, the oldest. */
static void
read_keys(const struct ticket_keys *keys, const struct redis_reply *reply, struct found *found)
{
	bool is_settled = false;

	for (size_t i = 0; i + 1 < reply->count && found->count < TLS_TICKET_KEYS; i += 2) {
		if (!open_key(keys, reply->elements[i + 1].text, found->keys[found->count]))
			continue;
		if (!is_settled)
			found->sealing = found->count;
		is_settled |= reply->elements[i].number >= TICKET_KEYS_SETTLE_MS;
		found->count++;
	}
}

static void
put_first(struct found *found)
{
	uint8_t first[TLS_TICKET_KEY_SIZE];

	memcpy(first, found->keys[found->sealing], sizeof(first));
	memmove(found->keys[1], found->keys[0], (size_t)found->sealing * sizeof(first));
	memcpy(found->keys[0], first, sizeof(first));
	secret_wipe(first, sizeof(first));
}

static void
complain(struct ticket_keys *keys, bool is_bad)
{
	if (is_bad && !keys->is_complaining)
		log_write(LOG_WARNING,
		    "cluster: keys of TLS tickets are sealed with another secret than that of secret_file: "
		    "tickets of other proxies are not known here");
	keys->is_complaining = is_bad;
}

static void
on_reply(struct cluster_call *call, const struct redis_reply *reply)
{
	struct ticket_keys *keys = list_entry(call, struct ticket_keys, call);
	struct loop *loop = cluster_control(keys->settings.cluster);
	struct found found = { .count = 0 };
	bool is_there = reply != NULL && reply->type == REDIS_ARRAY;

	if (is_there) {
		read_keys(keys, reply, &found);
		complain(keys, found.count * 2 < (int)reply->count);
	}
	if (found.count > 0) {
		put_first(&found);
		keys->settings.on_keys(keys->settings.owner, found.keys, found.count);
	}
	secret_wipe(&found, sizeof(found));
	loop_timer_set(loop, &keys->timer, loop_now(loop) + (is_there ? TICKET_KEYS_LOOK_MS : RETRY_MS));
}

static void
propose(struct ticket_keys *keys)
{
	uint8_t secret[TLS_TICKET_KEY_SIZE];

	random_bytes(secret, sizeof(secret));
	buf_truncate(&keys->proposal, 0);
	seal_make(keys->seal, slice_make((const char *)secret, sizeof(secret)), &keys->proposal);
	secret_wipe(secret, sizeof(secret));
}

static void
on_time(struct loop_timer *timer)
{
	struct ticket_keys *keys = loop_owner(timer, struct ticket_keys, timer);
	struct cluster *cluster = keys->settings.cluster;
	struct loop *loop = cluster_control(cluster);

	propose(keys);
	if (!cluster_run(cluster, loop, &keys->call, &ticket_keys_script, (const struct slice[]){
		slice_of(keys->key), buf_slice(&keys->proposal), slice_of(keys->rotate) }, 3))
		loop_timer_set(loop, timer, loop_now(loop) + RETRY_MS);
}

struct ticket_keys *
ticket_keys_new(const struct ticket_keys_settings *settings)
{
	struct ticket_keys *keys = xcalloc(1, sizeof(*keys));
	struct loop *loop = cluster_control(settings->cluster);

	if (!cluster_key(settings->cluster, "tickets", keys->seal)) {
		xfree(keys);
		return NULL;
	}
	keys->settings = *settings;
	keys->key = xasprintf("%s:{tickets}", cluster_prefix(settings->cluster));
	snprintf(keys->rotate, sizeof(keys->rotate), "%" PRId64, settings->rotate_ms);
	keys->call.on_reply = on_reply;
	loop_timer_init(&keys->timer, on_time);
	loop_timer_set(loop, &keys->timer, loop_now(loop));
	return keys;
}

void
ticket_keys_free(struct ticket_keys **keys)
{
	struct ticket_keys *gone = *keys;

	*keys = NULL;
	if (gone == NULL)
		return;
	cluster_cancel(&gone->call);
	loop_timer_stop(cluster_control(gone->settings.cluster), &gone->timer);
	secret_wipe(gone->seal, sizeof(gone->seal));
	buf_clear(&gone->proposal);
	xfree(gone->key);
	xfree(gone);
}
