/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * affinity_redis_renew.c: keeps leases alive, and tells when nobody is here
 * any more.  A renewal also brings back what Redis has lost, and hears what
 * was missed.  It goes on, on control's loop, a piece of the users at a time.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "state/affinity_redis.h"

enum { TURN_MS = 200, CLOSE_MS = 1000, MARGIN_PART = 6 };

/* One that is to be renewed; told apart while the table is locked, sent afterwards. */
struct due {
	struct list node;
	char *user;
	char server[AFFINITY_SERVER_MAX];
	uint64_t generation, sequence, sessions;
	bool is_all;			/* of what is here */
	bool is_over;			/* nobody is here any more */
};

struct walk {
	struct shared *shared;
	int64_t now;
	bool may_ask;
	int ended;
	struct list due;
};

static void
on_renewed(struct cluster_call *call, const struct redis_reply *reply)
{
	struct work *work = list_entry(call, struct work, call);
	struct said said;

	if (shared_read(reply, &said))
		shared_renewed(work, work->generation, &said);
	shared_work_free(work);
}

static void
renew(struct shared *shared, const struct due *due)
{
	struct loop *loop = cluster_control(shared->cluster);
	struct work *work = shared_work(shared, loop, slice_of(due->user), on_renewed);

	work->generation = due->generation;
	memcpy(work->server, due->server, sizeof(work->server));
	if (!shared_run(work, &affinity_script_renew, (const struct slice[]){
		slice_of(cluster_incarnation(shared->cluster)), slice_of(work->server),
		shared_number(work, 0, due->generation), shared_number(work, 1, (uint64_t)shared->lease_ms),
		shared_number(work, 2, (uint64_t)atomic_load(&shared->retention_ms)), slice_of(work->user),
		shared_number(work, 3, due->sequence), shared_number(work, 4, due->sessions),
		slice_of(cluster_channel(shared->cluster)), slice_of(shared->ear.name),
		slice_of(due->is_all ? "1" : "") }, 11))
		shared_work_free(work);
}

static void
note_due(struct walk *walk, struct slice user, const struct holder *holder, uint64_t generation)
{
	struct due *due = xcalloc(1, sizeof(*due));

	due->user = xstrndup(user.data, user.len);
	snprintf(due->server, sizeof(due->server), "%s", holder->server);
	due->generation = generation;
	due->sequence = holder->sequence;
	due->is_all = holder->opens == 0;
	list_each(node, &holder->leases) {
		bool is_one = list_entry(node, struct affinity_lease, node)->generation == generation;

		due->sessions += is_one;
		due->is_all &= is_one;
	}
	list_append(&walk->due, &due->node);
}

/* Another proxy may have the user by now; with a margin, in which the sessions end. */
static void
end_unproved(struct walk *walk, struct holder *holder)
{
	int64_t lease = walk->shared->lease_ms;

	if (holder->leases.next == NULL || walk->now - holder->proved_at < lease - lease / MARGIN_PART)
		return;
	list_each(node, &holder->leases)
		walk->ended += affinity_lease_kick(list_entry(node, struct affinity_lease, node));
}

/* Redis was not there when the last one left. */
static void
note_over(struct walk *walk, struct slice user, struct holder *holder)
{
	struct due *due;

	if (!holder->is_told || holder->opens > 0 || walk->now - holder->renewed_at < CLOSE_MS)
		return;
	due = xcalloc(1, sizeof(*due));
	due->user = xstrndup(user.data, user.len);
	due->is_over = true;
	due->sequence = ++holder->sequence;
	holder->is_told = false;
	list_append(&walk->due, &due->node);
}

/* Those who were told to go hold their own generation until they are gone. */
static void
visit(struct slice user, void *value, int64_t expires, void *arg)
{
	struct walk *walk = arg;
	struct holder *holder = value;
	uint64_t told = 0;

	(void)expires;
	if (cluster_is_strict(walk->shared->cluster))
		end_unproved(walk, holder);
	if (!walk->may_ask || holder->leases.next == NULL)
		return;
	if (list_is_empty(&holder->leases)) {
		note_over(walk, user, holder);
		return;
	}
	if (walk->now - holder->renewed_at < walk->shared->renew_ms)
		return;
	holder->renewed_at = walk->now;
	holder->is_told = true;
	list_each(node, &holder->leases) {
		const struct affinity_lease *lease = list_entry(node, struct affinity_lease, node);

		if (holder->server != NULL && lease->generation != told)
			note_due(walk, user, holder, lease->generation);
		told = lease->generation;
	}
}

/* One line for all that end in a round. */
static void
note_ended(struct shared *shared, int count)
{
	if (count > 0)
		cluster_note(shared->cluster, CLUSTER_EXPIRED, (uint64_t)count);
	shared->ended += count;
	if (shared->cursor != 0 || shared->ended == 0)
		return;
	log_write(LOG_WARNING, "cluster: sessions of farm %s end, as Redis cannot renew their leases: %d",
	    shared->ear.name, shared->ended);
	shared->ended = 0;
}

static void
on_turn(struct loop_timer *timer)
{
	struct shared *shared = loop_owner(timer, struct shared, renewal);
	struct loop *loop = cluster_control(shared->cluster);
	struct walk walk = {
		.shared = shared, .now = loop_now(loop), .may_ask = cluster_is_up(shared->cluster, loop),
	};

	list_init(&walk.due);
	if (walk.may_ask || cluster_is_strict(shared->cluster))
		shared->cursor = table_walk(shared->holders, shared->cursor, walk.now, visit, &walk);
	note_ended(shared, walk.ended);
	list_each(node, &walk.due) {
		struct due *due = list_entry(node, struct due, node);

		list_remove(&due->node);
		if (due->is_over)
			shared_close(shared, loop, slice_of(due->user), due->sequence);
		else
			renew(shared, due);
		xfree(due->user);
		xfree(due);
	}
	loop_timer_set(loop, timer, walk.now + (shared->cursor != 0 ? 1 : TURN_MS));
}

void
shared_renew_begin(struct shared *shared)
{
	struct loop *loop = cluster_control(shared->cluster);

	loop_timer_init(&shared->renewal, on_turn);
	loop_timer_set(loop, &shared->renewal, loop_now(loop) + TURN_MS);
}

static void
make_due(struct slice user, void *value, int64_t expires, void *arg)
{
	struct holder *holder = value;

	(void)user;
	(void)expires;
	(void)arg;
	holder->renewed_at = SHARED_DUE;
}

void
shared_renew_all(struct shared *shared)
{
	int64_t now = loop_now(cluster_control(shared->cluster));
	uint64_t cursor = 0;

	do {
		cursor = table_walk(shared->holders, cursor, now, make_due, NULL);
	} while (cursor != 0);
}

static void
on_closed(struct cluster_call *call, const struct redis_reply *reply)
{
	struct work *work = list_entry(call, struct work, call);

	if (reply == NULL)
		shared_tell_again(work->shared, slice_of(work->user), loop_now(work->loop));
	shared_work_free(work);
}

void
shared_close(struct shared *shared, struct loop *loop, struct slice user, uint64_t sequence)
{
	struct work *work = shared_work(shared, loop, user, on_closed);

	if (!shared_run(work, &affinity_script_close, (const struct slice[]){
		slice_of(cluster_incarnation(shared->cluster)), shared_number(work, 0, sequence),
		shared_number(work, 1, (uint64_t)atomic_load(&shared->retention_ms)) }, 3)) {
		shared_work_free(work);
		shared_tell_again(shared, user, loop_now(loop));
	}
}
