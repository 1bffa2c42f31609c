/* SPDX-License-Identifier: BSD-2-Clause */
/* tls_client_test.c: whom a client believes by pinned keys, and what it shows of itself. */
#include "certificates.h"

#include "base/base64.h"
#include "base/digest.h"

/* A stream of ours as client, and a server that is OpenSSL alone. */
struct scene {
	struct loop *loop;
	struct tape tape;
	struct tls_back back;
	SSL_CTX *ctx;
	SSL *server;
	int fd;				/* the server's */
};

static int
on_any_certificate(X509_STORE_CTX *store, void *arg)
{
	(void)store;
	(void)arg;
	return 1;
}

static void
scene_open(struct scene *scene, const char *ca)
{
	struct error error;
	int fds[2];

	*scene = (struct scene){ .loop = loop_new(0), .ctx = SSL_CTX_new(TLS_server_method()) };
	assert_int_equal(SSL_CTX_use_certificate_chain_file(scene->ctx, in_folder("mail.pem")), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(scene->ctx, in_folder("mail.pem"), SSL_FILETYPE_PEM), 1);
	SSL_CTX_set_verify(scene->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(scene->ctx, on_any_certificate, NULL);
	scene->server = SSL_new(scene->ctx);
	SSL_set_bio(scene->server, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_accept_state(scene->server);
	make_pair(fds);
	scene->fd = fds[1];
	stream_open(&scene->tape.stream, scene->loop, fds[0], tape_record, &scene->tape);
	scene->back.name = "mail.example.com";
	scene->back.client = tls_client_load(ca != NULL, ca, &error);
	assert_non_null(scene->back.client);
}

static bool
shake_hands(struct scene *scene)
{
	const int *counts = scene->tape.counts;
	char bytes[16384];
	ssize_t n;

	stream_connect_tls(&scene->tape.stream, &scene->back);
	while (counts[STREAM_FAILED] == 0 &&
	    (counts[STREAM_TLS_READY] == 0 || !SSL_is_init_finished(scene->server))) {
		turn_a_little(scene->loop);
		while ((n = read(scene->fd, bytes, sizeof(bytes))) > 0)
			BIO_write(SSL_get_rbio(scene->server), bytes, (int)n);
		SSL_do_handshake(scene->server);
		while ((n = BIO_read(SSL_get_wbio(scene->server), bytes, sizeof(bytes))) > 0)
			assert_int_equal(write(scene->fd, bytes, (size_t)n), n);
	}
	return counts[STREAM_FAILED] == 0;
}

static void
scene_close(struct scene *scene)
{
	tape_close(&scene->tape);
	close(scene->fd);
	SSL_free(scene->server);
	SSL_CTX_free(scene->ctx);
	tls_client_free(&scene->back.client);
	loop_free(&scene->loop);
}

static X509 *
read_certificate(const char *file)
{
	FILE *in = fopen(in_folder(file), "r");
	X509 *certificate = PEM_read_X509(in, NULL, NULL, NULL);

	fclose(in);
	assert_non_null(certificate);
	return certificate;
}

static void
pin(struct scene *scene, const char *file)
{
	X509 *certificate = read_certificate(file);
	unsigned char *key = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key);
	uint8_t digest[DIGEST_SHA256_SIZE];
	struct buf text = { 0 };

	digest_sha256(key, (size_t)len, digest);
	base64_encode(slice_make((const char *)digest, sizeof(digest)), &text);
	buf_append(&text, "", 1);
	assert_true(tls_client_pin(scene->back.client, buf_data(&text)));
	buf_clear(&text);
	OPENSSL_free(key);
	X509_free(certificate);
}

static int
make_certificates(void **state)
{
	if (make_folder(state) != 0)
		return -1;
	write_pem("DNS:mail.example.com", "mail.pem");
	write_pem("DNS:proxy.example.com", "proxy.pem");
	return 0;
}

static void
a_pinned_key_is_believed_and_no_other(void **state)
{
	struct scene scene;

	(void)state;
	scene_open(&scene, NULL);
	pin(&scene, "proxy.pem");
	assert_false(shake_hands(&scene));
	assert_string_equal(scene.tape.reason, "the server's public key is not pinned");
	scene_close(&scene);

	scene_open(&scene, NULL);
	pin(&scene, "proxy.pem");
	pin(&scene, "mail.pem");
	assert_true(shake_hands(&scene));
	scene_close(&scene);
}

static void
a_pin_replaces_no_verification(void **state)
{
	struct scene scene;

	(void)state;
	scene_open(&scene, in_folder("proxy.pem"));
	pin(&scene, "mail.pem");
	assert_false(shake_hands(&scene));
	assert_string_equal(scene.tape.reason, "self-signed certificate");
	scene_close(&scene);

	scene_open(&scene, in_folder("mail.pem"));
	scene.back.name = "other.example.com";
	pin(&scene, "mail.pem");
	assert_false(shake_hands(&scene));
	assert_string_equal(scene.tape.reason, "hostname mismatch");
	scene_close(&scene);

	scene_open(&scene, in_folder("mail.pem"));
	pin(&scene, "mail.pem");
	assert_true(shake_hands(&scene));
	scene_close(&scene);
}

static void
what_is_no_pin_is_refused(void **state)
{
	static const char *const texts[] = { "", "secret", "AAAA", "AAAA=",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" };
	struct scene scene;

	(void)state;
	scene_open(&scene, NULL);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(tls_client_pin(scene.back.client, texts[i]));
	assert_true(shake_hands(&scene));
	scene_close(&scene);
}

static void
servers_that_ask_are_shown_our_certificate(void **state)
{
	const struct conf_block block = { 0 };
	struct said said = { 0 };
	struct scene scene;
	X509 *shown, *ours = read_certificate("proxy.pem");

	(void)state;
	scene_open(&scene, NULL);
	assert_true(shake_hands(&scene));
	assert_null(SSL_get0_peer_certificate(scene.server));
	scene_close(&scene);

	scene_open(&scene, NULL);
	assert_true(tls_client_show(scene.back.client, in_folder("proxy.pem"), &block, &said.problems));
	assert_true(shake_hands(&scene));
	shown = SSL_get0_peer_certificate(scene.server);
	assert_non_null(shown);
	assert_int_equal(X509_cmp(shown, ours), 0);
	assert_false(tls_client_show(scene.back.client, in_folder("none.pem"), &block, &said.problems));
	assert_non_null(strstr(read_said(&said), "none.pem: "));
	scene_close(&scene);
	X509_free(ours);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pinned_key_is_believed_and_no_other),
		cmocka_unit_test(a_pin_replaces_no_verification),
		cmocka_unit_test(what_is_no_pin_is_refused),
		cmocka_unit_test(servers_that_ask_are_shown_our_certificate),
	};

	return cmocka_run_group_tests(tests, make_certificates, remove_folder);
}
