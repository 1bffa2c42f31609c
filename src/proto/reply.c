/* SPDX-License-Identifier: BSD-2-Clause */
/* reply.c: fills in the % letters of a protocol's texts. */
#include "proto/reply.h"

#include <string.h>

#include "base/base64.h"

static void
write_letter(struct dialogue *d, char letter, struct slice challenge)
{
	switch (letter) {
	case 't': buf_append_text(&d->out, d->tag[0] != '\0' ? d->tag : "*"); break;
	case 'h': buf_append_text(&d->out, d->hostname); break;
	case 'c': d->proto->write_capabilities(d, &d->out); break;
	case 's': base64_encode(challenge, &d->out); break;
	default: buf_append(&d->out, &letter, 1); break;
	}
}

static void
expand(struct dialogue *d, const char *text, struct slice challenge)
{
	for (;;) {
		const char *percent = strchr(text, '%');

		if (percent == NULL || percent[1] == '\0')
			break;
		buf_append(&d->out, text, (size_t)(percent - text));
		write_letter(d, percent[1], challenge);
		text = percent + 2;
	}
	buf_append_text(&d->out, text);
}

void
reply_write(struct dialogue *d, enum reply reply)
{
	if (d->proto->replies != NULL && d->proto->replies[reply] != NULL)
		expand(d, d->proto->replies[reply], slice_of(NULL));
}

void
reply_write_challenge(struct dialogue *d, struct slice challenge)
{
	expand(d, d->proto->sasl_prompt, challenge);
}

const char *
reply_text(const struct proto *proto, enum reply reply)
{
	const char *text = proto->replies != NULL ? proto->replies[reply] : NULL;

	return text != NULL && strchr(text, '%') == NULL ? text : NULL;
}
