/* SPDX-License-Identifier: BSD-2-Clause */
/* recipient.c: a question about a recipient, until its answer may be told, and what an answer means. */
#include "session/recipient.h"

#include <string.h>
#include <strings.h>

#include "auth/users.h"
#include "balance/endpoint.h"
#include "balance/pool.h"
#include "base/xalloc.h"
#include "proto/proto.h"
#include "session/doorman.h"
#include "session/plan.h"
#include "session/relay.h"
#include "session/route_rule.h"
#include "session/scene.h"

static void
recipient_free(void *object)
{
	struct recipient *r = object;

	xfree(r->address);
	xfree(r->user);
	xfree(r->mail);
	xfree(r->command);
	xfree(r->code);
	xfree(r->reason);
	xfree(r->why);
	xfree(r);
}

/* What is under way with it may go on to the end of the turn. */
static void
detach(struct recipient *r)
{
	struct worker *worker = r->session->worker;

	r->session->relay->recipient = NULL;
	loop_timer_stop(worker->loop, &r->wait);
	loop_defer(worker->loop, recipient_free, r);
}

static void
conclude(struct recipient *r, const struct auth_answer *answer)
{
	struct worker *worker = r->session->worker;

	detach(r);
	r->on_answer(r, answer);
	snapshot_put(r->snapshot, worker->index);
}

static void
on_wait_over(struct loop_timer *timer)
{
	struct recipient *r = loop_owner(timer, struct recipient, wait);

	conclude(r, &r->refusal);
}

static char *
copy(const char *text)
{
	return text != NULL ? xstrdup(text) : NULL;
}

static void
on_verdict(struct auth_request *request, const struct auth_answer *answer)
{
	struct recipient *r = loop_owner(request, struct recipient, request);
	struct loop *loop = r->session->worker->loop;

	if (answer->verdict == AUTH_OK || answer->verdict == AUTH_BY_SERVER || answer->wait_ms <= 0) {
		conclude(r, answer);
		return;
	}
	r->code = copy(answer->code);
	r->reason = copy(answer->reason);
	r->why = copy(answer->why);
	r->refusal = (struct auth_answer){
		.verdict = answer->verdict, .code = r->code, .reason = r->reason, .why = r->why
	};
	loop_timer_set(loop, &r->wait, loop_now(loop) + answer->wait_ms);
}

static void
prepare(struct recipient *r, const struct mediation *m)
{
	struct session *s = r->session;

	r->user = users_recipient(r->snapshot->users, m->recipient);
	r->mail = xstrndup(m->mail.data, m->mail.len);
	r->command = xstrndup(m->command.data, m->command.len);
	scene_fill(s, r->settings, ++s->relay->lookups, &r->scene);
	r->scene.mail = slice_of(r->mail);
	r->scene.recipient = slice_of(r->command);
	r->request = (struct auth_request){
		.loop = s->worker->loop,
		.chain = &r->settings->lookup,
		.identity = &s->identity,
		.user = r->user,
		.scene = &r->scene,
		.clients = s->worker->clients,
		.hashing = r->snapshot->hashing,
		.on_verdict = on_verdict,
	};
}

void
recipient_ask(struct session *s, const struct listener_settings *settings, const struct mediation *m,
    void (*on_answer)(struct recipient *recipient, const struct auth_answer *answer))
{
	struct recipient *r = xcalloc(1, sizeof(*r));

	r->session = s;
	r->snapshot = s->worker->snapshot;
	snapshot_get(r->snapshot, s->worker->index);
	r->settings = settings;
	r->is_first = m->is_first;
	r->address = xstrndup(m->recipient.data, m->recipient.len);
	r->on_answer = on_answer;
	loop_timer_init(&r->wait, on_wait_over);
	prepare(r, m);
	s->relay->recipient = r;
	auth_lookup_start(&r->request);
}

void
recipient_cancel(struct session *s)
{
	struct recipient *r = s->relay->recipient;

	if (r == NULL)
		return;
	auth_cancel(&r->request);
	detach(r);
	snapshot_put(r->snapshot, s->worker->index);
}

bool
recipient_is_of_pool(const struct endpoint *endpoint, const struct pool *pool)
{
	struct endpoint *there = pool_find(pool, endpoint->server);
	bool is_there = there == endpoint;

	endpoint_put(&there);
	return is_there;
}

/* The host that the answer gives is the server at hand: by its address, or as it was called before. */
static bool
is_host_at_hand(const struct session *s, const struct pool *pool, const struct auth_answer *answer)
{
	const struct relay *relay = s->relay;
	struct addr known = endpoint_addr(s->leg->endpoint), host;

	if (s->leg->endpoint->service != pool->service)
		return false;
	if (!addr_parse(slice_of(answer->host), answer->port, &host))
		return relay->host_name != NULL && answer->port == relay->host_port &&
		    strcasecmp(relay->host_name, answer->host) == 0;
	if (answer->port == 0)
		addr_set_port(&known, 0);
	return addr_equals(&known, &host);
}

bool
recipient_is_at_hand(const struct session *s, const struct pool *pool, const struct auth_answer *answer)
{
	const struct endpoint *endpoint = s->leg != NULL ? s->leg->endpoint : NULL;

	if (endpoint == NULL)
		return false;
	if (answer->host != NULL)
		return is_host_at_hand(s, pool, answer);
	return recipient_is_of_pool(endpoint, pool) &&
	    (answer->server == NULL || strcmp(answer->server, endpoint->server) == 0);
}

const char *
recipient_find_pool(const struct recipient *r, const struct auth_answer *answer, struct pool **pool)
{
	struct condition_subject subject;

	doorman_describe(r->session, &subject);
	subject.recipient = slice_of(r->address);
	return plan_find_mail_pool(r->snapshot, r->settings, answer, &subject, pool);
}
