/* SPDX-License-Identifier: BSD-2-Clause */
/* ask.c: asks and listens. */
#include "ctl/ask.h"

#include <stdio.h>

#include "ctl/answer.h"
#include "ctl/connection.h"
#include "ctl/json.h"

enum { PATIENCE_S = 10 };		/* of what has a program waiting, not a person */

static bool
needs_quotes(const char *word)
{
	return word[0] == '\0' || strpbrk(word, " \t\";\\") != NULL;
}

static void
append_word(const char *word, struct buf *line)
{
	bool is_quoted = needs_quotes(word);

	if (is_quoted)
		buf_append_text(line, "\"");
	for (; *word != '\0'; word++) {
		if (*word == '"' || *word == '\\')
			buf_append_text(line, "\\");
		buf_append(line, word, 1);
	}
	if (is_quoted)
		buf_append_text(line, "\"");
}

bool
ask_line(char *const *words, int count, struct buf *line)
{
	for (int i = 0; i < count; i++) {
		if (strpbrk(words[i], "\r\n") != NULL)
			return false;
		if (i > 0)
			buf_append_text(line, " ");
		if (count == 1)
			buf_append_text(line, words[i]);
		else
			append_word(words[i], line);
	}
	return true;
}

/* Without empty lines: the first one ends it. */
static void
append_payload(struct slice payload, struct buf *out)
{
	while (payload.len > 0) {
		struct slice line = slice_take(&payload, '\n');

		if (line.len > 0 && line.data[line.len - 1] == '\r')
			line.len--;
		if (line.len == 0)
			continue;
		buf_append_slice(out, line);
		buf_append_text(out, "\n");
	}
	buf_append_text(out, "\n");
}

static bool
send_line(const struct connection *connection, struct slice line, struct slice payload)
{
	struct buf out = { 0 };
	bool ok;

	buf_append_text(&out, "set severity-output all;");
	buf_append_slice(&out, line);
	buf_append_text(&out, "\n");
	if (payload.len > 0)
		append_payload(payload, &out);
	ok = connection_write(connection, buf_slice(&out));
	connection_end(connection);
	buf_wipe(&out);
	return ok;
}

/* The answer up to its end. */
static enum asked
listen_to(const struct connection *connection, struct answer *answer, struct error *error)
{
	struct buf data = { 0 };
	bool is_whole;

	while (connection_read(connection, &data)) {
		answer_feed(answer, buf_slice(&data));
		buf_consume(&data, buf_len(&data));
	}
	buf_clear(&data);
	is_whole = answer_end(answer);
	if (answer->has_failed)
		return ASKED_FAILED;
	if (is_whole)
		return ASKED_WELL;
	error_set(error, "gatepost has closed the connection, or fallen silent, before its answer was whole");
	return ASKED_LOST;
}

static void
print_line(struct slice line, bool is_failure, void *arg)
{
	(void)arg;
	fwrite(line.data, 1, line.len, is_failure ? stderr : stdout);
	fflush(is_failure ? stderr : stdout);
}

enum asked
ask_print(const char *place, struct slice line, struct slice payload)
{
	struct answer answer = { .on_line = print_line };
	struct connection connection;
	struct error error = { 0 };
	enum asked how = ASKED_LOST;

	if (connection_open(&connection, place, &error)) {
		send_line(&connection, line, payload);
		how = listen_to(&connection, &answer, &error);
		connection_close(&connection);
	}
	if (how == ASKED_LOST)
		fprintf(stderr, "gatepostctl: %s\n", error.text);
	return how;
}

static void
keep_line(struct slice line, bool is_failure, void *arg)
{
	(void)is_failure;
	buf_append_slice(arg, line);
}

/* Takes the whole answer, or the sentence with which it failed. */
static enum asked
take_answer(const struct connection *connection, struct slice line, struct buf *out, struct error *error)
{
	struct answer answer = { .on_line = keep_line, .arg = out };
	enum asked how;

	send_line(connection, line, slice_of(""));
	how = listen_to(connection, &answer, error);
	if (how == ASKED_FAILED)
		error_set(error, "%.*s", SLICE_ARGS(slice_trim(buf_slice(out))));
	return how;
}

/* What a command that answers in JSON says of its failure, in place of the JSON. */
static void
unwrap_error(struct error *error)
{
	struct error ignored;
	struct json_t *json = json_read(slice_of(error->text), &ignored);
	const char *text = json_text(json_member(json, "error"));

	if (text != NULL)
		error_set(error, "%s", text);
	json_drop(&json);
}

static struct json_t *
read_answer(const struct connection *connection, const char *line, enum asked *how, struct error *error)
{
	struct buf command = { 0 }, out = { 0 };
	struct json_t *json = NULL;

	buf_printf(&command, "%s json", line);
	*how = take_answer(connection, buf_slice(&command), &out, error);
	if (*how == ASKED_WELL)
		json = json_read(buf_slice(&out), error);
	else if (*how == ASKED_FAILED)
		unwrap_error(error);
	buf_clear(&command);
	buf_clear(&out);
	return json;
}

struct json_t *
ask_json(const char *place, const char *line, enum asked *how, struct error *error)
{
	struct connection connection;
	struct json_t *json;

	*how = ASKED_LOST;
	if (!connection_open(&connection, place, error))
		return NULL;
	connection_set_patience(&connection, PATIENCE_S);
	json = read_answer(&connection, line, how, error);
	connection_close(&connection);
	return json;
}

struct json_t *
ask_json_slowly(const char *place, const char *line, enum asked *how, struct error *error)
{
	struct connection connection;
	struct json_t *json;

	*how = ASKED_LOST;
	if (!connection_open(&connection, place, error))
		return NULL;
	json = read_answer(&connection, line, how, error);
	connection_close(&connection);
	return json;
}

pid_t
ask_pid(const char *place, enum asked *how, struct error *error)
{
	struct connection connection;
	pid_t pid;

	*how = connection_open(&connection, place, error) ? ASKED_WELL : ASKED_LOST;
	if (*how == ASKED_LOST)
		return 0;
	pid = connection.pid;
	connection_close(&connection);
	return pid;
}
