/* SPDX-License-Identifier: BSD-2-Clause */
/* session_words.h: the words by which commands name sessions, as filters of a survey. */
#ifndef ADMIN_SESSION_WORDS_H
#define ADMIN_SESSION_WORDS_H

#include "admin/survey.h"

#define SESSION_WORDS_HELP \
	"[user U] [server S] [pool P] [client NET] [country C] [listener L] [protocol P] [state S] " \
	"[older T] [idle T] [tls yes|no]"

/* Takes words from number `i` on, pair by pair; false: the survey is gone, and the call has failed. */
bool session_words_take(struct survey **survey, int i);
/* One of them; false likewise. */
bool session_words_set(struct survey **survey, const char *name, const char *value);
/* Ends the survey, whose call fails with this sentence. */
void survey_fail(struct survey **survey, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The canonical name of whom an operator means; the arena's. */
const char *session_words_user(const struct cockpit *cockpit, const char *name, struct arena *arena);
/* "3h12m" for people, seconds in JSON. */
void report_duration(struct report *report, int64_t ms);
/* The host, or the host with its port; what has no family is none. */
void report_addr(struct report *report, const struct addr *addr, bool with_port);

#endif
