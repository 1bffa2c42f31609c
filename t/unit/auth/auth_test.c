/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_test.c: who decides, once and at once, and that cancelling is always fine. */
#include "auths.h"

struct question {
	struct auth_request request;
	enum auth_verdict verdict;
	int answers;
};

static void
on_verdict(struct auth_request *request, const struct auth_answer *answer)
{
	struct question *question = (struct question *)request;

	question->verdict = answer->verdict;
	question->answers++;
	auth_cancel(request);		/* as a session that ends here does */
}

static void
ask(const struct conf_list *chain)
{
	struct question question = { .request = { .chain = chain, .on_verdict = on_verdict } };

	auth_cancel(&question.request);
	auth_start(&question.request);
	assert_int_equal(question.answers, 1);
	assert_int_equal(question.verdict, AUTH_BY_SERVER);
	auth_cancel(&question.request);
	assert_int_equal(question.answers, 1);
}

static void
without_a_source_the_server_decides(void **state)
{
	const struct conf_list none = { 0 };

	(void)state;
	ask(&none);
}

static void
source_server_leaves_it_to_the_server(void **state)
{
	struct conf_list auths;
	struct conf *conf = load_auths("auth far { source server }\nauth near { source server }", &auths);

	(void)state;
	assert_int_equal(auths.count, 2);
	ask(&auths);
	assert_string_equal(auth_server.name, "server");
	assert_false(auth_server.knows_users);
	conf_free(&conf);
}

static void
a_source_is_needed(void **state)
{
	static const char *const texts[] = {
		"auth far { }", "auth far { source nobody }", "auth { source server }",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct conf_problems problems = { 0 };

		assert_null(conf_load_text("text", texts[i], &root_block, &problems));
		assert_int_equal(problems.count, 1);
		conf_problems_clear(&problems);
	}
}

static void
mechanisms_are_those_of_the_source(void **state)
{
	static const struct {
		const char *text, *problem;	/* none: it is good */
	} rows[] = {
		{ "source file; path /u; mechanisms auto", NULL },
		{ "source file; path /u; mechanisms PLAIN login CRAM-MD5 SCRAM-SHA-256 EXTERNAL", NULL },
		{ "source server; mechanisms PLAIN XOAUTH2 OAUTHBEARER", NULL },
		{ "source file; path /u; mechanisms PLAIN XOAUTH2",
		  "text:1:49: XOAUTH2 cannot be offered: source file judges no tokens" },
		{ "source server; mechanisms PLAIN CRAM-MD5",
		  "text:1:42: CRAM-MD5 cannot be offered: source server judges no proofs" },
		{ "source server; mechanisms EXTERNAL",
		  "text:1:36: EXTERNAL cannot be offered: source server judges no certificates" },
		{ "source server; mechanisms PLIAN",
		  "text:1:36: PLIAN is not a mechanism; did you mean PLAIN?" },
		{ "source server; mechanisms SCRAM-SHA-2",
		  "SCRAM-SHA-2 is not a mechanism; did you mean SCRAM-SHA-" },
		{ "source file; path /u; mechanisms PLAIN apop", NULL },
		{ "source server; mechanisms PLAIN apop",
		  "text:1:42: APOP cannot be offered: source server judges no proofs" },
		{ "source file; path /u; mechanisms PLAIN SCRAM-SHA-1",
		  "text:1:49: SCRAM-SHA-1 cannot be offered: source file does not know it" },
		{ "source file; path /u; mechanisms GSSAPI",
		  "text:1:43: GSSAPI cannot be offered: source file does not know it" },
		{ "source server; mechanisms PLAIN auto", "text:1:42: auto stands alone" },
		{ "source server; mechanisms none", "text:1:" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conf_problems problems = { 0 };
		struct conf *conf;
		char text[256], told[1024] = "";
		FILE *out = fmemopen(told, sizeof(told) - 1, "w");

		snprintf(text, sizeof(text), "auth a { %s }", rows[i].text);
		conf = conf_load_text("text", text, &root_block, &problems);
		conf_problems_print(&problems, out);
		fclose(out);
		if (rows[i].problem == NULL ? problems.count > 0 : strstr(told, rows[i].problem) == NULL)
			fail_msg("row %zu: %s", i, told);
		conf_problems_clear(&problems);
		conf_free(&conf);
	}
}

static void
what_is_written_is_offered(void **state)
{
	enum { PLAIN = MECHANISM_BIT(MECHANISM_PLAIN), XOAUTH2 = MECHANISM_BIT(MECHANISM_XOAUTH2) };
	struct conf_list chain;
	struct conf *conf = load_auths(
	    "auth a { source server; mechanisms PLAIN XOAUTH2 }\nauth b { source server }", &chain);

	(void)state;
	assert_int_equal(auth_mechanisms(&chain), PLAIN | XOAUTH2);
	chain.count = 0;
	assert_int_equal(auth_mechanisms(&chain),
	    mechanisms_of_kind(CREDENTIAL_PASSWORD) | mechanisms_of_kind(CREDENTIAL_TOKEN));
	conf_free(&conf);
}

/* A source whose answer is under way. */
static void
on_cancel(struct auth_request *request)
{
	*(int *)request->work += 1;
}

static void
the_manual_lists_all_mechanisms(void **state)
{
	const struct directive *row = auth_block.directives;
	struct buf list = { 0 };

	(void)state;
	for (int i = MECHANISM_NONE + 1; i < MECHANISM_COUNT; i++)
		buf_printf(&list, "%s %s", i > MECHANISM_NONE + 1 ? "," : ":", mechanism_facts[i].name);
	buf_append(&list, ".", sizeof("."));
	while (row->name == NULL || strcmp(row->name, "mechanisms") != 0)
		row++;
	assert_non_null(strstr(row->help, buf_data(&list)));
	buf_clear(&list);
}

static void
cancels_once_what_is_under_way(void **state)
{
	int cancelled = 0;
	struct auth_request request = { .cancel = on_cancel, .work = &cancelled };

	(void)state;
	auth_cancel(&request);
	auth_cancel(&request);
	assert_int_equal(cancelled, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_source_the_server_decides),
		cmocka_unit_test(source_server_leaves_it_to_the_server),
		cmocka_unit_test(a_source_is_needed),
		cmocka_unit_test(mechanisms_are_those_of_the_source),
		cmocka_unit_test(what_is_written_is_offered),
		cmocka_unit_test(the_manual_lists_all_mechanisms),
		cmocka_unit_test(cancels_once_what_is_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
