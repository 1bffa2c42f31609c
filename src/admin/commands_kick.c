/* SPDX-License-Identifier: BSD-2-Clause */
/* commands_kick.c: ends sessions. */
#include <stdio.h>
#include <string.h>

#include "admin/command_tables.h"
#include "admin/server_set.h"
#include "admin/session_words.h"
#include "admin/target.h"
#include "base/log.h"
#include "base/log_line.h"
#include "base/xalloc.h"
#include "state/cluster_members.h"

/* Names of operators' making look like words of the log, but for this. */
static void
log_ended(const struct survey *survey, const char *what, const char *name, const char *reason)
{
	struct buf text = { 0 };

	if (survey->count == 0)
		return;
	buf_printf(&text, "%s has %zu session%s ended: %s ", survey->who, survey->count,
	    survey->count == 1 ? "" : "s", what);
	log_line_quote(slice_of(name), &text);
	if (reason != NULL) {
		buf_append_text(&text, ", reason ");
		log_line_quote(slice_of(reason), &text);
	}
	log_write(LOG_NOTICE, "%.*s", SLICE_ARGS(buf_slice(&text)));
	buf_clear(&text);
}

static void
answer_count(struct admin_call *call, size_t count)
{
	static const struct report_column columns[] = { { .name = "sessions", .is_number = true } };
	struct report report;

	report_begin(&report, call, REPORT_RECORD, columns, REPORT_COUNT(columns));
	report_number(&report, (int64_t)count);
	report_end(&report);
	call_done(call);
}

/* Is there such a thing, though nobody is there?  False: the call has failed. */
static bool
has_target(struct admin_call *call, const char *kind, const char *name)
{
	struct server_set set;

	if (strcmp(kind, "session") == 0) {
		call_fail(call, "No such session (use 'show sess').");
		return false;
	}
	if (strcmp(kind, "listener") == 0)
		return target_listener(call, name) != NULL;
	if (strcmp(kind, "server") != 0)
		return true;
	if (!server_set_find(call, name, &set))
		return false;
	server_set_clear(&set);
	return true;
}

/* "user" of "kick user". */
static const char *
kind_of(const struct admin_command *command)
{
	return strrchr(command->name, ' ') + 1;
}

/* What was asked outlives the operator's connection. */
struct kick {
	const char *kind, *name, *reason;	/* reason NULL: none was given */
	struct cluster_question question;	/* of another proxy's operator */
};
static const char kick_subject[] = "kick user";

static struct kick *
kick_of(const struct survey *survey)
{
	return survey->owner;
}

/* The other proxies are asked, too. */
struct everywhere {
	struct cluster_poll poll;
	struct admin_call *call;	/* NULL: the operator has gone */
	size_t here;
};

static void
on_all_kicked(struct cluster_poll *poll)
{
	static const struct report_column columns[] = {
		{ .name = "sessions", .is_number = true }, { .name = "proxies", .is_number = true },
		{ .name = "silent", .is_number = true },
	};
	struct everywhere *all = list_entry(poll, struct everywhere, poll);
	struct admin_call *call = all->call;
	struct report report;

	if (call != NULL) {
		report_begin(&report, call, REPORT_RECORD, columns, REPORT_COUNT(columns));
		report_number(&report, (int64_t)all->here + poll->sum);
		report_number(&report, 1 + poll->answered);
		report_number(&report, poll->asked - poll->answered);
		report_end(&report);
		call->work = NULL;
		call->on_cancel = NULL;
	}
	xfree(all);
	if (call != NULL)
		call_done(call);
}

static void
on_operator_gone(struct admin_call *call)
{
	struct everywhere *all = call->work;

	cluster_poll_cancel(&all->poll);
	xfree(all);
}

static void
kick_everywhere(struct survey *survey, struct cluster_members *members)
{
	const struct kick *kick = kick_of(survey);
	struct everywhere *all = xcalloc(1, sizeof(*all));
	const char *words[CLUSTER_QUESTION_WORDS] = {
		survey->order.filter.user, kick->reason != NULL ? kick->reason : "", survey->who,
	};

	all->here = survey->count;
	all->call = survey->call;
	all->poll.on_done = on_all_kicked;
	if (all->call != NULL) {
		all->call->work = all;
		all->call->on_cancel = on_operator_gone;
		survey->call = NULL;
	}
	cluster_ask(members, &all->poll, kick_subject, words);
	survey_end(&survey);
}

/* Of another proxy's kick. */
static void
on_kicked_for(struct survey *survey)
{
	const struct kick *kick = kick_of(survey);

	log_ended(survey, kick->kind, kick->name, kick->reason);
	cluster_answer(survey->cockpit->control->assets.members, &kick->question, (int64_t)survey->count);
	survey_end(&survey);
}

static void
on_question(void *owner, const struct cluster_question *question, const char *subject,
    const char *const *words)
{
	struct cockpit *cockpit = owner;
	char who[CALL_WHO_MAX];
	struct survey *survey;
	struct kick *kick;

	if (strcmp(subject, kick_subject) != 0)
		return;
	snprintf(who, sizeof(who), "%s at %s", words[2], question->name);
	survey = survey_new_for(cockpit, who);
	kick = survey->owner = arena_alloc(survey->arena, sizeof(*kick));
	*kick = (struct kick){ .kind = "user", .name = arena_strdup(survey->arena, words[0]),
		.question = *question };
	if (strcmp(words[1], " ") != 0)
		kick->reason = arena_strdup(survey->arena, words[1]);
	survey->order.action = SESSION_KICK;
	survey->order.filter.user = kick->name;
	survey_start(survey, on_kicked_for);
}

void
kicks_listen(struct cockpit *cockpit, bool listens)
{
	struct cluster_members *members = cockpit->control->assets.members;

	if (members != NULL)
		cluster_members_on_question(members, listens ? on_question : NULL, cockpit);
}

static void
on_kicked(struct survey *survey)
{
	struct cluster_members *members = survey->cockpit->control->assets.members;
	struct kick kick = *kick_of(survey);
	size_t count = survey->count;
	struct admin_call *call;

	log_ended(survey, kick.kind, kick.name, kick.reason);
	if (members != NULL && strcmp(kick.kind, "user") == 0) {
		kick_everywhere(survey, members);
	} else if (survey->call == NULL) {
		survey_end(&survey);
	} else if (count > 0) {
		call = survey_end(&survey);
		answer_count(call, count);
	} else {
		call = survey_end(&survey);
		if (has_target(call, kind_of(call->command), call->words[0]))
			answer_count(call, 0);
	}
}

/* What stands behind the name; false: the call has failed. */
static bool
take_options(struct survey **survey)
{
	struct admin_call *call = (*survey)->call;
	struct kick *kick = kick_of(*survey);

	for (int i = 1; i < call->count; i++) {
		if (strcmp(call->words[i], "now") == 0) {
			(*survey)->order.is_spread = false;
		} else if (strcmp(call->words[i], "reason") == 0 && i + 1 < call->count) {
			kick->reason = arena_strdup((*survey)->arena, call->words[++i]);
		} else {
			survey_fail(survey, "'%s' wants a name, and perhaps now, and reason \"TEXT\".",
			    call->command->name);
			return false;
		}
	}
	return true;
}

static struct survey *
begin(struct admin_call *call, const char *kind)
{
	struct survey *survey = survey_new(call);
	struct kick *kick = survey->owner = arena_alloc(survey->arena, sizeof(*kick));

	*kick = (struct kick){ 0 };
	kick->kind = kind;
	kick->name = arena_strdup(survey->arena, call->words[0]);
	return survey;
}

static void
run_kick(struct admin_call *call)
{
	const char *kind = kind_of(call->command);
	struct survey *survey;

	if (call->count == 0) {
		call_fail(call, "'%s' wants a name, and perhaps now, and reason \"TEXT\".",
		    call->command->name);
		return;
	}
	if (strcmp(kind, "server") == 0 && !server_set_is_clear(call, call->words[0]))
		return;
	survey = begin(call, kind);
	survey->order.action = SESSION_KICK;
	/* many at once would all be back in one second */
	survey->order.is_spread = strcmp(kind, "server") == 0 || strcmp(kind, "listener") == 0;
	if (take_options(&survey) && session_words_set(&survey, kind, call->words[0]))
		survey_start(survey, on_kicked);
}

static void
on_shut(struct survey *survey)
{
	struct kick kick = *kick_of(survey);
	bool is_missing = survey->count == 0 && strcmp(kick.kind, "session") == 0;
	struct admin_call *call;

	log_ended(survey, kick.kind, kick.name, NULL);
	call = survey_end(&survey);
	if (call == NULL)
		return;
	if (is_missing)
		call_fail(call, "No such session (use 'show sess').");
	else
		call_done(call);
}

static void
shut(struct admin_call *call, const char *kind)
{
	struct survey *survey = begin(call, kind);

	survey->order.action = SESSION_SHUT;
	if (session_words_set(&survey, kind, call->words[0]))
		survey_start(survey, on_shut);
}

static void
run_shutdown_session(struct admin_call *call)
{
	if (call->count == 0)
		call_fail(call, "Session pointer expected (use 'show sess').");
	else
		shut(call, "session");
}

static void
run_shutdown_sessions(struct admin_call *call)
{
	const struct endpoint *e = target_endpoint(call, call->words[0], NULL);

	if (e == NULL)
		return;
	call->words[0] = e->name;		/* "#4/#1" means the same; it stays until this returns */
	shut(call, "server");
}

#define KICK_HELP " They hear so in the words of their protocol, at the next boundary of what they have " \
    "under way, ten seconds later at last."
#define KICK_SPREAD_HELP KICK_HELP " Without `now` they go over the pool's close_spread."

const struct admin_command kick_commands[] = {
	{
		.name = "kick user", .arguments = "NAME [reason \"TEXT\"]", .level = ADMIN_LEVEL_ADMIN,
		.has_json = true, .run = run_kick,
		.help = "Ends all sessions of a user, also those that are logging in, and answers how "
		    "many; in a cluster those at all proxies, and how many proxies have answered, and how "
		    "many have not." KICK_HELP,
	},
	{
		.name = "kick session", .arguments = "ID [reason \"TEXT\"]", .level = ADMIN_LEVEL_ADMIN,
		.has_json = true, .run = run_kick,
		.help = "Ends one session by its id." KICK_HELP,
	},
	{
		.name = "kick client", .arguments = "ADDRESS|NETWORK [reason \"TEXT\"]",
		.level = ADMIN_LEVEL_ADMIN, .has_json = true, .run = run_kick,
		.help = "Ends all sessions of a client or of a network, and answers how many." KICK_HELP,
	},
	{
		.name = "kick server", .arguments = "NAME [now] [reason \"TEXT\"]",
		.level = ADMIN_LEVEL_ADMIN, .has_json = true, .run = run_kick,
		.help = "Ends all sessions at a server, such as d03, farm/d03 or imap/d03." KICK_SPREAD_HELP,
	},
	{
		.name = "kick listener", .arguments = "NAME [now] [reason \"TEXT\"]",
		.level = ADMIN_LEVEL_ADMIN, .has_json = true, .run = run_kick,
		.help = "Ends all sessions that came to a listener." KICK_SPREAD_HELP,
	},
	{
		.name = "shutdown session", .arguments = "ID", .level = ADMIN_LEVEL_ADMIN,
		.run = run_shutdown_session,
		.help = "Ends one session at once, whatever it has under way.",
	},
	{
		.name = "shutdown sessions server", .arguments = "BACKEND/SERVER", .level = ADMIN_LEVEL_ADMIN,
		.run = run_shutdown_sessions,
		.help = "Ends all sessions at a server at once, whatever they have under way.",
	},
	{ 0 }
};
