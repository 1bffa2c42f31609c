/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dnsbl.h: lists of clients in the DNS are asked, by one loop: who asks what another has asked already waits
 * for the same answer, and answers are remembered for all.  A list that fails again and again is asked one
 * question at a time, until it answers: it must not keep the others waiting.
 */
#ifndef ACCESS_DNSBL_H
#define ACCESS_DNSBL_H

#include "access/screen_memory.h"
#include "base/list.h"
#include "net/loop.h"

struct dnsbl;
struct dnsbl_flight;

struct dnsbl *dnsbl_new(struct loop *loop);
void dnsbl_free(struct dnsbl **dnsbl);		/* before its loop; nobody waits any more */
/* Before the first question; those under way are asked anew.  As resolver_new has them. */
void dnsbl_use_nameservers(struct dnsbl *dnsbl, const struct address_list *servers);

/* Embedded in its owner, zero but for the fields above the blank line. */
struct dnsbl_question {
	/* Once, unless it is cancelled; it may ask, and cancel others. */
	void (*on_answer)(struct dnsbl_question *question, const struct dnsbl_answer *answer);
	const char *zone, *called;		/* in the log, since a zone's name may hold a key */
	struct slice name;			/* as screen_write_question has it; until dnsbl_ask returns */

	struct dnsbl_flight *flight;		/* NULL: nothing is awaited */
	struct list node;			/* among those who wait for it */
};

/* True: here is the answer; false: on_answer comes, in another turn. */
bool dnsbl_ask(struct dnsbl *dnsbl, struct screen_memory *memory, struct dnsbl_question *question,
    struct dnsbl_answer *answer);
size_t dnsbl_count(const struct dnsbl *dnsbl);	/* questions under way */
void dnsbl_cancel(struct dnsbl_question *question);	/* fine where nothing is awaited */

#endif
