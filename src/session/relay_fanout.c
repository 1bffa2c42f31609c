/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_fanout.c: does what the protocol's fan-out wants.  Each recipient is
 * a delivery, each server a slot, which all recipients there share.  The
 * client is read as fast as the slowest server takes it; one that takes or
 * says nothing for too long is dropped, and costs its own recipients a
 * temporary failure.
 */
#include "session/relay.h"

#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "proto/proto.h"
#include "session/login.h"
#include "session/slot.h"
#include "session/tarpit.h"

enum {
	UNPLACED_LOGGED_MAX = 5,	/* recipients of a message, by their names: the rest is summed up */
	SMALL_WRITE = 4096		/* octets to a server that are written together with others */
};

static struct fan *
fan_of(const struct session *s)
{
	return (struct fan *)(void *)s->relay->filter;
}

static bool
is_relaying(const struct session *s)
{
	return !s->has_ended && (s->phase == FRONT_RELAY || s->phase == FRONT_DRAIN);
}

static void
on_say(void *owner, struct slice words)
{
	struct fan *fan = owner;

	fan->has_progress = true;
	fan->session->last_data = loop_now(fan_loop(fan));	/* the client may be the one to speak now */
	fan->session->relay->down.bytes += words.len;
	relay_count_down(fan->session, words.len);
	if (!fan->is_client_lost)
		buf_append_slice(&fan->said, words);
}

static void
on_send(void *owner, unsigned server, struct slice data)
{
	struct fan *fan = owner;
	struct slot *slot = fan->slots[server];

	if (data.len <= SMALL_WRITE) {
		buf_append_slice(&slot->out, data);
		return;
	}
	slot_flush(slot);
	slot_write(slot, data);
}

static void on_delivery(struct delivery *delivery, enum delivery_event event);

static void
on_place(void *owner, unsigned recipient)
{
	struct fan *fan = owner;

	while (fan->delivery_size <= recipient) {
		fan->delivery_size = fan->delivery_size > 0 ? fan->delivery_size * 2 : 8;
		fan->deliveries = xrealloc(fan->deliveries, fan->delivery_size * sizeof(struct delivery *));
	}
	/* those between were refused at once; with a first one, a message begins */
	if (recipient < fan->delivery_count)
		fan->delivery_count = fan->placed = 0;
	while (fan->delivery_count < recipient)
		fan->deliveries[fan->delivery_count++] = NULL;
	fan->deliveries[fan->delivery_count++] = delivery_new(fan->session, recipient, on_delivery, fan);
}

static void
on_release(void *owner, unsigned recipient)
{
	struct fan *fan = owner;

	fan->has_progress = true;
	if (recipient < fan->delivery_count)
		delivery_drop(&fan->deliveries[recipient]);
}

static void
on_leave(void *owner, unsigned server, const char *why, struct slice words, bool is_idle)
{
	struct fan *fan = owner;
	struct slot *slot = fan->slots[server];

	leg_log(slot->leg, is_idle ? LOG_DEBUG : LOG_WARNING, "server left: %s%s%.*s", why,
	    words.len > 0 ? ": " : "", SLICE_ARGS(words));
	slot_close(slot, false);
}

static void
log_unplaced(struct fan *fan, const struct delivery *d, const char *why)
{
	struct slice address = fan_fanout(fan)->recipient(fan->state, d->recipient).address;

	if (fan->unplaced++ < UNPLACED_LOGGED_MAX)
		session_log(fan->session, LOG_WARNING, "recipient %.*s cannot be placed: %s",
		    SLICE_ARGS(address), why);
}

static void
sum_up_unplaced(struct fan *fan)
{
	if (fan->unplaced > UNPLACED_LOGGED_MAX)
		session_log(fan->session, LOG_WARNING, "%u more recipients of the message cannot be placed",
		    fan->unplaced - UNPLACED_LOGGED_MAX);
	fan->unplaced = 0;
}

static void
on_tell(void *owner, unsigned server, const struct mediated_message *message)
{
	struct fan *fan = owner;
	struct session *s = fan->session;
	const struct slot *slot = server < FANOUT_SERVERS_MAX ? fan->slots[server] : NULL;

	if (server == FANOUT_SERVERS_MAX)
		sum_up_unplaced(fan);
	session_message(s, message, slot != NULL ? leg_endpoint(slot->leg) : NULL,
	    loop_now(fan_loop(fan)) - s->relay->message_since);
}

static void
on_note(void *owner, const char *why)
{
	const struct fan *fan = owner;

	session_log(fan->session, LOG_INFO, "%s", why);
}

static bool
on_takes(const void *owner, enum mediator_count what)
{
	const struct fan *fan = owner;

	return relay_takes(fan->session, what);
}

static const struct fanout_host host = {
	.say = on_say,
	.send = on_send,
	.place = on_place,
	.takes = on_takes,
	.release = on_release,
	.leave = on_leave,
	.tell = on_tell,
	.note = on_note,
};

void
fan_unplace(struct fan *fan, const struct delivery *d, const char *why)
{
	fan->has_progress = true;
	if (why != NULL)
		log_unplaced(fan, d, why);
	fan_fanout(fan)->unplaced(fan->state, d->recipient, d->has_refusal ? &d->refusal : NULL);
}

/* Within a call of fan_settle, what it leads to is done there. */
static void
on_delivery(struct delivery *d, enum delivery_event event)
{
	struct fan *fan = d->owner;

	switch (event) {
	case DELIVERY_PLACED:
		slot_take(fan, d);
		break;
	case DELIVERY_UNPLACED:
		fan_unplace(fan, d, d->why);
		break;
	case DELIVERY_MOVED:
		leg_log(d->leg, LOG_NOTICE, "the user of a recipient is being moved");
		fan_fanout(fan)->displaced(fan->state, d->recipient);
		break;
	}
	fan_settle(fan);
}

static void
start_delivery(struct fan *fan, struct delivery *d)
{
	const struct listener_settings *settings = relay_settings(fan->session);
	struct fanout_recipient recipient = fan_fanout(fan)->recipient(fan->state, d->recipient);

	if (settings != NULL)
		delivery_start(d, settings, &recipient);
	else
		fan_unplace(fan, d, "its listener is gone");
}

static void
start_deliveries(struct fan *fan)
{
	while (fan->placed < fan->delivery_count) {
		struct delivery *d = fan->deliveries[fan->placed++];

		if (d != NULL)
			start_delivery(fan, d);
	}
}

static void
flush(struct fan *fan)
{
	for (unsigned k = 0; k < FANOUT_SERVERS_MAX; k++)
		if (fan->slots[k] != NULL && fan->slots[k]->is_there)
			slot_flush(fan->slots[k]);
	if (buf_len(&fan->said) > 0)
		stream_write(&fan->session->front, buf_slice(&fan->said));
	buf_clear(&fan->said);
}

static bool
is_any_full(const struct fan *fan)
{
	for (unsigned k = 0; k < FANOUT_SERVERS_MAX; k++)
		if (fan->slots[k] != NULL && fan->slots[k]->is_there &&
		    stream_kept(slot_stream(fan->slots[k])) > 0)
			return true;
	return false;
}

/* Who does not read its replies is not asked for more commands. */
static bool
is_deaf(const struct fan *fan)
{
	return stream_kept(&fan->session->front) > 0 && !fan_fanout(fan)->takes_payload(fan->state);
}

void
fan_adjust(struct fan *fan)
{
	struct session *s = fan->session;

	if (!is_relaying(s))
		return;
	if (fan->is_client_lost || s->relay->waits || is_deaf(fan) || is_any_full(fan))
		stream_pause(&s->front);
	else if (tarpit_holds(s))
		stream_hold(&s->front);
	else
		stream_resume(&s->front);
}

/* Is there nothing that the client waits for? */
static bool
is_client_to_speak(const struct fan *fan)
{
	return fan_fanout(fan)->may_speak(fan->state) || fan_fanout(fan)->takes_payload(fan->state);
}

static bool
is_quiet(const struct fan *fan)
{
	return fan_fanout(fan)->at_boundary(fan->state) && stream_unread(&fan->session->front) == 0;
}

/* The client has said its last, and all of it was done. */
static void
look_whether_done(struct fan *fan)
{
	struct session *s = fan->session;

	if (!is_relaying(s) || tarpit_holds(s))
		return;
	if (s->phase == FRONT_DRAIN && is_quiet(fan))
		session_end(s, relay_leave_reason(s));
	else if (fan->is_client_lost && !fan_fanout(fan)->awaits_finals(fan->state))
		session_end(s, END_CLIENT_LOST);
	else if (s->relay->up.is_closed && is_client_to_speak(fan) && !is_deaf(fan))
		session_end(s, fan_fanout(fan)->at_boundary(fan->state) ? END_DONE : END_CLIENT_LOST);
}

/* Told to go, or where nobody listens any more, a client may begin nothing more. */
static bool
has_to_leave(struct fan *fan)
{
	struct session *s = fan->session;
	bool is_time = fan_fanout(fan)->at_boundary(fan->state) &&
	    (s->phase == FRONT_DRAIN || relay_settings(s) == NULL);

	if (is_time)
		session_end(s, relay_leave_reason(s));
	return is_time;
}

static int64_t
patience(const struct fan *fan)
{
	int timeout = fan->session->relay->reply_timeout_ms;

	return timeout > 0 && timeout < SLOT_IDLE_MS ? timeout : SLOT_IDLE_MS;
}

static bool
has_slots(const struct fan *fan)
{
	for (unsigned k = 0; k < FANOUT_SERVERS_MAX; k++)
		if (fan->slots[k] != NULL)
			return true;
	return false;
}

static void
arm_clock(struct fan *fan)
{
	if (has_slots(fan) && !loop_timer_is_set(&fan->clock))
		loop_timer_set(fan_loop(fan), &fan->clock, loop_now(fan_loop(fan)) + patience(fan));
}

void
fan_settle(struct fan *fan)
{
	struct session *s = fan->session;

	if (fan->is_busy)
		return;
	fan->is_busy = true;
	start_deliveries(fan);
	fan->is_busy = false;
	flush(fan);
	arm_clock(fan);
	s->relay->waits = false;
	if (stream_unread(&s->front) == 0)
		look_whether_done(fan);
	fan_adjust(fan);
	if (is_relaying(s) && s->relay->up.is_closed)
		stream_tell_again(&s->front);
}

static void on_late(struct session *s);

/* May the same input go on? */
static bool
fulfil(struct fan *fan, enum wish wish)
{
	struct session *s = fan->session;

	switch (wish) {
	case WISH_GO_ON:
		return true;
	case WISH_WAIT:
		s->relay->waits = true;
		return false;
	case WISH_DELAY:
		tarpit_wait(s, s->relay->error_delay_ms, on_late);
		return false;
	case WISH_DONE:
		flush(fan);
		session_end(s, END_DONE);
		return false;
	case WISH_TOO_MANY:
		flush(fan);
		session_end_told(s, END_TOO_MANY_ERRORS);
		return false;
	case WISH_FATAL:
		flush(fan);
		session_end(s, END_PROTOCOL);
		return false;
	case WISH_MORE:
	case WISH_SERVER:
	case WISH_JUDGEMENT:
	case WISH_NO_SERVER:
		break;
	}
	return false;
}

/* Returns what was used of the client's input. */
static size_t
feed_client(struct fan *fan, struct slice in)
{
	struct session *s = fan->session;
	const struct fanout *fanout = fan_fanout(fan);
	size_t used = 0, n;
	bool goes_on = true;

	s->relay->waits = false;
	while (goes_on && used < in.len && !is_deaf(fan) && !tarpit_holds(s)) {
		bool was_boundary = fanout->at_boundary(fan->state);
		bool was_payload = fanout->takes_payload(fan->state);
		enum wish wish = fanout->client(fan->state, slice_from(in, used), &n);

		used += n;
		s->relay->up.bytes += n;
		relay_count_up(s, n);
		relay_note_input(s, n, was_payload && fanout->takes_payload(fan->state));
		if (was_boundary && !fanout->at_boundary(fan->state))
			s->relay->message_since = loop_now(fan_loop(fan));
		if (buf_len(&fan->said) >= SMALL_WRITE)
			flush(fan);
		goes_on = fulfil(fan, wish);
	}
	return used;
}

/* The time of a late reply is over. */
static void
on_late(struct session *s)
{
	struct fan *fan = fan_of(s);

	fan_fanout(fan)->waited(fan->state);
	s->last_data = loop_now(fan_loop(fan));
	fan_settle(fan);
}

static size_t
on_client_data(struct fan *fan, struct slice data)
{
	struct session *s = fan->session;
	size_t used = 0;

	if (has_to_leave(fan))
		return data.len;
	fan->is_busy = true;
	do {
		used += feed_client(fan, slice_from(data, used));
		if (s->relay == NULL)
			return used;
		fan->has_progress = false;
		start_deliveries(fan);
	} while (s->relay->waits && fan->has_progress);
	fan->is_busy = false;
	flush(fan);
	arm_clock(fan);
	if (used == data.len)
		look_whether_done(fan);
	fan_adjust(fan);
	return used;
}

/* What servers have as a whole goes its way; the client will ask again. */
static void
on_client_failed(struct fan *fan)
{
	if (!fan_fanout(fan)->awaits_finals(fan->state))
		session_end(fan->session, END_CLIENT_LOST);
	else
		fan->is_client_lost = true;
}

static size_t
on_front(struct session *s, enum stream_event event, struct slice data)
{
	struct fan *fan = fan_of(s);

	switch (event) {
	case STREAM_CONNECTED:
	case STREAM_TLS_READY:
	case STREAM_MOVED:
		break;
	case STREAM_DATA:
		return on_client_data(fan, data);
	case STREAM_DRAINED:
		fan_adjust(fan);
		if (is_relaying(s) && s->relay->up.is_closed)
			stream_tell_again(&s->front);
		break;
	case STREAM_CLOSED:
		s->relay->up.is_closed = true;
		look_whether_done(fan);
		break;
	case STREAM_FAILED:
		on_client_failed(fan);
		break;
	}
	return data.len;
}

static bool
is_useless(const struct slot *slot, int64_t now)
{
	return !slot_is_needed(slot) && (now >= slot->since + SLOT_IDLE_MS || slot_is_outdated(slot));
}

static void
on_clock(struct loop_timer *timer)
{
	struct fan *fan = loop_owner(timer, struct fan, clock);
	int64_t now = loop_now(fan_loop(fan)), next = now + patience(fan);

	fan->is_busy = true;
	for (unsigned k = 0; k < FANOUT_SERVERS_MAX; k++) {
		struct slot *slot = fan->slots[k];

		if (slot == NULL || !slot->is_there)
			continue;
		if (slot_is_silent(slot, now)) {
			slot_lose(slot, "no reply in time");
		} else if (is_useless(slot, now)) {
			fan_fanout(fan)->server_gone(fan->state, k);
			slot_close(slot, true);
		} else if (slot_due(slot) > now && slot_due(slot) < next) {
			next = slot_due(slot);
		}
	}
	fan->is_busy = false;
	if (has_slots(fan))
		loop_timer_set(fan_loop(fan), &fan->clock, next);
	fan_settle(fan);
}

static void
begin(struct session *s)
{
	const struct login *login = s->login;
	const struct fanout *fanout = s->proto->fanout;
	struct fan *fan;
	struct fanout_order order = {
		.hostname = s->settings->hostname,
		.offer = login->dialogue.offer,
		.bare_newline = (enum bare_newline)listener_bare_newline(s->settings, &s->identity.client),
		.manners = login->manners,
		.identity = &s->identity,
		.host = &host,
	};

	tarpit_set(s, &order.manners, true);
	s->relay = relay_new(s, sizeof(*fan) + fanout->size);
	s->relay->error_delay_ms = order.manners.delay_ms;
	s->relay->offer = offer_hold(login->offer);
	fan = fan_of(s);
	fan->session = s;
	fan->state = fan + 1;
	loop_timer_init(&fan->clock, on_clock);
	order.owner = fan;
	fanout->init(fan->state, &order);
	s->relay->up.is_closed = stream_has_ended(&s->front);
	relay_start(s);
	s->last_data = loop_now(s->worker->loop);
	relay_watch(s);
	stream_tell_again(&s->front);		/* what was left to us */
}

static unsigned
look(const struct session *s)
{
	const struct fan *fan = fan_of(s);
	unsigned seen = 0;

	if (is_quiet(fan))
		seen |= RELAY_QUIET | RELAY_LEAVE;
	if (fan_fanout(fan)->may_speak(fan->state) && !fan->is_client_lost)
		seen |= RELAY_SPEAK;
	/* who does not take what it was sent is not kept waiting */
	if (stream_kept(&s->front) == 0 && (!is_client_to_speak(fan) || is_any_full(fan)))
		seen |= RELAY_OWED;
	return seen;
}

/* Servers have a clock of their own. */
static int
reply_timeout(const struct session *s)
{
	(void)s;
	return 0;
}

static void
on_reply_timeout(struct session *s)
{
	(void)s;
}

static void
end(struct session *s)
{
	struct fan *fan = fan_of(s);

	fan->is_busy = true;
	fan_fanout(fan)->end(fan->state);
	for (unsigned k = 0; k < FANOUT_SERVERS_MAX; k++)
		if (fan->slots[k] != NULL)
			slot_close(fan->slots[k], !fan_fanout(fan)->server_owes(fan->state, k));
	for (unsigned i = 0; i < fan->delivery_count; i++)
		delivery_drop(&fan->deliveries[i]);
	loop_timer_stop(fan_loop(fan), &fan->clock);
}

static void
clear(struct session *s)
{
	struct fan *fan = fan_of(s);

	fan_fanout(fan)->clear(fan->state);
	xfree(fan->deliveries);
	buf_clear(&fan->said);
}

const struct relay_kind relay_fanout = {
	.begin = begin,
	.on_front = on_front,
	.look = look,
	.reply_timeout = reply_timeout,
	.on_reply_timeout = on_reply_timeout,
	.end = end,
	.clear = clear,
};
