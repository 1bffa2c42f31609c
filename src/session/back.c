/* SPDX-License-Identifier: BSD-2-Clause */
/* back.c: one conversation with a server, from the connect to a finished dial. */
#include "session/back.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"

static void
finish(struct back *back, enum back_event event)
{
	loop_timer_stop(back->stream.loop, &back->try->timer);
	if (event == BACK_EVENT_READY) {
		back->phase = BACK_READY;
		stream_hold(&back->stream);
	}
	back->try->on_event(back, event, back->try->owner);
}

static void start_tls(struct back *back);

/* What the dial wants to happen now. */
static void
perform(struct back *back, enum dial_result result)
{
	if (buf_len(&back->dial->out) > 0) {
		stream_write(&back->stream, buf_slice(&back->dial->out));
		buf_wipe(&back->dial->out);
	}
	switch (result) {
	case DIAL_MORE:
		break;
	case DIAL_TLS:
		start_tls(back);
		break;
	case DIAL_READY:
		finish(back, BACK_EVENT_READY);
		break;
	case DIAL_REFUSED:
		finish(back, BACK_EVENT_REFUSED);
		break;
	case DIAL_LATER:
		finish(back, BACK_EVENT_LATER);
		break;
	case DIAL_FAILED:
		finish(back, BACK_EVENT_FAILED);
		break;
	}
}

/* Nothing is said to the server, so that no dial looks whether the client's bytes may pass. */
static void
finish_silent(struct back *back)
{
	bool is_safe = !back->try->plan->order.needs_tls || stream_has_tls(&back->stream);

	if (!is_safe)
		back->try->cause = BACK_CAUSE_NO_TLS;
	finish(back, is_safe ? BACK_EVENT_READY : BACK_EVENT_FAILED);
}

static void
begin_dial(struct back *back)
{
	back->phase = BACK_DIAL;
	back->try->connected_at = loop_now(back->stream.loop);
	if (back->try->plan->order.proto->dial == NULL) {
		finish_silent(back);
		return;
	}
	/* the connect is over; what is left is the login's time */
	loop_timer_set(back->stream.loop, &back->try->timer, back->try->plan->deadline);
	back->dial->tls_active = stream_has_tls(&back->stream);
	perform(back, dial_start(back->dial));
}

static void
start_tls(struct back *back)
{
	back->phase = BACK_TLS;
	stream_connect_tls(&back->stream, back->try->plan->tls);
}

static struct addr
own_end(const struct back *back)
{
	struct sockaddr_storage storage = { 0 };
	socklen_t len = sizeof(storage);

	if (getsockname(back->stream.fd, (struct sockaddr *)&storage, &len) != 0)
		len = 0;
	return addr_from_sockaddr((struct sockaddr *)&storage, len);
}

static void
send_proxy_header(struct back *back)
{
	const struct back_plan *plan = back->try->plan;
	struct proxy_header header = { .version = plan->proxy.version, .identity = plan->order.identity,
		.tls = plan->proxy.tls };
	struct buf out = { 0 };

	if (header.version == PROXY_VERSION_NONE)
		return;
	header.from = own_end(back);
	header.to = plan->to;
	proxy_header_write(&header, &out);
	stream_write(&back->stream, buf_slice(&out));
	buf_clear(&out);
}

static void
on_connected(struct back *back)
{
	send_proxy_header(back);
	if (back->try->plan->implicit_tls)
		start_tls(back);
	else
		begin_dial(back);
}

static void
on_tls_ready(struct back *back)
{
	if (back->try->plan->implicit_tls) {
		begin_dial(back);
		return;
	}
	back->phase = BACK_DIAL;
	perform(back, dial_tls_started(back->dial));
}

void
back_see(struct back_seen *seen, struct slice data)
{
	size_t most = sizeof(seen->bytes);

	data = data.len > most ? slice_from(data, data.len - most) : data;
	memcpy(seen->bytes, data.data, data.len);
	seen->len = data.len;
}

/* Half a line may hold half a secret, that nobody would find in it. */
static void
see(struct back *back, struct slice data, size_t used)
{
	struct back_seen *seen = back->try->plan->seen;

	if (seen == NULL)
		return;
	if (back->try->plan->order.credentials != NULL)
		data.len = used;
	if (dial_holds_secret(back->dial, data))
		data.len = 0;
	back_see(seen, data);
}

static size_t
on_data(struct back *back, struct slice data)
{
	size_t used;
	enum dial_result result = dial_feed(back->dial, data, &used);

	see(back, data, used);
	perform(back, result);
	return used;
}

static size_t
on_stream(struct stream *stream, enum stream_event event, struct slice data, void *owner)
{
	struct back *back = owner;

	(void)stream;
	switch (event) {
	case STREAM_CONNECTED:
		on_connected(back);
		break;
	case STREAM_TLS_READY:
		on_tls_ready(back);
		break;
	case STREAM_DATA:
		return on_data(back, data);
	case STREAM_DRAINED:
	case STREAM_MOVED:
		break;
	case STREAM_CLOSED:
		back->try->cause = BACK_CAUSE_CLOSED;
		finish(back, BACK_EVENT_FAILED);
		break;
	case STREAM_FAILED:
		finish(back, BACK_EVENT_FAILED);
		break;
	}
	return data.len;
}

static void
on_time(struct loop_timer *timer)
{
	struct back *back = loop_owner(timer, struct back_try, timer)->back;

	back->try->cause = BACK_CAUSE_TIMED_OUT;
	finish(back, BACK_EVENT_FAILED);
}

void
back_start(struct back *back, struct loop *loop, const struct back_plan *plan, back_callback *on_event,
    void *owner)
{
	int64_t until = loop_now(loop) + plan->connect_timeout_ms;
	const struct stream_target target = { .to = &plan->to, .source = plan->source };

	*back = (struct back){ .try = xcalloc(1, sizeof(*back->try)), .phase = BACK_CONNECT };
	*back->try = (struct back_try){ .back = back, .plan = plan, .on_event = on_event, .owner = owner,
		.started_at = loop_now(loop) };
	if (plan->order.proto->dial != NULL) {
		back->dial = &back->try->dial;
		dial_init(back->dial, &plan->order);
	}
	loop_timer_init(&back->try->timer, on_time);
	loop_timer_set(loop, &back->try->timer, until < plan->deadline ? until : plan->deadline);
	stream_connect(&back->stream, loop, &target, on_stream, back);
}

void
back_forget_dial(struct back *back)
{
	if (back->dial != NULL)
		dial_wipe(back->dial);
	back->dial = NULL;
	/* its timer's callback may be under way */
	if (back->try != NULL)
		loop_defer(back->stream.loop, xfree, back->try);
	back->try = NULL;
}

void
back_close(struct back *back)
{
	if (back->phase == BACK_IDLE)
		return;
	if (back->try != NULL)
		loop_timer_stop(back->stream.loop, &back->try->timer);
	stream_close(&back->stream);
	back_forget_dial(back);
	back->phase = BACK_IDLE;
}

bool
back_is_own_fault(const struct back *back)
{
	switch (back->stream.error) {
	case EMFILE:
	case ENFILE:
	case EADDRNOTAVAIL:
	case EADDRINUSE:
	case ENOBUFS:
	case ENOMEM:
		return true;
	default:
		return false;
	}
}

static enum endpoint_result
failure_of(const struct back *back)
{
	bool is_told_by_dial = back->try->cause == BACK_CAUSE_NONE && back->dial != NULL &&
	    back->dial->why[0] != '\0';

	if (back_is_own_fault(back))
		return ENDPOINT_OWN_FAULT;
	if (back->try->cause == BACK_CAUSE_TIMED_OUT || back->stream.error == ETIMEDOUT)
		return ENDPOINT_TIMED_OUT;
	if (back->phase == BACK_CONNECT)
		return ENDPOINT_CONNECT_FAILED;
	if (back->phase == BACK_TLS)
		return ENDPOINT_TLS_FAILED;
	return is_told_by_dial || back->try->cause == BACK_CAUSE_NO_TLS ? ENDPOINT_GARBLED : ENDPOINT_LOST;
}

enum endpoint_result
back_result(const struct back *back, enum back_event event)
{
	switch (event) {
	case BACK_EVENT_READY:
		return ENDPOINT_OK;
	case BACK_EVENT_REFUSED:
		return ENDPOINT_REFUSED;
	case BACK_EVENT_LATER:
		return ENDPOINT_LATER;
	case BACK_EVENT_FAILED:
		break;
	}
	return failure_of(back);
}

int64_t
back_took(const struct back *back)
{
	return loop_now(back->stream.loop) - back->try->started_at;
}

int64_t
back_connect_took(const struct back *back)
{
	const struct back_try *try = back->try;

	return (try->connected_at != 0 ? try->connected_at : loop_now(back->stream.loop)) - try->started_at;
}

const char *
back_doing(const struct back *back)
{
	static const char *const doings[] = {
		[BACK_IDLE] = "idle",
		[BACK_CONNECT] = "connecting",
		[BACK_TLS] = "starting TLS with the server",
		[BACK_DIAL] = "dialling",
		[BACK_READY] = "relaying",
	};

	if (back->phase == BACK_DIAL && back->dial != NULL)
		return dial_doing(back->dial);
	return doings[back->phase];
}

const char *
back_reason(const struct back *back, char out[BACK_REASON_MAX])
{
	static const char *const causes[] = {
		[BACK_CAUSE_TIMED_OUT] = "timed out",
		[BACK_CAUSE_CLOSED] = "closed by the server",
		[BACK_CAUSE_NO_TLS] = "no TLS with the server",
	};
	const struct dial *dial = back->dial;
	char text[STREAM_REASON_MAX];
	/* what a server said earlier is not the reason where the stream broke */
	bool knows = dial != NULL && (dial->why[0] != '\0' || back->stream.error == 0);

	if (back->try->cause != BACK_CAUSE_NONE)
		snprintf(out, BACK_REASON_MAX, "%s", causes[back->try->cause]);
	else if (!knows || !dial_reason(dial, out, BACK_REASON_MAX))
		snprintf(out, BACK_REASON_MAX, "%s", stream_reason(&back->stream, text));
	return out;
}
