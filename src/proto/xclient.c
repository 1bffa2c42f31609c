/* SPDX-License-Identifier: BSD-2-Clause */
/* xclient.c: the table of what proxies tell of their clients: each field read and written, in all forms. */
#include "proto/xclient.h"

#include <string.h>

#include "base/xalloc.h"
#include "proto/command.h"
#include "proto/smtp.h"

static const char unavailable[] = "[UNAVAILABLE]", ipv6[] = "IPV6:";

bool
xclient_is_wanted(const struct dial *dial)
{
	if (dial->order.identity == NULL)
		return false;
	if (dial->order.forward == FORWARD_AUTO)
		return dial_has(dial, "XCLIENT");
	return dial->order.forward == FORWARD_XCLIENT;
}

/* Postfix writes "IPV6:2001:db8::1"; Dovecot leaves the prefix out. */
static bool
set_host(struct xclient_end *end, struct slice value)
{
	if (slice_has_prefix_nocase(value, ipv6))
		value = slice_from(value, strlen(ipv6));
	if (addr_parse(value, 0, &end->addr))
		return true;
	end->is_bad = true;
	return false;
}

static bool
set_port(struct xclient_end *end, struct slice value)
{
	uint64_t port = 0;

	if (!slice_to_number(value, UINT16_MAX, &port))
		end->is_bad = true;
	end->port = (uint16_t)port;
	return !end->is_bad;
}

/* One that does not fit is none, and no reason to refuse the rest. */
static bool
set_session(struct xclient *told, struct slice value)
{
	if (!identity_is_session(value))
		return true;
	memcpy(told->session, value.data, value.len);
	told->session[value.len] = '\0';
	return true;
}

static bool
set_hops(struct xclient *told, struct slice value)
{
	uint64_t hops;

	if (!slice_to_number(value, UINT8_MAX, &hops))
		return false;
	told->has_hops = true;
	told->hops = (uint8_t)hops;
	return true;
}

static bool
set_helo(struct xclient *told, struct slice value)
{
	if (!smtp_helo_is_valid(value) || value.len > XCLIENT_HELO_MAX)
		return false;
	memcpy(told->helo, value.data, value.len);
	told->helo[value.len] = '\0';
	return true;
}

static bool
set_proto(struct xclient *told, struct slice value)
{
	told->has_proto = true;
	told->is_extended = slice_equals_nocase(value, "ESMTP") || slice_equals_nocase(value, "LMTP");
	return told->is_extended || slice_equals_nocase(value, "SMTP");
}

/* IPv4 within IPv6 is IPv4. */
static void
write_end(const struct addr *addr, bool is_port, enum xclient_form form, struct buf *out)
{
	struct addr plain = addr_from_sockaddr(&addr->sa, sizeof(addr->in6));
	bool is_ipv6 = plain.sa.sa_family == AF_INET6, is_ip = is_ipv6 || plain.sa.sa_family == AF_INET;
	char host[ADDR_TEXT_MAX];

	if (is_ip && is_port)
		buf_printf(out, "%u", (unsigned)addr_port(&plain));
	else if (is_ip)
		buf_printf(out, "%s%s", is_ipv6 && form == XCLIENT_POSTFIX ? ipv6 : "",
		    addr_host(&plain, host));
	else if (form == XCLIENT_POSTFIX && !is_port)
		buf_append_text(out, unavailable);
}

#define IN(form) (1U << (form))
enum { NO_DOVECOT = IN(XCLIENT_POSTFIX) | IN(XCLIENT_ID), IN_ALL = NO_DOVECOT | IN(XCLIENT_DOVECOT) };

enum value { VALUE_HOST, VALUE_PORT, VALUE_SESSION, VALUE_HOPS, VALUE_HELO, VALUE_PROTO, VALUE_NAME };

/* LOGIN is none of them: nobody is a user for a proxy's word. */
static const struct field {
	const char *attribute, *id;	/* its name in XCLIENT and in ID; NULL: it has none there */
	enum value value;
	bool is_local;			/* of the address that the client came to */
	unsigned told;			/* IN(form): where servers are told */
} fields[] = {
	{ "ADDR",     "x-originating-ip",   VALUE_HOST,    false, IN_ALL },
	{ "PORT",     "x-originating-port", VALUE_PORT,    false, IN_ALL },
	{ "NAME",     NULL,                 VALUE_NAME,    false, IN(XCLIENT_POSTFIX) },
	{ "PROTO",    NULL,                 VALUE_PROTO,   false, IN(XCLIENT_POSTFIX) },
	{ "HELO",     NULL,                 VALUE_HELO,    false, IN(XCLIENT_POSTFIX) },
	{ "SESSION",  "x-session-id",       VALUE_SESSION, false, IN_ALL },
	{ "TTL",      "x-proxy-ttl",        VALUE_HOPS,    false, IN_ALL },
	{ "DESTADDR", "x-connected-ip",     VALUE_HOST,    true,  NO_DOVECOT },
	{ "DESTPORT", "x-connected-port",   VALUE_PORT,    true,  NO_DOVECOT },
};
enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

static const char *
name_in(const struct field *field, enum xclient_form form)
{
	return form == XCLIENT_ID ? field->id : field->attribute;
}

static bool
set(const struct field *field, struct slice value, struct xclient *told)
{
	struct xclient_end *end = field->is_local ? &told->local : &told->client;

	switch (field->value) {
	case VALUE_HOST:
		return set_host(end, value);
	case VALUE_PORT:
		return set_port(end, value);
	case VALUE_SESSION:
		return set_session(told, value);
	case VALUE_HOPS:
		return set_hops(told, value);
	case VALUE_HELO:
		return set_helo(told, value);
	case VALUE_PROTO:
		return set_proto(told, value);
	case VALUE_NAME:
		break;		/* looked up elsewhere: nothing here goes by it */
	}
	return true;
}

/* Nothing, where nothing is known. */
static void
write_value(const struct field *field, const struct identity *identity, enum xclient_form form,
    struct buf *out)
{
	const struct addr *end = field->is_local ? &identity->local : &identity->client;

	switch (field->value) {
	case VALUE_HOST:
	case VALUE_PORT:
		write_end(end, field->value == VALUE_PORT, form, out);
		break;
	case VALUE_SESSION:
		buf_append_text(out, identity_session(identity));
		break;
	case VALUE_HOPS:
		buf_printf(out, "%d", identity->hops - 1);
		break;
	case VALUE_HELO:
		buf_append_slice(out, slice_of(identity->helo));
		break;
	case VALUE_PROTO:
		buf_append_text(out, identity->is_extended ? "ESMTP" : "SMTP");
		break;
	case VALUE_NAME:
		buf_append_text(out, unavailable);
		break;
	}
}

bool
xclient_takes(struct slice taken, const char *name)
{
	for (struct slice word = slice_word(&taken); word.len > 0; word = slice_word(&taken))
		if (slice_equals_nocase(word, name))
			return true;
	return false;
}

/* Which of the fields are told, a bit each. */
static unsigned
find_told(enum xclient_form form, const struct slice *taken)
{
	struct slice rest = taken != NULL ? *taken : slice_of(NULL);
	unsigned told = 0, named = 0;

	for (size_t i = 0; i < FIELDS; i++)
		if ((fields[i].told & IN(form)) != 0)
			told |= 1U << i;
	for (struct slice word = slice_word(&rest); word.len > 0; word = slice_word(&rest))
		for (size_t i = 0; i < FIELDS; i++)
			if ((told & 1U << i) != 0 && slice_equals_nocase(word, name_in(&fields[i], form)))
				named |= 1U << i;
	return taken != NULL ? named : told;
}

void
xclient_tell(struct dial *dial, const struct identity *identity, enum xclient_form form,
    const struct slice *taken, void (*write)(struct dial *dial, const char *name, struct slice value))
{
	unsigned told = find_told(form, taken);
	struct buf value = { 0 };

	for (size_t i = 0; i < FIELDS; i++) {
		if ((told & 1U << i) == 0)
			continue;
		write_value(&fields[i], identity, form, &value);
		if (buf_len(&value) > 0)
			write(dial, name_in(&fields[i], form), buf_slice(&value));
		buf_truncate(&value, 0);
	}
	buf_clear(&value);
}

static void
write_plainly(struct dial *dial, const char *name, struct slice value)
{
	buf_printf(&dial->out, " %s=%.*s", name, SLICE_ARGS(value));
}

void
xclient_send(struct dial *dial)
{
	buf_append_text(&dial->out, "XCLIENT");
	xclient_tell(dial, dial->order.identity, XCLIENT_DOVECOT, NULL, write_plainly);
	buf_append_text(&dial->out, "\r\n");
}

static bool
is_unavailable(struct slice value)
{
	return slice_equals_nocase(value, unavailable) || slice_equals_nocase(value, "[TEMPUNAVAIL]");
}

static bool
set_written(const struct field *field, struct slice written, enum xclient_form form, struct xclient *told)
{
	struct buf text = { 0 };
	bool is_good;

	if (form == XCLIENT_DOVECOT)
		return set(field, written, told);
	is_good = smtp_read_xtext(written, &text) && set(field, buf_slice(&text), told);
	buf_clear(&text);
	return is_good;
}

/* "NAME=value" */
static bool
take_attribute(struct slice value, enum xclient_form form, struct xclient *told)
{
	struct slice name = slice_take(&value, '=');

	for (size_t i = 0; i < FIELDS; i++) {
		if (!slice_equals_nocase(name, fields[i].attribute))
			continue;
		if (value.len == 0 || value.len > XCLIENT_VALUE_MAX)
			return false;
		return is_unavailable(value) || set_written(&fields[i], value, form, told);
	}
	return form == XCLIENT_DOVECOT;
}

bool
xclient_take(struct slice attributes, enum xclient_form form, struct xclient *told)
{
	struct slice word = slice_word(&attributes);

	*told = (struct xclient){ 0 };
	if (word.len == 0)
		return false;
	for (; word.len > 0; word = slice_word(&attributes))
		if (!take_attribute(word, form, told))
			return false;
	return true;
}

void
xclient_take_id(struct slice name, struct slice value, struct xclient *told)
{
	for (size_t i = 0; i < FIELDS; i++)
		if (fields[i].id != NULL && slice_equals_nocase(name, fields[i].id))
			(void)set(&fields[i], value, told);
}

static void
apply_end(const struct xclient_end *end, struct addr *addr)
{
	if (end->is_bad || end->addr.sa.sa_family == AF_UNSPEC)
		return;
	*addr = end->addr;
	addr_set_port(addr, end->port);
}

static void
set_text(char **text, const char *value)
{
	if (value[0] == '\0')
		return;
	xfree(*text);
	*text = xstrdup(value);
}

void
xclient_apply(const struct xclient *told, struct dialogue *d)
{
	struct identity *identity = d->identity;

	if (!d->has_told) {
		d->told_from = identity->client;
		d->told_at = identity->local;
		d->has_told = true;
	}
	apply_end(&told->client, &identity->client);
	apply_end(&told->local, &identity->local);
	identity_set_origin(identity, slice_of(told->session));
	set_text(&identity->helo, told->helo);
	if (told->has_proto)
		identity->is_extended = told->is_extended;
	/* never more than before: or a loop would have no end */
	if (told->has_hops && told->hops < identity->hops)
		identity->hops = told->hops;
}

enum step
xclient_run(struct dialogue *d, struct slice attributes)
{
	struct xclient told;

	if (!d->is_trusted)
		return command_refuse(d, REPLY_UNKNOWN);
	if (!xclient_take(attributes, XCLIENT_DOVECOT, &told))
		return command_refuse(d, REPLY_SYNTAX);
	xclient_apply(&told, d);
	return STEP_REPLIED;
}
