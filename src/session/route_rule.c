/* SPDX-License-Identifier: BSD-2-Clause */
/* route_rule.c: lines of a rule are AND, values of a line OR; the first rule that matches decides. */
#include "session/route_rule.h"

#include "auth/users.h"
#include "balance/pool.h"
#include "conf/rows.h"

static const struct directive route_directives[] = {
	CONF_STRINGS(struct route_rule, domain, NULL, 0,
	    "The user's domain is one of these."),
	CONF_STRINGS(struct route_rule, recipient_domain, NULL, 0,
	    "The domain of the transaction's first recipient is one of these: a server is chosen at the "
	    "first RCPT then.  A later recipient who would go elsewhere is put off with a 451, and comes "
	    "in a mail of its own."),
	CONF_REFERENCE(struct route_rule, pool, NULL, &pool_block, CONF_REQUIRED,
	    "Where who matches goes."),
	{ 0 }
};

const struct block route_block = {
	.name = "route", .directives = route_directives, .size = BLOCK_SIZE(struct route_rule),
	.title = TITLE_NAME,
	.help = "An exception from `pool`: the first route whose lines all match decides.",
};

static bool
is_among(const struct string_list *domains, struct slice address)
{
	struct slice domain;

	users_split(&address, &domain);
	for (size_t i = 0; i < domains->count; i++)
		if (domain.len > 0 && slice_equals_nocase(domain, domains->items[i]))
			return true;
	return domains->count == 0;
}

struct pool *
route_rule_find(const struct conf_list *rules, const struct route_subject *subject, struct pool *otherwise)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct route_rule *rule = rules->items[i];

		if (is_among(&rule->domain, subject->user) &&
		    is_among(&rule->recipient_domain, subject->recipient))
			return rule->pool;
	}
	return otherwise;
}

bool
route_rules_ask_recipients(const struct conf_list *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		if (((const struct route_rule *)rules->items[i])->recipient_domain.count > 0)
			return true;
	return false;
}
