/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_dial.c: SMTP and LMTP as a server is spoken to: EHLO or LHLO, STARTTLS, the client's
 * address and name by XCLIENT (Postfix's XCLIENT_README), the login by AUTH
 * (RFC 4954).  After XCLIENT the server is spoken to as the client would,
 * and what it announced before does not count any more.
 */
#include "proto/smtp.h"

#include <string.h>

#include "base/base64.h"
#include "base/identity.h"
#include "proto/capability.h"
#include "proto/xclient.h"

/* In dial->notes. */
enum {
	NOTE_CODE = 0x3ff,		/* of the reply whose first lines have come; 0: none */
	NOTE_NO_IPV6 = 0x400		/* the server knows no IPv6 */
};

enum { CHALLENGE = 334 };

/* ANSWER_MORE until the reply's last line; where it is ANSWER_GARBLED, *reply may be anything. */
static enum answer
read_reply(struct dial *dial, struct slice line, int wanted, struct smtp_reply *reply)
{
	unsigned begun = dial->notes & NOTE_CODE;

	if (!smtp_take_reply(line, reply) || (begun != 0 && (int)begun != reply->code))
		return ANSWER_GARBLED;
	dial->notes &= ~(unsigned)NOTE_CODE;
	if (!reply->is_last) {
		dial->notes |= (unsigned)reply->code;
		return ANSWER_MORE;
	}
	if (reply->code == wanted)
		return ANSWER_OK;
	if (reply->code < 400)
		return ANSWER_GARBLED;
	return reply->code < 500 ? ANSWER_LATER : ANSWER_REFUSED;
}

static enum answer
read_greeting(struct dial *dial, struct slice line)
{
	struct smtp_reply reply;
	enum answer answer = read_reply(dial, line, 220, &reply);
	bool is_told = dial->order.identity != NULL &&
	    (dial->order.forward == FORWARD_PROXY || dial->order.forward == FORWARD_PROXY_V2);

	/* a block list, say; the next server has the same */
	dial->refuses_client = answer == ANSWER_REFUSED && is_told;
	return answer;
}

/* The first line greets, each other is a capability; how many there are is bounded in dial.c. */
static enum answer
read_ehlo(struct dial *dial, struct slice line)
{
	bool is_first = (dial->notes & NOTE_CODE) == 0;
	struct smtp_reply reply;
	enum answer answer = read_reply(dial, line, 250, &reply);

	if (is_first) {
		dial_forget(dial);
		dial->has_list = answer == ANSWER_OK || answer == ANSWER_MORE;
	} else if (answer != ANSWER_GARBLED) {
		dial_learn(dial, slice_trim(reply.text));
	}
	return answer;
}

/* There is nothing to be had from a server that was told HELO. */
static enum answer
read_helo(struct dial *dial, struct slice line)
{
	struct smtp_reply reply;

	dial_forget(dial);
	return read_reply(dial, line, 250, &reply);
}

/* Not the moment for TLS is none at all: only a server that takes its leave may be better later. */
static enum answer
read_starttls(struct dial *dial, struct slice line)
{
	struct smtp_reply reply;
	enum answer answer = read_reply(dial, line, 220, &reply);

	return answer == ANSWER_LATER && reply.code != 421 ? ANSWER_REFUSED : answer;
}

enum answer
smtp_read_login(struct dial *dial, struct slice line)
{
	struct smtp_reply reply;

	return read_reply(dial, line, 235, &reply);
}

bool
smtp_take_challenge(struct dial *dial, struct slice line, struct slice *base64)
{
	unsigned begun = dial->notes & NOTE_CODE;
	struct smtp_reply reply;

	if (!smtp_take_reply(line, &reply) || !reply.is_last || reply.code != CHALLENGE ||
	    (begun != 0 && begun != CHALLENGE))
		return false;
	dial->notes &= ~(unsigned)NOTE_CODE;
	*base64 = slice_trim(reply.text);
	return true;
}

/* The server has heard of the client by a PROXY header, and takes all that follows for its words. */
static bool
is_proxied(const struct dial *dial)
{
	return dial->order.forward == FORWARD_PROXY || dial->order.forward == FORWARD_PROXY_V2;
}

static void
write_hello(struct dial *dial, const char *verb, bool is_client)
{
	const struct identity *identity = dial->order.identity;
	const char *name = dial->order.hostname;

	if (is_client && identity != NULL && smtp_helo_is_valid(slice_of(identity->helo)))
		name = identity->helo;
	buf_printf(&dial->out, "%s %s\r\n", verb, name);
}

static void
send_ehlo(struct dial *dial)
{
	write_hello(dial, dial->order.proto->hello_command, is_proxied(dial));
}

/* What the server announces behind XCLIENT; false: it does not. */
static bool
find_xclient(const struct dial *dial, struct slice *attributes)
{
	struct slice rest = buf_slice(&dial->capabilities);

	while (rest.len > 0) {
		*attributes = capability_next(&rest);
		if (slice_equals_nocase(slice_word(attributes), "XCLIENT"))
			return true;
	}
	return false;
}

static bool
announces(const struct dial *dial, const char *attribute)
{
	struct slice attributes;

	return find_xclient(dial, &attributes) && xclient_takes(attributes, attribute);
}

/* The attributes it takes.  Of a server that announces no XCLIENT, what any Postfix has is expected. */
static struct slice
taken_attributes(const struct dial *dial)
{
	static const char expected[] = "NAME ADDR PORT PROTO HELO LOGIN";
	struct slice attributes;

	return find_xclient(dial, &attributes) ? attributes : slice_of(expected);
}

/* How the server hears of the client's address is left to us: by XCLIENT then, as SMTP has no ID. */
static bool
is_automatic(const struct dial *dial)
{
	return dial->order.forward == FORWARD_AUTO || dial->order.forward == FORWARD_ID;
}

static bool
tells_address(const struct dial *dial)
{
	return is_automatic(dial) || dial->order.forward == FORWARD_XCLIENT;
}

static bool
tells_user(const struct dial *dial)
{
	return dial->order.credentials != NULL && dial->order.login == LOGIN_XCLIENT;
}

static const char no_way[] = "server offers no way to pass the client's address";

/* For a health check, which has no client to tell of: no session could do anything there. */
static bool
offers_no_way(const struct dial *dial)
{
	return dial->order.identity == NULL && is_automatic(dial) && !announces(dial, "ADDR") &&
	    !dial->order.proto->tells_if_asked;
}

static void
refuse_no_way(struct dial *dial)
{
	dial_fail(dial, no_way);
}

static bool
wants_xclient(const struct dial *dial)
{
	bool may_be_silent = is_automatic(dial) && dial->order.proto->tells_if_asked;

	if (dial->order.identity == NULL || (may_be_silent && !announces(dial, "ADDR")))
		return false;
	return tells_address(dial) || tells_user(dial);
}

/* Nothing, where it is empty or too long for any server. */
static void
write_attribute(struct dial *dial, const char *name, struct slice value)
{
	size_t before = buf_len(&dial->out), start = before + strlen(name) + 2, end;

	buf_printf(&dial->out, " %s=", name);
	smtp_write_xtext(&dial->out, value);
	end = buf_len(&dial->out);
	if (end == start || end - start > XCLIENT_VALUE_MAX)
		buf_truncate(&dial->out, before);
}

static void
write_user(struct dial *dial, struct slice taken)
{
	size_t before = buf_len(&dial->out);

	if (!xclient_takes(taken, "LOGIN"))
		dial_fail(dial, "server's XCLIENT takes no LOGIN");
	write_attribute(dial, "LOGIN", buf_slice(&dial->order.credentials->user));
	if (buf_len(&dial->out) == before)
		dial_fail(dial, "user does not fit in XCLIENT");
}

static void
forget_ipv6(struct addr *addr)
{
	if (addr_from_sockaddr(&addr->sa, sizeof(addr->in6)).sa.sa_family == AF_INET6)
		*addr = (struct addr){ .sa.sa_family = AF_UNSPEC };
}

/* In one command: the server may take a second one from us no more, and forgets the first one's LOGIN. */
static void
write_attributes(struct dial *dial)
{
	struct identity identity = *dial->order.identity;
	struct slice taken = taken_attributes(dial);

	if ((dial->notes & NOTE_NO_IPV6) != 0) {
		forget_ipv6(&identity.client);
		forget_ipv6(&identity.local);
	}
	if (tells_address(dial))
		xclient_tell(dial, &identity, XCLIENT_POSTFIX, &taken, write_attribute);
	if (tells_user(dial))
		write_user(dial, taken);
}

static void
send_xclient(struct dial *dial)
{
	static const char verb[] = "XCLIENT";
	size_t before = buf_len(&dial->out);

	/* who may speak PROXY could claim our own address, and with it XCLIENT */
	if (is_proxied(dial))
		dial_fail(dial, "no XCLIENT behind a PROXY header");
	if (is_automatic(dial) && !announces(dial, "ADDR"))
		dial_fail(dial, no_way);
	buf_append_text(&dial->out, verb);
	write_attributes(dial);
	if (buf_len(&dial->out) == before + strlen(verb))
		dial_fail(dial, "server's XCLIENT takes nothing that is known");
	buf_append_text(&dial->out, "\r\n");
}

static bool
told_ipv6(const struct dial *dial)
{
	const struct addr *client = &dial->order.identity->client;
	struct addr plain = addr_from_sockaddr(&client->sa, sizeof(client->in6));

	return plain.sa.sa_family == AF_INET6 && tells_address(dial) &&
	    xclient_takes(taken_attributes(dial), "ADDR");
}

static bool
wants_xclient_again(const struct dial *dial)
{
	return (dial->notes & NOTE_NO_IPV6) != 0;
}

/* Postfix with inet_protocols=ipv4 knows no IPv6; as ADDR came first, nothing of the command counts yet. */
static enum answer
read_xclient(struct dial *dial, struct slice line)
{
	struct smtp_reply reply;
	enum answer answer = read_reply(dial, line, 220, &reply);

	/* who is not allowed the command is not announced it */
	dial->refuses_client = answer == ANSWER_REFUSED && reply.code != 501 && dial_has(dial, "XCLIENT");
	if (answer != ANSWER_REFUSED || reply.code != 501 || wants_xclient_again(dial) || !told_ipv6(dial))
		return answer;
	dial->notes |= NOTE_NO_IPV6;
	return ANSWER_OK;
}

/* Who said HELO is not announced anything; but to log in takes EHLO. */
static bool
is_basic(const struct dial *dial)
{
	const struct identity *identity = dial->order.identity;

	return identity->helo != NULL && !identity->is_extended && !dial_logs_in(dial);
}

static bool
wants_ehlo_as_client(const struct dial *dial)
{
	return wants_xclient(dial) && !is_basic(dial);
}

static bool
wants_helo_as_client(const struct dial *dial)
{
	return wants_xclient(dial) && is_basic(dial);
}

static void
send_ehlo_as_client(struct dial *dial)
{
	write_hello(dial, dial->order.proto->hello_command, true);
}

static void
send_helo_as_client(struct dial *dial)
{
	write_hello(dial, "HELO", true);
}

/* AUTH LOGIN takes any user and password, and nothing else. */
const char *
smtp_refuses_plain(const struct dial *dial)
{
	if (dial_needs_mechanism(dial) || (dial->mechanisms & MECHANISM_BIT(MECHANISM_LOGIN)) != 0)
		return NULL;
	return "server offers no AUTH PLAIN or LOGIN";
}

static void
send_user(struct dial *dial)
{
	base64_encode(buf_slice(&dial->order.credentials->user), &dial->out);
	buf_append_text(&dial->out, "\r\n");
}

static void
send_password(struct dial *dial)
{
	base64_encode(buf_slice(&dial->order.credentials->password), &dial->out);
	buf_append_text(&dial->out, "\r\n");
}

const struct dial_step smtp_dial[] = {
	/* while ...              if                    reply, flags, and what is sent */
	{ "reading greeting",     NULL,                 read_greeting, 0, .send = NULL },
	{ "saying EHLO",          NULL,                 read_ehlo, 0, .send = send_ehlo },
	{ "asking for TLS",       dial_wants_tls,       read_starttls, DIAL_STARTS_TLS,
	    .send = dial_send_starttls },
	{ "saying EHLO",          dial_began_tls,       read_ehlo, 0, .send = send_ehlo },
	{ "telling the address",  offers_no_way,        NULL, DIAL_DECIDES, .send = refuse_no_way },
	{ "telling the address",  wants_xclient,        read_xclient, DIAL_SECRET, .send = send_xclient },
	{ "telling the address",  wants_xclient_again,  read_xclient, DIAL_SECRET, .send = send_xclient },
	{ "saying EHLO anew",     wants_ehlo_as_client, read_ehlo, 0, .send = send_ehlo_as_client },
	{ "saying HELO anew",     wants_helo_as_client, read_helo, 0, .send = send_helo_as_client },
	DIAL_SASL_STEPS(NULL),
	{ "asking to log in",     dial_is_plain,        dial_read_go_ahead, DIAL_ASKS,
	    .command = "AUTH LOGIN" },
	{ "sending the user",     dial_is_plain,        dial_read_go_ahead, DIAL_ASKS, .send = send_user },
	{ "sending the password", dial_is_plain,        dial_read_login, DIAL_TELLS, .send = send_password },
	{ 0 }
};
