/* SPDX-License-Identifier: BSD-2-Clause */
/* http_login_test.c: passwords of a file of users, judged at once, on another thread, or remembered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "admin/http_login.h"
#include "base/base64.h"
#include "base/buf.h"

/* "hunter2" */
#define SLOW "{SHA512-CRYPT}$6$saltsaltsalt$" \
	"/YcSJBZ1GwOaYU2XCNxvWBX3MbYsX7qkf0.0L28t35vap3Pr7yS0JA8iUjaUrIKpD1vbB841OQkrlcX47Jjuy/"

struct rig {
	struct http_gatekeeper gatekeeper;
	char path[64];
	int verdicts;			/* that came later */
	enum http_verdict last;
};

static void
write_users(struct rig *rig, const char *text)
{
	FILE *file = fopen(rig->path, "w");
	struct buf complaints = { 0 };

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	if (rig->gatekeeper.users != NULL)
		user_file_put(&rig->gatekeeper.users);
	rig->gatekeeper.users = user_file_open(rig->path, &complaints);
	assert_non_null(rig->gatekeeper.users);
	buf_clear(&complaints);
}

static int
setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	int fd;

	assert_non_null(rig);
	snprintf(rig->path, sizeof(rig->path), "/tmp/http_login_test.XXXXXX");
	fd = mkstemp(rig->path);
	assert_true(fd >= 0);
	close(fd);
	rig->gatekeeper.loop = loop_new(LOOP_CONTROL);
	rig->gatekeeper.hashing = thread_pool_new(1, 16, loop_post);
	rig->gatekeeper.memory = http_memory_new();
	*state = rig;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *rig = *state;

	thread_pool_free(&rig->gatekeeper.hashing);
	http_memory_free(&rig->gatekeeper.memory);
	user_file_put(&rig->gatekeeper.users);
	loop_free(&rig->gatekeeper.loop);
	unlink(rig->path);
	free(rig);
	return 0;
}

static void
on_verdict(struct http_question *question, enum http_verdict verdict)
{
	struct rig *rig = question->owner;

	rig->verdicts++;
	rig->last = verdict;
	loop_stop(rig->gatekeeper.loop);
}

static enum http_verdict
start(struct rig *rig, struct http_question *question, const char *credentials)
{
	struct buf header = { 0 };
	enum http_verdict verdict;

	buf_append_text(&header, "Basic ");
	base64_encode(slice_of(credentials), &header);
	buf_append(&header, "", 1);
	*question = (struct http_question){
		.header = buf_data(&header), .on_verdict = on_verdict, .owner = rig,
	};
	assert_true(addr_parse(slice_of("192.0.2.1"), 0, &question->from));
	verdict = http_login_start(question, &rig->gatekeeper);
	buf_clear(&header);
	return verdict;
}

static enum http_verdict
ask(struct rig *rig, const char *credentials)
{
	struct http_question question;

	return start(rig, &question, credentials);
}

static enum http_verdict
await(struct rig *rig, const char *credentials)
{
	struct http_question question;

	assert_int_equal(start(rig, &question, credentials), HTTP_LOGIN_LATER);
	assert_non_null(question.pending);
	loop_run(rig->gatekeeper.loop);
	assert_null(question.pending);
	return rig->last;
}

static void
cheap_passwords_are_judged_at_once(void **state)
{
	struct rig *rig = *state;
	struct http_question question;

	write_users(rig, "alice:{PLAIN}secret\neve:!\n");
	assert_int_equal(start(rig, &question, "alice:secret"), HTTP_LOGIN_RIGHT);
	assert_string_equal(question.user, "alice");
	assert_int_equal(start(rig, &question, "password:x"), HTTP_LOGIN_WRONG);
	assert_string_equal(question.user, "");
	assert_int_equal(ask(rig, "alice:sec:ret"), HTTP_LOGIN_WRONG);
	assert_int_equal(ask(rig, "alice:"), HTTP_LOGIN_WRONG);
	assert_int_equal(ask(rig, "alice"), HTTP_LOGIN_WRONG);
	assert_int_equal(ask(rig, ""), HTTP_LOGIN_WRONG);
	assert_int_equal(ask(rig, "eve:"), HTTP_LOGIN_WRONG);
	assert_int_equal(ask(rig, "eve:!"), HTTP_LOGIN_WRONG);
}

static void
slow_passwords_are_remembered_until_the_file_changes(void **state)
{
	struct rig *rig = *state;

	write_users(rig, "bob:" SLOW "\n");
	assert_int_equal(await(rig, "bob:hunter3"), HTTP_LOGIN_WRONG);
	assert_int_equal(await(rig, "carl:hunter2"), HTTP_LOGIN_WRONG);
	assert_int_equal(await(rig, "bob:hunter2"), HTTP_LOGIN_RIGHT);
	assert_int_equal(ask(rig, "bob:hunter2"), HTTP_LOGIN_RIGHT);
	assert_int_equal(await(rig, "bob:hunter3"), HTTP_LOGIN_WRONG);
	assert_int_equal(await(rig, "carl:hunter2"), HTTP_LOGIN_WRONG);
	write_users(rig, "bob:{PLAIN}other\n");
	assert_int_equal(ask(rig, "bob:hunter2"), HTTP_LOGIN_WRONG);
}

static void
who_has_gone_is_told_nothing(void **state)
{
	struct rig *rig = *state;
	struct http_question question;

	write_users(rig, "bob:" SLOW "\n");
	assert_int_equal(start(rig, &question, "bob:hunter2"), HTTP_LOGIN_LATER);
	http_login_cancel(&question);
	http_login_cancel(&question);
	assert_int_equal(await(rig, "bob:hunter2"), HTTP_LOGIN_RIGHT);
	assert_int_equal(rig->verdicts, 1);
}

static void
headers_of_other_kinds_say_nobody(void **state)
{
	static const char *const headers[] = { NULL, "", "Basic", "Bearer YWxpY2U6cw==", "Negotiate" };
	struct rig *rig = *state;

	write_users(rig, "alice:{PLAIN}s\n");
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		struct http_question question = { .header = headers[i] };

		assert_int_equal(http_login_start(&question, &rig->gatekeeper), HTTP_LOGIN_MISSING);
	}
	assert_int_equal(ask(rig, "alice:s"), HTTP_LOGIN_RIGHT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(cheap_passwords_are_judged_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(slow_passwords_are_remembered_until_the_file_changes, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(who_has_gone_is_told_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(headers_of_other_kinds_say_nobody, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
