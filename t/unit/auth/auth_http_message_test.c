/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_http_message_test.c: what is asked, byte by byte as nginx has it, and what is made of replies. */
#include "auths.h"

#include "auth/auth_http_message.h"
#include "net/http_client.h"

struct question {
	struct conf *conf;
	struct conf_list auths;
	struct credentials credentials;
	struct identity identity;
	struct auth_scene scene;
	struct auth_request request;
	struct tls_peer peer;
};

static void
question_open(struct question *q, const char *directives)
{
	char text[512];

	snprintf(text, sizeof(text), "auth web { source http; url http://a.test/; %s }", directives);
	*q = (struct question){ .conf = NULL };
	q->conf = load_auths(text, &q->auths);
	q->credentials.mechanism = MECHANISM_PLAIN;
	buf_append_text(&q->credentials.user, "bob");
	buf_append_text(&q->credentials.password, "secret");
	assert_true(addr_parse(slice_of("192.0.2.7"), 4711, &q->identity.client));
	assert_true(addr_parse(slice_of("[2001:db8::25]"), 993, &q->identity.local));
	memcpy(q->identity.session, "0123456789abcdef", sizeof("0123456789abcdef"));
	q->scene = (struct auth_scene){ .listener = "in", .protocol = "imap", .attempt = 3 };
	q->request = (struct auth_request){
		.credentials = &q->credentials, .identity = &q->identity, .user = "bob@example.com",
		.scene = &q->scene,
	};
}

static void
check(struct question *q, const char *wanted)
{
	struct buf out = { 0 };

	auth_http_write(&q->request, q->auths.items[0], "a.test", q->peer.is_shown ? &q->peer : NULL, &out);
	buf_append(&out, "", 1);
	assert_string_equal(buf_data(&out), wanted);
	buf_clear(&out);
}

static void
question_close(struct question *q)
{
	credentials_wipe(&q->credentials);
	tls_peer_clear(&q->peer);
	conf_free(&q->conf);
}

static void
a_login_is_asked_about_as_by_nginx(void **state)
{
	struct question q;

	(void)state;
	question_open(&q, "");
	check(&q, "Host: a.test\r\nAuth-Method: plain\r\nAuth-User: bob\r\nAuth-Pass: secret\r\n"
		"Auth-Protocol: imap\r\nAuth-Login-Attempt: 3\r\nClient-IP: 192.0.2.7\r\n");
	q.scene.mail_name = "smtp";
	q.scene.has_header = true;
	q.identity.tls_version = "TLSv1.3";
	q.identity.tls_cipher = "TLS_AES_256_GCM_SHA384";
	check(&q, "Host: a.test\r\nAuth-Method: plain\r\nAuth-User: bob\r\nAuth-Pass: secret\r\n"
		"Auth-Protocol: smtp\r\nAuth-Login-Attempt: 3\r\nClient-IP: 192.0.2.7\r\n"
		"Client-Host: [UNAVAILABLE]\r\n"
		"Proxy-Protocol-Addr: 192.0.2.7\r\nProxy-Protocol-Port: 4711\r\n"
		"Proxy-Protocol-Server-Addr: 2001:db8::25\r\nProxy-Protocol-Server-Port: 993\r\n"
		"Auth-SSL: on\r\nAuth-SSL-Protocol: TLSv1.3\r\nAuth-SSL-Cipher: TLS_AES_256_GCM_SHA384\r\n");
	question_close(&q);
}

static void
what_is_shown_depends_on_the_mechanism(void **state)
{
	static const struct {
		enum mechanism mechanism;
		const char *method;
	} tokens[] = {
		{ MECHANISM_NONE, "plain" }, { MECHANISM_LOGIN, "plain" }, { MECHANISM_XOAUTH2, "xoauth2" },
		{ MECHANISM_OAUTHBEARER, "oauthbearer" },
	};
	static const char pattern[] = "Host: a.test\r\nAuth-Method: %s\r\nAuth-User: bob\r\n"
				      "Auth-Pass: secret\r\nAuth-Protocol: imap\r\nAuth-Login-Attempt: 3\r\n"
				      "Client-IP: 192.0.2.7\r\n";
	struct question q;
	char text[256];

	(void)state;
	question_open(&q, "");
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		q.credentials.mechanism = tokens[i].mechanism;
		snprintf(text, sizeof(text), pattern, tokens[i].method);
		check(&q, text);
	}
	q.credentials.mechanism = MECHANISM_CRAM_MD5;
	buf_append_text(&q.credentials.response, "00ff");
	buf_append_text(&q.credentials.challenge, "<1.2@h>");
	check(&q, "Host: a.test\r\nAuth-Method: cram-md5\r\nAuth-User: bob\r\nAuth-Pass: 00ff\r\n"
		"Auth-Salt: <1.2@h>\r\nAuth-Protocol: imap\r\nAuth-Login-Attempt: 3\r\n"
		"Client-IP: 192.0.2.7\r\n");
	q.credentials.mechanism = MECHANISM_EXTERNAL;
	buf_wipe(&q.credentials.password);
	buf_append_text(&q.credentials.authzid, "eve");
	check(&q, "Host: a.test\r\nAuth-Method: external\r\nAuth-User: eve\r\nAuth-Pass: \r\n"
		"Auth-Protocol: imap\r\nAuth-Login-Attempt: 3\r\nClient-IP: 192.0.2.7\r\n");
	question_close(&q);
}

static void
a_lookup_tells_of_the_mail(void **state)
{
	struct question q;
	char helo[] = "client.example.org";

	(void)state;
	question_open(&q, "");
	q.request.is_lookup = true;
	q.request.credentials = NULL;
	check(&q, "Host: a.test\r\nAuth-Method: none\r\nAuth-User: bob@example.com\r\nAuth-Pass: \r\n"
		"Auth-Protocol: imap\r\nAuth-Login-Attempt: 3\r\nClient-IP: 192.0.2.7\r\n");
	q.scene = (struct auth_scene){ .protocol = "smtp", .mail_name = "smtp",
		.mail = slice_of("MAIL FROM:<a@b> SIZE=10"), .recipient = slice_of("RCPT TO:<c\r@d>") };
	q.identity.helo = helo;
	check(&q, "Host: a.test\r\nAuth-Method: none\r\nAuth-User: \r\nAuth-Pass: \r\nAuth-Protocol: smtp\r\n"
		"Auth-Login-Attempt: 1\r\nClient-IP: 192.0.2.7\r\nClient-Host: [UNAVAILABLE]\r\n"
		"Auth-SMTP-Helo: client.example.org\r\nAuth-SMTP-From: MAIL FROM:<a@b> SIZE=10\r\n"
		"Auth-SMTP-To: RCPT TO:<c?@d>\r\n");
	question_close(&q);
}

static void
certificates_are_told_as_by_nginx(void **state)
{
	struct question q;

	(void)state;
	question_open(&q, "header Auth-Pass x; header Auth-User x; header Client-IP x");
	q.identity.tls_version = "TLSv1.2";
	q.peer = (struct tls_peer){ .is_shown = true, .problem = "self-signed certificate" };
	buf_append_text(&q.peer.subject, "CN=bob,O=X");
	buf_append_text(&q.peer.issuer, "CN=ca");
	buf_append_text(&q.peer.serial, "0AFF");
	buf_append_text(&q.peer.fingerprint, "0aff");
	buf_append_text(&q.peer.pem, "--\nA B\n");
	check(&q, "Host: a.test\r\nAuth-Method: plain\r\nAuth-Protocol: imap\r\nAuth-Login-Attempt: 3\r\n"
		"Auth-SSL: on\r\nAuth-SSL-Protocol: TLSv1.2\r\n"
		"Auth-SSL-Verify: FAILED:self-signed certificate\r\nAuth-SSL-Subject: CN=bob,O=X\r\n"
		"Auth-SSL-Issuer: CN=ca\r\nAuth-SSL-Serial: 0AFF\r\nAuth-SSL-Fingerprint: 0aff\r\n"
		"Auth-SSL-Cert: --%0AA%20B%0A\r\n"
		"Auth-Pass: x\r\nAuth-User: x\r\nClient-IP: x\r\n");
	question_close(&q);
}

static void
variables_and_escapes_stay_one_line(void **state)
{
	static const char headers[] =
	    "header auth-protocol submission; header Auth-Port $local_port; "
	    "header X \"$local_addr $client_addr:$client_port $session$listener/$protocol $user "
	    "[$tls_version][$tls_cipher][$sni]$$x\"";
	struct question q;
	static const char odd[] = "a\r\nB: \x7f%\xc3\xa4@+\"~";

	(void)state;
	question_open(&q, headers);
	buf_wipe(&q.credentials.user);
	buf_append_text(&q.credentials.user, odd);
	q.request.user = odd;
	q.scene.sni = "a\r\nb";
	check(&q, "Host: a.test\r\nAuth-Method: plain\r\nAuth-User: a%0D%0AB:%20\x7f%25\xc3\xa4@+\"~\r\n"
		"Auth-Pass: secret\r\nAuth-Login-Attempt: 3\r\nClient-IP: 192.0.2.7\r\n"
		"auth-protocol: submission\r\nAuth-Port: 993\r\n"
		"X: 2001:db8::25 192.0.2.7:4711 0123456789abcdefin/imap a%0D%0AB:%20\x7f%25\xc3\xa4@+\"~ "
		"[][][a??b]$x\r\n");
	question_close(&q);
	question_open(&q, "escape strict");
	buf_wipe(&q.credentials.user);
	buf_append_text(&q.credentials.user, odd);
	check(&q, "Host: a.test\r\nAuth-Method: plain\r\n"
		"Auth-User: a%0D%0AB%3A%20%7F%25%C3%A4%40%2B%22~\r\nAuth-Pass: secret\r\n"
		"Auth-Protocol: imap\r\nAuth-Login-Attempt: 3\r\nClient-IP: 192.0.2.7\r\n");
	question_close(&q);
}

static void
wrong_headers_are_refused(void **state)
{
	static const struct {
		const char *directive, *complaint;
	} wrongs[] = {
		{ "header X $nobody", "there is no variable $nobody" },
		{ "header X a$", "a $ stands before the name of a variable" },
		{ "header X", "takes a name and a value" },
		{ "header X a b", "takes a name and a value" },
		{ "header X: a", "X: is not the name of a header" },
		{ "header Content-Length 5", "Content-Length is not for the configuration to say" },
		{ "header X \"a\tb\"", "control characters" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		struct conf_problems problems = { 0 };
		char text[256];

		snprintf(text, sizeof(text), "auth web { source http; url http://a/; %s }",
		    wrongs[i].directive);
		assert_null(conf_load_text("text", text, &root_block, &problems));
		assert_int_equal(problems.count, 1);
		assert_non_null(strstr(conf_problems_text(&problems, 0), wrongs[i].complaint));
		conf_problems_clear(&problems);
	}
}

static void
urls_and_authorities_are_looked_at_when_it_opens(void **state)
{
	struct conf_problems problems = { 0 };
	struct conf_list auths;
	struct conf *conf = load_auths("auth web { source http; url http://a.test/ ftp://b/ http://c/#; "
				 "ca /does/not/exist }", &auths);

	(void)state;
	assert_false(auth_open(auths.items[0], NULL, &problems));
	assert_int_equal(problems.count, http_is_there() ? 3 : 1);
	auth_close(auths.items[0]);
	conf_problems_clear(&problems);
	conf_free(&conf);
}

static void
only_what_was_written_is_offered_beyond_passwords(void **state)
{
	struct conf_list auths;
	struct conf *conf = load_auths("default auth { source http; url http://a/ }\nauth a { }\n"
				 "auth b { mechanisms CRAM-MD5 EXTERNAL XOAUTH2 }", &auths);
	const struct conf_list first = { auths.items, 1 }, second = { auths.items + 1, 1 };

	(void)state;
	assert_int_equal(auth_mechanisms(&first),
	    MECHANISM_BIT(MECHANISM_PLAIN) | MECHANISM_BIT(MECHANISM_LOGIN));
	assert_int_equal(auth_mechanisms(&second), MECHANISM_BIT(MECHANISM_CRAM_MD5) |
	    MECHANISM_BIT(MECHANISM_EXTERNAL) | MECHANISM_BIT(MECHANISM_XOAUTH2));
	conf_free(&conf);
}

static const struct reply_case {
	const char *lines;
	enum auth_http_status status;
	int port, wait_s;
	const char *server, *user, *pass, *pool, *text, *code;
} replies[] = {
	{ "Auth-Status: OK\r\nAuth-Server: 127.0.0.1\r\nAuth-Port: 143\r\nAuth-User: b ob \r\nAuth-Pass:p\r\n"
	    "Auth-Pool: x\r\nX: y\r\n", AUTH_HTTP_OK, 143, -1, "127.0.0.1", "b ob", "p", "x", "", "" },
	{ "auth-status:OK\nAUTH-SERVER: [::1]\n", AUTH_HTTP_OK, 0, -1, "[::1]", NULL, NULL, NULL, "", "" },
	{ "", AUTH_HTTP_MISSING, 0, -1, NULL, NULL, NULL, NULL, "", "" },
	{ "Auth-Server: a\r\nAuth-Port: 1\r\n", AUTH_HTTP_MISSING, 1, -1, "a", NULL, NULL, NULL, "", "" },
	{ "Auth-Status: \r\nAuth-Server: a\r\n", AUTH_HTTP_MISSING, 0, -1, "a", NULL, NULL, NULL, "", "" },
	{ "Auth-Status OK\r\n", AUTH_HTTP_MISSING, 0, -1, NULL, NULL, NULL, NULL, "", "" },
	{ "Auth_Status: OK\r\n", AUTH_HTTP_MISSING, 0, -1, NULL, NULL, NULL, NULL, "", "" },
	{ "Auth-Status : OK\r\n", AUTH_HTTP_MISSING, 0, -1, NULL, NULL, NULL, NULL, "", "" },
	{ "Auth-Status: ok\r\n", AUTH_HTTP_ERROR, 0, -1, NULL, NULL, NULL, NULL, "ok", "" },
	{ "Auth-Status: No \xc3\xa4\r\nAuth-Wait: 3\r\nAuth-Error-Code: 451 4.3.0\r\n", AUTH_HTTP_ERROR, 0, 3,
	    NULL, NULL, NULL, NULL, "No ??", "451 4.3.0" },
	{ "Auth-Status: No\r\nAuth-Status: OK\r\n", AUTH_HTTP_ERROR, 0, -1, NULL, NULL, NULL, NULL, "No",
	    "" },
	{ "Auth-Status: OK\r\nAuth-Status: No\r\nAuth-Port: 0\r\n", AUTH_HTTP_ERROR, 0, -1, NULL, NULL, NULL,
	    NULL, "No", "" },
	{ "Auth-Status: WAIT\r\nAuth-Status: OK\r\nAuth-Wait: x\r\n", AUTH_HTTP_WAIT, 0, -1, NULL, NULL, NULL,
	    NULL, "", "" },
	{ "Auth-Status: OK\r\nAuth-Server: a\r\nAuth-Port: 65536\r\n", AUTH_HTTP_GARBAGE, 0, -1, "a", NULL,
	    NULL, NULL, "", "" },
	{ "Auth-Status: OK\r\nX: y\r\n z\r\n", AUTH_HTTP_GARBAGE, 0, -1, NULL, NULL, NULL, NULL, "", "" },
	{ "Auth-Status: OK\r\nAuth-User: a\rb\r\n", AUTH_HTTP_GARBAGE, 0, -1, NULL, NULL, NULL, NULL, "",
	    "" },
};

static void
same_text(const char *a, const char *b)
{
	assert_int_equal(a == NULL, b == NULL);
	if (a != NULL)
		assert_string_equal(a, b);
}

static void
replies_are_read_as_by_nginx_but_fail_closed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		const struct reply_case *wanted = &replies[i];
		struct auth_http_reply reply;

		auth_http_read(slice_of(wanted->lines), &reply);
		if (reply.status != wanted->status)
			fail_msg("%s: %d", wanted->lines, (int)reply.status);
		assert_int_equal(reply.port, wanted->port);
		assert_int_equal(reply.wait_s, wanted->wait_s);
		same_text(reply.server, wanted->server);
		same_text(reply.user, wanted->user);
		same_text(reply.pass, wanted->pass);
		same_text(reply.pool, wanted->pool);
		same_text(reply.text, wanted->text);
		same_text(reply.code, wanted->code);
		auth_http_reply_clear(&reply);
	}
}

static void
long_texts_are_cut(void **state)
{
	char lines[1024];
	struct auth_http_reply reply;

	(void)state;
	memset(lines, 'x', sizeof(lines));
	memcpy(lines, "Auth-Status: ", strlen("Auth-Status: "));
	auth_http_read(slice_make(lines, sizeof(lines)), &reply);
	assert_int_equal(reply.status, AUTH_HTTP_ERROR);
	assert_int_equal(strlen(reply.text), AUTH_HTTP_TEXT_MAX - 1);
	auth_http_reply_clear(&reply);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_login_is_asked_about_as_by_nginx),
		cmocka_unit_test(what_is_shown_depends_on_the_mechanism),
		cmocka_unit_test(a_lookup_tells_of_the_mail),
		cmocka_unit_test(certificates_are_told_as_by_nginx),
		cmocka_unit_test(variables_and_escapes_stay_one_line),
		cmocka_unit_test(wrong_headers_are_refused),
		cmocka_unit_test(urls_and_authorities_are_looked_at_when_it_opens),
		cmocka_unit_test(only_what_was_written_is_offered_beyond_passwords),
		cmocka_unit_test(replies_are_read_as_by_nginx_but_fail_closed),
		cmocka_unit_test(long_texts_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
