/* SPDX-License-Identifier: BSD-2-Clause */
/* session_log.c: a session's lines and events in the log. */
#include "session/session.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "balance/endpoint.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/log_fields.h"
#include "base/log_line.h"
#include "net/tls_context.h"
#include "proto/mediator.h"
#include "session/listener_kept.h"
#include "session/login.h"
#include "session/relay.h"
#include "session/screening.h"

enum { LINE_MAX_SIZE = 1024 };

void
session_log_prefix(const struct session *s, const struct endpoint *endpoint, struct buf *out)
{
	char client[ADDR_TEXT_MAX];

	buf_printf(out, "%s %s %s", s->identity.session, s->listener->name,
	    addr_host(&s->identity.client, client));
	if (s->identity.user != NULL) {
		buf_append_text(out, " user=");
		/* a name may look like more fields */
		log_line_quote(slice_of(s->identity.user), out);
	}
	if (endpoint != NULL)
		buf_printf(out, " back=%s", endpoint->name);
}

/* Left out where there is no text. */
static struct log_field
session_field(enum log_field_name name, const char *text)
{
	return (struct log_field){ .name = log_fields[name].name, .number = LOG_FIELD_UNSET,
		.text = text != NULL ? slice_of(text) : slice_make(NULL, 0) };
}

static void
write_line(const struct session *s, const struct endpoint *endpoint, int level, const char *format,
    va_list args)
{
	char client[ADDR_TEXT_MAX];
	const struct log_field fields[] = {
		session_field(LOG_FIELD_session, s->identity.session),
		session_field(LOG_FIELD_listener, s->listener->name),
		session_field(LOG_FIELD_client, addr_host(&s->identity.client, client)),
		session_field(LOG_FIELD_user, s->identity.user),
		session_field(LOG_FIELD_server, endpoint != NULL ? endpoint->name : NULL),
	};
	char text[LINE_MAX_SIZE];
	struct buf line = { 0 };

	vsnprintf(text, sizeof(text), format, args);
	session_log_prefix(s, endpoint, &line);
	buf_printf(&line, ": %s", text);
	log_write_fields(level, buf_slice(&line), fields, sizeof(fields) / sizeof(fields[0]));
	buf_clear(&line);
}

void
session_log(const struct session *s, int level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (log_wants(level))
		write_line(s, session_endpoint(s), level, format, args);
	va_end(args);
}

void
leg_log(const struct leg *leg, int level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (log_wants(level))
		write_line(leg->session, leg_endpoint(leg), level, format, args);
	va_end(args);
}

/* People type their passwords where the name belongs: a name that did not log in is only told from others. */
static const char *
hash_name(const struct session *s, const char *name, char *out, size_t size)
{
	uint8_t digest[DIGEST_SHA256_SIZE];
	char salted[LINE_MAX_SIZE];
	int n = snprintf(salted, sizeof(salted), "%016llx%s", (unsigned long long)s->worker->log_salt, name);

	if (n < 0)
		n = 0;
	if ((size_t)n >= sizeof(salted))
		n = sizeof(salted) - 1;
	digest_sha256(salted, (size_t)n, digest);
	secret_wipe(salted, sizeof(salted));
	snprintf(out, size, "~%02x%02x%02x%02x%02x%02x", digest[0], digest[1], digest[2], digest[3],
	    digest[4], digest[5]);
	return out;
}

static const char *
user_text(const struct session *s, char *out, size_t size)
{
	if (s->identity.user != NULL)
		return s->identity.user;
	if (s->login == NULL || s->login->user == NULL || *s->login->user == '\0')
		return NULL;
	if (s->snapshot->hash_unknown_users)
		return hash_name(s, s->login->user, out, size);
	return s->login->user;
}

static int64_t
relayed(const struct session *s, bool up)
{
	if (s->relay == NULL)
		return 0;
	return (int64_t)(up ? s->relay->up.bytes : s->relay->down.bytes);
}

static const char *
name_event(enum session_events event)
{
	for (int i = 0; i < LOG_EVENT_COUNT; i++)
		if ((unsigned)event == 1U << i)
			return log_events[i].name;
	return "";
}

static const char *
client_text(const struct session *s, bool is_masked, char out[ADDR_TEXT_MAX])
{
	enum { IPV4_MASK = 0xffffff00, IPV6_KEPT = 6 };	/* a network's 24 or 48 bits */
	struct addr client = s->identity.client;

	if (is_masked && client.sa.sa_family == AF_INET)
		client.in.sin_addr.s_addr &= htonl(IPV4_MASK);
	else if (is_masked && client.sa.sa_family == AF_INET6)
		memset(client.in6.sin6_addr.s6_addr + IPV6_KEPT, 0, sizeof(struct in6_addr) - IPV6_KEPT);
	return addr_host(&client, out);
}

/* The load balancer before us, if one told the client's address. */
static const char *
via_text(const struct session *s, char out[ADDR_TEXT_MAX])
{
	return s->via != NULL ? addr_host(s->via, out) : NULL;
}

/* A line of the access log while it grows. */
struct event {
	struct log_field fields[LOG_FIELD_COUNT];
	size_t count;
	char client[ADDR_TEXT_MAX], via[ADDR_TEXT_MAX], hashed[32];
};

static void
add(struct event *event, const struct log_field *field)
{
	assert(event->count < sizeof(event->fields) / sizeof(event->fields[0]));
	event->fields[event->count++] = *field;
}

static void
add_slice(struct event *event, enum log_field_name name, struct slice text)
{
	add(event, &(struct log_field){ .name = log_fields[name].name, .text = text,
	    .number = LOG_FIELD_UNSET });
}

/* Left out where there is no text. */
static void
add_text(struct event *event, enum log_field_name name, const char *text)
{
	if (text != NULL)
		add_slice(event, name, slice_of(text));
}

static void
add_number(struct event *event, enum log_field_name name, int64_t number)
{
	add(event, &(struct log_field){ .name = log_fields[name].name, .number = number });
}

static void
add_seconds(struct event *event, enum log_field_name name, int64_t ms)
{
	add(event, &(struct log_field){ .name = log_fields[name].name, .number = ms, .is_ms = true });
}

/* What no database knows is left out. */
static void
add_place(struct event *event, const struct location *place)
{
	if (place->country[0] != '\0')
		add_text(event, LOG_FIELD_country, place->country);
	if (place->asn != 0)
		add_number(event, LOG_FIELD_asn, place->asn);
}

/* Whose session it is. */
static void
begin_event(struct event *event, const struct session *s)
{
	event->count = 0;
	add_text(event, LOG_FIELD_session, s->identity.session);
	add_text(event, LOG_FIELD_origin, s->identity.origin);
	add_text(event, LOG_FIELD_tags, s->identity.tags);
	add_text(event, LOG_FIELD_listener, s->listener->name);
	add_text(event, LOG_FIELD_protocol, s->proto->name);
	add_text(event, LOG_FIELD_client, client_text(s, s->worker->snapshot->mask_addresses, event->client));
	add_number(event, LOG_FIELD_client_port, addr_port(&s->identity.client));
	add_place(event, &s->identity.place);
	add_text(event, LOG_FIELD_via, via_text(s, event->via));
}

/* Behind all that a filter has to rely on: it may look like anything. */
static void
add_user(struct event *event, const struct session *s)
{
	add_text(event, LOG_FIELD_user, user_text(s, event->hashed, sizeof(event->hashed)));
}

static const char *
mechanism_text(const struct credentials *credentials)
{
	return credentials->mechanism != MECHANISM_NONE ? mechanism_facts[credentials->mechanism].name :
							  "command";
}

/* While there is one: how it went. */
static void
add_login(struct event *event, const struct session *s, bool is_done)
{
	const struct login *login = s->login;
	const struct back *back = s->leg != NULL ? s->leg->back : NULL;
	struct tls_facts facts = { 0 };

	if (login == NULL || login->begun_at == 0)
		return;
	add_text(event, LOG_FIELD_mechanism, mechanism_text(&login->dialogue.credentials));
	add_text(event, LOG_FIELD_auth, login->auth.asked != NULL ? login->auth.asked->conf.title : "server");
	add_seconds(event, LOG_FIELD_login_seconds, loop_now(s->worker->loop) - login->begun_at);
	if (!is_done || back == NULL)
		return;
	if (s->leg->way != NULL && s->leg->way->route.queued_ms > 0)
		add_seconds(event, LOG_FIELD_queue_seconds, s->leg->way->route.queued_ms);
	tls_facts_read(&back->stream, &facts);
	add_text(event, LOG_FIELD_server_tls, facts.version);
}

static void
write_event(const struct session *s, enum session_events kind, const char *reason, const char *code)
{
	const struct endpoint *endpoint = session_endpoint(s);
	struct event event;

	begin_event(&event, s);
	if (kind == SESSION_EVENT_LOGIN_FAILED)
		add_number(&event, LOG_FIELD_guess, s->login->is_guess);
	add_user(&event, s);
	add_text(&event, LOG_FIELD_tls, s->identity.tls_version);
	add_text(&event, LOG_FIELD_cipher, s->identity.tls_cipher);
	add_text(&event, LOG_FIELD_certificate_user, s->identity.certificate_user);
	if (kind != SESSION_EVENT_SESSION)
		add_login(&event, s, kind == SESSION_EVENT_LOGIN);
	add_text(&event, LOG_FIELD_server, endpoint != NULL ? endpoint->name : NULL);
	add_number(&event, LOG_FIELD_bytes_up, relayed(s, true));
	add_number(&event, LOG_FIELD_bytes_down, relayed(s, false));
	add_seconds(&event, LOG_FIELD_seconds, loop_now(s->worker->loop) - s->accepted_at);
	add_text(&event, LOG_FIELD_code, code);
	add_text(&event, LOG_FIELD_reason, reason);
	log_event(name_event(kind), event.fields, (int)event.count);
}

void
session_event(const struct session *s, enum session_events kind, const char *reason, const char *code)
{
	/* the session's own snapshot may be gone */
	if ((s->worker->snapshot->events & kind) != 0 && log_wants_access())
		write_event(s, kind, reason, code);
}

static void
add_list(struct event *event, enum log_field_name name, struct slice list)
{
	if (list.len > 0)
		add_slice(event, name, list);
}

static void
write_message(const struct session *s, const struct mediated_message *message,
    const struct endpoint *endpoint, int64_t took_ms)
{
	const char *status = message->is_accepted ? "accepted" : message->is_ours ? "failed" : "refused";
	struct event event;

	begin_event(&event, s);
	add_user(&event, s);
	/* also where it is empty: so a bounce is sent */
	add_slice(&event, LOG_FIELD_from, message->from.len > 0 ? message->from : slice_of(""));
	add_list(&event, LOG_FIELD_to, message->recipients);
	add_list(&event, LOG_FIELD_refused_to, message->refused_recipients);
	add_number(&event, LOG_FIELD_accepted, message->accepted);
	add_number(&event, LOG_FIELD_refused, message->refused);
	add_number(&event, LOG_FIELD_size, (int64_t)message->size);
	add_text(&event, LOG_FIELD_server, endpoint != NULL ? endpoint->name : NULL);
	add_text(&event, LOG_FIELD_status, status);
	add_list(&event, LOG_FIELD_reply, message->reply);
	add_seconds(&event, LOG_FIELD_seconds, took_ms);
	log_event(name_event(SESSION_EVENT_MESSAGE), event.fields, (int)event.count);
}

void
session_screened(const struct session *s, const struct screen_finding *finding)
{
	struct event event;

	if ((s->worker->snapshot->events & SESSION_EVENT_SCREEN) == 0 || !log_wants_access())
		return;
	begin_event(&event, s);
	add_seconds(&event, LOG_FIELD_seconds, finding->took_ms);
	add_text(&event, LOG_FIELD_result, finding->result);
	add_text(&event, LOG_FIELD_action, finding->action);
	add_number(&event, LOG_FIELD_score, finding->score);
	add_text(&event, LOG_FIELD_zones, finding->zones);
	if (finding->unknown_zones > 0)
		add_number(&event, LOG_FIELD_unknown_zones, finding->unknown_zones);
	log_event(name_event(SESSION_EVENT_SCREEN), event.fields, (int)event.count);
}

void
session_message(const struct session *s, const struct mediated_message *message,
    const struct endpoint *endpoint, int64_t took_ms)
{
	if ((s->worker->snapshot->events & SESSION_EVENT_MESSAGE) != 0 && log_wants_access())
		write_message(s, message, endpoint, took_ms);
}
