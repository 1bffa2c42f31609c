/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_fields_test.c: what Dovecot's extra fields say, what they may not say, and what comes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "auth/auth.h"

enum { WORDS_MAX = 512 };

/* "a b" as the words of a line: with a NUL behind each. */
static bool
read_words(const char *text, char words[WORDS_MAX], struct auth_fields *fields, struct error *error)
{
	size_t len = strlen(text);

	assert_true(len < WORDS_MAX);
	memcpy(words, text, len + 1);
	for (char *c = words; *c != '\0'; c++)
		if (*c == ' ')
			*c = '\0';
	return auth_fields_read(words, len, fields, error);
}

/* The words must outlive the answer, so that these are static. */
static struct auth_answer
answer_to(const char *text, const char *client, bool is_lookup)
{
	static char words[WORDS_MAX];
	struct identity identity = { 0 };
	const struct auth_request request = { .identity = &identity, .is_lookup = is_lookup };
	struct auth_answer answer;
	struct auth_fields fields;
	struct error error;

	if (client != NULL)
		assert_true(addr_parse(slice_of(client), 4711, &identity.client));
	if (!read_words(text, words, &fields, &error))
		fail_msg("%s: %s", text, error.text);
	auth_fields_judge(&fields, &request, &answer);
	return answer;
}

static struct auth_answer
judge(const char *text, const char *client)
{
	return answer_to(text, client, false);
}

static void
nothing_is_said(void **state)
{
	const struct auth_answer nothing = { .verdict = AUTH_OK };
	struct auth_answer answer = judge("  userdb_quota=5 userdb_host=no unknown=1 =x", NULL);

	(void)state;
	assert_int_equal(answer.verdict, AUTH_OK);
	assert_memory_equal(&answer, &nothing, sizeof(answer));
}

static void
says_where_and_how(void **state)
{
	static const char text[] =
	    "proxy host=10.0.0.5 port=1143  destuser=u=1 pass=p master=m pool=a server=d01 director_tag=t "
	    "user=bob@example.org nodelay";
	struct auth_answer answer = judge(text, NULL);

	(void)state;
	assert_int_equal(answer.verdict, AUTH_OK);
	assert_string_equal(answer.host, "10.0.0.5");
	assert_int_equal(answer.port, 1143);
	assert_string_equal(answer.destuser, "u=1");
	assert_string_equal(answer.pass, "p");
	assert_string_equal(answer.master, "m");
	assert_string_equal(answer.pool, "a");
	assert_string_equal(answer.server, "d01");
	assert_string_equal(answer.user, "bob@example.org");
	assert_int_equal(answer.tls, AUTH_TLS_POOL);
	assert_int_equal(answer.delay_ms, 0);
	answer = judge("host=d1.example.org hostip=2001:db8::1 port=143", NULL);
	assert_string_equal(answer.host, "2001:db8::1");
}

static void
says_how_tls_is_spoken(void **state)
{
	static const struct {
		const char *text;
		enum auth_tls tls;
	} rows[] = {
		{ "ssl", AUTH_TLS_IMPLICIT }, { "ssl=yes", AUTH_TLS_IMPLICIT },
		{ "ssl=any-cert", AUTH_TLS_IMPLICIT }, { "ssl=no", AUTH_TLS_POOL },
		{ "starttls=yes", AUTH_TLS_STARTTLS },
		{ "starttls=any-cert", AUTH_TLS_STARTTLS },
		{ "starttls=yes ssl=no", AUTH_TLS_STARTTLS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct auth_answer answer = judge(rows[i].text, NULL);

		assert_int_equal(answer.tls, rows[i].tls);
	}
}

static void
only_some_networks_are_allowed(void **state)
{
	static const struct {
		const char *nets, *client;
		enum auth_verdict verdict;
	} rows[] = {
		{ "192.0.2.0/24", "192.0.2.7", AUTH_OK },
		{ "192.0.2.9/24", "192.0.2.7", AUTH_OK },
		{ "192.0.2.0/24", "192.0.3.7", AUTH_REFUSED },
		{ "10.0.0.1,192.0.3.7", "192.0.3.7", AUTH_OK },
		{ "10.0.0.1,192.0.3.8", "192.0.3.7", AUTH_REFUSED },
		{ "2001:db8::/32,10.0.0.0/8", "2001:db8:1::1", AUTH_OK },
		{ "2001:db8::/32,10.0.0.0/8", "2001:db9::1", AUTH_REFUSED },
		{ "0.0.0.0/0", "2001:db9::1", AUTH_REFUSED },
		{ "local", "127.0.0.1", AUTH_REFUSED },
		{ "192.0.2.0/24", NULL, AUTH_REFUSED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[128];
		struct auth_answer answer;

		snprintf(text, sizeof(text), "allow_nets=%s reason=x host=::1", rows[i].nets);
		answer = judge(text, rows[i].client);
		if (answer.verdict != rows[i].verdict)
			fail_msg("%s for %s", rows[i].nets, rows[i].client);
		if (answer.verdict == AUTH_REFUSED)
			assert_true(answer.reason == NULL && answer.host == NULL);
	}
}

static struct auth_answer
judge_from(const char *text, const char *country)
{
	struct identity identity = { .place.has_countries = true };
	const struct auth_request request = { .identity = &identity };
	char words[WORDS_MAX];
	struct auth_answer answer;
	struct auth_fields fields;
	struct error error;

	assert_true(read_words(text, words, &fields, &error));
	snprintf(identity.place.country, sizeof(identity.place.country), "%s", country);
	auth_fields_judge(&fields, &request, &answer);
	return answer;
}

static void
countries_let_in_whoever_is_there(void **state)
{
	static const struct { const char *list, *country; enum auth_verdict verdict; } rows[] = {
		{ "DE", "DE", AUTH_OK }, { "DE", "AT", AUTH_REFUSED }, { "DE,AT", "AT", AUTH_OK },
		{ "DE", "", AUTH_REFUSED }, { "DE,unknown", "", AUTH_OK }, { "unknown", "DE", AUTH_REFUSED },
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "allow_countries=%s", rows[i].list);
		if (judge_from(text, rows[i].country).verdict != rows[i].verdict)
			fail_msg("%s for %s", rows[i].list, rows[i].country);
		assert_true(judge_from(text, rows[i].country).depends_on_client);
	}
}

/* Only the log hears why: a restriction that cannot be checked is not to be guessed at. */
static void
countries_put_off_while_nobody_knows_them(void **state)
{
	static const char *const texts[] = {
		"allow_countries=DE host=::1", "allow_nets=0.0.0.0/0 allow_countries=DE,AT nopassword",
		"allow_countries=DE nologin reason=x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct auth_answer answer = judge(texts[i], "192.0.2.7");

		assert_int_equal(answer.verdict, AUTH_LATER);
		assert_true(answer.host == NULL && answer.reason == NULL);
		assert_non_null(strstr(answer.why, "no database of countries"));
	}
	assert_int_equal(judge("userdb_allow_countries=DE", NULL).verdict, AUTH_OK);
}

static void
nologin_refuses_and_tells_why(void **state)
{
	struct auth_answer answer = judge("nologin reason=Moved!", NULL);

	(void)state;
	assert_int_equal(answer.verdict, AUTH_REFUSED);
	assert_string_equal(answer.reason, "Moved!");
	assert_non_null(answer.why);
	answer = judge("nologin", NULL);
	assert_int_equal(answer.verdict, AUTH_REFUSED);
	assert_null(answer.reason);
	answer = judge("nologin reason=\xc3\xa4", NULL);	/* no line of a protocol should have it */
	assert_null(answer.reason);
	answer = judge("nologin nopassword", NULL);
	assert_int_equal(answer.verdict, AUTH_REFUSED);
	answer = judge("nopassword", NULL);
	assert_int_equal(answer.verdict, AUTH_BY_SERVER);
}

/* What stands against a login keeps no mail out, but is told. */
static void
a_lookup_refuses_nobody(void **state)
{
	static const struct {
		const char *text, *why, *reason;
	} rows[] = {
		{ "user=b host=192.0.2.1 pool=p nopassword", NULL, NULL },
		{ "user=b host=192.0.2.1 pool=p nologin reason=Moved", "nologin", "Moved" },
		{ "user=b host=192.0.2.1 pool=p allow_nets=10.0.0.0/8", "allow_nets", NULL },
		{ "user=b host=192.0.2.1 pool=p allow_countries=DE nologin reason=x", "countries", NULL },
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct auth_answer answer = answer_to(rows[i].text, "192.0.2.7", true);

		assert_int_equal(answer.verdict, AUTH_OK);
		assert_string_equal(answer.user, "b");
		assert_string_equal(answer.host, "192.0.2.1");
		assert_string_equal(answer.pool, "p");
		assert_int_equal(answer.refuses_login, rows[i].why != NULL);
		if (rows[i].why != NULL)
			assert_non_null(strstr(answer.why, rows[i].why));
		else
			assert_null(answer.why);
		assert_true((rows[i].reason == NULL) == (answer.reason == NULL));
	}
	assert_false(judge("nologin", NULL).refuses_login);
	snprintf(text, sizeof(text), "nologin delay_until=%lld", (long long)time(NULL) + 60);
	assert_true(answer_to(text, NULL, true).delay_ms > 0);
	snprintf(text, sizeof(text), "delay_until=%lld", (long long)time(NULL) + 10000);
	assert_int_equal(answer_to(text, NULL, true).verdict, AUTH_LATER);
}

static void
delay_until_waits_or_fails(void **state)
{
	long long now = (long long)time(NULL);
	struct auth_answer answer;
	char text[128];

	(void)state;
	snprintf(text, sizeof(text), "delay_until=%lld+100", now - 1);
	assert_int_equal(judge(text, NULL).delay_ms, 0);
	snprintf(text, sizeof(text), "delay_until=%lld", now + 100);
	answer = judge(text, NULL);
	assert_int_equal(answer.verdict, AUTH_OK);
	assert_in_range(answer.delay_ms, 90 * 1000, 100 * 1000);
	snprintf(text, sizeof(text), "delay_until=%lld+100", now + 100);
	assert_in_range(judge(text, NULL).delay_ms, 90 * 1000, 200 * 1000);
	snprintf(text, sizeof(text), "delay_until=%lld+2147483647", now + 299);
	assert_in_range(judge(text, NULL).delay_ms, 289 * 1000, 300 * 1000);
	snprintf(text, sizeof(text), "delay_until=%lld", now + 400);
	answer = judge(text, NULL);
	assert_int_equal(answer.verdict, AUTH_LATER);
	assert_int_equal(answer.delay_ms, 0);
}

static void
names_are_put_in(void **state)
{
	struct auth_fields fields;
	struct buf texts = { 0 };
	struct error error;
	char words[WORDS_MAX];

	(void)state;
	assert_true(read_words("host=%d destuser=%n+%u pass=100%% server=d01 reason=%%u%n nologin", words,
	    &fields, &error));
	assert_true(auth_fields_expand(&fields, "bob@example.org", &texts));
	assert_string_equal(fields.host, "example.org");
	assert_string_equal(fields.destuser, "bob+bob@example.org");
	assert_string_equal(fields.pass, "100%");
	assert_string_equal(fields.server, "d01");
	assert_string_equal(fields.reason, "%ubob");
	assert_string_equal(fields.nologin, "");
	assert_null(fields.user);
	buf_clear(&texts);
	assert_true(read_words("destuser=%n pass=%d", words, &fields, &error));
	assert_true(auth_fields_expand(&fields, "bob@home@example.org", &texts));
	assert_string_equal(fields.destuser, "bob@home");
	assert_string_equal(fields.pass, "example.org");
	buf_clear(&texts);
	/* a name without a domain has none to be a host */
	assert_true(read_words("destuser=%n pass=%d", words, &fields, &error));
	assert_true(auth_fields_expand(&fields, "bob", &texts));
	assert_string_equal(fields.destuser, "bob");
	assert_string_equal(fields.pass, "");
	buf_clear(&texts);
	assert_true(read_words("host=%d", words, &fields, &error));
	assert_false(auth_fields_expand(&fields, "bob", &texts));
	buf_clear(&texts);
}

static void
fields_are_seen_in_other_texts(void **state)
{
	static const char *const with[] = {
		"nologin", "a nologin", "1000:nologin:x", ":ssl", "host=", "Bob pool=x", "allow_nets=",
		"starttls=no",
	};
	static const char *const without[] = {
		"", "/usr/sbin/nologin", "host", "Pool Master", "userdb_host=a", "xhost=a", "::1", "nologins",
		"a=host",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(with) / sizeof(with[0]); i++)
		if (!auth_fields_are_in(with[i]))
			fail_msg("%s", with[i]);
	for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++)
		if (auth_fields_are_in(without[i]))
			fail_msg("%s", without[i]);
}

static void
a_field_has_its_place(void **state)
{
	static const char *const texts[] = {
		":nologin", "nologin:", "nologin:1000", "proxy=y:nologin", "userdb_x=a:allow_nets=10.0.0.0/8",
		"a:b=c", "pass=a:b:nopassword", "host=::1:port=1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct auth_fields fields;
		struct error error = { "" };
		char words[WORDS_MAX];

		if (read_words(texts[i], words, &fields, &error))
			fail_msg("%s is taken", texts[i]);
		if (strstr(error.text, "a :") == NULL)
			fail_msg("%s: %s", texts[i], error.text);
	}
	assert_int_equal(judge("host=::1 pass=a:b", NULL).verdict, AUTH_OK);
}

static void
bad_values_are_told(void **state)
{
	static const char *const texts[] = {
		"port=0", "port=65536", "port", "port=x", "host=", "host", "hostip=",
		"host=10.0.0.300", "host=d1:143",
		"hostip=d1.example.org", "user=", "destuser=", "pool=",
		"server=", "ssl=maybe", "starttls=1", "allow_nets=", "allow_nets=10.0.0.0/33",
		"allow_nets=10.0.0.1,,10.0.0.2", "allow_nets=example.com", "allow_countries=de",
		"allow_countries=DE,,AT", "allow_countries=Germany",
		"user=%", "user=%L", "destuser=%Lu", "pass=%{user}", "reason=%%%", "nologin=%s", "port=%u",
		"delay_until=", "delay_until=soon", "delay_until=1+", "delay_until=1+x", "delay_until=+1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct auth_fields fields;
		struct error error = { "" };
		char words[WORDS_MAX];
		size_t name = strcspn(texts[i], "=");

		if (read_words(texts[i], words, &fields, &error))
			fail_msg("%s is taken", texts[i]);
		assert_memory_equal(error.text, texts[i], name);
	}
}

static void
proxy_timeout_has_units(void **state)
{
	static const struct {
		const char *word;
		int64_t ms;
	} rows[] = {
		{ "proxy_timeout=5", 5000 }, { "proxy_timeout=5s", 5000 }, { "proxy_timeout=30secs", 30000 },
		{ "proxy_timeout=500ms", 500 }, { "proxy_timeout=500msecs", 500 },
		{ "proxy_timeout=2min", 120000 },
		{ "proxy_timeout=0", 0 }, { "destuser=x", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(judge(rows[i].word, NULL).timeout_ms, rows[i].ms);
}

static void
what_is_said_for_one_user_is_taken_as_it_is(void **state)
{
	static const char good[] = "pass=a%b:nologin\0host=mail.example.com\0starttls=y\0odd:name=x\0";
	static const char *const bad[] = {
		"user=", "pass=a\nb", "destuser=x\r", "proxy_timeout=5 fortnights",
	};
	struct auth_fields fields;
	struct error error;

	(void)state;
	assert_true(auth_fields_take(good, sizeof(good) - 1, &fields, &error));
	assert_string_equal(fields.pass, "a%b:nologin");
	assert_string_equal(fields.host, "mail.example.com");
	assert_null(fields.nologin);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(auth_fields_take(bad[i], strlen(bad[i]) + 1, &fields, &error));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_said),
		cmocka_unit_test(says_where_and_how),
		cmocka_unit_test(says_how_tls_is_spoken),
		cmocka_unit_test(only_some_networks_are_allowed),
		cmocka_unit_test(countries_let_in_whoever_is_there),
		cmocka_unit_test(countries_put_off_while_nobody_knows_them),
		cmocka_unit_test(nologin_refuses_and_tells_why),
		cmocka_unit_test(a_lookup_refuses_nobody),
		cmocka_unit_test(delay_until_waits_or_fails),
		cmocka_unit_test(names_are_put_in),
		cmocka_unit_test(fields_are_seen_in_other_texts),
		cmocka_unit_test(a_field_has_its_place),
		cmocka_unit_test(bad_values_are_told),
		cmocka_unit_test(proxy_timeout_has_units),
		cmocka_unit_test(what_is_said_for_one_user_is_taken_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
