/* SPDX-License-Identifier: BSD-2-Clause */
/* redis_test.c: commands to a real Redis, and to one that hangs, lies, says too much or goes. */
#include "tape.h"

#include <errno.h>
#include <sys/un.h>

#include "base/xalloc.h"
#include "net/redis.h"
#include "redis_server.h"

#ifdef HAVE_HIREDIS
enum { PATIENCE_MS = 8000, SHORT_MS = 150, BYTES_MAX = 64 * 1024, PARTS_MAX = 100 };

/* What answers to a command that is no PING: with the script's line, which may be none. */
struct fake {
	struct loop_io listening, client;
	struct loop *loop;
	int fd, client_fd;		/* -1: none */
	struct buf out;
	const char *reply;		/* NULL: it hangs */
	size_t junk;			/* that many letters behind it */
	bool closes;			/* behind that */
	bool greets;			/* answers PING */
	int clients;
};

struct rig {
	struct loop *loop;
	struct redis_server server;
	struct fake fake;
	struct redis *redis;
};

struct asked {
	struct redis_command command;
	struct loop *loop;
	int answers;
	enum redis_type type;
	char text[128];			/* or why there is none, behind a "!"; of an array "[a,b]" */
	size_t len;
	int64_t number;
};

static void
append_reply(struct asked *asked, const struct redis_reply *reply)
{
	char *at = asked->text + strlen(asked->text);
	size_t room = sizeof(asked->text) - strlen(asked->text);

	switch (reply->type) {
	case REDIS_NIL:
		snprintf(at, room, "nil");
		break;
	case REDIS_NUMBER:
		snprintf(at, room, "%lld", (long long)reply->number);
		break;
	case REDIS_ARRAY:
		snprintf(at, room, "[");
		for (size_t i = 0; i < reply->count; i++) {
			append_reply(asked, &reply->elements[i]);
			strncat(asked->text, i + 1 < reply->count ? "," : "",
			    sizeof(asked->text) - strlen(asked->text) - 1);
		}
		strncat(asked->text, "]", sizeof(asked->text) - strlen(asked->text) - 1);
		break;
	default:
		assert_int_equal(reply->text.data[reply->text.len], '\0');
		snprintf(at, room, "%.*s", SLICE_ARGS(reply->text));
		break;
	}
}

static void
on_reply(struct redis_command *command, const struct redis_reply *reply, const char *failure)
{
	struct asked *asked = (struct asked *)command;

	asked->answers++;
	asked->text[0] = '\0';
	if (reply != NULL) {
		assert_null(failure);
		asked->type = reply->type;
		asked->len = reply->text.len;
		asked->number = reply->number;
		append_reply(asked, reply);
	} else {
		snprintf(asked->text, sizeof(asked->text), "!%s", failure);
	}
	loop_stop(asked->loop);
}

/* Words are cut at blanks. */
static void
ask(struct rig *rig, struct asked *asked, const char *line, int64_t timeout_ms)
{
	struct slice words[8], rest = slice_of(line);
	size_t count = 0;

	*asked = (struct asked){ .command.on_reply = on_reply, .loop = rig->loop };
	while (rest.len > 0)
		words[count++] = slice_take(&rest, ' ');
	redis_send(rig->redis, &asked->command, words, count, timeout_ms);
	assert_int_equal(asked->answers, 0);
}

/* `wanted` is within the reply's text, or behind a "!" within why there is none. */
static void
expect(struct rig *rig, const char *line, const char *wanted)
{
	struct asked asked;
	bool fails = *wanted == '!';

	ask(rig, &asked, line, PATIENCE_MS);
	await(rig->loop, &asked.answers, 1);
	if (strstr(asked.text, wanted + fails) == NULL || fails != (*asked.text == '!'))
		fail_msg("%s: %s, not %s", line, asked.text, wanted);
	assert_null(asked.command.call);
}

static void
connect_with(struct rig *rig, const char *user, const char *password, int database)
{
	const struct redis_settings settings = {
		.url = { .path = rig->server.path, .user = user, .password = password, .database = database },
		.timeout_ms = PATIENCE_MS, .bytes_max = BYTES_MAX, .parts_max = PARTS_MAX,
	};

	redis_free(&rig->redis);
	rig->redis = redis_new(rig->loop, &settings);
}

static int
set_up(void **state)
{
	struct rig *rig = xcalloc(1, sizeof(*rig));

	*state = rig;
	rig->loop = loop_new(0);
	rig->fake = (struct fake){ .loop = rig->loop, .fd = -1, .client_fd = -1, .greets = true };
	return redis_server_init(&rig->server);
}

static void
drop_client(struct fake *fake)
{
	if (fake->client_fd < 0)
		return;
	loop_io_stop(fake->loop, &fake->client);
	close(fake->client_fd);
	fake->client_fd = -1;
	buf_clear(&fake->out);
}

static int
tear_down(void **state)
{
	struct rig *rig = *state;

	redis_free(&rig->redis);
	drop_client(&rig->fake);
	if (rig->fake.fd >= 0) {
		loop_io_stop(rig->loop, &rig->fake.listening);
		close(rig->fake.fd);
	}
	redis_server_clear(&rig->server);
	loop_free(&rig->loop);
	xfree(rig);
	return 0;
}

static void
write_more(struct fake *fake)
{
	ssize_t n = send(fake->client_fd, buf_data(&fake->out), buf_len(&fake->out),
	    MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n > 0)
		buf_consume(&fake->out, (size_t)n);
	loop_io_watch(fake->loop, &fake->client, LOOP_READ | (buf_len(&fake->out) > 0 ? LOOP_WRITE : 0));
}

static void
say_script(struct fake *fake)
{
	if (fake->reply != NULL)
		buf_append_text(&fake->out, fake->reply);
	for (size_t i = 0; i < fake->junk; i++)
		buf_append(&fake->out, "j", 1);
}

static void
on_fake_ready(struct loop_io *io, int events)
{
	struct fake *fake = loop_owner(io, struct fake, client);
	char data[4096];
	ssize_t n = recv(fake->client_fd, data, sizeof(data) - 1, MSG_DONTWAIT);

	(void)events;
	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		drop_client(fake);
		return;
	}
	data[n > 0 ? n : 0] = '\0';
	if (strstr(data, "PING") != NULL && fake->greets)
		buf_append_text(&fake->out, "+PONG\r\n");
	if (strstr(data, "GET") != NULL)
		say_script(fake);
	write_more(fake);
	if (strstr(data, "GET") != NULL && fake->closes)
		drop_client(fake);
}

static void
on_fake_client(struct loop_io *io, int events)
{
	struct fake *fake = loop_owner(io, struct fake, listening);

	(void)events;
	drop_client(fake);
	fake->client_fd = accept4(fake->fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fake->client_fd >= 0);
	fake->clients++;
	loop_io_init(&fake->client, fake->client_fd, on_fake_ready);
	loop_io_watch(fake->loop, &fake->client, LOOP_READ);
}

static void
start_fake(struct rig *rig)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct fake *fake = &rig->fake;

	memcpy(sun.sun_path, rig->server.path, strlen(rig->server.path) + 1);
	fake->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fake->fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fake->fd, 8), 0);
	loop_io_init(&fake->listening, fake->fd, on_fake_client);
	loop_io_watch(rig->loop, &fake->listening, LOOP_READ);
	connect_with(rig, NULL, NULL, 0);
}

static void
replies_of_all_kinds_are_read(void **state)
{
	static const char odd[] = "a\r\n\0b$3\r\n*1";
	const struct slice set[] = { slice_of("SET"), slice_make(odd, sizeof(odd)), slice_make(odd, 5) };
	struct rig *rig = *state;
	struct asked asked = { .command.on_reply = on_reply, .loop = rig->loop };

	redis_server_start(&rig->server, "");
	connect_with(rig, NULL, NULL, 0);
	redis_send(rig->redis, &asked.command, set, 3, PATIENCE_MS);
	await(rig->loop, &asked.answers, 1);
	assert_int_equal(asked.type, REDIS_STATUS);
	assert_string_equal(asked.text, "OK");
	redis_send(rig->redis, &asked.command, (const struct slice[]){ slice_of("GET"), set[1] }, 2,
	    PATIENCE_MS);
	await(rig->loop, &asked.answers, 2);
	assert_int_equal(asked.type, REDIS_TEXT);
	assert_int_equal(asked.len, 5);
	expect(rig, "GET nothing", "nil");
	expect(rig, "HSET h a 1 b 2", "2");
	expect(rig, "HGETALL h", "[a,1,b,2]");
	expect(rig, "HGETALL nothing", "[]");
	expect(rig, "GET h", "WRONGTYPE");
	expect(rig, "EVAL return{1,{'x',{}},false} 0", "[1,[x,[]],nil]");
	expect(rig, "EVAL return{1,{err='no'}} 0", "[1,no]");
	assert_true(redis_is_idle(rig->redis));
}

static void
many_go_out_at_once_and_some_are_cancelled(void **state)
{
	enum { COUNT = 1000, EVERY = 7 };
	static struct asked all[COUNT];
	struct rig *rig = *state;

	redis_server_start(&rig->server, "");
	connect_with(rig, NULL, NULL, 0);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < COUNT; i++) {
			char line[32];

			snprintf(line, sizeof(line), "ECHO n%d", i);
			ask(rig, &all[i], line, PATIENCE_MS);
		}
		assert_false(redis_is_idle(rig->redis));
		for (int i = 0; i < COUNT - 1; i += EVERY)
			redis_cancel(&all[i].command);
		await(rig->loop, &all[COUNT - 1].answers, 1);
		for (int i = 0; i < COUNT; i++) {
			char wanted[32];

			snprintf(wanted, sizeof(wanted), "n%d", i);
			if (i % EVERY == 0 && i < COUNT - 1)
				assert_int_equal(all[i].answers, 0);
			else
				assert_string_equal(all[i].text, wanted);
			redis_cancel(&all[i].command);
		}
	}
	assert_true(redis_is_idle(rig->redis));
}

static void
it_logs_in_and_chooses_the_database(void **state)
{
	struct rig *rig = *state;

	redis_server_start(&rig->server, "letmein");
	connect_with(rig, NULL, "letmein", 3);
	expect(rig, "SET k three", "OK");
	expect(rig, "ACL SETUSER bob on >pw ~* +@all", "OK");
	connect_with(rig, "bob", "pw", 0);
	expect(rig, "GET k", "nil");
	expect(rig, "ACL WHOAMI", "bob");
	assert_null(memmem(loop_scratch(rig->loop), LOOP_SCRATCH_SIZE, "bob", 3));
	connect_with(rig, "bob", "pw", 3);
	expect(rig, "GET k", "three");
	connect_with(rig, "bob", "wrong", 0);
	expect(rig, "GET k", "!redis unix:");
	expect(rig, "GET k", "!WRONGPASS");
	connect_with(rig, NULL, NULL, 0);
	expect(rig, "GET k", "!NOAUTH");
	connect_with(rig, "bob", "pw", 99);
	expect(rig, "GET k", "!refuses us: ERR");
}

static void
a_server_that_comes_back_is_found(void **state)
{
	struct rig *rig = *state;
	struct asked asked;

	connect_with(rig, NULL, NULL, 0);
	ask(rig, &asked, "GET k", SHORT_MS);
	await(rig->loop, &asked.answers, 1);
	assert_non_null(strstr(asked.text, "No such file"));
	for (int i = 0; i < 2; i++) {
		redis_server_start(&rig->server, "");
		expect(rig, "GET k", "nil");
		ask(rig, &asked, "BLPOP list 0", PATIENCE_MS);
		redis_server_stop(&rig->server);
		await(rig->loop, &asked.answers, 1);
		assert_int_equal(*asked.text, '!');
	}
}

static void
faults_fail_what_was_asked_and_nothing_else(void **state)
{
	static const struct {
		const char *reply;
		size_t junk;
		bool closes;
		const char *why;
	} rows[] = {
		{ "HTTP/1.1 400\r\n", 0, false, "Protocol error" },
		{ "+half", 0, true, "closed the connection" },
		{ "", 0, true, "closed the connection" },
		{ "*3\r\n$1\r\na\r\n", 0, true, "closed the connection" },
		{ "$1048576\r\n", 1 << 20, false, "too large" },
		{ "+", 1 << 20, false, "too large" },
		{ "*2147483647\r\n", 0, false, "too large" },
		{ "*9223372036854775807\r\n", 0, false, "" },
		{ "*101\r\n", 0, false, "too large" },
		{ "*2\r\n*60\r\n$100\r\n", 0, true, "closed the connection" },
		{ "$-7\r\n", 0, false, "" },
		{ "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", 0, false, "nested" },
		{ "+a\r\n+b\r\n", 0, false, "" },
	};
	struct rig *rig = *state;

	start_fake(rig);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int clients = rig->fake.clients;
		struct asked first, second;

		rig->fake.reply = rows[i].reply;
		rig->fake.junk = rows[i].junk;
		rig->fake.closes = rows[i].closes;
		ask(rig, &first, "GET a", PATIENCE_MS);
		ask(rig, &second, "ECHO b", PATIENCE_MS);
		await(rig->loop, &first.answers, 1);
		await(rig->loop, &second.answers, 1);
		if (strstr(first.text, rows[i].why) == NULL)
			fail_msg("%zu: %s", i, first.text);
		rig->fake.reply = "+fine\r\n";
		rig->fake.junk = 0;
		rig->fake.closes = false;
		expect(rig, "GET c", "fine");
		if (rig->fake.clients <= clients && strcmp(second.text, "b") != 0)
			fail_msg("%zu: %s", i, second.text);
	}
}

static void
many_small_parts_are_too_much(void **state)
{
	struct rig *rig = *state;
	struct buf reply = { 0 };

	start_fake(rig);
	buf_append_text(&reply, "*3\r\n");
	for (int i = 0; i < 3; i++) {
		buf_append_text(&reply, "*50\r\n");
		for (int k = 0; k < 50; k++)
			buf_append_text(&reply, ":1\r\n");
	}
	buf_append(&reply, "", 1);
	rig->fake.reply = buf_data(&reply);
	expect(rig, "GET a", "!too large");
	buf_clear(&reply);
	buf_append_text(&reply, "*9\r\n");
	for (int i = 0; i < 9; i++)
		buf_printf(&reply, "$9000\r\n%09000d\r\n", 0);
	buf_append(&reply, "", 1);
	rig->fake.reply = buf_data(&reply);
	expect(rig, "GET a", "!too large");
	buf_clear(&reply);
}

static void
silence_is_given_up(void **state)
{
	struct rig *rig = *state;
	struct asked first, second, third;

	start_fake(rig);
	rig->fake.reply = "+zero\r\n";
	expect(rig, "GET x", "zero");
	rig->fake.reply = NULL;
	ask(rig, &first, "GET a", SHORT_MS);
	ask(rig, &second, "GET b", PATIENCE_MS);
	await(rig->loop, &first.answers, 1);
	assert_non_null(strstr(first.text, "gives no answer"));
	assert_int_equal(second.answers, 1);
	rig->fake.reply = "+fine\r\n";
	expect(rig, "GET c", "fine");
	assert_int_equal(rig->fake.clients, 2);
	/* a cancelled one is seen through, too, and a new connection may hang before PING is answered */
	rig->fake.reply = NULL;
	ask(rig, &first, "GET a", SHORT_MS);
	redis_cancel(&first.command);
	rig->fake.greets = false;
	ask(rig, &second, "GET b", PATIENCE_MS);
	await(rig->loop, &second.answers, 1);
	assert_int_equal(first.answers, 0);
	ask(rig, &third, "GET c", SHORT_MS);
	await(rig->loop, &third.answers, 1);
	assert_non_null(strstr(third.text, "!"));
}

static void
say(struct fake *fake, const char *text)
{
	buf_append_text(&fake->out, text);
	write_more(fake);
}

static void
a_late_reply_is_nobodys(void **state)
{
	struct rig *rig = *state;
	struct asked first, second;

	start_fake(rig);
	rig->fake.reply = "+zero\r\n";
	expect(rig, "GET x", "zero");
	rig->fake.reply = NULL;
	ask(rig, &first, "GET a", PATIENCE_MS);
	ask(rig, &second, "GET b", SHORT_MS);
	say(&rig->fake, "+one\r\n");
	await(rig->loop, &first.answers, 1);
	assert_string_equal(first.text, "one");
	/* somebody is there, and may be at it */
	await(rig->loop, &second.answers, 1);
	assert_non_null(strstr(second.text, "its answer is late"));
	assert_true(redis_is_idle(rig->redis));
	say(&rig->fake, "+two\r\n");
	rig->fake.reply = "+three\r\n";
	expect(rig, "GET c", "three");
	assert_int_equal(second.answers, 1);
	assert_int_equal(rig->fake.clients, 1);
}

#define REDIS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#endif

int
main(void)
{
#ifdef HAVE_HIREDIS
	const struct CMUnitTest tests[] = {
		REDIS_TEST(replies_of_all_kinds_are_read),
		REDIS_TEST(many_go_out_at_once_and_some_are_cancelled),
		REDIS_TEST(it_logs_in_and_chooses_the_database),
		REDIS_TEST(a_server_that_comes_back_is_found),
		REDIS_TEST(faults_fail_what_was_asked_and_nothing_else),
		REDIS_TEST(many_small_parts_are_too_much),
		REDIS_TEST(silence_is_given_up),
		REDIS_TEST(a_late_reply_is_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
#else
	puts("1..0 # SKIP built without hiredis");
	return 0;
#endif
}
