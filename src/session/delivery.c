/* SPDX-License-Identifier: BSD-2-Clause */
/* delivery.c: from a recipient's address to the server of its user, and the hold on it. */
#include "session/delivery.h"

#include <string.h>

#include "auth/auth.h"
#include "auth/users.h"
#include "balance/endpoint.h"
#include "balance/pool.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "proto/proto.h"
#include "session/doorman.h"
#include "session/plan.h"
#include "session/route_rule.h"
#include "session/scene.h"

/* What is needed until it is placed. */
struct delivery_way {
	struct delivery *delivery;
	const struct listener_settings *settings;	/* the snapshot's */
	struct fanout_recipient recipient;
	char *user;				/* canonical, of the address */
	struct auth_request auth;
	struct auth_scene scene;
};

struct delivery *
delivery_new(struct session *s, unsigned recipient, delivery_callback *on_event, void *owner)
{
	struct delivery *d = xcalloc(1, sizeof(*d));

	d->session = s;
	d->recipient = recipient;
	d->on_event = on_event;
	d->owner = owner;
	return d;
}

static void
free_way(struct delivery *d)
{
	struct delivery_way *way = d->way;

	d->way = NULL;
	if (way == NULL)
		return;
	auth_cancel(&way->auth);
	xfree(way->user);
	loop_defer(d->session->worker->loop, xfree, way);
}

void
delivery_settle(struct delivery *d)
{
	free_way(d);
	if (d->leg != NULL && d->leg->way != NULL)
		leg_settle(d->leg);
	endpoint_put(&d->endpoint);
	xfree(d->there);
	d->there = NULL;
	d->pool = NULL;
	if (d->snapshot != NULL)
		snapshot_put(d->snapshot, d->session->worker->index);
	d->snapshot = NULL;
}

void
delivery_drop(struct delivery **delivery)
{
	struct delivery *d = *delivery;

	*delivery = NULL;
	if (d == NULL)
		return;
	leg_drop(&d->leg);
	delivery_settle(d);
	loop_defer(d->session->worker->loop, xfree, d);
}

static void
fail(struct delivery *d, const char *why)
{
	d->why = why;
	d->on_event(d, DELIVERY_UNPLACED);
}

static void
on_leg(struct leg *leg, enum leg_event event)
{
	struct delivery *d = leg->owner;

	switch (event) {
	case LEG_PLACED:
		d->endpoint = leg->way->choice;
		leg->way->choice = NULL;
		d->on_event(d, DELIVERY_PLACED);
		break;
	case LEG_UNAVAILABLE:
		fail(d, leg->way->why);
		break;
	case LEG_KICKED:
		d->on_event(d, DELIVERY_MOVED);
		break;
	case LEG_QUEUED:
	case LEG_READY:
	case LEG_REFUSED:
		break;
	}
}

/* The mailbox as the source calls it, with what the address has behind the user's name. */
static char *
name_there(const struct delivery *d, const char *destuser)
{
	const struct users *users = d->snapshot->users;
	struct slice detail = users_detail(users, d->way->recipient.address);
	struct slice local = slice_of(destuser), domain;
	bool has_domain = users_split(&local, &domain);

	if (users_detail(users, slice_of(destuser)).len > 0)
		detail.len = 0;
	return xasprintf("%.*s%.*s%s%.*s", SLICE_ARGS(local), SLICE_ARGS(detail), has_domain ? "@" : "",
	    SLICE_ARGS(domain));
}

static void
place(struct delivery *d, const struct auth_answer *answer)
{
	const struct users *users = d->snapshot->users;
	const char *name = answer->user != NULL ? answer->user : answer->destuser;
	char *user = name != NULL ? users_canonical(users, slice_of(name)) : xstrdup(d->way->user);
	struct condition_subject subject;
	const char *why;
	struct leg_way *way;

	doorman_describe(d->session, &subject);
	subject.user = slice_of(user);
	subject.recipient = d->way->recipient.address;
	why = plan_find_mail_pool(d->snapshot, d->way->settings, answer, &subject, &d->pool);
	if (why != NULL) {
		xfree(user);
		fail(d, why);
		return;
	}
	if (answer->destuser != NULL)
		d->there = name_there(d, answer->destuser);
	d->leg = leg_new(d->session, d->snapshot, d->pool, on_leg);
	d->leg->owner = d;
	way = d->leg->way;
	way->is_only_placed = true;
	way->hostname = d->way->settings->hostname;
	way->mailbox = user;
	way->key = users_key(users, user);
	plan_take_place(way, answer, d->way->auth.asked);
	leg_start(d->leg);
}

static void
on_verdict(struct auth_request *request, const struct auth_answer *answer)
{
	struct delivery *d = loop_owner(request, struct delivery_way, auth)->delivery;
	const char *why = answer->why != NULL ? answer->why : answer->reason;

	if (answer->verdict == AUTH_OK || answer->verdict == AUTH_BY_SERVER) {
		place(d, answer);
		return;
	}
	d->has_refusal = true;
	d->refusal = (struct fanout_refusal){
		.may_be_final = answer->verdict == AUTH_REFUSED,
		.code = answer->code, .reason = answer->reason,
	};
	fail(d, why != NULL ? why : "the auth source cannot say");
}

void
delivery_start(struct delivery *d, const struct listener_settings *settings,
    const struct fanout_recipient *recipient)
{
	struct session *s = d->session;
	struct delivery_way *way = xcalloc(1, sizeof(*way));

	d->way = way;
	d->snapshot = s->worker->snapshot;
	snapshot_get(d->snapshot, s->worker->index);
	way->delivery = d;
	way->settings = settings;
	way->recipient = *recipient;
	way->user = users_recipient(d->snapshot->users, recipient->address);
	scene_fill(s, settings, 1, &way->scene);
	way->auth = (struct auth_request){
		.loop = s->worker->loop,
		.chain = &settings->lookup,
		.identity = &s->identity,
		.user = way->user,
		.scene = &way->scene,
		.clients = s->worker->clients,
		.hashing = d->snapshot->hashing,
		.on_verdict = on_verdict,
	};
	auth_lookup_start(&way->auth);
}
