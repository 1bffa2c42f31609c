/* SPDX-License-Identifier: BSD-2-Clause */
/* limit_table.c: names of the limiter, put together to a row for each client. */
#include "admin/limit_table.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/log_line.h"
#include "session/admission_name.h"

/* What a client has, in the order of columns. */
static const struct figure {
	enum admission_subject subject;
	size_t limit;			/* of struct limits_counts */
	const char *name;		/* HAProxy's, or in its manner */
	bool is_rate;
} figures[] = {
#define FIGURE(subject, field, name, is_rate) \
	{ ADMISSION_##subject, offsetof(struct limits_counts, field), name, is_rate }
	FIGURE(CONNECTIONS,     client_connections,     "conn_cur",       false),
	FIGURE(CONNECTION_RATE, client_connection_rate, "conn_rate",      true),
	FIGURE(TLS_RATE,        client_tls_rate,        "tls_rate",       true),
	FIGURE(AUTH_RATE,       client_auth_rate,       "auth_rate",      true),
	FIGURE(MESSAGE_RATE,    client_message_rate,    "message_rate",   true),
	FIGURE(RECIPIENT_RATE,  client_recipient_rate,  "recipient_rate", true),
};
enum { FIGURES = sizeof(figures) / sizeof(figures[0]) };

static int64_t
limit_of(const struct limits_counts *counts, const struct figure *figure)
{
	return *(const int64_t *)(const void *)((const char *)counts + figure->limit);
}

const char *
limit_table_suffix(const struct limits *limits, enum limit_table_kind kind)
{
	const struct limits_counts *counts = &limits->counts;

	if (kind == LIMIT_TABLE_USERS)
		return counts->user_connections > 0 ? "/users" : NULL;
	if (kind == LIMIT_TABLE_USER_CLIENTS)
		return counts->user_client_connections > 0 ? "/user_clients" : NULL;
	for (int i = 0; i < FIGURES; i++)
		if (limit_of(counts, &figures[i]) > 0)
			return "";
	return NULL;
}

void
limit_reader_open(struct limit_reader *reader, const struct limits *limits, enum limit_table_kind kind,
    struct limiter *limiter)
{
	*reader = (struct limit_reader){
		.kind = kind, .block = admission_block(limits), .counts = limits->counts,
		.limiter = limiter, .part = LIMITER_PRESENT,
	};
}

void
limit_reader_close(struct limit_reader *reader)
{
	buf_clear(&reader->names);
}

static bool
is_of_kind(const struct admission_key *key, enum limit_table_kind kind)
{
	if (kind == LIMIT_TABLE_CLIENTS)
		return key->subject != ADMISSION_USER && key->subject != ADMISSION_USER_CLIENT;
	return key->subject == (kind == LIMIT_TABLE_USERS ? ADMISSION_USER : ADMISSION_USER_CLIENT);
}

/* With a shard locked: the limiter is asked behind the step. */
static void
keep_name(struct slice name, void *arg)
{
	struct limit_reader *reader = arg;
	struct admission_key key;

	if (!admission_name_read(name, &key) || key.block != reader->block || !is_of_kind(&key, reader->kind))
		return;
	buf_append(&reader->names, &name.len, sizeof(name.len));
	buf_append_slice(&reader->names, name);
}

static int64_t
read_figure(const struct limit_reader *reader, const struct figure *figure,
    const struct limits_client *client)
{
	const struct admission_key key = { figure->subject, reader->block, *client, { 0 } };
	const struct limiter_rate rate = { limit_of(&reader->counts, figure), reader->counts.rate_unit.ms };
	char text[ADMISSION_NAME_MAX];
	struct slice name = admission_name_write(&key, text);

	if (rate.limit == 0)
		return LIMIT_UNUSED;
	if (figure->is_rate)
		return limiter_used(reader->limiter, name, rate, reader->now);
	return limiter_present(reader->limiter, name);
}

/* A client has a name for each figure: it is told of at the first that is not 0. */
static bool
read_client(const struct limit_reader *reader, const struct admission_key *key, int64_t used[FIGURES])
{
	enum admission_subject first = ADMISSION_USER;

	for (int i = 0; i < FIGURES; i++) {
		used[i] = read_figure(reader, &figures[i], &key->client);
		if (used[i] > 0 && first == ADMISSION_USER)
			first = figures[i].subject;
	}
	return first == key->subject;
}

static void
tell_name(const struct limit_reader *reader, struct slice name,
    void (*each)(const struct limit_row *row, void *arg), void *arg)
{
	struct limit_row row = { .reader = reader };
	char client[LIMITS_CLIENT_TEXT_MAX];
	int64_t used[FIGURES];
	struct admission_key key;
	bool is_told;

	if (!admission_name_read(name, &key))
		return;
	row.client = key.client;
	row.used = used;
	buf_append_slice(&row.key, key.user);
	if (key.user.len > 0 && key.client.len > 0)
		buf_append_text(&row.key, " ");
	if (key.client.len > 0)
		buf_append_text(&row.key, limits_client_text(&key.client, client));
	if (reader->kind == LIMIT_TABLE_CLIENTS) {
		is_told = read_client(reader, &key, used);
	} else {
		used[0] = limiter_present(reader->limiter, name);
		is_told = used[0] > 0;
	}
	if (is_told)
		each(&row, arg);
	buf_clear(&row.key);
}

bool
limit_reader_step(struct limit_reader *reader, int64_t now,
    void (*each)(const struct limit_row *row, void *arg), void *arg)
{
	const struct limiter_walk walk = { reader->part, now, keep_name, reader };
	struct slice rest;

	buf_clear(&reader->names);
	reader->now = now;
	reader->cursor = limiter_walk(reader->limiter, &walk, reader->cursor);
	for (rest = buf_slice(&reader->names); rest.len > 0;) {
		size_t len;

		memcpy(&len, rest.data, sizeof(len));
		tell_name(reader, slice_make(rest.data + sizeof(len), len), each, arg);
		rest = slice_from(rest, sizeof(len) + len);
	}
	if (reader->cursor != 0)
		return true;
	if (reader->part == LIMITER_RATES || reader->kind != LIMIT_TABLE_CLIENTS)
		return false;
	reader->part = LIMITER_RATES;
	return true;
}

const struct report_column *
limit_table_columns(enum limit_table_kind kind, size_t *count)
{
	static const struct report_column clients[] = {
		{ "client", false }, { "connections", true }, { "connection_rate", true },
		{ "tls_rate", true }, { "auth_rate", true }, { "message_rate", true },
		{ "recipient_rate", true },
	};
	static const struct report_column users[] = { { "user", false }, { "sessions", true } };
	static const struct report_column user_clients[] = { { "user_client", false }, { "sessions", true } };

	static_assert(REPORT_COUNT(clients) == FIGURES + 1, "a column for each figure");
	*count = kind == LIMIT_TABLE_CLIENTS ? REPORT_COUNT(clients) : REPORT_COUNT(users);
	if (kind == LIMIT_TABLE_CLIENTS)
		return clients;
	return kind == LIMIT_TABLE_USERS ? users : user_clients;
}

static int
count_figures(const struct limit_row *row)
{
	return row->reader->kind == LIMIT_TABLE_CLIENTS ? FIGURES : 1;
}

void
limit_row_report(const struct limit_row *row, struct report *report)
{
	report_text(report, buf_slice(&row->key));
	for (int i = 0; i < count_figures(row); i++) {
		if (row->used[i] == LIMIT_UNUSED)
			report_none(report);
		else
			report_number(report, row->used[i]);
	}
}

void
limit_row_write(const struct limit_row *row, struct buf *out)
{
	buf_append_text(out, "0x1: key=");
	log_line_quote(buf_slice(&row->key), out);
	buf_append_text(out, " use=0 exp=0");
	for (int i = 0; i < count_figures(row); i++) {
		if (row->used[i] == LIMIT_UNUSED)
			continue;
		buf_printf(out, " %s", figures[i].name);
		if (figures[i].is_rate)
			buf_printf(out, "(%" PRId64 ")", row->reader->counts.rate_unit.ms);
		buf_printf(out, "=%" PRId64, row->used[i]);
	}
	buf_append_text(out, "\n");
}

void
limit_row_forget(const struct limit_row *row)
{
	char name[ADMISSION_NAME_MAX];

	for (int i = 0; i < FIGURES; i++) {
		const struct admission_key key = {
			figures[i].subject, row->reader->block, row->client, { 0 },
		};

		if (figures[i].is_rate)
			limiter_forget(row->reader->limiter, admission_name_write(&key, name));
	}
}
