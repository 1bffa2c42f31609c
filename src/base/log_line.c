/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_line.c: escapes everything that is not printable UTF-8, so that no
 * client can forge a line or speak to a terminal.
 */
#include "base/log_line.h"

#include <string.h>
#include <time.h>

#include "base/xalloc.h"

static const char *const level_names[] = {
	[LOG_EMERG] = "emerg",
	[LOG_ALERT] = "alert",
	[LOG_CRIT] = "crit",
	[LOG_ERR] = "error",
	[LOG_WARNING] = "warning",
	[LOG_NOTICE] = "notice",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

/* At most LOG_TEXT_MAX bytes, and no part of a character at the end. */
static struct slice
cut(struct slice s, bool *was_cut)
{
	*was_cut = s.len > LOG_TEXT_MAX;
	if (*was_cut) {
		s.len = LOG_TEXT_MAX;
		for (int i = 0; i < 3 && ((uint8_t)s.data[s.len] & 0xc0) == 0x80; i++)
			s.len--;
	}
	return s;
}

/* `quoted` text has \ before quotes and backslashes. */
static void
append_escaped(struct buf *out, struct slice s, enum log_format format, bool quoted)
{
	bool was_cut;

	s = cut(s, &was_cut);
	while (s.len > 0) {
		size_t n = slice_printable(s);

		if (n == 0) {
			buf_printf(out, format == LOG_FORMAT_JSON ? "\\u%04x" : "\\x%02x",
			    (uint8_t)s.data[0]);
			n = 1;
		} else {
			if (quoted && (s.data[0] == '"' || s.data[0] == '\\'))
				buf_append(out, "\\", 1);
			buf_append(out, s.data, n);
		}
		s = slice_from(s, n);
	}
	if (was_cut)
		buf_append_text(out, "...");
}

static void
append_text(struct buf *out, struct slice s, bool quoted)
{
	append_escaped(out, s, LOG_FORMAT_TEXT, quoted);
}

static bool
wants_quotes(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((uint8_t)s.data[i] <= 0x20 || s.data[i] == 0x7f || s.data[i] == '"' || s.data[i] == '\\')
			return true;
	return s.len == 0;
}

void
log_line_quote(struct slice value, struct buf *out)
{
	bool quoted = wants_quotes(value);

	if (quoted)
		buf_append(out, "\"", 1);
	append_text(out, value, quoted);
	if (quoted)
		buf_append(out, "\"", 1);
}

void
log_line_append_json(struct slice s, struct buf *out)
{
	buf_append(out, "\"", 1);
	append_escaped(out, s, LOG_FORMAT_JSON, true);
	buf_append(out, "\"", 1);
}

static void
append_time(struct buf *out, int64_t time_ms)
{
	time_t seconds = (time_t)(time_ms / 1000);
	struct tm tm;
	char text[32];

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_printf(out, "%s.%03dZ", text, (int)(time_ms % 1000));
}

void
log_line_append_time(const struct log_line *line, struct buf *out)
{
	append_time(out, line->time_ms);
}

static void
append_json_time(struct buf *out, int64_t time_ms)
{
	buf_append_text(out, "{\"time\":\"");
	append_time(out, time_ms);
	buf_append_text(out, "\"");
}

struct log_line *
log_line_new(enum log_stream stream, enum log_format format, int level)
{
	struct log_line *line = xcalloc(1, sizeof(*line));
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	line->stream = stream;
	line->format = format;
	line->level = level & LOG_PRIMASK;
	line->time_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	return line;
}

void
log_line_free(struct log_line **line)
{
	buf_clear(&(*line)->text);
	buf_clear(&(*line)->fields);
	xfree(*line);
	*line = NULL;
}

void
log_line_set_message(struct log_line *line, struct slice message)
{
	struct buf *out = &line->text;

	if (line->format == LOG_FORMAT_TEXT) {
		append_text(out, message, false);
		return;
	}
	append_json_time(out, line->time_ms);
	buf_printf(out, ",\"level\":\"%s\",\"message\":", level_names[line->level]);
	log_line_append_json(message, out);
	buf_append(out, "}", 1);
}

/* A name with its NUL, the length of the value, the value. */
static void
keep_field(struct buf *out, const char *name, struct slice value)
{
	uint32_t len = (uint32_t)value.len;

	buf_append(out, name, strlen(name) + 1);
	buf_append(out, &len, sizeof(len));
	buf_append_slice(out, value);
}

bool
log_line_next_field(struct slice *fields, const char **name, struct slice *value)
{
	uint32_t len;

	if (fields->len == 0)
		return false;
	*name = fields->data;
	*fields = slice_from(*fields, strlen(*name) + 1);
	memcpy(&len, fields->data, sizeof(len));
	*fields = slice_from(*fields, sizeof(len));
	*value = slice_make(fields->data, len);
	*fields = slice_from(*fields, len);
	return true;
}

static void
append_number(struct buf *out, const struct log_field *field)
{
	if (field->is_ms)
		buf_printf(out, "%lld.%03d", (long long)(field->number / 1000), (int)(field->number % 1000));
	else
		buf_printf(out, "%lld", (long long)field->number);
}

static void
keep_value(struct log_line *line, const struct log_field *field)
{
	struct slice value = field->text;
	struct buf number = { 0 };
	bool was_cut;

	if (value.data == NULL) {
		append_number(&number, field);
		value = buf_slice(&number);
	}
	keep_field(&line->fields, field->name, cut(value, &was_cut));
	buf_clear(&number);
}

static bool
is_set(const struct log_field *field)
{
	return field->text.data != NULL || field->number != LOG_FIELD_UNSET;
}

static void
append_field(struct log_line *line, const struct log_field *field)
{
	struct buf *out = &line->text;
	bool json = line->format == LOG_FORMAT_JSON;

	buf_printf(out, json ? ",\"%s\":" : " %s=", field->name);
	if (field->text.data == NULL)
		append_number(out, field);
	else if (json)
		log_line_append_json(field->text, out);
	else
		log_line_quote(field->text, out);
}

void
log_line_set_event(struct log_line *line, const char *event, const struct log_field *fields, int count)
{
	line->event = event;
	if (line->format == LOG_FORMAT_JSON) {
		append_json_time(&line->text, line->time_ms);
		buf_printf(&line->text, ",\"event\":\"%s\"", event);
	} else {
		buf_printf(&line->text, "event %s", event);
	}
	for (int i = 0; i < count; i++) {
		if (!is_set(&fields[i]))
			continue;
		append_field(line, &fields[i]);
		if (line->is_structured)
			keep_value(line, &fields[i]);
	}
	if (line->format == LOG_FORMAT_JSON)
		buf_append(&line->text, "}", 1);
}

void
log_line_add_fields(struct log_line *line, const struct log_field *fields, int count)
{
	bool is_json = line->format == LOG_FORMAT_JSON;

	if (is_json)
		buf_truncate(&line->text, buf_len(&line->text) - 1);
	for (int i = 0; i < count; i++) {
		if (is_json && is_set(&fields[i]))
			append_field(line, &fields[i]);
		if (line->is_structured && is_set(&fields[i]))
			keep_value(line, &fields[i]);
	}
	if (is_json)
		buf_append(&line->text, "}", 1);
}

void
log_line_render(const struct log_line *line, struct buf *out)
{
	if (line->format == LOG_FORMAT_TEXT) {
		append_time(out, line->time_ms);
		buf_append(out, " ", 1);
		if (line->event == NULL)
			buf_printf(out, "%s: ", level_names[line->level]);
	}
	buf_append_slice(out, buf_slice(&line->text));
	buf_append(out, "\n", 1);
}
