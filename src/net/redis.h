/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * redis.h: one connection to a Redis, kept open and opened anew by itself.
 * Commands are pipelined: those of a turn of the loop go out together, and
 * none waits for the reply to another.  Only redis.c includes hiredis.
 */
#ifndef NET_REDIS_H
#define NET_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "net/loop.h"
#include "net/redis_url.h"

struct resolver;
struct redis;
struct redis_call;

enum redis_type { REDIS_NIL, REDIS_TEXT, REDIS_STATUS, REDIS_ERROR, REDIS_NUMBER, REDIS_ARRAY };

struct redis_reply {			/* its own and what it points to end with on_reply */
	enum redis_type type;
	struct slice text;		/* of TEXT, STATUS and ERROR: any bytes, and a NUL behind them */
	int64_t number;
	struct redis_reply *elements;	/* of ARRAY */
	size_t count;
};

struct redis_settings {			/* copied, all of it */
	struct redis_url url;
	const char *user, *password;	/* before the URL's; NULL: the URL's, or none */
	int64_t timeout_ms;		/* to connect, log in and choose the database */
	/* Of one reply: the bytes of its texts, and of all its parts how many. */
	size_t bytes_max, parts_max;
	/* Where the host is looked up, asked for anew each time; may be NULL where it is an address. */
	struct resolver *(*resolver)(void *owner);
	void *owner;
	/* May be NULL.  Each connection, before what waited for it is sent: for what has to go first. */
	void (*on_ready)(void *owner);
	/* May be NULL: nothing was subscribed to.  May send and cancel, but not free the connection. */
	void (*on_message)(void *owner, struct slice channel, struct slice payload);
};

/* Embedded in its owner, zero but for on_reply. */
struct redis_command {
	/*
	 * Once for each redis_send, and not before that returns: the reply, which may be an ERROR; or NULL,
	 * with `failure` saying why there is none: then it may have been carried out, or not.  May send, and
	 * cancel, but not free the connection.
	 */
	void (*on_reply)(struct redis_command *command, const struct redis_reply *reply, const char *failure);
	struct redis_call *call;	/* the connection's; NULL while nothing is awaited */
};

/* Since the start, of all connections: how often one was made, and how often one was lost or not had. */
enum redis_count { REDIS_CONNECTED, REDIS_LOST, REDIS_COUNTS };
uint64_t redis_count(enum redis_count which);		/* 0 without hiredis */
bool redis_is_there(void);		/* false: built without hiredis, and nothing else of this is called */

/* Connects at once. */
struct redis *redis_new(struct loop *loop, const struct redis_settings *settings);
/* Commands that wait get no reply any more. */
void redis_free(struct redis **redis);
/*
 * Sends the words, any bytes, at once or as soon as there is a connection.  One that gives no reply for as
 * long as a command was willing to wait is given up, as is one that breaks the protocol or the settings'
 * bounds: all that was sent fails.  What was not sent yet waits for the next one, unless Redis is there and
 * refuses us.
 */
void redis_send(struct redis *redis, struct redis_command *command, const struct slice *words, size_t count,
    int64_t timeout_ms);
/* No reply comes, though the command may be carried out; fine where nothing is awaited. */
void redis_cancel(struct redis_command *command);
bool redis_is_idle(const struct redis *redis);		/* nobody waits for a reply */

#endif
