/* SPDX-License-Identifier: BSD-2-Clause */
/* session_log.c: a session's lines and events in the log. */
#include "session/session.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "balance/endpoint.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/log_line.h"
#include "base/xalloc.h"
#include "proto/mediator.h"
#include "session/login.h"
#include "session/relay.h"

enum { LINE_MAX_SIZE = 1024 };

/* "7f3a imap 192.0.2.7 user=bob back=imap/d03: ": what all lines of a session begin with. */
static void
write_prefix(const struct session *s, const struct endpoint *endpoint, struct buf *out)
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

static void
write_line(const struct session *s, const struct endpoint *endpoint, int level, const char *format,
    va_list args)
{
	char text[LINE_MAX_SIZE];
	struct buf prefix = { 0 };

	vsnprintf(text, sizeof(text), format, args);
	write_prefix(s, endpoint, &prefix);
	log_write(level, "%.*s: %s", SLICE_ARGS(buf_slice(&prefix)), text);
	buf_clear(&prefix);
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
	if (s->login == NULL || s->login->user == NULL)
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
	switch (event) {
	case SESSION_EVENT_LOGIN:
		return "login";
	case SESSION_EVENT_LOGIN_FAILED:
		return "login_failed";
	case SESSION_EVENT_MESSAGE:
		return "message";
	case SESSION_EVENT_SESSION:
		break;
	}
	return "session";
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

/* One that is left out where there is no text. */
#define TEXT_FIELD(name_, text_) { .name = (name_), .text = (text_), .number = LOG_FIELD_UNSET }

/* The load balancer before us, if one told the client's address. */
static const char *
via_text(const struct session *s, char out[ADDR_TEXT_MAX])
{
	return s->via != NULL ? addr_host(s->via, out) : NULL;
}

static void
write_event(const struct session *s, enum session_events event, const char *reason, bool is_masked)
{
	char client[ADDR_TEXT_MAX], via[ADDR_TEXT_MAX], hashed[32];
	const struct endpoint *endpoint = session_endpoint(s);
	struct log_field fields[] = {
		TEXT_FIELD("session", s->identity.session),
		TEXT_FIELD("origin", s->identity.origin),
		TEXT_FIELD("listener", s->listener->name),
		TEXT_FIELD("protocol", s->proto->name),
		TEXT_FIELD("client", client_text(s, is_masked, client)),
		{ .name = "client_port", .number = addr_port(&s->identity.client) },
		TEXT_FIELD("via", via_text(s, via)),
		TEXT_FIELD("user", user_text(s, hashed, sizeof(hashed))),
		TEXT_FIELD("tls", s->identity.tls_version),
		TEXT_FIELD("cipher", s->identity.tls_cipher),
		TEXT_FIELD("certificate_user", s->identity.certificate_user),
		TEXT_FIELD("server", endpoint != NULL ? endpoint->name : NULL),
		{ .name = "bytes_up", .number = relayed(s, true) },
		{ .name = "bytes_down", .number = relayed(s, false) },
		{ .name = "seconds", .number = loop_now(s->worker->loop) - s->accepted_at, .is_ms = true },
		TEXT_FIELD("reason", reason),
	};

	log_event(name_event(event), fields, sizeof(fields) / sizeof(fields[0]));
}

void
session_event(const struct session *s, enum session_events event, const char *reason)
{
	const struct snapshot *now = s->worker->snapshot;	/* the session's own may be gone */

	if ((now->events & event) != 0 && log_wants_access())
		write_event(s, event, reason, now->mask_addresses);
}

/* NULL: there is none. */
static char *
text_of(struct slice slice)
{
	return slice.len > 0 ? xstrndup(slice.data, slice.len) : NULL;
}

static void
write_message(const struct session *s, const struct mediated_message *message, int64_t took_ms)
{
	char client[ADDR_TEXT_MAX], via[ADDR_TEXT_MAX];
	const struct endpoint *endpoint = session_endpoint(s);
	char *from = xstrndup(message->from.data, message->from.len);
	char *to = text_of(message->recipients), *refused = text_of(message->refused_recipients);
	char *reply = text_of(message->reply);
	const char *status = message->is_accepted ? "accepted" : message->is_ours ? "failed" : "refused";
	struct log_field fields[] = {
		TEXT_FIELD("session", s->identity.session),
		TEXT_FIELD("origin", s->identity.origin),
		TEXT_FIELD("listener", s->listener->name),
		TEXT_FIELD("protocol", s->proto->name),
		TEXT_FIELD("client", client_text(s, s->worker->snapshot->mask_addresses, client)),
		{ .name = "client_port", .number = addr_port(&s->identity.client) },
		TEXT_FIELD("via", via_text(s, via)),
		TEXT_FIELD("user", s->identity.user),
		TEXT_FIELD("from", from),
		TEXT_FIELD("to", to),
		TEXT_FIELD("refused_to", refused),
		{ .name = "accepted", .number = message->accepted },
		{ .name = "refused", .number = message->refused },
		{ .name = "size", .number = (int64_t)message->size },
		TEXT_FIELD("server", endpoint != NULL ? endpoint->name : NULL),
		TEXT_FIELD("status", status),
		TEXT_FIELD("reply", reply),
		{ .name = "seconds", .number = took_ms, .is_ms = true },
	};

	log_event(name_event(SESSION_EVENT_MESSAGE), fields, sizeof(fields) / sizeof(fields[0]));
	xfree(from);
	xfree(to);
	xfree(refused);
	xfree(reply);
}

void
session_message(const struct session *s, const struct mediated_message *message, int64_t took_ms)
{
	if ((s->worker->snapshot->events & SESSION_EVENT_MESSAGE) != 0 && log_wants_access())
		write_message(s, message, took_ms);
}
