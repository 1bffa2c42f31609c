/* SPDX-License-Identifier: BSD-2-Clause */
/* affinity_redis_work.c: a script's run for a user, and what it answers. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/xalloc.h"
#include "state/affinity_redis.h"

enum { HASH_SIZE = 16 };		/* of a user's name, in octets */

struct work *
shared_work(struct shared *shared, struct loop *loop, struct slice user,
    void (*on_reply)(struct cluster_call *call, const struct redis_reply *reply))
{
	struct work *work = xcalloc(1, sizeof(*work));
	uint8_t digest[DIGEST_SHA256_SIZE];
	char hash[2 * HASH_SIZE + 1];
	const char *prefix = cluster_prefix(shared->cluster);

	digest_sha256(user.data, user.len, digest);
	for (size_t i = 0; i < HASH_SIZE; i++)
		snprintf(hash + 2 * i, sizeof(hash) - 2 * i, "%02x", digest[i]);
	work->call.on_reply = on_reply;
	work->shared = shared;
	work->loop = loop;
	work->user = xstrndup(user.data, user.len);
	work->keys[0] = xasprintf("%s:{%s:%s}:b", prefix, shared->ear.name, hash);
	work->keys[1] = xasprintf("%s:{%s:%s}:l", prefix, shared->ear.name, hash);
	return work;
}

void
shared_work_free(struct work *work)
{
	cluster_cancel(&work->call);
	loop_timer_stop(work->loop, &work->retry);
	xfree(work->user);
	xfree(work->keys[0]);
	xfree(work->keys[1]);
	xfree(work);
}

struct slice
shared_number(struct work *work, int i, uint64_t number)
{
	snprintf(work->numbers[i], sizeof(work->numbers[i]), "%" PRIu64, number);
	return slice_of(work->numbers[i]);
}

bool
shared_run(struct work *work, const struct cluster_script *script, const struct slice *args, int count)
{
	struct slice words[CLUSTER_WORDS_MAX] = { slice_of(work->keys[0]), slice_of(work->keys[1]) };

	for (int i = 0; i < count; i++)
		words[i + 2] = args[i];
	work->sent_at = loop_now(work->loop);
	return cluster_run(work->shared->cluster, work->loop, &work->call, script, words, count + 2);
}

static uint64_t
read_number(const struct redis_reply *part)
{
	uint64_t number = 0;

	if (part->type == REDIS_NUMBER)
		return (uint64_t)part->number;
	return slice_to_number(part->text, UINT64_MAX, &number) ? number : 0;
}

bool
shared_read(const struct redis_reply *reply, struct said *said)
{
	enum { PARTS = 13 };
	int64_t age_ms;

	*said = (struct said){ 0 };
	if (reply == NULL || reply->type != REDIS_ARRAY || reply->count < PARTS ||
	    reply->elements[1].text.len >= sizeof(said->server))
		return false;
	said->status = (enum affinity_status)read_number(&reply->elements[0]);
	snprintf(said->server, sizeof(said->server), "%.*s", SLICE_ARGS(reply->elements[1].text));
	said->generation = read_number(&reply->elements[2]);
	said->kicked = read_number(&reply->elements[3]);
	age_ms = (int64_t)read_number(&reply->elements[4]);
	said->since = age_ms >= 0 ? clock_ms() - age_ms : 0;
	said->sessions = (int)read_number(&reply->elements[5]);
	said->is_held = read_number(&reply->elements[7]) > 0;
	said->hold = read_number(&reply->elements[8]);
	said->held_ms = (int64_t)read_number(&reply->elements[9]);
	said->is_pinned = reply->elements[10].text.len > 0;
	said->hold_ms = (int64_t)read_number(&reply->elements[11]);
	said->stamp = read_number(&reply->elements[12]);
	return true;
}

void
shared_tell(const struct said *said, struct affinity_binding *binding)
{
	snprintf(binding->server, sizeof(binding->server), "%s", said->server);
	binding->generation = said->generation;
	binding->is_held = said->is_held || said->sessions > 0;
	binding->since = said->since;
	binding->sessions = said->sessions;
	binding->held_ms = said->held_ms;
	binding->is_pinned = said->is_pinned;
	binding->is_blocked = said->status == AFFINITY_STATUS_BLOCKED;
}
