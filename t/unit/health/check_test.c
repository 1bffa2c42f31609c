/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check_test.c: checks in front of a server that says what it is told to:
 * each way one may end, and being cancelled at each stage.
 */
#include "../net/certificates.h"
#include "../session/door.h"

#include "balance/endpoint.h"
#include "balance/endpoint_table.h"
#include "base/xalloc.h"
#include "health/check.h"
#include "session/offer.h"

enum { SHORT_MS = 50, LINES_MAX = 4 };

struct rig {
	struct loop *loop;
	struct door server;
	struct endpoint_table *table;
	struct pool pool;
	struct server farm_server;
	struct server_tls tls;
	struct address source;
	struct check_settings settings;
	struct check_line lines[LINES_MAX];
	void *servers[1], *checks[1], *line_items[LINES_MAX];
	struct check_order order;
	struct check *check;
	int ends;
	struct check_result result;
};

static void
on_end(struct check *check, const struct check_result *result, void *owner)
{
	struct rig *rig = owner;

	assert_ptr_equal(check, rig->check);
	assert_true(check_is_under_way(check));
	offer_learn(rig->order.endpoint, &check->back);
	rig->result = *result;
	rig->ends++;
	loop_stop(rig->loop);
}

static void
rig_init(struct rig *rig, const struct proto *proto)
{
	memset(rig, 0, sizeof(*rig));
	rig->loop = loop_new(0);
	door_open(&rig->server, rig->loop);
	rig->table = endpoint_table_new(1);
	rig->pool.conf.title = "pool";
	rig->pool.options.forward = FORWARD_NONE;
	rig->pool.options.connect_timeout.ms = TAPE_PATIENCE_MS;
	rig->farm_server.conf.title = "d01";
	rig->farm_server.weight = 1;
	rig->farm_server.address.addr = rig->server.addr;
	rig->servers[0] = &rig->farm_server;
	rig->pool.servers = (struct conf_list){ rig->servers, 1 };
	rig->checks[0] = &rig->settings;
	rig->pool.options.checks = (struct conf_list){ rig->checks, 1 };
	rig->settings.timeout.ms = TAPE_PATIENCE_MS;
	rig->order = (struct check_order){ .proto = proto, .pool = &rig->pool, .settings = &rig->settings,
		.hostname = "lb.example.com" };
}

/* Behind rig_init and what the test wants otherwise. */
static void
rig_start(struct rig *rig)
{
	struct said said = { 0 };

	if (!pool_open(&rig->pool, rig->table, &said.problems))
		fail_msg("%s", read_said(&said));
	pool_commit(&rig->pool);
	rig->order.endpoint = rig->pool.endpoints[0];
	rig->check = xcalloc(1, sizeof(*rig->check));
	/* opening took its time, which is none of the check's */
	turn_a_little(rig->loop);
	check_start(rig->check, rig->loop, &rig->order, on_end, rig);
	assert_int_equal(rig->ends, 0);
}

static struct peer *
rig_meet(struct rig *rig, const struct proto *proto)
{
	rig_init(rig, proto);
	rig_start(rig);
	return door_accept(&rig->server);
}

static void
rig_close(struct rig *rig)
{
	check_cancel(rig->check);
	check_cancel(rig->check);
	loop_defer(rig->loop, xfree, rig->check);
	door_close(&rig->server);
	pool_close(&rig->pool);
	endpoint_table_free(&rig->table);
	loop_free(&rig->loop);
}

static void
expect_end(struct rig *rig, enum check_code code, const char *doing, const char *reason)
{
	await(rig->loop, &rig->ends, 1);
	if (rig->result.code != code || strcmp(rig->result.doing, doing) != 0 ||
	    strcmp(rig->result.reason, reason) != 0)
		fail_msg("%s while \"%s\": \"%s\" and not %s, \"%s\", \"%s\"",
		    check_code_name(rig->result.code), rig->result.doing, rig->result.reason,
		    check_code_name(code), doing, reason);
	assert_false(check_is_under_way(rig->check));
	turn_a_little(rig->loop);
	assert_int_equal(rig->ends, 1);
}

static void
expect_good(struct rig *rig, enum check_code code)
{
	expect_end(rig, code, "", "");
	assert_true(check_code_is_good(code) && check_code_is_verdict(code));
}

struct turn {
	const char *said, *heard;		/* the server's, and what it hears then */
};

static const struct dialogue_row {
	const struct proto *proto;
	struct turn turns[3];
} dialogues[] = {
	{ &proto_imap, { { "* OK [CAPABILITY IMAP4rev1 ID] hi\r\n", "Z LOGOUT\r\n" } } },
	{ &proto_imap, { { "* OK hi\r\n", "C CAPABILITY\r\n" },
	    { "* CAPABILITY IMAP4rev1 IDLE\r\nC OK\r\n", "Z LOGOUT\r\n" } } },
	{ &proto_pop3, { { "+OK hi <1.2@x>\r\n", "CAPA\r\n" }, { "+OK\r\nUIDL\r\n.\r\n", "QUIT\r\n" } } },
	{ &proto_sieve, { { "\"IMPLEMENTATION\" \"x\"\r\n\"SIEVE\" \"fileinto\"\r\nOK\r\n",
	    "LOGOUT\r\n" } } },
	{ &proto_smtp, { { "220 hi\r\n", "EHLO lb.example.com\r\n" },
	    { "250-hi\r\n250-XCLIENT ADDR\r\n250 SIZE\r\n", "QUIT\r\n" } } },
	{ &proto_smtp, { { "220-one\r\n220-two\r\n220 three\r\n", "EHLO lb.example.com\r\n" },
	    { "250 hi\r\n", "QUIT\r\n" } } },
	{ &proto_submission, { { "220 hi\r\n", "EHLO lb.example.com\r\n" },
	    { "250-hi\r\n250-AUTH PLAIN\r\n250 SIZE\r\n", "QUIT\r\n" } } },
};

static struct peer *
play(struct rig *rig, const struct dialogue_row *row)
{
	struct peer *peer = rig_meet(rig, row->proto);

	for (const struct turn *turn = row->turns; turn->said != NULL; turn++) {
		peer_say(peer, turn->said);
		peer_expect(peer, turn->heard);
	}
	return peer;
}

static void
walks_each_protocol_and_takes_its_leave(void **state)
{
	struct rig rig;

	(void)state;
	for (size_t i = 0; i < sizeof(dialogues) / sizeof(dialogues[0]); i++) {
		struct peer *peer = play(&rig, &dialogues[i]);

		assert_int_equal(rig.ends, 0);
		peer_say(peer, "what is said now does not matter\r\n");
		stream_shut(&peer->stream);
		peer_expect_end(peer);
		expect_good(&rig, CHECK_CODE_L7OK);
		assert_int_equal(rig.result.days_left, TLS_NO_CERTIFICATE);
		assert_true(endpoint_capabilities_hash(rig.order.endpoint) != 0);
		rig_close(&rig);
	}
}

static void
a_farewell_may_go_unanswered(void **state)
{
	struct rig rig;
	struct peer *peer;

	(void)state;
	peer = play(&rig, &dialogues[4]);
	peer_close(peer);
	expect_good(&rig, CHECK_CODE_L7OK);
	rig_close(&rig);
	peer = play(&rig, &dialogues[4]);
	stream_reset(&peer->stream);
	expect_good(&rig, CHECK_CODE_L7OK);
	rig_close(&rig);
	/* and the server waits for us */
	peer = play(&rig, &dialogues[4]);
	expect_good(&rig, CHECK_CODE_L7OK);
	peer_expect_end(peer);
	assert_true(rig.result.took_ms < 1000);
	rig_close(&rig);
}

static void
one_that_only_connects_is_content_with_that(void **state)
{
	static const struct {
		const struct proto *proto;
		int kind;
	} rows[] = { { &proto_tcp, CHECK_PROTOCOL }, { &proto_tcp, CHECK_TCP }, { &proto_imap, CHECK_TCP } };
	struct rig rig;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rig_init(&rig, rows[i].proto);
		rig.settings.kind = rows[i].kind;
		/* STARTTLS would take words */
		rig.tls.mode = rows[i].proto == &proto_imap ? SERVER_TLS_STARTTLS : SERVER_TLS_OFF;
		rig.pool.options.server_tls = &rig.tls;
		rig_start(&rig);
		expect_good(&rig, CHECK_CODE_L4OK);
		peer_expect_end(door_accept(&rig.server));
		rig_close(&rig);
	}
}

static void
refused_connections_are_told(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, &proto_imap);
	door_refuse(&rig.server);
	rig_start(&rig);
	expect_end(&rig, CHECK_CODE_L4CON, "connecting", "connection refused");
	assert_string_equal(rig.result.seen, "");
	rig_close(&rig);
}

/* Nobody accepts, and there is no room for more to wait. */
static void
a_black_hole_is_a_timeout_while_connecting(void **state)
{
	struct sockaddr_storage storage;
	struct rig rig;
	socklen_t len;
	int fds[3];

	(void)state;
	rig_init(&rig, &proto_imap);
	loop_io_stop(rig.loop, &rig.server.io);
	assert_int_equal(listen(rig.server.fd, 0), 0);
	len = addr_to_sockaddr(&rig.server.addr, &storage);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(fds[i], (struct sockaddr *)&storage, len);
	}
	rig.settings.timeout.ms = SHORT_MS;
	rig_start(&rig);
	expect_end(&rig, CHECK_CODE_L4TOUT, "connecting", "timed out");
	assert_true(rig.result.took_ms >= SHORT_MS);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		close(fds[i]);
	rig_close(&rig);
}

static void
silence_is_a_timeout_of_the_step(void **state)
{
	static const struct {
		const char *said, *heard, *doing, *seen;
	} rows[] = {
		{ "", NULL, "reading greeting", "" },
		{ "220-half a\r\n220", NULL, "reading greeting", "220-half a 220" },
		{ "220 hi\r\n", "EHLO lb.example.com\r\n", "saying EHLO", "220 hi" },
		{ "220 hi\r\n250-early\r\n", "EHLO lb.example.com\r\n", "saying EHLO", "220 hi 250-early" },
	};
	struct rig rig;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peer *peer;

		rig_init(&rig, &proto_smtp);
		rig.settings.timeout.ms = SHORT_MS;
		rig_start(&rig);
		peer = door_accept(&rig.server);
		peer_say(peer, rows[i].said);
		expect_end(&rig, CHECK_CODE_L7TOUT, rows[i].doing, "timed out");
		assert_string_equal(rig.result.seen, rows[i].seen);
		if (rows[i].heard != NULL)
			peer_expect(peer, rows[i].heard);
		peer_expect_end(peer);
		rig_close(&rig);
	}
}

static void
replies_are_judged(void **state)
{
	static const struct {
		const struct proto *proto;
		const char *said;
		enum check_code code;
		const char *reason, *seen;
	} rows[] = {
		{ &proto_smtp, "554 no\r\n", CHECK_CODE_L7STS, "command refused: 554 no", "554 no" },
		{ &proto_smtp, "421 4.3.2 busy\r\n", CHECK_CODE_L7STS, "421 4.3.2 busy", "421 4.3.2 busy" },
		{ &proto_smtp, "220-hi\r\n421 no\r\n", CHECK_CODE_L7RSP, "garbled reply", "220-hi 421 no" },
		{ &proto_smtp, "* OK hi\r\n", CHECK_CODE_L7RSP, "garbled reply", "* OK hi" },
		{ &proto_smtp, "\x16\x03\x01\r\n", CHECK_CODE_L7RSP, "garbled reply", "???" },
		{ &proto_imap, "* BYE down\r\n", CHECK_CODE_L7STS, "* BYE down", "* BYE down" },
		{ &proto_imap, "* PREAUTH hi\r\n", CHECK_CODE_L7RSP, "PREAUTH greeting", "* PREAUTH hi" },
		{ &proto_pop3, "-ERR no\r\n", CHECK_CODE_L7STS, "-ERR no", "-ERR no" },
		{ &proto_sieve, "BYE \"x\"\r\n", CHECK_CODE_L7STS, "BYE \"x\"", "BYE \"x\"" },
	};
	struct rig rig;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		peer_say(rig_meet(&rig, rows[i].proto), rows[i].said);
		expect_end(&rig, rows[i].code, "reading greeting", rows[i].reason);
		assert_string_equal(rig.result.seen, rows[i].seen);
		assert_false(check_code_is_good(rig.result.code));
		rig_close(&rig);
	}
}

/* No session could do anything there. */
static void
a_server_that_cannot_be_told_of_clients_is_no_good(void **state)
{
	struct rig rig;
	struct peer *peer;

	(void)state;
	rig_init(&rig, &proto_smtp);
	rig.pool.options.forward = FORWARD_AUTO;
	rig_start(&rig);
	peer = door_accept(&rig.server);
	peer_say(peer, "220 hi\r\n");
	peer_expect(peer, "EHLO lb.example.com\r\n");
	peer_say(peer, "250-hi\r\n250 SIZE\r\n");
	expect_end(&rig, CHECK_CODE_L7RSP, "saying EHLO",
	    "server offers no way to pass the client's address");
	rig_close(&rig);
}

static void
lost_connections_are_told(void **state)
{
	struct rig rig;
	struct peer *peer;

	(void)state;
	for (int said = 0; said < 2; said++) {
		peer = rig_meet(&rig, &proto_imap);
		if (said > 0) {
			peer_say(peer, "* OK hi\r\n");
			peer_expect(peer, "C CAPABILITY\r\n");
		}
		peer_close(peer);
		expect_end(&rig, CHECK_CODE_L7RSP, said > 0 ? "asking for capabilities" : "reading greeting",
		    "closed by the server");
		assert_string_equal(rig.result.seen, said > 0 ? "* OK hi" : "");
		rig_close(&rig);
	}
	peer = rig_meet(&rig, &proto_imap);
	turn_a_little(rig.loop);
	stream_reset(&peer->stream);
	expect_end(&rig, CHECK_CODE_L7RSP, "reading greeting", "connection reset by peer");
	rig_close(&rig);
}

static void
keeps_the_end_of_long_words(void **state)
{
	char line[600];
	struct rig rig;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line + sizeof(line) - 8, "\xc3\xa4\t\x01" "e\r\n", 8);
	peer_say(rig_meet(&rig, &proto_imap), line);
	expect_end(&rig, CHECK_CODE_L7RSP, "reading greeting", "garbled reply");
	assert_true(strlen(rig.result.seen) < sizeof(rig.result.seen));
	assert_string_equal(rig.result.seen + strlen(rig.result.seen) - 6, "x\xc3\xa4 ?e");
	rig_close(&rig);
}

static void
own_faults_say_nothing_of_the_server(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, &proto_imap);
	assert_true(addr_parse(slice_of("192.0.2.1"), 0, &rig.source.addr));
	rig.pool.options.source = (struct address_list){ &rig.source, 1 };
	rig_start(&rig);
	await(rig.loop, &rig.ends, 1);
	assert_int_equal(rig.result.code, CHECK_CODE_SOCKERR);
	assert_string_equal(rig.result.doing, "connecting");
	assert_false(check_code_is_verdict(rig.result.code));
	rig_close(&rig);
}

static void
expect_proxy(struct rig *rig, struct peer *peer, enum proxy_version version)
{
	static const char local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
	size_t len = sizeof(local) - 1;

	if (version == PROXY_VERSION_1) {
		peer_expect(peer, "PROXY TCP4 127.0.0.1 127.0.0.1 ");
	} else if (version == PROXY_VERSION_2) {
		while (buf_len(&peer->heard) < len)
			loop_run(rig->loop);
		assert_memory_equal(buf_data(&peer->heard), local, len);
	} else {
		turn_a_little(rig->loop);
		assert_int_equal(buf_len(&peer->heard), 0);
	}
}

static void
a_proxy_header_goes_by_the_pool_or_the_check(void **state)
{
	static const struct {
		int forward;
		bool has_proxy, proxy;
		enum proxy_version version;
	} rows[] = {
		{ FORWARD_PROXY, false, false, PROXY_VERSION_1 },
		{ FORWARD_PROXY_V2, false, false, PROXY_VERSION_2 },
		{ FORWARD_PROXY, true, true, PROXY_VERSION_1 },
		{ FORWARD_PROXY, true, false, PROXY_VERSION_NONE },
		{ FORWARD_AUTO, true, true, PROXY_VERSION_2 },
		{ FORWARD_AUTO, false, false, PROXY_VERSION_NONE },
	};
	struct rig rig;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rig_init(&rig, &proto_imap);
		rig.pool.options.forward = rows[i].forward;
		rig.settings.has_proxy = rows[i].has_proxy;
		rig.settings.proxy = rows[i].proxy;
		rig_start(&rig);
		expect_proxy(&rig, door_accept(&rig.server), rows[i].version);
		rig_close(&rig);
	}
}

static void
another_port_may_be_checked(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, &proto_imap);
	rig.settings.port = addr_port(&rig.server.addr);
	addr_set_port(&rig.farm_server.address.addr, 9);
	rig_start(&rig);
	door_accept(&rig.server);
	rig_close(&rig);
}

/* A server with a certificate for 127.0.0.1 that the pool believes, as far as its date allows. */
struct secure {
	struct block_of block;
	struct tls_context *context;
	struct tls_front front;
};

static void
secure_open(struct secure *secure, long valid_s)
{
	unlink(in_folder("check.pem"));
	write_pair(&(struct wanted){ .names = "IP:127.0.0.1", .valid_s = valid_s,
	    .certificate_file = "check.pem", .key_file = "check.pem" });
	fill_block(&secure->block, "check.pem");
	secure->context = load_block(&secure->block);
	secure->front = (struct tls_front){ .context = secure->context, .alpn = "imap" };
}

static struct peer *
meet_securely(struct rig *rig, struct secure *secure, int mode, bool verify)
{
	struct peer *peer;

	rig_init(rig, &proto_imap);
	rig->tls = (struct server_tls){ .mode = mode, .verify = verify,
		.ca = verify ? in_folder("check.pem") : NULL };
	rig->pool.options.server_tls = &rig->tls;
	rig_start(rig);
	peer = door_accept(&rig->server);
	if (mode == SERVER_TLS_STARTTLS) {
		peer_say(peer, "* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n");
		peer_expect(peer, "S STARTTLS\r\n");
		peer_say(peer, "S OK\r\n");
	}
	stream_accept_tls(&peer->stream, &secure->front);
	return peer;
}

static void
goes_through_tls(struct secure *secure, int mode, bool verify, int days)
{
	struct rig rig;
	struct peer *peer = meet_securely(&rig, secure, mode, verify);

	await(rig.loop, &peer->is_ready, 1);
	if (mode == SERVER_TLS_IMPLICIT) {
		peer_say(peer, "* OK [CAPABILITY IMAP4rev1] hi\r\n");
	} else {
		peer_expect(peer, "T CAPABILITY\r\n");
		peer_say(peer, "* CAPABILITY IMAP4rev1\r\nT OK\r\n");
	}
	peer_expect(peer, "Z LOGOUT\r\n");
	stream_shut(&peer->stream);
	expect_good(&rig, CHECK_CODE_L7OK);
	assert_int_equal(rig.result.days_left, days);
	rig_close(&rig);
}

static void
counts_a_certificates_days(void **state)
{
	struct secure secure;

	(void)state;
	secure_open(&secure, 10 * DAY + 3600);
	goes_through_tls(&secure, SERVER_TLS_IMPLICIT, true, 10);
	goes_through_tls(&secure, SERVER_TLS_STARTTLS, true, 10);
	tls_context_free(&secure.context);
}

static void
sees_the_certificate_anew_each_time(void **state)
{
	struct secure secure;
	struct tls_facts facts;
	struct rig rig;
	struct peer *peer;

	(void)state;
	secure_open(&secure, YEAR);
	peer = meet_securely(&rig, &secure, SERVER_TLS_IMPLICIT, true);
	for (int i = 1; i <= 2; i++) {
		await(rig.loop, &peer->is_ready, 1);
		tls_facts_read(&peer->stream, &facts);
		assert_false(facts.resumed);
		peer_say(peer, "* OK [CAPABILITY IMAP4rev1] hi\r\n");
		peer_expect(peer, "Z LOGOUT\r\n");
		stream_shut(&peer->stream);
		await(rig.loop, &rig.ends, i);
		if (i == 2)
			break;
		check_start(rig.check, rig.loop, &rig.order, on_end, &rig);
		peer = door_accept(&rig.server);
		stream_accept_tls(&peer->stream, &secure.front);
	}
	rig_close(&rig);
	tls_context_free(&secure.context);
}

static void
an_expired_certificate_fails_where_it_is_verified(void **state)
{
	struct secure secure;
	struct rig rig;

	(void)state;
	secure_open(&secure, -3 * DAY - 3600);
	for (int mode = SERVER_TLS_STARTTLS; mode <= SERVER_TLS_IMPLICIT; mode++) {
		meet_securely(&rig, &secure, mode, true);
		expect_end(&rig, CHECK_CODE_L6RSP, "starting TLS with the server", "certificate has expired");
		assert_int_equal(rig.result.days_left, -4);
		rig_close(&rig);
		goes_through_tls(&secure, mode, false, -4);
	}
	tls_context_free(&secure.context);
}

static void
what_is_no_tls_is_told(void **state)
{
	struct rig rig;
	struct peer *peer;

	(void)state;
	for (int is_silent = 0; is_silent < 2; is_silent++) {
		rig_init(&rig, &proto_imap);
		rig.tls.mode = SERVER_TLS_IMPLICIT;
		rig.pool.options.server_tls = &rig.tls;
		rig.settings.timeout.ms = is_silent ? SHORT_MS : TAPE_PATIENCE_MS;
		rig_start(&rig);
		peer = door_accept(&rig.server);
		if (!is_silent)
			peer_say(peer, "* OK hi\r\n");
		await(rig.loop, &rig.ends, 1);
		assert_int_equal(rig.result.code, is_silent ? CHECK_CODE_L6TOUT : CHECK_CODE_L6RSP);
		assert_string_equal(rig.result.doing, "starting TLS with the server");
		assert_int_equal(rig.result.days_left, TLS_NO_CERTIFICATE);
		rig_close(&rig);
	}
	rig_init(&rig, &proto_imap);
	rig.tls.mode = SERVER_TLS_STARTTLS;
	rig.pool.options.server_tls = &rig.tls;
	rig_start(&rig);
	peer_say(door_accept(&rig.server), "* OK [CAPABILITY IMAP4rev1] hi\r\n");
	expect_end(&rig, CHECK_CODE_L7RSP, "reading greeting", "server offers no STARTTLS");
	rig_close(&rig);
}

static void
tls_goes_by_the_check_where_that_says_so(void **state)
{
	struct secure secure;
	struct rig rig;
	struct peer *peer;

	(void)state;
	secure_open(&secure, YEAR + 3600);
	rig_init(&rig, &proto_imap);
	rig.tls.mode = SERVER_TLS_IMPLICIT;
	rig.pool.options.server_tls = &rig.tls;
	rig.settings.tls = CHECK_TLS_OFF;
	rig_start(&rig);
	peer = door_accept(&rig.server);
	peer_say(peer, "* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n");
	peer_expect(peer, "Z LOGOUT\r\n");
	rig_close(&rig);
	rig_init(&rig, &proto_imap);
	rig.tls.mode = SERVER_TLS_STARTTLS;
	rig.pool.options.server_tls = &rig.tls;
	rig.settings.tls = CHECK_TLS_IMPLICIT;
	rig.settings.kind = CHECK_TCP;
	rig_start(&rig);
	peer = door_accept(&rig.server);
	stream_accept_tls(&peer->stream, &secure.front);
	expect_good(&rig, CHECK_CODE_L6OK);
	assert_int_equal(rig.result.days_left, 365);
	rig_close(&rig);
	tls_context_free(&secure.context);
}

static struct peer *
meet_to_log_in(struct rig *rig)
{
	struct peer *peer;

	rig_init(rig, &proto_imap);
	rig->settings.kind = CHECK_LOGIN;
	rig->settings.user = "probe";
	rig->settings.password_file = in_folder("password");
	rig_start(rig);
	peer = door_accept(&rig->server);
	peer_say(peer, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\r\n");
	peer_expect(peer, "L AUTHENTICATE PLAIN AHByb2JlAHNlY3JldA==\r\n");
	return peer;
}

static void
logs_in_and_out(void **state)
{
	struct rig rig;
	struct peer *peer = meet_to_log_in(&rig);

	(void)state;
	peer_say(peer, "L OK [CAPABILITY IMAP4rev1 MOVE] in\r\n");
	peer_expect(peer, "Z LOGOUT\r\n");
	peer_say(peer, "* BYE\r\nZ OK\r\n");
	stream_shut(&peer->stream);
	expect_good(&rig, CHECK_CODE_L7OK);
	rig_close(&rig);
}

static void
refused_logins_are_told_without_the_password(void **state)
{
	static const struct {
		const char *said;
		enum check_code code;
		const char *reason, *seen;
	} rows[] = {
		{ "L NO [AUTHENTICATIONFAILED] no\r\n", CHECK_CODE_L7STS, "L NO [AUTHENTICATIONFAILED] no",
		    "L NO [AUTHENTICATIONFAILED] no" },
		{ "L NO [UNAVAILABLE] later\r\n", CHECK_CODE_L7STS, "L NO [UNAVAILABLE] later",
		    "L NO [UNAVAILABLE] later" },
		{ "L NO not secret\r\n", CHECK_CODE_L7STS, "words of the server with the password in them",
		    "" },
		{ "* OK secret\r\nL NO no\r\n", CHECK_CODE_L7STS, "L NO no", "" },
		{ "X AHByb2JlAHNlY3JldA==\r\n", CHECK_CODE_L7RSP, "garbled reply", "" },
	};
	struct rig rig;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		peer_say(meet_to_log_in(&rig), rows[i].said);
		expect_end(&rig, rows[i].code, "logging in", rows[i].reason);
		assert_string_equal(rig.result.seen, rows[i].seen);
		rig_close(&rig);
	}
}

/* Half a line, with half the password in it. */
static void
half_a_secret_is_one(void **state)
{
	struct rig rig;
	struct peer *peer = meet_to_log_in(&rig);

	(void)state;
	peer_say(peer, "* OK hm\r\nL NO not secr");
	turn_a_little(rig.loop);
	peer_close(peer);
	expect_end(&rig, CHECK_CODE_L7RSP, "logging in", "closed by the server");
	assert_string_equal(rig.result.seen, "* OK hm");
	rig_close(&rig);
}

/* `expect` where the text begins with a question mark, else `send`; NULL ends. */
static struct peer *
meet_with_lines(struct rig *rig, const char *const texts[], int64_t timeout)
{
	rig_init(rig, &proto_imap);
	rig->settings.kind = CHECK_SEND_EXPECT;
	rig->settings.timeout.ms = timeout;
	for (size_t i = 0; texts[i] != NULL; i++) {
		struct check_line *line = &rig->lines[i];

		line->is_expected = texts[i][0] == '?';
		line->text.data = texts[i] + line->is_expected;
		line->text.len = strlen(line->text.data);
		rig->line_items[i] = line;
		rig->settings.lines.count++;
	}
	rig->settings.lines.items = rig->line_items;
	rig_start(rig);
	return door_accept(&rig->server);
}

static const char *const mail_lines[] = { "?220 ", "EHLO me\r\n", "?250 ", NULL };

static void
expects_what_comes_and_sends_behind_it(void **state)
{
	static const char *const first[] = { "HELLO\r\n", NULL }, *const twice[] = { "?ab", "?ab", NULL };
	struct rig rig;
	struct peer *peer;

	(void)state;
	peer = meet_with_lines(&rig, mail_lines, TAPE_PATIENCE_MS);
	turn_a_little(rig.loop);
	assert_int_equal(buf_len(&peer->heard), 0);
	peer_say_slowly(peer, "220-one\r\n220 two\r\n");
	peer_expect(peer, "EHLO me\r\n");
	peer_say_slowly(peer, "250-x\r\n250 y");
	expect_good(&rig, CHECK_CODE_L7OK);
	assert_non_null(strstr(rig.result.seen, "250 "));
	rig_close(&rig);

	peer = meet_with_lines(&rig, first, TAPE_PATIENCE_MS);
	expect_good(&rig, CHECK_CODE_L7OK);
	peer_expect(peer, "HELLO\r\n");
	peer_expect_end(peer);
	rig_close(&rig);

	peer = meet_with_lines(&rig, twice, SHORT_MS);
	peer_say(peer, "xaab");
	expect_end(&rig, CHECK_CODE_L7TOUT, "awaiting expect 2", "timed out");
	rig_close(&rig);
	peer = meet_with_lines(&rig, twice, TAPE_PATIENCE_MS);
	peer_say(peer, "xaabxab");
	expect_good(&rig, CHECK_CODE_L7OK);
	rig_close(&rig);
}

static void
what_is_expected_may_not_come(void **state)
{
	static const struct {
		const char *said;
		bool closes;
		enum check_code code;
		const char *doing, *reason;
	} rows[] = {
		{ "", false, CHECK_CODE_L7TOUT, "awaiting expect 1", "timed out" },
		{ "554 no\r\n", false, CHECK_CODE_L7RSP, "awaiting expect 1",
		    "what is expected did not come" },
		{ "220 hi\r\n", false, CHECK_CODE_L7RSP, "awaiting expect 2",
		    "what is expected did not come" },
		{ "220 ", false, CHECK_CODE_L7TOUT, "awaiting expect 2", "timed out" },
		{ "554 no\r\n", true, CHECK_CODE_L7RSP, "awaiting expect 1", "closed by the server" },
		{ "", true, CHECK_CODE_L7RSP, "awaiting expect 1", "closed by the server" },
	};
	struct rig rig;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peer *peer = meet_with_lines(&rig, mail_lines,
		    rows[i].closes ? TAPE_PATIENCE_MS : SHORT_MS);

		peer_say(peer, rows[i].said);
		if (rows[i].closes)
			stream_shut(&peer->stream);
		expect_end(&rig, rows[i].code, rows[i].doing, rows[i].reason);
		rig_close(&rig);
	}
}

/* More than a stream keeps. */
static void
looks_through_any_amount(void **state)
{
	char much[STREAM_INPUT_MAX + 1];
	struct rig rig;
	struct peer *peer = meet_with_lines(&rig, mail_lines, TAPE_PATIENCE_MS);

	(void)state;
	memset(much, '2', sizeof(much) - 1);
	much[sizeof(much) - 1] = '\0';
	for (int i = 0; i < 3; i++)
		peer_say(peer, much);
	peer_say(peer, "20 ");
	peer_expect(peer, "EHLO me\r\n");
	rig_close(&rig);
}

static void
can_be_cancelled_at_each_stage(void **state)
{
	enum { CONNECTING, GREETING, CAPABILITIES, LEAVING, STAGES };
	struct rig rig;
	struct peer *peer = NULL;

	(void)state;
	for (int stage = 0; stage < STAGES; stage++) {
		rig_init(&rig, &proto_imap);
		rig_start(&rig);
		if (stage > CONNECTING) {
			peer = door_accept(&rig.server);
			turn_a_little(rig.loop);
		}
		if (stage > GREETING) {
			peer_say(peer, "* OK hi\r\n");
			peer_expect(peer, "C CAPABILITY\r\n");
		}
		if (stage > CAPABILITIES) {
			peer_say(peer, "* CAPABILITY IMAP4rev1\r\nC OK\r\n");
			peer_expect(peer, "Z LOGOUT\r\n");
		}
		check_cancel(rig.check);
		assert_false(check_is_under_way(rig.check));
		turn_a_little(rig.loop);
		assert_int_equal(rig.ends, 0);
		rig_close(&rig);
	}
	peer = meet_with_lines(&rig, mail_lines, SHORT_MS);
	peer_say(peer, "220 hi\r\n");
	peer_expect(peer, "EHLO me\r\n");
	check_cancel(rig.check);
	wait_ms(rig.loop, 2 * SHORT_MS);
	assert_int_equal(rig.ends, 0);
	rig_close(&rig);
	peer = meet_to_log_in(&rig);
	check_cancel(rig.check);
	assert_int_equal(buf_len(&rig.check->credentials.password), 0);
	rig_close(&rig);
}

static void
on_last_end(struct check *check, const struct check_result *result, void *owner)
{
	struct rig *rig = owner;

	assert_true(check_code_is_good(result->code));
	check_cancel(check);
	loop_defer(rig->loop, xfree, check);
	rig->check = NULL;
	rig->ends++;
	loop_stop(rig->loop);
}

static void
may_be_freed_by_its_callback_and_started_anew_behind_it(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, &proto_tcp);
	rig_start(&rig);
	expect_good(&rig, CHECK_CODE_L4OK);
	check_start(rig.check, rig.loop, &rig.order, on_last_end, &rig);
	await(rig.loop, &rig.ends, 2);
	turn_a_little(rig.loop);
	assert_null(rig.check);
	rig.check = xcalloc(1, sizeof(*rig.check));
	rig_close(&rig);
}

static void
codes_have_names(void **state)
{
	(void)state;
	assert_string_equal(check_code_name(CHECK_CODE_UNK), "UNK");
	assert_string_equal(check_code_name(CHECK_CODE_L7STS), "L7STS");
	assert_string_equal(check_code_text(CHECK_CODE_L4CON), "not connected");
	assert_false(check_code_is_verdict(CHECK_CODE_INI));
}

static int
make_files(void **state)
{
	FILE *file;

	if (make_folder(state) != 0)
		return 1;
	file = fopen(in_folder("password"), "w");
	fputs("secret\n", file);
	return fclose(file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks_each_protocol_and_takes_its_leave),
		cmocka_unit_test(a_farewell_may_go_unanswered),
		cmocka_unit_test(one_that_only_connects_is_content_with_that),
		cmocka_unit_test(refused_connections_are_told),
		cmocka_unit_test(a_black_hole_is_a_timeout_while_connecting),
		cmocka_unit_test(silence_is_a_timeout_of_the_step),
		cmocka_unit_test(replies_are_judged),
		cmocka_unit_test(a_server_that_cannot_be_told_of_clients_is_no_good),
		cmocka_unit_test(lost_connections_are_told),
		cmocka_unit_test(keeps_the_end_of_long_words),
		cmocka_unit_test(own_faults_say_nothing_of_the_server),
		cmocka_unit_test(a_proxy_header_goes_by_the_pool_or_the_check),
		cmocka_unit_test(another_port_may_be_checked),
		cmocka_unit_test(counts_a_certificates_days),
		cmocka_unit_test(sees_the_certificate_anew_each_time),
		cmocka_unit_test(an_expired_certificate_fails_where_it_is_verified),
		cmocka_unit_test(what_is_no_tls_is_told),
		cmocka_unit_test(tls_goes_by_the_check_where_that_says_so),
		cmocka_unit_test(logs_in_and_out),
		cmocka_unit_test(refused_logins_are_told_without_the_password),
		cmocka_unit_test(half_a_secret_is_one),
		cmocka_unit_test(expects_what_comes_and_sends_behind_it),
		cmocka_unit_test(what_is_expected_may_not_come),
		cmocka_unit_test(looks_through_any_amount),
		cmocka_unit_test(can_be_cancelled_at_each_stage),
		cmocka_unit_test(may_be_freed_by_its_callback_and_started_anew_behind_it),
		cmocka_unit_test(codes_have_names),
	};

	return cmocka_run_group_tests(tests, make_files, remove_folder);
}
