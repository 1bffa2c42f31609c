/* SPDX-License-Identifier: BSD-2-Clause */
/* watch.c: intervals by what is known, each watch at a phase of its own. */
#include "health/watch.h"

#include "base/random.h"
#include "session/offer.h"

enum { ASK_AGAIN_MS = 60 * 1000 };

/* What a server that nobody wants checked is asked, until it has answered once. */
static const struct check_settings once = {
	.kind = CHECK_PROTOCOL, .timeout = { .ms = 5000 }, .rise = 1, .fall = 1,
};

static const struct check_settings *
settings_of(const struct watch *watch)
{
	return watch->order.settings;
}

static bool
is_stable(const struct watch *watch)
{
	return !watch->is_suspected && watch->verdict.streak == 0 && watch->verdict.state != HEALTH_UNKNOWN;
}

static int64_t
interval(const struct watch *watch)
{
	const struct check_settings *settings = settings_of(watch);

	if (!is_stable(watch))
		return settings->fast_interval.ms;
	return watch->verdict.state == HEALTH_DOWN ? settings->down_interval.ms : settings->interval.ms;
}

/* The first round asks all servers at once, or nearly: once they are stable, each has a phase of its own. */
static int64_t
until_next(struct watch *watch)
{
	int64_t ms = interval(watch);

	if (watch->has_phase || !is_stable(watch))
		return ms;
	watch->has_phase = true;
	return (int64_t)(random_number() % (uint64_t)ms) + 1;
}

bool
watch_can_teach(const struct check_settings *settings)
{
	return (settings->kind == CHECK_PROTOCOL || settings->kind == CHECK_LOGIN) && settings->port == 0 &&
	    settings->tls == CHECK_TLS_OF_POOL;
}

bool
watch_is_like(const struct watch *watch, const struct check_settings *settings)
{
	const struct check_settings *own = settings_of(watch);

	if (watch->is_once || settings->kind == CHECK_NONE)
		return watch->is_once && settings->kind == CHECK_NONE;
	return own->kind == settings->kind && own->port == settings->port && own->tls == settings->tls;
}

/* What it lacks is believed when it was lacking `fall` times; what is new, at once. */
static void
learn(struct watch *watch)
{
	struct back *back = &watch->check.back;
	struct endpoint *e = watch->order.endpoint;

	if (!check_code_is_good(watch->result.code) || !watch_can_teach(settings_of(watch)))
		return;
	watch->poorer = offer_is_poorer(e, back) ? watch->poorer + 1 : 0;
	if (watch->poorer > 0 && watch->poorer < (int)settings_of(watch)->fall)
		return;
	watch->poorer = 0;
	offer_learn(e, back);
}

static void
set_due(struct watch *watch, int64_t at_ms)
{
	watch->due_at = at_ms;
	loop_timer_set(watch->loop, &watch->timer, at_ms);
}

static void
judge(struct watch *watch)
{
	const struct check_settings *settings = settings_of(watch);
	enum check_code code = watch->result.code;

	if (check_code_is_verdict(code))
		verdict_add(&watch->verdict, check_code_is_good(code), (int)settings->rise,
		    (int)settings->fall);
	set_due(watch, watch->checked_at + until_next(watch));
}

static void
on_end(struct check *check, const struct check_result *result, void *owner)
{
	struct watch *watch = owner;

	(void)check;
	watch->began_at = 0;
	watch->result = *result;
	watch->checked_at = loop_now(watch->loop);
	learn(watch);
	if (!watch->is_once)
		judge(watch);
	else if (!check_code_is_good(result->code))
		set_due(watch, watch->checked_at + ASK_AGAIN_MS);
	watch->on_checked(watch, watch->owner);
}

static void
on_time(struct loop_timer *timer)
{
	struct watch *watch = loop_owner(timer, struct watch, timer);

	if (atomic_load_explicit(&watch->order.endpoint->checks_are_off, memory_order_relaxed))
		return;
	watch->is_suspected = false;
	if (watch->began_at == 0)
		watch->began_at = loop_now(watch->loop);
	watch->order.began_at = watch->began_at;
	check_start(&watch->check, watch->loop, &watch->order, on_end, watch);
}

static void
take_order(struct watch *watch, const struct check_order *order)
{
	watch->order = *order;
	watch->is_once = order->settings->kind == CHECK_NONE;
	if (watch->is_once)
		watch->order.settings = &once;
}

void
watch_start(struct watch *watch, struct loop *loop, const struct check_order *order, int64_t at_ms)
{
	watch->loop = loop;
	watch->result.code = CHECK_CODE_INI;
	watch->result.days_left = TLS_NO_CERTIFICATE;
	watch->began_at = 0;
	take_order(watch, order);
	loop_timer_init(&watch->timer, on_time);
	set_due(watch, at_ms);
}

void
watch_stop(struct watch *watch)
{
	if (watch->loop == NULL)
		return;
	loop_timer_stop(watch->loop, &watch->timer);
	check_cancel(&watch->check);
	watch->loop = NULL;
}

void
watch_move(struct watch *watch, const struct check_order *order)
{
	int64_t now = loop_now(watch->loop), latest;
	bool is_same = watch->order.pool == order->pool;

	take_order(watch, order);
	/* where names come and go all the time, checks must come to an end nevertheless */
	if (is_same)
		return;
	/* its time goes on: who is silent is found out though reloads come faster than timeouts */
	if (check_is_under_way(&watch->check)) {
		check_cancel(&watch->check);
		set_due(watch, now);
		return;
	}
	latest = now + interval(watch);
	if (!watch->is_once && watch->due_at > latest)
		set_due(watch, latest);
}

void
watch_hurry(struct watch *watch)
{
	int64_t at = watch->checked_at + settings_of(watch)->fast_interval.ms, now = loop_now(watch->loop);

	if (watch->is_once)
		return;
	watch->is_suspected = true;
	if (at < now || watch->checked_at == 0)
		at = now;
	if (!check_is_under_way(&watch->check) && at < watch->due_at)
		set_due(watch, at);
}

void
watch_rest(struct watch *watch)
{
	loop_timer_stop(watch->loop, &watch->timer);
	check_cancel(&watch->check);
	watch->began_at = 0;
}

void
watch_resume(struct watch *watch)
{
	if (!check_is_under_way(&watch->check) &&
	    (!watch->is_once || !check_code_is_good(watch->result.code)))
		set_due(watch, loop_now(watch->loop));
}

void
watch_force(struct watch *watch, enum health_state state)
{
	if (watch->is_once)
		return;
	watch->verdict = (struct verdict){ .state = state };
	if (!check_is_under_way(&watch->check) && loop_timer_is_set(&watch->timer))
		set_due(watch, loop_now(watch->loop) + interval(watch));
}
