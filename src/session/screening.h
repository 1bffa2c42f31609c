/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * screening.h: `screen` of a session's listener: its client waits for the greeting, and lists in the DNS are
 * asked, before anything else is said to it.  A client that waits costs its timer.  Whoever is exempt, has
 * passed lately, or is a trusted peer, is let alone.
 */
#ifndef SESSION_SCREENING_H
#define SESSION_SCREENING_H

#include "session/entrance.h"

/* A row of entrance.c: the last, since what is said from then on is the beginning of the greeting. */
enum entrance_verdict screening_begin(struct session *s);

/*
 * Of a client that a trusted peer tells of: in place of what was found of the one before its lists are asked,
 * before the peer's next command is heard.  There is no greeting that could wait.
 */
enum entrance_verdict screening_retold(struct session *s);

/* FRONT_SCREEN's. */
size_t screening_event(struct session *s, enum stream_event event, struct slice data);
void screening_on_time(struct session *s);

/* What each of its recipients hears, as long as the session lives; NULL: they are taken. */
const char *screening_refusal(const struct session *s);
void screening_free(struct session *s);		/* nothing is awaited any more; fine where nothing was */

/* For the log, session_log.c: what was found of a client that was screened; NULL: that is left out. */
struct screen_finding {
	const char *result, *action, *zones;
	int64_t score, unknown_zones, took_ms;
};
void session_screened(const struct session *s, const struct screen_finding *finding);

#endif
