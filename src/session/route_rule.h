/* SPDX-License-Identifier: BSD-2-Clause */
/* route_rule.h: the block `route` of a listener: which pool a session or a transaction goes to. */
#ifndef SESSION_ROUTE_RULE_H
#define SESSION_ROUTE_RULE_H

#include "access/condition.h"

struct pool;

struct route_rule {			/* route NAME { … } */
	struct conf_block conf;
	struct conf_list lines;		/* struct condition */
	struct pool *pool;
};

extern const struct block route_block;

/* The files that it names, and whether its lines can be answered at all. */
bool route_rule_open(struct route_rule *rule, const struct condition_scope *scope,
    struct conf_problems *problems);
void route_rule_close(struct route_rule *rule);
void route_rule_refresh(struct route_rule *rule);	/* control's: takes up changed files */

/* The first rule that matches, or NULL; its pool, or `otherwise`.  What the subject lacks is empty. */
const struct route_rule *route_rule_match(const struct conf_list *rules, struct condition_subject *subject);
struct pool *route_rule_find(const struct conf_list *rules, struct condition_subject *subject,
    struct pool *otherwise);
bool route_rules_ask_recipients(const struct conf_list *rules);	/* does any depend on the recipient? */
/* Its first line about the client; NULL: it goes by users and mails alone. */
const struct condition *route_rule_of_client(const struct route_rule *rule);

#endif
