/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dial_fuzz.c: a hostile server against the dials of IMAP, of SMTP with
 * option 7, of POP3 and of ManageSieve with the first two bits of the byte that
 * cuts: the same outcome however its lines are cut, bounded memory, no secret
 * without wanted TLS, and no client that the server was not told of.
 */
#include "fuzz.h"

#include "base/identity.h"
#include "proto/dial.h"
#include "proto/pop3.h"

enum { KEPT_MAX = 256 * 1024 };		/* bounds of lines and octets, times what is kept of each */

static const char password[] = "Pa55word", encoded_password[] = "UGE1NXdvcmQ";

struct run {
	struct dial dial;
	struct credentials credentials;
	struct identity identity;
	enum dial_result result;
	size_t start;
	bool told;			/* XCLIENT was sent */
	struct buf trace;
};

/* IPv6 and an odd name behind EHLO, or IPv4 and a good one behind HELO. */
static void
fill_identity(struct identity *identity, bool is_odd)
{
	static char odd_name[] = "c+=\xc3\xb6 x", good_name[] = "c.test";

	addr_parse(slice_of(is_odd ? "2001:db8::7" : "203.0.113.7"), 5555, &identity->client);
	addr_parse(slice_of(is_odd ? "2001:db8::1" : "198.51.100.1"), 25, &identity->local);
	identity->helo = is_odd ? odd_name : good_name;
	identity->is_extended = is_odd;
}

/* Option 4: by XCLIENT, announced or not, and without credentials the user too. */
static void
order_smtp(struct run *run, struct dial_order *order, const struct input *input)
{
	order->proto = &proto_submission;
	order->hostname = "gp.test";
	order->forward = has_option(input, 4) ? FORWARD_XCLIENT : FORWARD_AUTO;
	if (has_option(input, 4) && order->credentials == NULL) {
		order->credentials = &run->credentials;
		order->login = LOGIN_XCLIENT;
	}
	fill_identity(&run->identity, has_option(input, 5));
}

/* Option 4: by XCLIENT in any case, and in UTF-8. */
static void
order_pop3(struct run *run, struct dial_order *order, const struct input *input)
{
	order->proto = &proto_pop3;
	order->forward = has_option(input, 4) ? FORWARD_XCLIENT : FORWARD_AUTO;
	order->wishes = has_option(input, 4) ? POP3_WISH_UTF8 : 0;
	fill_identity(&run->identity, has_option(input, 2));
}

/* Option 4: by XCLIENT in any case, and with a token. */
static void
order_sieve(struct run *run, struct dial_order *order, const struct input *input)
{
	order->proto = &proto_sieve;
	order->forward = has_option(input, 4) ? FORWARD_XCLIENT : FORWARD_AUTO;
	if (has_option(input, 4))
		run->credentials.mechanism = MECHANISM_OAUTHBEARER;
	fill_identity(&run->identity, has_option(input, 2));
}

static void
run_init(struct run *run, const struct input *input)
{
	struct dial_order order = { .proto = &proto_imap };

	memset(run, 0, sizeof(*run));
	run->credentials.mechanism = MECHANISM_PLAIN;
	buf_append_text(&run->credentials.user, "bob");
	buf_append_text(&run->credentials.password, password);
	if (has_option(input, 5))
		buf_append_text(&run->credentials.authzid, "alice");
	order.starttls = has_option(input, 0);
	order.needs_tls = has_option(input, 1);
	order.identity = has_option(input, 2) ? &run->identity : NULL;
	order.credentials = has_option(input, 3) ? NULL : &run->credentials;
	order.wants_capabilities = has_option(input, 4);
	order.until_login = order.credentials == NULL;
	if ((input->cut & 0x80) != 0)
		order_pop3(run, &order, input);
	else if ((input->cut & 0x40) != 0)
		order_sieve(run, &order, input);
	else if (has_option(input, 7))
		order_smtp(run, &order, input);
	dial_init(&run->dial, &order);
	run->result = dial_start(&run->dial);
}

static bool
says(const struct run *run, const char *words)
{
	const struct dial *dial = &run->dial;

	return buf_len(&dial->out) > 0 &&
	    memmem(buf_data(&dial->out), buf_len(&dial->out), words, strlen(words)) != NULL;
}

static void
check_secrets(const struct run *run)
{
	static const char *const secrets[] = { password, encoded_password, "AUTHENTICATE PLAIN ",
		"AUTHENTICATE \"", "AUTH PLAIN", "AUTH LOGIN", "XCLIENT", "USER ", "PASS " };
	const struct dial *dial = &run->dial;

	if (!dial->order.needs_tls || dial->tls_active)
		return;
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		must(!says(run, secrets[i]), "no secret without TLS");
}

static size_t
kept(const struct dial *dial)
{
	return buf_len(&dial->capabilities) + buf_len(&dial->capabilities_after) + buf_len(&dial->untagged) +
	    buf_len(&dial->last);
}

/* Feeds until the dial wants more. */
static void
feed(struct run *run, struct slice all)
{
	struct dial *dial = &run->dial;

	while (run->result == DIAL_MORE) {
		struct slice in = slice_from(all, run->start);
		char *copy = exact(in);
		size_t used;

		run->result = dial_feed(dial, slice_make(copy, in.len), &used);
		xfree(copy);
		must(used <= in.len, "no more is used than is there");
		run->start += used;
		check_secrets(run);
		run->told = run->told || says(run, "XCLIENT ");
		must(dial_doing(dial) != NULL, "the dial knows what it does");
		buf_append_slice(&run->trace, buf_slice(&dial->out));
		buf_clear(&dial->out);
		must(kept(dial) < KEPT_MAX, "little is kept");
		if (run->result == DIAL_TLS) {
			must(dial->order.starttls && run->start == all.len, "TLS where it is wanted");
			run->result = dial_tls_started(dial);
		} else if (run->result == DIAL_MORE) {
			break;
		}
	}
}

static void
finish(struct run *run)
{
	struct dial *dial = &run->dial;

	if (run->result == DIAL_READY && dial->order.starttls)
		must(dial->tls_active, "ready only with TLS");
	if (run->result == DIAL_READY && dial->order.proto == &proto_submission)
		must(run->told == (dial->order.identity != NULL), "ready only with the client told of");
	if (run->result == DIAL_READY &&
	    (dial->order.proto == &proto_sieve || dial->order.proto == &proto_pop3) &&
	    dial->order.credentials != NULL && dial->order.identity != NULL &&
	    dial->order.forward == FORWARD_XCLIENT)
		must(run->told, "a client is told of where that is wanted");
	buf_printf(&run->trace, "<%d %s %s>", (int)run->result, dial->why, dial_doing(dial));
	buf_append_slice(&run->trace, buf_slice(&dial->capabilities));
	buf_append_slice(&run->trace, buf_slice(&dial->capabilities_after));
	buf_append_slice(&run->trace, buf_slice(&dial->untagged));
	buf_append_slice(&run->trace, buf_slice(&dial->last));
	dial_wipe(dial);
	credentials_wipe(&run->credentials);
}

/* No piece reaches beyond a line: an answer that comes before its question is another matter. */
static void
feed_pieces(struct run *run, struct slice all, unsigned cut, bool by_bytes)
{
	for (size_t at = 0; at < all.len;) {
		size_t len = by_bytes ? 1 : cut_next(&cut, all.len - at);
		const char *newline = memchr(all.data + at, '\n', len);

		at += newline != NULL ? (size_t)(newline - all.data) + 1 - at : len;
		feed(run, slice_make(all.data, at));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input;
	struct run runs[3];

	if (!input_read(data, size, &input))
		return 0;
	for (int i = 0; i < 3; i++)
		run_init(&runs[i], &input);
	feed_pieces(&runs[0], input.body, 0, true);
	feed_pieces(&runs[1], input.body, input.cut, false);
	feed(&runs[2], input.body);
	for (int i = 0; i < 3; i++)
		finish(&runs[i]);
	must_equal(buf_slice(&runs[1].trace), buf_slice(&runs[0].trace), "cutting changes no outcome");
	for (int i = 0; i < 3; i++)
		buf_clear(&runs[i].trace);
	return 0;
}
