/* SPDX-License-Identifier: BSD-2-Clause */
/* sieve_relay_test.c: UNAUTHENTICATE is seen at the beginning of any line, however it comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/sieve.h"

static max_align_t memory[2];

static bool
is_forbidden(const char *text, size_t piece)
{
	size_t len = strlen(text);
	bool may_pass = true;

	assert_true(sieve_relay.size <= sizeof(memory));
	sieve_relay.init(memory);
	for (size_t i = 0; i < len; i += piece)
		may_pass = sieve_relay.client(memory,
		    slice_make(text + i, piece < len - i ? piece : len - i));
	return !may_pass;
}

static void
expect(const char *text, bool forbidden)
{
	for (size_t piece = 1; piece <= strlen(text); piece++)
		if (is_forbidden(text, piece) != forbidden)
			fail_msg("\"%s\" by %zu", text, piece);
}

static void
unauthenticate(void **state)
{
	(void)state;
	expect("UNAUTHENTICATE\r\n", true);
	expect("unAuthenticate\n", true);
	expect("NOOP\r\n \tUNAUTHENTICATE \r\nAUTHENTICATE \"PLAIN\"\r\n", true);
	/* what is a literal for us may be a command for a server that has refused it */
	expect("PUTSCRIPT \"x\" {99+}\r\nUNAUTHENTICATE\r\n", true);
	expect("\n\nUNAUTHENTICATE\"\r\n", true);
}

static void
all_else(void **state)
{
	(void)state;
	expect("LISTSCRIPTS\r\n", false);
	expect("NOOP \"UNAUTHENTICATE\"\r\n", false);
	expect("PUTSCRIPT \"x\" {20+}\r\n# UNAUTHENTICATE it\r\n\r\n", false);
	expect("UNAUTHENTICAT\r\nE\r\n", false);
	expect("xUNAUTHENTICATE\r\n", false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unauthenticate),
		cmocka_unit_test(all_else),
	};

	return cmocka_run_group_tests_name("sieve_relay", tests, NULL, NULL);
}
