/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transcript.h: what two sides say, as lines for people who may read no secrets and no mail.  Of commands
 * that log in only the verb is shown, and of a line that is no command before the login, only its size; of
 * challenges, responses, literals and messages likewise; what does not fit in a line is cut.
 */
#ifndef PROTO_TRANSCRIPT_H
#define PROTO_TRANSCRIPT_H

#include "proto/proto.h"

enum transcript_side { TRANSCRIPT_CLIENT, TRANSCRIPT_SERVER };
enum {
	TRANSCRIPT_LINE_MAX = 400,	/* octets that are shown of a line */
	TRANSCRIPT_TAIL_MAX = 24	/* that tell of a literal: "{9223372036854775807+}" */
};

struct transcript_flow {
	struct buf line;		/* the beginning of the one at hand; wiped */
	size_t len;			/* of all of it, as far as it came */
	size_t tail_len;
	char tail[TRANSCRIPT_TAIL_MAX];	/* its end, as far as it came */
	uint64_t literal;		/* octets of one that are to come yet */
	uint64_t counted;		/* octets that are not shown, and were not told of */
	bool is_mail;			/* up to a lone dot */
	bool is_continued;		/* it goes on behind a literal */
	bool is_masked;			/* so does what it began with */
};

struct transcript {
	/* The owner's to fill in; the rest is zero. */
	const struct proto *proto;
	void (*on_line)(struct transcript *transcript, enum transcript_side side, struct slice text);
	/* Does the server's line repeat a secret?  NULL: nobody knows, answers to logins are not shown. */
	bool (*holds_secret)(struct transcript *transcript, struct slice line);
	bool shows_server;		/* also where the protocol has no words that are known */
	bool is_settled;		/* logged in, or no login is due: set when it is so */
	bool is_opaque;			/* no lines any more: compressed, say; sizes are told */
	int secrets;			/* commands with secrets whose answer is to come */

	bool is_exchange;		/* of SASL: the client owes a response */
	bool awaits_data;		/* the client has announced a message */
	int owed;			/* replies, as far as one can tell */
	struct transcript_flow flows[2];
};

void transcript_feed(struct transcript *transcript, enum transcript_side side, struct slice data);
void transcript_flush(struct transcript *transcript);	/* tells of what is left: half lines by their size */
void transcript_begin_tls(struct transcript *transcript);	/* what was half said before is void */
void transcript_clear(struct transcript *transcript);

#endif
