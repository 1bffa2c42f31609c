/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shared_words.c: a register whose names are "state" or "weight", kind, owner and server, with tabs between
 * them, and whose words are what holds, what the configuration said, who said it, and why.
 */
#include "admin/shared_words.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "balance/machine.h"
#include "base/log.h"
#include "base/map.h"
#include "base/xalloc.h"
#include "state/register.h"

enum { SECOND = 1000 };

static const char *const kinds[SHARED_KINDS] = { "state", "weight" };

struct shared_words {
	struct shared_words_settings settings;
	struct shared_register *shared;
	struct map *heard;		/* struct server_record, by name: not taken yet */
};

static struct server_word *
word_of(struct server_record *record, enum shared_word_kind which)
{
	return which == SHARED_WEIGHT ? &record->weight : &record->state;
}

static void
write_name(const struct server_record *record, enum shared_word_kind which, struct buf *out)
{
	buf_printf(out, "%s\t%s\t%s\t%s", kinds[which], server_kind_text(record->kind), record->owner,
	    record->name);
}

void
shared_words_write_text(const char *text, struct buf *out)
{
	for (; *text != '\0'; text++)
		buf_append(out, *text == '\t' || *text == '\n' ? " " : text, 1);
}

static int
choose(struct slice text, const char *(*name)(int i), int count)
{
	int i = 0;

	while (i < count && !slice_equals(text, name(i)))
		i++;
	return i;
}

static const char *
which_text(int i)
{
	return kinds[i];
}

static const char *
kind_text(int i)
{
	return server_kind_text((enum server_kind)i);
}

static struct server_record *
read_name(struct slice name, enum shared_word_kind *which)
{
	int kind;
	char *owner, *server;
	struct slice part;
	struct server_record *record;

	*which = (enum shared_word_kind)choose(slice_take(&name, '\t'), which_text, SHARED_KINDS);
	kind = choose(slice_take(&name, '\t'), kind_text, SERVER_KIND_COUNT);
	if (*which == SHARED_KINDS || kind == SERVER_KIND_COUNT)
		return NULL;
	part = slice_take(&name, '\t');
	owner = xstrndup(part.data, part.len);
	server = xstrndup(name.data, name.len);
	record = server_record_new((enum server_kind)kind, owner, server);
	xfree(owner);
	xfree(server);
	return record;
}

static void
set_text(char **field, struct slice text)
{
	char *copy = xstrndup(text.data, text.len);

	server_record_set_text(field, copy);
	xfree(copy);
}

static bool
read_word(struct slice text, int64_t age_ms, enum shared_word_kind which, struct server_word *word)
{
	uint64_t max = which == SHARED_WEIGHT ? MACHINE_WEIGHT_MAX : ADMIN_STATE_COUNT - 1, now, in_file;
	struct slice who;

	if (!slice_to_number(slice_take(&text, '\t'), max, &now) ||
	    !slice_to_number(slice_take(&text, '\t'), max, &in_file))
		return false;
	who = slice_take(&text, '\t');
	text = slice_take(&text, '\t');
	if (!slice_is_printable(who) || !slice_is_printable(text))
		return false;
	word->now = (int)now;
	word->in_file = (int)in_file;
	word->when = (int64_t)time(NULL) - age_ms / SECOND;
	set_text(&word->who, who);
	set_text(&word->why, text);
	return true;
}

static void
put_heard(struct shared_words *words, struct slice name, struct server_record *record)
{
	struct server_record *before = map_get(words->heard, name);

	if (before != NULL)
		server_record_free(&before);
	map_set(words->heard, name, record);
}

static void
on_word(void *owner, struct slice name, struct slice text, int64_t age_ms)
{
	struct shared_words *words = owner;
	enum shared_word_kind which;
	struct server_record *record = read_name(name, &which);

	if (record == NULL)
		return;
	if (!read_word(text, age_ms, which, word_of(record, which))) {
		server_record_free(&record);
		return;
	}
	/* what was said here meanwhile is on its way */
	if (register_is_telling(words->shared, name)) {
		server_record_free(&record);
		return;
	}
	put_heard(words, name, record);
	loop_timer_set(cluster_control(words->settings.cluster), words->settings.look, 0);
}

static void
tell_unknown(struct shared_words *words, const struct server_record *record, enum shared_word_kind which)
{
	struct buf name = { 0 };
	bool is_known;

	write_name(record, which, &name);
	is_known = register_knows(words->shared, buf_slice(&name));
	buf_clear(&name);
	if (!is_known && server_word_deviates(which == SHARED_WEIGHT ? &record->weight : &record->state))
		shared_words_tell(words, record, which);
}

/* What holds here and nobody has said anything else of: by the state file, say. */
static void
on_all(void *owner)
{
	struct shared_words *words = owner;

	list_each(node, words->settings.records) {
		const struct server_record *record = list_entry(node, struct server_record, node);

		tell_unknown(words, record, SHARED_STATE);
		tell_unknown(words, record, SHARED_WEIGHT);
	}
}

static const char at[] = " at ";

bool
shared_words_is_own(const char *who, int64_t when)
{
	return strstr(who, at) == NULL && when > 0 && when <= (int64_t)time(NULL);
}

/* Perhaps the process before this one could not, as Redis was away: what is there is newer or it is older. */
static void
tell_own(struct shared_words *words)
{
	list_each(node, words->settings.records) {
		const struct server_record *record = list_entry(node, struct server_record, node);
		const struct server_word *state = &record->state, *weight = &record->weight;

		if (server_word_deviates(state) && shared_words_is_own(state->who, state->when))
			shared_words_tell(words, record, SHARED_STATE);
		if (server_word_deviates(weight) && shared_words_is_own(weight->who, weight->when))
			shared_words_tell(words, record, SHARED_WEIGHT);
	}
}

struct shared_words *
shared_words_new(const struct shared_words_settings *settings)
{
	struct shared_words *words;

	if (settings->cluster == NULL)
		return NULL;
	words = xcalloc(1, sizeof(*words));
	words->settings = *settings;
	words->heard = map_new();
	words->shared = register_new(&(struct register_settings){ .cluster = settings->cluster,
		.name = "servers", .on_word = on_word, .on_all = on_all, .owner = words });
	tell_own(words);
	return words;
}

static void
free_heard(const char *name, void *value, void *arg)
{
	struct server_record *record = value;

	(void)name;
	(void)arg;
	server_record_free(&record);
}

void
shared_words_free(struct shared_words **words)
{
	struct shared_words *gone = *words;

	*words = NULL;
	if (gone == NULL)
		return;
	register_free(&gone->shared);
	map_each(gone->heard, free_heard, NULL);
	map_free(&gone->heard);
	xfree(gone);
}

void
shared_words_write_who(const char *who, const struct cluster *cluster, struct buf *out)
{
	shared_words_write_text(who, out);
	if (strstr(who, at) == NULL)
		buf_printf(out, "%s%s", at, cluster_name(cluster));
}

void
shared_words_tell(struct shared_words *words, const struct server_record *record,
    enum shared_word_kind which)
{
	const struct server_word *word = which == SHARED_WEIGHT ? &record->weight : &record->state;
	struct buf name = { 0 }, text = { 0 };
	int64_t age = (int64_t)time(NULL) - word->when;

	if (words == NULL)
		return;
	write_name(record, which, &name);
	buf_printf(&text, "%d\t%d\t", word->now, word->in_file);
	shared_words_write_who(word->who, words->settings.cluster, &text);
	buf_append_text(&text, "\t");
	shared_words_write_text(word->why, &text);
	register_tell(words->shared, buf_slice(&name), buf_slice(&text), age > 0 ? age * SECOND : 0);
	buf_clear(&name);
	buf_clear(&text);
}

/* What the word comes to where the server is as `of` says; false: to nothing new. */
static bool
is_news(const struct server_record *of, struct server_word *word, enum shared_word_kind which)
{
	const struct server_word *here = which == SHARED_WEIGHT ? &of->weight : &of->state;

	char now[32];

	if (server_word_is_overruled(word, here->in_file))
		return false;
	if (!server_word_deviates(word))
		word->now = here->in_file;
	if (word->now == here->now && (which == SHARED_WEIGHT || strcmp(word->why, here->why) == 0))
		return false;
	snprintf(now, sizeof(now), "%d", word->now);
	if (which == SHARED_STATE)
		snprintf(now, sizeof(now), "%s", admin_state_text((enum admin_state)word->now));
	log_write(LOG_NOTICE, "%s %s/%s: %s set to %s by %s%s%s", server_kind_text(of->kind), of->owner,
	    of->name, kinds[which], now, word->who, *word->why != '\0' ? ": " : "", word->why);
	return true;
}

struct server_record *
shared_words_take(struct shared_words *words, const struct server_record *of, enum shared_word_kind which)
{
	struct buf name = { 0 };
	struct server_record *record;

	if (words == NULL || map_count(words->heard) == 0)
		return NULL;
	write_name(of, which, &name);
	record = map_remove(words->heard, buf_slice(&name));
	buf_clear(&name);
	if (record != NULL && !is_news(of, word_of(record, which), which))
		server_record_free(&record);
	return record;
}
