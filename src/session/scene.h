/* SPDX-License-Identifier: BSD-2-Clause */
/* scene.h: what auth sources may be told of a session's client, at a login and for its mail. */
#ifndef SESSION_SCENE_H
#define SESSION_SCENE_H

#include "auth/auth.h"
#include "session/session.h"

/* The session learns where its client came to, if it is told nowhere yet.  attempt: as auth_scene has it. */
void scene_fill(struct session *s, const struct listener_settings *settings, int attempt,
    struct auth_scene *scene);

#endif
