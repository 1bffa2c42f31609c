/* SPDX-License-Identifier: BSD-2-Clause */
/* log_datagram.c: syslog as in RFC 3164 and RFC 5424, and the journal's fields. */
#include "base/log_datagram.h"

#include <ctype.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define IDENTITY "gatepost"
#define SD_ID "gatepost@32473"		/* the number for those who have none of their own: RFC 5612 */

enum { HOST_SIZE = 256 };

static void
render_rfc3164(const struct log_line *line, struct buf *out)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";	/* whatever the locale */
	time_t seconds = (time_t)(line->time_ms / 1000);
	struct tm tm;

	localtime_r(&seconds, &tm);
	buf_printf(out, "<%d>%.3s %2d %02d:%02d:%02d %s[%d]: ", LOG_MAIL | line->level,
	    months + (size_t)tm.tm_mon * 3, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	    IDENTITY, (int)getpid());
	buf_append_slice(out, buf_slice(&line->text));
}

/* RFC 5424 section 6.3.3; what is not printable is escaped as in text. */
static void
append_param(struct buf *out, const char *name, struct slice value)
{
	buf_printf(out, " %s=\"", name);
	while (value.len > 0) {
		size_t n = slice_printable(value);

		if (n == 0)
			buf_printf(out, "\\\\x%02x", (uint8_t)value.data[0]);
		else if (n == 1 && strchr("\"\\]", value.data[0]) != NULL)
			buf_printf(out, "\\%c", value.data[0]);
		else
			buf_append(out, value.data, n);
		value = slice_from(value, n > 0 ? n : 1);
	}
	buf_append(out, "\"", 1);
}

/* PRINTUSASCII, or the word for none. */
static const char *
host_name(char out[HOST_SIZE])
{
	if (gethostname(out, HOST_SIZE) != 0)
		return "-";
	out[HOST_SIZE - 1] = '\0';
	for (const char *c = out; *c != '\0'; c++)
		if (!isgraph((unsigned char)*c))
			return "-";
	return out[0] != '\0' ? out : "-";
}

static void
render_rfc5424(const struct log_line *line, struct buf *out)
{
	struct slice fields = buf_slice(&line->fields), value;
	char host[HOST_SIZE];
	const char *name;

	buf_printf(out, "<%d>1 ", LOG_MAIL | line->level);
	log_line_append_time(line, out);
	buf_printf(out, " %s %s %d %s ", host_name(host), IDENTITY, (int)getpid(),
	    line->event != NULL ? line->event : "-");
	buf_append_text(out, fields.len > 0 ? "[" SD_ID : "-");
	if (fields.len > 0) {
		while (log_line_next_field(&fields, &name, &value))
			append_param(out, name, value);
		buf_append_text(out, "]");
	}
	buf_append_text(out, " ");
	buf_append_slice(out, buf_slice(&line->text));
}

/* A line NAME=VALUE; or, where the value has more than one line, NAME, its length and the value. */
static void
append_journal_field(struct buf *out, const char *name, struct slice value)
{
	buf_append_text(out, "GATEPOST_");
	for (; *name != '\0'; name++) {
		char c = (char)toupper((unsigned char)*name);

		buf_append(out, &c, 1);
	}
	if (slice_is_printable(value)) {
		buf_append_text(out, "=");
	} else {
		buf_append_text(out, "\n");
		for (int i = 0; i < 8; i++) {
			char byte = (char)((uint64_t)value.len >> (8 * i));

			buf_append(out, &byte, 1);
		}
	}
	buf_append_slice(out, value);
	buf_append_text(out, "\n");
}

static void
render_journal(const struct log_line *line, struct buf *out)
{
	struct slice fields = buf_slice(&line->fields), value;
	const char *name;

	buf_printf(out, "SYSLOG_IDENTIFIER=%s\nSYSLOG_FACILITY=%d\nPRIORITY=%d\nMESSAGE=", IDENTITY,
	    LOG_FAC(LOG_MAIL), line->level);
	buf_append_slice(out, buf_slice(&line->text));
	buf_append_text(out, "\n");
	if (line->event != NULL)
		append_journal_field(out, "event", slice_of(line->event));
	while (log_line_next_field(&fields, &name, &value))
		append_journal_field(out, name, value);
}

void
log_datagram_render(enum log_datagram datagram, const struct log_line *line, struct buf *out)
{
	switch (datagram) {
	case LOG_DATAGRAM_RFC3164:
		render_rfc3164(line, out);
		break;
	case LOG_DATAGRAM_RFC5424:
		render_rfc5424(line, out);
		break;
	case LOG_DATAGRAM_JOURNAL:
		render_journal(line, out);
		break;
	}
}
