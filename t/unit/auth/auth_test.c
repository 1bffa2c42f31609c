/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_test.c: who decides, once and at once, and that cancelling is always fine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "auth/auth.h"
#include "conf/conf.h"

struct root {
	struct conf_block conf;
	struct conf_list auths;
};

static const struct directive root_directives[] = {
	CONF_BLOCKS(struct root, auths, &auth_block, 0),
	{ 0 }
};

static const struct block root_block = {
	.name = "root", .directives = root_directives, .size = BLOCK_SIZE(struct root),
};

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
	struct conf_problems problems = { 0 };
	struct conf *conf = conf_load_text("text", "auth far { source server }\nauth near { source server }",
	    &root_block, &problems);
	const struct root *root;

	(void)state;
	conf_problems_print(&problems, stderr);
	assert_non_null(conf);
	root = conf_root(conf);
	assert_int_equal(root->auths.count, 2);
	ask(&root->auths);
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

/* A source whose answer is under way. */
static void
on_cancel(struct auth_request *request)
{
	*(int *)request->work += 1;
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
		cmocka_unit_test(cancels_once_what_is_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
