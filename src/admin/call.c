/* SPDX-License-Identifier: BSD-2-Clause */
/* call.c: words, the row they mean, and who may use it. */
#include "admin/call.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "admin/changes.h"
#include "admin/cockpit.h"
#include "admin/command_tables.h"
#include "base/log_fields.h"
#include "base/log_line.h"
#include "base/xalloc.h"
#include "conf/suggest.h"

static const struct admin_command *const TABLES[] = { COMMAND_TABLES };

const struct admin_command *
admin_command_row(size_t i)
{
	for (size_t t = 0; t < sizeof(TABLES) / sizeof(TABLES[0]); t++)
		for (const struct admin_command *row = TABLES[t]; row->name != NULL; row++)
			if (i-- == 0)
				return row;
	return NULL;
}

bool
call_split(struct slice *line, struct slice *text)
{
	bool is_quoted = false;

	for (size_t i = 0; i < line->len; i++) {
		if (line->data[i] == '\\' && i + 1 < line->len) {
			i++;
		} else if (line->data[i] == '"') {
			is_quoted = !is_quoted;
		} else if (line->data[i] == ';' && !is_quoted) {
			*text = slice_make(line->data, i);
			*line = slice_from(*line, i + 1);
			return true;
		}
	}
	*text = *line;
	*line = slice_from(*line, line->len);
	return false;
}

/* The next word, put in place without quotes and escapes, with a NUL; NULL: there is none. */
static char *
next_word(char **rest)
{
	char *in = *rest + strspn(*rest, " \t"), *word = in, *out = in;
	bool is_quoted = false;

	if (*in == '\0')
		return NULL;
	for (; *in != '\0' && (is_quoted || strchr(" \t", *in) == NULL); in++) {
		if (*in == '"') {
			is_quoted = !is_quoted;
			continue;
		}
		if (*in == '\\' && in[1] != '\0')
			in++;
		*out++ = *in;
	}
	*rest = *in != '\0' ? in + 1 : in;
	*out = '\0';
	return word;
}

/* False: more words than any command has. */
static bool
split_words(struct admin_call *call, struct slice text)
{
	char *rest, *word;

	call->text = rest = xstrndup(text.data, text.len);
	while ((word = next_word(&rest)) != NULL) {
		if (call->count == CALL_WORDS_MAX - 1)
			return false;
		call->words[call->count++] = word;
	}
	return true;
}

/* How many of its name's words begin the call's: all, or else 0 unless `partly`. */
static int
matching_words(const struct admin_command *command, const struct admin_call *call, bool partly)
{
	struct slice name = slice_of(command->name), word;
	int count = 0;

	while ((word = slice_word(&name)).len > 0) {
		if (count == call->count || !slice_equals(word, call->words[count]))
			return partly ? count : 0;
		count++;
	}
	return count;
}

static const struct admin_command *
find_command(const struct admin_call *call, int *words)
{
	const struct admin_command *best = NULL, *row;

	*words = 0;
	for (size_t i = 0; (row = admin_command_row(i)) != NULL; i++) {
		int count = matching_words(row, call, false);

		if (count > *words) {
			*words = count;
			best = row;
		}
	}
	return best;
}

static void
take_words(struct admin_call *call, int count)
{
	call->count -= count;
	memmove(call->words, call->words + count, (size_t)call->count * sizeof(call->words[0]));
	call->words[call->count] = NULL;
	if (call->command->has_json && call->count > 0 && strcmp(call->words[call->count - 1], "json") == 0) {
		call->wants_json = true;
		call->words[--call->count] = NULL;
	}
}

/* Who looks changes nothing; and what the block `log access` does not want is not written. */
static void
log_command(const struct admin_call *call, struct slice text)
{
	const struct cockpit *cockpit = call->cockpit;
	const struct log_field fields[] = {
		{ .name = log_fields[LOG_FIELD_operator].name, .text = slice_of(call->who) },
		{ .name = log_fields[LOG_FIELD_command].name, .text = slice_trim(text) },
	};

	if (cockpit == NULL || call->command->level == ADMIN_LEVEL_USER ||
	    slice_has_prefix(slice_of(call->command->name), "show ") ||
	    (call->command->looks > 0 && call->count <= call->command->looks) ||
	    (cockpit->control->current->snapshot.events & LOG_EVENT_admin) == 0)
		return;
	log_event(log_events[LOG_EVENT_NUMBER_admin].name, fields,
	    (int)(sizeof(fields) / sizeof(fields[0])));
}

/* The letters between a command's name and as many words of the call; far: SIZE_MAX. */
static size_t
distance_of(const struct admin_command *row, const struct admin_call *call)
{
	struct slice name = slice_of(row->name);
	struct suggest suggest;
	struct buf typed = { 0 };

	for (int i = 0; i < call->count && slice_word(&name).len > 0; i++)
		buf_printf(&typed, "%s%s", i > 0 ? " " : "", call->words[i]);
	buf_append(&typed, "", 1);
	suggest = suggest_start(buf_data(&typed));
	suggest_try(&suggest, row->name);
	buf_clear(&typed);
	return suggest.best != NULL ? suggest.distance : SIZE_MAX;
}

/* The nearest first, then all that begin with the same words; false: there is none. */
static bool
append_near(struct admin_call *call)
{
	size_t nearest = SIZE_MAX, before = buf_len(&call->out);
	const struct admin_command *row;

	for (size_t i = 0; (row = admin_command_row(i)) != NULL; i++) {
		size_t distance = distance_of(row, call);

		nearest = distance < nearest ? distance : nearest;
	}
	for (size_t i = 0; nearest < SIZE_MAX && (row = admin_command_row(i)) != NULL; i++)
		if (distance_of(row, call) == nearest)
			admin_command_usage(row, &call->out);
	for (size_t i = 0; (row = admin_command_row(i)) != NULL; i++)
		if (matching_words(row, call, true) > 0 &&
		    (nearest == SIZE_MAX || distance_of(row, call) != nearest))
			admin_command_usage(row, &call->out);
	return buf_len(&call->out) > before;
}

static void
tell_unknown(struct admin_call *call)
{
	buf_append_text(&call->out,
	    "Unknown command, but maybe one of the following ones is a better match:\n");
	if (call->count == 0 || !append_near(call)) {
		call_fail(call, "Unknown command: '%s'. `help` lists those there are.",
		    call->count > 0 ? call->words[0] : "");
		return;
	}
	call->has_failed = true;
	call_done(call);
}

void
call_run(struct admin_call *call, struct slice text)
{
	int words;

	if (!split_words(call, text)) {
		call_fail(call, "Too many words.");
		return;
	}
	call->command = find_command(call, &words);
	if (call->command == NULL) {
		tell_unknown(call);
		return;
	}
	take_words(call, words);
	if (call->level < call->command->level) {
		call_fail(call, "Permission denied");
		return;
	}
	log_command(call, text);
	call->command->run(call);
}

/* Whoever may change something is told of as who did, if anything has changed. */
static void
note_changes(struct admin_call *call)
{
	bool may_change = call->command != NULL && call->command->level == ADMIN_LEVEL_ADMIN;

	if (may_change && call->cockpit != NULL && call->cockpit->changes != NULL)
		changes_look(call->cockpit->changes, call->who);
}

void
call_done(struct admin_call *call)
{
	note_changes(call);
	call->work = NULL;
	call->on_cancel = NULL;
	call->on_done(call);
}

void
call_fail(struct admin_call *call, const char *format, ...)
{
	struct buf text = { 0 };
	va_list args;

	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	buf_clear(&call->out);
	call->has_failed = true;
	if (call->wants_json) {
		buf_append_text(&call->out, "{\"error\":");
		log_line_append_json(buf_slice(&text), &call->out);
		buf_append_text(&call->out, "}");
	} else {
		buf_append_slice(&call->out, buf_slice(&text));
	}
	buf_append_text(&call->out, "\n");
	buf_clear(&text);
	call_done(call);
}

void
call_cancel(struct admin_call *call)
{
	if (call->on_cancel != NULL)
		call->on_cancel(call);
	call->on_cancel = NULL;
	call->work = NULL;
}

void
call_clear(struct admin_call *call)
{
	buf_clear(&call->out);
	xfree(call->text);
	call->text = NULL;
}
