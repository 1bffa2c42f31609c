/* SPDX-License-Identifier: BSD-2-Clause */
/* commands_who.c: sessions counted by what they have in common. */
#include <stdlib.h>
#include <string.h>

#include "admin/command_tables.h"
#include "admin/session_words.h"

enum { NAMES_MAX = 8, FACETS = 3, COLUMNS = 2 + FACETS, TOP_MAX = 1000000 };

/* What a session has, by which it can be counted. */
enum who_key { KEY_USER, KEY_SERVER, KEY_CLIENT, KEY_LISTENER, KEY_PROTOCOL, KEY_COUNT };

struct entry {
	const char *keys[KEY_COUNT];	/* NULL: nothing */
};

struct group {
	struct entry *entries;		/* all of one key */
	size_t count;
};

static const struct who_kind {
	const char *name;
	enum who_key key;
	struct report_column columns[COLUMNS];
	struct facet {
		enum who_key key;
		bool is_list;		/* their names, or else how many */
	} facets[FACETS];
} kinds[] = {
	{ "user", KEY_USER, {
		{ .name = "user" }, { .name = "sessions", .is_number = true }, { .name = "protocols" },
		{ .name = "clients" }, { .name = "servers" }
	}, { { KEY_PROTOCOL, true }, { KEY_CLIENT, true }, { KEY_SERVER, true } } },
	{ "server", KEY_SERVER, {
		{ .name = "server" }, { .name = "sessions", .is_number = true },
		{ .name = "users", .is_number = true }, { .name = "clients", .is_number = true },
		{ .name = "listeners" }
	}, { { KEY_USER, false }, { KEY_CLIENT, false }, { KEY_LISTENER, true } } },
	{ "client", KEY_CLIENT, {
		{ .name = "client" }, { .name = "sessions", .is_number = true }, { .name = "protocols" },
		{ .name = "users" }, { .name = "listeners" }
	}, { { KEY_PROTOCOL, true }, { KEY_USER, true }, { KEY_LISTENER, true } } },
	{ "listener", KEY_LISTENER, {
		{ .name = "listener" }, { .name = "sessions", .is_number = true },
		{ .name = "users", .is_number = true }, { .name = "clients", .is_number = true },
		{ .name = "protocol" }
	}, { { KEY_USER, false }, { KEY_CLIENT, false }, { KEY_PROTOCOL, true } } },
};

/* The command's own, of the survey's arena. */
struct who {
	const struct who_kind *kind;
	uint64_t top;			/* groups to be told; 0: all */
};

static int
compare_texts(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return (a != NULL) - (b != NULL);
	return strcmp(a, b);
}

static int
compare_entries(const void *a, const void *b, void *key)
{
	const struct entry *x = a, *y = b;
	enum who_key by = *(const enum who_key *)key;

	return compare_texts(x->keys[by], y->keys[by]);
}

static void
sort(struct group *group, enum who_key key)
{
	qsort_r(group->entries, group->count, sizeof(group->entries[0]), compare_entries, &key);
}

/* The first of the next group behind `i`, in sorted entries. */
static size_t
group_end(const struct group *all, enum who_key key, size_t i)
{
	const char *first = all->entries[i].keys[key];

	while (i < all->count && compare_texts(all->entries[i].keys[key], first) == 0)
		i++;
	return i;
}

static void
tell_facet(struct report *report, struct group *group, const struct facet *facet)
{
	struct buf names = { 0 };
	size_t count = 0;

	sort(group, facet->key);
	for (size_t i = 0; i < group->count; i = group_end(group, facet->key, i)) {
		const char *name = group->entries[i].keys[facet->key];

		if (name == NULL)
			continue;
		if (count++ < NAMES_MAX)
			buf_printf(&names, "%s%s", count > 1 ? "," : "", name);
	}
	if (count > NAMES_MAX)
		buf_printf(&names, ",… (%zu)", count);
	if (!facet->is_list)
		report_number(report, (int64_t)count);
	else if (count > 0)
		report_text(report, buf_slice(&names));
	else
		report_none(report);
	buf_clear(&names);
}

static void
add_entry(struct survey *survey, const struct session_view *view, const char *server, struct entry *entry)
{
	char client[ADDR_TEXT_MAX];

	*entry = (struct entry){ { 0 } };
	entry->keys[KEY_USER] = view->user;
	entry->keys[KEY_SERVER] = server;
	entry->keys[KEY_CLIENT] = arena_strdup(survey->arena, addr_host(&view->client, client));
	entry->keys[KEY_LISTENER] = view->listener;
	entry->keys[KEY_PROTOCOL] = view->protocol;
}

/* A session with several servers is one at each of them. */
static struct group
collect(struct survey *survey, bool by_server)
{
	struct group all = { 0 };
	size_t most = survey->count;

	for (size_t i = 0; by_server && i < survey->count; i++)
		most += survey->views[i]->leg_count;
	all.entries = arena_alloc(survey->arena, most * sizeof(all.entries[0]) + 1);
	for (size_t i = 0; i < survey->count; i++) {
		const struct session_view *view = survey->views[i];
		size_t legs = by_server ? view->leg_count : 1;

		for (size_t leg = 0; leg < legs; leg++)
			add_entry(survey, view, leg < view->leg_count ? view->legs[leg].server : NULL,
			    &all.entries[all.count++]);
	}
	return all;
}

static int
compare_groups(const void *a, const void *b, void *key)
{
	const struct group *x = a, *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return compare_entries(x->entries, y->entries, key);
}

/* The largest first; who has no such thing is in none. */
static size_t
split(struct survey *survey, struct group *all, enum who_key key, struct group **groups)
{
	size_t count = 0;

	sort(all, key);
	*groups = arena_alloc(survey->arena, all->count * sizeof(struct group) + 1);
	for (size_t i = 0; i < all->count;) {
		size_t end = group_end(all, key, i);

		if (all->entries[i].keys[key] != NULL)
			(*groups)[count++] = (struct group){ all->entries + i, end - i };
		i = end;
	}
	qsort_r(*groups, count, sizeof(struct group), compare_groups, &key);
	return count;
}

static void
on_counted(struct survey *survey)
{
	const struct who *who = survey->owner;
	const struct who_kind *kind = who->kind;
	struct group all = collect(survey, kind->key == KEY_SERVER), *groups;
	size_t count = split(survey, &all, kind->key, &groups);
	struct admin_call *call;

	report_begin(&survey->report, survey->call, REPORT_TABLE, kind->columns, COLUMNS);
	for (size_t i = 0; i < count && (who->top == 0 || i < who->top); i++) {
		report_word(&survey->report, groups[i].entries[0].keys[kind->key]);
		report_number(&survey->report, (int64_t)groups[i].count);
		for (size_t f = 0; f < FACETS; f++)
			tell_facet(&survey->report, &groups[i], &kind->facets[f]);
	}
	report_end(&survey->report);
	call = survey_end(&survey);
	call_done(call);
}

static void
run_who(struct admin_call *call)
{
	const struct who_kind *kind = &kinds[0];
	struct survey *survey;
	struct who *who;
	uint64_t top = 0;
	int i = 0;

	for (size_t k = 0; call->count > 0 && k < sizeof(kinds) / sizeof(kinds[0]); k++)
		if (strcmp(call->words[0], kinds[k].name) == 0) {
			kind = &kinds[k];
			i = 1;
		}
	if (i < call->count && (i + 1 < call->count ||
	    !slice_to_number(slice_of(call->words[i]), TOP_MAX, &top))) {
		call_fail(call, "'who' takes user, server, client or listener, and how many.");
		return;
	}
	survey = survey_new(call);
	who = survey->owner = arena_alloc(survey->arena, sizeof(*who));
	*who = (struct who){ kind, top };
	survey->order.filter.is_living = true;
	survey_start(survey, on_counted);
}

const struct admin_command who_commands[] = {
	{
		.name = "who", .arguments = "[user|server|client|listener] [N]",
		.level = ADMIN_LEVEL_OPERATOR, .has_json = true, .looks = CALL_WORDS_MAX, .run = run_who,
		.help = "Sessions counted by user, or by what is named, and what else they have. Those with "
		    "most sessions come first, all or N of them.",
	},
	{ 0 }
};
