/* SPDX-License-Identifier: BSD-2-Clause */
/* endpoint_report_test.c: what each result counts, and what an observer hears. */
#include "../base/counters.h"

#include "balance/endpoint_report.h"

enum { THREADS = 2, WORKER = 1 };

struct heard {
	int count;
	const struct endpoint *endpoint;
	enum endpoint_result result;
	int64_t took_ms;
};

static void
on_result(struct endpoint *e, enum endpoint_result result, int64_t took_ms, void *owner)
{
	struct heard *heard = owner;

	heard->count++;
	heard->endpoint = e;
	heard->result = result;
	heard->took_ms = took_ms;
}

static struct endpoint *
make(void)
{
	struct service *service = service_new("imap");
	struct machine *machine = machine_new("dovecot", "d03");
	struct endpoint *e = endpoint_new(service, machine, THREADS);

	machine_put(&machine);
	service_put(&service);
	return e;
}

static uint64_t
all_of(const struct endpoint *e)
{
	static const char *const names[] = { ENDPOINT_COUNTERS(COUNTER_NAME) };
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		sum += metric_of(&endpoint_metrics, names[i], e, THREADS);
	return sum;
}

static void
each_result_counts_as_what_it_is(void **state)
{
	static const struct {
		enum endpoint_result result;
		const char *metric, *text;
	} cases[] = {
		{ ENDPOINT_OK, "sessions", "ok" },
		{ ENDPOINT_CONNECT_FAILED, "connect_failures", "connect failed" },
		{ ENDPOINT_TIMED_OUT, "timeouts", "timed out" },
		{ ENDPOINT_TLS_FAILED, "tls_failures", "TLS failed" },
		{ ENDPOINT_LOST, "dialogue_failures", "connection lost" },
		{ ENDPOINT_GARBLED, "dialogue_failures", "out of protocol" },
		{ ENDPOINT_REFUSED, "refused", "refused" },
		{ ENDPOINT_LATER, "put_off", "temporary failure" },
		{ ENDPOINT_OWN_FAULT, "own_faults", "own fault" },
	};

	(void)state;
	assert_int_equal(sizeof(cases) / sizeof(cases[0]), ENDPOINT_RESULT_COUNT);
	for (size_t i = 0; i < ENDPOINT_RESULT_COUNT; i++) {
		struct endpoint *e = make();

		endpoint_report(e, WORKER, cases[i].result, 5);
		assert_int_equal(metric_of(&endpoint_metrics, cases[i].metric, e, THREADS), 1);
		assert_int_equal(all_of(e), 1);
		assert_int_equal(metric_of(&endpoint_metrics, cases[i].metric, e, WORKER), 0);
		assert_string_equal(endpoint_result_text(cases[i].result), cases[i].text);
		endpoint_put(&e);
	}
}

static void
an_observer_hears_of_the_server_only(void **state)
{
	struct heard heard = { 0 };
	const struct endpoint_observer observer = { on_result, &heard };
	struct endpoint *e = make();

	(void)state;
	endpoint_observe(&observer);
	for (int i = 0; i < ENDPOINT_OWN_FAULT; i++) {
		endpoint_report(e, WORKER, (enum endpoint_result)i, 100 + i);
		assert_int_equal(heard.count, i + 1);
		assert_ptr_equal(heard.endpoint, e);
		assert_int_equal(heard.result, i);
		assert_int_equal(heard.took_ms, 100 + i);
	}
	endpoint_report(e, WORKER, ENDPOINT_OWN_FAULT, 0);
	assert_int_equal(heard.count, ENDPOINT_OWN_FAULT);
	endpoint_observe(NULL);
	endpoint_report(e, WORKER, ENDPOINT_OK, 1);
	assert_int_equal(heard.count, ENDPOINT_OWN_FAULT);
	endpoint_put(&e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_result_counts_as_what_it_is),
		cmocka_unit_test(an_observer_hears_of_the_server_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
