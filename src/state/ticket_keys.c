/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ticket_keys.c: P:{tickets:2}, a list: "SINCE SEALED", the newest first; it ends with its last key's time.
 * SINCE is Redis' time (ms) and within the seal, too, before the key: who can write in Redis makes no old key
 * a new one.
 */
#include "state/ticket_keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/random.h"
#include "base/seal.h"
#include "base/xalloc.h"

enum {
	RETRY_MS = 1000,
	SKEW_MS = 60 * 1000,		/* between the Redis' time that is known here, and its own */
	STAMP_SIZE = 20, SLOTS = 3
};

#define TICKETS \
	"local K, t = KEYS[1], redis.call('TIME')\n" \
	"local now, rotate = t[1] * 1000 + math.floor(t[2] / 1000), tonumber(ARGV[2])\n" \
	"local stamp = tonumber(ARGV[3])\n" \
	"local newest = redis.call('LINDEX', K, 0)\n" \
	"local since = tonumber(string.match(newest or '', '^%d+') or '0')\n" \
	"if ARGV[1] ~= '' and math.abs(now - stamp) <= 60000 and\n" \
	"    (now - since >= rotate or since > now + 60000) then\n" \
	"  redis.call('LPUSH', K, ARGV[3] .. ' ' .. ARGV[1])\n" \
	"  redis.call('LTRIM', K, 0, 2)\n" \
	"  redis.call('PEXPIRE', K, math.max(3 * rotate, 60000))\n" \
	"end\n" \
	"local out = { now }\n" \
	"for _, item in ipairs(redis.call('LRANGE', K, 0, -1)) do\n" \
	"  local since = string.match(item, '^%d+') or '0'\n" \
	"  out[#out + 1] = tonumber(since)\n" \
	"  out[#out + 1] = string.sub(item, #since + 2)\n" \
	"end\n" \
	"return out\n"

const struct cluster_script ticket_keys_script = { "tickets", TICKETS, 1, false };

struct ticket_keys {
	struct ticket_keys_settings settings;
	uint8_t seal[SEAL_KEY_SIZE];
	char *key, rotate[24];
	struct buf proposal;		/* sealed; empty: none is made this time */
	char stamp[STAMP_SIZE + 1];	/* of it */
	int64_t ahead_ms;		/* Redis' time is that of the loop and so much more */
	int64_t sealing_since;		/* the latest one that sealed here */
	struct cluster_call call;
	struct loop_timer timer;
	bool is_complaining;
	bool is_wanted;			/* a new key */
};

struct found {
	uint8_t keys[TLS_TICKET_KEYS][TLS_TICKET_KEY_SIZE];
	int64_t since[TLS_TICKET_KEYS];
	int count, sealing;		/* which one is to be the first */
};

static bool
is_fresh(const struct ticket_keys *keys, int64_t age_ms)
{
	int64_t life_ms = SLOTS * keys->settings.rotate_ms;

	return age_ms >= -SKEW_MS && age_ms <= (life_ms > SKEW_MS ? life_ms : SKEW_MS) + SKEW_MS;
}

/* It is as old as Redis says. */
static bool
open_key(const struct ticket_keys *keys, struct slice sealed, int64_t since, uint8_t out[TLS_TICKET_KEY_SIZE])
{
	struct buf secret = { 0 };
	uint64_t stamp = 0;
	bool ok = seal_open(keys->seal, sealed, &secret) &&
	    buf_len(&secret) == STAMP_SIZE + TLS_TICKET_KEY_SIZE &&
	    slice_to_number(slice_make(buf_data(&secret), STAMP_SIZE), INT64_MAX, &stamp) &&
	    stamp == (uint64_t)since;

	if (ok)
		memcpy(out, buf_data(&secret) + STAMP_SIZE, TLS_TICKET_KEY_SIZE);
	buf_wipe(&secret);
	return ok;
}

/* The newest one that all know by now; where there is none, the oldest.  How many there were. */
static int
read_keys(const struct ticket_keys *keys, const struct redis_reply *reply, struct found *found)
{
	int64_t now = reply->elements[0].number;
	bool is_settled = false;
	int seen = 0;

	for (size_t i = 1; i + 1 < reply->count && found->count < TLS_TICKET_KEYS; i += 2, seen++) {
		int64_t since = reply->elements[i].number;

		if (!is_fresh(keys, now - since) ||
		    !open_key(keys, reply->elements[i + 1].text, since, found->keys[found->count]))
			continue;
		if (!is_settled)
			found->sealing = found->count;
		is_settled |= now - since >= TICKET_KEYS_SETTLE_MS;
		found->since[found->count++] = since;
	}
	return seen;
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
		    "cluster: keys of TLS tickets are sealed with another secret than that of secret_file, "
		    "or have been put back: tickets of other proxies are not known here");
	keys->is_complaining = is_bad;
}

/* A key that was lost does not make an older one seal again. */
static void
use(struct ticket_keys *keys, struct found *found)
{
	if (found->count == 0 || found->since[found->sealing] < keys->sealing_since)
		return;
	keys->sealing_since = found->since[found->sealing];
	put_first(found);
	keys->settings.on_keys(keys->settings.owner, found->keys, found->count);
}

static void
on_reply(struct cluster_call *call, const struct redis_reply *reply)
{
	struct ticket_keys *keys = list_entry(call, struct ticket_keys, call);
	struct loop *loop = cluster_control(keys->settings.cluster);
	struct found found = { .count = 0 };
	bool is_there = reply != NULL && reply->type == REDIS_ARRAY && reply->count > 0;
	bool has_asked = !keys->is_wanted;
	int64_t now = is_there ? reply->elements[0].number : 0;

	keys->is_wanted = false;
	if (is_there) {
		complain(keys, read_keys(keys, reply, &found) > found.count);
		keys->ahead_ms = now - loop_now(loop);
		/* Redis' time is known now */
		keys->is_wanted = has_asked &&
		    (found.count == 0 || now - found.since[0] >= keys->settings.rotate_ms);
	}
	if (!keys->is_wanted)
		use(keys, &found);
	secret_wipe(&found, sizeof(found));
	loop_timer_set(loop, &keys->timer, loop_now(loop) +
	    (keys->is_wanted ? 0 : is_there ? TICKET_KEYS_LOOK_MS : RETRY_MS));
}

static void
propose(struct ticket_keys *keys)
{
	uint8_t secret[STAMP_SIZE + TLS_TICKET_KEY_SIZE];

	buf_truncate(&keys->proposal, 0);
	snprintf(keys->stamp, sizeof(keys->stamp), "%0*" PRId64, STAMP_SIZE,
	    keys->ahead_ms + loop_now(cluster_control(keys->settings.cluster)));
	if (!keys->is_wanted)
		return;
	memcpy(secret, keys->stamp, STAMP_SIZE);
	random_bytes(secret + STAMP_SIZE, TLS_TICKET_KEY_SIZE);
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
		slice_of(keys->key), buf_slice(&keys->proposal), slice_of(keys->rotate),
		slice_of(keys->stamp) }, 4))
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
	keys->key = xasprintf("%s:{tickets:2}", cluster_prefix(settings->cluster));
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
