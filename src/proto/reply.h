/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reply.h: the words of shared code in the protocol of the client.  Letters
 * in the texts: %t the tag of the command, or "*" where there is none; %h our
 * host name; %c the capabilities as they are now; %x what tells a trusted peer
 * that it may say XCLIENT; %a a blank and APOP's timestamp, where it is offered;
 * %i the client's address; %r a reason, %q in quotes; %k a code; %% a percent sign.
 */
#ifndef PROTO_REPLY_H
#define PROTO_REPLY_H

#include "proto/proto.h"

void reply_write(struct dialogue *d, enum reply reply);		/* appends to d->out */
/* A text of the protocol's own, with such letters; `words` are what %q and %r stand for. */
void reply_write_words(struct dialogue *d, const char *text, struct slice words);
void reply_write_challenge(struct dialogue *d, struct slice challenge);	/* with proto->sasl_prompt */

/*
 * What an auth source says of a login that it refuses (REPLY_REFUSED, _WRONG) or cannot judge (_LATER): its
 * code, where that is one of the protocol's, and its words, made one printable line; NULL: it does not say,
 * and the words are ours.  True: it was told as a temporary failure, of which the code may tell, too.
 */
bool reply_write_judgement(struct dialogue *d, enum reply reply, const char *code, const char *reason);

/* A login_refused: nothing of what the server says, which would tell names that it knows from others. */
void reply_write_refusal(struct dialogue *d, const struct dial *dial);

/* Words of others as one line of printable ASCII, with "?" for all else. */
void reply_write_text(struct buf *out, struct slice text);

/* Appends such a text where there is no dialogue, or it is no matter. */
void reply_write_alone(const struct proto *proto, const char *hostname, const char *text, struct slice words,
    struct buf *out);
/* The same for last words, with a reason where they have one, or the client's address for %i. */
void reply_write_last(const struct proto *proto, const char *hostname, enum reply reply, struct slice words,
    struct buf *out);

#endif
