/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sieve_dial.c: ManageSieve as a server is spoken to: STARTTLS, the client's
 * address by XCLIENT, the login by AUTHENTICATE.  Capabilities come unasked,
 * in the greeting and anew after TLS.
 */
#include "proto/sieve.h"

#include "proto/dial.h"
#include "proto/mail_string.h"
#include "proto/reply.h"
#include "proto/xclient.h"

/* No fault of the user's: over some time, or ours, whose TLS the server wants to see. */
static bool
is_temporary(const struct sieve_status *status)
{
	return slice_equals_nocase(status->word, "BYE") || slice_equals_nocase(status->code, "TRYLATER") ||
	    slice_equals_nocase(status->code, "ENCRYPT-NEEDED");
}

enum answer
sieve_read_status(struct dial *dial, struct slice line)
{
	struct sieve_status status;

	(void)dial;
	if (!sieve_take_status(line, &status))
		return ANSWER_GARBLED;
	if (slice_equals_nocase(status.word, "OK"))
		return ANSWER_OK;
	return is_temporary(&status) ? ANSWER_LATER : ANSWER_REFUSED;
}

static bool
is_string(struct slice line)
{
	return line.len > 0 && (line.data[0] == '"' || line.data[0] == '{');
}

/* Capabilities, one a line, and the status behind them. */
static enum answer
read_capabilities(struct dial *dial, struct slice line)
{
	struct buf entry = { 0 };
	bool is_good;

	if (!is_string(line))
		return sieve_read_status(dial, line);
	is_good = sieve_take_capability(line, &entry);
	if (is_good)
		dial_learn(dial, buf_slice(&entry));
	buf_clear(&entry);
	return is_good ? ANSWER_MORE : ANSWER_GARBLED;
}

static void
send_login(struct dial *dial)
{
	buf_printf(&dial->out, "AUTHENTICATE \"%s\" ",
	    mechanism_facts[dial->order.credentials->mechanism].name);
	dial_write_initial(dial);
}

bool
sieve_take_challenge(struct dial *dial, struct slice line, struct slice *base64)
{
	(void)dial;
	return is_string(line) && sieve_take_response(line, base64);
}

const struct dial_step sieve_dial[] = {
	/* while ...              if                 reply, flags, and what is sent */
	{ "reading greeting",     NULL,              read_capabilities, 0, .send = NULL },
	{ "asking for TLS",       dial_wants_tls,    sieve_read_status, DIAL_STARTS_TLS,
	    .send = dial_send_starttls },
	{ "reading capabilities", dial_began_tls,    read_capabilities, 0, .send = NULL },
	{ "telling the address",  xclient_is_wanted, sieve_read_status, DIAL_SECRET,
	    .send = xclient_send },
	DIAL_CHOICE,
	{ "logging in",           NULL,              dial_read_login, DIAL_TELLS, .send = send_login },
	{ 0 }
};

void
sieve_write_login_ok(struct dialogue *d, const struct dial *dial)
{
	struct sieve_status status;
	struct buf text = { 0 };

	sieve_take_status(buf_slice(&dial->last), &status);
	if (!mail_string_take(&status.text, &text) || buf_len(&text) == 0) {
		buf_truncate(&text, 0);
		buf_append_text(&text, "Logged in.");
	}
	/* a code would tell of the exchange that we had with the server */
	buf_append_text(&d->out, "OK ");
	sieve_write_string(&d->out, buf_slice(&text), false);
	buf_append_text(&d->out, "\r\n");
	buf_clear(&text);
}

/* Words of a server's own would tell whether a user exists; codes that ask for another mechanism may stay. */
void
sieve_write_login_refused(struct dialogue *d, const struct dial *dial)
{
	static const char *const codes[] = { "AUTH-TOO-WEAK", "TRANSITION-NEEDED" };
	struct sieve_status status;

	sieve_take_status(buf_slice(&dial->last), &status);
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (slice_equals_nocase(status.code, codes[i])) {
			buf_printf(&d->out, "NO (%s) \"Authentication failed.\"\r\n", codes[i]);
			return;
		}
	}
	reply_write(d, REPLY_AUTH_FAILED);
}
