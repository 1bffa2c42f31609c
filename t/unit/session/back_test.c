/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * back_test.c: backs without any session, in front of a server that says
 * what it is told to: each way a dial may end, and being closed at each stage.
 */
#include <errno.h>

#include "../net/certificates.h"
#include "door.h"

#include "base/xalloc.h"
#include "session/back.h"

static const char greeting[] = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN STARTTLS] ready\r\n";
/* PLAIN with bob and "secret", as a server hears it */
static const char login_line[] = "L AUTHENTICATE PLAIN AGJvYgBzZWNyZXQ=\r\n";

struct rig {
	struct loop *loop;
	struct door server;
	struct credentials credentials;
	struct identity identity;
	struct back_plan plan;
	struct back *back;
	int events;
	enum back_event event;
	enum endpoint_result result;
	char reason[BACK_REASON_MAX];
};

static void
on_event(struct back *back, enum back_event event, void *owner)
{
	struct rig *rig = owner;

	assert_ptr_equal(back, rig->back);
	rig->events++;
	rig->event = event;
	rig->result = back_result(back, event);
	back_reason(back, rig->reason);
	loop_stop(rig->loop);
}

static void
rig_open(struct rig *rig)
{
	memset(rig, 0, sizeof(*rig));
	rig->loop = loop_new(0);
	door_open(&rig->server, rig->loop);
	buf_append_text(&rig->credentials.user, "bob");
	buf_append_text(&rig->credentials.password, "secret");
	rig->plan.order.proto = &proto_imap;
	rig->plan.order.identity = &rig->identity;
	rig->credentials.mechanism = MECHANISM_PLAIN;
	rig->plan.order.credentials = &rig->credentials;
	rig->plan.order.forward = FORWARD_NONE;
	rig->plan.to = rig->server.addr;
	rig->plan.connect_timeout_ms = TAPE_PATIENCE_MS;
	rig->plan.deadline = loop_now(rig->loop) + TAPE_PATIENCE_MS;
	rig->back = xcalloc(1, sizeof(*rig->back));
}

static void
rig_close(struct rig *rig)
{
	back_close(rig->back);
	back_close(rig->back);
	loop_defer(rig->loop, xfree, rig->back);
	door_close(&rig->server);
	credentials_wipe(&rig->credentials);
	loop_free(&rig->loop);
}

static void
dial(struct rig *rig)
{
	back_start(rig->back, rig->loop, &rig->plan, on_event, rig);
	assert_int_equal(rig->events, 0);
}

static void
expect_event(struct rig *rig, enum back_event event)
{
	await(rig->loop, &rig->events, 1);
	assert_int_equal(rig->event, event);
	turn_a_little(rig->loop);
	assert_int_equal(rig->events, 1);
}

static size_t
on_kept(struct stream *stream, enum stream_event event, struct slice data, void *owner)
{
	struct buf *kept = owner;

	assert_int_equal(event, STREAM_DATA);
	buf_append_slice(kept, data);
	loop_stop(stream->loop);
	return data.len;
}

/* What the server said behind its OK is the next owner's, who hears it without a word more. */
static void
expect_kept(struct rig *rig, const char *text)
{
	struct stream *stream = &rig->back->stream;
	struct buf kept = { 0 };

	assert_int_equal(stream_unread(stream), strlen(text));
	stream_set_owner(stream, on_kept, &kept);
	stream_resume(stream);
	assert_int_equal(buf_len(&kept), 0);
	turn_a_little(rig->loop);
	assert_true(slice_equals(buf_slice(&kept), text));
	assert_int_equal(stream_unread(stream), 0);
	buf_clear(&kept);
}

/* One reply of the server, and how a back ends that hears it behind the greeting and its own login. */
static void
end_with(const char *reply, enum back_event event, enum endpoint_result result, const char *reason)
{
	struct rig rig;
	struct peer *peer;

	rig_open(&rig);
	dial(&rig);
	peer = door_accept(&rig.server);
	peer_say(peer, greeting);
	peer_expect(peer, login_line);
	peer_say(peer, reply);
	expect_event(&rig, event);
	assert_int_equal(rig.result, result);
	assert_string_equal(rig.reason, reason);
	rig_close(&rig);
}

/* "secret" as it is, in base64, and in PLAIN's message. */
static void
tells_no_secret_that_is_repeated(void **state)
{
	static const char *const words[] = { "L BAD what is secret\r\n", "L BAD what is c2VjcmV0\r\n",
		"L BAD what is AGJvYgBzZWNyZXQ=\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		end_with(words[i], BACK_EVENT_LATER, ENDPOINT_LATER,
		    "words of the server with the password in them");
}

/* A token is all in one message: user=bob, auth=Bearer secret */
static void
tells_no_token_that_is_repeated(void **state)
{
	static const char message[] = "dXNlcj1ib2IBYXV0aD1CZWFyZXIgc2VjcmV0AQE=";
	char line[128];
	struct rig rig;
	struct peer *peer;

	(void)state;
	rig_open(&rig);
	rig.credentials.mechanism = MECHANISM_XOAUTH2;
	dial(&rig);
	peer = door_accept(&rig.server);
	peer_say(peer, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hi\r\n");
	snprintf(line, sizeof(line), "L AUTHENTICATE XOAUTH2 %s\r\n", message);
	peer_expect(peer, line);
	snprintf(line, sizeof(line), "L BAD what is %s\r\n", message);
	peer_say(peer, line);
	expect_event(&rig, BACK_EVENT_LATER);
	assert_string_equal(rig.reason, "words of the server with the password in them");
	rig_close(&rig);
}

static void
logs_in_and_keeps_what_follows(void **state)
{
	struct rig rig;
	struct peer *peer;

	(void)state;
	rig_open(&rig);
	dial(&rig);
	assert_string_equal(back_doing(rig.back), "connecting");
	peer = door_accept(&rig.server);
	turn_a_little(rig.loop);
	assert_string_equal(back_doing(rig.back), "reading greeting");
	peer_say(peer, greeting);
	peer_expect(peer, login_line);
	assert_string_equal(back_doing(rig.back), "logging in");
	peer_say(peer, "* 1 EXISTS\r\nL OK done\r\n* 2 EXISTS\r\n* 3 EX");
	expect_event(&rig, BACK_EVENT_READY);
	assert_int_equal(rig.back->phase, BACK_READY);
	assert_true(slice_equals(buf_slice(&rig.back->dial->untagged), "* 1 EXISTS\r\n"));
	expect_kept(&rig, "* 2 EXISTS\r\n* 3 EX");
	assert_false(loop_timer_is_set(&rig.back->try->timer));
	back_forget_dial(rig.back);
	assert_null(rig.back->dial);
	rig_close(&rig);
}

static void
understands_a_byte_at_a_time(void **state)
{
	struct rig rig;
	struct peer *peer;

	(void)state;
	rig_open(&rig);
	dial(&rig);
	peer = door_accept(&rig.server);
	peer_say_slowly(peer, greeting);
	peer_expect(peer, login_line);
	peer_say_slowly(peer, "* 1 EXISTS\r\nL OK done\r\n");
	expect_event(&rig, BACK_EVENT_READY);
	assert_int_equal(stream_unread(&rig.back->stream), 0);
	rig_close(&rig);
}

static void
tells_outcomes_apart(void **state)
{
	(void)state;
	end_with("L NO [AUTHENTICATIONFAILED] no such user\r\n", BACK_EVENT_REFUSED, ENDPOINT_REFUSED,
	    "L NO [AUTHENTICATIONFAILED] no such user");
	end_with("L NO [UNAVAILABLE] backend is away\r\n", BACK_EVENT_LATER, ENDPOINT_LATER,
	    "L NO [UNAVAILABLE] backend is away");
	end_with("* BYE going down\r\n", BACK_EVENT_LATER, ENDPOINT_LATER, "* BYE going down");
	end_with("X OK who is that\r\n", BACK_EVENT_FAILED, ENDPOINT_GARBLED, "garbled reply");
	end_with("\r\n", BACK_EVENT_FAILED, ENDPOINT_GARBLED, "garbled reply");
	end_with("\x16\x03\x01\x02\n", BACK_EVENT_FAILED, ENDPOINT_GARBLED, "garbled reply");
}

static void
fails_where_it_is_refused(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	door_refuse(&rig.server);
	dial(&rig);
	expect_event(&rig, BACK_EVENT_FAILED);
	assert_string_equal(rig.reason, "connection refused");
	assert_int_equal(rig.result, ENDPOINT_CONNECT_FAILED);
	assert_string_equal(back_doing(rig.back), "connecting");
	rig_close(&rig);
}

static void
fails_when_the_server_hangs_up(void **state)
{
	struct rig rig;
	struct peer *peer;

	(void)state;
	for (int said = 0; said < 2; said++) {
		rig_open(&rig);
		dial(&rig);
		peer = door_accept(&rig.server);
		if (said > 0) {
			peer_say(peer, greeting);
			peer_expect(peer, login_line);
		}
		peer_close(peer);
		expect_event(&rig, BACK_EVENT_FAILED);
		assert_string_equal(rig.reason, "closed by the server");
		assert_int_equal(rig.result, ENDPOINT_LOST);
		assert_string_equal(back_doing(rig.back), said > 0 ? "logging in" : "reading greeting");
		rig_close(&rig);
	}
}

/* Its OK came, and the connection broke while it was asked for more: the OK is no reason. */
static void
tells_the_failure_and_not_an_earlier_reply(void **state)
{
	struct rig rig;
	struct peer *peer;

	(void)state;
	rig_open(&rig);
	rig.plan.order.wants_capabilities = true;
	dial(&rig);
	peer = door_accept(&rig.server);
	peer_say(peer, greeting);
	peer_expect(peer, login_line);
	peer_say(peer, "L OK done\r\n");
	peer_expect(peer, "E CAPABILITY\r\n");
	stream_reset(&peer->stream);
	expect_event(&rig, BACK_EVENT_FAILED);
	assert_string_equal(rig.reason, "connection reset by peer");
	assert_int_equal(rig.result, ENDPOINT_LOST);
	rig_close(&rig);
}

static void
gives_a_silent_server_up_at_the_deadline(void **state)
{
	struct rig rig;
	struct peer *peer;

	(void)state;
	for (int said = 0; said < 2; said++) {
		rig_open(&rig);
		rig.plan.deadline = loop_now(rig.loop) + 50;
		dial(&rig);
		peer = door_accept(&rig.server);
		if (said > 0)
			peer_say(peer, greeting);
		await(rig.loop, &rig.events, 1);
		assert_int_equal(rig.event, BACK_EVENT_FAILED);
		assert_string_equal(rig.reason, "timed out");
		assert_int_equal(rig.result, ENDPOINT_TIMED_OUT);
		assert_true(loop_now(rig.loop) >= rig.plan.deadline);
		assert_true(back_took(rig.back) >= 50 && back_took(rig.back) < TAPE_PATIENCE_MS);
		rig_close(&rig);
	}
}

/* TLS counts as connecting: it is bounded by connect_timeout, and the dial behind it is not. */
static void
bounds_the_connect_apart(void **state)
{
	struct rig rig;
	struct tls_back tls = { 0 };
	struct error error;
	struct peer *peer;

	(void)state;
	/* before the loop tells the time: it is slow */
	tls.client = tls_client_load(false, NULL, &error);
	rig_open(&rig);
	rig.plan.tls = &tls;
	rig.plan.implicit_tls = true;
	rig.plan.connect_timeout_ms = 50;
	dial(&rig);
	peer = door_accept(&rig.server);
	await(rig.loop, &rig.events, 1);
	assert_int_equal(rig.event, BACK_EVENT_FAILED);
	assert_string_equal(rig.reason, "timed out");
	assert_string_equal(back_doing(rig.back), "starting TLS with the server");
	assert_int_equal(rig.result, ENDPOINT_TIMED_OUT);
	assert_true(buf_len(&peer->heard) > 0);
	tls_client_free(&tls.client);
	rig_close(&rig);
}

static void
tells_a_broken_handshake_from_a_dialogue(void **state)
{
	struct rig rig;
	struct tls_back tls = { 0 };
	struct error error;

	(void)state;
	rig_open(&rig);
	tls.client = tls_client_load(false, NULL, &error);
	rig.plan.tls = &tls;
	rig.plan.implicit_tls = true;
	dial(&rig);
	peer_say(door_accept(&rig.server), greeting);
	expect_event(&rig, BACK_EVENT_FAILED);
	assert_int_equal(rig.result, ENDPOINT_TLS_FAILED);
	tls_client_free(&tls.client);
	rig_close(&rig);
}

/* An address to connect from that is not ours: no server can help that. */
static void
knows_its_own_faults(void **state)
{
	struct addr source;
	struct rig rig;

	(void)state;
	assert_true(addr_parse(slice_of("192.0.2.1"), 0, &source));
	rig_open(&rig);
	rig.plan.source = &source;
	dial(&rig);
	expect_event(&rig, BACK_EVENT_FAILED);
	assert_int_equal(rig.result, ENDPOINT_OWN_FAULT);
	rig_close(&rig);
}

/* The kernel may be tired of waiting before we are. */
static void
a_timeout_is_one_whoever_sees_it(void **state)
{
	struct back_try try = { .cause = BACK_CAUSE_NONE };
	struct back back = { .try = &try, .phase = BACK_CONNECT, .stream.error = ETIMEDOUT };

	(void)state;
	assert_int_equal(back_result(&back, BACK_EVENT_FAILED), ENDPOINT_TIMED_OUT);
}

static void
can_be_closed_at_each_stage(void **state)
{
	enum { CONNECTING, GREETING, LOGGING_IN, READY, STAGES };
	struct rig rig;
	struct peer *peer = NULL;

	(void)state;
	for (int stage = 0; stage < STAGES; stage++) {
		rig_open(&rig);
		dial(&rig);
		if (stage > CONNECTING) {
			peer = door_accept(&rig.server);
			turn_a_little(rig.loop);
		}
		if (stage > GREETING) {
			peer_say(peer, greeting);
			peer_expect(peer, login_line);
		}
		if (stage > LOGGING_IN) {
			peer_say(peer, "L OK done\r\n* 2 EXISTS\r\n");
			expect_event(&rig, BACK_EVENT_READY);
		}
		rig.events = 0;
		back_close(rig.back);
		turn_a_little(rig.loop);
		assert_int_equal(rig.events, 0);
		assert_string_equal(back_doing(rig.back), "idle");
		rig_close(&rig);
	}
}

static void
refuses_plaintext_behind_starttls(void **state)
{
	struct rig rig;
	struct peer *peer;

	(void)state;
	rig_open(&rig);
	rig.plan.order.starttls = rig.plan.order.needs_tls = true;
	dial(&rig);
	peer = door_accept(&rig.server);
	peer_say(peer, greeting);
	peer_expect(peer, "S STARTTLS\r\n");
	peer_say(peer, "S OK begin\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n");
	expect_event(&rig, BACK_EVENT_FAILED);
	assert_string_equal(rig.reason, "plaintext behind STARTTLS");
	assert_int_equal(buf_len(&peer->heard), 0);
	rig_close(&rig);
}

static void
logs_in_through_tls(struct tls_context *context, bool implicit)
{
	struct tls_front front = { .context = context, .alpn = "imap" };
	struct tls_back tls = { .alpn = "imap", .name = "mail.example.com" };
	struct rig rig;
	struct error error;
	struct peer *peer;

	rig_open(&rig);
	tls.client = tls_client_load(true, in_folder("mail.pem"), &error);
	rig.plan.tls = &tls;
	rig.plan.implicit_tls = implicit;
	rig.plan.order.starttls = !implicit;
	rig.plan.order.needs_tls = true;
	dial(&rig);
	peer = door_accept(&rig.server);
	if (!implicit) {
		peer_say(peer, greeting);
		peer_expect(peer, "S STARTTLS\r\n");
		peer_say(peer, "S OK begin\r\n");
	}
	stream_accept_tls(&peer->stream, &front);
	await(rig.loop, &peer->is_ready, 1);
	if (implicit) {
		peer_say(peer, greeting);
	} else {
		peer_expect(peer, "T CAPABILITY\r\n");
		peer_say(peer, "* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN\r\nT OK\r\n");
	}
	peer_expect(peer, login_line);
	peer_say(peer, "L OK done\r\n* 2 EXISTS\r\n");
	expect_event(&rig, BACK_EVENT_READY);
	assert_int_equal(rig.result, ENDPOINT_OK);
	expect_kept(&rig, "* 2 EXISTS\r\n");
	tls_client_free(&tls.client);
	rig_close(&rig);
}

static void
logs_in_through_either_tls(void **state)
{
	struct block_of block;
	struct tls_context *context;

	(void)state;
	write_pem("DNS:mail.example.com", "mail.pem");
	fill_block(&block, "mail.pem");
	context = load_block(&block);
	logs_in_through_tls(context, true);
	logs_in_through_tls(context, false);
	tls_context_free(&context);
}

/* The client's own, for whom the rig has no session: it stands in for all headers of a client. */
static const char proxy_line[] = "PROXY TCP4 192.0.2.7 198.51.100.1 4711 143\r\n";

static void
tell_of_a_client(struct rig *rig)
{
	rig->plan.proxy.version = PROXY_VERSION_1;
	assert_true(addr_parse(slice_of("192.0.2.7"), 4711, &rig->identity.client));
	assert_true(addr_parse(slice_of("198.51.100.1"), 143, &rig->identity.local));
}

/* A server that wants one says nothing before. */
static void
a_proxy_header_comes_before_the_greeting(void **state)
{
	struct rig rig;
	struct peer *peer;

	(void)state;
	rig_open(&rig);
	tell_of_a_client(&rig);
	dial(&rig);
	peer = door_accept(&rig.server);
	peer_expect(peer, proxy_line);
	assert_string_equal(back_doing(rig.back), "reading greeting");
	peer_say(peer, greeting);
	peer_expect(peer, login_line);
	peer_say(peer, "L OK done\r\n");
	expect_event(&rig, BACK_EVENT_READY);
	rig_close(&rig);
}

static void
a_proxy_header_comes_before_tls(void **state)
{
	struct rig rig;
	struct tls_back tls = { 0 };
	struct error error;
	struct peer *peer;

	(void)state;
	tls.client = tls_client_load(false, NULL, &error);
	rig_open(&rig);
	tell_of_a_client(&rig);
	rig.plan.tls = &tls;
	rig.plan.implicit_tls = true;
	dial(&rig);
	peer = door_accept(&rig.server);
	peer_expect(peer, proxy_line);
	peer_expect(peer, "\x16\x03\x01");
	tls_client_free(&tls.client);
	rig_close(&rig);
}

static void
a_proxy_header_needs_no_dialogue(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	tell_of_a_client(&rig);
	rig.plan.order.proto = &proto_tcp;
	dial(&rig);
	expect_event(&rig, BACK_EVENT_READY);
	peer_expect(door_accept(&rig.server), proxy_line);
	rig_close(&rig);
}

/* Nobody's connection, as a health check's. */
static void
a_proxy_header_may_be_our_own(void **state)
{
	static const char local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
	char from[ADDR_TEXT_MAX], line[256];
	struct sockaddr_in own;
	socklen_t len = sizeof(own);
	struct rig rig;
	struct peer *peer;

	(void)state;
	for (int version = PROXY_VERSION_1; version <= PROXY_VERSION_2; version++) {
		rig_open(&rig);
		rig.plan.order.identity = NULL;
		rig.plan.proxy.version = (enum proxy_version)version;
		dial(&rig);
		peer = door_accept(&rig.server);
		assert_int_equal(getsockname(rig.back->stream.fd, (struct sockaddr *)&own, &len), 0);
		snprintf(line, sizeof(line), "PROXY TCP4 127.0.0.1 %s %u %u\r\n",
		    addr_host(&rig.server.addr, from), (unsigned)ntohs(own.sin_port),
		    (unsigned)addr_port(&rig.server.addr));
		while (buf_len(&peer->heard) < sizeof(local) - 1)
			loop_run(rig.loop);
		if (version == PROXY_VERSION_1)
			peer_expect(peer, line);
		else
			assert_memory_equal(buf_data(&peer->heard), local, sizeof(local) - 1);
		rig_close(&rig);
	}
}

static void
is_ready_when_connected_without_a_dialogue(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	rig.plan.order.proto = &proto_tcp;
	dial(&rig);
	expect_event(&rig, BACK_EVENT_READY);
	rig_close(&rig);
}

static void
fails_without_a_dialogue_and_the_tls_it_needs(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	rig.plan.order.proto = &proto_tcp;
	rig.plan.order.starttls = rig.plan.order.needs_tls = true;
	dial(&rig);
	expect_event(&rig, BACK_EVENT_FAILED);
	assert_string_equal(rig.reason, "no TLS with the server");
	assert_int_equal(rig.result, ENDPOINT_GARBLED);
	rig_close(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logs_in_and_keeps_what_follows),
		cmocka_unit_test(tells_no_secret_that_is_repeated),
		cmocka_unit_test(tells_no_token_that_is_repeated),
		cmocka_unit_test(understands_a_byte_at_a_time),
		cmocka_unit_test(tells_outcomes_apart),
		cmocka_unit_test(fails_where_it_is_refused),
		cmocka_unit_test(fails_when_the_server_hangs_up),
		cmocka_unit_test(tells_the_failure_and_not_an_earlier_reply),
		cmocka_unit_test(gives_a_silent_server_up_at_the_deadline),
		cmocka_unit_test(bounds_the_connect_apart),
		cmocka_unit_test(tells_a_broken_handshake_from_a_dialogue),
		cmocka_unit_test(knows_its_own_faults),
		cmocka_unit_test(a_timeout_is_one_whoever_sees_it),
		cmocka_unit_test(can_be_closed_at_each_stage),
		cmocka_unit_test(refuses_plaintext_behind_starttls),
		cmocka_unit_test(logs_in_through_either_tls),
		cmocka_unit_test(a_proxy_header_comes_before_the_greeting),
		cmocka_unit_test(a_proxy_header_comes_before_tls),
		cmocka_unit_test(a_proxy_header_needs_no_dialogue),
		cmocka_unit_test(a_proxy_header_may_be_our_own),
		cmocka_unit_test(is_ready_when_connected_without_a_dialogue),
		cmocka_unit_test(fails_without_a_dialogue_and_the_tls_it_needs),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
