/* SPDX-License-Identifier: BSD-2-Clause */
/* dovecot_client_test.c: connections to auth servers that are good, late, renewed, lost, and mad. */
#include "dovecot_fake.h"

#include "auth/dovecot_client.h"
#include "base/mechanism.h"

enum { LONG_MS = 10000, SHORT_MS = 100 };

static struct loop *loop;
static struct auth_clients *clients;
static struct fake fakes[2];

struct ask {
	struct dovecot_request request;
	int replies;
	enum dovecot_command command;	/* of the last one; DOVECOT_OTHER: there was none, and why tells */
	char said[128];
};

static bool
write_ask(struct dovecot_request *request, unsigned mechanisms, struct buf *out)
{
	if ((mechanisms & MECHANISM_BIT(MECHANISM_PLAIN)) == 0)
		return false;
	buf_printf(out, "AUTH\t%u\tPLAIN\tservice=imap\n", request->id);
	return true;
}

static void
on_line(struct dovecot_request *request, const struct dovecot_line *line)
{
	struct ask *ask = (struct ask *)request;

	ask->replies++;
	ask->command = line != NULL ? line->command : DOVECOT_OTHER;
	if (line != NULL)
		snprintf(ask->said, sizeof(ask->said), "%.*s", SLICE_ARGS(line->parameters));
	loop_stop(loop);
}

static const struct dovecot_request_kind kind = { write_ask, on_line };

static struct ask
ask_of(int64_t timeout_ms)
{
	return (struct ask){ .request = { .kind = &kind, .timeout_ms = timeout_ms } };
}

/* A client of so many of the fakes. */
static struct dovecot_client *
make_client(size_t count, int64_t age_ms)
{
	char texts[2][80];
	struct address items[2] = { 0 };
	struct dovecot_sockets *sockets;
	struct dovecot_client *client;

	for (size_t i = 0; i < count; i++) {
		snprintf(texts[i], sizeof(texts[i]), "unix:%s", fakes[i].path);
		items[i].text = texts[i];
		items[i].addr = (struct addr){ .sa.sa_family = AF_UNIX, .path = fakes[i].path };
	}
	sockets = dovecot_sockets_new("test", &(struct address_list){ items, count });
	client = dovecot_client_get(clients, &(struct dovecot_settings){
	    .sockets = sockets, .age_ms = age_ms, .age_chance_ms = 1 });
	dovecot_sockets_put(&sockets);
	return client;
}

static int
set_up(void **state)
{
	(void)state;
	loop = loop_new(0);
	clients = auth_clients_new(loop, 0);
	for (int i = 0; i < 2; i++)
		fake_start(&fakes[i], loop, i, HANDSHAKE_23);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	auth_clients_free(&clients);
	for (int i = 0; i < 2; i++)
		fake_stop(&fakes[i]);
	loop_free(&loop);
	return 0;
}

static void
expect(struct ask *ask, int replies, enum dovecot_command command)
{
	await(loop, &ask->replies, replies);
	assert_int_equal(ask->replies, replies);
	assert_int_equal(ask->command, command);
}

static void
replies_come_in_any_order(void **state)
{
	struct dovecot_client *client = make_client(1, LONG_MS);
	struct ask asks[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		asks[i] = ask_of(LONG_MS);
		dovecot_ask(client, &asks[i].request);
	}
	fake_await(&fakes[0], 0, "AUTH\t3\tPLAIN");
	assert_true(slice_has_prefix(buf_slice(&fakes[0].peers[0].data), "VERSION\t1\t2\nCPID\t"));
	fake_say(&fakes[0], 0, "OK\t3\tuser=c\nFAIL\t1\tuser=a\n");
	expect(&asks[2], 1, DOVECOT_OK);
	assert_string_equal(asks[2].said, "user=c");
	expect(&asks[0], 1, DOVECOT_FAIL);
	assert_int_equal(asks[1].replies, 0);
	fake_say(&fakes[0], 0, "CONT\t2\tYQ==\n");
	expect(&asks[1], 1, DOVECOT_CONT);
	dovecot_continue(&asks[1].request, slice_of("answer"));
	fake_await(&fakes[0], 0, "CONT\t2\tYW5zd2Vy\n");
	/* cut anywhere */
	fake_say(&fakes[0], 0, "OK\t2\tus");
	turn_a_little(loop);
	fake_say(&fakes[0], 0, "er=b\n");
	expect(&asks[1], 2, DOVECOT_OK);
	assert_int_equal(fakes[0].count, 1);
}

static void
a_handshake_may_wait_for_ours_or_come_in_another_order(void **state)
{
	struct ask ask = ask_of(LONG_MS);
	struct dovecot_client *client;

	(void)state;
	fakes[0].greeting = "VERSION\t1\t2\n";
	client = make_client(1, LONG_MS);
	dovecot_ask(client, &ask.request);
	fake_await(&fakes[0], 0, "CPID\t");
	turn_a_little(loop);
	assert_false(fake_has_heard(&fakes[0], 0, "AUTH"));
	fake_say(&fakes[0], 0, "SPID\t1\nNEW-WORD\tx\nCUID\t2\nMECH\tPLAIN\tplaintext\tx=y\nDONE\n");
	fake_await(&fakes[0], 0, "AUTH\t1\t");
	dovecot_cancel(&ask.request);
	fake_await(&fakes[0], 0, "CANCEL\t1\n");
	fake_say(&fakes[0], 0, "OK\t1\tuser=late\n");
	turn_a_little(loop);
	assert_int_equal(ask.replies, 0);
}

/* Each of them is dropped, and what was asked gets no verdict; then it goes on with another connection. */
static void
who_talks_nonsense_is_dropped(void **state)
{
	static char endless[DOVECOT_LINE_MAX + 2];
	static const char *const texts[] = {
		"HTTP/1.1 400 Bad Request\r\n", "OK\t0\tuser=x\n", "OK\tone\tuser=x\n", "FAIL\n",
		"\n", "CONT\t99999999999\tx\n", endless,
	};

	memset(endless, 'x', sizeof(endless) - 1);
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct ask ask = ask_of(LONG_MS), again = ask_of(LONG_MS);
		struct dovecot_client *client = make_client(1, LONG_MS);

		dovecot_ask(client, &ask.request);
		fake_await(&fakes[0], 0, "AUTH\t1\t");
		fake_say(&fakes[0], 0, texts[i]);
		expect(&ask, 1, DOVECOT_OTHER);
		assert_non_null(strstr(ask.request.why, fakes[0].path));
		fake_await_end(&fakes[0], 0);
		dovecot_ask(client, &again.request);
		fake_await(&fakes[0], 1, "AUTH\t2\t");
		fake_say(&fakes[0], 1, "OK\t2\n");
		expect(&again, 1, DOVECOT_OK);
		tear_down(NULL);
		set_up(NULL);
	}
}

static void
a_bad_handshake_leads_nowhere(void **state)
{
	static const char *const texts[] = {
		"VERSION\t2\t0\n", "VERSION\n", "MECH\tPLAIN\nDONE\n", "VERSION\t1\t1\nOK\t1\n",
		"220 hello\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct ask ask = ask_of(SHORT_MS);

		fakes[0].greeting = texts[i];
		dovecot_ask(make_client(1, LONG_MS), &ask.request);
		expect(&ask, 1, DOVECOT_OTHER);
		fake_await_end(&fakes[0], 0);
		assert_false(fake_has_heard(&fakes[0], 0, "AUTH"));
		tear_down(NULL);
		set_up(NULL);
	}
}

static void
a_wrong_id_hurts_nobody(void **state)
{
	struct dovecot_client *client = make_client(1, LONG_MS);
	struct ask ask = ask_of(LONG_MS);

	(void)state;
	dovecot_ask(client, &ask.request);
	fake_await(&fakes[0], 0, "AUTH\t1\t");
	fake_say(&fakes[0], 0, "OK\t77\tuser=mallory\nOK\t78\nOK\t1\tuser=alice\n");
	expect(&ask, 1, DOVECOT_OK);
	assert_string_equal(ask.said, "user=alice");
}

static void
a_connection_that_ends_in_a_reply_decides_nothing(void **state)
{
	struct dovecot_client *client = make_client(1, LONG_MS);
	struct ask ask = ask_of(LONG_MS), exchange = ask_of(LONG_MS);

	(void)state;
	dovecot_ask(client, &exchange.request);
	dovecot_ask(client, &ask.request);
	fake_await(&fakes[0], 0, "AUTH\t2\t");
	fake_say(&fakes[0], 0, "CONT\t1\t\n");
	expect(&exchange, 1, DOVECOT_CONT);
	fake_say(&fakes[0], 0, "OK\t2\tuser=ali");
	stream_shut(&fakes[0].peers[0].stream);
	expect(&ask, 1, DOVECOT_OTHER);
	assert_non_null(strstr(ask.request.why, "has closed"));
	/* who had been asked for more hears when that is there */
	assert_int_equal(exchange.replies, 1);
	dovecot_continue(&exchange.request, slice_of("x"));
	expect(&exchange, 2, DOVECOT_OTHER);
	fake_await(&fakes[0], 1, "CPID");
}

/* Whom the configuration has no more; frees it as soon as it is idle. */
static void
drop_clients(void)
{
	auth_clients_begin(clients);
	auth_clients_end(clients);
	turn_a_little(loop);
}

static void
a_client_stays_while_an_exchange_waits_for_its_client(void **state)
{
	struct dovecot_client *client = make_client(1, LONG_MS);
	struct ask answers = ask_of(LONG_MS), leaves = ask_of(LONG_MS);

	(void)state;
	dovecot_ask(client, &answers.request);
	dovecot_ask(client, &leaves.request);
	fake_await(&fakes[0], 0, "AUTH\t2\t");
	fake_say(&fakes[0], 0, "CONT\t1\t\nCONT\t2\t\n");
	expect(&answers, 1, DOVECOT_CONT);
	expect(&leaves, 1, DOVECOT_CONT);
	stream_shut(&fakes[0].peers[0].stream);
	fake_await(&fakes[0], 1, "CPID");
	drop_clients();
	dovecot_continue(&answers.request, slice_of("x"));
	expect(&answers, 2, DOVECOT_OTHER);
	drop_clients();
	assert_int_equal(fakes[0].peers[1].counts[STREAM_CLOSED], 0);
	dovecot_cancel(&leaves.request);
	drop_clients();
	fake_await_end(&fakes[0], 1);
	assert_int_equal(leaves.replies, 1);
}

static void
who_does_not_wait_for_its_client_is_not_believed(void **state)
{
	static const char *const early[] = { "OK\t%d\tuser=mallory\n", "CONT\t%d\t\n" };
	struct dovecot_client *client = make_client(1, LONG_MS);
	struct ask given_up = ask_of(LONG_MS);
	char text[64];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct ask ask = ask_of(LONG_MS);

		dovecot_ask(client, &ask.request);
		snprintf(text, sizeof(text), "AUTH\t%d\t", i + 1);
		fake_await(&fakes[0], 0, text);
		snprintf(text, sizeof(text), "CONT\t%d\t\n", i + 1);
		fake_say(&fakes[0], 0, text);
		expect(&ask, 1, DOVECOT_CONT);
		snprintf(text, sizeof(text), early[i], i + 1);
		fake_say(&fakes[0], 0, text);
		turn_a_little(loop);
		assert_int_equal(ask.replies, 1);
		dovecot_continue(&ask.request, slice_of("x"));
		expect(&ask, 2, DOVECOT_OTHER);
		assert_non_null(strstr(ask.request.why, "before its client"));
	}
	/* an exchange may be given up */
	dovecot_ask(client, &given_up.request);
	fake_await(&fakes[0], 0, "AUTH\t3\t");
	fake_say(&fakes[0], 0, "CONT\t3\t\n");
	expect(&given_up, 1, DOVECOT_CONT);
	fake_say(&fakes[0], 0, "FAIL\t3\n");
	expect(&given_up, 2, DOVECOT_FAIL);
	assert_int_equal(fakes[0].count, 1);
}

static void
silence_ends_in_time_and_is_left(void **state)
{
	struct dovecot_client *client;
	struct ask ask = ask_of(SHORT_MS), again = ask_of(LONG_MS);

	(void)state;
	client = make_client(1, LONG_MS);
	fake_await(&fakes[0], 0, "CPID");
	dovecot_ask(client, &ask.request);
	fake_await(&fakes[0], 0, "AUTH\t1\t");
	expect(&ask, 1, DOVECOT_OTHER);
	assert_non_null(strstr(ask.request.why, "no answer"));
	/* another connection is asked then */
	dovecot_ask(client, &again.request);
	fake_await(&fakes[0], 1, "AUTH\t2\t");
	assert_true(fake_has_heard(&fakes[0], 0, "CANCEL\t1\n"));
	fake_say(&fakes[0], 1, "OK\t2\n");
	expect(&again, 1, DOVECOT_OK);
}

static void
a_handshake_that_never_ends_is_waited_for_in_time(void **state)
{
	struct ask ask = ask_of(SHORT_MS);

	(void)state;
	fakes[0].greeting = NULL;
	dovecot_ask(make_client(1, LONG_MS), &ask.request);
	expect(&ask, 1, DOVECOT_OTHER);
	assert_false(fake_has_heard(&fakes[0], 0, "AUTH"));
}

static void
an_old_connection_is_renewed_and_answers_what_it_was_asked(void **state)
{
	struct dovecot_client *client = make_client(1, SHORT_MS);
	struct ask old = ask_of(LONG_MS), young = ask_of(LONG_MS);

	(void)state;
	dovecot_ask(client, &old.request);
	fake_await(&fakes[0], 0, "AUTH\t1\t");
	fake_await(&fakes[0], 1, "CPID");
	/* the new one has to be shaken hands with yet */
	do {
		dovecot_cancel(&young.request);
		turn_a_little(loop);
		dovecot_ask(client, &young.request);
	} while (young.request.link == old.request.link);
	fake_await(&fakes[0], 1, "AUTH");
	assert_int_equal(fakes[0].peers[0].counts[STREAM_CLOSED], 0);
	fake_say(&fakes[0], 0, "OK\t1\tuser=old\n");
	expect(&old, 1, DOVECOT_OK);
	fake_await_end(&fakes[0], 0);
	dovecot_cancel(&young.request);
}

static void
the_next_socket_is_asked_where_the_first_is_away(void **state)
{
	struct ask ask = ask_of(LONG_MS), back = ask_of(LONG_MS);
	struct dovecot_client *client;

	(void)state;
	client = make_client(2, LONG_MS);
	fake_await(&fakes[0], 0, "CPID");
	fake_await(&fakes[1], 0, "CPID");
	turn_a_little(loop);
	stream_close(&fakes[0].peers[0].stream);
	turn_a_little(loop);
	dovecot_ask(client, &ask.request);
	fake_await(&fakes[1], 0, "AUTH\t1\t");
	fake_say(&fakes[1], 0, "OK\t1\n");
	expect(&ask, 1, DOVECOT_OK);
	/* and the first one again as soon as it is there */
	fake_await(&fakes[0], 1, "CPID");
	turn_a_little(loop);
	dovecot_ask(client, &back.request);
	fake_await(&fakes[0], 1, "AUTH\t2\t");
	dovecot_cancel(&back.request);
}

static void
who_cannot_be_asked_anywhere_is_told_at_once(void **state)
{
	struct ask ask = ask_of(LONG_MS);
	struct dovecot_client *client;

	(void)state;
	fakes[0].greeting = "VERSION\t1\t2\nMECH\tGSSAPI\nDONE\n";
	client = make_client(1, LONG_MS);
	dovecot_ask(client, &ask.request);
	expect(&ask, 1, DOVECOT_OTHER);
	ask = ask_of(LONG_MS);
	dovecot_ask(client, &ask.request);
	assert_int_equal(ask.replies, 1);
}

static void
a_server_that_reads_nothing_is_not_flooded(void **state)
{
	enum { COUNT = 40000 };
	struct ask *asks = xcalloc(COUNT, sizeof(*asks));
	struct dovecot_client *client = make_client(1, LONG_MS);
	int waiting = 0;

	(void)state;
	fake_await(&fakes[0], 0, "CPID");
	turn_a_little(loop);
	stream_pause(&fakes[0].peers[0].stream);
	for (int i = 0; i < COUNT; i++) {
		asks[i] = ask_of(LONG_MS);
		dovecot_ask(client, &asks[i].request);
		waiting += asks[i].request.link == NULL;
	}
	assert_true(waiting > 0);
	stream_resume(&fakes[0].peers[0].stream);
	fake_await(&fakes[0], 0, "AUTH\t40000\t");
	for (int i = 0; i < COUNT; i++)
		dovecot_cancel(&asks[i].request);
	xfree(asks);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(replies_come_in_any_order),
		TEST(a_handshake_may_wait_for_ours_or_come_in_another_order),
		TEST(who_talks_nonsense_is_dropped),
		TEST(a_bad_handshake_leads_nowhere),
		TEST(a_wrong_id_hurts_nobody),
		TEST(a_connection_that_ends_in_a_reply_decides_nothing),
		TEST(a_client_stays_while_an_exchange_waits_for_its_client),
		TEST(who_does_not_wait_for_its_client_is_not_believed),
		TEST(silence_ends_in_time_and_is_left),
		TEST(a_handshake_that_never_ends_is_waited_for_in_time),
		TEST(an_old_connection_is_renewed_and_answers_what_it_was_asked),
		TEST(the_next_socket_is_asked_where_the_first_is_away),
		TEST(who_cannot_be_asked_anywhere_is_told_at_once),
		TEST(a_server_that_reads_nothing_is_not_flooded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
