/* SPDX-License-Identifier: BSD-2-Clause */
/* health.c: the endpoints under watch, and what their watches say together. */
#include "health/health.h"

#include <stdio.h>

#include "balance/check_settings.h"
#include "balance/roster.h"
#include "base/log.h"
#include "base/log_fields.h"
#include "base/map.h"
#include "base/xalloc.h"
#include "health/agents.h"
#include "proto/proto.h"
#include "session/listener_settings.h"

enum { WORDS_MAX = 640, FIRST_SPACING_US = 500, RAMP_MS = 200, EXPIRES_SOON_DAYS = 14 };

struct subject {
	struct list node;
	struct health *health;
	struct endpoint *endpoint;	/* one reference */
	struct addr addr;		/* that was checked */
	struct watch *watches;		/* one a `check` */
	size_t watch_count;
	unsigned round;			/* of health_commit, when it was wanted last */
	bool may_ramp;			/* it has a slow start */
};

struct health {
	struct loop *loop;
	struct list subjects;
	struct map *by_name;		/* struct subject by its endpoint's name */
	struct agents *agents;
	unsigned round;
	bool tells_events;
	size_t started;			/* first checks of this round: they are spread */
	struct loop_timer ramp, settle;
	void (*on_settled)(void *owner);	/* NULL: nobody waits */
	void *owner;
	bool is_settled_soon;		/* the timer is set to now */
};

/* "L4CON: connection refused while connecting" */
static const char *
words_of(const struct check_result *result, char out[WORDS_MAX])
{
	bool is_good = check_code_is_good(result->code);

	snprintf(out, WORDS_MAX, "%s: %s%s%s%s%s", check_code_name(result->code),
	    result->reason[0] != '\0' ? result->reason : check_code_text(result->code),
	    result->doing[0] != '\0' ? " while " : "", result->doing,
	    result->seen[0] != '\0' && !is_good ? "; it said: " : "", is_good ? "" : result->seen);
	return out;
}

/* The watch that speaks for the endpoint's state: the first that is not up. */
static const struct watch *
deciding(const struct subject *subject)
{
	for (size_t i = 0; i < subject->watch_count; i++)
		if (subject->watches[i].verdict.state == HEALTH_DOWN)
			return &subject->watches[i];
	for (size_t i = 0; i < subject->watch_count; i++)
		if (subject->watches[i].verdict.state == HEALTH_UNKNOWN)
			return &subject->watches[i];
	return &subject->watches[0];
}

/* The one whose progress is the endpoint's: several checks come in turn, and most may be at rest. */
static const struct watch *
progressing(const struct subject *subject)
{
	const struct watch *decides = deciding(subject);

	for (size_t i = 0; decides->verdict.state != HEALTH_DOWN && i < subject->watch_count; i++)
		if (subject->watches[i].verdict.streak > 0)
			return &subject->watches[i];
	return decides;
}

static void
tell_event(const struct subject *subject, enum health_state before, const char *why)
{
	const char *state = health_state_text(deciding(subject)->verdict.state);
	const struct log_field fields[] = {
		{ .name = log_fields[LOG_FIELD_server].name, .text = slice_of(subject->endpoint->name) },
		{ .name = log_fields[LOG_FIELD_state].name, .text = slice_of(state) },
		{ .name = log_fields[LOG_FIELD_before].name, .text = slice_of(health_state_text(before)) },
		{ .name = log_fields[LOG_FIELD_reason].name, .text = slice_of(why) },
	};

	if (subject->health->tells_events)
		log_event(log_events[LOG_EVENT_NUMBER_health].name, fields,
		    (int)(sizeof(fields) / sizeof(fields[0])));
}

static void
log_change(const struct subject *subject, enum health_state before, const char *why)
{
	const struct watch *watch = deciding(subject);

	if (watch->verdict.state == HEALTH_DOWN)
		log_write(LOG_WARNING, "%s is down: %s", subject->endpoint->name, why);
	else if (watch->verdict.state == HEALTH_UP && before == HEALTH_DOWN)
		log_write(LOG_NOTICE, "%s is up again", subject->endpoint->name);
	else
		log_write(LOG_INFO, "%s is %s", subject->endpoint->name,
		    health_state_text(watch->verdict.state));
}

static void
on_ramp(struct loop_timer *timer)
{
	struct health *health = loop_owner(timer, struct health, ramp);
	bool more = false;

	list_each(node, &health->subjects) {
		struct subject *subject = list_entry(node, struct subject, node);

		if (subject->may_ramp)
			subject->may_ramp = endpoint_ramp(subject->endpoint);
		more = more || subject->may_ramp;
	}
	if (more)
		loop_timer_set(health->loop, timer, loop_now(health->loop) + RAMP_MS);
}

/* Slow starts begin by the words of agents and operators, too: whoever may have one is looked at. */
static void
follow_ramp(struct subject *subject)
{
	struct health *health = subject->health;

	subject->may_ramp = endpoint_ramp(subject->endpoint);
	if (subject->may_ramp && !loop_timer_is_set(&health->ramp))
		loop_timer_set(health->loop, &health->ramp, loop_now(health->loop) + RAMP_MS);
}

/* Of the certificates that its checks saw, the one that expires first. */
static void
take_certificates(const struct subject *subject)
{
	int least = TLS_NO_CERTIFICATE;

	for (size_t i = 0; i < subject->watch_count; i++) {
		int days_left = subject->watches[i].result.days_left;

		if (least == TLS_NO_CERTIFICATE || (days_left != TLS_NO_CERTIFICATE && days_left < least))
			least = days_left;
	}
	if (least != TLS_NO_CERTIFICATE)
		atomic_store_explicit(&subject->endpoint->certificate_days, least < 0 ? 0 : least,
		    memory_order_relaxed);
}

/* Once a certificate; a check that saw none says nothing of it. */
static void
warn_of_certificate(const struct endpoint *e, struct watch *watch)
{
	int days_left = watch->result.days_left;
	bool is_soon = days_left < EXPIRES_SOON_DAYS;

	if (days_left == TLS_NO_CERTIFICATE)
		return;
	if (is_soon && !watch->expires_soon && days_left < 0)
		log_write(LOG_WARNING, "%s: the server's certificate has expired", e->name);
	else if (is_soon && !watch->expires_soon)
		log_write(LOG_WARNING, "%s: the server's certificate is good for %d more days", e->name,
		    days_left);
	watch->expires_soon = is_soon;
}

/* Who is only asked what it can do holds nobody up, nor do checks that we are too short of files for. */
static bool
is_settled(const struct watch *watch)
{
	return watch->is_once || watch->verdict.state != HEALTH_UNKNOWN ||
	    watch->result.code == CHECK_CODE_SOCKERR;
}

static bool
has_first_verdicts(const struct health *health)
{
	list_each(node, &health->subjects) {
		const struct subject *subject = list_entry(node, struct subject, node);

		for (size_t i = 0; i < subject->watch_count; i++)
			if (!is_settled(&subject->watches[i]))
				return false;
	}
	return true;
}

static void
look_whether_settled(struct health *health)
{
	if (health->on_settled == NULL || health->is_settled_soon || !has_first_verdicts(health))
		return;
	health->is_settled_soon = true;
	loop_timer_set(health->loop, &health->settle, loop_now(health->loop));
}

static void
on_settle(struct loop_timer *timer)
{
	struct health *health = loop_owner(timer, struct health, settle);
	void (*on_settled)(void *owner) = health->on_settled;

	health->on_settled = NULL;
	on_settled(health->owner);
}

static void
take_state(struct subject *subject)
{
	const struct watch *decides = deciding(subject), *progresses = progressing(subject);
	const struct check_settings *settings = progresses->order.settings;
	struct endpoint_facts before;
	char why[WORDS_MAX];
	int passed, wanted;

	endpoint_read(subject->endpoint, &before);
	verdict_progress(&progresses->verdict, (int)settings->rise, (int)settings->fall, &passed, &wanted);
	endpoint_set_progress(subject->endpoint, passed, wanted);
	if ((int)decides->verdict.state == before.health.state)
		return;
	words_of(&decides->result, why);
	endpoint_set_health(subject->endpoint, decides->verdict.state, why);
	log_change(subject, (enum health_state)before.health.state, why);
	tell_event(subject, (enum health_state)before.health.state, why);
}

static void
on_checked(struct watch *watch, void *owner)
{
	struct subject *subject = owner;
	char why[WORDS_MAX];

	tally_add(&subject->endpoint->checks, 1);
	if (!check_code_is_good(watch->result.code))
		tally_add(&subject->endpoint->failed_checks, 1);
	if (watch->is_once) {
		if (!check_code_is_good(watch->result.code))
			log_write(LOG_NOTICE, "%s does not tell what it can do: %s", subject->endpoint->name,
			    words_of(&watch->result, why));
	} else {
		warn_of_certificate(subject->endpoint, watch);
		take_certificates(subject);
		take_state(subject);
	}
	look_whether_settled(subject->health);
}

struct health *
health_new(struct loop *loop)
{
	struct health *health = xcalloc(1, sizeof(*health));

	health->loop = loop;
	health->by_name = map_new();
	health->agents = agents_new(loop);
	list_init(&health->subjects);
	loop_timer_init(&health->ramp, on_ramp);
	loop_timer_init(&health->settle, on_settle);
	return health;
}

static void
stop_watches(struct subject *subject)
{
	for (size_t i = 0; i < subject->watch_count; i++)
		watch_stop(&subject->watches[i]);
	/* their timers' and checks' callbacks may be under way */
	if (subject->watches != NULL)
		loop_defer(subject->health->loop, xfree, subject->watches);
	subject->watches = NULL;
	subject->watch_count = 0;
}

static void
remove_subject(struct subject *subject)
{
	stop_watches(subject);
	list_remove(&subject->node);
	map_remove(subject->health->by_name, slice_of(subject->endpoint->name));
	endpoint_put(&subject->endpoint);
	loop_defer(subject->health->loop, xfree, subject);
}

void
health_free(struct health **health)
{
	struct health *gone = *health;

	*health = NULL;
	if (gone == NULL)
		return;
	list_each(node, &gone->subjects)
		remove_subject(list_entry(node, struct subject, node));
	loop_timer_stop(gone->loop, &gone->ramp);
	loop_timer_stop(gone->loop, &gone->settle);
	map_free(&gone->by_name);
	agents_free(&gone->agents);
	xfree(gone);
}

static struct subject *
find_subject(const struct health *health, const struct endpoint *e)
{
	struct subject *subject = map_get(health->by_name, slice_of(e->name));

	return subject != NULL && subject->endpoint == e ? subject : NULL;
}

static struct subject *
add_subject(struct health *health, struct endpoint *e)
{
	struct subject *subject = map_get(health->by_name, slice_of(e->name));

	/* another endpoint of this name: its pool has another farm now */
	if (subject != NULL)
		remove_subject(subject);
	subject = xcalloc(1, sizeof(*subject));
	subject->health = health;
	subject->endpoint = endpoint_get(e);
	list_append(&health->subjects, &subject->node);
	map_set(health->by_name, slice_of(e->name), subject);
	return subject;
}

/* Does one of its checks see what the server announces, again and again? */
static bool
is_taught(const struct conf_list *checks)
{
	for (size_t i = 0; i < checks->count; i++)
		if (watch_can_teach(checks->items[i]))
			return true;
	return false;
}

/* What is done at an endpoint. */
struct wish {
	struct check_order order;	/* of each check, but for its settings */
	const struct conf_list *checks;	/* struct check_settings */
};

static struct check_order
order_of(const struct wish *wish, size_t i)
{
	struct check_order order = wish->order;

	order.settings = wish->checks->items[i];
	return order;
}

/* down: that is known of the server already. */
static void
start_watches(struct subject *subject, const struct wish *wish, bool down)
{
	struct health *health = subject->health;

	subject->watches = xcalloc(wish->checks->count, sizeof(subject->watches[0]));
	subject->watch_count = wish->checks->count;
	for (size_t i = 0; i < subject->watch_count; i++) {
		struct watch *watch = &subject->watches[i];
		struct check_order order = order_of(wish, i);

		watch->on_checked = on_checked;
		watch->owner = subject;
		if (down)
			watch->verdict.state = HEALTH_DOWN;
		watch_start(watch, health->loop, &order,
		    loop_now(health->loop) + (int64_t)health->started++ * FIRST_SPACING_US / 1000);
	}
}

/* The same checks but for their pace: what is known of the server still says something. */
static bool
is_watched_likewise(const struct subject *subject, const struct conf_list *checks)
{
	for (size_t i = 0; i < subject->watch_count && i < checks->count; i++)
		if (!watch_is_like(&subject->watches[i], checks->items[i]))
			return false;
	return subject->watch_count == checks->count && checks->count > 0;
}

static void
move_watches(struct subject *subject, const struct wish *wish)
{
	for (size_t i = 0; i < subject->watch_count; i++) {
		struct check_order order = order_of(wish, i);

		watch_move(&subject->watches[i], &order);
	}
}

/* Other checks of a server that is down have to take it up; but not what never judges. */
static bool
stays_down(const struct subject *subject, const struct conf_list *checks)
{
	struct endpoint_facts facts;
	bool is_judged = false;

	for (size_t i = 0; i < checks->count; i++) {
		const struct check_settings *settings = checks->items[i];

		is_judged = is_judged || settings->kind != CHECK_NONE;
	}
	endpoint_read(subject->endpoint, &facts);
	return is_judged && facts.health.state == HEALTH_DOWN;
}

/* Of an endpoint that has an address: what is known of it stays where that is the same. */
static void
watch_anew(struct subject *subject, const struct wish *wish, bool is_same_addr)
{
	bool down = is_same_addr && stays_down(subject, wish->checks);

	if (!down)
		endpoint_set_health(subject->endpoint, HEALTH_UNKNOWN, "");
	start_watches(subject, wish, down);
}

static void
watch_endpoint(struct health *health, const struct wish *wish)
{
	struct endpoint *e = wish->order.endpoint;
	struct subject *subject = find_subject(health, e);
	struct addr addr = endpoint_addr(e);
	bool is_same;

	if (subject == NULL)
		subject = add_subject(health, e);
	is_same = addr_equals(&addr, &subject->addr);
	subject->round = health->round;
	subject->addr = addr;
	atomic_store_explicit(&e->is_checked, is_taught(wish->checks), memory_order_relaxed);
	follow_ramp(subject);
	if (is_same && is_watched_likewise(subject, wish->checks)) {
		move_watches(subject, wish);
		return;
	}
	stop_watches(subject);
	endpoint_set_progress(e, 0, 0);
	if (addr.sa.sa_family == AF_UNSPEC)
		endpoint_set_health(e, HEALTH_UNRESOLVED, "no address is known");
	else
		watch_anew(subject, wish, is_same);
}

/* Does a listener offer what its servers are seen to do? */
static bool
is_offered(const struct pool *pool, const struct conf_list *listeners)
{
	for (size_t i = 0; i < listeners->count; i++) {
		const struct listener_settings *l = listeners->items[i];

		for (size_t j = 0; l->announced == NULL && j <= l->route.count; j++)
			if (listener_pool(l, j) == pool)
				return true;
	}
	return false;
}

/* Who is not to be checked is asked for what can be offered, if anything is. */
static const struct conf_list *
checks_of(const struct pool *pool, const struct proto *proto, const struct conf_list *listeners)
{
	static const struct conf_list none;
	const struct conf_list *checks = &pool->options.checks;
	const struct check_settings *first = checks->items[0];

	if (first->kind == CHECK_NONE && (proto->dial_farewell == NULL || !is_offered(pool, listeners)))
		return &none;
	return checks;
}

static void
watch_pool(struct health *health, const struct pool *pool, const struct health_view *view)
{
	const struct proto *proto = pool->protocol != NULL ? proto_find(pool->protocol) : NULL;
	struct roster *roster = service_roster(pool->service);

	/* without a protocol it has no listener, and no session comes to it */
	for (size_t i = 0; proto != NULL && i < roster->count; i++) {
		const struct wish wish = {
			.order = { .proto = proto, .pool = pool, .endpoint = roster->endpoints[i],
			    .hostname = view->hostname },
			.checks = checks_of(pool, proto, view->listeners),
		};

		watch_endpoint(health, &wish);
	}
	roster_put(&roster);
}

void
health_commit(struct health *health, const struct health_view *view)
{
	health->round++;
	health->tells_events = view->tells_events;
	health->started = 0;
	for (size_t i = 0; i < view->pools->count; i++)
		watch_pool(health, view->pools->items[i], view);
	agents_commit(health->agents, view->pools);
	list_each(node, &health->subjects) {
		struct subject *subject = list_entry(node, struct subject, node);

		if (subject->round != health->round)
			remove_subject(subject);
	}
}

/* How long the slowest first verdict may take: that of a server which is silent. */
static int64_t
longest(const struct health *health)
{
	int64_t ms = 0;

	list_each(node, &health->subjects) {
		const struct subject *subject = list_entry(node, struct subject, node);

		for (size_t i = 0; i < subject->watch_count; i++) {
			const struct watch *watch = &subject->watches[i];
			const struct check_settings *settings = watch->order.settings;
			int64_t until = watch->due_at - loop_now(health->loop) +
			    settings->fall * (settings->timeout.ms + settings->fast_interval.ms);

			if (!watch->is_once && until > ms)
				ms = until;
		}
	}
	return ms < HEALTH_SETTLE_MAX_MS ? ms : HEALTH_SETTLE_MAX_MS;
}

void
health_settle(struct health *health, void (*on_settled)(void *owner), void *owner)
{
	health->on_settled = on_settled;
	health->owner = owner;
	health->is_settled_soon = false;
	loop_timer_set(health->loop, &health->settle, loop_now(health->loop) + longest(health));
	look_whether_settled(health);
}

void
health_suspect(struct health *health, struct endpoint *e)
{
	struct subject *subject = find_subject(health, e);

	for (size_t i = 0; subject != NULL && i < subject->watch_count; i++)
		watch_hurry(&subject->watches[i]);
}

const struct watch *
health_watch(const struct health *health, const struct endpoint *e, size_t i)
{
	const struct subject *subject = find_subject(health, e);

	return subject != NULL && i < subject->watch_count ? &subject->watches[i] : NULL;
}

static struct subject *
subject_with_checks(const struct health *health, const struct endpoint *e)
{
	struct subject *subject = find_subject(health, e);

	return subject != NULL && subject->watch_count > 0 && !subject->watches[0].is_once ? subject : NULL;
}

bool
health_force(struct health *health, struct endpoint *e, enum health_state state, const char *why)
{
	struct subject *subject = find_subject(health, e);
	struct endpoint_facts facts;

	endpoint_read(e, &facts);
	if (facts.health.state == HEALTH_UNRESOLVED)
		return false;
	for (size_t i = 0; subject != NULL && i < subject->watch_count; i++)
		watch_force(&subject->watches[i], state);
	endpoint_set_progress(e, 0, 0);
	endpoint_set_health(e, state, why);
	return true;
}

bool
health_can_check(const struct health *health, const struct endpoint *e)
{
	return subject_with_checks(health, e) != NULL;
}

void
health_set_checked(struct health *health, struct endpoint *e, bool is_on, const char *why)
{
	struct subject *subject = find_subject(health, e);

	endpoint_note_checked(e, is_on, why);
	if (atomic_exchange(&e->checks_are_off, !is_on) == !is_on)
		return;
	for (size_t i = 0; subject != NULL && i < subject->watch_count; i++) {
		if (is_on)
			watch_resume(&subject->watches[i]);
		else
			watch_rest(&subject->watches[i]);
	}
}

bool
health_has_agent(const struct health *health, struct machine *machine)
{
	return agents_have(health->agents, machine);
}

const struct agent_result *
health_agent_result(const struct health *health, struct machine *machine)
{
	return atomic_load(&machine->agent_is_off) ? NULL : agents_result(health->agents, machine);
}

void
health_set_asked(struct health *health, struct machine *machine, bool is_on, const char *why)
{
	machine_note_asked(machine, is_on, why);
	if (atomic_exchange(&machine->agent_is_off, !is_on) == is_on)
		agents_follow(health->agents, machine);
}
