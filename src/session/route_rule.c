/* SPDX-License-Identifier: BSD-2-Clause */
/* route_rule.c: the first rule whose lines are all true decides. */
#include "session/route_rule.h"

#include "balance/pool.h"

static const struct directive route_directives[] = {
	CONDITION_ROWS(struct route_rule, lines),
	CONF_BLOCKS(struct route_rule, lines, &condition_blocks[CONDITION_RECIPIENT_DOMAIN], CONF_OWN),
	CONF_REFERENCE(struct route_rule, pool, NULL, &pool_block, CONF_REQUIRED,
	    "Where who matches goes."),
	{ 0 }
};

const struct block route_block = {
	.name = "route", .directives = route_directives, .size = BLOCK_SIZE(struct route_rule),
	.title = TITLE_NAME,
	.help = "An exception from `pool`: the first route whose lines are all true decides; conditions are "
		"those of `access`. What tells clients of one user apart must not choose between pools that "
		"bind users, of different farms: the user would be on two servers.",
};

bool
route_rule_open(struct route_rule *rule, const struct condition_scope *scope, struct conf_problems *problems)
{
	bool ok = true;

	for (size_t i = 0; i < rule->lines.count; i++) {
		struct condition *condition = rule->lines.items[i];

		ok &= condition->conf.broken ||
		    condition_open(&condition->line, &condition->conf, scope, problems);
	}
	return ok;
}

void
route_rule_close(struct route_rule *rule)
{
	for (size_t i = 0; i < rule->lines.count; i++)
		condition_close(&((struct condition *)rule->lines.items[i])->line);
}

void
route_rule_refresh(struct route_rule *rule)
{
	for (size_t i = 0; i < rule->lines.count; i++)
		condition_refresh(&((struct condition *)rule->lines.items[i])->line);
}

const struct route_rule *
route_rule_match(const struct conf_list *rules, struct condition_subject *subject)
{
	subject->known = KNOWN_TLS | KNOWN_USER | KNOWN_RECIPIENT;
	for (size_t i = 0; i < rules->count; i++) {
		const struct route_rule *rule = rules->items[i];

		if (conditions_judge(&rule->lines, subject) == CONDITION_YES)
			return rule;
	}
	return NULL;
}

struct pool *
route_rule_find(const struct conf_list *rules, struct condition_subject *subject, struct pool *otherwise)
{
	const struct route_rule *rule = route_rule_match(rules, subject);

	return rule != NULL ? rule->pool : otherwise;
}

bool
route_rules_ask_recipients(const struct conf_list *rules)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct route_rule *rule = rules->items[i];

		for (size_t j = 0; j < rule->lines.count; j++)
			if (((const struct condition *)rule->lines.items[j])->line.kind ==
			    CONDITION_RECIPIENT_DOMAIN)
				return true;
	}
	return false;
}

const struct condition *
route_rule_of_client(const struct route_rule *rule)
{
	for (size_t i = 0; i < rule->lines.count; i++) {
		const struct condition *condition = rule->lines.items[i];
		enum condition_kind kind = condition->line.kind;

		if (condition_is_of_client(kind) && kind != CONDITION_LISTENER && kind != CONDITION_TIME)
			return condition;
	}
	return NULL;
}
