/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dial_fuzz.c: a hostile server against the dial: the same outcome however
 * its lines are cut, bounded memory, and no secret without wanted TLS.
 */
#include "fuzz.h"

#include "proto/dial.h"

enum { KEPT_MAX = 256 * 1024 };		/* bounds of lines and octets, times what is kept of each */

static const char password[] = "Pa55word";

struct run {
	struct dial dial;
	struct credentials credentials;
	struct identity identity;
	enum dial_result result;
	size_t start;
	struct buf trace;
};

static void
run_init(struct run *run, const struct input *input)
{
	struct dial_order order = { .proto = &proto_imap };

	memset(run, 0, sizeof(*run));
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
	dial_init(&run->dial, &order);
	run->result = dial_start(&run->dial);
}

static void
check_secrets(const struct run *run)
{
	const struct dial *dial = &run->dial;

	if (!dial->order.needs_tls || dial->tls_active || buf_len(&dial->out) == 0)
		return;
	must(memmem(buf_data(&dial->out), buf_len(&dial->out), password, strlen(password)) == NULL,
	    "no password without TLS");
	must(memmem(buf_data(&dial->out), buf_len(&dial->out), "AUTHENTICATE PLAIN ", 19) == NULL,
	    "no secret without TLS");
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
