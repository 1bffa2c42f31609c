/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * imap_login.c: tells the client how its login went, from the server's own
 * words: with the client's tag, and with the capabilities it has from now on.
 */
#include "proto/imap.h"

#include "proto/capability.h"
#include "proto/dial.h"
#include "proto/reply.h"

/* The server's final reply, without its tag. */
static void
split_last(const struct dial *dial, struct imap_status *status)
{
	struct slice line = buf_slice(&dial->last);

	slice_word(&line);
	imap_split_status(line, status);
}

/* What the server can do after login: as it said then, or else what it said before that outlasts a login. */
static void
find_capabilities(const struct dial *dial, struct buf *words)
{
	static const char *const before_login[] = {
		"IMAP4REV1", "STARTTLS", "LOGINDISABLED", "SASL-IR", NULL
	};

	if (buf_len(&dial->capabilities_after) > 0) {
		buf_append_slice(words, buf_slice(&dial->capabilities_after));
		return;
	}
	if (buf_len(&dial->capabilities) == 0)
		return;
	buf_append_text(words, "IMAP4rev1");
	for (struct slice rest = buf_slice(&dial->capabilities); rest.len > 0;) {
		struct slice entry = capability_next(&rest);

		if (!capability_is_among(entry, before_login))
			buf_printf(words, " %.*s", SLICE_ARGS(entry));
	}
}

void
imap_write_login_ok(struct dialogue *d, const struct dial *dial)
{
	struct imap_status status;
	struct buf words = { 0 };
	bool has_code;

	split_last(dial, &status);
	/* a capability code was learned and is written anew; any other stays, and leaves no room for ours */
	has_code = status.code.len > 0 && !slice_has_prefix_nocase(status.code, "CAPABILITY");
	find_capabilities(dial, &words);

	buf_append_slice(&d->out, buf_slice(&dial->untagged));
	if (buf_len(&words) > 0 && (d->asked_capabilities || has_code))
		buf_printf(&d->out, "* CAPABILITY %.*s\r\n", SLICE_ARGS(buf_slice(&words)));
	buf_printf(&d->out, "%s OK ", d->tag);
	if (has_code) {
		buf_append_text(&d->out, "[");
		reply_write_text(&d->out, status.code);
		buf_append_text(&d->out, "] ");
	} else if (buf_len(&words) > 0 && !d->asked_capabilities) {
		buf_printf(&d->out, "[CAPABILITY %.*s] ", SLICE_ARGS(buf_slice(&words)));
	}
	reply_write_text(&d->out, status.text.len > 0 ? status.text : slice_of("Logged in"));
	buf_append_text(&d->out, "\r\n");
	buf_clear(&words);
}

void
imap_write_login_refused(struct dialogue *d, const struct dial *dial)
{
	struct imap_status status;

	split_last(dial, &status);
	/* words of a server's own would tell whether a user exists */
	if (status.code.len == 0 || slice_equals_nocase(status.code, "AUTHENTICATIONFAILED")) {
		reply_write(d, REPLY_AUTH_FAILED);
		return;
	}
	buf_printf(&d->out, "%s NO [", d->tag);
	reply_write_text(&d->out, status.code);
	buf_append_text(&d->out, "] ");
	reply_write_text(&d->out, status.text.len > 0 ? status.text : slice_of("Login refused."));
	buf_append_text(&d->out, "\r\n");
}
