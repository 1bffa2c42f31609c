/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_chain_test.c: several sources in order, here all `file`, each with an
 * answer of its own: who is asked, whose answer counts, and that a temporary
 * failure is never skipped over.
 */
#include "auths.h"

/* A source does with everybody what its name begins with, see start. */
struct question {
	struct auth_request request;
	struct auth_answer answer;
	char asked[16];			/* the blocks' names, in their order */
	int answers, pretences;
};

static void
start(struct auth_request *request, const struct auth *auth)
{
	struct question *question = (struct question *)request;
	const char *name = auth->conf.title;
	size_t len = strlen(question->asked);

	assert_true(len + 1 < sizeof(question->asked));
	question->asked[len] = *name;
	if (*name == 'u')		/* unknown */
		auth_pass_on(request, auth);
	else if (*name == 'r')		/* refuses whomever it does not know, too */
		auth_refuse(request, &(struct auth_answer){ .verdict = AUTH_REFUSED, .reason = name });
	else if (*name == 'w')		/* wrong password of one whom it knows */
		auth_answer(request, &(struct auth_answer){ .verdict = AUTH_REFUSED, .reason = name });
	else
		auth_answer(request, &(struct auth_answer){
		    .verdict = *name == 'l' ? AUTH_LATER : AUTH_OK, .reason = name });
}

static void
pretend(struct auth_request *request, const struct auth *auth)
{
	(void)auth;
	((struct question *)request)->pretences++;
	auth_answer(request, &(struct auth_answer){ .verdict = AUTH_REFUSED });
}

static unsigned
mechanisms(const struct auth *auth)
{
	(void)auth;
	return mechanisms_of_kind(CREDENTIAL_PASSWORD);
}

/* In the place of the one that reads files, whose archive member is not linked then. */
const struct auth_source auth_file = {
	.name = "file", .knows_users = true, .mechanisms = mechanisms, .start = start, .lookup = start,
	.pretend = pretend,
};

static void
on_verdict(struct auth_request *request, const struct auth_answer *answer)
{
	struct question *question = (struct question *)request;

	question->answer = *answer;
	question->answers++;
}

enum { LATER = -1, REFUSED, OK, BY_SERVER };	/* as verdicts are written in rows */

static int
code_of(enum auth_verdict verdict)
{
	switch (verdict) {
	case AUTH_OK: return OK;
	case AUTH_REFUSED: return REFUSED;
	case AUTH_LATER: return LATER;
	default: return BY_SERVER;
	}
}

struct row {
	const char *chain;		/* names and perhaps domains, as in "u k:a.example" */
	const char *asked;		/* of them */
	int verdict;
	const char *decided;		/* by whom, with a reason; NULL: without */
	int pretences;
};

static struct conf *
load_chain(const char *chain, struct conf_list *auths)
{
	struct slice rest = slice_of(chain);
	struct buf text = { 0 };
	struct conf *conf;

	while (rest.len > 0) {
		struct slice domain = slice_word(&rest), name = slice_take(&domain, ':');

		buf_printf(&text, "auth %.*s { source %s", SLICE_ARGS(name),
		    *name.data == 's' ? "server" : "file");
		if (domain.len > 0)
			buf_printf(&text, "; domains %.*s", SLICE_ARGS(domain));
		buf_append_text(&text, " }\n");
		rest = slice_trim(rest);
	}
	buf_append(&text, "", 1);
	conf = load_auths(buf_slice(&text).data, auths);
	buf_clear(&text);
	return conf;
}

static void
expect(const struct row *row, bool is_lookup)
{
	struct conf_list auths;
	struct conf *conf = load_chain(row->chain, &auths);
	struct question question = {
		.request = { .chain = &auths, .user = "bob@a.example", .on_verdict = on_verdict },
	};

	(is_lookup ? auth_lookup_start : auth_start)(&question.request);
	if (question.answers != 1 || strcmp(question.asked, row->asked) != 0 ||
	    code_of(question.answer.verdict) != row->verdict || question.pretences != row->pretences)
		fail_msg("%s: asked %s, %d answers, verdict %d, %d pretences", row->chain, question.asked,
		    question.answers, code_of(question.answer.verdict), question.pretences);
	if (row->decided == NULL)
		assert_null(question.answer.reason);
	else
		assert_string_equal(question.answer.reason, row->decided);
	if (row->decided != NULL)
		assert_string_equal(question.request.asked->conf.title, row->decided);
	conf_free(&conf);
}

static void
the_first_that_knows_the_user_decides(void **state)
{
	static const struct row rows[] = {
		{ "k",         "k",   OK,        "k",  0 },
		{ "k w",       "k",   OK,        "k",  0 },
		{ "w k",       "w",   REFUSED,   "w",  0 },
		{ "u k",       "uk",  OK,        "k",  0 },
		{ "u w k",     "uw",  REFUSED,   "w",  0 },
		{ "u",         "u",   REFUSED,   NULL, 1 },
		{ "u u2",      "uu",  REFUSED,   NULL, 1 },
		{ "s",         "",    BY_SERVER, NULL, 0 },
		{ "u s",       "u",   BY_SERVER, NULL, 0 },
		{ "k s",       "k",   OK,        "k",  0 },
		{ "s k",       "",    BY_SERVER, NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect(&rows[i], false);
}

static void
a_temporary_failure_is_not_skipped_over(void **state)
{
	static const struct row rows[] = {
		{ "l",         "l",   LATER,     "l",  0 },
		{ "l k",       "l",   LATER,     "l",  0 },
		{ "l u",       "l",   LATER,     "l",  0 },
		{ "l s",       "l",   LATER,     "l",  0 },
		{ "u l k",     "ul",  LATER,     "l",  0 },
		{ "r l k",     "rl",  LATER,     "l",  0 },
		{ "k l",       "k",   OK,        "k",  0 },
		{ "l:b.example k", "k", OK,      "k",  0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		expect(&rows[i], false);
		if (strchr(rows[i].chain, 's') == NULL)
			expect(&rows[i], true);
	}
}

/* One that does not tell whom it knows: the last word is the last one's. */
static void
who_refuses_all_is_asked_in_order_too(void **state)
{
	static const struct row rows[] = {
		{ "r",         "r",   REFUSED,   "r",  0 },
		{ "u r",       "ur",  REFUSED,   "r",  0 },
		{ "r k",       "rk",  OK,        "k",  0 },
		{ "r w",       "rw",  REFUSED,   "w",  0 },
		{ "r r2",      "rr",  REFUSED,   "r2", 0 },
		{ "r s",       "r",   BY_SERVER, NULL, 0 },
		/* the others are of other domains */
		{ "r k:b.example", "r", REFUSED, "r",  0 },
		{ "r k:a.example", "rk", OK,     "k",  0 },
		{ "r u",       "ru",  REFUSED,   NULL, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect(&rows[i], false);
}

static void
only_those_of_the_users_domain_are_asked(void **state)
{
	static const struct row rows[] = {
		{ "k:b.example", "",  REFUSED,   NULL, 0 },
		{ "w:b.example k:A.Example", "k", OK, "k", 0 },
		{ "u:a.example s:b.example", "u", REFUSED, NULL, 1 },
		{ "w:b.example s", "", BY_SERVER, NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect(&rows[i], false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_that_knows_the_user_decides),
		cmocka_unit_test(a_temporary_failure_is_not_skipped_over),
		cmocka_unit_test(who_refuses_all_is_asked_in_order_too),
		cmocka_unit_test(only_those_of_the_users_domain_are_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
