/* SPDX-License-Identifier: BSD-2-Clause */
/* figures_test.c: tallies of several workers are added up, maxima are not; gauges have no base. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/figures.h"

static struct endpoint *
make(int threads)
{
	struct service *service = service_new("imap");
	struct machine *machine = machine_new("imap", "d01");
	struct endpoint *e = endpoint_new(service, machine, threads);

	service_put(&service);
	machine_put(&machine);
	return e;
}

static void
adds_up_what_workers_count(void **state)
{
	struct endpoint *e = make(2);
	struct figures figures;

	(void)state;
	tally_add(&e->counters[0].sessions, 3);
	tally_add(&e->counters[1].sessions, 4);
	tally_raise(&e->counters[0].most_connections, 5);
	tally_raise(&e->counters[1].most_connections, 2);
	tally_mean_add(&e->counters[0].times[ENDPOINT_TIME_LOGIN], 10);
	tally_mean_add(&e->counters[1].times[ENDPOINT_TIME_LOGIN], 30);
	tally_add(&e->checks, 9);
	figures_read_endpoint(&figures, e, 2);
	assert_int_equal(figures.of[ENDPOINT_FIGURE_sessions], 7);
	assert_int_equal(figures.of[FIGURE_MOST_CONNECTIONS], 5);
	assert_int_equal(figures.of[FIGURE_TIME_COUNT + ENDPOINT_TIME_LOGIN], 2);
	assert_int_equal(figures.of[FIGURE_TIME_TOTAL + ENDPOINT_TIME_LOGIN], 40);
	assert_int_equal(figures.of[FIGURE_TIME_MOST + ENDPOINT_TIME_LOGIN], 30);
	assert_int_equal(figures.of[FIGURE_TIME_COUNT + ENDPOINT_TIME_QUEUE], 0);
	assert_int_equal(figures.of[FIGURE_CHECKS], 9);
	figures_forget_endpoint_maxima(e, 2);
	figures_read_endpoint(&figures, e, 2);
	assert_int_equal(figures.of[FIGURE_MOST_CONNECTIONS], 0);
	assert_int_equal(figures.of[ENDPOINT_FIGURE_sessions], 7);
	endpoint_put(&e);
}

static void
a_base_is_of_counters_alone(void **state)
{
	struct figures now = { 0 }, base = { 0 }, carried = { 0 };

	(void)state;
	now.of[ENDPOINT_FIGURE_connections] = 5;
	now.of[ENDPOINT_FIGURE_sessions] = 50;
	now.of[FIGURE_QUEUED] = 2;
	now.of[FIGURE_CHECKS] = 20;
	base = now;
	figures_add_counters(&carried, &now, false);
	assert_int_equal(carried.of[ENDPOINT_FIGURE_connections], 0);
	assert_int_equal(carried.of[ENDPOINT_FIGURE_sessions], 50);
	assert_int_equal(carried.of[FIGURE_QUEUED], 0);
	now.of[ENDPOINT_FIGURE_sessions] = 53;
	figures_subtract(&now, &base, false);
	assert_int_equal(now.of[ENDPOINT_FIGURE_connections], 5);
	assert_int_equal(now.of[ENDPOINT_FIGURE_sessions], 3);
	assert_int_equal(now.of[FIGURE_QUEUED], 2);
	assert_int_equal(now.of[FIGURE_CHECKS], 0);
}

static void
a_sum_keeps_the_largest(void **state)
{
	struct figures sum = { 0 }, one = { 0 }, other = { 0 };

	(void)state;
	one.of[ENDPOINT_FIGURE_sessions] = 1;
	one.of[FIGURE_MOST_CONNECTIONS] = 4;
	other.of[ENDPOINT_FIGURE_sessions] = 2;
	other.of[FIGURE_MOST_CONNECTIONS] = 3;
	figures_add(&sum, &one);
	figures_add(&sum, &other);
	assert_int_equal(sum.of[ENDPOINT_FIGURE_sessions], 3);
	assert_int_equal(sum.of[FIGURE_MOST_CONNECTIONS], 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_up_what_workers_count),
		cmocka_unit_test(a_base_is_of_counters_alone),
		cmocka_unit_test(a_sum_keeps_the_largest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
