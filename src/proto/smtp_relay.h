/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_relay.h: the two halves of SMTP's mediator: smtp_relay.c has what comes
 * of the client, smtp_relay_replies.c what comes of the server and what is
 * owed to the client.
 */
#ifndef PROTO_SMTP_RELAY_H
#define PROTO_SMTP_RELAY_H

#include "proto/manners.h"
#include "proto/smtp.h"
#include "proto/smtp_data.h"

enum {
	OWED_MAX = 64,			/* commands that wait for their replies; a power of two */
	PATH_MAX_LOGGED = 512		/* octets of an address for the log */
};

/* What a reply is to, in the order the client is told. */
enum owed_kind {
	OWED_OURS,			/* the server is not asked */
	OWED_OURS_DONE,			/* the same, and the last that is said */
	OWED_OURS_FATAL,
	OWED_MAIL,
	OWED_LATE_MAIL,			/* the client has its reply already */
	OWED_RCPT,
	OWED_DATA,			/* 354 or a refusal */
	OWED_CHUNK,
	OWED_FINAL,			/* to the end of data, or to the last chunk */
	OWED_NOTHING_ELSE		/* RSET, NOOP: the client may be told 250 whatever happens */
};

/* Our own words. */
enum words {
	WORDS_OK,
	WORDS_TOO_MUCH_MAIL,
	WORDS_TOO_MANY_RECIPIENTS,
	WORDS_BYE,
	WORDS_HELP,
	WORDS_EHLO,			/* the whole list */
	WORDS_HELO,
	WORDS_MAIL_OK,
	WORDS_NO_MAIL,
	WORDS_NO_RECIPIENT,
	WORDS_ELSEWHERE,
	WORDS_TURNED_DOWN,		/* the order's */
	WORDS_NESTED_MAIL,
	WORDS_MIXED,
	WORDS_AUTHENTICATED,
	WORDS_TLS_NOW,
	WORDS_REFUSED,
	WORDS_NO_CHUNKS,
	WORDS_NOT_YOURS,
	WORDS_UNKNOWN,
	WORDS_SYNTAX,
	WORDS_TOO_LONG,
	WORDS_BARE_NEWLINE,		/* of a command */
	WORDS_BARE_NEWLINE_DATA,
	WORDS_CHUNK_SYNTAX,
	WORDS_FOREIGN,
	WORDS_TOO_MANY,
	WORDS_LOST,
	WORDS_NO_SERVER,
	WORDS_COUNT
};

struct owed {
	uint8_t kind, words;
	bool is_hidden;			/* the client did not ask: it is not told */
};

enum mode {
	MODE_COMMAND,
	MODE_DATA_ASKED,		/* DATA was passed on: nothing goes on before its reply */
	MODE_DATA,
	MODE_CHUNK,
	MODE_OVER			/* the last was said */
};

/* A mail from MAIL on, for the log. */
struct transaction {
	struct buf from;
	struct buf asked;		/* recipients whose reply is to come, a NUL behind each */
	struct buf recipients, refused_recipients;
	struct buf answer;		/* the server's last refusal */
	uint32_t accepted, refused;
	bool is_told;			/* that it has no recipient, where it was to be sent */
};

enum transaction_state { TRANSACTION_NONE, TRANSACTION_OPEN, TRANSACTION_LOST };

struct smtp_state {
	const struct identity *identity;
	char *ehlo, *helo;		/* our replies to these */
	struct owed owed[OWED_MAX];
	uint32_t owed_first, owed_count;
	enum bare_newline bare_newline;
	enum mode mode;
	enum transaction_state transaction_state;
	struct transaction *transaction;	/* NULL: none was begun */
	struct transaction *told;	/* the last, until the next call */
	struct smtp_data data;
	uint64_t chunk_left, size;
	struct buf mail;		/* the MAIL that no server has had yet, with its line end */
	struct buf mail_line;		/* with looks_up: the MAIL as the client wrote it */
	enum judgement judged;		/* of the RCPT at hand */
	struct buf judgement;		/* what is said of it, unless it is good */
	bool (*is_elsewhere)(const void *owner, struct slice recipient);
	bool (*takes)(const void *owner, enum mediator_count what);
	bool is_counted;		/* the command at hand, by that */
	const void *owner;
	const char *turned_down;	/* what each recipient hears; NULL: that goes on */
	struct manners manners;
	bool has_waited;		/* the reply that is due, which is late */
	bool chooses_anew, asks_recipients, looks_up;
	bool is_answered;		/* the RCPT at hand: by the server's reply to MAIL */
	bool has_server, is_chosen;	/* and it is this transaction's */
	bool has_pipelining, has_chunking;
	bool offers_chunking;
	bool wants_server;		/* it was wished for */
	bool no_server;			/* the next MAIL is refused: none could be had */
	struct buf refusal;		/* in these words of a server's, with a line end; or in ours */
	bool is_chunked;		/* the transaction has had a BDAT */
	bool is_discarding;		/* payload that goes nowhere */
	bool is_rejected;		/* bare newlines were seen in the data */
};

/* smtp_relay_replies.c */
void owed_push(struct smtp_state *s, enum owed_kind kind, bool is_hidden);
/* Our own words in their place: at once where nothing is owed before them. */
void owed_say(struct smtp_state *s, enum owed_kind kind, enum words words, struct mediation *m);
bool owed_is_full(const struct smtp_state *s);
/* One more error, of which the reply is in its place: the last words may have to stand behind it. */
void owed_count_error(struct smtp_state *s, struct mediation *m);
bool owed_is_final(const struct smtp_state *s);		/* the reply to a message is to come */
void smtp_relay_server(void *state, struct slice in, struct mediation *m);
void smtp_relay_server_gone(void *state, struct mediation *m);
void smtp_relay_server_refused(void *state, struct slice words);
void smtp_relay_begin(struct smtp_state *s, struct slice from);	/* a transaction */
void smtp_relay_refused(struct smtp_state *s, struct slice recipient);	/* by us or by the server */
void smtp_relay_turn_down(struct smtp_state *s, struct slice recipient);	/* as the order has it */
void smtp_relay_give_up(struct smtp_state *s, struct mediation *m);	/* the client ends the transaction */
void smtp_relay_judged(void *state, enum judgement judgement, const char *code, const char *reason);
/* A transaction is over in our words. */
void smtp_relay_tell_message(
    struct smtp_state *s, enum owed_kind kind, enum words words, struct mediation *m);
void smtp_relay_forget(struct smtp_state *s);		/* the transaction */
void smtp_relay_begin_call(struct smtp_state *s);	/* what the last call told is read by now */

#endif
