/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * front_proxy.c: the PROXY header that a peer of accept_proxy must send
 * before its client's first byte.  Whoever sends another one, or none, is
 * told nothing.
 */
#include "session/session.h"

#include "base/log.h"
#include "base/log_line.h"
#include "base/xalloc.h"
#include "net/proxy_reader.h"
#include "session/entrance.h"
#include "session/login.h"

enum { HEADER_MS = 5000 };	/* a peer sends it at once: as long as Postfix waits for it */

static void
refuse(struct session *s, const char *why)
{
	session_log(s, LOG_NOTICE, "PROXY header: %s", why);
	session_end(s, END_PROXY_HEADER);
}

void
front_proxy_begin(struct session *s)
{
	session_enter(s, FRONT_PROXY);
	session_wake_at(s, s->accepted_at + HEADER_MS);
}

void
front_proxy_late(struct session *s)
{
	refuse(s, stream_unread(&s->front) > 0 ? "only a part of it came in time" : "none came in time");
}

/* The identity has constants; an unheard-of version is TLS all the same. */
static const char *
tls_version(struct slice told)
{
	static const char *const versions[] = { "TLSv1.3", "TLSv1.2", "TLSv1.1", "TLSv1" };

	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
		if (slice_equals(told, versions[i]))
			return versions[i];
	return "TLS";
}

static void
append_fact(struct buf *out, const char *name, struct slice value)
{
	if (value.len == 0)
		return;
	buf_printf(out, " %s=", name);
	log_line_quote(value, out);
}

/* By these an operator finds the client in the peer's own log. */
static void
log_facts(const struct session *s, const struct proxy_facts *facts)
{
	struct buf text = { 0 };

	append_fact(&text, "tls", facts->tls_version);
	append_fact(&text, "cipher", facts->tls_cipher);
	append_fact(&text, "sni", facts->sni);
	session_log(s, LOG_DEBUG, "PROXY header%s:%.*s", facts->has_addresses ? "" : " without a client",
	    SLICE_ARGS(buf_slice(&text)));
	buf_clear(&text);
}

static void
believe(struct session *s, const struct proxy_facts *facts)
{
	if (facts->has_addresses) {
		s->via = xmalloc(sizeof(*s->via));
		*s->via = s->identity.client;
		s->identity.client = facts->client;
		s->identity.local = facts->local;
	}
	identity_set_origin(&s->identity, facts->unique_id);
	if (facts->has_tls)
		s->identity.tls_version = tls_version(facts->tls_version);
	if (log_wants(LOG_DEBUG))
		log_facts(s, facts);
}

size_t
front_proxy_read(struct session *s, struct slice data)
{
	struct proxy_facts facts;

	switch (proxy_facts_read(data, &facts)) {
	case PROXY_MORE:
		return 0;
	case PROXY_BAD:
		refuse(s, facts.why);
		return 0;
	case PROXY_DONE:
		believe(s, &facts);
		entrance_begin(s);
		/* what is behind it is the client's, its hello perhaps */
		if (!s->has_ended)
			stream_tell_again(&s->front);
		return facts.len;
	}
	return 0;
}
