/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slot.h: the servers of a session that has several: each a leg that all
 * recipients who belong there share, and that stays for the next messages.
 */
#ifndef SESSION_SLOT_H
#define SESSION_SLOT_H

#include "base/buf.h"
#include "proto/fanout.h"
#include "proto/proto.h"
#include "session/delivery.h"
#include "session/session.h"

struct fan {
	struct session *session;
	void *state;				/* the protocol's */
	struct slot *slots[FANOUT_SERVERS_MAX];	/* by their number; NULL: free */
	struct delivery **deliveries;		/* by the number of their recipient; NULL: done */
	unsigned delivery_size, delivery_count;
	unsigned placed;			/* the first so many were started */
	unsigned unplaced;			/* of the message at hand, for which there was no place */
	struct buf said;			/* to the client, to be written at once */
	struct loop_timer clock;		/* looks at slots that were silent */
	bool is_client_lost;			/* only servers' last replies are awaited */
	bool has_progress;			/* something came that the client's input may wait for */
	bool is_busy;				/* settle is under way, or will come */
};

enum { SLOT_IDLE_MS = 30000 };		/* a server that no message needs is left */

struct slot {
	struct fan *fan;
	unsigned number;
	struct leg *leg;
	struct endpoint *endpoint;		/* nowhere else; one reference; NULL: any of the pool's */
	struct service *service;		/* the pool's; its leg holds it */
	unsigned era;				/* of the service, when it was begun */
	bool is_there;
	int64_t since;				/* when it last did something, or was of use */
	size_t kept;				/* octets that it had not taken, by then */
	struct buf out;				/* to be written at once */
};

static inline const struct fanout *
fan_fanout(const struct fan *fan)
{
	return fan->session->proto->fanout;
}

static inline struct loop *
fan_loop(const struct fan *fan)
{
	return fan->session->worker->loop;
}

/* relay_fanout.c: behind all but the client's words, which may go on then.  May end the session. */
void fan_settle(struct fan *fan);
void fan_adjust(struct fan *fan);		/* is the client to be read? */
/* No server for it; `why` for the log, or NULL: that has it already. */
void fan_unplace(struct fan *fan, const struct delivery *delivery, const char *why);

/* One that was placed comes to its server: now, or later, or it has none. */
void slot_take(struct fan *fan, struct delivery *delivery);
struct stream *slot_stream(const struct slot *slot);		/* of one that is there */
void slot_write(struct slot *slot, struct slice data);		/* at once */
void slot_flush(struct slot *slot);				/* what lies in slot->out */
bool slot_is_needed(const struct slot *slot);			/* for the message at hand */
int64_t slot_due(const struct slot *slot);	/* when to look whether it is silent, or useless */
bool slot_is_outdated(const struct slot *slot);			/* it is good for no other message */
bool slot_is_silent(struct slot *slot, int64_t now);	/* takes nothing, or says nothing that it owes */
void slot_lose(struct slot *slot, const char *why);		/* its recipients hear so */
/* Leaves it; politely: it owes nothing, and hears that we go.  Readable until the turn is over. */
void slot_close(struct slot *slot, bool politely);

#endif
