/* SPDX-License-Identifier: BSD-2-Clause */
/* reply_test.c: the % letters of replies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/command.h"
#include "proto/reply.h"

static void
write_capabilities(const struct dialogue *d, struct buf *out)
{
	(void)d;
	buf_append_text(out, "A %s B");
}

static const char *const replies[REPLY_COUNT] = {
	[REPLY_GREETING] = "* %h [%c] 100%%\r\n",
	[REPLY_SYNTAX] = "%t BAD\r\n",
	[REPLY_UNKNOWN] = "%",
	[REPLY_REFUSED] = "NO %q, %r\r\n",
	[REPLY_TIMEOUT] = "* BYE\r\n",
	[REPLY_CROWDED] = "* BYE %i, %h\r\n",
};

static const struct proto fake = {
	.name = "fake",
	.replies = replies,
	.sasl_prompt = "+ %s\r\n",
	.write_capabilities = write_capabilities,
};

static void
letters(void **state)
{
	struct dialogue d;

	(void)state;
	dialogue_init(&d, &fake, NULL, "mail.%t.example");
	reply_write(&d, REPLY_GREETING);
	reply_write(&d, REPLY_SYNTAX);
	memcpy(d.tag, "%n", 3);
	reply_write(&d, REPLY_SYNTAX);
	reply_write(&d, REPLY_NO_TLS);
	reply_write(&d, REPLY_UNKNOWN);
	reply_write_challenge(&d, slice_of("Password:"));
	reply_write_challenge(&d, slice_of(""));
	assert_true(slice_equals(buf_slice(&d.out),
	    "* mail.%t.example [A %s B] 100%\r\n* BAD\r\n%n BAD\r\n%+ UGFzc3dvcmQ6\r\n+ \r\n"));
	dialogue_wipe(&d);
}

/* The dialogue's client, as it is now; or whoever is named where there is none. */
static void
addresses(void **state)
{
	struct identity identity = { .session = "" };
	struct dialogue d;
	struct buf out = { 0 };

	(void)state;
	assert_true(addr_parse(slice_of("2001:db8::7"), 4711, &identity.client));
	dialogue_init(&d, &fake, &identity, "lb");
	reply_write(&d, REPLY_CROWDED);
	assert_true(addr_parse(slice_of("192.0.2.7"), 4711, &identity.client));
	reply_write(&d, REPLY_CROWDED);
	assert_true(slice_equals(buf_slice(&d.out), "* BYE 2001:db8::7, lb\r\n* BYE 192.0.2.7, lb\r\n"));
	dialogue_wipe(&d);
	reply_write_last(&fake, "lb", REPLY_CROWDED, slice_of("192.0.2.8"), &out);
	assert_true(slice_equals(buf_slice(&out), "* BYE 192.0.2.8, lb\r\n"));
	buf_clear(&out);
}

static void
reasons(void **state)
{
	struct dialogue d;

	(void)state;
	dialogue_init(&d, &fake, NULL, "mail.example");
	reply_write_judgement(&d, REPLY_REFUSED, NULL, "a \"b\" \\\r\n%t\x80");
	assert_true(slice_equals(buf_slice(&d.out),
	    "NO \"a \\\"b\\\" \\\\%t\x80\", a \"b\" \\??%t?\r\n"));
	dialogue_wipe(&d);
}

static void
last_words(void **state)
{
	struct buf out = { 0 };

	(void)state;
	reply_write_last(&fake, "mail.example", REPLY_TIMEOUT, slice_of(NULL), &out);
	reply_write_last(&fake, "mail.example", REPLY_NONE, slice_of(NULL), &out);
	assert_true(slice_equals(buf_slice(&out), "* BYE\r\n"));
	buf_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters),
		cmocka_unit_test(addresses),
		cmocka_unit_test(reasons),
		cmocka_unit_test(last_words),
	};

	return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
