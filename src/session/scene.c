/* SPDX-License-Identifier: BSD-2-Clause */
/* scene.c: a session as auth sources are told of it. */
#include "session/scene.h"

#include "proto/proto.h"
#include "session/login.h"

void
scene_fill(struct session *s, const struct listener_settings *settings, int attempt, struct auth_scene *scene)
{
	struct tls_facts facts;

	tls_facts_read(&s->front, &facts);
	front_learn_local(s);
	*scene = (struct auth_scene){
		.listener = settings->conf.title,
		.protocol = s->proto->name,
		.mail_name = s->proto->mail_name,
		.client = &s->front,
		.is_trusted = s->login != NULL && s->login->dialogue.is_trusted,
		.sni = facts.sni,
		.has_header = s->via != NULL,
		.attempt = attempt,
	};
}
