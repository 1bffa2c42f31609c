/* SPDX-License-Identifier: BSD-2-Clause */
/* endpoint_state.c: what is known of an endpoint and its machine, folded into what balancers read. */
#include "balance/endpoint_state.h"

#include "balance/endpoint_report.h"
#include "base/clock.h"

/* Global, since those who send sessions away stand further up; constant while threads run. */
static const struct away_observer *observer;

enum { PERCENT = 100 };

static enum admin_state
strictest(const struct endpoint *e)
{
	int admin = e->admin.state;

	if (e->machine->admin.state > admin)
		admin = e->machine->admin.state;
	if (e->machine->agent_admin.state > admin)
		admin = e->machine->agent_admin.state;
	return (enum admin_state)admin;
}

/* 1 to 100, linear in the time since it came up. */
static int
slow_start_percent(const struct endpoint *e)
{
	int64_t passed = clock_ms() - e->ramp_from, percent;

	if (e->ramp_ms == 0 || passed >= e->ramp_ms)
		return PERCENT;
	percent = passed * PERCENT / e->ramp_ms;
	return percent < 1 ? 1 : (int)percent;
}

static int64_t
share_of(const struct endpoint *e, int weight)
{
	const struct machine *machine = e->machine;
	int64_t wanted = machine->agent_weight < 0 ? (int64_t)weight * machine->agent_percent :
						     (int64_t)machine->agent_weight * PERCENT;
	int64_t share;

	/* no weight is the operator's word, whatever the agent says */
	if (weight == 0 || wanted == 0)
		return 0;
	share = wanted * ENDPOINT_SHARE_ONE / PERCENT * slow_start_percent(e) / PERCENT;
	if (share == 0)
		share = 1;
	return share > ENDPOINT_SHARE_MAX ? ENDPOINT_SHARE_MAX : share;
}

static int
max_connections_of(const struct endpoint *e)
{
	int said = e->machine->agent_max_connections;
	int set = e->bounded.why[0] != '\0' ? e->bounded.state : e->configured_max;

	return said > 0 && (set == 0 || said < set) ? said : set;
}

void
endpoint_observe_away(const struct away_observer *new_observer)
{
	observer = new_observer;
}

void
endpoint_tell_away_locked(struct endpoint *e)
{
	if (observer != NULL)
		observer->on_away(e, observer->owner);
}

void
endpoint_send_away(struct endpoint *e)
{
	atomic_fetch_add(&e->era, 1);
	endpoint_tell_away_locked(e);
}

static int
flags_of(const struct endpoint *e, enum admin_state admin)
{
	int flags = 0;

	if (e->health.state == HEALTH_DOWN || e->health.state == HEALTH_UNRESOLVED ||
	    e->machine->agent_down.state != 0)
		flags |= ENDPOINT_DOWN;
	if (e->health.state == HEALTH_UNRESOLVED)
		flags |= ENDPOINT_UNRESOLVED;
	if (admin == ADMIN_MAINTENANCE)
		flags |= ENDPOINT_MAINTENANCE;
	return flags;
}

/* It takes sessions and did not, or the other way round, which lets others in where all are down. */
static void
tell_waiting(struct endpoint *e, bool is_down_now)
{
	if (is_down_now)
		waiter_wake_all(&e->queue);
	service_wake(e->service);
}

static void
note_history(struct endpoint *e, int flags, int old_flags)
{
	struct endpoint_history *history = &e->history;
	int64_t now = clock_ms();

	if (flags == old_flags)
		return;
	history->changed_at = now;
	if ((flags & ~old_flags & ENDPOINT_DOWN) != 0) {
		history->downs++;
		history->down_since = now;
	} else if ((old_flags & ~flags & ENDPOINT_DOWN) != 0) {
		history->down_ms += now - history->down_since;
		history->down_since = 0;
	}
}

/* Under the machine's lock. */
static void
publish(struct endpoint *e, int weight, int flags)
{
	int old_weight = atomic_exchange(&e->weight, weight);
	int share = (int)share_of(e, weight), old_share = atomic_exchange(&e->share, share);
	int old_flags = atomic_exchange(&e->flags, flags);
	int leave_for = ENDPOINT_MAINTENANCE | (e->stays_when_down ? 0 : ENDPOINT_DOWN);

	atomic_store(&e->max_connections, max_connections_of(e));
	note_history(e, flags, old_flags);
	if (!e->is_adhoc && (weight != old_weight || share != old_share || flags != old_flags))
		service_changed(e->service);
	if ((flags & ~old_flags & leave_for) != 0)
		endpoint_send_away(e);
	else if ((flags & ~old_flags) != 0)
		endpoint_tell_away_locked(e);
	if (!e->is_adhoc && (flags != old_flags || (weight == 0) != (old_weight == 0) ||
	    (share == 0) != (old_share == 0)))
		tell_waiting(e, flags != 0 && old_flags == 0);
}

/* Who takes sessions again does so slowly; not who was unresolved, and the drained when they may. */
static void
begin_ramp(struct endpoint *e, int flags, int weight)
{
	int before = atomic_load(&e->flags);
	bool is_back = flags == 0 && before != 0 && (before & ENDPOINT_UNRESOLVED) == 0;

	if (is_back)
		e->ramp_ms = e->slow_start_ms;
	if (is_back || weight == 0)
		e->ramp_from = clock_ms();
}

/* Who was to leave a drained server may stay where it is ready. */
static void
end_leaving(struct endpoint *e, enum admin_state admin)
{
	int drained = LEAVING_ALL;

	if (admin == ADMIN_READY && atomic_compare_exchange_strong(&e->leaving.kind, &drained, LEAVING_NOT))
		endpoint_tell_away_locked(e);
}

void
endpoint_refresh_locked(struct endpoint *e)
{
	enum admin_state admin = strictest(e);
	int weight = admin == ADMIN_READY ? e->machine->weight : 0, flags = flags_of(e, admin);

	begin_ramp(e, flags, weight);
	publish(e, weight, flags);
	end_leaving(e, admin);
}

void
endpoint_set_on_down(struct endpoint *e, bool sends_away)
{
	pthread_mutex_lock(&e->machine->lock);
	e->stays_when_down = !sends_away;
	pthread_mutex_unlock(&e->machine->lock);
}

bool
endpoint_set_health(struct endpoint *e, enum health_state state, const char *why)
{
	bool is_new;

	pthread_mutex_lock(&e->machine->lock);
	is_new = standing_set(&e->health, (int)state, why);
	if (is_new)
		endpoint_refresh_locked(e);
	pthread_mutex_unlock(&e->machine->lock);
	if (is_new && state == HEALTH_UP)
		endpoint_reopen(e);
	return is_new;
}

void
endpoint_set_progress(struct endpoint *e, int passed, int wanted)
{
	pthread_mutex_lock(&e->machine->lock);
	e->passed = passed;
	e->wanted = wanted;
	pthread_mutex_unlock(&e->machine->lock);
}

bool
endpoint_set_admin(struct endpoint *e, enum admin_state state, const char *why)
{
	bool is_new, was_down;

	pthread_mutex_lock(&e->machine->lock);
	was_down = endpoint_is_down(e);
	is_new = standing_set(&e->admin, (int)state, why);
	if (is_new)
		endpoint_refresh_locked(e);
	pthread_mutex_unlock(&e->machine->lock);
	if (was_down && !endpoint_is_down(e))
		endpoint_reopen(e);
	return is_new;
}

void
endpoint_note_checked(struct endpoint *e, bool is_on, const char *why)
{
	pthread_mutex_lock(&e->machine->lock);
	standing_set(&e->unchecked, !is_on, is_on ? "" : why);
	pthread_mutex_unlock(&e->machine->lock);
}

void
endpoint_set_slow_start(struct endpoint *e, int ms)
{
	pthread_mutex_lock(&e->machine->lock);
	e->slow_start_ms = ms;
	pthread_mutex_unlock(&e->machine->lock);
}

bool
endpoint_ramp(struct endpoint *e)
{
	bool may_ramp;

	pthread_mutex_lock(&e->machine->lock);
	if (e->ramp_ms != 0) {
		endpoint_refresh_locked(e);
		if (slow_start_percent(e) == PERCENT)
			e->ramp_ms = 0;
	}
	may_ramp = e->ramp_ms != 0 || e->slow_start_ms != 0;
	pthread_mutex_unlock(&e->machine->lock);
	return may_ramp;
}

void
endpoint_read(struct endpoint *e, struct endpoint_facts *out)
{
	pthread_mutex_lock(&e->machine->lock);
	*out = (struct endpoint_facts){
		.health = e->health,
		.passed = e->passed,
		.wanted = e->wanted,
		.admin = e->admin,
		.bounded = e->bounded,
		.unchecked = e->unchecked,
		.slow_start_percent = slow_start_percent(e),
		.history = e->history,
	};
	pthread_mutex_unlock(&e->machine->lock);
}

const char *
health_state_text(enum health_state state)
{
	static const char *const texts[] = {
		[HEALTH_UNKNOWN] = "unknown",
		[HEALTH_UP] = "up",
		[HEALTH_DOWN] = "down",
		[HEALTH_UNRESOLVED] = "unresolved",
	};

	_Static_assert(sizeof(texts) / sizeof(texts[0]) == HEALTH_STATE_COUNT, "one text per state");
	return texts[state];
}
