/* SPDX-License-Identifier: BSD-2-Clause */
/* reply.c: fills in the % letters of a protocol's texts. */
#include "proto/reply.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/base64.h"
#include "base/random.h"
#include "proto/mail_string.h"

void
reply_write_text(struct buf *out, struct slice text)
{
	char *at = buf_reserve(out, text.len);

	for (size_t i = 0; i < text.len; i++)
		at[i] = text.data[i] >= ' ' && text.data[i] <= '~' ? text.data[i] : '?';
	buf_added(out, text.len);
}

/* RFC 1939 section 7: made once a connection, and for those who are let use it. */
static void
write_timestamp(struct dialogue *d)
{
	if ((d->mechanisms & MECHANISM_BIT(MECHANISM_APOP)) == 0 || !d->secrets_allowed)
		return;
	buf_clear(&d->timestamp);
	buf_printf(&d->timestamp, "<%016" PRIx64 ".%lld@%s>", random_number(), (long long)time(NULL),
	    d->hostname);
	buf_append_text(&d->out, " ");
	buf_append_slice(&d->out, buf_slice(&d->timestamp));
}

/* It is in `words` where there is no dialogue. */
static void
write_address(struct dialogue *d, struct slice words)
{
	char client[ADDR_TEXT_MAX];

	if (d->identity != NULL)
		words = slice_of(addr_host(&d->identity->client, client));
	buf_append_slice(&d->out, words);
}

/* `words`: of the one letter that is not known from the dialogue, %q, %r or %s; `code`: of %k. */
static void
write_letter(struct dialogue *d, char letter, struct slice words, struct slice code)
{
	switch (letter) {
	case 't': buf_append_text(&d->out, d->tag[0] != '\0' ? d->tag : "*"); break;
	case 'h': buf_append_text(&d->out, d->hostname); break;
	case 'c': d->proto->write_capabilities(d, &d->out); break;
	case 'a': write_timestamp(d); break;
	case 'x': buf_append_text(&d->out, d->is_trusted ? "[XCLIENT] " : ""); break;
	case 'k': buf_append_slice(&d->out, code); break;
	case 'i': write_address(d, words); break;
	case 'q': mail_string_write_quoted(&d->out, words); break;
	case 'r': reply_write_text(&d->out, words); break;
	case 's': base64_encode(words, &d->out); break;
	default: buf_append(&d->out, &letter, 1); break;
	}
}

static void
write_text(struct dialogue *d, const char *text, struct slice words, struct slice code)
{
	for (;;) {
		const char *percent = strchr(text, '%');

		if (percent == NULL || percent[1] == '\0')
			break;
		buf_append(&d->out, text, (size_t)(percent - text));
		write_letter(d, percent[1], words, code);
		text = percent + 2;
	}
	buf_append_text(&d->out, text);
}

void
reply_write_words(struct dialogue *d, const char *text, struct slice words)
{
	write_text(d, text, words, slice_of(NULL));
}

void
reply_write(struct dialogue *d, enum reply reply)
{
	if (d->proto->replies != NULL && d->proto->replies[reply] != NULL)
		reply_write_words(d, d->proto->replies[reply], slice_of(NULL));
}

bool
reply_write_judgement(struct dialogue *d, enum reply reply, const char *code, const char *reason)
{
	bool is_temporary = reply == REPLY_LATER;
	bool is_passing = false, has_reason = reason != NULL && *reason != '\0';
	struct slice own = slice_of(NULL);

	if (code != NULL && d->proto->take_code != NULL)
		own = d->proto->take_code(slice_of(code), &is_passing);
	/* what may pass is never told in the words for what does not */
	if (is_temporary && !is_passing)
		own = slice_of(NULL);
	is_temporary = is_temporary || (own.len > 0 && is_passing);
	if (own.len > 0)
		write_text(d, d->proto->replies[REPLY_CODED], slice_of(has_reason ? reason :
		    is_temporary ? "Try again later." : "Authentication failed."), own);
	else if (has_reason)
		reply_write_words(d, d->proto->replies[reply], slice_of(reason));
	else
		reply_write(d, is_temporary ? REPLY_UNAVAILABLE : REPLY_AUTH_FAILED);
	return is_temporary;
}

void
reply_write_challenge(struct dialogue *d, struct slice challenge)
{
	reply_write_words(d, d->proto->sasl_prompt, challenge);
}

void
reply_write_refusal(struct dialogue *d, const struct dial *dial)
{
	(void)dial;
	reply_write(d, REPLY_AUTH_FAILED);
}

void
reply_write_alone(const struct proto *proto, const char *hostname, const char *text, struct slice words,
    struct buf *out)
{
	struct dialogue none = { .proto = proto, .hostname = hostname };

	reply_write_words(&none, text, words);
	buf_append_slice(out, buf_slice(&none.out));
	buf_clear(&none.out);
}

void
reply_write_last(const struct proto *proto, const char *hostname, enum reply reply, struct slice words,
    struct buf *out)
{
	if (proto->replies != NULL && proto->replies[reply] != NULL)
		reply_write_alone(proto, hostname, proto->replies[reply], words, out);
}
