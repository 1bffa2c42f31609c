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

/* `words`: of the one letter that is not known from the dialogue, %q, %r or %s. */
static void
write_letter(struct dialogue *d, char letter, struct slice words)
{
	switch (letter) {
	case 't': buf_append_text(&d->out, d->tag[0] != '\0' ? d->tag : "*"); break;
	case 'h': buf_append_text(&d->out, d->hostname); break;
	case 'c': d->proto->write_capabilities(d, &d->out); break;
	case 'a': write_timestamp(d); break;
	case 'x': buf_append_text(&d->out, d->is_trusted ? "[XCLIENT] " : ""); break;
	case 'q': mail_string_write_quoted(&d->out, words); break;
	case 'r': reply_write_text(&d->out, words); break;
	case 's': base64_encode(words, &d->out); break;
	default: buf_append(&d->out, &letter, 1); break;
	}
}

void
reply_write_words(struct dialogue *d, const char *text, struct slice words)
{
	for (;;) {
		const char *percent = strchr(text, '%');

		if (percent == NULL || percent[1] == '\0')
			break;
		buf_append(&d->out, text, (size_t)(percent - text));
		write_letter(d, percent[1], words);
		text = percent + 2;
	}
	buf_append_text(&d->out, text);
}

void
reply_write(struct dialogue *d, enum reply reply)
{
	if (d->proto->replies != NULL && d->proto->replies[reply] != NULL)
		reply_write_words(d, d->proto->replies[reply], slice_of(NULL));
}

void
reply_write_reason(struct dialogue *d, const char *reason)
{
	if (reason == NULL || *reason == '\0')
		reply_write(d, REPLY_AUTH_FAILED);
	else
		reply_write_words(d, d->proto->replies[REPLY_REFUSED], slice_of(reason));
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

const char *
reply_text(const struct proto *proto, enum reply reply)
{
	const char *text = proto->replies != NULL ? proto->replies[reply] : NULL;

	return text != NULL && strchr(text, '%') == NULL ? text : NULL;
}
