/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_line.h: what a log line looks like: words, quoting and escapes, as
 * text or as JSON.  For log.c and log_sink.c, and for who puts values into
 * messages.
 */
#ifndef BASE_LOG_LINE_H
#define BASE_LOG_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/log.h"

enum { LOG_TEXT_MAX = 4096 };		/* a message or a value is cut behind so many bytes */

struct log_line {
	struct list node;
	enum log_stream stream;
	enum log_format format;
	int level;
	const char *event;		/* its name: its text goes without the level's; NULL: a message */
	bool is_structured;		/* the sink wants the fields, too */
	int64_t time_ms;		/* since 1970 */
	struct buf text;		/* a whole JSON object, or text without time and level */
	struct buf fields;		/* see log_line_next_field */
};

struct log_line *log_line_new(enum log_stream stream, enum log_format format, int level);
void log_line_free(struct log_line **line);

void log_line_set_message(struct log_line *line, struct slice message);
void log_line_set_event(struct log_line *line, const char *event, const struct log_field *fields, int count);

/* Behind log_line_set_message. */
void log_line_add_fields(struct log_line *line, const struct log_field *fields, int count);
/* Takes the next one off a copy of line->fields, as it is; false: there was none. */
bool log_line_next_field(struct slice *fields, const char **name, struct slice *value);

/* Appends a value as events have it in text: in quotes where it holds blanks or quotes, or nothing. */
void log_line_quote(struct slice value, struct buf *out);

/* Appends a JSON string with its quotes, of at most LOG_TEXT_MAX bytes of the value. */
void log_line_append_json(struct slice value, struct buf *out);

void log_line_append_time(const struct log_line *line, struct buf *out);	/* RFC 3339, in UTC */

/* Appends the line as a file holds it, with its newline. */
void log_line_render(const struct log_line *line, struct buf *out);

#endif
