/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch_test.c: one check at one server, again and again: when it is due, by
 * the times that it sets itself, and what it makes known.
 */
#include "checked.h"

#include "proto/capability.h"

enum { INTERVAL_MS = 40, FAST_MS = 10, DOWN_MS = 20, LONG_MS = 3600 * 1000 };

struct watched {
	struct checked checked;
	struct check_settings settings;
	struct check_order order;
	struct watch watch;
	int count;			/* of checks that ended */
	bool stops;			/* at the next end */
};

static void
on_checked(struct watch *watch, void *owner)
{
	struct watched *rig = owner;

	rig->count++;
	if (rig->stops)
		watch_stop(watch);
	loop_stop(rig->checked.loop);
}

static void
configure_pool(struct watched *rig, const char *options)
{
	struct buf text = { 0 };

	buf_printf(&text,
	    "pool imap { check { kind none } balance leastconn; %s; server d01 { address @ } }\n"
	    "listener imap { bind *:1; starttls off; plaintext_login yes; pool imap\n"
	    "  capabilities IMAP4rev1 }\n",
	    options);
	buf_append(&text, "", 1);
	configure(&rig->checked, buf_data(&text));
	buf_clear(&text);
	rig->order = (struct check_order){ .proto = &proto_imap, .settings = &rig->settings,
		.hostname = "lb.example.com", .pool = rig->checked.language->pools.items[0],
		.endpoint = endpoint_of(&rig->checked, 0) };
}

static void
rig_prepare(struct watched *rig, const char *options)
{
	memset(rig, 0, sizeof(*rig));
	checked_open(&rig->checked);
	configure_pool(rig, options);
	/* nobody listens to what servers can do: the configuration's own checks ask nothing */
	assert_null(health_watch(rig->checked.health, rig->order.endpoint, 0));
	rig->settings = (struct check_settings){ .interval.ms = INTERVAL_MS, .fast_interval.ms = FAST_MS,
		.down_interval.ms = DOWN_MS, .timeout.ms = TAPE_PATIENCE_MS, .rise = 2, .fall = 3 };
	rig->watch.on_checked = on_checked;
	rig->watch.owner = rig;
}

static void
rig_watch(struct watched *rig)
{
	int before = rig->count;

	watch_start(&rig->watch, rig->checked.loop, &rig->order, loop_now(rig->checked.loop));
	assert_int_equal(rig->count, before);
	assert_int_equal(rig->watch.result.code, CHECK_CODE_INI);
}

static void
watched_open(struct watched *rig)
{
	rig_prepare(rig, "forward none");
	rig_watch(rig);
}

static void
watched_close(struct watched *rig)
{
	watch_stop(&rig->watch);
	watch_stop(&rig->watch);
	checked_close(&rig->checked);
}

static struct mock *
server(struct watched *rig)
{
	return &rig->checked.mocks[0];
}

/* One more check. */
static void
await_check(struct watched *rig, enum check_code code)
{
	await(rig->checked.loop, &rig->count, rig->count + 1);
	if (rig->watch.result.code != code)
		fail_msg("%s: %s while %s", check_code_name(rig->watch.result.code), rig->watch.result.reason,
		    rig->watch.result.doing);
}

static void
expect_next(const struct watched *rig, enum health_state state, int streak, int64_t in_ms)
{
	assert_int_equal(rig->watch.verdict.state, state);
	assert_int_equal(rig->watch.verdict.streak, streak);
	assert_int_equal(rig->watch.due_at - rig->watch.checked_at, in_ms);
	assert_true(loop_timer_is_set(&rig->watch.timer));
}

/* Of its own, or else all servers that are in one state from the start were checked in step for ever. */
static void
expect_phase(const struct watched *rig, enum health_state state, int64_t at_most_ms)
{
	int64_t until = rig->watch.due_at - rig->watch.checked_at;

	assert_int_equal(rig->watch.verdict.state, state);
	assert_true(rig->watch.has_phase);
	assert_true(until >= 1 && until <= at_most_ms);
}

static void
await_up(struct watched *rig)
{
	await_check(rig, CHECK_CODE_L7OK);
	assert_int_equal(rig->watch.verdict.state, HEALTH_UP);
}

static void
await_down(struct watched *rig)
{
	mock_refuse(server(rig));
	for (int i = 0; i < (int)rig->settings.fall; i++)
		await_check(rig, CHECK_CODE_L4CON);
	assert_int_equal(rig->watch.verdict.state, HEALTH_DOWN);
}

static void
one_good_check_is_up_and_the_next_has_a_phase_of_its_own(void **state)
{
	struct watched rig;

	(void)state;
	watched_open(&rig);
	await_up(&rig);
	expect_phase(&rig, HEALTH_UP, INTERVAL_MS);
	await_check(&rig, CHECK_CODE_L7OK);
	expect_next(&rig, HEALTH_UP, 0, INTERVAL_MS);
	watched_close(&rig);
}

static void
falls_and_rises_by_fast_checks_and_by_others_while_it_is_down(void **state)
{
	struct watched rig;

	(void)state;
	watched_open(&rig);
	await_up(&rig);
	mock_refuse(server(&rig));
	await_check(&rig, CHECK_CODE_L4CON);
	expect_next(&rig, HEALTH_UP, 1, FAST_MS);
	await_check(&rig, CHECK_CODE_L4CON);
	expect_next(&rig, HEALTH_UP, 2, FAST_MS);
	await_check(&rig, CHECK_CODE_L4CON);
	expect_next(&rig, HEALTH_DOWN, 0, DOWN_MS);
	await_check(&rig, CHECK_CODE_L4CON);
	expect_next(&rig, HEALTH_DOWN, 0, DOWN_MS);
	mock_listen(server(&rig));
	await_check(&rig, CHECK_CODE_L7OK);
	expect_next(&rig, HEALTH_DOWN, 1, FAST_MS);
	await_check(&rig, CHECK_CODE_L7OK);
	expect_next(&rig, HEALTH_UP, 0, INTERVAL_MS);
	watched_close(&rig);
}

static void
one_that_fails_at_first_stays_unknown_until_it_fell(void **state)
{
	struct watched rig;

	(void)state;
	rig_prepare(&rig, "forward none");
	mock_refuse(server(&rig));
	rig_watch(&rig);
	await_check(&rig, CHECK_CODE_L4CON);
	expect_next(&rig, HEALTH_UNKNOWN, 1, FAST_MS);
	await_check(&rig, CHECK_CODE_L4CON);
	expect_next(&rig, HEALTH_UNKNOWN, 2, FAST_MS);
	await_check(&rig, CHECK_CODE_L4CON);
	expect_phase(&rig, HEALTH_DOWN, DOWN_MS);
	await_check(&rig, CHECK_CODE_L4CON);
	expect_next(&rig, HEALTH_DOWN, 0, DOWN_MS);
	watched_close(&rig);
}

static void
own_faults_change_nothing(void **state)
{
	struct watched rig;

	(void)state;
	rig_prepare(&rig, "forward none; source 192.0.2.1");
	rig_watch(&rig);
	for (int i = 0; i < 4; i++)
		await_check(&rig, CHECK_CODE_SOCKERR);
	expect_next(&rig, HEALTH_UNKNOWN, 0, FAST_MS);
	watched_close(&rig);
}

static void
suspicion_makes_a_check_due_soon(void **state)
{
	struct watched rig;

	(void)state;
	rig_prepare(&rig, "forward none");
	rig.settings.interval.ms = LONG_MS;
	rig_watch(&rig);
	await_up(&rig);
	watch_hurry(&rig.watch);
	watch_hurry(&rig.watch);
	assert_int_equal(rig.watch.due_at, rig.watch.checked_at + FAST_MS);
	await_check(&rig, CHECK_CODE_L7OK);
	assert_int_equal(rig.count, 2);
	expect_next(&rig, HEALTH_UP, 0, LONG_MS);
	watched_close(&rig);
}

/* It may have seen the server before that failed. */
static void
suspicion_during_a_check_brings_another_one_soon(void **state)
{
	struct watched rig;

	(void)state;
	rig_prepare(&rig, "forward none");
	rig.settings.interval.ms = LONG_MS;
	rig_watch(&rig);
	await_up(&rig);
	server(&rig)->greeting = NULL;
	watch_hurry(&rig.watch);
	await(rig.checked.loop, &server(&rig)->came, 2);
	watch_hurry(&rig.watch);
	turn_a_little(rig.checked.loop);
	assert_int_equal(server(&rig)->came, 2);
	mock_greet_now(server(&rig));
	await_check(&rig, CHECK_CODE_L7OK);
	expect_next(&rig, HEALTH_UP, 0, FAST_MS);
	await_check(&rig, CHECK_CODE_L7OK);
	expect_next(&rig, HEALTH_UP, 0, LONG_MS);
	watched_close(&rig);
}

static void
another_configuration_keeps_the_verdict(void **state)
{
	struct watched rig;

	(void)state;
	rig_prepare(&rig, "forward none");
	rig.settings.down_interval.ms = LONG_MS;
	rig_watch(&rig);
	await_up(&rig);
	await_down(&rig);
	expect_next(&rig, HEALTH_DOWN, 0, LONG_MS);
	mock_listen(server(&rig));
	rig.settings.down_interval.ms = DOWN_MS;
	configure_pool(&rig, "forward none; source 127.0.0.9");
	watch_move(&rig.watch, &rig.order);
	assert_int_equal(rig.watch.due_at, loop_now(rig.checked.loop) + DOWN_MS);
	await_check(&rig, CHECK_CODE_L7OK);
	expect_next(&rig, HEALTH_DOWN, 1, FAST_MS);
	await_up(&rig);
	/* nor is a check put off */
	rig.settings.interval.ms = LONG_MS;
	configure_pool(&rig, "forward none");
	watch_move(&rig.watch, &rig.order);
	assert_true(rig.watch.due_at <= loop_now(rig.checked.loop) + INTERVAL_MS);
	watched_close(&rig);
}

static void
a_check_under_way_begins_anew_with_another_configuration_only(void **state)
{
	struct watched rig;
	struct mock *mock = server(&rig);

	(void)state;
	rig_prepare(&rig, "forward none");
	mock->greeting = NULL;
	rig_watch(&rig);
	await(rig.checked.loop, &mock->came, 1);
	watch_move(&rig.watch, &rig.order);
	turn_a_little(rig.checked.loop);
	assert_int_equal(mock->came, 1);
	assert_true(check_is_under_way(&rig.watch.check));
	configure_pool(&rig, "forward none");
	watch_move(&rig.watch, &rig.order);
	assert_false(check_is_under_way(&rig.watch.check));
	await(rig.checked.loop, &mock->came, 2);
	assert_int_equal(rig.count, 0);
	mock_greet_now(mock);
	await_up(&rig);
	watched_close(&rig);
}

/* Though no check has as much time from its own start. */
static void
one_that_is_silent_falls_though_reloads_never_end(void **state)
{
	enum { TIMEOUT_MS = 60, RELOAD_MS = 20 };
	struct watched rig;

	(void)state;
	rig_prepare(&rig, "forward none");
	server(&rig)->greeting = NULL;
	rig.settings.timeout.ms = TIMEOUT_MS;
	rig_watch(&rig);
	for (int i = 0; i < 500 && rig.watch.verdict.state != HEALTH_DOWN; i++) {
		wait_ms(rig.checked.loop, RELOAD_MS);
		configure_pool(&rig, "forward none");
		watch_move(&rig.watch, &rig.order);
	}
	assert_int_equal(rig.watch.verdict.state, HEALTH_DOWN);
	watched_close(&rig);
}

static void
who_is_not_to_be_checked_is_asked_until_it_answered(void **state)
{
	struct watched rig;

	(void)state;
	rig_prepare(&rig, "forward none");
	rig.settings.kind = CHECK_NONE;
	mock_refuse(server(&rig));
	rig_watch(&rig);
	await_check(&rig, CHECK_CODE_L4CON);
	expect_next(&rig, HEALTH_UNKNOWN, 0, 60 * 1000);
	watch_hurry(&rig.watch);
	configure_pool(&rig, "forward none; source 127.0.0.9");
	watch_move(&rig.watch, &rig.order);
	expect_next(&rig, HEALTH_UNKNOWN, 0, 60 * 1000);
	watch_stop(&rig.watch);
	mock_listen(server(&rig));
	rig_watch(&rig);
	await_check(&rig, CHECK_CODE_L7OK);
	assert_int_equal(rig.watch.verdict.state, HEALTH_UNKNOWN);
	assert_false(loop_timer_is_set(&rig.watch.timer));
	configure_pool(&rig, "forward none");
	watch_move(&rig.watch, &rig.order);
	assert_false(loop_timer_is_set(&rig.watch.timer));
	watched_close(&rig);
}

static bool
is_known_for(const struct watched *rig, const char *capability)
{
	struct buf known = { 0 };
	bool is_known;

	endpoint_capabilities(rig->order.endpoint, &known);
	is_known = capability_has(buf_slice(&known), capability);
	buf_clear(&known);
	return is_known;
}

static void
what_is_new_is_believed_at_once_what_misses_after_some_checks(void **state)
{
	struct watched rig;

	(void)state;
	watched_open(&rig);
	await_up(&rig);
	assert_true(is_known_for(&rig, "IDLE") && !is_known_for(&rig, "MOVE"));
	server(&rig)->greeting = GREETING_RICHER;
	await_check(&rig, CHECK_CODE_L7OK);
	assert_true(is_known_for(&rig, "IDLE") && is_known_for(&rig, "MOVE"));
	server(&rig)->greeting = GREETING;
	await_check(&rig, CHECK_CODE_L7OK);
	await_check(&rig, CHECK_CODE_L7OK);
	assert_true(is_known_for(&rig, "MOVE"));
	/* one that tells nothing is not one that misses something */
	mock_refuse(server(&rig));
	await_check(&rig, CHECK_CODE_L4CON);
	mock_listen(server(&rig));
	assert_true(is_known_for(&rig, "MOVE"));
	/* and it has to miss in a row */
	server(&rig)->greeting = GREETING_RICHER;
	await_check(&rig, CHECK_CODE_L7OK);
	server(&rig)->greeting = GREETING;
	await_check(&rig, CHECK_CODE_L7OK);
	await_check(&rig, CHECK_CODE_L7OK);
	assert_true(is_known_for(&rig, "MOVE"));
	await_check(&rig, CHECK_CODE_L7OK);
	assert_true(is_known_for(&rig, "IDLE") && !is_known_for(&rig, "MOVE"));
	watched_close(&rig);
}

static void
checks_that_see_what_no_session_sees_teach_nothing(void **state)
{
	struct watched rig;

	(void)state;
	rig_prepare(&rig, "forward none");
	assert_true(watch_can_teach(&rig.settings));
	rig.settings.kind = CHECK_LOGIN;
	assert_true(watch_can_teach(&rig.settings));
	rig.settings.kind = CHECK_TCP;
	assert_false(watch_can_teach(&rig.settings));
	rig.settings.kind = CHECK_PROTOCOL;
	rig.settings.port = 143;
	assert_false(watch_can_teach(&rig.settings));
	rig.settings.port = 0;
	rig.settings.tls = CHECK_TLS_OFF;
	assert_false(watch_can_teach(&rig.settings));
	rig_watch(&rig);
	await_up(&rig);
	assert_int_equal(endpoint_capabilities_hash(rig.order.endpoint), 0);
	watched_close(&rig);
}

static void
stops_at_any_time(void **state)
{
	struct watched rig;

	(void)state;
	watched_open(&rig);
	watch_stop(&rig.watch);
	turn_a_little(rig.checked.loop);
	assert_int_equal(server(&rig)->came, 0);
	server(&rig)->greeting = NULL;
	rig_watch(&rig);
	await(rig.checked.loop, &server(&rig)->came, 1);
	watch_stop(&rig.watch);
	turn_a_little(rig.checked.loop);
	assert_int_equal(rig.count, 0);
	server(&rig)->greeting = GREETING;
	rig.stops = true;
	rig_watch(&rig);
	await_check(&rig, CHECK_CODE_L7OK);
	assert_false(loop_timer_is_set(&rig.watch.timer));
	assert_false(check_is_under_way(&rig.watch.check));
	watched_close(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_good_check_is_up_and_the_next_has_a_phase_of_its_own),
		cmocka_unit_test(falls_and_rises_by_fast_checks_and_by_others_while_it_is_down),
		cmocka_unit_test(one_that_fails_at_first_stays_unknown_until_it_fell),
		cmocka_unit_test(own_faults_change_nothing),
		cmocka_unit_test(suspicion_makes_a_check_due_soon),
		cmocka_unit_test(suspicion_during_a_check_brings_another_one_soon),
		cmocka_unit_test(another_configuration_keeps_the_verdict),
		cmocka_unit_test(a_check_under_way_begins_anew_with_another_configuration_only),
		cmocka_unit_test(one_that_is_silent_falls_though_reloads_never_end),
		cmocka_unit_test(who_is_not_to_be_checked_is_asked_until_it_answered),
		cmocka_unit_test(what_is_new_is_believed_at_once_what_misses_after_some_checks),
		cmocka_unit_test(checks_that_see_what_no_session_sees_teach_nothing),
		cmocka_unit_test(stops_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
