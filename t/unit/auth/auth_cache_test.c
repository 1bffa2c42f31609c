/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_cache_test.c: which answers are kept, for whom, for how long, and how they are forgotten. */
#include "auth_cache_rig.h"

#include "auth/auth_memo.h"

#define CACHED_FILE "auth a { source file; path /u; cache_ttl 1h }"
#define CACHED_SERVER "auth a { source server; cache_ttl 1h }"

static void
a_good_answer_serves_again(void **state)
{
	struct rig rig;
	struct ask first, second;

	(void)state;
	rig_open(&rig, CACHED_FILE, 1);
	ask_init(&first, &rig, "bob", "secret");
	ask_init(&second, &rig, "bob", "secret");
	auth_start(&first.request);
	auth_start(&second.request);
	assert_int_equal(atomic_load(&asked), 1);
	assert_int_equal(second.answers, 1);
	assert_string_equal(first.pass, "server's secret");
	assert_string_equal(second.all, first.all);
	assert_true(second.answer.ends_session);
	assert_ptr_equal(second.request.asked, rig_auth(&rig));
	ask_end(&first);
	ask_end(&second);
	rig_close(&rig);
}

static void
without_a_time_to_live_all_are_asked_for(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, "auth a { source file; path /u }", 1);
	assert_null(rig_auth(&rig)->cache);
	assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 1);
	assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 1);
	rig_close(&rig);
}

/* What of a question is changed, and whether each of the two sources is asked again then. */
static void
other_user(struct ask *ask)
{
	ask->request.user = "eve";
}

static void
other_name(struct ask *ask)
{
	buf_append_text(&ask->credentials.user, "x");
}

static void
other_border(struct ask *ask)
{
	/* the same bytes in a row, cut elsewhere */
	buf_truncate(&ask->credentials.user, 2);
	buf_append_text(&ask->credentials.authzid, "b");
}

static void
other_authzid(struct ask *ask)
{
	buf_append_text(&ask->credentials.authzid, "eve");
}

static void
other_kind(struct ask *ask)
{
	ask->credentials.mechanism = MECHANISM_XOAUTH2;
}

static void
other_mechanism(struct ask *ask)
{
	ask->credentials.mechanism = MECHANISM_PLAIN;
}

static void
other_protocol(struct ask *ask)
{
	ask->scene.protocol = "pop3";
}

static void
other_listener(struct ask *ask)
{
	ask->scene.listener = "m";
}

static void
other_client(struct ask *ask)
{
	assert_true(addr_parse(slice_of("192.0.2.8"), 4711, &ask->identity.client));
}

static void
other_port(struct ask *ask)
{
	addr_set_port(&ask->identity.client, 4712);
}

static void
other_local(struct ask *ask)
{
	addr_set_port(&ask->identity.local, 993);
}

static void
other_sni(struct ask *ask)
{
	ask->scene.sni = "imap.example.com";
}

static void
other_tls(struct ask *ask)
{
	ask->identity.tls_version = "TLSv1.3";
}

static void
other_attempt(struct ask *ask)
{
	ask->scene.attempt = 2;
	ask->identity.session[0] = 'x';
}

static void
only_equal_questions_are_alike(void **state)
{
	static const struct {
		void (*change)(struct ask *ask);
		int file, server;
	} rows[] = {
		{ other_user, 1, 1 }, { other_name, 1, 1 }, { other_border, 1, 1 }, { other_authzid, 1, 1 },
		{ other_kind, 1, 1 }, { other_protocol, 1, 1 }, { other_listener, 1, 1 },
		{ other_mechanism, 0, 0 }, { other_port, 0, 0 }, { other_attempt, 0, 0 },
		{ other_client, 0, 1 }, { other_local, 0, 1 }, { other_sni, 0, 1 }, { other_tls, 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		bool is_file = i % 2 == 0;
		struct rig rig;
		struct ask ask;

		rig_open(&rig, is_file ? CACHED_FILE : CACHED_SERVER, 1);
		assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 1);
		assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 0);
		ask_init(&ask, &rig, "bob", "secret");
		rows[i / 2].change(&ask);
		auth_start(&ask.request);
		if (atomic_load(&asked) - 1 != (is_file ? rows[i / 2].file : rows[i / 2].server))
			fail_msg("row %zu", i / 2);
		ask_end(&ask);
		rig_close(&rig);
	}
}

static void
the_address_counts_where_it_is_told(void **state)
{
	struct rig rig;
	struct ask ask;

	(void)state;
	rig_open(&rig, "auth a { source server; cache_ttl 1h; cache_by_address no }", 1);
	assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 1);
	ask_init(&ask, &rig, "bob", "secret");
	other_client(&ask);
	auth_start(&ask.request);
	assert_int_equal(atomic_load(&asked), 1);
	ask_end(&ask);
	rig_close(&rig);
}

/* One password of two users is none of each other's. */
static void
blocks_and_users_have_their_own(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, CACHED_FILE "\nauth b { source file; path /u; cache_ttl 1h }", 1);
	assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 1);
	assert_int_equal(questions(&rig, "eve", "secret", AUTH_OK), 1);
	rig.auths.items++;
	rig.auths.count--;
	assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 1);
	rig.auths.items--;
	rig.auths.count++;
	rig_close(&rig);
}

static void
wrong_passwords_are_asked_for_unless_they_are_kept(void **state)
{
	static const struct {
		const char *user, *password;
		enum auth_verdict verdict;
		int asked, asked_with_ttl;	/* the second time */
	} rows[] = {
		{ "bob", "wrong", AUTH_REFUSED, 1, 0 },
		{ "soft", "wrong", AUTH_REFUSED, 1, 0 },
		{ "nobody", "wrong", AUTH_REFUSED, 1, 0 },
		{ "disabled", "secret", AUTH_REFUSED, 1, 1 },
		{ "later", "secret", AUTH_LATER, 1, 1 },
		{ "delayed", "secret", AUTH_OK, 1, 1 },
		{ "bob", "secret", AUTH_OK, 0, 0 },
		{ "bob", "", AUTH_REFUSED, 1, 1 },
	};

	(void)state;
	for (int negative = 0; negative < 2; negative++) {
		struct rig rig;

		rig_open(&rig, negative == 0 ? CACHED_FILE :
		    "auth a { source file; path /u; cache_ttl 1h; cache_negative_ttl 1h }", 1);
		assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 1);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			int wanted = negative == 0 ? rows[i].asked : rows[i].asked_with_ttl;
			int first = questions(&rig, rows[i].user, rows[i].password, rows[i].verdict);
			int second = questions(&rig, rows[i].user, rows[i].password, rows[i].verdict);

			if (second != wanted || first < second)
				fail_msg("row %zu: %d, then %d", i, first, second);
		}
		/* what was refused meanwhile has cost nobody what was good */
		assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 0);
		rig_close(&rig);
	}
}

static void
only_refusals_may_be_kept(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, "auth a { source file; path /u; cache_negative_ttl 1h }", 1);
	assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 1);
	assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 1);
	assert_int_equal(questions(&rig, "bob", "wrong", AUTH_REFUSED), 1);
	assert_int_equal(questions(&rig, "bob", "wrong", AUTH_REFUSED), 0);
	rig_close(&rig);
}

/* A refusal that was kept goes on to the next source as it did at first, with the words of the last one. */
static void
what_is_kept_goes_the_same_way(void **state)
{
	struct rig rig;
	struct ask ask;

	(void)state;
	rig_open(&rig, "auth a { source file; path /u; cache_negative_ttl 1h }\nauth b { source server }", 1);
	assert_int_equal(questions(&rig, "soft", "wrong", AUTH_REFUSED), 2);
	assert_int_equal(questions(&rig, "nobody", "wrong", AUTH_REFUSED), 2);
	ask_init(&ask, &rig, "soft", "wrong");
	auth_start(&ask.request);
	assert_int_equal(atomic_load(&asked), 5);
	assert_string_equal(ask.reason, "wrong");
	assert_ptr_equal(ask.request.asked, rig.auths.items[1]);
	ask_end(&ask);
	assert_int_equal(questions(&rig, "nobody", "wrong", AUTH_REFUSED), 1);
	rig_close(&rig);
}

static void
proofs_and_certificates_are_asked_for(void **state)
{
	static const enum mechanism rows[] = {
		MECHANISM_CRAM_MD5, MECHANISM_SCRAM_SHA_256, MECHANISM_EXTERNAL,
	};
	struct rig rig;

	(void)state;
	rig_open(&rig, CACHED_FILE, 1);
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		struct ask ask;

		ask_init(&ask, &rig, "bob", "secret");
		ask.credentials.mechanism = rows[i / 2];
		auth_start(&ask.request);
		assert_int_equal(atomic_load(&asked), i + 1);
		ask_end(&ask);
	}
	assert_int_equal(auth_cache_count(rig_auth(&rig)->cache), 0);
	rig_close(&rig);
}

static int
lookups(const struct rig *rig, const char *mail_name, const char *user, const char *recipient)
{
	int before = atomic_load(&asked);
	struct ask ask;

	ask_init(&ask, rig, user, "");
	ask.request.credentials = NULL;
	ask.scene.mail_name = mail_name;
	ask.scene.recipient = slice_of(recipient);
	auth_lookup_start(&ask.request);
	assert_int_equal(ask.answer.verdict, strcmp(user, "nobody") == 0 ? AUTH_REFUSED : AUTH_OK);
	ask_end(&ask);
	return atomic_load(&asked) - before;
}

static void
lookups_are_kept_apart(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, "auth a { source file; path /u; cache_ttl 1h; cache_negative_ttl 1h }", 1);
	assert_int_equal(lookups(&rig, "smtp", "bob", "RCPT TO:<bob>"), 1);
	assert_int_equal(lookups(&rig, "smtp", "bob", "RCPT TO:<BOB>"), 0);
	assert_int_equal(lookups(&rig, "smtp", "eve", "RCPT TO:<bob>"), 1);
	assert_int_equal(lookups(&rig, "smtp", "nobody", ""), 1);
	assert_int_equal(lookups(&rig, "smtp", "nobody", ""), 0);
	/* nobody logs in by it */
	assert_int_equal(questions(&rig, "bob", "", AUTH_REFUSED), 1);
	assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 1);
	assert_int_equal(questions(&rig, "nobody", "secret", AUTH_REFUSED), 1);
	rig_close(&rig);
	rig_open(&rig, CACHED_SERVER, 1);
	assert_int_equal(lookups(&rig, "smtp", "bob", "RCPT TO:<bob>"), 1);
	assert_int_equal(lookups(&rig, "smtp", "bob", "RCPT TO:<bob>"), 0);
	assert_int_equal(lookups(&rig, "smtp", "bob", "RCPT TO:<BOB>"), 1);
	/* where they are not told of the mail, it is the same question */
	assert_int_equal(lookups(&rig, NULL, "bob", "RCPT TO:<bob>"), 1);
	assert_int_equal(lookups(&rig, NULL, "bob", "RCPT TO:<BOB>"), 0);
	rig_close(&rig);
}

static void
near_login(const struct rig *rig, bool is_near)
{
	struct ask ask;

	ask_init(&ask, rig, "near", "secret");
	if (!is_near)
		other_client(&ask);
	auth_start(&ask.request);
	assert_int_equal(ask.answer.verdict, is_near ? AUTH_OK : AUTH_REFUSED);
	ask_end(&ask);
}

static void
an_answer_may_be_good_for_its_address_alone(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, CACHED_FILE, 1);
	near_login(&rig, true);
	near_login(&rig, true);
	assert_int_equal(atomic_load(&asked), 1);
	near_login(&rig, false);
	near_login(&rig, false);
	assert_int_equal(atomic_load(&asked), 3);
	near_login(&rig, true);
	assert_int_equal(atomic_load(&asked), 3);
	auth_cache_flush(rig_auth(&rig)->cache, "near");
	near_login(&rig, false);
	near_login(&rig, true);
	near_login(&rig, true);
	assert_int_equal(atomic_load(&asked), 5);
	rig_close(&rig);
}

struct pause {
	struct loop_timer timer;
	struct loop *loop;
};

static void
on_pause_over(struct loop_timer *timer)
{
	loop_stop(loop_owner(timer, struct pause, timer)->loop);
}

/* Until the loop's time is so much later. */
static void
pass_time(struct loop *loop, int64_t ms)
{
	struct pause pause = { .loop = loop };

	loop_timer_init(&pause.timer, on_pause_over);
	loop_timer_set(loop, &pause.timer, loop_now(loop) + ms);
	loop_run(loop);
}

static void
answers_grow_old(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, "auth a { source file; path /u; cache_ttl 20ms; cache_negative_ttl 1h }", 1);
	/* the loop's time stands still meanwhile */
	assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 1);
	assert_int_equal(questions(&rig, "bob", "wrong", AUTH_REFUSED), 1);
	assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 0);
	pass_time(rig.loop, 20);
	assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 1);
	assert_int_equal(questions(&rig, "bob", "wrong", AUTH_REFUSED), 0);
	rig_close(&rig);
}

static void
the_size_is_bounded(void **state)
{
	enum { SIZE = 1000, USERS = 5000 };
	struct rig rig;
	char user[32];

	(void)state;
	rig_open(&rig, "auth a { source file; path /u; cache_ttl 1h; cache_size 1000 }", 1);
	for (int i = 0; i < USERS; i++) {
		snprintf(user, sizeof(user), "user%d", i);
		assert_int_equal(questions(&rig, user, "secret", AUTH_OK), 1);
		assert_int_equal(questions(&rig, "user0", "secret", AUTH_OK), 0);
	}
	assert_in_range(auth_cache_count(rig_auth(&rig)->cache), SIZE / 2, SIZE + 64);
	assert_int_equal(questions(&rig, user, "secret", AUTH_OK), 0);
	rig_close(&rig);
}

static void
users_can_be_forgotten(void **state)
{
	struct auth_cache *none = NULL;
	struct rig rig;

	(void)state;
	auth_cache_flush(none, NULL);
	rig_open(&rig, "auth a { source file; path /u; cache_ttl 1h; cache_negative_ttl 1h }", 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 1);
		assert_int_equal(questions(&rig, "bob", "wrong", AUTH_REFUSED), 1);
		assert_int_equal(questions(&rig, "eve", "wrong", AUTH_REFUSED), 1 - i);
		assert_int_equal(questions(&rig, "eve", "wrong", AUTH_REFUSED), 0);
		auth_cache_flush(rig_auth(&rig)->cache, "bob@example.com");
	}
	/* by the name of the answer, too */
	assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 1);
	auth_cache_flush(rig_auth(&rig)->cache, "named@example.com");
	assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 1);
	auth_cache_flush(rig_auth(&rig)->cache, NULL);
	assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 1);
	assert_int_equal(questions(&rig, "eve", "wrong", AUTH_REFUSED), 1);
	rig_close(&rig);
}

static void
another_version_is_another_source(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, CACHED_FILE, 1);
	assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 1);
	atomic_fetch_add(&version, 1);
	assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 1);
	assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 0);
	rig_close(&rig);
}

/* A reload: the blocks of `text` follow, and those before go. */
static void
rig_reload(struct rig *rig, const char *text)
{
	struct rig next = { .loop = rig->loop };

	next.conf = load_auths(text, &next.auths);
	keep_all(&next.auths, &rig->auths, 1);
	rig->loop = loop_new(0);
	rig_close(rig);
	*rig = next;
}

static uint64_t
counted(const struct rig *rig, const char *name)
{
	const struct auth_kept *kept = rig_auth(rig)->kept;

	return (uint64_t)metric_read(metric_find(&auth_metrics, slice_of(name)), kept, kept->threads);
}

static void
reloads_keep_what_says_the_same(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, CACHED_FILE, 1);
	assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 1);
	rig_reload(&rig, "auth b { source file; path /u; cache_ttl 1h }\n" CACHED_FILE);
	rig.auths.items++;
	assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 0);
	assert_int_equal(counted(&rig, "asked"), 1);
	rig.auths.items--;
	/* what was said by another path, or for another time, is not used */
	rig_reload(&rig, "auth a { source file; path /v; cache_ttl 1h }");
	assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 1);
	assert_int_equal(counted(&rig, "asked"), 2);
	rig_reload(&rig, "auth a { source file; path /v; cache_ttl 2h }");
	assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 1);
	rig_reload(&rig, "auth a { source file; path /v }");
	assert_null(rig_auth(&rig)->cache);
	assert_int_equal(counted(&rig, "asked"), 3);
	rig_reload(&rig, CACHED_SERVER);
	assert_int_equal(counted(&rig, "asked"), 0);
	assert_int_equal(questions(&rig, "bob", "secret", AUTH_OK), 1);
	rig_close(&rig);
}

static void
questions_are_counted_and_timed(void **state)
{
	struct histogram_sum sum = { 0 };
	struct rig rig;

	(void)state;
	rig_open(&rig, CACHED_FILE, 1);
	for (int i = 0; i < 3; i++)
		(void)questions(&rig, "bob", "secret", AUTH_OK);
	(void)questions(&rig, "bob", "wrong", AUTH_REFUSED);
	(void)questions(&rig, "nobody", "wrong", AUTH_REFUSED);
	(void)questions(&rig, "later", "wrong", AUTH_LATER);
	assert_int_equal(counted(&rig, "asked"), 4);
	assert_int_equal(counted(&rig, "accepted"), 1);
	assert_int_equal(counted(&rig, "refused"), 1);
	assert_int_equal(counted(&rig, "unknown"), 1);
	assert_int_equal(counted(&rig, "failed"), 1);
	assert_int_equal(counted(&rig, "cached"), 2);
	assert_int_equal(counted(&rig, "waited"), 0);
	auth_kept_latency(rig_auth(&rig)->kept, &sum);
	assert_int_equal(sum.count, 4);
	rig_close(&rig);
}

/* Nothing that is kept shows the server's secret, nor is any member of an answer forgotten. */
static void
memos_are_whole_and_sealed(void **state)
{
	const struct auth_answer answer = { .user = "u", .host = "h", .pass = "server's secret" };
	const uint8_t key[SEAL_KEY_SIZE] = { 0 };
	struct auth_memo *memo = auth_memo_new(AUTH_OUTCOME_ANSWER, &answer, key);

	(void)state;
	assert_null(memo->answer.pass);
	assert_null(memmem(buf_data(&memo->pass), buf_len(&memo->pass), "secret", strlen("secret")));
	assert_string_equal(memo->answer.user, "u");
	assert_ptr_not_equal(memo->answer.user, answer.user);
	assert_string_equal(memo->answer.host, "h");
	auth_memo_put(&memo);
	/* whoever gives it another member lets auth_memo.c copy it, and changes this */
	if (sizeof(void *) == 8)
		assert_int_equal(sizeof(struct auth_answer), 152);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_answer_serves_again),
		cmocka_unit_test(without_a_time_to_live_all_are_asked_for),
		cmocka_unit_test(only_equal_questions_are_alike),
		cmocka_unit_test(the_address_counts_where_it_is_told),
		cmocka_unit_test(blocks_and_users_have_their_own),
		cmocka_unit_test(wrong_passwords_are_asked_for_unless_they_are_kept),
		cmocka_unit_test(only_refusals_may_be_kept),
		cmocka_unit_test(what_is_kept_goes_the_same_way),
		cmocka_unit_test(proofs_and_certificates_are_asked_for),
		cmocka_unit_test(lookups_are_kept_apart),
		cmocka_unit_test(an_answer_may_be_good_for_its_address_alone),
		cmocka_unit_test(answers_grow_old),
		cmocka_unit_test(the_size_is_bounded),
		cmocka_unit_test(users_can_be_forgotten),
		cmocka_unit_test(another_version_is_another_source),
		cmocka_unit_test(reloads_keep_what_says_the_same),
		cmocka_unit_test(questions_are_counted_and_timed),
		cmocka_unit_test(memos_are_whole_and_sealed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
