/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_redis_test.c: users in a real Redis, and what comes of odd ones and of a Redis that is not there. */
#include "user_file_rig.h"

#include "../net/redis_server.h"
#include "auth/auth_clients.h"
#include "net/redis.h"

#ifdef HAVE_HIREDIS
#define CONFIG(more) "auth r { source redis; redis unix:@/socket; key user:$user; " more " }"
#define SCRAM "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=," \
	      "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

/* `rig.folder` is the server's; `writer` is the test's own connection. */
struct scene {
	struct rig rig;
	struct redis_server server;
	struct auth_clients *clients;
	struct redis *writer;
};

struct written {
	struct redis_command command;
	struct loop *loop;
};

static int
set_up(void **state)
{
	struct scene *scene = xcalloc(1, sizeof(*scene));
	struct rig *rig = &scene->rig;
	struct redis_settings settings = {
		.url.path = scene->server.path, .timeout_ms = 8000, .bytes_max = 4096, .parts_max = 64,
	};

	if (redis_server_init(&scene->server) != 0)
		return -1;
	snprintf(rig->folder, sizeof(rig->folder), "%s", scene->server.folder);
	rig->loop = loop_new(0);
	rig->hashing = thread_pool_new(1, 100, loop_post);
	scene->clients = auth_clients_new(rig->loop, 0);
	redis_server_start(&scene->server, "");
	scene->writer = redis_new(rig->loop, &settings);
	*state = scene;
	return 0;
}

static int
tear_down(void **state)
{
	struct scene *scene = *state;
	struct rig *rig = &scene->rig;

	auth_clients_free(&scene->clients);
	redis_free(&scene->writer);
	for (size_t i = 0; i < rig->auths.count; i++)
		auth_close(rig->auths.items[i]);
	conf_free(&rig->conf);
	thread_pool_free(&rig->hashing);
	loop_free(&rig->loop);
	redis_server_clear(&scene->server);
	xfree(scene);
	return 0;
}

static void
on_written(struct redis_command *command, const struct redis_reply *reply, const char *failure)
{
	assert_null(failure);
	assert_int_not_equal(reply->type, REDIS_ERROR);
	loop_stop(((struct written *)command)->loop);
}

static void
write_words(struct scene *scene, const struct slice *words, size_t count)
{
	struct written written = { .command.on_reply = on_written, .loop = scene->rig.loop };

	redis_send(scene->writer, &written.command, words, count, 8000);
	loop_run(scene->rig.loop);
}

/* Words are cut at "|". */
static void
write_line(struct scene *scene, const char *line)
{
	struct slice words[16], rest = slice_of(line);
	size_t count = 0;

	while (rest.len > 0)
		words[count++] = slice_take(&rest, '|');
	write_words(scene, words, count);
}

static void
begin(struct scene *scene, struct question *question, const char *user, const char *password)
{
	question_begin(question, &scene->rig, user, password);
	question->request.clients = scene->clients;
}

static enum auth_verdict
ask(struct scene *scene, const char *user, const char *password)
{
	struct question question;

	begin(scene, &question, user, password);
	auth_start(&question.request);
	return question_end(&question);
}

static enum auth_verdict
look_up(struct scene *scene, struct question *question, const char *user)
{
	begin(scene, question, user, "");
	question->request.credentials = NULL;
	auth_lookup_start(&question->request);
	return question_end(question);
}

static void
passwords_are_judged_by_the_hash(void **state)
{
	struct scene *scene = *state;
	struct question question;

	write_line(scene, "HSET|user:bob|password|{PLAIN}secret|user|robert|x-other|a\nb");
	write_line(scene, "HSET|user:tim|password|" SLOW "|nologin|no");
	write_line(scene, "HSET|user:eve|nologin|yes");
	write_line(scene, "HSET|user:jim|password|!");
	write_line(scene, "HSET|user:free|nopassword||other|1");
	write_line(scene, "HSET|user:kim|password|{PLAIN}secret|nologin||reason|Moved");
	rig_configure(&scene->rig, CONFIG());
	assert_true(auth_knows_users(&scene->rig.auths));
	assert_int_equal(auth_mechanisms(&scene->rig.auths), mechanisms_of_kind(CREDENTIAL_PASSWORD) |
	    mechanisms_of_kind(CREDENTIAL_CERTIFICATE));
	begin(scene, &question, "bob", "secret");
	auth_start(&question.request);
	assert_int_equal(question.answers, 0);
	assert_int_equal(question_end(&question), AUTH_OK);
	assert_string_equal(question.user, "robert");
	assert_int_equal(ask(scene, "bob", "wrong"), AUTH_REFUSED);
	assert_int_equal(ask(scene, "bob", ""), AUTH_REFUSED);
	assert_int_equal(ask(scene, "tim", "secret"), AUTH_OK);
	assert_int_equal(ask(scene, "tim", "wrong"), AUTH_REFUSED);
	assert_int_equal(ask(scene, "nobody", "secret"), AUTH_REFUSED);
	assert_int_equal(ask(scene, "eve", "secret"), AUTH_REFUSED);
	assert_int_equal(ask(scene, "eve", ""), AUTH_REFUSED);
	assert_int_equal(ask(scene, "jim", "!"), AUTH_REFUSED);
	assert_int_equal(ask(scene, "free", "anything"), AUTH_BY_SERVER);
	begin(scene, &question, "kim", "secret");
	auth_start(&question.request);
	assert_int_equal(question_end(&question), AUTH_REFUSED);
	assert_string_equal(question.reason, "Moved");
	write_line(scene, "HSET|user:bob|password|{PLAIN}other");
	assert_int_equal(ask(scene, "bob", "secret"), AUTH_REFUSED);
	assert_int_equal(ask(scene, "bob", "other"), AUTH_OK);
}

static void
odd_names_stay_within_their_key(void **state)
{
	static const char *const names[] = {
		"a b", "a\r\nFLUSHALL\r\n", "\"a\"", "$user", "a*", "\xff\xfe", "user:bob", "{x}y"
	};
	struct scene *scene = *state;

	write_line(scene, "HSET|user:bob|password|{PLAIN}secret");
	rig_configure(&scene->rig, CONFIG());
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct slice words[] = {
			slice_of("HSET"), { 0 }, slice_of("password"), slice_of("{PLAIN}odd")
		};
		char key[64];

		assert_int_equal(ask(scene, names[i], "odd"), AUTH_REFUSED);
		words[1] = slice_make(key, (size_t)snprintf(key, sizeof(key), "user:%s", names[i]));
		write_words(scene, words, 4);
		assert_int_equal(ask(scene, names[i], "odd"), AUTH_OK);
	}
	assert_int_equal(ask(scene, "bob", "secret"), AUTH_OK);
}

static void
what_is_no_good_is_put_off(void **state)
{
	static const char *const rows[] = {
		"SET|user:bob|{PLAIN}secret",
		"HSET|user:bob|password|{ROT13}frperg",
		"HSET|user:bob|password|{PLAIN}secret|port|x",
		"HSET|user:bob|password|{PLAIN}secret|host||pool|imap",
		"HSET|user:bob|password|{PLAIN}secret|destuser|a\r\nb",
		"HSET|user:bob|password|{PLAIN}secret|nologin|perhaps",
		"HSET|user:bob|password|{PLAIN}secret|nopassword|yes",
		"HSET|user:bob|password|{PLAIN}secret|destuser|%x",
	};
	struct scene *scene = *state;
	struct question question;

	rig_configure(&scene->rig, CONFIG());
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_line(scene, "DEL|user:bob");
		write_line(scene, rows[i]);
		if (ask(scene, "bob", "secret") != AUTH_LATER)
			fail_msg("%s", rows[i]);
		assert_int_equal(look_up(scene, &question, "bob"), AUTH_LATER);
	}
}

static void
users_are_looked_up_without_a_password(void **state)
{
	struct scene *scene = *state;
	struct question question;

	write_line(scene, "HSET|u/example.org/bob/$|password|" SLOW "|user|%n@other.%d");
	write_line(scene, "HSET|u/example.org/jim/$|nologin||reason|Moved");
	rig_configure(&scene->rig, "auth r { source redis; redis unix:@/socket; key u/$domain/$name/$$ }");
	assert_int_equal(look_up(scene, &question, "bob@example.org"), AUTH_OK);
	assert_string_equal(question.user, "bob@other.example.org");
	assert_int_equal(look_up(scene, &question, "jim@example.org"), AUTH_OK);
	assert_string_equal(question.reason, "Moved");
	assert_int_equal(look_up(scene, &question, "eve@example.org"), AUTH_REFUSED);
	assert_int_equal(look_up(scene, &question, ""), AUTH_REFUSED);
}

/* Of this process, hashing thread included. */
static int64_t
spent_us(struct scene *scene, const char *user)
{
	struct timespec before, after;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	assert_int_equal(ask(scene, user, "wrong"), AUTH_REFUSED);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	return (after.tv_sec - before.tv_sec) * 1000000 + (after.tv_nsec - before.tv_nsec) / 1000;
}

static int64_t
least_us(struct scene *scene, const char *user)
{
	int64_t least = INT64_MAX;

	for (int i = 0; i < 15; i++) {
		int64_t us = spent_us(scene, user);

		least = us < least ? us : least;
	}
	return least;
}

static void
strangers_cost_as_much_as_those_seen_lately(void **state)
{
	struct scene *scene = *state;
	int64_t known, unknown, locked;

	write_line(scene, "HSET|user:bob|password|" SLOW);
	write_line(scene, "HSET|user:eve|password|!");
	rig_configure(&scene->rig, CONFIG());
	known = least_us(scene, "bob");
	unknown = least_us(scene, "nobody");
	locked = least_us(scene, "eve");
	if (unknown < known * 2 / 3 || unknown > known * 3 / 2 || locked < known * 2 / 3)
		fail_msg("nobody: %lld us, eve: %lld us, bob: %lld us", (long long)unknown,
		    (long long)locked, (long long)known);
}

static void
proofs_are_offered_where_they_are_written(void **state)
{
	struct scene *scene = *state;
	struct question bob, nobody;

	write_line(scene, "HSET|user:bob|password|" SCRAM);
	rig_configure(&scene->rig, CONFIG("mechanisms SCRAM-SHA-256"));
	assert_int_equal(auth_mechanisms(&scene->rig.auths), MECHANISM_BIT(MECHANISM_SCRAM_SHA_256));
	begin(scene, &bob, "bob", "");
	bob.credentials.mechanism = MECHANISM_SCRAM_SHA_256;
	buf_append_text(&bob.credentials.response, "n,,n=bob,r=rOprNGfwEbeRWgbNEkqO");
	auth_start(&bob.request);
	loop_run(scene->rig.loop);
	assert_int_equal(bob.challenges, 1);
	assert_non_null(strstr(bob.challenge, ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
	begin(scene, &nobody, "nobody", "");
	nobody.credentials.mechanism = MECHANISM_SCRAM_SHA_256;
	buf_append_text(&nobody.credentials.response, "n,,n=nobody,r=rOprNGfwEbeRWgbNEkqO");
	auth_start(&nobody.request);
	loop_run(scene->rig.loop);
	assert_int_equal(nobody.challenges, 1);
	assert_int_equal(strlen(nobody.challenge), strlen(bob.challenge));
	auth_cancel(&bob.request);
	auth_cancel(&nobody.request);
	credentials_wipe(&bob.credentials);
	credentials_wipe(&nobody.credentials);
}

static void
a_redis_that_is_not_there_is_awaited(void **state)
{
	struct scene *scene = *state;
	struct question question;

	redis_server_stop(&scene->server);
	rig_configure(&scene->rig, CONFIG("timeout 200ms"));
	auth_warm(&scene->rig.auths, scene->clients);
	assert_int_equal(ask(scene, "bob", "secret"), AUTH_LATER);
	/* one that is cancelled hears nothing */
	begin(scene, &question, "bob", "secret");
	auth_start(&question.request);
	auth_cancel(&question.request);
	assert_int_equal(ask(scene, "bob", "secret"), AUTH_LATER);
	assert_int_equal(question.answers, 0);
	credentials_wipe(&question.credentials);
	redis_server_start(&scene->server, "");
	write_line(scene, "HSET|user:bob|password|{PLAIN}secret");
	while (ask(scene, "bob", "secret") == AUTH_LATER)
		;
	assert_int_equal(ask(scene, "bob", "secret"), AUTH_OK);
}

static void
later_sources_are_asked_for_strangers_only(void **state)
{
	struct scene *scene = *state;
	char path[128];

	write_line(scene, "HSET|user:bob|password|{PLAIN}redis");
	write_line(scene, "HSET|user:tim|password|{PLAIN}redis");
	write_users(&scene->rig, "a", "tim:{PLAIN}file\n");
	rig_configure(&scene->rig, "auth a { source file; path @/a }\n" CONFIG());
	assert_int_equal(ask(scene, "tim", "file"), AUTH_OK);
	assert_int_equal(ask(scene, "tim", "redis"), AUTH_REFUSED);
	assert_int_equal(ask(scene, "bob", "redis"), AUTH_OK);
	assert_int_equal(ask(scene, "eve", "redis"), AUTH_REFUSED);
	redis_server_stop(&scene->server);
	assert_int_equal(ask(scene, "tim", "file"), AUTH_OK);
	snprintf(path, sizeof(path), "%s/a", scene->rig.folder);
	unlink(path);
}

static void
blocks_that_cannot_be_opened_say_why(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "key user:$username", "its variables are" },
		{ "key user:$", "its variables are" },
		{ "key users", "the same for all" },
		{ "key $domain", "the same for all" },
		{ "key $user; redis_user bob", "a user needs a password" },
		{ "key $user; redis_password_file @/nothing", "No such file" },
	};
	struct scene *scene = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conf_problems problems = { 0 };
		struct conf_list auths;
		struct conf *conf;
		char text[256];

		snprintf(text, sizeof(text), "auth r { source redis; redis unix:/s; %s }", rows[i].text);
		conf = load(&scene->rig, text, &auths);
		assert_false(auth_open(auths.items[0], NULL, &problems));
		if (strstr(conf_problems_text(&problems, 0), rows[i].why) == NULL)
			fail_msg("%s: %s", rows[i].text, conf_problems_text(&problems, 0));
		conf_problems_clear(&problems);
		auth_close(auths.items[0]);
		conf_free(&conf);
	}
}

#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#endif

int
main(void)
{
#ifdef HAVE_HIREDIS
	const struct CMUnitTest tests[] = {
		SCENE_TEST(passwords_are_judged_by_the_hash),
		SCENE_TEST(odd_names_stay_within_their_key),
		SCENE_TEST(what_is_no_good_is_put_off),
		SCENE_TEST(users_are_looked_up_without_a_password),
		SCENE_TEST(strangers_cost_as_much_as_those_seen_lately),
		SCENE_TEST(proofs_are_offered_where_they_are_written),
		SCENE_TEST(a_redis_that_is_not_there_is_awaited),
		SCENE_TEST(later_sources_are_asked_for_strangers_only),
		SCENE_TEST(blocks_that_cannot_be_opened_say_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
#else
	puts("1..0 # SKIP built without hiredis");
	return 0;
#endif
}
