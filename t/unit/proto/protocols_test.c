/* SPDX-License-Identifier: BSD-2-Clause */
/* protocols_test.c: every protocol's row is complete: what shared code may ask of it is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/command.h"
#include "proto/dial.h"
#include "proto/relay_filter.h"
#include "proto/reply.h"

enum { DIAL_STEPS_MAX = 31 };		/* struct dial has a bit for each */

static void
found_by_name(void **state)
{
	(void)state;
	assert_ptr_equal(proto_find("imap"), &proto_imap);
	assert_ptr_equal(proto_find("pop3"), &proto_pop3);
	assert_ptr_equal(proto_find("sieve"), &proto_sieve);
	assert_ptr_equal(proto_find("smtp"), &proto_smtp);
	assert_ptr_equal(proto_find("submission"), &proto_submission);
	assert_ptr_equal(proto_find("tcp"), &proto_tcp);
	assert_null(proto_find("IMAP"));
	assert_null(proto_find(""));
	for (int i = 0; protocols[i] != NULL; i++)
		assert_ptr_equal(proto_find(protocols[i]->name), protocols[i]);
}

static const char *
default_of(const struct proto *proto, const char *directive)
{
	for (const struct proto_default *d = proto->listener_defaults; d->directive != NULL; d++)
		if (strcmp(d->directive, directive) == 0)
			return d->text;
	return NULL;
}

static void
defaults(void **state)
{
	(void)state;
	for (int i = 0; protocols[i] != NULL; i++) {
		assert_non_null(default_of(protocols[i], "starttls"));
		assert_non_null(default_of(protocols[i], "idle_timeout"));
		assert_non_null(protocols[i]->help);
	}
	assert_string_equal(default_of(&proto_imap, "starttls"), "required");
	assert_string_equal(default_of(&proto_pop3, "starttls"), "required");
	assert_string_equal(default_of(&proto_pop3, "idle_timeout"), "11m");
	assert_string_equal(default_of(&proto_sieve, "starttls"), "required");
	assert_string_equal(default_of(&proto_tcp, "starttls"), "off");
	assert_string_equal(default_of(&proto_smtp, "starttls"), "optional");
	assert_string_equal(default_of(&proto_submission, "starttls"), "required");
	assert_false(proto_smtp.has_login);
	assert_true(proto_submission.has_login);
	assert_false(proto_tcp.has_login);
	assert_null(proto_tcp.dial);
	assert_null(proto_tcp.filter);
}

static void
ways_of_every_pool(void **state)
{
	(void)state;
	for (int i = 0; protocols[i] != NULL; i++) {
		const struct proto *proto = protocols[i];

		assert_true((proto->logins & PROTO_WAY(LOGIN_NONE)) != 0);
		assert_int_equal((proto->logins & PROTO_WAY(LOGIN_PASSWORD)) != 0, proto->has_login);
		assert_true((proto->forwards & PROTO_WAY(FORWARD_AUTO)) != 0);
		assert_true((proto->forwards & PROTO_WAY(FORWARD_NONE)) != 0);
		assert_true((proto->forwards & PROTO_WAY(FORWARD_PROXY)) != 0);
		assert_true((proto->forwards & PROTO_WAY(FORWARD_PROXY_V2)) != 0);
	}
}

static void
a_text_for_each_reply(void **state)
{
	(void)state;
	for (int i = 0; protocols[i] != NULL; i++) {
		const struct proto *proto = protocols[i];
		struct dialogue d;

		if (proto->verbs == NULL)
			continue;
		dialogue_init(&d, proto, NULL, "mail.example");
		for (int reply = REPLY_NONE + 1; reply < REPLY_COUNT; reply++) {
			size_t len;

			reply_write(&d, (enum reply)reply);
			len = buf_len(&d.out);
			if (len < 3 || memcmp(buf_data(&d.out) + len - 2, "\r\n", 2) != 0)
				fail_msg("%s: reply %d is no line", proto->name, reply);
			buf_clear(&d.out);
		}
		reply_write(&d, REPLY_NONE);
		assert_int_equal(buf_len(&d.out), 0);
		dialogue_wipe(&d);
	}
}

static bool
has_words(const struct proto *proto, enum reply reply)
{
	struct buf words = { 0 };
	bool has;

	reply_write_last(proto, "mail.example", reply, slice_of(NULL), &words);
	has = buf_len(&words) > 0;
	buf_clear(&words);
	return has;
}

static void
last_words_need_no_dialogue(void **state)
{
	static const enum reply last_words[] = { REPLY_TOO_LONG, REPLY_TOO_MANY_ERRORS, REPLY_BANNED,
		REPLY_TIMEOUT, REPLY_SHUTDOWN, REPLY_UNAVAILABLE_BYE, REPLY_INJECTION, REPLY_FOREIGN };

	(void)state;
	for (int i = 0; protocols[i] != NULL; i++)
		for (size_t j = 0; j < sizeof(last_words) / sizeof(last_words[0]); j++)
			assert_true(has_words(protocols[i], last_words[j]) == (protocols[i]->verbs != NULL));
	assert_false(has_words(&proto_imap, REPLY_NONE));
	assert_false(has_words(&proto_tcp, REPLY_SHUTDOWN));
}

static void
columns_fit_the_engines(void **state)
{
	(void)state;
	for (int i = 0; protocols[i] != NULL; i++) {
		const struct proto *proto = protocols[i];
		int count = 0;

		if (proto->verbs == NULL)
			continue;
		assert_non_null(proto->frame);
		assert_true((proto->login_ok != NULL) == proto->has_login);
		assert_true((proto->login_refused != NULL) == proto->has_login);
		assert_true(proto->max_line > 0);
		assert_true((proto->take_response != NULL) == (proto->write_response != NULL));
		for (const struct verb *verb = proto->verbs; verb->name != NULL; verb++)
			assert_true(verb->phases != 0 &&
			    (verb->run != NULL || verb->says != NULL || verb->step != 0));
		for (const struct dial_step *step = proto->dial; step->doing != NULL; step++, count++) {
			bool decides = (step->flags & DIAL_DECIDES) != 0;

			assert_true((step->read == NULL) == decides);
			assert_true(!proto->is_tagged || decides || step->send == NULL || step->tag != NULL);
		}
		assert_true(count > 0 && count <= DIAL_STEPS_MAX);
		if (proto->filter != NULL) {
			assert_true(proto->filter->size <= 96);
			assert_true(proto->filter->client != NULL && proto->filter->look != NULL);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found_by_name),
		cmocka_unit_test(defaults),
		cmocka_unit_test(ways_of_every_pool),
		cmocka_unit_test(a_text_for_each_reply),
		cmocka_unit_test(last_words_need_no_dialogue),
		cmocka_unit_test(columns_fit_the_engines),
	};

	return cmocka_run_group_tests_name("protocols", tests, NULL, NULL);
}
