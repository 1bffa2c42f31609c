/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_file_test.c: what a user file answers, at once and from the hashing threads, alone and in a chain. */
#include "user_file_rig.h"

#include <time.h>

static enum auth_verdict
ask(const struct rig *rig, const char *user, const char *password)
{
	struct question question;

	question_begin(&question, rig, user, password);
	auth_start(&question.request);
	return question_end(&question);
}

static void
cheap_passwords_are_checked_at_once(void **state)
{
	struct rig *rig = *state;
	struct question question;

	write_users(rig, "a", "bob:{PLAIN}secret\neve:!\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	assert_true(auth_knows_users(&rig->auths));
	question_begin(&question, rig, "bob", "secret");
	auth_start(&question.request);
	assert_int_equal(question.answers, 1);
	assert_int_equal(question_end(&question), AUTH_OK);
	assert_int_equal(ask(rig, "bob", "wrong"), AUTH_REFUSED);
	assert_int_equal(ask(rig, "bob", ""), AUTH_REFUSED);
	assert_int_equal(ask(rig, "nobody", "secret"), AUTH_REFUSED);
	assert_int_equal(ask(rig, "eve", "secret"), AUTH_REFUSED);
	assert_int_equal(ask(rig, "eve", "!"), AUTH_REFUSED);
}

static void
slow_passwords_are_checked_on_another_thread(void **state)
{
	static const struct {
		const char *user, *password;
		enum auth_verdict verdict;
	} rows[] = {
		{ "bob", "secret", AUTH_OK }, { "bob", "wrong", AUTH_REFUSED },
		{ "nobody", "secret", AUTH_REFUSED }, { "eve", "secret", AUTH_REFUSED },
	};
	struct rig *rig = *state;

	write_users(rig, "a", "bob:" SLOW "\neve:!\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct question question;

		question_begin(&question, rig, rows[i].user, rows[i].password);
		auth_start(&question.request);
		assert_int_equal(question.answers, 0);
		assert_int_equal(question_end(&question), rows[i].verdict);
		assert_true(question.was_on_loop);
	}
}

static void
what_is_cancelled_is_not_answered(void **state)
{
	struct rig *rig = *state;
	struct question first, second;

	write_users(rig, "a", "bob:" SLOW "\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	question_begin(&first, rig, "bob", "secret");
	auth_start(&first.request);
	auth_cancel(&first.request);
	auth_cancel(&first.request);
	question_begin(&second, rig, "bob", "secret");
	auth_start(&second.request);
	assert_int_equal(question_end(&second), AUTH_OK);
	assert_int_equal(first.answers, 0);
	credentials_wipe(&first.credentials);
	/* and one that is under way at the end of the process */
	question_begin(&first, rig, "bob", "secret");
	auth_start(&first.request);
	thread_pool_free(&rig->hashing);
	assert_int_equal(first.answers, 0);
	credentials_wipe(&first.credentials);
}

static void
too_many_at_once_are_put_off(void **state)
{
	struct rig *rig = *state;

	thread_pool_free(&rig->hashing);
	rig->hashing = thread_pool_new(1, 0, loop_post);
	write_users(rig, "a", "bob:" SLOW "\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	assert_int_equal(ask(rig, "bob", "secret"), AUTH_LATER);
	assert_int_equal(ask(rig, "nobody", "secret"), AUTH_LATER);
}

static int64_t
spent_us(const struct rig *rig, const char *user)
{
	struct timespec before, after;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
	assert_int_equal(ask(rig, user, "wrong"), AUTH_REFUSED);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
	return (after.tv_sec - before.tv_sec) * 1000000 + (after.tv_nsec - before.tv_nsec) / 1000;
}

static void
an_unknown_user_costs_as_much_as_a_wrong_password(void **state)
{
	enum { ROUNDS = 15 };
	static const char *const strangers[] = { "nobody", "eve" };
	struct rig *rig = *state;
	int64_t known = INT64_MAX;

	thread_pool_free(&rig->hashing);
	write_users(rig, "a", "bob:" SLOW "\ntim:" SLOW "\njim:{PLAIN}x\neve:!\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	for (int i = 0; i < ROUNDS; i++) {
		int64_t us = spent_us(rig, "bob");

		known = us < known ? us : known;
	}
	for (size_t k = 0; k < sizeof(strangers) / sizeof(strangers[0]); k++) {
		int64_t unknown = INT64_MAX;

		for (int i = 0; i < ROUNDS; i++) {
			int64_t us = spent_us(rig, strangers[k]);

			unknown = us < unknown ? us : unknown;
		}
		if (unknown < known * 2 / 3 || unknown > known * 3 / 2)
			fail_msg("%s: %lld us, bob: %lld us", strangers[k], (long long)unknown,
			    (long long)known);
	}
}

static void
names_are_put_into_fields(void **state)
{
	struct rig *rig = *state;
	struct question question;

	write_users(rig, "a", "bob@example.org:{PLAIN}secret:user=%n@other.%d\ntim:{PLAIN}secret:host=%d\n"
			      "eve@example.org:{PLAIN}secret:nologin reason=%d/%n\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	question_begin(&question, rig, "bob@example.org", "secret");
	auth_start(&question.request);
	assert_int_equal(question_end(&question), AUTH_OK);
	assert_string_equal(question.user, "bob@other.example.org");
	question_begin(&question, rig, "eve@example.org", "secret");
	auth_start(&question.request);
	assert_int_equal(question_end(&question), AUTH_REFUSED);
	assert_string_equal(question.reason, "example.org/eve");
	assert_int_equal(ask(rig, "tim", "secret"), AUTH_LATER);
	assert_int_equal(ask(rig, "tim", "wrong"), AUTH_REFUSED);
}

static void
users_are_found_by_either_name(void **state)
{
	struct rig *rig = *state;
	struct question question;

	write_users(rig, "a",
	    "bob@example.com:{PLAIN}canonical:user=robert@example.com\nBob:{PLAIN}written\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	question_begin(&question, rig, "Bob", "canonical");
	question.request.user = "bob@example.com";
	auth_start(&question.request);
	assert_int_equal(question_end(&question), AUTH_OK);
	assert_string_equal(question.user, "robert@example.com");
	question_begin(&question, rig, "Bob", "written");
	question.request.user = "bob@example.net";
	auth_start(&question.request);
	assert_int_equal(question_end(&question), AUTH_OK);
	assert_string_equal(question.user, "");
}

static void
nobody_acts_for_another(void **state)
{
	static const struct {
		const char *authzid;
		enum auth_verdict verdict;
	} rows[] = {
		{ "bob", AUTH_OK }, { "", AUTH_OK }, { "bobby", AUTH_REFUSED }, { "tim", AUTH_REFUSED },
	};
	struct rig *rig = *state;

	write_users(rig, "a", "bob:{PLAIN}secret\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct question question;

		question_begin(&question, rig, "bob", "secret");
		buf_append_text(&question.credentials.authzid, rows[i].authzid);
		auth_start(&question.request);
		assert_int_equal(question_end(&question), rows[i].verdict);
	}
}

static void
the_reason_is_for_those_who_know_the_password(void **state)
{
	struct rig *rig = *state;
	struct question question;

	write_users(rig, "a", "bob:{PLAIN}secret:nologin reason=Moved\nfree::nopassword\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	question_begin(&question, rig, "bob", "secret");
	auth_start(&question.request);
	assert_int_equal(question_end(&question), AUTH_REFUSED);
	assert_string_equal(question.reason, "Moved");
	question_begin(&question, rig, "bob", "wrong");
	auth_start(&question.request);
	assert_int_equal(question_end(&question), AUTH_REFUSED);
	assert_string_equal(question.reason, "");
	assert_int_equal(ask(rig, "free", "anything"), AUTH_BY_SERVER);
	assert_int_equal(ask(rig, "free", ""), AUTH_REFUSED);
}

static void
the_first_source_that_knows_the_user_decides(void **state)
{
	struct rig *rig = *state;

	write_users(rig, "a", "bob@a.example:{PLAIN}first\nbob@b.example:{PLAIN}never\nbob:{PLAIN}never\n");
	write_users(rig, "b",
	    "bob@b.example:{PLAIN}second\nbob@a.example:{PLAIN}second\nbob:{PLAIN}second\n");
	rig_configure(rig, "auth a { source file; path @/a; domains x.example A.example }\n"
			   "auth b { source file; path @/b }");
	assert_int_equal(ask(rig, "bob@a.example", "first"), AUTH_OK);
	assert_int_equal(ask(rig, "bob@a.example", "second"), AUTH_REFUSED);
	assert_int_equal(ask(rig, "bob@b.example", "second"), AUTH_OK);
	assert_int_equal(ask(rig, "bob@b.example", "never"), AUTH_REFUSED);
	assert_int_equal(ask(rig, "bob", "second"), AUTH_OK);
	assert_int_equal(ask(rig, "tim@a.example", "first"), AUTH_REFUSED);
	assert_int_equal(ask(rig, "tim@c.example", "first"), AUTH_REFUSED);
}

static void
the_server_decides_on_whom_no_file_knows(void **state)
{
	struct rig *rig = *state;

	write_users(rig, "a", "bob@a.example:{PLAIN}secret\n");
	rig_configure(rig, "auth a { source file; path @/a }\nauth far { source server; domains a.example }");
	assert_int_equal(ask(rig, "bob@a.example", "secret"), AUTH_OK);
	assert_int_equal(ask(rig, "bob@a.example", "wrong"), AUTH_REFUSED);
	assert_int_equal(ask(rig, "tim@a.example", "secret"), AUTH_BY_SERVER);
	assert_int_equal(ask(rig, "tim@b.example", "secret"), AUTH_REFUSED);
}

/* No password is asked for, and none is hashed: the answer is there at once. */
static enum auth_verdict
look_up(const struct rig *rig, struct question *question, const char *user)
{
	question_begin(question, rig, user, "");
	question->request.credentials = NULL;
	auth_lookup_start(&question->request);
	assert_int_equal(question->answers, 1);
	return question_end(question);
}

static void
users_are_looked_up_without_a_password(void **state)
{
	struct rig *rig = *state;
	struct question question;

	write_users(rig, "a", "bob@example.org:" SLOW ":user=%n@other.%d\neve:!\n"
			      "jim:{PLAIN}secret:nologin reason=Moved\nfree::nopassword\n"
			      "tim:{PLAIN}secret:host=%d\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	assert_int_equal(look_up(rig, &question, "bob@example.org"), AUTH_OK);
	assert_string_equal(question.user, "bob@other.example.org");
	assert_int_equal(look_up(rig, &question, "eve"), AUTH_OK);
	assert_int_equal(look_up(rig, &question, "free"), AUTH_OK);
	assert_int_equal(look_up(rig, &question, "jim"), AUTH_OK);
	assert_string_equal(question.reason, "Moved");
	assert_int_equal(look_up(rig, &question, "tim"), AUTH_LATER);
	assert_int_equal(look_up(rig, &question, "nobody"), AUTH_REFUSED);
	/* with the same request, a login is one again */
	assert_int_equal(look_up(rig, &question, "jim"), AUTH_OK);
	question.request.credentials = &question.credentials;
	auth_start(&question.request);
	assert_int_equal(question.answers, 2);
	assert_int_equal(question.verdict, AUTH_REFUSED);
}

static void
lookups_go_along_the_chain(void **state)
{
	struct rig *rig = *state;
	struct question question;

	write_users(rig, "a", "bob@a.example:!:user=first\nbob@b.example:!:user=never\n");
	write_users(rig, "b", "bob@a.example:!:user=never\nbob@b.example:!:user=second\n");
	rig_configure(rig, "auth far { source server; domains c.example }\n"
			   "auth a { source file; path @/a; domains a.example c.example }\n"
			   "auth b { source file; path @/b }");
	assert_int_equal(look_up(rig, &question, "bob@a.example"), AUTH_OK);
	assert_string_equal(question.user, "first");
	assert_int_equal(look_up(rig, &question, "bob@b.example"), AUTH_OK);
	assert_string_equal(question.user, "second");
	assert_int_equal(look_up(rig, &question, "tim@a.example"), AUTH_REFUSED);
	assert_int_equal(look_up(rig, &question, "bob@c.example"), AUTH_BY_SERVER);
}

static bool
says(const struct conf_problems *problems, size_t i, const char *text)
{
	struct slice message = conf_problems_message(problems, i);

	return memmem(message.data, message.len, text, strlen(text)) != NULL;
}

static void
a_reload_shares_the_users_of_a_path(void **state)
{
	struct rig *rig = *state;
	struct conf_problems problems = { 0 };
	const struct auth *old, *new;
	struct conf_list auths;
	struct conf *conf;
	bool changed;

	write_users(rig, "a", "bob:{PLAIN}secret\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	conf = load(rig, "auth other { source file; path @/a }", &auths);
	open_auths(&auths, &rig->auths);
	old = rig->auths.items[0];
	new = auths.items[0];
	assert_ptr_equal(old->resource, new->resource);
	assert_true(auth_refresh(old, &changed, &problems));
	assert_false(changed);
	auth_close(auths.items[0]);
	assert_null(new->resource);
	assert_int_equal(ask(rig, "bob", "secret"), AUTH_OK);
	/* a bad file fails the reload, and the users before serve on */
	write_users(rig, "a", "bob:{PLAIN}secret\nbad\nworse\n");
	assert_false(auth_open(auths.items[0], &rig->auths, &problems));
	assert_int_equal(problems.count, 2);
	assert_true(says(&problems, 0, "/a:2: no :") && says(&problems, 1, "/a:3: no :"));
	conf_problems_clear(&problems);
	auth_close(auths.items[0]);
	conf_free(&conf);
	assert_int_equal(ask(rig, "bob", "secret"), AUTH_OK);
}

static void
users_swapped_during_a_check_stay_for_it(void **state)
{
	struct rig *rig = *state;
	struct question question;
	struct conf_list again = rig->auths;
	struct conf *conf;

	write_users(rig, "a", "bob:" SLOW ":user=before\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	question_begin(&question, rig, "bob", "secret");
	auth_start(&question.request);
	write_users(rig, "a", "bob:" SLOW ":user=after\ntim:!\n");
	conf = load(rig, "auth a { source file; path @/a }", &again);
	open_auths(&again, &rig->auths);
	assert_int_equal(question_end(&question), AUTH_OK);
	assert_string_equal(question.user, "before");
	question_begin(&question, rig, "bob", "secret");
	auth_start(&question.request);
	assert_int_equal(question_end(&question), AUTH_OK);
	assert_string_equal(question.user, "after");
	auth_close(again.items[0]);
	conf_free(&conf);
}

static void
a_path_is_for_files(void **state)
{
	static const char *const texts[] = {
		"auth a { source file }", "auth a { source server; path /x }",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct conf_problems problems = { 0 };

		assert_null(conf_load_text("text", texts[i], &root_block, &problems));
		assert_int_equal(problems.count, 1);
		conf_problems_clear(&problems);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(cheap_passwords_are_checked_at_once),
		RIG_TEST(slow_passwords_are_checked_on_another_thread),
		RIG_TEST(what_is_cancelled_is_not_answered),
		RIG_TEST(too_many_at_once_are_put_off),
		RIG_TEST(an_unknown_user_costs_as_much_as_a_wrong_password),
		RIG_TEST(names_are_put_into_fields),
		RIG_TEST(users_are_found_by_either_name),
		RIG_TEST(nobody_acts_for_another),
		RIG_TEST(the_reason_is_for_those_who_know_the_password),
		RIG_TEST(the_first_source_that_knows_the_user_decides),
		RIG_TEST(the_server_decides_on_whom_no_file_knows),
		RIG_TEST(users_are_looked_up_without_a_password),
		RIG_TEST(lookups_go_along_the_chain),
		RIG_TEST(a_reload_shares_the_users_of_a_path),
		RIG_TEST(users_swapped_during_a_check_stay_for_it),
		cmocka_unit_test(a_path_is_for_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
