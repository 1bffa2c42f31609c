/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_lookup_test.c: users looked up in sources that answer later (here `file` is one), or that cannot. */
#include "auths.h"

struct question {
	struct auth_request request;
	struct auth_answer answer;
	int answers, asked, cancelled;
	const struct auth *at;		/* whose answer is awaited; NULL: nobody's */
};

static void
on_cancel(struct auth_request *request)
{
	struct question *question = (struct question *)request;

	question->cancelled++;
	question->at = NULL;
}

/* Answers when the test says so. */
static void
look_up(struct auth_request *request, const struct auth *auth)
{
	struct question *question = (struct question *)request;

	assert_null(request->cancel);
	question->asked++;
	question->at = auth;
	request->cancel = on_cancel;
	request->work = question;
}

static void
start(struct auth_request *request, const struct auth *auth)
{
	(void)request;
	(void)auth;
	fail_msg("a lookup is no login");
}

static unsigned
mechanisms(const struct auth *auth)
{
	(void)auth;
	return mechanisms_of_kind(CREDENTIAL_PASSWORD);
}

/* In the place of the one that reads files, whose archive member is not linked then. */
const struct auth_source auth_file = {
	.name = "file", .knows_users = true, .mechanisms = mechanisms, .start = start, .lookup = look_up,
};

static void
on_verdict(struct auth_request *request, const struct auth_answer *answer)
{
	struct question *question = (struct question *)request;

	question->answer = *answer;
	question->answers++;
	auth_cancel(request);		/* as a session that ends here does */
}

static void
begin(struct question *question, const struct conf_list *chain, const char *user)
{
	*question = (struct question){
		.request = { .chain = chain, .user = user, .on_verdict = on_verdict },
	};
	auth_lookup_start(&question->request);
}

/* The source answers, or passes on. */
static void
know(struct question *question, enum auth_verdict verdict)
{
	question->at = NULL;
	auth_answer(&question->request, &(struct auth_answer){ .verdict = verdict, .pool = "p" });
}

static void
know_nothing(struct question *question)
{
	const struct auth *auth = question->at;

	question->at = NULL;
	question->request.cancel = NULL;
	auth_pass_on(&question->request, auth);
}

static void
an_answer_may_come_later(void **state)
{
	static const enum auth_verdict verdicts[] = { AUTH_OK, AUTH_LATER, AUTH_REFUSED };
	struct conf_list chain;
	struct conf *conf = load_auths("auth a { source file }\nauth b { source file }", &chain);

	(void)state;
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		struct question question;

		begin(&question, &chain, "bob");
		assert_int_equal(question.answers, 0);
		assert_ptr_equal(question.at, chain.items[0]);
		know(&question, verdicts[i]);
		assert_int_equal(question.answers, 1);
		assert_int_equal(question.answer.verdict, verdicts[i]);
		assert_string_equal(question.answer.pool, "p");
		assert_int_equal(question.asked, 1);
		assert_int_equal(question.cancelled, 0);
		assert_null(question.request.work);
	}
	conf_free(&conf);
}

static void
the_next_is_asked_about_strangers(void **state)
{
	struct conf_list chain;
	struct conf *conf = load_auths("auth a { source file }\nauth b { source file; domains b.example }\n"
				 "auth c { source file }", &chain);
	struct question question;

	(void)state;
	begin(&question, &chain, "bob@c.example");
	know_nothing(&question);
	assert_ptr_equal(question.at, chain.items[2]);
	assert_int_equal(question.answers, 0);
	know(&question, AUTH_OK);
	assert_int_equal(question.answer.verdict, AUTH_OK);
	begin(&question, &chain, "bob@b.example");
	for (size_t i = 0; i < chain.count; i++) {
		assert_int_equal(question.answers, 0);
		assert_ptr_equal(question.at, chain.items[i]);
		know_nothing(&question);
	}
	assert_int_equal(question.answers, 1);
	assert_int_equal(question.answer.verdict, AUTH_REFUSED);
	assert_non_null(question.answer.why);
	conf_free(&conf);
}

static void
what_is_cancelled_is_not_answered(void **state)
{
	struct conf_list chain;
	struct conf *conf = load_auths("auth a { source file }\nauth b { source file }", &chain);
	struct question question;

	(void)state;
	begin(&question, &chain, "bob");
	auth_cancel(&question.request);
	auth_cancel(&question.request);
	assert_int_equal(question.cancelled, 1);
	assert_int_equal(question.answers, 0);
	/* at the second of the chain, too */
	begin(&question, &chain, "bob");
	know_nothing(&question);
	auth_cancel(&question.request);
	assert_int_equal(question.cancelled, 1);
	assert_int_equal(question.asked, 2);
	assert_int_equal(question.answers, 0);
	conf_free(&conf);
}

static void
who_cannot_look_up_leaves_it_to_the_server(void **state)
{
	static const struct {
		const char *text, *user;
		enum auth_verdict verdict;	/* when all that are asked know nothing */
		int asked;
	} rows[] = {
		{ "", "bob", AUTH_BY_SERVER, 0 },
		{ "auth a { source server }", "bob", AUTH_BY_SERVER, 0 },
		{ "auth a { source server }\nauth b { source server }", "bob", AUTH_BY_SERVER, 0 },
		{ "auth a { source server; domains a.example }", "bob", AUTH_REFUSED, 0 },
		/* the server is not in the way of those who can */
		{ "auth a { source server }\nauth b { source file }", "bob", AUTH_BY_SERVER, 1 },
		{ "auth a { source file }\nauth b { source server }", "bob", AUTH_BY_SERVER, 1 },
		{ "auth a { source server; domains a.example }\nauth b { source file }", "bob",
		  AUTH_REFUSED, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conf_list chain;
		struct conf *conf = load_auths(rows[i].text, &chain);
		struct question question;

		begin(&question, &chain, rows[i].user);
		if (question.at != NULL)
			know_nothing(&question);
		assert_int_equal(question.answers, 1);
		assert_int_equal(question.answer.verdict, rows[i].verdict);
		assert_int_equal(question.asked, rows[i].asked);
		conf_free(&conf);
	}
	assert_null(auth_server.lookup);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_may_come_later),
		cmocka_unit_test(the_next_is_asked_about_strangers),
		cmocka_unit_test(what_is_cancelled_is_not_answered),
		cmocka_unit_test(who_cannot_look_up_leaves_it_to_the_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
