/* SPDX-License-Identifier: BSD-2-Clause */
/* affinity_redis.c: the engine: opens, closes, moves and kicks by Redis, or by itself. */
#include "state/affinity_redis.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"

enum {
	HINTS_MAX = 1000,		/* looks at once at users of whom something was said */
	OVERTAKEN_MS = 500		/* the loops' times may differ by less */
};

static void
holder_clear(void *value)
{
	struct holder *holder = value;

	xfree(holder->server);
}

/* The entry, locked, with its leases ready. */
static struct table_entry *
lock(struct shared *shared, struct slice user, int64_t now, bool create)
{
	struct table_entry *entry = table_lock(shared->holders, user, now, create);
	struct holder *holder = entry != NULL ? table_value(entry) : NULL;

	if (holder != NULL && holder->leases.next == NULL)
		list_init(&holder->leases);
	return entry;
}

/* Whom nobody holds is remembered for a while: for when Redis cannot be asked. */
static void
unlock(struct shared *shared, struct table_entry *entry, int64_t now)
{
	const struct holder *holder = table_value(entry);
	int64_t retention = atomic_load_explicit(&shared->retention_ms, memory_order_relaxed);

	table_unlock(shared->holders, entry,
	    !list_is_empty(&holder->leases) || holder->opens > 0 ? TABLE_FOREVER : now + retention);
}

static void
know(struct holder *holder, const char *server, uint64_t generation, int64_t since, int64_t now)
{
	if (generation < holder->generation)
		return;
	if (holder->server == NULL || strcmp(holder->server, server) != 0) {
		xfree(holder->server);
		holder->server = xstrdup(server);
	} else if (generation == holder->generation) {
		return;
	}
	holder->generation = generation;
	holder->since = since;
	holder->heard_at = now;
}

/* Whoever got in before that is told to go; the shard is locked. */
static int
kick_older(struct holder *holder)
{
	int count = 0;

	list_each(node, &holder->leases) {
		struct affinity_lease *lease = list_entry(node, struct affinity_lease, node);

		if (lease->generation < holder->generation || lease->stamp < holder->kicked)
			count += affinity_lease_kick(lease);
	}
	return count;
}

/* Those of one generation are of another one, on the same server; how many. */
static int
change_leases(struct holder *holder, uint64_t from, uint64_t to)
{
	int count = 0;

	list_each(node, &holder->leases) {
		struct affinity_lease *lease = list_entry(node, struct affinity_lease, node);

		if (lease->generation == from) {
			lease->generation = to;
			count++;
		}
	}
	return count;
}

/* Kicks have Redis' time; who came without it is judged by how long ago: no clocks are compared. */
static void
stamp_leases(struct holder *holder, const struct said *said, int64_t now)
{
	enum { US_OF_MS = 1000 };

	list_each(node, &holder->leases) {
		struct affinity_lease *lease = list_entry(node, struct affinity_lease, node);

		if (lease->alone_at == 0)
			continue;
		lease->stamp = said->stamp - (uint64_t)(now - lease->alone_at) * US_OF_MS;
		lease->alone_at = 0;
	}
}

/*
 * Redis may have lost what was known, or never heard of it.  Who is here by that stays where it is the same
 * server; what nobody is here by any more is void, unless it was heard while the answer was on its way.
 */
static void
correct(struct holder *holder, const struct work *work, const struct said *said, int64_t now)
{
	bool is_same = holder->server != NULL && strcmp(holder->server, said->server) == 0;
	bool is_void;

	stamp_leases(holder, said, now);
	if (said->generation == holder->generation)
		return;
	is_void = work->sent_at > holder->heard_at + OVERTAKEN_MS &&
	    change_leases(holder, holder->generation, holder->generation) == 0;
	if (is_same)
		change_leases(holder, holder->generation, said->generation);
	if (said->generation < holder->generation && (is_same || is_void))
		holder->generation = 0;
}

static int
hear(struct holder *holder, uint64_t generation, uint64_t kicked, int64_t now)
{
	if (generation > holder->generation) {
		/* where it is now is asked for by the next one */
		xfree(holder->server);
		holder->server = NULL;
		holder->generation = generation;
		holder->heard_at = now;
	}
	if (kicked > holder->kicked)
		holder->kicked = kicked;
	return kick_older(holder);
}

int
shared_hear(struct shared *shared, struct slice user, uint64_t generation, uint64_t kicked, int64_t now)
{
	struct table_entry *entry = lock(shared, user, now, false);
	int count;

	if (entry == NULL)
		return 0;
	count = hear(table_value(entry), generation, kicked, now);
	unlock(shared, entry, now);
	return count;
}

/* Of one who did not get in. */
static int
hear_answer(const struct work *work, const struct said *said)
{
	int64_t now = loop_now(work->loop);
	struct table_entry *entry = lock(work->shared, slice_of(work->user), now, true);
	struct holder *holder = table_value(entry);
	int count;

	correct(holder, work, said, now);
	count = hear(holder, said->generation, said->kicked, now);
	unlock(work->shared, entry, now);
	return count;
}

static struct affinity_lease *
lease_new(struct table_entry *entry, const struct affinity_request *request, uint64_t generation,
    uint64_t stamp)
{
	struct holder *holder = table_value(entry);
	struct affinity_lease *lease = affinity_lease_new(request);

	lease->place = entry;
	lease->generation = generation;
	lease->stamp = stamp;
	list_append(&holder->leases, &lease->node);
	return lease;
}

/* When it came, Redis could not say. */
static struct affinity_lease *
lease_alone(struct table_entry *entry, const struct affinity_request *request, int64_t now)
{
	const struct holder *holder = table_value(entry);
	struct affinity_lease *lease = lease_new(entry, request, holder->generation, holder->kicked);

	lease->alone_at = now;
	return lease;
}

/* True, with the sequence of a close: nobody is here, and Redis may have heard otherwise. */
static bool
is_left(struct holder *holder, bool may_be_told, uint64_t *sequence)
{
	if (!list_is_empty(&holder->leases) || holder->opens > 0 || !(may_be_told || holder->is_told))
		return false;
	holder->is_told = false;
	*sequence = ++holder->sequence;
	return true;
}

static void
end_open(struct work *work, bool may_be_there)
{
	struct shared *shared = work->shared;
	int64_t now = loop_now(work->loop);
	struct table_entry *entry;
	struct holder *holder;
	uint64_t sequence;
	bool is_over;

	if (!work->is_opening)
		return;
	work->is_opening = false;
	entry = lock(shared, slice_of(work->user), now, true);
	holder = table_value(entry);
	holder->opens--;
	is_over = is_left(holder, may_be_there, &sequence);
	unlock(shared, entry, now);
	if (is_over)
		shared_close(shared, work->loop, slice_of(work->user), sequence);
}

void
shared_answer(struct work *work, enum affinity_answer result)
{
	struct affinity_request *request = work->request;

	request->work = NULL;
	shared_work_free(work);
	affinity_answer(request, result);
}

/* Redis cannot be asked: what was known of the user counts, else the server that the request names. */
static void
open_alone(struct work *work)
{
	struct affinity_request *request = work->request;
	struct shared *shared = work->shared;
	int64_t now = loop_now(work->loop);
	enum affinity_answer result = AFFINITY_HERE;
	struct table_entry *entry;
	struct holder *holder;

	if (cluster_is_strict(shared->cluster)) {
		end_open(work, true);
		shared_answer(work, AFFINITY_LATER);
		return;
	}
	cluster_note(shared->cluster, CLUSTER_LOCAL, 1);
	entry = lock(shared, request->user, now, true);
	holder = table_value(entry);
	if (holder->server == NULL || (request->replaces != 0 && request->replaces == holder->generation)) {
		if (holder->generation != 0)
			holder->generation++;
		else
			holder->generation =
			    atomic_fetch_add_explicit(&shared->guesses, 1, memory_order_relaxed) + 1;
		know(holder, request->wanted, holder->generation, clock_ms(), now);
		request->kicked = kick_older(holder);
	}
	snprintf(request->binding.server, sizeof(request->binding.server), "%s", holder->server);
	request->binding.generation = holder->generation;
	request->binding.since = holder->since;
	request->binding.is_held = !list_is_empty(&holder->leases);
	/* what was asked may be done all the same */
	holder->is_told = true;
	if (strcmp(holder->server, request->wanted) == 0)
		request->lease = lease_alone(entry, request, now);
	else
		result = AFFINITY_ELSEWHERE;
	unlock(shared, entry, now);
	end_open(work, true);
	shared_answer(work, result);
}

/* Sessions of our own that nobody has told to go: they came while Redis was not asked. */
static void
note_split(const struct work *work, int kicked)
{
	if (work->request->replaces == 0 && kicked > 0)
		cluster_note(work->shared->cluster, CLUSTER_RECONCILED, (uint64_t)kicked);
}

/* The user is held; whoever was told something newer meanwhile has a session that is to go at once. */
static void
enter(struct work *work, const struct said *said)
{
	struct affinity_request *request = work->request;
	int64_t now = loop_now(work->loop);
	struct table_entry *entry = lock(work->shared, request->user, now, true);
	struct holder *holder = table_value(entry);

	correct(holder, work, said, now);
	know(holder, said->server, said->generation, said->since, now);
	if (said->kicked > holder->kicked)
		holder->kicked = said->kicked;
	request->lease = lease_new(entry, request, said->generation, said->kicked);
	holder->opens--;
	holder->is_told = true;
	holder->renewed_at = now;
	holder->proved_at = work->sent_at;
	work->is_opening = false;
	note_split(work, kick_older(holder));
	unlock(work->shared, entry, now);
}

static void open_by_redis(struct work *work);

static void
on_open_retry(struct loop_timer *timer)
{
	open_by_redis(loop_owner(timer, struct work, retry));
}

static void
on_open(struct cluster_call *call, const struct redis_reply *reply)
{
	struct work *work = list_entry(call, struct work, call);
	struct affinity_request *request = work->request;
	struct said said;
	int kicked;

	if (!shared_read(reply, &said)) {
		open_alone(work);
		return;
	}
	shared_tell(&said, &request->binding);
	if (said.status == AFFINITY_STATUS_HERE) {
		enter(work, &said);
		shared_answer(work, AFFINITY_HERE);
		return;
	}
	/* of sessions of our own that are in the way, too */
	kicked = hear_answer(work, &said);
	note_split(work, kicked);
	request->kicked += kicked;
	end_open(work, false);
	if (said.status == AFFINITY_STATUS_ELSEWHERE) {
		shared_answer(work, AFFINITY_ELSEWHERE);
		return;
	}
	loop_timer_init(&work->retry, on_open_retry);
	loop_timer_set(work->loop, &work->retry, loop_now(work->loop) + AFFINITY_RETRY_MS);
}

static void
open_by_redis(struct work *work)
{
	struct affinity_request *request = work->request;
	struct shared *shared = work->shared;
	int64_t now = loop_now(work->loop);
	struct table_entry *entry = lock(shared, request->user, now, true);
	struct holder *holder = table_value(entry);
	bool is_alone = ++holder->opens == 1;
	uint64_t sessions = (uint64_t)holder->opens, own = 0;

	work->sequence = ++holder->sequence;
	list_each(node, &holder->leases) {
		uint64_t generation = list_entry(node, struct affinity_lease, node)->generation;

		is_alone &= own == 0 || own == generation;
		own = generation;
		sessions++;
	}
	work->is_opening = true;
	unlock(shared, entry, now);
	if (shared_run(work, &affinity_script_open, (const struct slice[]){
		slice_of(cluster_incarnation(shared->cluster)), slice_of(request->wanted),
		shared_number(work, 0, request->replaces), shared_number(work, 1, (uint64_t)shared->lease_ms),
		shared_number(work, 2, (uint64_t)atomic_load(&shared->retention_ms)), request->user,
		shared_number(work, 3, work->sequence), shared_number(work, 4, sessions),
		slice_of(cluster_channel(shared->cluster)), slice_of(shared->ear.name),
		is_alone ? shared_number(work, 5, own) : slice_of("") }, 11))
		affinity_wait(request);
	else
		open_alone(work);
}

struct work *
shared_work_for(struct affinity_request *request,
    void (*on_reply)(struct cluster_call *call, const struct redis_reply *reply))
{
	struct shared *shared = request->affinity->store;
	struct work *work = shared_work(shared, request->loop, request->user, on_reply);

	atomic_store_explicit(&shared->retention_ms,
	    atomic_load_explicit(&request->affinity->retention_ms, memory_order_relaxed),
	    memory_order_relaxed);
	work->request = request;
	request->work = work;
	return work;
}

static void
open(struct affinity_request *request)
{
	open_by_redis(shared_work_for(request, on_open));
}

static void on_peek_retry(struct loop_timer *timer);

/* Redis has lost the binding of one who has sessions here; it will be told again. */
static bool
is_here(const struct work *work)
{
	struct affinity_request *request = work->request;
	struct affinity_binding binding = { 0 };

	if (!affinity_peek_now(request->affinity, request->user, loop_now(work->loop), &binding) ||
	    !binding.is_held)
		return false;
	request->binding = binding;
	return true;
}

static void
on_peek(struct cluster_call *call, const struct redis_reply *reply)
{
	struct work *work = list_entry(call, struct work, call);
	struct affinity_request *request = work->request;
	struct said said;

	if (shared_read(reply, &said)) {
		shared_tell(&said, &request->binding);
		if (request->is_patient && (request->binding.is_blocked || said.held_ms > 0)) {
			loop_timer_init(&work->retry, on_peek_retry);
			loop_timer_set(work->loop, &work->retry, loop_now(work->loop) + AFFINITY_RETRY_MS);
			return;
		}
		shared_answer(work, said.status != AFFINITY_STATUS_UNBOUND || is_here(work) ?
		    AFFINITY_BOUND : AFFINITY_UNBOUND);
	} else if (cluster_is_strict(work->shared->cluster)) {
		shared_answer(work, AFFINITY_LATER);
	} else {
		shared_answer(work, affinity_peek_now(request->affinity, request->user, loop_now(work->loop),
		    &request->binding) ? AFFINITY_BOUND : AFFINITY_UNBOUND);
	}
}

static void
peek_by_redis(struct work *work)
{
	if (shared_run(work, &affinity_script_peek, NULL, 0))
		affinity_wait(work->request);
	else
		on_peek(&work->call, NULL);
}

static void
on_peek_retry(struct loop_timer *timer)
{
	peek_by_redis(loop_owner(timer, struct work, retry));
}

static void
peek(struct affinity_request *request)
{
	peek_by_redis(shared_work_for(request, on_peek));
}

static void
cancel(struct affinity_request *request)
{
	struct work *work = request->work;

	if (work == NULL)
		return;
	if (work->page != NULL) {
		shared_list_cancel(request);
		return;
	}
	request->work = NULL;
	/* what was asked may be done all the same */
	end_open(work, true);
	shared_work_free(work);
}

void
shared_tell_again(struct shared *shared, struct slice user, int64_t now)
{
	struct table_entry *entry = lock(shared, user, now, false);
	struct holder *holder = entry != NULL ? table_value(entry) : NULL;

	if (holder == NULL)
		return;
	holder->is_told = true;
	holder->renewed_at = now;
	unlock(shared, entry, now);
}

/* Redis is to hear soon that of those whom it was told of some are gone: they are in others' way. */
static void
note_gone(struct holder *holder, uint64_t generation)
{
	list_each(node, &holder->leases)
		if (list_entry(node, struct affinity_lease, node)->generation == generation)
			return;
	if (!list_is_empty(&holder->leases))
		holder->renewed_at = SHARED_DUE;
}

static void
close_lease(struct affinity_lease *lease)
{
	struct shared *shared = lease->affinity->store;
	int64_t now = loop_now(lease->loop);
	struct table_entry *entry = lease->place;
	struct slice name;
	char *user = NULL;
	uint64_t sequence;

	table_relock(shared->holders, entry);
	list_remove(&lease->node);
	note_gone(table_value(entry), lease->generation);
	if (is_left(table_value(entry), false, &sequence)) {
		name = table_name(shared->holders, entry);
		user = xstrndup(name.data, name.len);
	}
	unlock(shared, entry, now);
	if (user != NULL)
		shared_close(shared, lease->loop, slice_of(user), sequence);
	xfree(user);
}

void
shared_renewed(struct work *work, uint64_t mine, const struct said *said)
{
	struct shared *shared = work->shared;
	int64_t now = loop_now(work->loop);
	struct slice user = slice_of(work->user);
	struct table_entry *entry = lock(shared, user, now, true);
	struct holder *holder = table_value(entry);
	bool is_over, is_split;
	uint64_t sequence;
	int kicked;

	holder->proved_at = work->sent_at;
	if (said->kicked > holder->kicked)
		holder->kicked = said->kicked;
	is_split = strcmp(said->server, work->server) != 0;
	if (!is_split)
		change_leases(holder, mine, said->generation);
	correct(holder, work, said, now);
	know(holder, said->server, said->generation, said->since, now);
	kicked = kick_older(holder);
	note_gone(holder, is_split ? mine : said->generation);
	if (is_split)
		cluster_note(shared->cluster, CLUSTER_RECONCILED, (uint64_t)kicked);
	/* the last one may have left while the renewal was on its way, and it would hold for nobody */
	is_over = is_left(holder, true, &sequence);
	unlock(shared, entry, now);
	if (is_over)
		shared_close(shared, work->loop, user, sequence);
}

/* is_due: it is to be renewed at once. */
static bool
has_sessions(struct shared *shared, struct slice user, bool is_due)
{
	int64_t now = loop_now(cluster_control(shared->cluster));
	struct table_entry *entry = lock(shared, user, now, false);
	struct holder *holder = entry != NULL ? table_value(entry) : NULL;

	if (holder == NULL)
		return false;
	if (is_due)
		holder->renewed_at = SHARED_DUE;
	table_unlock(shared->holders, entry, table_expires(entry));
	return true;
}

static void
end_hint(struct work *work)
{
	work->shared->hints--;
	shared_work_free(work);
}

static void
on_hint(struct cluster_call *call, const struct redis_reply *reply)
{
	struct work *work = list_entry(call, struct work, call);
	struct shared *shared = work->shared;
	struct said said;
	int kicked = 0;

	if (shared_read(reply, &said))
		kicked = shared_hear(shared, slice_of(work->user), said.generation, said.kicked,
		    loop_now(work->loop));
	else
		(void)has_sessions(shared, slice_of(work->user), true);
	if (work->is_split)
		cluster_note(shared->cluster, CLUSTER_RECONCILED, (uint64_t)kicked);
	end_hint(work);
}

/* Anybody may have said so: where the user is, and who is to go, Redis knows. */
static void
on_message(struct cluster_ear *ear, const struct slice *parts, int count)
{
	struct shared *shared = list_entry(ear, struct shared, ear);
	bool is_split = slice_equals(parts[0], "split"), is_kick = slice_equals(parts[0], "kick");
	bool is_move = is_split || slice_equals(parts[0], "moved");
	struct work *work;

	if (count < 4 || (!is_move && !is_kick) || !slice_equals(parts[1], ear->name) ||
	    !has_sessions(shared, parts[3], shared->hints >= HINTS_MAX))
		return;
	if (shared->hints >= HINTS_MAX)
		return;
	work = shared_work(shared, cluster_control(shared->cluster), parts[3], on_hint);
	work->is_split = is_split;
	shared->hints++;
	if (!shared_run(work, &affinity_script_peek, NULL, 0))
		on_hint(&work->call, NULL);
}

static void
on_missed(struct cluster_ear *ear)
{
	shared_renew_all(list_entry(ear, struct shared, ear));
}

static void
on_free(struct cluster_ear *ear)
{
	struct shared *shared = list_entry(ear, struct shared, ear);

	list_remove(&ear->node);
	shared_words_end(shared);
	table_free(&shared->holders);
	xfree((char *)ear->name);
	xfree(shared);
}

/* Of a farm that comes back it is all still known. */
static void *
start(struct affinity *affinity, const struct affinity_place *place)
{
	struct cluster_ear *ear = cluster_find_ear(place->cluster, place->farm);
	struct shared *shared;

	(void)affinity;
	if (ear != NULL)
		return list_entry(ear, struct shared, ear);
	shared = xcalloc(1, sizeof(*shared));
	shared->ear = (struct cluster_ear){
		.name = xstrdup(place->farm), .on_message = on_message, .on_missed = on_missed,
		.on_free = on_free,
	};
	shared->cluster = place->cluster;
	shared->lease_ms = cluster_lease_ms(place->cluster);
	shared->renew_ms = shared->lease_ms / AFFINITY_RENEWALS;
	shared->holders = table_new(sizeof(struct holder), holder_clear);
	cluster_listen(place->cluster, &shared->ear);
	shared_renew_begin(shared);
	shared_words_begin(shared);
	return shared;
}

/* It goes with the cluster. */
static void
stop(void *store)
{
	(void)store;
}

static size_t
count(void *store)
{
	const struct shared *shared = store;

	return table_count(shared->holders);
}

static bool
peek_now(void *store, struct slice user, int64_t now, struct affinity_binding *out)
{
	struct shared *shared = store;
	struct table_entry *entry = lock(shared, user, now, false);
	const struct holder *holder = entry != NULL ? table_value(entry) : NULL;
	bool is_known = holder != NULL && holder->server != NULL;

	if (is_known) {
		snprintf(out->server, sizeof(out->server), "%s", holder->server);
		out->generation = holder->generation;
		out->is_held = !list_is_empty(&holder->leases);
		out->since = holder->since;
		list_each(node, &holder->leases)
			out->sessions++;
	}
	if (entry != NULL)
		table_unlock(shared->holders, entry, table_expires(entry));
	return is_known;
}

const struct affinity_engine affinity_redis = {
	.name = "redis",
	.start = start,
	.stop = stop,
	.peek = peek,
	.peek_now = peek_now,
	.open = open,
	.move = shared_move,
	.kick = shared_kick,
	.hold = shared_hold,
	.pin = shared_pin,
	.list = shared_list,
	.cancel = cancel,
	.close = close_lease,
	.count = count,
};
