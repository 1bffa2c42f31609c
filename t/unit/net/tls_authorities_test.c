/* SPDX-License-Identifier: BSD-2-Clause */
/* tls_authorities_test.c: clients with and without certificates, what is believed of them, how long. */
#include "certificates.h"

#include <signal.h>

#include "net/tls.h"
#include "net/tls_authorities.h"

/* A client and the front; what came of the handshake. */
struct duo {
	struct tls_context *context;
	int version;			/* of the client; 0: any */
	const char *certificate;	/* of the client, a file; NULL: none */
	const char *name;		/* that it asks for */

	struct loop *loop;
	struct tape front, back;
	struct tls_front front_tls;
	struct tls_back back_tls;
	bool ok;
	struct tls_facts facts;
	char user[TLS_USER_MAX];	/* "" where there is none */
};

/* The blocks of all tests: what is vouched for is in good.pem. */
static void
fill(struct block_of *block, int verify_client)
{
	static const char *authorities[1];

	fill_block(block, "mail?.pem");
	block->settings.verify_client = verify_client;
	if (verify_client != TLS_VERIFY_OFF) {
		authorities[0] = in_folder("good.pem");
		block->settings.client_ca = (struct string_list){ authorities, 1 };
	}
}

static struct tls_context *
context_with(int verify_client)
{
	static struct block_of blocks[4];	/* they outlive their contexts */
	static size_t next;
	struct block_of *block = &blocks[next++ % (sizeof(blocks) / sizeof(blocks[0]))];

	fill(block, verify_client);
	return load_block(block);
}

static int
set_up(void **state)
{
	if (make_folder(state) != 0)
		return -1;
	write_pem("DNS:first.example.com", "mail1.pem");
	write_pem("DNS:second.example.com", "mail2.pem");
	write_pem("email:user1", "good.pem");
	write_pem("email:user2", "unknown.pem");
	write_pair(&(struct wanted){ .names = "email:user3", .valid_s = -DAY,
	    .certificate_file = "expired.pem", .key_file = "expired.pem" });
	return 0;
}

static void
open_client(struct duo *duo)
{
	const struct conf_block block = { 0 };
	struct conf_problems problems = { 0 };
	struct error error;

	duo->back_tls.client = tls_client_load(false, NULL, &error);
	duo->back_tls.name = duo->name;
	duo->back_tls.server = 1;	/* sessions are kept */
	if (duo->certificate != NULL)
		assert_true(tls_client_show(duo->back_tls.client, in_folder(duo->certificate), &block,
		    &problems));
	if (duo->version != 0)
		SSL_CTX_set_max_proto_version(tls_client_ctx(duo->back_tls.client), duo->version);
}

static void
shake_hands(struct duo *duo)
{
	int fds[2];

	make_pair(fds);
	duo->front = duo->back = (struct tape){ 0 };
	duo->front_tls.context = duo->context;
	stream_open(&duo->front.stream, duo->loop, fds[0], tape_record, &duo->front);
	stream_open(&duo->back.stream, duo->loop, fds[1], tape_record, &duo->back);
	stream_accept_tls(&duo->front.stream, &duo->front_tls);
	stream_connect_tls(&duo->back.stream, &duo->back_tls);
	while (duo->front.counts[STREAM_TLS_READY] + duo->front.counts[STREAM_FAILED] == 0)
		turn_a_little(duo->loop);
	duo->ok = duo->front.counts[STREAM_TLS_READY] == 1;
	duo->user[0] = '\0';
	if (!duo->ok)
		return;
	tls_facts_read(&duo->front.stream, &duo->facts);
	if (!tls_facts_user(&duo->front.stream, duo->user))
		assert_string_equal(duo->user, "");
	/* what brings the ticket */
	stream_write(&duo->front.stream, slice_of("* OK"));
	tape_await(&duo->back, STREAM_DATA, 1);
}

/* A first handshake; close_duo ends what it began. */
static void
open_duo(struct duo *duo)
{
	duo->loop = loop_new(0);
	open_client(duo);
	shake_hands(duo);
}

/* As sessions end, and begin anew with what the client has kept. */
static void
shake_hands_again(struct duo *duo)
{
	tape_close(&duo->back);
	tape_close(&duo->front);
	shake_hands(duo);
}

static void
close_duo(struct duo *duo)
{
	tape_close(&duo->front);
	tape_close(&duo->back);
	tls_client_free(&duo->back_tls.client);
	loop_free(&duo->loop);
}

enum outcome { REFUSED, NOT_SHOWN, NOT_BELIEVED, BELIEVED };

static const struct row {
	int verify_client;
	const char *certificate;
	enum outcome outcome;
	const char *reason;
} rows[] = {
	{ TLS_VERIFY_OFF, NULL, NOT_SHOWN, NULL },
	{ TLS_VERIFY_OFF, "good.pem", NOT_SHOWN, NULL },
	{ TLS_VERIFY_OPTIONAL, NULL, NOT_SHOWN, NULL },
	{ TLS_VERIFY_OPTIONAL, "good.pem", BELIEVED, NULL },
	{ TLS_VERIFY_OPTIONAL, "unknown.pem", REFUSED, "self-signed certificate" },
	{ TLS_VERIFY_OPTIONAL, "expired.pem", REFUSED, "certificate has expired" },
	{ TLS_VERIFY_ANY, NULL, NOT_SHOWN, NULL },
	{ TLS_VERIFY_ANY, "good.pem", BELIEVED, NULL },
	{ TLS_VERIFY_ANY, "unknown.pem", NOT_BELIEVED, NULL },
	{ TLS_VERIFY_ANY, "expired.pem", NOT_BELIEVED, NULL },
	{ TLS_VERIFY_REQUIRED, NULL, REFUSED, "peer did not return a certificate" },
	{ TLS_VERIFY_REQUIRED, "good.pem", BELIEVED, NULL },
	{ TLS_VERIFY_REQUIRED, "unknown.pem", REFUSED, "self-signed certificate" },
	{ TLS_VERIFY_REQUIRED, "expired.pem", REFUSED, "certificate has expired" },
};

static void
check_row(const struct row *row, int version)
{
	struct duo duo = { .version = version, .certificate = row->certificate };
	const char *authorities[2] = { in_folder("good.pem"), in_folder("expired.pem") };
	struct block_of block;

	fill(&block, row->verify_client);
	if (row->verify_client != TLS_VERIFY_OFF)
		block.settings.client_ca = (struct string_list){ authorities, 2 };
	duo.context = load_block(&block);
	open_duo(&duo);
	assert_int_equal(duo.ok, row->outcome != REFUSED);
	assert_string_equal(duo.front.reason, row->reason != NULL ? row->reason : "");
	assert_int_equal(duo.facts.has_certificate, row->outcome >= NOT_BELIEVED);
	assert_int_equal(duo.facts.is_verified, row->outcome == BELIEVED);
	assert_string_equal(duo.user, row->outcome == BELIEVED ? "email:user1" : "");
	if (duo.ok) {
		struct tls_facts first = duo.facts;

		shake_hands_again(&duo);
		assert_true(duo.ok);
		assert_int_equal(duo.facts.has_certificate, first.has_certificate);
		assert_int_equal(duo.facts.is_verified, first.is_verified);
		assert_string_equal(duo.user, row->outcome == BELIEVED ? "email:user1" : "");
		/* what has expired is shown anew */
		assert_int_equal(duo.facts.resumed,
		    !first.has_certificate || strcmp(row->certificate, "expired.pem") != 0);
	}
	close_duo(&duo);
	tls_context_free(&duo.context);
}

static void
certificates_are_taken_as_the_block_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check_row(&rows[i], TLS1_2_VERSION);
		check_row(&rows[i], TLS1_3_VERSION);
	}
}

static void
every_name_of_a_block_asks_alike(void **state)
{
	static const char *const names[] = { NULL, "first.example.com", "second.example.com", "other.test" };
	struct tls_context *context = context_with(TLS_VERIFY_REQUIRED);

	(void)state;
	for (int i = 0; i < 8; i++) {
		struct duo duo = { .context = context, .name = names[i / 2],
			.certificate = i % 2 != 0 ? "good.pem" : NULL };

		open_duo(&duo);
		assert_int_equal(duo.ok, i % 2 != 0);
		assert_string_equal(duo.user, i % 2 != 0 ? "email:user1" : "");
		close_duo(&duo);
	}
	tls_context_free(&context);
}

static int
count_names_told(int verify_client)
{
	struct duo duo = { .context = context_with(verify_client), .certificate = "good.pem" };
	int count;

	open_duo(&duo);
	count = sk_X509_NAME_num(SSL_get0_peer_CA_list(((struct tls *)duo.back.stream.tls)->ssl));
	close_duo(&duo);
	tls_context_free(&duo.context);
	return count;
}

static void
clients_hear_which_authorities_count(void **state)
{
	(void)state;
	assert_int_equal(count_names_told(TLS_VERIFY_OPTIONAL), 1);
	assert_int_equal(count_names_told(TLS_VERIFY_REQUIRED), 1);
	assert_true(count_names_told(TLS_VERIFY_ANY) <= 0);
}

/* Another file of authorities in the place of good.pem, and back. */
static void
exchange_authorities(struct tls_context *context)
{
	struct conf_problems problems = { 0 };
	bool changed;

	assert_int_equal(rename(in_folder("good.pem"), in_folder("x.pem")), 0);
	assert_int_equal(rename(in_folder("unknown.pem"), in_folder("good.pem")), 0);
	assert_int_equal(rename(in_folder("x.pem"), in_folder("unknown.pem")), 0);
	assert_true(tls_context_refresh(context, &changed, &problems));
	assert_true(changed);
}

static void
tickets_end_with_their_authority(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct duo sure = { .context = context_with(TLS_VERIFY_OPTIONAL), .version = versions[i],
			.certificate = "good.pem" };
		struct duo any = { .context = context_with(TLS_VERIFY_ANY), .version = versions[i],
			.certificate = "good.pem" };

		open_duo(&sure);
		open_duo(&any);
		assert_true(sure.facts.is_verified && any.facts.is_verified);
		exchange_authorities(sure.context);
		shake_hands_again(&sure);
		assert_false(sure.ok);
		exchange_authorities(any.context);	/* back: they say what they said */
		shake_hands_again(&any);
		assert_true(any.facts.resumed && any.facts.is_verified);

		exchange_authorities(any.context);
		shake_hands_again(&any);
		assert_true(any.ok && any.facts.has_certificate);
		assert_false(any.facts.resumed || any.facts.is_verified);
		assert_string_equal(any.user, "");
		exchange_authorities(any.context);
		close_duo(&sure);
		close_duo(&any);
		tls_context_free(&sure.context);
		tls_context_free(&any.context);
	}
}

static void
tickets_end_with_the_rules(void **state)
{
	struct tls_context *any = context_with(TLS_VERIFY_ANY), *required = context_with(TLS_VERIFY_REQUIRED);
	struct duo duo = { .context = any, .certificate = "unknown.pem" };

	(void)state;
	open_duo(&duo);
	assert_true(duo.ok);
	duo.context = required;
	shake_hands_again(&duo);
	assert_false(duo.ok);
	close_duo(&duo);
	tls_context_free(&any);
	tls_context_free(&required);
}

static void
tickets_end_with_the_certificate(void **state)
{
	struct duo duo = { .certificate = "good.pem" };

	(void)state;
	assert_int_equal(rename(in_folder("good.pem"), in_folder("kept")), 0);
	write_pair(&(struct wanted){ .names = "email:brief", .valid_s = 2, .certificate_file = "good.pem",
	    .key_file = "good.pem" });
	duo.context = context_with(TLS_VERIFY_ANY);
	open_duo(&duo);
	assert_true(duo.facts.is_verified);
	shake_hands_again(&duo);
	assert_true(duo.facts.resumed && duo.facts.is_verified);
	wait_ms(duo.loop, 3000);
	shake_hands_again(&duo);
	assert_false(duo.facts.resumed || duo.facts.is_verified);
	close_duo(&duo);
	tls_context_free(&duo.context);
	assert_int_equal(rename(in_folder("kept"), in_folder("good.pem")), 0);
}

static void
bad_files_are_named(void **state)
{
	const char *files[] = { in_folder("good.pem"), in_folder("missing.pem"), in_folder("none*.pem"),
		in_folder("empty.txt"), in_folder("cut.txt") };
	struct said said = { 0 };
	struct block_of block;
	char wanted[2048];
	FILE *file;

	(void)state;
	fill(&block, TLS_VERIFY_REQUIRED);
	fclose(fopen(files[3], "w"));
	file = fopen(files[4], "w");
	fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", file);
	fclose(file);
	block.settings.client_ca = (struct string_list){ files, 5 };
	snprintf(wanted, sizeof(wanted),
	    "%s: No such file or directory\n"
	    "%s: no such file\n"
	    "%s: no certificate found\n"
	    "%s: ",
	    files[1], files[2], files[3], files[4]);
	assert_null(tls_context_load(&block.settings, &said.problems));
	assert_memory_equal(read_said(&said), wanted, strlen(wanted));
}

/* Some parts of a certificate; NULL ends the names. */
struct named {
	const char *common[3];
	int common_len;			/* of the last; 0: its text's */
	const char *alternative;
	const char *user;		/* NULL: nobody */
};

static char long_name[TLS_USER_MAX + 1];

static const struct named named[] = {
	{ { "user1" }, 0, NULL, "user1" },
	{ { "People", "user1@example.com" }, 0, "email:other@example.com", "user1@example.com" },
	{ { "J\xc3\xb6rg" }, 0, NULL, "J\xc3\xb6rg" },
	{ { NULL }, 0, "DNS:host.example.com,email:a@example.com,email:b@example.com", "a@example.com" },
	{ { NULL }, 0, "DNS:host.example.com", NULL },
	{ { NULL }, 0, NULL, NULL },
	{ { "user1\0evil" }, 10, "email:a@example.com", NULL },
	{ { "user1\n" }, 0, "email:a@example.com", NULL },
	{ { "user1\x7f" }, 0, NULL, NULL },
	{ { "user1\xc2\x85" }, 0, NULL, NULL },
	{ { "user1\xff" }, 0, NULL, NULL },
	{ { NULL }, 0, "email:a\xff@example.com", NULL },
	{ { long_name }, TLS_USER_MAX - 1, NULL, long_name },
	{ { long_name }, TLS_USER_MAX, NULL, NULL },
};

/* As octets: OpenSSL would refuse to make most of these from text. */
static void
add_common_name(X509_NAME *subject, const char *text, int len)
{
	ASN1_STRING *octets = ASN1_STRING_type_new(V_ASN1_UTF8STRING);
	X509_NAME_ENTRY *entry = X509_NAME_ENTRY_create_by_NID(NULL, NID_commonName, MBSTRING_ASC,
	    (const unsigned char *)"x", 1);

	assert_int_equal(ASN1_STRING_set(octets, text, len), 1);
	assert_int_equal(ASN1_STRING_copy(X509_NAME_ENTRY_get_data(entry), octets), 1);
	assert_int_equal(X509_NAME_add_entry(subject, entry, -1, 0), 1);
	X509_NAME_ENTRY_free(entry);
	ASN1_STRING_free(octets);
}

static X509 *
make_named(const struct named *parts)
{
	X509 *certificate = X509_new();

	for (int i = 0; i < 3 && parts->common[i] != NULL; i++)
		add_common_name(X509_get_subject_name(certificate), parts->common[i],
		    parts->common_len > 0 ? parts->common_len : (int)strlen(parts->common[i]));
	if (parts->alternative != NULL) {
		X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
		    parts->alternative);

		assert_non_null(extension);
		X509_add_ext(certificate, extension, -1);
		X509_EXTENSION_free(extension);
	}
	return certificate;
}

static void
a_certificate_names_one_user_or_none(void **state)
{
	(void)state;
	memset(long_name, 'u', sizeof(long_name) - 1);
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		const struct named *parts = &named[i];
		X509 *certificate = make_named(parts);
		char user[TLS_USER_MAX];
		bool ok = tls_certificate_user(certificate, user);

		if (ok != (parts->user != NULL))
			fail_msg("row %zu: %s", i, ok ? user : "nobody");
		if (ok)
			assert_int_equal(strncmp(user, parts->user, TLS_USER_MAX - 1), 0);
		if (ok && parts->common_len > 0)
			assert_int_equal(strlen(user), parts->common_len);
		X509_free(certificate);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_are_taken_as_the_block_says),
		cmocka_unit_test(every_name_of_a_block_asks_alike),
		cmocka_unit_test(clients_hear_which_authorities_count),
		cmocka_unit_test(tickets_end_with_their_authority),
		cmocka_unit_test(tickets_end_with_the_rules),
		cmocka_unit_test(tickets_end_with_the_certificate),
		cmocka_unit_test(bad_files_are_named),
		cmocka_unit_test(a_certificate_names_one_user_or_none),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, set_up, remove_folder);
}
