/* SPDX-License-Identifier: BSD-2-Clause */
/* smtp_reply_test.c: lines of replies, and what is none; slices end where their memory ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/xalloc.h"
#include "proto/smtp.h"

static void
lines(void **state)
{
	static const struct {
		const char *line;
		int code;			/* 0: it is none */
		bool is_last;
		const char *text;
	} rows[] = {
		{ "250", 250, true, "" },
		{ "250 ", 250, true, "" },
		{ "250-", 250, false, "" },
		{ "250 2.1.0 Ok", 250, true, "2.1.0 Ok" },
		{ "250-SIZE 1000", 250, false, "SIZE 1000" },
		{ "250  two blanks", 250, true, " two blanks" },
		{ "250--", 250, false, "-" },
		{ "354 go", 354, true, "go" },
		{ "550 5.7.1", 550, true, "5.7.1" },
		{ "200", 200, true, "" },
		{ "599", 599, true, "" },
		{ "", 0, false, NULL },
		{ "2", 0, false, NULL },
		{ "5.", 0, false, NULL },
		{ "25", 0, false, NULL },
		{ "25 ", 0, false, NULL },
		{ "25-", 0, false, NULL },
		{ " 250", 0, false, NULL },
		{ "+25", 0, false, NULL },
		{ "2500", 0, false, NULL },
		{ "250\t", 0, false, NULL },
		{ "250ok", 0, false, NULL },
		{ "250\r", 0, false, NULL },
		{ "000", 0, false, NULL },
		{ "100 go", 0, false, NULL },
		{ "199", 0, false, NULL },
		{ "600", 0, false, NULL },
		{ "999", 0, false, NULL },
		{ "2x0", 0, false, NULL },
		{ "* OK hi", 0, false, NULL },
		{ "\xb2\xb5\xb0 x", 0, false, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].line);
		char *memory = xmalloc(len + (len == 0));
		struct smtp_reply reply = { .code = 0 };

		memcpy(memory, rows[i].line, len);
		if (smtp_take_reply(slice_make(memory, len), &reply) != (rows[i].code != 0) ||
		    reply.code != rows[i].code || reply.is_last != rows[i].is_last)
			fail_msg("\"%s\": code %d, last %d", rows[i].line, reply.code, (int)reply.is_last);
		if (rows[i].text != NULL && !slice_equals(reply.text, rows[i].text))
			fail_msg("\"%s\": text \"%.*s\"", rows[i].line, SLICE_ARGS(reply.text));
		xfree(memory);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
	};

	return cmocka_run_group_tests_name("smtp_reply", tests, NULL, NULL);
}
