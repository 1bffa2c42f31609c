/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_block.c: rows of the log blocks, and the streams of base/log that
 * they open.  What events hold is the sessions' matter.
 */
#include "daemon/log_block.h"

#include <string.h>

#include "base/log_sink.h"
#include "session/snapshot.h"

static const struct choice formats[] = { { "text", LOG_FORMAT_TEXT }, { "json", LOG_FORMAT_JSON }, { 0 } };
static const struct choice levels[] = {
	{ "error", LOG_ERR }, { "warning", LOG_WARNING }, { "notice", LOG_NOTICE }, { "info", LOG_INFO },
	{ "debug", LOG_DEBUG }, { 0 }
};
#define EVENTS_DEFAULT "login login_failed message session screen health stress admin"
#define EVENT_CHOICE(name, help) { #name, LOG_EVENT_##name },
static const struct choice events[] = { LOG_EVENTS(EVENT_CHOICE){ 0 } };
static const struct choice syslogs[] = {
	{ "rfc3164", LOG_SYSLOG_RFC3164 }, { "rfc5424", LOG_SYSLOG_RFC5424 }, { 0 }
};
static const struct choice addresses[] = {
	{ "full", LOG_ADDRESS_FULL }, { "masked", LOG_ADDRESS_MASKED }, { 0 }
};
static const struct choice unknown_users[] = {
	{ "hash", LOG_UNKNOWN_USER_HASH }, { "full", LOG_UNKNOWN_USER_FULL }, { 0 }
};
static const struct choice targets[] = {
	{ "stderr", LOG_TARGET_STDERR }, { "syslog", LOG_TARGET_SYSLOG }, { "journal", LOG_TARGET_JOURNAL },
	{ 0 }
};

static bool
set_target(struct conf_words *words, void *field, struct error *error)
{
	struct log_place *place = field;

	if (words->count != 1)
		return error_set(error, "takes one value: stderr, syslog, journal or a path");
	for (const struct choice *c = targets; c->word != NULL; c++) {
		if (strcmp(c->word, words->words[0]) != 0)
			continue;
		place->target = (enum log_target)c->value;
		return true;
	}
	if (strchr(words->words[0], '/') == NULL)
		return error_set(error, "%s is not stderr, syslog, journal or a path with a /",
		    words->words[0]);
	place->target = LOG_TARGET_FILE;
	place->path = conf_words_path(words, 0);
	return true;
}

static const struct directive log_directives[] = {
	CONF_CUSTOM(struct log_block, target, "stderr", set_target, "stderr|syslog|journal|path", 0,
	    "Where lines go: standard error, the local syslog, the journal, or a file, which is opened anew "
	    "on SIGUSR1. In the background, what would go to standard error goes to syslog."),
	CONF_PATH(struct log_block, socket, NULL, 0,
	    "Where syslog or the journal listens, if it is not /dev/log or /run/systemd/journal/socket."),
	CONF_CHOICE(struct log_block, syslog, "rfc3164", syslogs, 0,
	    "What lines look like to syslog: as in RFC 3164, which daemons expect at /dev/log; or as in RFC "
	    "5424, where fields are structured data, [gatepost@32473 user=\"bob\" ...]. The journal always "
	    "has them as its own fields, GATEPOST_USER=bob."),
	CONF_CHOICE(struct log_block, format, "text", formats, 0,
	    "One line of text, or one JSON object a line."),
	CONF_CHOICE(struct log_block, level, "info", levels, 0,
	    "Lines of this level and worse are written. For `log` only: events have no level."),
	CONF_CHOICES(struct log_block, events, EVENTS_DEFAULT, events, 0,
	    "Which events are written: a `login` and a `login_failed` at once, a `message` for each mail, "
	    "with its sender, recipients, size and the server's reply, a `session` at its end, with who, "
	    "from where, to which server, how much, how long and why it ended; a `screen` when a client was "
	    "looked at before its greeting; `health` when a server goes up or down, `stress` when there is "
	    "too much to do, `admin` for each command of an operator that may change something. "
	    "gatepost-log(5) has all their fields. For `log access` only."),
	CONF_CHOICE(struct log_block, address, "full", addresses, 0,
	    "Addresses of clients in events: in `full`, or `masked` to their first 24 bits (IPv6: 48). For "
	    "`log access` only."),
	CONF_CHOICE(struct log_block, unknown_user, "hash", unknown_users, 0,
	    "Names that did not log in: people type passwords there, so by default only a `hash` is written; "
	    "or `full`. For `log access` only."),
	{ 0 }
};

static const char *const titles[] = { "access", NULL };

static const struct {
	const char *name;
	bool is_access;
} stream_rows[] = {			/* rows of one of the two blocks only */
	{ "level", false }, { "events", true }, { "address", true }, { "unknown_user", true },
};
enum { STREAM_ROWS = sizeof(stream_rows) / sizeof(stream_rows[0]) };

static void
prepare_log(struct conf_context *context, void *object)
{
	struct log_block *log = object;

	for (size_t i = 0; i < STREAM_ROWS; i++)
		if (stream_rows[i].is_access != (log->conf.title != NULL))
			conf_set_default(context, &log->conf, stream_rows[i].name, NULL);
}

static void
check_log(struct conf_context *context, void *object)
{
	struct log_block *log = object;

	for (size_t i = 0; i < STREAM_ROWS; i++) {
		const char *name = stream_rows[i].name;

		if (stream_rows[i].is_access == (log->conf.title != NULL) || !conf_is_set(&log->conf, name))
			continue;
		conf_error_at(context->problems, &log->conf, name, "%s belongs in %s { }", name,
		    stream_rows[i].is_access ? "log access" : "log");
	}
}

const struct block log_block = {
	.name = "log",
	.directives = log_directives,
	.size = BLOCK_SIZE(struct log_block),
	.title = TITLE_OPTIONAL,
	.titles = titles,
	.prepare = prepare_log,
	.check = check_log,
	.help = "Where messages go. `log access` is for events; without it they go with the messages.",
};

const struct log_block *
log_block_find(const struct conf_list *logs, enum log_stream stream)
{
	for (size_t i = 0; i < logs->count; i++) {
		const struct log_block *log = logs->items[i];

		if ((log->conf.title != NULL) == (stream == LOG_STREAM_ACCESS))
			return log;
	}
	return NULL;
}

/* What holds where the block is not written; as its rows say. */
static const struct log_block unwritten = {
	.level = LOG_INFO,
	.events = LOG_EVENTS_ALL,
};

const struct log_block *
log_block_of(const struct conf_list *logs, enum log_stream stream)
{
	const struct log_block *log = log_block_find(logs, stream);

	return log != NULL ? log : &unwritten;
}

static struct log_settings
settings_of(const struct log_block *log, bool in_background)
{
	struct log_settings settings = {
		.target = log->target.target,
		.path = log->target.target == LOG_TARGET_FILE ? log->target.path : log->socket,
		.syslog = (enum log_syslog)log->syslog,
		.format = (enum log_format)log->format,
		.level = log->conf.title == NULL ? log->level : LOG_INFO,
	};

	if (in_background && settings.target == LOG_TARGET_STDERR)
		settings.target = LOG_TARGET_SYSLOG;
	return settings;
}

bool
log_blocks_open(const struct conf_list *logs, bool in_background, struct log_sink *sinks[LOG_STREAMS],
    struct conf_problems *problems)
{
	bool ok = true;

	for (int i = 0; i < LOG_STREAMS; i++) {
		const struct log_block *log = log_block_of(logs, (enum log_stream)i);
		struct log_settings settings = settings_of(log, in_background);
		bool is_wanted = i == LOG_STREAM_MAIN || log != &unwritten;
		struct error error;

		if (!is_wanted || log->conf.broken)
			continue;
		sinks[i] = log_sink_open(&settings, &error);
		if (sinks[i] != NULL)
			continue;
		conf_error_at_value(problems, &log->conf, "target", 0, "%s%s", error.text,
		    log == &unwritten ? "; use -f, or a log block with another target" : "");
		ok = false;
	}
	return ok;
}

void
log_blocks_use(const struct conf_list *logs, bool in_background, struct log_sink *sinks[LOG_STREAMS])
{
	for (int i = 0; i < LOG_STREAMS; i++) {
		struct log_settings settings =
		    settings_of(log_block_of(logs, (enum log_stream)i), in_background);

		log_use((enum log_stream)i, &settings, sinks[i]);
		sinks[i] = NULL;
	}
}
