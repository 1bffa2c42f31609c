/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * channel.h: messages between two processes of gatepost, with descriptors if need be; each comes whole and in
 * order.  On one loop's thread; nothing here blocks but channel_receive.
 */
#ifndef NET_CHANNEL_H
#define NET_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/list.h"
#include "net/loop.h"

enum { CHANNEL_WORDS_MAX = 6, CHANNEL_FDS_MAX = 64, CHANNEL_MESSAGE_MAX = 16 * 1024 };

struct channel_message {
	char kind;
	const char *words[CHANNEL_WORDS_MAX];	/* up to a NULL; those missing are "" when it comes */
	int fds[CHANNEL_FDS_MAX];		/* sent: they stay the sender's; come: the receiver's */
	int fd_count;
};

/* Zero before channel_open. */
struct channel {
	int fd;
	struct loop *loop;			/* NULL until channel_start */
	struct loop_io io;
	struct list queue;			/* what the other side has no room for yet */
	bool is_full;				/* something is queued */
	char *buffer;
	void (*on_message)(struct channel *channel, struct channel_message *message);
	void (*on_room)(struct channel *channel);	/* the queue is empty again; NULL: nobody asks */
	void (*on_end)(struct channel *channel);	/* the other side has gone; told once */
	void *owner;
};

bool channel_pair(int fds[2], struct error *error);
bool channel_is_one(int fd);				/* might it be an end of a pair? */
void channel_open(struct channel *channel, int fd);	/* owns fd from now on */
/* The next message; false and an error: none until deadline_ms (by clock_ms), or the other side has gone. */
bool channel_receive(struct channel *channel, struct channel_message *message, int64_t deadline_ms,
    struct error *error);
/*
 * Messages come as callbacks, set before; they may close the channel, which is freed by loop_defer then.
 */
void channel_start(struct channel *channel, struct loop *loop);
/* Fine when the other side has gone.  Descriptors must stay open until is_full is false. */
void channel_send(struct channel *channel, const struct channel_message *message);
void channel_close(struct channel *channel);	/* fine when it is closed */

#endif
