/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.c: taps at the streams of traced sessions.  A tap belongs to a stream, not to a trace: each line is
 * offered to all traces of the worker.
 */
#include "session/trace.h"

#include <string.h>

#include "balance/endpoint.h"
#include "base/log.h"
#include "base/log_line.h"
#include "base/xalloc.h"
#include "net/tap.h"
#include "net/tls_context.h"
#include "proto/transcript.h"
#include "session/login.h"
#include "session/relay.h"

struct trace_tap {
	struct tap tap;
	struct transcript transcript;
	struct session *session;
	struct leg *leg;		/* NULL: it is the client's stream */
	bool is_synced;			/* it is known where a line begins */
	uint64_t unsynced[2];		/* octets by then */
};

static bool
is_of_user(const struct session *s, const char *user)
{
	const char *name = s->identity.user;

	if (name == NULL && s->login != NULL)
		name = s->login->user;
	return name != NULL && strcmp(name, user) == 0;
}

static bool
wants(const struct trace *trace, const struct session *s)
{
	if (trace->user != NULL && !is_of_user(s, trace->user))
		return false;
	return !trace->has_network || network_has(&trace->network, &s->identity.client);
}

static bool
is_wanted(const struct session *s)
{
	for (int i = 0; i < s->worker->trace_count; i++)
		if (wants(s->worker->traces[i], s))
			return true;
	return false;
}

static void
on_queue(struct loop *loop, void *arg)
{
	struct trace *trace = arg;
	struct buf lines;

	(void)loop;
	pthread_mutex_lock(&trace->lock);
	lines = trace->queue;
	trace->queue = (struct buf){ 0 };
	trace->is_posted = false;
	pthread_mutex_unlock(&trace->lock);
	if (!atomic_load(&trace->is_over))
		trace->on_lines(trace, buf_slice(&lines));
	buf_clear(&lines);
}

/* False: there were enough in this second. */
static bool
may_tell(struct trace *trace, int64_t now)
{
	int64_t second = now / 1000;
	int64_t counted = atomic_load_explicit(&trace->second, memory_order_relaxed);

	/* loops' clocks differ: one that is behind begins no second */
	while (counted < second)
		if (atomic_compare_exchange_weak_explicit(&trace->second, &counted, second,
			memory_order_relaxed, memory_order_relaxed)) {
			atomic_store_explicit(&trace->this_second, 0, memory_order_relaxed);
			break;
		}
	if (atomic_fetch_add_explicit(&trace->this_second, 1, memory_order_relaxed) < TRACE_LINES_MAX)
		return true;
	atomic_fetch_add_explicit(&trace->dropped, 1, memory_order_relaxed);
	return false;
}

static void
enqueue(struct trace *trace, struct slice line)
{
	bool is_full, is_new;

	pthread_mutex_lock(&trace->lock);
	is_full = buf_len(&trace->queue) + line.len > TRACE_QUEUE_MAX;
	if (!is_full) {
		buf_append_slice(&trace->queue, line);
		buf_append_text(&trace->queue, "\n");
	}
	is_new = !is_full && !trace->is_posted;
	trace->is_posted |= is_new;
	pthread_mutex_unlock(&trace->lock);
	if (is_full)
		atomic_fetch_add_explicit(&trace->dropped, 1, memory_order_relaxed);
	if (is_new)
		loop_post(trace->control, on_queue, trace);
}

static void
tell(struct trace *trace, const struct session *s, struct slice line)
{
	if (atomic_load_explicit(&trace->is_over, memory_order_relaxed) ||
	    !may_tell(trace, loop_now(s->worker->loop)))
		return;
	atomic_fetch_add_explicit(&trace->lines, 1, memory_order_relaxed);
	if (trace->to_log)
		log_write(LOG_NOTICE, "trace %u: %.*s", trace->number, SLICE_ARGS(line));
	else
		enqueue(trace, line);
}

/* "7f3a imap 192.0.2.7 user=bob back=imap/d03 S: b OK" */
static void
tell_all(const struct trace_tap *tap, const char *from, struct slice text)
{
	const struct session *s = tap->session;
	struct buf line = { 0 };
	const struct endpoint *endpoint = tap->leg != NULL ? leg_endpoint(tap->leg) : NULL;

	session_log_prefix(s, endpoint, &line);
	buf_printf(&line, " %s %s ", tap->leg != NULL ? "server" : "client", from);
	buf_append_slice(&line, text);
	for (int i = 0; i < s->worker->trace_count; i++)
		if (wants(s->worker->traces[i], s))
			tell(s->worker->traces[i], s, buf_slice(&line));
	buf_clear(&line);
}

static void
on_line(struct transcript *transcript, enum transcript_side side, struct slice text)
{
	tell_all(loop_owner(transcript, struct trace_tap, transcript),
	    side == TRANSCRIPT_CLIENT ? "C:" : "S:", text);
}

static bool
holds_secret(struct transcript *transcript, struct slice line)
{
	const struct leg *leg = loop_owner(transcript, struct trace_tap, transcript)->leg;

	return leg->back != NULL && leg->back->dial != NULL && dial_holds_secret(leg->back->dial, line);
}

/* Does nobody know what lines there are, as all is compressed? */
static bool
is_opaque(const struct session *s)
{
	return s->relay != NULL && !s->has_ended && (relay_look(s) & RELAY_BLIND) != 0;
}

/* In the middle of a message octets are no lines: behind a quiet moment, what the client says begins one. */
static bool
is_quiet(const struct session *s)
{
	return s->relay != NULL && !s->has_ended && (relay_look(s) & RELAY_QUIET) != 0;
}

static void
look_whether_synced(struct trace_tap *tap, bool is_clients)
{
	const struct session *s = tap->session;
	const struct trace_tap *front = (const struct trace_tap *)(const void *)s->front.tap;
	struct buf text = { 0 };

	if (tap->leg == NULL ? !is_clients || !is_quiet(s) : front == NULL || !front->is_synced)
		return;
	tap->is_synced = true;
	buf_printf(&text, "[%llu octets up and %llu down, within what was begun before]",
	    (unsigned long long)tap->unsynced[TRANSCRIPT_CLIENT],
	    (unsigned long long)tap->unsynced[TRANSCRIPT_SERVER]);
	if (tap->unsynced[0] + tap->unsynced[1] > 0)
		tell_all(tap, "--", buf_slice(&text));
	buf_clear(&text);
}

static void
on_bytes(struct tap *base, bool is_written, struct slice data)
{
	struct trace_tap *tap = loop_owner(base, struct trace_tap, tap);
	bool is_clients = is_written == (tap->leg != NULL);
	enum transcript_side side = is_clients ? TRANSCRIPT_CLIENT : TRANSCRIPT_SERVER;

	tap->transcript.is_settled =
	    tap->leg == NULL ? tap->session->relay != NULL : tap->leg->way == NULL;
	tap->transcript.is_opaque |= is_opaque(tap->session);
	if (!tap->is_synced && !tap->transcript.is_opaque)
		look_whether_synced(tap, is_clients);
	if (tap->is_synced || tap->transcript.is_opaque)
		transcript_feed(&tap->transcript, side, data);
	else
		tap->unsynced[side] += data.len;
}

static void
tell_tls(struct trace_tap *tap)
{
	struct stream *stream = tap->leg != NULL ? &tap->leg->back->stream : &tap->session->front;
	struct tls_facts facts;
	struct buf text = { 0 };

	transcript_begin_tls(&tap->transcript);
	tls_facts_read(stream, &facts);
	buf_printf(&text, "%s, %s", facts.version, facts.cipher);
	tell_all(tap, "--", buf_slice(&text));
	buf_clear(&text);
}

static void
on_event(struct tap *base, enum stream_event event)
{
	struct trace_tap *tap = loop_owner(base, struct trace_tap, tap);

	switch (event) {
	case STREAM_CONNECTED:
		tell_all(tap, "--", slice_of("connected"));
		break;
	case STREAM_TLS_READY:
		tell_tls(tap);
		break;
	case STREAM_CLOSED:
		tell_all(tap, "--", slice_of("closed by this side"));
		break;
	case STREAM_FAILED:
		tell_all(tap, "--", slice_of("failed"));
		break;
	default:
		break;
	}
}

/* By the stream's close, where its session may be half gone: nothing is told. */
static void
on_close(struct tap *base)
{
	struct trace_tap *tap = loop_owner(base, struct trace_tap, tap);

	transcript_clear(&tap->transcript);
	loop_defer(tap->session->worker->loop, xfree, tap);
}

static struct trace_tap *
tap_new(struct session *s, struct leg *leg, const struct proto *proto)
{
	struct trace_tap *tap = xcalloc(1, sizeof(*tap));

	tap->tap = (struct tap){ on_bytes, on_event, on_close };
	tap->session = s;
	tap->leg = leg;
	tap->transcript = (struct transcript){ .proto = proto, .on_line = on_line,
		.holds_secret = leg != NULL ? holds_secret : NULL };
	return tap;
}

void
trace_look_at(struct session *s)
{
	bool is_login = s->login != NULL && s->login->begun_at != 0;
	struct trace_tap *tap;

	if (s->worker->trace_count == 0 || s->front.tap != NULL || !is_wanted(s))
		return;
	tap = tap_new(s, NULL, s->proto);
	/* before the relay input comes by whole commands, and credentials have their answer to come */
	tap->is_synced = s->relay == NULL;
	tap->transcript.secrets = is_login ? 1 : 0;
	stream_set_tap(&s->front, &tap->tap);
}

void
trace_look_at_leg(struct leg *leg)
{
	struct session *s = leg->session;
	struct trace_tap *tap;

	if (s->worker->trace_count == 0 || leg->back->stream.tap != NULL || !is_wanted(s))
		return;
	tap = tap_new(s, leg, leg->back->try != NULL ? leg->back->try->plan->order.proto : s->proto);
	tap->is_synced = leg->back->phase == BACK_CONNECT;
	stream_set_tap(&leg->back->stream, &tap->tap);
}

static void
look_at_all(struct worker *worker)
{
	list_each(node, &worker->sessions) {
		struct session *s = list_entry(node, struct session, node);
		bool is_traced = !s->has_ended && is_wanted(s);

		if (is_traced)
			trace_look_at(s);
		else
			stream_set_tap(&s->front, NULL);
		for (struct leg *leg = s->leg; leg != NULL; leg = leg->next) {
			if (leg->back != NULL && is_traced)
				trace_look_at_leg(leg);
			else if (leg->back != NULL)
				stream_set_tap(&leg->back->stream, NULL);
		}
	}
}

static void
on_start(struct loop *loop, void *arg)
{
	struct trace_share *share = arg;
	struct worker *worker = share->worker;

	(void)loop;
	worker->traces[worker->trace_count++] = share->trace;
	look_at_all(worker);
}

static void
on_left(struct loop *loop, void *arg)
{
	struct trace *trace = arg;

	(void)loop;
	if (--trace->workers == 0)
		trace->on_gone(trace);
}

static void
on_stop(struct loop *loop, void *arg)
{
	struct trace_share *share = arg;
	struct worker *worker = share->worker;
	int i = 0;

	(void)loop;
	while (worker->traces[i] != share->trace)
		i++;
	worker->traces[i] = worker->traces[--worker->trace_count];
	look_at_all(worker);
	loop_post(share->trace->control, on_left, share->trace);
}

void
trace_start(struct trace *trace, struct worker **workers, int count)
{
	pthread_mutex_init(&trace->lock, NULL);
	trace->workers = count;
	trace->shares = xcalloc((size_t)count, sizeof(trace->shares[0]));
	for (int i = 0; i < count; i++) {
		trace->shares[i] = (struct trace_share){ trace, workers[i] };
		loop_post(workers[i]->loop, on_start, &trace->shares[i]);
	}
}

void
trace_stop(struct trace *trace)
{
	if (atomic_exchange(&trace->is_over, true))
		return;
	for (int i = 0; i < trace->workers; i++)
		loop_post(trace->shares[i].worker->loop, on_stop, &trace->shares[i]);
}

void
trace_free(struct trace *trace)
{
	pthread_mutex_destroy(&trace->lock);
	buf_clear(&trace->queue);
	xfree(trace->shares);
	xfree(trace->user);
}
