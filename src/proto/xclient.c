/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xclient.c: writes XCLIENT as Dovecot's POP3 and ManageSieve logins take it
 * (what SMTP servers are told is smtp_dial.c's), and reads what trusted peers
 * tell in any of these ways.
 */
#include "proto/xclient.h"

#include <string.h>

#include "base/xalloc.h"
#include "proto/command.h"
#include "proto/smtp.h"

enum { VALUE_MAX = 255 };		/* octets of an attribute as it is written: Postfix takes no more */

bool
xclient_is_wanted(const struct dial *dial)
{
	if (dial->order.identity == NULL)
		return false;
	if (dial->order.forward == FORWARD_AUTO)
		return dial_has(dial, "XCLIENT");
	return dial->order.forward == FORWARD_XCLIENT;
}

void
xclient_send(struct dial *dial)
{
	const struct identity *identity = dial->order.identity;
	struct buf *out = &dial->out;
	const struct addr *client = &identity->client;
	char host[ADDR_TEXT_MAX];

	buf_append_text(out, "XCLIENT");
	if (client->sa.sa_family == AF_INET || client->sa.sa_family == AF_INET6)
		buf_printf(out, " ADDR=%s PORT=%u", addr_host(client, host), (unsigned)addr_port(client));
	buf_printf(out, " SESSION=%s TTL=%d\r\n", identity_session(identity), identity->hops - 1);
}

/* Postfix writes "IPV6:2001:db8::1"; Dovecot leaves the prefix out. */
static bool
set_host(struct xclient_end *end, struct slice value)
{
	static const char prefix[] = "IPV6:";

	if (slice_has_prefix_nocase(value, prefix))
		value = slice_from(value, strlen(prefix));
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

static bool
set_client_host(struct xclient *told, struct slice value)
{
	return set_host(&told->client, value);
}

static bool
set_client_port(struct xclient *told, struct slice value)
{
	return set_port(&told->client, value);
}

static bool
set_local_host(struct xclient *told, struct slice value)
{
	return set_host(&told->local, value);
}

static bool
set_local_port(struct xclient *told, struct slice value)
{
	return set_port(&told->local, value);
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
	told->is_extended = slice_equals_nocase(value, "ESMTP");
	return told->is_extended || slice_equals_nocase(value, "SMTP");
}

/* A name that was looked up elsewhere: nothing here goes by it. */
static bool
pass_over(struct xclient *told, struct slice value)
{
	(void)told;
	(void)value;
	return true;
}

/* LOGIN is none of them: nobody is a user for a proxy's word. */
static const struct field {
	const char *attribute, *id;	/* its name in XCLIENT and in ID; NULL: it has none there */
	bool (*set)(struct xclient *told, struct slice value);
} fields[] = {
	{ "ADDR",     "x-originating-ip",   set_client_host },
	{ "PORT",     "x-originating-port", set_client_port },
	{ "DESTADDR", "x-connected-ip",     set_local_host },
	{ "DESTPORT", "x-connected-port",   set_local_port },
	{ "SESSION",  "x-session-id",       set_session },
	{ "TTL",      "x-proxy-ttl",        set_hops },
	{ "HELO",     NULL,                 set_helo },
	{ "PROTO",    NULL,                 set_proto },
	{ "NAME",     NULL,                 pass_over },
};
enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

static bool
is_unavailable(struct slice value)
{
	return slice_equals_nocase(value, "[UNAVAILABLE]") || slice_equals_nocase(value, "[TEMPUNAVAIL]");
}

static bool
set_written(const struct field *field, struct slice written, enum xclient_form form, struct xclient *told)
{
	struct buf text = { 0 };
	bool is_good;

	if (form == XCLIENT_DOVECOT)
		return field->set(told, written);
	is_good = smtp_read_xtext(written, &text) && field->set(told, buf_slice(&text));
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
		if (value.len == 0 || value.len > VALUE_MAX)
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
			(void)fields[i].set(told, value);
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
