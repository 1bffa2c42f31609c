/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_dovecot_test.c: logins and lookups, and what is made of what an auth server says to them. */
#include "auths.h"

#include "dovecot_fake.h"

static struct loop *loop;
static struct auth_clients *clients;
static struct fake fake, master;
static struct conf *conf;
static struct conf_list auths;
static const struct auth_scene scene = { .protocol = "imap", .sni = "mail.example" };
static struct identity identity;

enum { CODE_SIZE = 200 };

struct question {
	struct auth_request request;
	struct credentials credentials;
	int answers;
	struct auth_answer answer;	/* its texts are copied */
	char user[CODE_SIZE], why[CODE_SIZE], reason[CODE_SIZE], host[CODE_SIZE], pass[CODE_SIZE];
	char challenge[CODE_SIZE], token_error[CODE_SIZE];
};

static const char *
copy(const char *text, char out[CODE_SIZE])
{
	snprintf(out, CODE_SIZE, "%s", text != NULL ? text : "");
	return text != NULL ? out : NULL;
}

static void
on_verdict(struct auth_request *request, const struct auth_answer *answer)
{
	struct question *question = (struct question *)request;

	question->answers++;
	question->answer = *answer;
	question->answer.user = copy(answer->user, question->user);
	question->answer.why = copy(answer->why, question->why);
	question->answer.reason = copy(answer->reason, question->reason);
	question->answer.host = copy(answer->host, question->host);
	question->answer.pass = copy(answer->pass, question->pass);
	snprintf(question->challenge, CODE_SIZE, "%.*s", SLICE_ARGS(answer->challenge));
	snprintf(question->token_error, CODE_SIZE, "%s",
	    answer->token_error != NULL ? answer->token_error : "");
	loop_stop(loop);
}

static void
open_auths(const char *text, const struct conf_list *before)
{
	struct conf_problems problems = { 0 };

	conf = load_auths(text, &auths);
	for (size_t i = 0; i < auths.count; i++)
		assert_true(auth_open(auths.items[i], before, &problems));
	auth_warm(&auths, clients);
}

static void
close_auths(struct conf **which, const struct conf_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		auth_close(list->items[i]);
	conf_free(which);
}

/* The usual block, and lines behind it. */
static void
open_sasl(const char *more)
{
	static const char format[] =
	    "auth sasl { source dovecot; socket unix:%s; lookup_socket unix:%s\n timeout 2s }\n%s";
	char *text = xasprintf(format, fake.path, master.path, more);

	open_auths(text, NULL);
	xfree(text);
}

static int
set_up(void **state)
{
	(void)state;
	loop = loop_new(0);
	clients = auth_clients_new(loop, 0);
	fake_start(&fake, loop, 0, HANDSHAKE_23);
	fake_start(&master, loop, 1, HANDSHAKE_MASTER);
	identity = (struct identity){ .session = "0123456789abcdef", .tls_version = "TLSv1.3" };
	assert_true(addr_parse(slice_of("192.0.2.9"), 4711, &identity.client));
	assert_true(addr_parse(slice_of("127.0.0.1"), 993, &identity.local));
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	close_auths(&conf, &auths);
	auth_clients_free(&clients);
	fake_stop(&fake);
	fake_stop(&master);
	loop_free(&loop);
	return 0;
}

static struct question
question_of(enum mechanism mechanism, const char *user, const char *password)
{
	struct question question = {
		.request = {
			.loop = loop, .chain = &auths, .identity = &identity, .scene = &scene,
			.clients = clients, .user = "alice", .on_verdict = on_verdict,
		},
		.credentials.mechanism = mechanism,
	};

	buf_append_text(&question.credentials.user, user);
	buf_append_text(&question.credentials.password, password);
	return question;
}

static void
begin(struct question *question)
{
	question->request.credentials = &question->credentials;
	auth_start(&question->request);
}

static void
expect(struct question *question, int answers, enum auth_verdict verdict)
{
	await(loop, &question->answers, answers);
	assert_int_equal(question->answers, answers);
	assert_int_equal(question->answer.verdict, verdict);
}

static void
end(struct question *question)
{
	auth_cancel(&question->request);
	credentials_wipe(&question->credentials);
}

static void
a_password_is_asked_for_with_all_that_is_known(void **state)
{
	static const char asked[] =
	    "AUTH\t1\tPLAIN\tservice=imap\tlip=127.0.0.1\tlport=993\trip=192.0.2.9\trport=4711"
	    "\tsession=0123456789abcdef\tlocal_name=mail.example\tsecured\tresp=AGFsaWNlAHdvbmRlcg==\n";
	static const char reply[] =
	    "OK\t1\tuser=Alice\tproxy\thost=10.0.0.9\tport=10143\tpass=a\001tb%x\tproxy_timeout=5"
	    "\tdirector_tag=t1\tnopassword\toriginal_user=gp\tunknown\001=x\n";
	struct question question = question_of(MECHANISM_NONE, "alice", "wonder");

	(void)state;
	open_sasl("");
	begin(&question);
	fake_await(&fake, 0, asked);
	fake_say(&fake, 0, reply);
	expect(&question, 1, AUTH_OK);
	assert_string_equal(question.answer.user, "Alice");
	assert_string_equal(question.answer.host, "10.0.0.9");
	assert_string_equal(question.answer.pass, "a\tb%x");
	assert_int_equal(question.answer.port, 10143);
	assert_int_equal(question.answer.timeout_ms, 5000);
	assert_null(question.answer.pool);
	end(&question);
}

static void
a_trusted_client_counts_as_on_tls(void **state)
{
	static const struct auth_scene trusted = { .protocol = "pop3", .is_trusted = true };
	struct question question = question_of(MECHANISM_PLAIN, "alice", "wonder");
	struct question other = question_of(MECHANISM_PLAIN, "alice", "wonder");

	(void)state;
	open_sasl("");
	identity.tls_version = NULL;
	begin(&question);
	fake_await(&fake, 0, "\tresp=");
	assert_false(fake_has_heard(&fake, 0, "secured"));
	other.request.scene = &trusted;
	begin(&other);
	fake_await(&fake, 0, "AUTH\t2\tPLAIN\tservice=pop3\t");
	fake_await(&fake, 0, "\tsecured\tresp=");
	end(&question);
	end(&other);
	fake_await(&fake, 0, "CANCEL\t2\n");
}

static void
login_is_played_where_there_is_no_plain(void **state)
{
	struct question question = question_of(MECHANISM_PLAIN, "alice", "wonder");
	struct question acting = question_of(MECHANISM_PLAIN, "gp", "secret");

	(void)state;
	fake.greeting = "VERSION\t1\t2\nMECH\tLOGIN\tplaintext\nDONE\n";
	open_sasl("");
	begin(&question);
	fake_await(&fake, 0, "AUTH\t1\tLOGIN\t");
	fake_await(&fake, 0, "secured\n");
	fake_say(&fake, 0, "CONT\t1\tVXNlcm5hbWU6\n");
	fake_await(&fake, 0, "CONT\t1\tYWxpY2U=\n");
	fake_say(&fake, 0, "CONT\t1\tUGFzc3dvcmQ6\n");
	fake_await(&fake, 0, "CONT\t1\td29uZGVy\n");
	fake_say(&fake, 0, "OK\t1\tuser=alice\n");
	expect(&question, 1, AUTH_OK);
	end(&question);
	/* it has no room for another name: nobody is let in by half of it */
	buf_append_text(&acting.credentials.authzid, "alice");
	begin(&acting);
	expect(&acting, 1, AUTH_LATER);
	assert_false(fake_has_heard(&fake, 0, "AUTH\t2"));
	end(&acting);
}

static void
a_refused_token_comes_with_its_error(void **state)
{
	struct question question = question_of(MECHANISM_OAUTHBEARER, "alice", "token");

	(void)state;
	open_sasl("");
	begin(&question);
	fake_await(&fake, 0, "AUTH\t1\tOAUTHBEARER\t");
	fake_await(&fake, 0, "resp=bixhPWFsaWNlLAFhdXRoPUJlYXJlciB0b2tlbgEB\n");
	fake_say(&fake, 0, "CONT\t1\teyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\n");
	fake_await(&fake, 0, "CONT\t1\tAQ==\n");
	fake_say(&fake, 0, "FAIL\t1\tuser=alice\n");
	expect(&question, 1, AUTH_REFUSED);
	assert_string_equal(question.token_error, "{\"status\":\"invalid_token\"}");
	end(&question);
}

static void
a_certificate_tells_who_it_is(void **state)
{
	struct question question = question_of(MECHANISM_EXTERNAL, "alice", "");

	(void)state;
	open_sasl("");
	identity.certificate_user = "alice";
	begin(&question);
	fake_await(&fake, 0, "AUTH\t1\tEXTERNAL\t");
	fake_await(&fake, 0, "\tsecured\tvalid-client-cert\tcert_username=alice\tresp=\n");
	fake_say(&fake, 0, "OK\t1\tuser=alice\n");
	expect(&question, 1, AUTH_OK);
	identity.certificate_user = NULL;
	end(&question);
}

static void
respond(struct question *question, const char *text)
{
	buf_clear(&question->credentials.response);
	buf_append_text(&question->credentials.response, text);
	auth_respond(&question->request);
}

static void
an_exchange_is_led_by_the_server(void **state)
{
	struct question question = question_of(MECHANISM_SCRAM_SHA_256, "", "");

	(void)state;
	open_sasl("");
	question.credentials.has_initial = true;
	buf_append_text(&question.credentials.response, "n,,n=alice,r=abc");
	begin(&question);
	fake_await(&fake, 0, "AUTH\t1\tSCRAM-SHA-256\t");
	fake_await(&fake, 0, "resp=biwsbj1hbGljZSxyPWFiYw==\n");
	fake_say(&fake, 0, "CONT\t1\tcj1hYmM=\n");
	expect(&question, 1, AUTH_CHALLENGE);
	assert_string_equal(question.challenge, "r=abc");
	respond(&question, "c=biws");
	fake_await(&fake, 0, "CONT\t1\tYz1iaXdz\n");
	fake_say(&fake, 0, "CONT\t1\tdj14\n");
	expect(&question, 2, AUTH_CHALLENGE);
	assert_string_equal(question.challenge, "v=x");
	respond(&question, "");
	fake_await(&fake, 0, "CONT\t1\t\n");
	fake_say(&fake, 0, "OK\t1\tuser=alice\n");
	expect(&question, 3, AUTH_OK);
	assert_string_equal(question.answer.user, "alice");
	end(&question);
}

static void
an_exchange_ends_where_it_must(void **state)
{
	static char endless[16 * 1024];
	struct question question = question_of(MECHANISM_SCRAM_SHA_256, "", "");

	(void)state;
	open_sasl("");
	/* without an initial response there is none */
	begin(&question);
	fake_await(&fake, 0, "\tsecured\n");
	fake_say(&fake, 0, "CONT\t1\t\n");
	expect(&question, 1, AUTH_CHALLENGE);
	memset(endless, 'x', sizeof(endless) - 1);
	respond(&question, endless);
	expect(&question, 2, AUTH_LATER);
	fake_await(&fake, 0, "CANCEL\t1\n");
	begin(&question);
	expect(&question, 3, AUTH_LATER);	/* as long yet */
	buf_clear(&question.credentials.response);
	begin(&question);
	fake_await(&fake, 0, "AUTH\t3\t");
	fake_say(&fake, 0, "CONT\t3\tno base64!\n");
	expect(&question, 4, AUTH_LATER);
	fake_await(&fake, 0, "CANCEL\t3\n");
	/* the client breaks off */
	begin(&question);
	fake_await(&fake, 0, "AUTH\t4\t");
	fake_say(&fake, 0, "CONT\t4\t\n");
	expect(&question, 5, AUTH_CHALLENGE);
	auth_cancel(&question.request);
	fake_await(&fake, 0, "CANCEL\t4\n");
	/* a challenge of ours is nothing to the server */
	buf_append_text(&question.credentials.challenge, "<1@us>");
	begin(&question);
	expect(&question, 6, AUTH_LATER);
	assert_false(fake_has_heard(&fake, 0, "AUTH\t5"));
	end(&question);
}

static void
replies_make_verdicts(void **state)
{
	static const struct {
		const char *reply;
		enum auth_verdict verdict;
		const char *reason;
	} rows[] = {
		{ "OK\t%u\tuser=alice\n", AUTH_OK, NULL },
		{ "OK\t%u\n", AUTH_OK, NULL },
		{ "OK\t%u\tuser=alice\tnologin\treason=Gone: host=x\n", AUTH_REFUSED, "Gone: host=x" },
		{ "OK\t%u\tuser=alice\tnologin\tproxy\thost=10.0.0.7\n", AUTH_OK, NULL },
		{ "OK\t%u\tuser=alice\tallow_nets=10.0.0.0/8\n", AUTH_REFUSED, NULL },
		{ "OK\t%u\tuser=alice\tallow_nets=192.0.2.0/24\n", AUTH_OK, NULL },
		{ "OK\t%u\tuser=alice\tproxy\thost=b.example.com\n", AUTH_OK, NULL },
		{ "OK\t%u\tuser=alice\tport=99999\n", AUTH_LATER, NULL },
		{ "OK\t%u\tuser=alice\tpass=x\001nDELE 1\n", AUTH_LATER, NULL },
		{ "OK\t%u\tuser=root\0010x\n", AUTH_LATER, NULL },
		{ "OK\t%u\tuser=\n", AUTH_LATER, NULL },
		{ "FAIL\t%u\tuser=alice\n", AUTH_REFUSED, NULL },
		{ "FAIL\t%u\tuser=alice\treason=No\001nway\n", AUTH_REFUSED, NULL },
		{ "FAIL\t%u\tuser=alice\tcode=temp_fail\treason=Later\n", AUTH_LATER, "Later" },
		{ "FAIL\t%u\tuser=alice\ttemp\n", AUTH_LATER, NULL },
		{ "FAIL\t%u\tuser=alice\tcode=user_disabled\treason=Closed\n", AUTH_REFUSED, "Closed" },
		{ "FAIL\t%u\tuser=alice\tcode=pass_expired\treason=Old\n", AUTH_REFUSED, "Old" },
		{ "FAIL\t%u\tuser=alice\tcode=authz_fail\n", AUTH_REFUSED, NULL },
		{ "FAIL\t%u\tuser=alice\tcode=new_code\n", AUTH_REFUSED, NULL },
		{ "FAIL\t%u\tuser=alice\tcode=invalid_base64\n", AUTH_LATER, NULL },
		{ "FAIL\t%u\tuser=alice\t\tcode=new_code\n", AUTH_REFUSED, NULL },
		{ "PASS\t%u\tuser=alice\n", AUTH_LATER, NULL },
		{ "CONT\t%u\tYQ==\n", AUTH_LATER, NULL },
	};

	(void)state;
	open_sasl("");
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct question question = question_of(MECHANISM_PLAIN, "alice", "wonder");
		char *asked = xasprintf("AUTH\t%u\t", i + 1);
		const char *number = strstr(rows[i].reply, "%u");
		char *reply = xasprintf("%.*s%u%s", (int)(number - rows[i].reply), rows[i].reply, i + 1,
		    number + strlen("%u"));

		begin(&question);
		fake_await(&fake, 0, asked);
		fake_say(&fake, 0, reply);
		expect(&question, 1, rows[i].verdict);
		if (rows[i].reason != NULL)
			assert_string_equal(question.answer.reason, rows[i].reason);
		else
			assert_null(question.answer.reason);
		end(&question);
		xfree(asked);
		xfree(reply);
	}
}

static void
whom_it_refuses_without_a_reason_the_next_is_asked_about(void **state)
{
	struct question question = question_of(MECHANISM_PLAIN, "alice", "wonder");
	struct question disabled = question_of(MECHANISM_PLAIN, "alice", "wonder");

	(void)state;
	open_sasl("auth rest { source server }");
	begin(&question);
	fake_await(&fake, 0, "AUTH\t1\t");
	fake_say(&fake, 0, "FAIL\t1\tuser=alice\n");
	expect(&question, 1, AUTH_BY_SERVER);
	begin(&disabled);
	fake_await(&fake, 0, "AUTH\t2\t");
	fake_say(&fake, 0, "FAIL\t2\tuser=alice\tcode=user_disabled\n");
	expect(&disabled, 1, AUTH_REFUSED);
	end(&question);
	end(&disabled);
}

static struct question
lookup_of(const char *user)
{
	struct question question = question_of(MECHANISM_NONE, "", "");

	question.request.user = user;
	return question;
}

static void
users_are_looked_up_by_the_master_socket(void **state)
{
	struct question questions[] = { lookup_of("bob"), lookup_of("nobody"), lookup_of("other") };

	(void)state;
	open_sasl("");
	for (int i = 0; i < 3; i++)
		auth_lookup_start(&questions[i].request);
	fake_await(&master, 0, "PASS\t1\tbob\tservice=imap\t");
	fake_await(&master, 0, "PASS\t3\tother\t");
	assert_true(slice_has_prefix(buf_slice(&master.peers[0].data), "VERSION\t1\t2\nPASS"));
	fake_say(&master, 0, "FAIL\t3\treason=x\nNOTFOUND\t2\n");
	fake_say(&master, 0, "PASS\t1\tuser=bob\tproxy=y\thost=10.0.0.7\tnologin\n");
	expect(&questions[0], 1, AUTH_OK);
	assert_string_equal(questions[0].answer.host, "10.0.0.7");
	assert_false(questions[0].answer.refuses_login);	/* it is passed on */
	expect(&questions[1], 1, AUTH_REFUSED);
	expect(&questions[2], 1, AUTH_LATER);
	assert_false(fake_has_heard(&fake, 0, "PASS"));
}

static void
without_a_master_socket_nobody_is_looked_up(void **state)
{
	struct question question = lookup_of("bob");
	char *text = xasprintf("auth sasl { source dovecot; socket unix:%s }", fake.path);

	(void)state;
	open_auths(text, NULL);
	auth_lookup_start(&question.request);
	expect(&question, 1, AUTH_BY_SERVER);
	xfree(text);
}

static void
mechanisms_are_those_that_it_lists_also_after_a_reload(void **state)
{
	const unsigned before = MECHANISM_BIT(MECHANISM_PLAIN) | MECHANISM_BIT(MECHANISM_LOGIN);
	const unsigned listed = before | MECHANISM_BIT(MECHANISM_SCRAM_SHA_256) |
	    MECHANISM_BIT(MECHANISM_OAUTHBEARER) | MECHANISM_BIT(MECHANISM_EXTERNAL);
	struct conf *old_conf;
	struct conf_list old;
	char *text = xasprintf("auth sasl { source dovecot; socket unix:%s }", fake.path);

	(void)state;
	open_auths(text, NULL);
	assert_true(auth_leads_exchanges(&auths));
	assert_int_equal(auth_mechanisms(&auths), before);
	fake_await(&fake, 0, "CPID");
	while (auth_mechanisms(&auths) == before)
		loop_run(loop);
	assert_int_equal(auth_mechanisms(&auths), listed);
	old_conf = conf;
	old = auths;
	open_auths(text, &old);
	assert_int_equal(auth_mechanisms(&auths), listed);
	close_auths(&old_conf, &old);
	turn_a_little(loop);
	assert_int_equal(fake.count, 1);
	xfree(text);
}

static void
what_a_block_may_say(void **state)
{
	static const struct {
		const char *text, *problem;	/* NULL: it is good */
	} rows[] = {
		{ "socket unix:/run/x", NULL },
		{ "socket inet:127.0.0.1:12345 auth.example.com:1 inet:[::1]:2", NULL },
		{ "socket inet:inet:1; lookup_socket inet:1", NULL },
		{ "socket unix:/run/x; timeout 2s; mechanisms SCRAM-SHA-256 EXTERNAL", NULL },
		{ "", "source dovecot needs a socket" },
		{ "socket 127.0.0.1", "lacks a port" },
		{ "socket unix:/run/x; path /u", "source dovecot has no path" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = xasprintf("auth x { source dovecot; %s }", rows[i].text);
		struct conf_problems problems = { 0 };
		struct conf *loaded = conf_load_text("text", text, &root_block, &problems);

		assert_int_equal(loaded != NULL, rows[i].problem == NULL);
		if (rows[i].problem != NULL)
			assert_non_null(strstr(conf_problems_text(&problems, 0), rows[i].problem));
		conf_problems_clear(&problems);
		conf_free(&loaded);
		xfree(text);
	}
	open_sasl("");
	assert_int_equal(((const struct auth *)auths.items[0])->timeout.ms, 2000);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_password_is_asked_for_with_all_that_is_known),
		TEST(a_trusted_client_counts_as_on_tls),
		TEST(login_is_played_where_there_is_no_plain),
		TEST(a_refused_token_comes_with_its_error),
		TEST(a_certificate_tells_who_it_is),
		TEST(an_exchange_is_led_by_the_server),
		TEST(an_exchange_ends_where_it_must),
		TEST(replies_make_verdicts),
		TEST(whom_it_refuses_without_a_reason_the_next_is_asked_about),
		TEST(users_are_looked_up_by_the_master_socket),
		TEST(without_a_master_socket_nobody_is_looked_up),
		TEST(mechanisms_are_those_that_it_lists_also_after_a_reload),
		TEST(what_a_block_may_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
