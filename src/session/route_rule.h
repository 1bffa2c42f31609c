/* SPDX-License-Identifier: BSD-2-Clause */
/* route_rule.h: the block `route` of a listener: which pool a session or a transaction goes to. */
#ifndef SESSION_ROUTE_RULE_H
#define SESSION_ROUTE_RULE_H

#include "base/slice.h"
#include "conf/conf.h"

struct pool;

struct route_rule {			/* route NAME { … } */
	struct conf_block conf;
	struct string_list domain, recipient_domain;	/* empty: any */
	struct pool *pool;
};

extern const struct block route_block;

/* What is known of who is to be routed; empty: nothing. */
struct route_subject {
	struct slice user;		/* canonical name */
	struct slice recipient;		/* an address, as the client wrote it */
};

/* The pool of the first rule that matches, or `otherwise`. */
struct pool *route_rule_find(const struct conf_list *rules, const struct route_subject *subject,
    struct pool *otherwise);
bool route_rules_ask_recipients(const struct conf_list *rules);	/* does any depend on the recipient? */

#endif
