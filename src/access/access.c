/* SPDX-License-Identifier: BSD-2-Clause */
/* access.c: rules in the order of the file, the first of allow, deny and limit whose lines are true. */
#include "access/access.h"

#include <string.h>

#include "access/limits.h"

static const struct block allow_block, deny_block, limit_block, tag_block;

static const struct directive allow_directives[] = {
	CONF_CUSTOM(struct access_rule, when, NULL, condition_set, "condition", 0,
	    "A condition on one line: `allow net 10.0.0.0/8`. More of them stand in braces."),
	CONDITION_ROWS(struct access_rule, lines),
	{ 0 }
};

static bool
is_one_line(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
			return false;
	return true;
}

/* It stands in replies of all protocols, quoted in some. */
static bool
set_reply(struct conf_words *words, void *field, struct error *error)
{
	enum { REPLY_MAX = 200 };
	const char **reply = field;

	if (words->count != 1 || !is_one_line(words->words[0]) || strlen(words->words[0]) > REPLY_MAX)
		return error_set(error,
		    "takes one text of at most %d printable ASCII characters, without quotes and backslashes",
		    REPLY_MAX);
	*reply = words->words[0];
	return true;
}

static const struct directive deny_directives[] = {
	CONF_CUSTOM(struct access_rule, when, NULL, condition_set, "condition", 0,
	    "A condition on one line: `deny country KP`. More of them stand in braces."),
	CONF_CUSTOM(struct access_rule, reply, NULL, set_reply, "text", 0,
	    "What the client is told, in a reply of its protocol."),
	CONDITION_ROWS(struct access_rule, lines),
	{ 0 }
};

static const struct directive limit_directives[] = {
	CONF_REFERENCE(struct access_rule, limits, NULL, &limits_block, CONF_REQUIRED,
	    "The `limits` block that holds for these clients in place of the listener's."),
	CONDITION_ROWS(struct access_rule, lines),
	{ 0 }
};

/* They stand in one field, with commas between them. */
static bool
set_tag(struct conf_words *words, void *field, struct error *error)
{
	static const char known[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	enum { TAG_MAX = 64 };
	const char **tag = field, *word = words->words[0];
	size_t len = words->count == 1 ? strlen(word) : 0;

	if (len == 0 || len > TAG_MAX || strspn(word, known) != len)
		return error_set(error, "takes one word of at most %d letters, digits, dots, _ and -",
		    TAG_MAX);
	*tag = word;
	return true;
}

static const struct directive tag_directives[] = {
	CONF_CUSTOM(struct access_rule, word, NULL, set_tag, "word", CONF_REQUIRED,
	    "A word for them, in the log's events."),
	CONDITION_ROWS(struct access_rule, lines),
	{ 0 }
};

static const struct block allow_block = {
	.name = "allow", .directives = allow_directives, .size = BLOCK_SIZE(struct access_rule),
	.title = TITLE_VALUE, .help = "Who may come."
};
static const struct block deny_block = {
	.name = "deny", .directives = deny_directives, .size = BLOCK_SIZE(struct access_rule),
	.title = TITLE_VALUE,
	.help = "Who may not. Who is known by address or TLS is turned away before the login."
};
static const struct block limit_block = {
	.name = "limit", .directives = limit_directives, .size = BLOCK_SIZE(struct access_rule),
	.title = TITLE_VALUE,
	.help = "Who may come under other limits. Where this is clear only behind the connect, by TLS or the "
		"user, the connection has been counted under those of the listener by then, and stays so.",
};
static const struct block tag_block = {
	.name = "tag", .directives = tag_directives, .size = BLOCK_SIZE(struct access_rule),
	.title = TITLE_VALUE, .help = "Who is marked in the log; rules behind it are looked at all the same."
};

static const struct directive access_directives[] = {
	CONF_BLOCKS(struct access, rules, &allow_block, 0),
	CONF_BLOCKS(struct access, rules, &deny_block, 0),
	CONF_BLOCKS(struct access, rules, &limit_block, 0),
	CONF_BLOCKS(struct access, rules, &tag_block, 0),
	{ 0 }
};

const struct block access_block = {
	.name = "access", .directives = access_directives, .size = BLOCK_SIZE(struct access),
	.title = TITLE_NAME,
	.help = "Who may come: rules in the order of the file, of which the first `allow`, `deny` or `limit` "
		"that matches decides; whoever meets none may. All lines of a rule must be true, and of a "
		"line one of its values; `not` before a condition negates it.",
};

void
access_each(const struct access *access,
    void (*each)(struct condition_line *line, const struct conf_block *block, void *arg), void *arg)
{
	for (size_t i = 0; i < access->rules.count; i++) {
		struct access_rule *rule = access->rules.items[i];

		if (rule->when.count > 0)
			each(&rule->when, &rule->conf, arg);
		for (size_t j = 0; j < rule->lines.count; j++) {
			struct condition *condition = rule->lines.items[j];

			each(&condition->line, &condition->conf, arg);
		}
	}
}

struct opening {
	const struct condition_scope *scope;
	struct conf_problems *problems;
	bool ok;
};

static void
open_line(struct condition_line *line, const struct conf_block *block, void *arg)
{
	struct opening *opening = arg;

	opening->ok &= block->broken || condition_open(line, block, opening->scope, opening->problems);
}

bool
access_open(struct access *access, const struct condition_scope *scope, struct conf_problems *problems)
{
	struct opening opening = { scope, problems, true };

	access_each(access, open_line, &opening);
	return opening.ok;
}

static void
close_line(struct condition_line *line, const struct conf_block *block, void *arg)
{
	(void)block;
	(void)arg;
	condition_close(line);
}

void
access_close(struct access *access)
{
	access_each(access, close_line, NULL);
}

static void
refresh_line(struct condition_line *line, const struct conf_block *block, void *arg)
{
	(void)block;
	(void)arg;
	condition_refresh(line);
}

void
access_refresh(struct access *access)
{
	access_each(access, refresh_line, NULL);
}

static enum condition_answer
judge_rule(const struct access_rule *rule, struct condition_subject *subject)
{
	enum condition_answer first = CONDITION_YES, rest;

	if (rule->when.count > 0)
		first = condition_judge(&rule->when, subject);
	if (first == CONDITION_NO)
		return first;
	rest = conditions_judge(&rule->lines, subject);
	return rest == CONDITION_YES ? first : rest;
}

static void
add_tag(struct access_answer *answer, const char *word)
{
	buf_printf(&answer->tags, "%s%s", buf_len(&answer->tags) > 0 ? "," : "", word);
}

void
access_judge(const struct access *access, struct condition_subject *subject, struct access_answer *answer)
{
	*answer = (struct access_answer){ .verdict = ACCESS_ALLOW };
	for (size_t i = 0; i < access->rules.count; i++) {
		const struct access_rule *rule = access->rules.items[i];
		enum condition_answer is_met = judge_rule(rule, subject);

		if (is_met == CONDITION_NO)
			continue;
		if (rule->conf.kind == &tag_block) {
			if (is_met == CONDITION_YES)
				add_tag(answer, rule->word);
			continue;
		}
		answer->rule = rule;
		answer->limits = rule->limits;
		answer->verdict = is_met == CONDITION_LATER ? ACCESS_LATER :
		    rule->conf.kind == &deny_block ? ACCESS_DENY : ACCESS_ALLOW;
		if (is_met == CONDITION_LATER)
			answer->limits = NULL;
		return;
	}
}
