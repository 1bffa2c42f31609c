/* SPDX-License-Identifier: BSD-2-Clause */
/* tls_context_test.c: what OpenSSL's own client gets for its hello, and which files are good. */
#include "certificates.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>

/* What a client says, and what came of it. */
struct call {
	const char *name, *alpn;	/* alpn in the wire's form */
	const char *sigalgs;		/* NULL: OpenSSL's */
	int version;			/* 0: any */
	uint64_t tag;
	const char *front_alpn;
	SSL_SESSION *offered;

	bool ok;
	int alert;
	bool resumed, is_ec;
	char got_alpn[16], reason[STREAM_REASON_MAX];
	X509 *certificate;
	SSL_SESSION *session;
};

static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	struct call *call = SSL_get_app_data(ssl);

	SSL_SESSION_free(call->session);
	call->session = session;
	return 1;
}

static SSL *
open_client(struct call *call, SSL_CTX *ctx, int fd)
{
	SSL *ssl;

	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	ssl = SSL_new(ctx);
	SSL_set_app_data(ssl, call);
	SSL_set_fd(ssl, fd);
	SSL_set_connect_state(ssl);
	if (call->version != 0)
		SSL_set_max_proto_version(ssl, call->version);
	if (call->name != NULL)
		SSL_set_tlsext_host_name(ssl, call->name);
	if (call->alpn != NULL)
		SSL_set_alpn_protos(ssl, (const unsigned char *)call->alpn, (unsigned)strlen(call->alpn));
	if (call->sigalgs != NULL)
		assert_int_equal(SSL_set1_sigalgs_list(ssl, call->sigalgs), 1);
	if (call->offered != NULL)
		SSL_set_session(ssl, call->offered);
	return ssl;
}

/* Lets the loop and the client take turns until `step` is over; true where it succeeded. */
static bool
drive(struct loop *loop, SSL *ssl, int (*step)(SSL *ssl))
{
	for (;;) {
		int result = step(ssl), why = SSL_get_error(ssl, result);

		if (result > 0 || (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE))
			return result > 0;
		turn_a_little(loop);
	}
}

static int
read_some(SSL *ssl)
{
	char data[64];

	return SSL_read(ssl, data, sizeof(data));
}

static void
learn(struct call *call, SSL *ssl)
{
	const unsigned char *alpn;
	unsigned len;

	call->resumed = SSL_session_reused(ssl);
	call->certificate = SSL_get1_peer_certificate(ssl);
	call->is_ec = EVP_PKEY_get_base_id(X509_get0_pubkey(call->certificate)) == EVP_PKEY_EC;
	SSL_get0_alpn_selected(ssl, &alpn, &len);
	snprintf(call->got_alpn, sizeof(call->got_alpn), "%.*s", (int)len, len > 0 ? (const char *)alpn : "");
}

static void
talk(struct tls_context *context, struct call *call)
{
	struct tls_front front = { .context = context, .alpn = call->front_alpn, .ticket_tag = call->tag };
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct loop *loop = loop_new(0);
	struct tape tape = { 0 };
	int fds[2];
	SSL *ssl;

	make_pair(fds);
	ssl = open_client(call, ctx, fds[1]);
	stream_open(&tape.stream, loop, fds[0], tape_record, &tape);
	stream_accept_tls(&tape.stream, &front);
	ERR_clear_error();
	call->ok = drive(loop, ssl, SSL_do_handshake);
	if (call->ok) {
		tape_await(&tape, STREAM_TLS_READY, 1);
		/* the ticket of TLS 1.3 comes with the first bytes */
		stream_write(&tape.stream, slice_of("hello"));
		call->ok = drive(loop, ssl, read_some);
		learn(call, ssl);
	} else {
		call->alert = ERR_GET_REASON(ERR_peek_error()) - SSL_AD_REASON_OFFSET;
		tape_await(&tape, STREAM_FAILED, 1);
	}
	snprintf(call->reason, sizeof(call->reason), "%s", tape.reason);
	ERR_clear_error();
	tape_close(&tape);
	/* without it OpenSSL takes the session for a broken one */
	SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(fds[1]);
	loop_free(&loop);
}

static void
forget(struct call *call)
{
	X509_free(call->certificate);
	SSL_SESSION_free(call->session);
	*call = (struct call){ 0 };
}

static bool
is_for(const struct call *call, const char *name)
{
	return X509_check_host(call->certificate, name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

static void
assert_served(struct tls_context *context, const char *name, const char *bears)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	for (int i = 0; i < 2; i++) {
		struct call call = { .name = name, .version = versions[i] };

		talk(context, &call);
		assert_true(call.ok);
		assert_true(is_for(&call, bears));
		forget(&call);
	}
}

static void
the_name_asked_for_chooses_the_certificate(void **state)
{
	struct tls_context *context;
	struct block_of block;

	(void)state;
	write_pem("DNS:first.example.com", "a1.pem");
	write_pem("DNS:mail.example.com,DNS:*.example.org", "a2.pem");
	write_pem("DNS:deep.example.org", "a3.pem");
	fill_block(&block, "a?.pem");
	context = load_block(&block);
	assert_served(context, NULL, "first.example.com");
	assert_served(context, "first.example.com", "first.example.com");
	assert_served(context, "mail.example.com", "mail.example.com");
	assert_served(context, "MAIL.Example.COM", "mail.example.com");
	assert_served(context, "any.example.org", "any.example.org");
	assert_served(context, "deep.example.org", "deep.example.org");
	assert_served(context, "two.labels.example.org", "first.example.com");
	assert_served(context, "unknown.test", "first.example.com");
	tls_context_free(&context);
}

static void
unknown_names_are_refused_where_wanted(void **state)
{
	struct call unknown = { .name = "unknown.test" }, known = { .name = "mail.example.com" };
	struct call none = { 0 };
	struct tls_context *context;
	struct block_of block;

	(void)state;
	write_pem("DNS:mail.example.com", "b1.pem");
	fill_block(&block, "b1.pem");
	block.settings.unknown_name = TLS_UNKNOWN_REFUSE;
	context = load_block(&block);
	talk(context, &unknown);
	assert_false(unknown.ok);
	assert_int_equal(unknown.alert, SSL_AD_UNRECOGNIZED_NAME);
	talk(context, &known);
	assert_true(known.ok);
	talk(context, &none);
	assert_true(none.ok);
	forget(&known);
	forget(&none);
	tls_context_free(&context);
}

static void
a_name_may_have_keys_of_two_kinds(void **state)
{
	struct call ec = { .name = "mail.example.com", .sigalgs = "ECDSA+SHA256:RSA-PSS+SHA256" };
	struct call rsa = { .name = "mail.example.com", .sigalgs = "RSA-PSS+SHA256:RSA+SHA256" };
	struct call other = { .name = "only-rsa.example.com" };
	struct tls_context *context;
	struct block_of block;

	(void)state;
	write_pair(&(struct wanted){ .names = "DNS:mail.example.com,DNS:only-rsa.example.com", .rsa = true,
	    .valid_s = YEAR, .certificate_file = "c1.crt", .key_file = "c.key" });
	write_pair(&(struct wanted){ .names = "DNS:mail.example.com", .valid_s = YEAR,
	    .certificate_file = "c2.crt", .key_file = "c.key" });
	fill_block(&block, "c?.crt");
	block.keys[0] = in_folder("c.key");
	block.settings.key.count = 1;
	context = load_block(&block);
	talk(context, &ec);
	assert_true(ec.ok && ec.is_ec);
	talk(context, &rsa);
	assert_true(rsa.ok && !rsa.is_ec);
	talk(context, &other);
	assert_true(other.ok && !other.is_ec);
	forget(&ec);
	forget(&rsa);
	forget(&other);
	tls_context_free(&context);
}

static void
alpn_must_mean_this_protocol_or_be_absent(void **state)
{
	struct call none = { .front_alpn = "imap" };
	struct call ours = { .front_alpn = "imap", .alpn = "\4smtp\4imap" };
	struct call foreign = { .front_alpn = "imap", .alpn = "\2h2\10http/1.1" };
	struct call ignored = { .alpn = "\2h2" };
	struct tls_context *context;
	struct block_of block;

	(void)state;
	write_pem("DNS:mail.example.com", "d1.pem");
	fill_block(&block, "d1.pem");
	context = load_block(&block);
	talk(context, &none);
	assert_true(none.ok);
	talk(context, &ours);
	assert_true(ours.ok);
	assert_string_equal(ours.got_alpn, "imap");
	talk(context, &foreign);
	assert_false(foreign.ok);
	assert_int_equal(foreign.alert, SSL_AD_NO_APPLICATION_PROTOCOL);
	talk(context, &ignored);
	assert_true(ignored.ok);
	assert_string_equal(ignored.got_alpn, "");
	forget(&none);
	forget(&ours);
	forget(&ignored);
	tls_context_free(&context);
}

/* Whether a session begun as `first` resumes with what `second` says. */
static bool
resumes(struct tls_context *context, struct call first, struct call second, int rotations)
{
	bool resumed;

	talk(context, &first);
	assert_true(first.ok);
	assert_false(first.resumed);
	if (first.session == NULL) {
		forget(&first);
		return false;
	}
	while (rotations-- > 0)
		tls_tickets_rotate();
	second.offered = first.session;
	talk(context, &second);
	assert_true(second.ok);
	resumed = second.resumed;
	forget(&first);
	forget(&second);
	return resumed;
}

static void
sessions_resume_where_they_began_only(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct tls_context *context, *other;
	struct block_of block;

	(void)state;
	write_pem("DNS:a.example.com,DNS:b.example.com", "e1.pem");
	fill_block(&block, "e1.pem");
	context = load_block(&block);
	for (int i = 0; i < 2; i++) {
		struct call a = { .name = "a.example.com", .version = versions[i], .tag = 1 };
		struct call b = a, at_other_listener = a, upper = a;

		b.name = "b.example.com";
		upper.name = "A.example.com";
		at_other_listener.tag = 2;
		assert_true(resumes(context, a, a, 0));
		assert_true(resumes(context, a, upper, 0));
		assert_false(resumes(context, a, b, 0));
		assert_false(resumes(context, a, at_other_listener, 0));
		assert_true(resumes(context, a, a, 1));
		assert_false(resumes(context, a, a, 2));
	}
	block.settings.session_tickets = false;
	other = load_block(&block);
	for (int i = 0; i < 2; i++) {
		struct call a = { .name = "a.example.com", .version = versions[i] };

		assert_false(resumes(other, a, a, 0));
	}
	tls_context_free(&other);
	tls_context_free(&context);
}

static void
old_versions_are_refused(void **state)
{
	struct call old = { .version = TLS1_1_VERSION }, not_new = { .version = TLS1_2_VERSION };
	struct tls_context *context;
	struct block_of block;

	(void)state;
	write_pem("DNS:mail.example.com", "f1.pem");
	fill_block(&block, "f1.pem");
	block.settings.min_version = TLS1_3_VERSION;
	context = load_block(&block);
	talk(context, &not_new);
	assert_false(not_new.ok);
	assert_int_equal(not_new.alert, SSL_AD_PROTOCOL_VERSION);
	assert_string_equal(not_new.reason, "unsupported protocol");
	tls_context_free(&context);
	block.settings.min_version = TLS1_2_VERSION;
	context = load_block(&block);
	talk(context, &old);
	assert_false(old.ok);
	tls_context_free(&context);
}

static void
changed_files_are_loaded_and_bad_ones_are_not(void **state)
{
	struct call before = { 0 }, after = { 0 }, still = { 0 };
	struct said said = { 0 };
	struct tls_context *context;
	struct block_of block;
	bool changed;
	FILE *file;

	(void)state;
	write_pem("DNS:old.example.com", "g1.pem");
	fill_block(&block, "g?.pem");
	context = load_block(&block);
	talk(context, &before);
	assert_true(is_for(&before, "old.example.com"));
	assert_true(tls_context_refresh(context, &changed, &said.problems));
	assert_false(changed);

	write_pem("DNS:new.example.com", "g1.pem");
	assert_true(tls_context_refresh(context, &changed, &said.problems));
	assert_true(changed);
	talk(context, &after);
	assert_true(is_for(&after, "new.example.com"));

	file = fopen(in_folder("g2.pem"), "w");
	fputs("nothing\n", file);
	fclose(file);
	assert_false(tls_context_refresh(context, &changed, &said.problems));
	assert_non_null(strstr(read_said(&said), "g2.pem"));
	assert_true(tls_context_refresh(context, &changed, &said.problems));	/* said once */
	assert_false(changed);
	talk(context, &still);
	assert_true(is_for(&still, "new.example.com"));
	unlink(in_folder("g2.pem"));
	forget(&before);
	forget(&after);
	forget(&still);
	tls_context_free(&context);
}

/* As a service user meets a file that root renewed; whoever is not root cannot read a mode of 0. */
static bool
refresh_as_other(struct tls_context *context, bool *changed, struct conf_problems *problems)
{
	enum { OTHER = 65534 };
	bool is_root = geteuid() == 0, ok;

	if (is_root)
		assert_int_equal(seteuid(OTHER), 0);
	ok = tls_context_refresh(context, changed, problems);
	if (is_root)
		assert_int_equal(seteuid(0), 0);
	return ok;
}

static void
a_file_that_becomes_readable_is_loaded(void **state)
{
	struct call call = { 0 };
	struct said said = { 0 };
	struct tls_context *context;
	struct block_of block;
	bool changed;

	(void)state;
	assert_int_equal(chmod(folder, 0711), 0);
	write_pem("DNS:old.example.com", "k1.pem");
	fill_block(&block, "k1.pem");
	context = load_block(&block);
	write_pem("DNS:new.example.com", "k1.pem");
	assert_int_equal(chmod(in_folder("k1.pem"), 0), 0);
	assert_false(refresh_as_other(context, &changed, &said.problems));
	assert_non_null(strstr(read_said(&said), "Permission denied"));
	assert_true(refresh_as_other(context, &changed, &said.problems));	/* said once */

	assert_int_equal(chmod(in_folder("k1.pem"), 0644), 0);
	assert_true(refresh_as_other(context, &changed, &said.problems));
	assert_true(changed);
	talk(context, &call);
	assert_true(is_for(&call, "new.example.com"));
	forget(&call);
	tls_context_free(&context);
}

static void
assert_bad(const struct block_of *block, const char *says, const char *file)
{
	struct said said = { 0 };
	const char *text;

	assert_null(tls_context_load(&block->settings, &said.problems));
	text = read_said(&said);
	if (strstr(text, says) == NULL || strstr(text, file) == NULL)
		fail_msg("'%s' lacks '%s' or '%s'", text, says, file);
}

struct language {
	struct conf_block conf;
	struct conf_list tls;
};
static const struct directive rows[] = { CONF_BLOCKS(struct language, tls, &tls_block, 0), { 0 } };
static const struct block language_block = { .name = "", .directives = rows,
	.size = BLOCK_SIZE(struct language) };

/* A block's lines, each of which begins with the directive that is complained of. */
static void
assert_all_bad(const char *lines, const char *const wanted[])
{
	struct conf_problems problems = { 0 };
	struct said said = { 0 };
	struct conf *conf;
	char text[2048];

	snprintf(text, sizeof(text), "tls main {\n%s}\n", lines);
	conf = conf_load_text("conf", text, &language_block, &problems);
	assert_non_null(conf);
	assert_null(tls_context_load(((struct language *)conf_root(conf))->tls.items[0], &said.problems));
	read_said(&said);
	for (size_t i = 0; wanted[i] != NULL; i++)
		if (strstr(said.text, wanted[i]) == NULL)
			fail_msg("'%s' lacks '%s'", said.text, wanted[i]);
	conf_free(&conf);
}

/* All that is wrong, each at its place. */
static void
all_bad_files_are_named(void **state)
{
	static const char *const missing[] = {
		"conf:3:13: ./missing.pem: No such file or directory\n",
		"conf:4:13: ./nobody?.pem: no such file\n",
		"conf:5:5: ./missing.key: No such file or directory\n",
		"conf:6:9: ciphers: no cipher match\n",
		"conf:7:19: ./missing.password: No such file or directory\n", NULL
	};
	static const char *const unpaired[] = {
		"conf:3:13: ./l2.pem: no key fits this certificate\n",
		"conf:3:13: ./l3.pem: no key fits this certificate\n",
		"conf:4:5: ./l4.key: the key fits no certificate\n", NULL
	};
	int before = open(".", O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_int_equal(chdir(folder), 0);
	write_pem("DNS:x", "l1.pem");
	assert_all_bad("certificate ./l1.pem\ncertificate ./missing.pem\ncertificate ./nobody?.pem\n"
		       "key ./missing.key\nciphers NONSENSE\nkey_password_file ./missing.password\n",
	    missing);
	write_pair(&(struct wanted){ .names = "DNS:y", .valid_s = YEAR, .certificate_file = "l2.pem" });
	write_pair(&(struct wanted){ .names = "DNS:z", .valid_s = YEAR, .certificate_file = "l3.pem" });
	write_pair(&(struct wanted){ .names = "DNS:w", .valid_s = YEAR, .key_file = "l4.key" });
	assert_all_bad("certificate ./l1.pem\ncertificate ./l[23].pem\nkey ./l4.key\n", unpaired);
	assert_int_equal(fchdir(before), 0);
	close(before);
}

static void
errors_name_the_file(void **state)
{
	struct block_of block;

	(void)state;
	fill_block(&block, "missing.pem");
	assert_bad(&block, "No such file", "missing.pem");
	fill_block(&block, "missing*.pem");
	assert_bad(&block, "no such file", "missing*.pem");

	write_pair(&(struct wanted){ .names = "DNS:x", .valid_s = YEAR, .certificate_file = "h1.pem" });
	fill_block(&block, "h1.pem");
	assert_bad(&block, "no key fits", "h1.pem");
	write_pair(&(struct wanted){ .names = "DNS:x", .valid_s = YEAR, .key_file = "h1.key" });
	block.keys[0] = in_folder("h1.key");
	block.settings.key.count = 1;
	assert_bad(&block, "no key fits", "h1.pem");

	write_pem("DNS:x", "h2.pem");
	fill_block(&block, "h2.pem");
	block.keys[0] = in_folder("h1.pem");
	block.settings.key.count = 1;
	assert_bad(&block, "no key found", "h1.pem");
	fill_block(&block, "h2.pem");
	block.keys[0] = in_folder("h1.key");
	block.settings.key.count = 1;
	assert_bad(&block, "fits no certificate", "h1.key");

	fill_block(&block, "h2.pem");
	block.settings.ciphers = "NONSENSE";
	assert_bad(&block, "no cipher match", "ciphers");
}

static void
encrypted_keys_need_their_password(void **state)
{
	struct tls_context *context;
	struct block_of block;
	FILE *file;

	(void)state;
	write_pair(&(struct wanted){ .names = "DNS:x.test", .valid_s = YEAR, .certificate_file = "i1.pem",
	    .key_file = "i1.pem", .password = "open sesame" });
	fill_block(&block, "i1.pem");
	assert_bad(&block, "key cannot be read", "i1.pem");
	block.settings.key_password_file = in_folder("i1.password");
	assert_bad(&block, "No such file", "i1.password");
	file = fopen(in_folder("i1.password"), "w");
	fputs("open sesame\n", file);
	fclose(file);
	context = load_block(&block);
	assert_served(context, NULL, "x.test");
	tls_context_free(&context);
}

/* What is logged goes to standard error before log_start: read back from a file. */
static void
capture_warning(const struct block_of *block, char *text, size_t size)
{
	int saved = dup(STDERR_FILENO), file = open(in_folder("log"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct tls_context *context;
	ssize_t n;

	dup2(file, STDERR_FILENO);
	context = load_block(block);
	tls_context_warn(context);
	tls_context_warn(context);	/* said once a day */
	dup2(saved, STDERR_FILENO);
	n = pread(file, text, size - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	close(saved);
	close(file);
	tls_context_free(&context);
}

static void
expired_certificates_load_with_a_warning(void **state)
{
	static const struct {
		long valid_s;
		const char *says;
	} cases[] = { { -DAY, "expired on" }, { 3 * DAY, "expires on" }, { 30 * DAY, NULL } };
	struct block_of block;
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unlink(in_folder("j1.pem"));
		write_pair(&(struct wanted){ .names = "DNS:x", .valid_s = cases[i].valid_s,
		    .certificate_file = "j1.pem", .key_file = "j1.pem" });
		fill_block(&block, "j1.pem");
		capture_warning(&block, text, sizeof(text));
		if (cases[i].says == NULL) {
			assert_string_equal(text, "");
			continue;
		}
		assert_non_null(strstr(text, cases[i].says));
		assert_non_null(strstr(text, "tls main: "));
		assert_non_null(strstr(text, "j1.pem"));
		assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_name_asked_for_chooses_the_certificate),
		cmocka_unit_test(unknown_names_are_refused_where_wanted),
		cmocka_unit_test(a_name_may_have_keys_of_two_kinds),
		cmocka_unit_test(alpn_must_mean_this_protocol_or_be_absent),
		cmocka_unit_test(sessions_resume_where_they_began_only),
		cmocka_unit_test(old_versions_are_refused),
		cmocka_unit_test(changed_files_are_loaded_and_bad_ones_are_not),
		cmocka_unit_test(a_file_that_becomes_readable_is_loaded),
		cmocka_unit_test(errors_name_the_file),
		cmocka_unit_test(all_bad_files_are_named),
		cmocka_unit_test(encrypted_keys_need_their_password),
		cmocka_unit_test(expired_certificates_load_with_a_warning),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
