/* SPDX-License-Identifier: BSD-2-Clause */
/* country_tally_test.c: rows are bounded, exact with many threads, and never fall. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "access/country_tally.h"

enum { THREADS = 8, ROUNDS = 50, LETTERS = 26, CODES = LETTERS * LETTERS };

static void *
come_from_everywhere(void *arg)
{
	for (int i = 0; i < ROUNDS * CODES; i++) {
		int code = i % CODES;
		const char country[] = { (char)('A' + code / LETTERS), (char)('A' + code % LETTERS), '\0' };

		country_tally_add(arg, country, COUNTRY_SESSIONS);
	}
	return NULL;
}

static void
all_are_counted_in_few_rows(void **state)
{
	struct country_tally *tally = country_tally_new();
	struct country_row rows[COUNTRY_ROWS];
	pthread_t threads[THREADS];
	uint64_t sum = 0;
	size_t count;

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_from_everywhere, tally), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	count = country_tally_read(tally, rows);
	assert_int_equal(count, COUNTRY_ROWS - 1);	/* nobody is unknown */
	for (size_t i = 0; i < count; i++)
		sum += rows[i].counts[COUNTRY_SESSIONS];
	assert_int_equal(sum, THREADS * ROUNDS * CODES);
	assert_string_equal(rows[count - 1].name, "other");
	assert_int_equal(rows[0].counts[COUNTRY_SESSIONS], THREADS * ROUNDS);
	country_tally_free(&tally);
}

static void
most_come_first_and_codes_are_looked_at(void **state)
{
	struct country_tally *tally = country_tally_new();
	struct country_row rows[COUNTRY_ROWS];

	(void)state;
	assert_int_equal(country_tally_read(tally, rows), 0);
	country_tally_add(NULL, "DE", COUNTRY_SESSIONS);
	country_tally_add(tally, "DE", COUNTRY_SESSIONS);
	for (int i = 0; i < 2; i++)
		country_tally_add(tally, "AT", COUNTRY_SESSIONS);
	country_tally_add(tally, "AT", COUNTRY_FAILED_LOGINS);
	for (int i = 0; i < 3; i++)
		country_tally_add(tally, i == 0 ? "" : i == 1 ? "de" : "D\xff", COUNTRY_SESSIONS);
	assert_int_equal(country_tally_read(tally, rows), 3);
	assert_string_equal(rows[0].name, "unknown");
	assert_string_equal(rows[1].name, "AT");
	assert_int_equal(rows[1].counts[COUNTRY_FAILED_LOGINS], 1);
	assert_string_equal(rows[2].name, "DE");
	country_tally_free(&tally);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_counted_in_few_rows),
		cmocka_unit_test(most_come_first_and_codes_are_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
