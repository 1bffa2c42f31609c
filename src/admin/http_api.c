/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http_api.c: /api/v1/show/stat is the command `show stat`.  What asks is GET; what changes something is
 * POST, by somebody who has shown a password, and not by the page of another site in his browser.
 */
#include <string.h>

#include "admin/http_site.h"
#include "base/log_line.h"

static const char PREFIX[] = "/api/v1", JSON[] = "application/json";

/* Commands that begin so change nothing. */
static const char *const questions[] = { "show", "get", "who", "where", "help", "route" };

static void
refuse(struct guest *guest, int status, const char *why)
{
	struct buf body = { 0 };

	buf_append_text(&body, "{\"error\":");
	log_line_append_json(slice_of(why), &body);
	buf_append_text(&body, "}\n");
	guest_answer(guest, status, JSON, buf_slice(&body));
	buf_clear(&body);
}

static int
digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	    c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Takes a character that may be percent-encoded; -1: it is none that may stand in a word. */
static int
take_character(struct slice *in)
{
	int c = (unsigned char)in->data[0], high, low;

	if (c == '%') {
		high = in->len > 2 ? digit(in->data[1]) : -1;
		low = in->len > 2 ? digit(in->data[2]) : -1;
		c = high >= 0 && low >= 0 ? high * 16 + low : -1;
		*in = slice_from(*in, 2);
	}
	*in = slice_from(*in, 1);
	return c >= ' ' && c != 0x7F ? c : -1;
}

/* One word in quotes, as the parser of commands takes it. */
static bool
append_word(struct slice word, struct buf *out)
{
	buf_append_text(out, buf_len(out) > 0 ? " \"" : "\"");
	while (word.len > 0) {
		int c = take_character(&word);
		char byte = (char)c;

		if (c < 0)
			return false;
		if (byte == '"' || byte == '\\')
			buf_append_text(out, "\\");
		buf_append(out, &byte, 1);
	}
	buf_append_text(out, "\"");
	return true;
}

static bool
read_command(struct slice path, struct buf *out)
{
	while (path.len > 0) {
		struct slice word = slice_take(&path, '/');

		if (word.len > 0 && !append_word(word, out))
			return false;
	}
	return true;
}

static bool
is_question(struct slice path)
{
	struct slice word = slice_take(&path, '/');

	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
		if (slice_equals(word, questions[i]))
			return true;
	return false;
}

/* Whole lines of text, as an array. */
static void
append_lines(struct slice text, struct buf *out)
{
	const char *between = "[";

	while (text.len > 0) {
		buf_append_text(out, between);
		log_line_append_json(slice_take(&text, '\n'), out);
		between = ",\n";
	}
	buf_append_text(out, between[0] == '[' ? "[]" : "]");
}

static int
status_of(const struct admin_call *call)
{
	if (!call->has_failed)
		return 200;
	if (call->command == NULL)
		return 404;
	return call->level < call->command->level ? 403 : 400;
}

/* What is JSON already is passed on, all else becomes its lines. */
static void
on_reply(struct guest *guest)
{
	const struct admin_call *call = &guest->call;
	bool is_json = call->wants_json && buf_len(&call->out) > 0 && call->command != NULL &&
	    (call->has_failed || call->command->has_json);
	struct buf body = { 0 };

	if (is_json) {
		guest_answer(guest, status_of(call), JSON, buf_slice(&call->out));
		return;
	}
	buf_append_text(&body, call->has_failed ? "{\"error\":" : "{\"answer\":");
	append_lines(buf_slice(&call->out), &body);
	buf_append_text(&body, "}\n");
	guest_answer(guest, status_of(call), JSON, buf_slice(&body));
	buf_clear(&body);
}

static void
append_row(const struct admin_command *row, struct buf *out)
{
	buf_append_text(out, "{\"name\":");
	log_line_append_json(slice_of(row->name), out);
	buf_append_text(out, ",\"arguments\":");
	log_line_append_json(slice_of(row->arguments), out);
	buf_printf(out, ",\"level\":\"%s\",\"help\":", admin_level_text(row->level));
	log_line_append_json(slice_of(row->help), out);
	buf_append_text(out, "}");
}

static bool
may_change(const struct guest *guest)
{
	return guest->is_known && guest->door->settings->level == ADMIN_LEVEL_ADMIN;
}

/* Who asks, what may be asked, and for whom. */
static void
tell_commands(struct guest *guest)
{
	const struct admin_command *row;
	struct buf body = { 0 };

	buf_append_text(&body, "{\"version\":\"" GATEPOST_VERSION "\",\"user\":");
	log_line_append_json(slice_of(guest->question.user), &body);
	buf_printf(&body, ",\"level\":\"%s\",\"may_change\":%s,\"commands\":[",
	    admin_level_text((enum admin_level)guest->door->settings->level),
	    may_change(guest) ? "true" : "false");
	for (size_t i = 0; (row = admin_command_row(i)) != NULL; i++) {
		buf_append_text(&body, i > 0 ? ",\n" : "\n");
		append_row(row, &body);
	}
	buf_append_text(&body, "]}\n");
	guest_answer(guest, 200, JSON, buf_slice(&body));
	buf_clear(&body);
}

/* Browsers tell which site's page asks, and no page of another's can set a header of its own. */
static bool
is_from_elsewhere(const struct guest *guest)
{
	const char *origin = http_visit_header(guest->visit, "Origin");
	const char *host = http_visit_header(guest->visit, "Host");
	const char *name = origin != NULL ? strstr(origin, "://") : NULL;

	if (http_visit_header(guest->visit, "X-Gatepost") == NULL)
		return true;
	return origin != NULL &&
	    (name == NULL || host == NULL || !slice_equals_nocase(slice_of(name + strlen("://")), host));
}

/* NULL: it may be done. */
static const char *
find_fault(const struct guest *guest)
{
	if (!guest->is_known)
		return "Without a password_file nothing is changed over HTTP.";
	if (is_from_elsewhere(guest))
		return "A change needs the header X-Gatepost, and no Origin but this one.";
	return NULL;
}

void
http_api_run(struct guest *guest)
{
	struct slice path = slice_from(slice_of(guest->visit->path), strlen(PREFIX) + 1);
	bool is_get = strcmp(guest->visit->method, "GET") == 0;
	const char *fault = is_get ? NULL : find_fault(guest);
	struct buf command = { 0 };

	if (path.len == 0 && is_get)
		tell_commands(guest);
	else if (is_get && !is_question(path))
		refuse(guest, 405, "What may change something is asked by POST.");
	else if (fault != NULL)
		refuse(guest, 403, fault);
	else if (!read_command(path, &command))
		refuse(guest, 400, "That is no path of words.");
	else
		guest_call(guest, buf_slice(&command), true, on_reply);
	buf_wipe(&command);
}
