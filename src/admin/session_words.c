/* SPDX-License-Identifier: BSD-2-Clause */
/* session_words.c: one row a word. */
#include "admin/session_words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "admin/target.h"
#include "base/xalloc.h"
#include "proto/proto.h"
#include "session/session.h"

void
survey_fail(struct survey **survey, const char *format, ...)
{
	struct admin_call *call = survey_end(survey);
	char *text;
	va_list args;

	va_start(args, format);
	text = xvasprintf(format, args);
	va_end(args);
	call_fail(call, "%s", text);
	xfree(text);
}

const char *
session_words_user(const struct cockpit *cockpit, const char *name, struct arena *arena)
{
	char *canonical = users_canonical(cockpit_root(cockpit)->users, slice_of(name));
	const char *copy = arena_strdup(arena, canonical);

	xfree(canonical);
	return copy;
}

/* The address's own network. */
static bool
set_client(struct survey *survey, const char *value, struct error *error)
{
	survey->order.filter.has_client = network_parse(slice_of(value), &survey->order.filter.client);
	return survey->order.filter.has_client ||
	    error_set(error, "'%s' is neither an address nor a network.", value);
}

static bool
set_user(struct survey *survey, const char *value, struct error *error)
{
	survey->order.filter.user = session_words_user(survey->cockpit, value, survey->arena);
	return *value != '\0' || error_set(error, "'' is no user's name.");
}

/* What begins with a pool's name is an endpoint. */
static bool
set_server(struct survey *survey, const char *value, struct error *error)
{
	struct slice server = slice_of(value), pool = slice_take(&server, '/');
	struct session_filter *filter = &survey->order.filter;
	const char *name = arena_strdup(survey->arena, value);

	(void)error;
	if (server.len > 0 && find_pool(cockpit_root(survey->cockpit), pool) != NULL)
		filter->endpoint = name;
	else
		filter->server = name;
	return true;
}

static bool
set_protocol(struct survey *survey, const char *value, struct error *error)
{
	const struct proto *proto = proto_find(value);

	if (proto == NULL)
		return error_set(error, "There is no protocol '%s'.", value);
	survey->order.filter.protocol = proto->name;
	return true;
}

static bool
set_state(struct survey *survey, const char *value, struct error *error)
{
	struct buf names = { 0 };

	for (int i = 0; i < FRONT_COUNT; i++) {
		const char *name = session_phase_name((enum front_phase)i);

		if (strcmp(name, value) == 0)
			survey->order.filter.phase = name;
		buf_printf(&names, "%s%s", i > 0 ? ", " : "", name);
	}
	if (survey->order.filter.phase == NULL)
		error_set(error, "There is no state '%s', but %.*s.", value, SLICE_ARGS(buf_slice(&names)));
	buf_clear(&names);
	return survey->order.filter.phase != NULL;
}

static bool
read_duration(const char *value, int64_t *ms, struct error *error)
{
	const bool quoted = false;
	struct conf_words words = { .words = &value, .quoted = &quoted, .count = 1 };
	struct duration duration;

	if (!conf_words_duration(&words, 0, &duration, error))
		return error_set(error, "'%s' is no duration, such as 500ms 3s 5m 12h 7d.", value);
	*ms = duration.ms;
	return true;
}

static bool
set_older(struct survey *survey, const char *value, struct error *error)
{
	return read_duration(value, &survey->order.filter.older_ms, error);
}

static bool
set_idle(struct survey *survey, const char *value, struct error *error)
{
	return read_duration(value, &survey->order.filter.idle_ms, error);
}

static bool
set_tls(struct survey *survey, const char *value, struct error *error)
{
	if (strcmp(value, "yes") == 0)
		survey->order.filter.tls = SESSION_TLS_WITH;
	else if (strcmp(value, "no") == 0)
		survey->order.filter.tls = SESSION_TLS_WITHOUT;
	else
		return error_set(error, "'%s' is neither yes nor no.", value);
	return true;
}

/* A row has a setter, or the field that is the word as it is. */
static const struct session_word {
	const char *name;
	bool (*set)(struct survey *survey, const char *value, struct error *error);
	size_t field;
} rows[] = {
	{ "user",     set_user,     0 },
	{ "client",   set_client,   0 },
	{ "server",   set_server,   0 },
	{ "protocol", set_protocol, 0 },
	{ "state",    set_state,    0 },
	{ "older",    set_older,    0 },
	{ "idle",     set_idle,     0 },
	{ "tls",      set_tls,      0 },
	{ "session",  NULL,         offsetof(struct session_filter, id) },
	{ "pool",     NULL,         offsetof(struct session_filter, pool) },
	{ "listener", NULL,         offsetof(struct session_filter, listener) },
	{ NULL,       NULL,         0 }
};

static void
set_field(struct survey *survey, size_t field, const char *value)
{
	*(const char **)(void *)((char *)&survey->order.filter + field) = arena_strdup(survey->arena, value);
}

bool
session_words_set(struct survey **survey, const char *name, const char *value)
{
	const struct session_word *row = rows;
	struct error error;

	while (row->name != NULL && strcmp(row->name, name) != 0)
		row++;
	if (row->name == NULL) {
		survey_fail(survey, "'%s' is no word for sessions: %s.", name, SESSION_WORDS_HELP);
	} else if (value == NULL) {
		survey_fail(survey, "'%s' wants a value behind it.", name);
	} else if (row->set == NULL) {
		set_field(*survey, row->field, value);
		return true;
	} else if (row->set(*survey, value, &error)) {
		return true;
	} else {
		survey_fail(survey, "%s", error.text);
	}
	return false;
}

bool
session_words_take(struct survey **survey, int i)
{
	struct admin_call *call = (*survey)->call;

	for (; i < call->count; i += 2)
		if (!session_words_set(survey, call->words[i], call->words[i + 1]))
			return false;
	return true;
}

/* The two largest units: "2d3h", "12m5s", "0s". */
void
report_duration(struct report *report, int64_t ms)
{
	static const struct unit { char name; int64_t seconds; } units[] = {
		{ 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 }
	};
	int64_t seconds = ms / 1000, rest;
	char text[64];
	size_t i = 0;

	if (report->is_json) {
		report_number(report, seconds);
		return;
	}
	while (i < 3 && seconds < units[i].seconds)
		i++;
	rest = seconds % units[i].seconds;
	if (i < 3 && rest >= units[i + 1].seconds)
		snprintf(text, sizeof(text), "%lld%c%lld%c", (long long)(seconds / units[i].seconds),
		    units[i].name, (long long)(rest / units[i + 1].seconds), units[i + 1].name);
	else
		snprintf(text, sizeof(text), "%lld%c", (long long)(seconds / units[i].seconds),
		    units[i].name);
	report_word(report, text);
}

void
report_addr(struct report *report, const struct addr *addr, bool with_port)
{
	char text[ADDR_TEXT_MAX];

	if (addr->sa.sa_family == AF_UNSPEC)
		report_none(report);
	else
		report_word(report, with_port ? addr_format(addr, text) : addr_host(addr, text));
}
