/* SPDX-License-Identifier: BSD-2-Clause */
/* log_document.c: a list of events, each with the names of its fields, then a list of the fields. */
#include "daemon/log_document.h"

#include <stdbool.h>

#include "base/buf.h"
#include "base/log_fields.h"

enum { LINE_WIDTH = 78 };

static bool
has_field(const struct log_event_row *event, const struct log_field_row *field)
{
	struct slice events = slice_of(field->events), word;

	while ((word = slice_word(&events)).len > 0)
		if (slice_equals(word, event->name))
			return true;
	return false;
}

/* In lines that the manual's source may have. */
static void
print_wrapped(struct slice text, FILE *out)
{
	struct slice word;
	size_t column = 0;

	while ((word = slice_word(&text)).len > 0) {
		bool is_first = column == 0 || column + 1 + word.len > LINE_WIDTH;

		if (column > 0)
			fputs(is_first ? "\n" : " ", out);
		column = is_first ? word.len : column + 1 + word.len;
		fprintf(out, "%.*s", SLICE_ARGS(word));
	}
	fputs("\n", out);
}

static void
print_event(const struct log_event_row *event, FILE *out)
{
	struct buf names = { 0 };

	fprintf(out, ".It Ic %s\n", event->name);
	print_wrapped(slice_of(event->help), out);
	buf_append_text(&names, "Fields:");
	for (int i = 0; i < LOG_FIELD_COUNT; i++)
		if (has_field(event, &log_fields[i]))
			buf_printf(&names, " %s", log_fields[i].name);
	buf_append_text(&names, ".");
	fputs(".br\n", out);
	print_wrapped(buf_slice(&names), out);
	buf_clear(&names);
}

void
log_document(const struct block *unused, FILE *out)
{
	(void)unused;
	fputs(".Bl -tag -width login_failed\n", out);
	for (int i = 0; i < LOG_EVENT_COUNT; i++)
		print_event(&log_events[i], out);
	fputs(".El\n.Sh EVENT FIELDS\n.Bl -tag -width certificate_user\n", out);
	for (int i = 0; i < LOG_FIELD_COUNT; i++) {
		fprintf(out, ".It Va %s\n", log_fields[i].name);
		print_wrapped(slice_of(log_fields[i].help), out);
	}
	fputs(".El\n", out);
}
