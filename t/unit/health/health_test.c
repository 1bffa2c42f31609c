/* SPDX-License-Identifier: BSD-2-Clause */
/* health_test.c: what checks make of endpoints, over configurations. */
#include "../net/certificates.h"
#include "checked.h"

#include "base/log_sink.h"

/* Checks whose intervals are as short as they may be. */
#define QUICK "interval 100ms; fast_interval 100ms; down_interval 100ms;"
#define SELDOM "interval 1h; fast_interval 100ms"
#define ONE_CHECK "check { " QUICK " rise 2; fall 2 }"
#define POOL(lines) "pool imap { balance leastconn; forward none\n" lines "\n}\n" LISTENER
#define POP3(lines) \
	"pool pop3 { balance leastconn; forward none\n" lines "\n}\n" \
	"listener pop3 { bind *:2; starttls off; plaintext_login yes; pool pop3 }\n"
#define D01 "server d01 { address @ }"

enum { LOOK_MS = 2 };

static void
on_settled(void *owner)
{
	struct checked *rig = owner;

	rig->settled++;
	loop_stop(rig->loop);
}

static void
settle(struct checked *rig)
{
	health_settle(rig->health, on_settled, rig);
	assert_int_equal(rig->settled, 0);
	await(rig->loop, &rig->settled, 1);
	turn_a_little(rig->loop);
	assert_int_equal(rig->settled, 1);
}

/* Checks that fail are no event of ours: looks again and again. */
typedef bool condition(const struct checked *rig);

static void
await_that(struct checked *rig, condition *is_so)
{
	for (int64_t until = loop_now(rig->loop) + TAPE_PATIENCE_MS; !is_so(rig);) {
		assert_true(loop_now(rig->loop) < until);
		wait_ms(rig->loop, LOOK_MS);
	}
}

static bool
is_in_state(const struct checked *rig, size_t i, enum health_state state)
{
	return facts_at(rig, i).health.state == (int)state;
}

static bool
is_down(const struct checked *rig)
{
	return is_in_state(rig, 0, HEALTH_DOWN);
}

static bool
is_up(const struct checked *rig)
{
	return is_in_state(rig, 0, HEALTH_UP);
}

static const struct watch *
watch_of(const struct checked *rig, size_t check)
{
	return health_watch(rig->health, endpoint_of(rig, 0), check);
}

static bool
is_answered(const struct checked *rig)
{
	return watch_of(rig, 0)->result.code != CHECK_CODE_INI;
}

static bool
has_failed(const struct checked *rig)
{
	return watch_of(rig, 0)->verdict.streak > 0;
}

/* Of those that are under way, one. */
static void
await_visit(struct checked *rig, int mock)
{
	await(rig->loop, &rig->mocks[mock].came, rig->mocks[mock].came + 1);
}

static void
is_settled_when_all_are_up_or_down(void **state)
{
	struct checked rig;

	(void)state;
	checked_open(&rig);
	mock_refuse(&rig.mocks[1]);
	configure(&rig, POOL(ONE_CHECK D01 "; server d02 { address % }"));
	settle(&rig);
	assert_true(is_in_state(&rig, 0, HEALTH_UP));
	assert_true(is_in_state(&rig, 1, HEALTH_DOWN));
	checked_close(&rig);
}

static void
who_lacks_files_to_check_is_not_awaited(void **state)
{
	struct checked rig;

	(void)state;
	checked_open(&rig);
	configure(&rig, POOL("source 192.0.2.1; check { interval 1h; fast_interval 1h } " D01));
	settle(&rig);
	assert_int_equal(watch_of(&rig, 0)->result.code, CHECK_CODE_SOCKERR);
	assert_true(is_in_state(&rig, 0, HEALTH_UNKNOWN));
	assert_true(loop_now(rig.loop) < watch_of(&rig, 0)->checked_at + HEALTH_SETTLE_MAX_MS / 2);
	checked_close(&rig);
}

static void
a_silent_server_is_awaited_until_it_is_down(void **state)
{
	struct checked rig;

	(void)state;
	checked_open(&rig);
	rig.mocks[1].greeting = NULL;
	configure(&rig, POOL("check { timeout 50ms; " SELDOM "; fall 2 } " D01 "; server d02 { address % }"));
	settle(&rig);
	assert_true(is_in_state(&rig, 0, HEALTH_UP));
	assert_true(is_in_state(&rig, 1, HEALTH_DOWN));
	checked_close(&rig);
}

static void
nobody_is_awaited_for_too_long(void **state)
{
	struct checked rig;

	(void)state;
	checked_open(&rig);
	rig.mocks[0].greeting = NULL;
	configure(&rig, POOL("check { timeout 10m } " D01));
	settle(&rig);
	assert_false(is_answered(&rig));
	assert_true(is_in_state(&rig, 0, HEALTH_UNKNOWN));
	checked_close(&rig);
}

static void
nothing_to_check_is_settled_at_once(void **state)
{
	static const char *const texts[] = {
		"",
		POOL(ONE_CHECK "server d01 { address nowhere.example:143 }"),
		POOL("check { kind none } " D01),
		/* nor is who is only asked awaited beside others */
		POOL(ONE_CHECK "server d02 { address % }") POP3("check { kind none } " D01),
	};
	struct checked rig;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		checked_open(&rig);
		rig.mocks[0].greeting = NULL;
		configure(&rig, texts[i]);
		settle(&rig);
		assert_true(rig.mocks[0].came <= 1);
		checked_close(&rig);
	}
}

static void
goes_down_and_up_and_tells_why(void **state)
{
	struct checked rig;

	(void)state;
	checked_open(&rig);
	configure(&rig, POOL(ONE_CHECK D01));
	await_that(&rig, is_up);
	assert_string_equal(facts_at(&rig, 0).health.why, "L7OK: answers as it should");
	mock_refuse(&rig.mocks[0]);
	await_that(&rig, has_failed);
	assert_true(is_up(&rig));
	assert_int_equal(facts_at(&rig, 0).passed, 1);
	assert_int_equal(facts_at(&rig, 0).wanted, 2);
	await_that(&rig, is_down);
	assert_true(endpoint_is_down(endpoint_of(&rig, 0)));
	assert_string_equal(facts_at(&rig, 0).health.why, REFUSED);
	assert_int_equal(facts_at(&rig, 0).wanted, 0);
	mock_listen(&rig.mocks[0]);
	await_that(&rig, is_up);
	assert_false(endpoint_is_down(endpoint_of(&rig, 0)));
	checked_close(&rig);
}

static void
tells_what_a_bad_server_said(void **state)
{
	struct checked rig;

	(void)state;
	checked_open(&rig);
	rig.mocks[0].greeting = "* BYE tired\r\n";
	configure(&rig, POOL(ONE_CHECK D01));
	await_that(&rig, is_down);
	assert_string_equal(facts_at(&rig, 0).health.why,
	    "L7STS: * BYE tired while reading greeting; it said: * BYE tired");
	checked_close(&rig);
}

static bool
is_down_by_the_first(const struct checked *rig)
{
	return watch_of(rig, 0)->verdict.state == HEALTH_DOWN;
}

static bool
is_second_up(const struct checked *rig)
{
	const struct watch *watch = watch_of(rig, 1);

	return watch->verdict.state == HEALTH_UP && watch->result.code == CHECK_CODE_L4OK;
}

/* Both are checked at one address: the first expects words, the second is content with a connect. */
static void
of_several_checks_one_that_fails_is_enough(void **state)
{
	struct checked rig;

	(void)state;
	checked_open(&rig);
	configure(&rig, POOL(ONE_CHECK "check { kind tcp; " QUICK " fall 100 } " D01));
	await_that(&rig, is_up);
	assert_true(is_second_up(&rig));
	rig.mocks[0].greeting = "* BYE tired\r\n";
	await_that(&rig, has_failed);
	/* the other one's checks do not take the progress away */
	for (int i = 0; i < 3 && is_up(&rig); i++) {
		await_visit(&rig, 0);
		assert_true(!is_up(&rig) || facts_at(&rig, 0).passed == 1);
	}
	await_that(&rig, is_down);
	assert_true(is_down_by_the_first(&rig));
	mock_refuse(&rig.mocks[0]);
	for (int i = 0; i < 100 && watch_of(&rig, 1)->verdict.streak < 2; i++)
		wait_ms(rig.loop, 10);
	/* down, and not on its way from there */
	assert_int_equal(facts_at(&rig, 0).wanted, 0);
	rig.mocks[0].greeting = GREETING;
	mock_listen(&rig.mocks[0]);
	await_that(&rig, is_up);
	checked_close(&rig);
}

static void
a_reload_keeps_what_is_known(void **state)
{
	struct checked rig;

	(void)state;
	checked_open(&rig);
	mock_refuse(&rig.mocks[0]);
	configure(&rig, POOL(ONE_CHECK D01));
	await_that(&rig, is_down);
	configure(&rig, POOL("check { interval 2s; rise 2; timeout 2s }" D01 "; server d02 { address % }"));
	assert_true(is_down(&rig));
	assert_int_equal(watch_of(&rig, 0)->verdict.state, HEALTH_DOWN);
	assert_int_equal(watch_of(&rig, 0)->order.settings->interval.ms, 2000);
	configure(&rig, POOL("check { kind tcp; rise 2 }" D01));
	assert_true(is_down(&rig));
	checked_close(&rig);
}

static void
expect_fresh(const struct checked *rig)
{
	assert_true(is_in_state(rig, 0, HEALTH_UNKNOWN));
	assert_false(endpoint_is_down(endpoint_of(rig, 0)));
	assert_int_equal(facts_at(rig, 0).passed, 0);
	assert_int_equal(facts_at(rig, 0).wanted, 0);
}

static void
who_is_not_checked_any_more_is_not_down(void **state)
{
	struct checked rig;

	(void)state;
	checked_open(&rig);
	mock_refuse(&rig.mocks[0]);
	configure(&rig, POOL(ONE_CHECK D01));
	await_that(&rig, is_down);
	configure(&rig, POOL("check { kind none } " D01));
	expect_fresh(&rig);
	assert_false(is_answered(&rig));
	checked_close(&rig);
}

static void
other_checks_have_to_take_up_who_is_down(void **state)
{
	struct checked rig;

	(void)state;
	checked_open(&rig);
	mock_refuse(&rig.mocks[0]);
	configure(&rig, POOL("check { " QUICK " rise 2; fall 1 }" D01));
	await_that(&rig, is_down);
	configure(&rig, POOL("check { " SELDOM "; rise 2 } check { kind tcp; " SELDOM "; rise 2 } " D01));
	assert_true(is_down(&rig));
	assert_int_equal(facts_at(&rig, 0).wanted, 0);
	assert_false(is_answered(&rig));
	mock_listen(&rig.mocks[0]);
	await_that(&rig, is_up);
	/* twice by each check, of which the last visit may not be counted yet */
	assert_true(rig.mocks[0].came >= 3);
	checked_close(&rig);
}

static void
other_checks_of_who_is_up_begin_anew(void **state)
{
	struct checked rig;

	(void)state;
	checked_open(&rig);
	configure(&rig, POOL(ONE_CHECK D01));
	await_that(&rig, is_up);
	configure(&rig, POOL(ONE_CHECK "check { kind tcp } " D01));
	expect_fresh(&rig);
	checked_close(&rig);
}

static void
another_address_begins_anew(void **state)
{
	struct checked rig;

	(void)state;
	checked_open(&rig);
	configure(&rig, POOL(ONE_CHECK D01));
	await_that(&rig, is_up);
	mock_refuse(&rig.mocks[0]);
	await_that(&rig, has_failed);
	/* while a check is under way, or not */
	configure(&rig, POOL(ONE_CHECK "server d01 { address % }"));
	expect_fresh(&rig);
	await_that(&rig, is_up);
	assert_true(rig.mocks[1].came > 0);
	checked_close(&rig);
}

static void
who_left_is_not_checked_any_more(void **state)
{
	struct checked rig;
	struct endpoint *e;
	int came;

	(void)state;
	checked_open(&rig);
	configure(&rig, POOL(ONE_CHECK D01 "; server d02 { address % }"));
	await_visit(&rig, 0);
	e = endpoint_get(endpoint_of(&rig, 0));
	/* those of the first server are under way, or to come at once */
	rig.mocks[0].greeting = NULL;
	await_visit(&rig, 0);
	configure(&rig, POOL(ONE_CHECK "server d02 { address % }"));
	assert_null(health_watch(rig.health, e, 0));
	health_suspect(rig.health, e);
	came = rig.mocks[0].came;
	for (int i = 0; i < 3; i++)
		await_visit(&rig, 1);
	assert_int_equal(rig.mocks[0].came, came);
	/* nor is it kept: the table has a reference, and we */
	assert_int_equal(atomic_load(&e->references), 2);
	endpoint_put(&e);
	checked_close(&rig);
}

static void
a_dropped_pool_is_not_checked_any_more(void **state)
{
	struct checked rig;
	int came;

	(void)state;
	checked_open(&rig);
	configure(&rig, POOL(ONE_CHECK D01));
	rig.mocks[0].greeting = NULL;
	await_visit(&rig, 0);
	configure(&rig, POP3(ONE_CHECK "server d01 { address % }"));
	came = rig.mocks[0].came;
	for (int i = 0; i < 3; i++)
		await_visit(&rig, 1);
	assert_int_equal(rig.mocks[0].came, came);
	checked_close(&rig);
}

static void
who_is_not_to_be_checked_is_asked_where_that_is_offered(void **state)
{
	static const struct {
		const char *text;
		bool is_asked;
	} rows[] = {
		{ POOL("check { kind none } " D01), true },
		{ "pool imap { balance leastconn; forward none; check { kind none } " D01 " }\n"
		  "listener imap { bind *:1; starttls off; plaintext_login yes; pool imap\n"
		  "  capabilities IMAP4rev1 }\n", false },
		{ "pool tcp { balance leastconn; check { kind none } " D01 " }\n"
		  "listener tcp { bind *:1; pool tcp }\n", false },
	};
	struct checked rig;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		checked_open(&rig);
		configure(&rig, rows[i].text);
		assert_int_equal(watch_of(&rig, 0) != NULL, rows[i].is_asked);
		if (rows[i].is_asked) {
			await_that(&rig, is_answered);
			assert_true(endpoint_capabilities_hash(endpoint_of(&rig, 0)) != 0);
			assert_false(loop_timer_is_set(&watch_of(&rig, 0)->timer));
		}
		turn_a_little(rig.loop);
		assert_int_equal(rig.mocks[0].came, rows[i].is_asked);
		assert_true(is_in_state(&rig, 0, HEALTH_UNKNOWN));
		checked_close(&rig);
	}
}

static void
sessions_tell_what_checks_do_not_see(void **state)
{
	static const struct {
		const char *text;
		bool is_checked;
	} rows[] = {
		{ POOL(ONE_CHECK D01), true },
		{ POOL(ONE_CHECK "check { kind tcp } " D01), true },
		{ POOL("check { kind tcp } " D01), false },
		{ POOL("check { port 9 } " D01), false },
		{ POOL("check { tls off } " D01), false },
		{ POOL("check { kind none } " D01), false },
	};
	struct checked rig;

	(void)state;
	checked_open(&rig);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		configure(&rig, rows[i].text);
		assert_int_equal(atomic_load(&endpoint_of(&rig, 0)->is_checked), rows[i].is_checked);
	}
	checked_close(&rig);
}

static void
a_name_without_an_address_is_unresolved(void **state)
{
	struct checked rig;

	(void)state;
	checked_open(&rig);
	configure(&rig, POOL(ONE_CHECK "server d01 { address nowhere.example:143 }"));
	assert_true(is_in_state(&rig, 0, HEALTH_UNRESOLVED));
	assert_null(watch_of(&rig, 0));
	health_suspect(rig.health, endpoint_of(&rig, 0));
	commit(&rig);
	assert_true(is_in_state(&rig, 0, HEALTH_UNRESOLVED));
	configure(&rig, POOL(ONE_CHECK D01));
	expect_fresh(&rig);
	await_that(&rig, is_up);
	configure(&rig, POOL(ONE_CHECK "server d01 { address nowhere.example:143 }"));
	assert_true(is_in_state(&rig, 0, HEALTH_UNRESOLVED));
	assert_null(watch_of(&rig, 0));
	checked_close(&rig);
}

static bool
has_its_share(const struct checked *rig)
{
	return endpoint_load(endpoint_of(rig, 0)).share == ENDPOINT_SHARE_ONE;
}

static void
one_that_recovers_starts_slowly(void **state)
{
	struct checked rig;

	(void)state;
	checked_open(&rig);
	configure(&rig, POOL(ONE_CHECK "slow_start 1h; " D01));
	await_that(&rig, is_up);
	assert_true(has_its_share(&rig));
	mock_refuse(&rig.mocks[0]);
	await_that(&rig, is_down);
	mock_listen(&rig.mocks[0]);
	await_that(&rig, is_up);
	assert_int_equal(facts_at(&rig, 0).slow_start_percent, 1);
	assert_false(has_its_share(&rig));
	/* and the next time faster */
	configure(&rig, POOL(ONE_CHECK "slow_start 50ms; " D01));
	mock_refuse(&rig.mocks[0]);
	await_that(&rig, is_down);
	mock_listen(&rig.mocks[0]);
	await_that(&rig, is_up);
	await_that(&rig, has_its_share);
	checked_close(&rig);
}

static void
suspicion_is_for_all_checks_of_one_server(void **state)
{
	struct checked rig;

	(void)state;
	checked_open(&rig);
	configure(&rig, POOL("check { " SELDOM " } check { kind tcp; " SELDOM " } " D01
			     "; server d02 { address % }"));
	settle(&rig);
	health_suspect(rig.health, endpoint_of(&rig, 0));
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(watch_of(&rig, i)->due_at, watch_of(&rig, i)->checked_at + 100);
	await(rig.loop, &rig.mocks[0].came, 4);
	assert_int_equal(rig.mocks[1].came, 2);
	checked_close(&rig);
}

static void
a_commit_during_a_check_begins_it_anew_where_the_configuration_is_another(void **state)
{
	struct checked rig;

	(void)state;
	checked_open(&rig);
	rig.mocks[0].greeting = NULL;
	configure(&rig, POOL(ONE_CHECK D01));
	await_visit(&rig, 0);
	/* only names have changed */
	commit(&rig);
	turn_a_little(rig.loop);
	assert_int_equal(rig.mocks[0].came, 1);
	configure(&rig, POOL(ONE_CHECK D01));
	await_visit(&rig, 0);
	assert_false(is_answered(&rig));
	mock_greet_now(&rig.mocks[0]);
	await_that(&rig, is_up);
	checked_close(&rig);
}

static void
checks_overrule_an_operator(void **state)
{
	struct checked rig;
	struct endpoint *e;

	(void)state;
	checked_open(&rig);
	configure(&rig, POOL(ONE_CHECK D01));
	settle(&rig);
	e = endpoint_of(&rig, 0);
	assert_true(health_can_check(rig.health, e));
	assert_true(health_force(rig.health, e, HEALTH_DOWN, "by bob"));
	assert_string_equal(facts_at(&rig, 0).health.why, "by bob");
	assert_int_equal(watch_of(&rig, 0)->verdict.state, HEALTH_DOWN);	/* to be up takes `rise` */
	assert_true(endpoint_is_down(e));
	await_that(&rig, is_up);
	mock_refuse(&rig.mocks[0]);
	await_that(&rig, is_down);
	assert_true(health_force(rig.health, e, HEALTH_UP, "by bob"));
	assert_false(endpoint_is_down(e));
	await_that(&rig, is_down);
	checked_close(&rig);
}

static void
who_is_not_to_be_checked_stays_as_he_is(void **state)
{
	struct checked rig;
	struct endpoint *e;
	int came;

	(void)state;
	checked_open(&rig);
	configure(&rig, POOL(ONE_CHECK D01));
	settle(&rig);
	e = endpoint_of(&rig, 0);
	health_set_checked(rig.health, e, false, "");
	health_set_checked(rig.health, e, false, "");
	assert_true(health_force(rig.health, e, HEALTH_DOWN, "by bob"));
	turn_a_little(rig.loop);
	came = rig.mocks[0].came;
	configure(&rig, POOL(ONE_CHECK D01));		/* a reload changes nothing of it */
	health_suspect(rig.health, e);
	wait_ms(rig.loop, 250);
	assert_int_equal(rig.mocks[0].came, came);
	assert_true(is_down(&rig));
	health_set_checked(rig.health, e, true, "");
	await_that(&rig, is_up);
	checked_close(&rig);
}

static void
ends_during_a_check(void **state)
{
	struct checked rig;

	(void)state;
	checked_open(&rig);
	rig.mocks[0].greeting = NULL;
	configure(&rig, POOL(ONE_CHECK D01));
	health_settle(rig.health, on_settled, &rig);
	await_visit(&rig, 0);
	health_free(&rig.health);
	mock_greet_now(&rig.mocks[0]);
	turn_a_little(rig.loop);
	assert_int_equal(rig.settled, 0);
	checked_close(&rig);
}

static void
write_log_to(const char *path, int level)
{
	const struct log_settings settings = { .target = LOG_TARGET_FILE, .path = path, .level = level };
	struct error error;

	log_use(LOG_STREAM_MAIN, &settings, log_sink_open(&settings, &error));
}

static int
count_in_file(const char *path, const char *text)
{
	char content[4096];
	FILE *file = fopen(path, "r");
	size_t len = fread(content, 1, sizeof(content) - 1, file);
	int count = 0;

	fclose(file);
	content[len] = '\0';
	for (const char *at = content; (at = strstr(at, text)) != NULL; at++)
		count++;
	return count;
}

/* The second check has no TLS, and sees no certificate. */
#define CERTIFIED \
	"pool imap { balance leastconn; forward none; server_tls implicit { verify no }\n" \
	"  check { kind tcp; " QUICK " } check { kind tcp; tls off; " QUICK " } " D01 " }\n" LISTENER

static void
warns_once_of_a_certificate(struct checked *rig, long valid_s, const char *warning)
{
	struct block_of block;
	struct tls_front front = { .alpn = "imap" };
	struct door door;

	unlink(in_folder("health.pem"));
	unlink(in_folder("log"));
	write_pair(&(struct wanted){ .names = "IP:127.0.0.1", .valid_s = valid_s,
	    .certificate_file = "health.pem", .key_file = "health.pem" });
	fill_block(&block, "health.pem");
	front.context = load_block(&block);
	checked_open(rig);
	door_open(&door, rig->loop);
	mock_refuse(&rig->mocks[0]);
	rig->mocks[0].addr = door.addr;
	write_log_to(in_folder("log"), LOG_WARNING);
	configure(rig, CERTIFIED);
	for (int i = 0; i < PEERS_MAX; i++)
		stream_accept_tls(&door_accept(&door)->stream, &front);
	door_refuse(&door);
	await_that(rig, is_down);
	log_stop();
	assert_int_equal(count_in_file(in_folder("log"), warning), 1);
	assert_int_equal(count_in_file(in_folder("log"), "certificate"), 1);
	door_close(&door);
	checked_close(rig);
	tls_context_free(&front.context);
	quiet_log(NULL);
}

static void
a_certificate_that_ends_soon_is_told_once(void **state)
{
	struct checked rig;

	(void)state;
	warns_once_of_a_certificate(&rig, 10 * DAY + 3600,
	    "imap/d01: the server's certificate is good for 10 more days");
	warns_once_of_a_certificate(&rig, -3 * DAY, "imap/d01: the server's certificate has expired");
}

static int
begin(void **state)
{
	return make_folder(state) != 0 || quiet_log(state) != 0;
}

static int
finish(void **state)
{
	return end_log(state) != 0 || remove_folder(state) != 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_settled_when_all_are_up_or_down),
		cmocka_unit_test(who_lacks_files_to_check_is_not_awaited),
		cmocka_unit_test(a_silent_server_is_awaited_until_it_is_down),
		cmocka_unit_test(nobody_is_awaited_for_too_long),
		cmocka_unit_test(nothing_to_check_is_settled_at_once),
		cmocka_unit_test(goes_down_and_up_and_tells_why),
		cmocka_unit_test(tells_what_a_bad_server_said),
		cmocka_unit_test(of_several_checks_one_that_fails_is_enough),
		cmocka_unit_test(a_reload_keeps_what_is_known),
		cmocka_unit_test(who_is_not_checked_any_more_is_not_down),
		cmocka_unit_test(other_checks_have_to_take_up_who_is_down),
		cmocka_unit_test(other_checks_of_who_is_up_begin_anew),
		cmocka_unit_test(another_address_begins_anew),
		cmocka_unit_test(who_left_is_not_checked_any_more),
		cmocka_unit_test(a_dropped_pool_is_not_checked_any_more),
		cmocka_unit_test(who_is_not_to_be_checked_is_asked_where_that_is_offered),
		cmocka_unit_test(sessions_tell_what_checks_do_not_see),
		cmocka_unit_test(a_name_without_an_address_is_unresolved),
		cmocka_unit_test(one_that_recovers_starts_slowly),
		cmocka_unit_test(suspicion_is_for_all_checks_of_one_server),
		cmocka_unit_test(a_commit_during_a_check_begins_it_anew_where_the_configuration_is_another),
		cmocka_unit_test(checks_overrule_an_operator),
		cmocka_unit_test(who_is_not_to_be_checked_stays_as_he_is),
		cmocka_unit_test(ends_during_a_check),
		cmocka_unit_test(a_certificate_that_ends_soon_is_told_once),
	};

	return cmocka_run_group_tests(tests, begin, finish);
}
