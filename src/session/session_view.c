/* SPDX-License-Identifier: BSD-2-Clause */
/* session_view.c: copies what is told of a session. */
#include "session/session_view.h"

#include "balance/endpoint.h"
#include "proto/proto.h"
#include "session/listener_kept.h"
#include "session/relay.h"

static const char *
copy(struct arena *arena, const char *text)
{
	return text != NULL ? arena_strdup(arena, text) : NULL;
}

/* A path is somebody else's. */
static struct addr
copy_addr(struct arena *arena, const struct addr *addr)
{
	struct addr out = *addr;

	out.path = out.sa.sa_family == AF_UNIX ? copy(arena, addr->path) : NULL;
	return out;
}

int64_t
session_idle_ms(const struct session *s)
{
	return loop_now(s->worker->loop) - (s->last_data > 0 ? s->last_data : s->accepted_at);
}

static bool
is_owed(const struct session *s)
{
	return s->phase == FRONT_RELAY && (s->leg == NULL || s->leg->way == NULL) &&
	    (relay_look(s) & RELAY_OWED) != 0;
}

/* Legs that only hold a user's binding have no endpoint. */
static void
add_legs(const struct session *s, struct session_view *view, struct arena *arena)
{
	size_t count = 0;

	for (const struct leg *leg = s->leg; leg != NULL; leg = leg->next)
		count += leg_endpoint(leg) != NULL;
	if (count == 0)
		return;
	view->legs = arena_alloc(arena, count * sizeof(view->legs[0]));
	for (const struct leg *leg = s->leg; leg != NULL; leg = leg->next)
		if (leg_endpoint(leg) != NULL)
			view->legs[view->leg_count++] = (struct session_view_leg){
				.server = arena_strdup(arena, leg_endpoint(leg)->name),
				.doing = leg->way != NULL ? leg_doing(leg) : "relaying",
			};
}

struct session_view *
session_view_new(const struct session *s, struct arena *arena)
{
	const struct identity *identity = &s->identity;
	struct session_view *view = arena_alloc(arena, sizeof(*view));

	*view = (struct session_view){
		.origin = copy(arena, identity->origin),
		.user = copy(arena, identity->user),
		.certificate_user = copy(arena, identity->certificate_user),
		.helo = copy(arena, identity->helo),
		.listener = arena_strdup(arena, s->listener->name),
		.protocol = s->proto->name,
		.client = copy_addr(arena, &identity->client),
		.local = copy_addr(arena, &identity->local),
		.phase = session_phase_name((enum front_phase)s->phase),
		.doing = is_owed(s) ? "waiting for the server" : session_doing(s),
		.is_owed = is_owed(s),
		.tls_version = identity->tls_version,
		.tls_cipher = identity->tls_cipher,
		.age_ms = loop_now(s->worker->loop) - s->accepted_at,
		.idle_ms = session_idle_ms(s),
	};
	memcpy(view->id, identity->session, sizeof(view->id));
	view->place = identity->place;
	if (s->via != NULL)
		view->via = copy_addr(arena, s->via);
	if (s->relay != NULL) {
		view->bytes_up = s->relay->up.bytes;
		view->bytes_down = s->relay->down.bytes;
		view->is_leaving = s->phase == FRONT_DRAIN || s->relay->leave_at != 0;
	}
	add_legs(s, view, arena);
	return view;
}
