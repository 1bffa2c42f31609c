/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lmtp_relay.h: the parts of LMTP's fan-out (RFC 2033): lmtp_relay.c has
 * what comes of the client, lmtp_servers.c what goes to servers and comes of
 * them, lmtp_replies.c what the client is told of it.
 */
#ifndef PROTO_LMTP_RELAY_H
#define PROTO_LMTP_RELAY_H

#include "proto/fanout.h"
#include "proto/smtp.h"
#include "proto/smtp_data.h"

enum lmtp_task_kind {
	TASK_RSET,
	TASK_MAIL,
	TASK_RCPT,
	TASK_DATA,
	TASK_CHUNK,
	TASK_FINAL			/* to the message; of a single reply: for all recipients */
};

struct lmtp_task {			/* a command whose reply is to come, or that is to be sent yet */
	enum lmtp_task_kind kind;
	unsigned recipient;
};

enum lmtp_part {			/* a server's in the message at hand */
	PART_NONE,
	PART_MAIL,			/* has heard of it */
	PART_ASKED,			/* whether it takes data */
	PART_DATA,
	PART_FINAL			/* has all of it */
};

struct lmtp_server {
	bool is_there, is_single, has_pipelining, has_chunking;
	bool is_begun;			/* it may have a transaction that it has to forget */
	bool is_chunked;		/* gets the message by BDAT */
	enum lmtp_part part;
	unsigned *accepted;		/* recipients, in the order of its replies to the message */
	unsigned accepted_size, accepted_count;
	struct buf mail_refusal;	/* its words to MAIL, with their ends */
	struct buf last;		/* its last refusal or final reply, for the log: a line */
	struct lmtp_task *tasks;
	unsigned task_size, done, sent, count;	/* the first `done` have their replies */
};

enum lmtp_recipient_state {
	RECIPIENT_PLACING,
	RECIPIENT_ASKED,		/* its server is, or is to be */
	RECIPIENT_ACCEPTED,
	RECIPIENT_OVER			/* `reply` is, or was, the last word */
};

struct lmtp_recipient {
	char *line;			/* the command, without its end */
	char *there;			/* what it is called at its server; NULL: the same */
	unsigned address, address_len;	/* where it stands in the line */
	enum lmtp_recipient_state state;
	unsigned server;		/* FANOUT_SERVERS_MAX: none yet */
	bool was_accepted;		/* the client was told so: a reply to the message is owed */
	bool is_delivered, is_logged;
	char *reply;			/* what the client is to be told, with line ends; NULL: nothing yet */
};

enum lmtp_mode {
	MODE_COMMAND,
	MODE_DATA_ASKED,		/* servers are asked whether they take data */
	MODE_DATA,
	MODE_CHUNK_ASKED,		/* the same, before the first chunk */
	MODE_CHUNK,
	MODE_CHUNK_SENT,		/* servers are to say that they have it */
	MODE_FINAL,
	MODE_OVER			/* the last was said */
};

struct lmtp_state {
	const struct identity *identity;
	const struct fanout_host *host;
	void *owner;
	char *lhlo;			/* our reply to this */
	enum bare_newline bare_newline;
	bool offers_chunking;
	struct manners manners;
	bool has_waited;		/* for the command at hand, whose reply is late */
	enum lmtp_mode mode;
	char *mail;			/* the command, without its end; NULL: there is no transaction */
	struct slice from;		/* within it */
	struct lmtp_recipient *recipients;
	unsigned recipient_size, count, told;	/* the first `told` were answered */
	unsigned final_told;		/* and these have their last word */
	struct smtp_data data;
	bool is_chunk_begun;		/* the message has had a BDAT */
	bool is_rejected;		/* bare newlines were seen in the data */
	bool is_discarding;		/* a chunk that goes nowhere */
	bool is_last_chunk;
	uint64_t chunk_size, chunk_left, size;
	uint8_t line_place;		/* of chunks that are sent as DATA, what the octets so far end in */
	struct buf unplaced;		/* why the last one that had no place had none: a line */
	struct lmtp_server *servers;
	unsigned server_count;
};

void lmtp_say(struct lmtp_state *s, const char *words);		/* to the client, at once */
bool lmtp_is_settled(const struct lmtp_state *s);	/* all recipients were answered */
unsigned lmtp_count_accepted(const struct lmtp_state *s);	/* that the client was told so of */
/* What a recipient is told, in its turn: lmtp_advance.  Behind lmtp_conclude nothing else will be. */
void lmtp_set_reply(struct lmtp_recipient *recipient, struct slice words);
void lmtp_conclude(struct lmtp_state *s, unsigned recipient, struct slice words);
void lmtp_conclude_all(struct lmtp_state *s, unsigned server, struct slice words);	/* that are its */
void lmtp_answer(struct lmtp_state *s, unsigned recipient, struct slice words);	/* one that is concluded */
void lmtp_advance(struct lmtp_state *s);	/* tells all that is due; the message may be over then */
/* For the log, once of each recipient.  `words` are the server's, or ours. */
void lmtp_tell(struct lmtp_state *s, unsigned server, struct slice words, bool is_ours);
void lmtp_tell_all(struct lmtp_state *s);
void lmtp_begin_data(struct lmtp_state *s);		/* asks those servers that take it by DATA */
void lmtp_send_data(struct lmtp_state *s, struct slice data);	/* as DATA has it, to all that take part */
void lmtp_send_chunk(struct lmtp_state *s, struct slice data);	/* as BDAT has it */
void lmtp_begin_chunk(struct lmtp_state *s);
void lmtp_end_chunk(struct lmtp_state *s);
void lmtp_end_message(struct lmtp_state *s);		/* its last octet was sent */
void lmtp_reject_data(struct lmtp_state *s);	/* servers that have some of it must never have the end */
void lmtp_abandon(struct lmtp_state *s);	/* the message ends here: tells of it, and forgets it */
void lmtp_forget(struct lmtp_state *s);			/* it is over, or never was */
void lmtp_leave_message(struct lmtp_server *sv);	/* the one at hand */
void lmtp_clear_server(struct lmtp_server *sv);	/* frees what it holds */

/* Of struct fanout. */
void lmtp_server_came(void *state, unsigned server, struct slice capabilities, bool is_single);
size_t lmtp_server(void *state, unsigned server, struct slice in);
void lmtp_server_gone(void *state, unsigned server);
void lmtp_placed(void *state, unsigned recipient, unsigned server, struct slice address);
void lmtp_unplaced(void *state, unsigned recipient, const struct fanout_refusal *refusal);
void lmtp_displaced(void *state, unsigned recipient);
bool lmtp_server_owes(const void *state, unsigned server);
bool lmtp_server_is_needed(const void *state, unsigned server);

#endif
