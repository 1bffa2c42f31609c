/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.h: log lines, from any thread, to standard error, syslog, the journal
 * or files.  Lines go through a bounded ring to one writer thread: a full
 * sink drops lines, counts them and says so later, and never blocks a loop.
 * Before log_start and after log_stop lines go straight to standard error.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

#include "base/error.h"
#include "base/slice.h"

enum log_target { LOG_TARGET_STDERR, LOG_TARGET_SYSLOG, LOG_TARGET_JOURNAL, LOG_TARGET_FILE };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
/* RFC 3164, which what listens at /dev/log reads; or RFC 5424, with the fields as structured data. */
enum log_syslog { LOG_SYSLOG_RFC3164, LOG_SYSLOG_RFC5424 };
enum log_stream { LOG_STREAM_MAIN, LOG_STREAM_ACCESS };		/* `log` and `log access` */
enum { LOG_STREAMS = 2 };

struct log_settings {			/* of one stream */
	enum log_target target;
	const char *path;		/* of the file; or of the socket, NULL: the usual one */
	enum log_format format;
	enum log_syslog syslog;
	int level;			/* LOG_ERR … LOG_DEBUG: what is worse or equal is written */
};

/* One field of an event; the value is text or, where that has no data, a number. */
struct log_field {
	const char *name;
	struct slice text;
	int64_t number;
	bool is_ms;			/* the number is milliseconds, told in seconds: 12.345 */
};

struct log_sink;			/* log_sink.h opens it */

/*
 * From the next line on the stream goes to this sink, which is the log's now.
 * NULL, for the access stream only: its events go to the main stream again.
 */
void log_use(enum log_stream stream, const struct log_settings *settings, struct log_sink *sink);
void log_start(void);			/* starts the writer thread; the default is standard error */
void log_stop(void);			/* writes what waits, at most 2 s, and ends the writer */
uint64_t log_lost(void);			/* lines that were dropped, since the start */
void log_reopen(void);			/* files are opened anew (log rotation); safe from any thread */

bool log_wants(int level);		/* would the main stream write it?  Ask before formatting. */
bool log_wants_access(void);
/* For a line of the whole process, once a minute at most; *silent_until is the line's own, 0 at first. */
bool log_is_due(_Atomic int64_t *silent_until);
void log_write(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same with fields: for JSON, the journal and RFC 5424; in text, the message alone has to tell. */
void log_write_fields(int level, struct slice message, const struct log_field *fields, int count);

/*
 * An event of the access stream (or, where that is not configured, of the
 * main stream) at LOG_INFO: `name=value` text after `event NAME`, or one
 * JSON object; fields without text whose number is LOG_FIELD_UNSET are
 * left out.  Control characters are escaped, so a client cannot forge lines.
 */
#define LOG_FIELD_UNSET INT64_MIN
void log_event(const char *event, const struct log_field *fields, int count);

#endif
