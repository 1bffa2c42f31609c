/* SPDX-License-Identifier: BSD-2-Clause */
/* stream_tls_test.c: handshakes and bytes of two streams, and of a stream with OpenSSL's own client. */
#include "certificates.h"

#include <limits.h>
#include <linux/tcp.h>
#include <malloc.h>
#include <signal.h>

#include <openssl/ssl.h>

#include "net/connect.h"
#include "net/stream_memory.h"
#include "net/tls.h"

enum { MANY = 3 * 1024 * 1024 };

static struct tls_context *context;	/* of all tests here */

/* Whether memory that OpenSSL gave back held this text; global, for its free takes no more arguments. */
static const char secret[] = "hunter2-hunter2";
static bool was_leaked;

static void *
allocate(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return malloc(n);
}

static void *
reallocate(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return realloc(p, n);
}

static void
look_and_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	if (p != NULL && memmem(p, malloc_usable_size(p), secret, sizeof(secret) - 1) != NULL)
		was_leaked = true;
	free(p);
}

static int
set_up(void **state)
{
	static struct block_of block;

	if (make_folder(state) != 0)
		return -1;
	write_pem("DNS:mail.example.com", "mail.pem");
	fill_block(&block, "mail.pem");
	context = load_block(&block);
	return 0;
}

static int
tear_down(void **state)
{
	tls_context_free(&context);
	return remove_folder(state);
}

/* Two streams with the front's TLS between them. */
struct duo {
	struct loop *loop;
	struct tape front, back;
	struct tls_front front_tls;
	struct tls_back back_tls;
	struct error error;
};

static void
open_streams(struct duo *duo)
{
	int fds[2];

	make_pair(fds);
	duo->front = duo->back = (struct tape){ 0 };
	stream_open(&duo->front.stream, duo->loop, fds[0], tape_record, &duo->front);
	stream_open(&duo->back.stream, duo->loop, fds[1], tape_record, &duo->back);
}

static void
open_duo(struct duo *duo)
{
	*duo = (struct duo){ .loop = loop_new(0), .front_tls = { .context = context, .alpn = "imap" } };
	duo->back_tls.client = tls_client_load(false, NULL, &duo->error);
	duo->back_tls.alpn = "imap";
	open_streams(duo);
}

static void
shake_hands(struct duo *duo)
{
	stream_accept_tls(&duo->front.stream, &duo->front_tls);
	stream_connect_tls(&duo->back.stream, &duo->back_tls);
	tape_await(&duo->front, STREAM_TLS_READY, 1);
	tape_await(&duo->back, STREAM_TLS_READY, 1);
}

static void
close_duo(struct duo *duo)
{
	tape_close(&duo->front);
	tape_close(&duo->back);
	tls_client_free(&duo->back_tls.client);
	loop_free(&duo->loop);
}

static void
both_ends_shake_hands_and_talk(void **state)
{
	struct tls_facts facts;
	struct duo duo;

	(void)state;
	open_duo(&duo);
	duo.back_tls.name = "mail.example.com";
	assert_false(stream_has_tls(&duo.front.stream));
	tls_facts_read(&duo.front.stream, &facts);
	assert_null(facts.version);
	shake_hands(&duo);
	assert_true(stream_has_tls(&duo.front.stream));
	tls_facts_read(&duo.front.stream, &facts);
	assert_string_equal(facts.version, "TLSv1.3");
	assert_false(facts.resumed);
	assert_string_equal(facts.sni, "mail.example.com");
	assert_string_equal(facts.alpn, "imap");
	tls_facts_read(&duo.back.stream, &facts);
	assert_null(facts.sni);

	assert_int_equal(stream_write(&duo.front.stream, slice_of("* OK")), 0);
	tape_await(&duo.back, STREAM_DATA, 1);
	assert_true(slice_equals(buf_slice(&duo.back.data), "* OK"));
	stream_shut(&duo.front.stream);
	tape_await(&duo.back, STREAM_CLOSED, 1);
	assert_int_equal(stream_write(&duo.back.stream, slice_of("bye")), 0);
	tape_await(&duo.front, STREAM_DATA, 1);
	assert_true(slice_equals(buf_slice(&duo.front.data), "bye"));
	close_duo(&duo);
}

/* How many segments with data the front has sent when its first words behind the handshake are said. */
static unsigned
segments_of_a_greeting(void)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);
	struct duo duo;
	int fds[2];

	open_duo(&duo);
	tape_close(&duo.front);
	tape_close(&duo.back);
	make_tcp_pair(fds);
	stream_open(&duo.front.stream, duo.loop, fds[0], tape_record, &duo.front);
	stream_open(&duo.back.stream, duo.loop, fds[1], tape_record, &duo.back);
	connect_set_options(fds[0], NULL);
	stream_accept_tls(&duo.front.stream, &duo.front_tls);
	stream_connect_tls(&duo.back.stream, &duo.back_tls);
	tape_await(&duo.front, STREAM_TLS_READY, 1);
	stream_write(&duo.front.stream, slice_of("* OK"));
	assert_int_equal(getsockopt(fds[0], IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	tape_await(&duo.back, STREAM_DATA, 1);
	close_duo(&duo);
	return info.tcpi_data_segs_out;
}

/* The hello's answer, then the ticket and the greeting; unless the machine stands still for 0.2 s. */
static void
a_ticket_waits_for_the_greeting(void **state)
{
	unsigned fewest = UINT_MAX;

	(void)state;
	for (int i = 0; i < 5 && fewest > 2; i++) {
		unsigned segments = segments_of_a_greeting();

		fewest = segments < fewest ? segments : fewest;
	}
	assert_int_equal(fewest, 2);
}

static void
nothing_is_moved_unread_out_of_tls_or_into_it(void **state)
{
	struct tape raw = { 0 };
	struct duo duo;
	int fds[2];

	(void)state;
	open_duo(&duo);
	shake_hands(&duo);
	make_tcp_pair(fds);
	stream_open(&raw.stream, duo.loop, fds[0], tape_record, &raw);
	raw.stream.sink = &duo.back.stream;
	duo.back.stream.sink = &raw.stream;
	raw.stream.is_moving = duo.back.stream.is_moving = true;
	stream_write(&duo.front.stream, slice_of("* OK"));
	tape_await(&duo.back, STREAM_DATA, 1);
	assert_true(slice_equals(buf_slice(&duo.back.data), "* OK"));
	assert_int_equal(write(fds[1], "NOOP", 4), 4);
	tape_await(&raw, STREAM_DATA, 1);
	assert_int_equal(duo.back.moved + raw.moved, 0);
	tape_close(&raw);
	close(fds[1]);
	close_duo(&duo);
}

static void
openssl_gives_back_no_secret_of_a_secret_stream(void **state)
{
	struct duo duo;

	(void)state;
	open_duo(&duo);
	stream_set_secret(&duo.front.stream, true);
	shake_hands(&duo);
	was_leaked = false;
	stream_write(&duo.back.stream, slice_of(secret));
	tape_await(&duo.front, STREAM_DATA, 1);
	turn_a_little(duo.loop);
	assert_false(was_leaked);
	/* it has its price, which bulk does not pay */
	stream_set_secret(&duo.front.stream, false);
	stream_write(&duo.back.stream, slice_of(secret));
	tape_await(&duo.front, STREAM_DATA, 2);
	turn_a_little(duo.loop);
	assert_true(was_leaked);
	close_duo(&duo);
}

/* Ends as a session does, and shakes hands once more: was that resumed? */
static bool
resumes(struct duo *duo)
{
	struct tls_facts facts;

	/* what brings the ticket, and then the notice that lets it be used */
	stream_write(&duo->front.stream, slice_of("* OK"));
	tape_await(&duo->back, STREAM_DATA, 1);
	tape_close(&duo->back);
	tape_await(&duo->front, STREAM_CLOSED, 1);
	tape_close(&duo->front);
	open_streams(duo);
	shake_hands(duo);
	tls_facts_read(&duo->back.stream, &facts);
	return facts.resumed;
}

static void
sessions_are_resumed_with_the_same_server(void **state)
{
	struct duo duo;

	(void)state;
	open_duo(&duo);
	duo.back_tls.name = "mail.example.com";
	duo.back_tls.server = 7;
	shake_hands(&duo);
	assert_true(resumes(&duo));
	assert_true(resumes(&duo));
	duo.back_tls.server = 8;
	assert_false(resumes(&duo));
	assert_true(resumes(&duo));
	duo.back_tls.server = 0;
	assert_false(resumes(&duo));
	assert_false(resumes(&duo));
	close_duo(&duo);
}

/* The pool may be gone when the server's ticket comes. */
static void
a_late_ticket_finds_where_it_belongs(void **state)
{
	struct duo duo;

	(void)state;
	open_duo(&duo);
	duo.back_tls.server = 7;
	stream_accept_tls(&duo.front.stream, &duo.front_tls);
	stream_connect_tls(&duo.back.stream, &duo.back_tls);
	tape_await(&duo.back, STREAM_TLS_READY, 1);
	tls_client_free(&duo.back_tls.client);
	tape_await(&duo.front, STREAM_TLS_READY, 1);
	stream_write(&duo.front.stream, slice_of("* OK"));
	tape_await(&duo.back, STREAM_DATA, 1);
	close_duo(&duo);
}

static void
large_blocks_pass_whole_through_a_slow_receiver(void **state)
{
	char *block = malloc(MANY);
	struct duo duo;

	(void)state;
	for (size_t i = 0; i < MANY; i++)
		block[i] = (char)(i * 2654435761u >> 13);
	open_duo(&duo);
	shake_hands(&duo);
	duo.back.stream.read_size = LOOP_SCRATCH_SIZE;
	stream_pause(&duo.back.stream);
	assert_true(stream_write(&duo.front.stream, slice_make(block, MANY)) > 0);
	assert_true(stream_memory_used() >= (int64_t)stream_kept(&duo.front.stream));
	/* each block is a pause and a resumption: bytes within OpenSSL must not be forgotten */
	while (buf_len(&duo.back.data) < MANY) {
		int seen = duo.back.counts[STREAM_DATA];

		stream_resume(&duo.back.stream);
		tape_await(&duo.back, STREAM_DATA, seen + 1);
		stream_pause(&duo.back.stream);
	}
	assert_int_equal(buf_len(&duo.back.data), MANY);
	assert_memory_equal(buf_data(&duo.back.data), block, MANY);
	assert_int_equal(stream_memory_used(), 0);
	assert_int_equal(duo.front.counts[STREAM_DRAINED], 1);
	close_duo(&duo);
	free(block);
}

static void
a_small_read_size_leaves_nothing_behind(void **state)
{
	static const char text[] = "one record that needs many reads";
	struct duo duo;

	(void)state;
	open_duo(&duo);
	shake_hands(&duo);
	duo.back.stream.read_size = 5;
	stream_write(&duo.front.stream, slice_of(text));
	tape_await(&duo.back, STREAM_DATA, (int)(sizeof(text) - 1 + 4) / 5);
	assert_true(slice_equals(buf_slice(&duo.back.data), text));
	close_duo(&duo);
}

static void
the_go_ahead_is_sent_in_the_clear(void **state)
{
	struct duo duo;

	(void)state;
	open_duo(&duo);
	stream_write(&duo.front.stream, slice_of("OK begin TLS\r\n"));
	stream_accept_tls(&duo.front.stream, &duo.front_tls);
	assert_int_equal(stream_write(&duo.front.stream, slice_of("lost")), 0);
	tape_await(&duo.back, STREAM_DATA, 1);
	assert_true(slice_equals(buf_slice(&duo.back.data), "OK begin TLS\r\n"));
	stream_connect_tls(&duo.back.stream, &duo.back_tls);
	tape_await(&duo.back, STREAM_TLS_READY, 1);
	tape_await(&duo.front, STREAM_TLS_READY, 1);
	close_duo(&duo);
}

static void
plaintext_before_the_hello_ends_the_connection(void **state)
{
	static const struct {
		const char *text, *reason;
	} injected[] = {
		{ "NOOP\r\n", "wrong version number" },
		{ "EHLO injected\r\nMAIL FROM:<>\r\n", "wrong version number" },
		{ "GET / HTTP/1.1\r\n\r\n", "http request" },
	};
	struct duo duo;

	(void)state;
	for (int i = 0; i < 3; i++) {
		open_duo(&duo);
		stream_accept_tls(&duo.front.stream, &duo.front_tls);
		assert_int_equal(stream_write(&duo.back.stream, slice_of(injected[i].text)), 0);
		tape_await(&duo.front, STREAM_FAILED, 1);
		assert_string_equal(duo.front.reason, injected[i].reason);
		assert_int_equal(duo.front.counts[STREAM_DATA] + duo.front.counts[STREAM_TLS_READY], 0);
		close_duo(&duo);
	}
}

static void
a_client_that_goes_during_the_handshake_is_a_failure(void **state)
{
	struct duo duo;

	(void)state;
	open_duo(&duo);
	stream_accept_tls(&duo.front.stream, &duo.front_tls);
	stream_close(&duo.back.stream);
	tape_await(&duo.front, STREAM_FAILED, 1);
	assert_string_equal(duo.front.reason, "connection closed during the TLS handshake");
	close_duo(&duo);
}

static void
a_fin_without_close_notify_is_the_end_too(void **state)
{
	struct duo duo;

	(void)state;
	open_duo(&duo);
	shake_hands(&duo);
	assert_int_equal(shutdown(duo.back.stream.fd, SHUT_WR), 0);
	tape_await(&duo.front, STREAM_CLOSED, 1);
	turn_a_little(duo.loop);
	assert_int_equal(duo.front.counts[STREAM_CLOSED], 1);
	assert_int_equal(duo.front.counts[STREAM_FAILED], 0);
	close_duo(&duo);
}

static void
cleartext_after_close_notify_is_never_read(void **state)
{
	struct duo duo;

	(void)state;
	open_duo(&duo);
	shake_hands(&duo);
	SSL_shutdown(((struct tls *)duo.back.stream.tls)->ssl);
	assert_int_equal(send(duo.back.stream.fd, "QUIT\r\n", 6, 0), 6);
	tape_await(&duo.front, STREAM_CLOSED, 1);
	turn_a_little(duo.loop);
	assert_int_equal(duo.front.counts[STREAM_DATA], 0);
	close_duo(&duo);
}

static void
close_says_farewell(void **state)
{
	struct duo duo;
	char record[64];

	(void)state;
	open_duo(&duo);
	shake_hands(&duo);
	stream_write(&duo.front.stream, slice_of("last words"));
	stream_close(&duo.front.stream);
	tape_await(&duo.back, STREAM_CLOSED, 1);
	assert_true(slice_equals(buf_slice(&duo.back.data), "last words"));
	close_duo(&duo);

	/* a FIN alone would do for that: look at the wire */
	open_duo(&duo);
	shake_hands(&duo);
	turn_a_little(duo.loop);
	stream_pause(&duo.back.stream);
	stream_close(&duo.front.stream);
	assert_true(recv(duo.back.stream.fd, record, sizeof(record), 0) > 0);
	close_duo(&duo);
}

static void
servers_are_verified_by_authority_and_name(void **state)
{
	static const char *const names[] = { "mail.example.com", "other.example.com" };
	struct duo duo;

	(void)state;
	for (int i = 0; i < 3; i++) {
		open_duo(&duo);
		tls_client_free(&duo.back_tls.client);
		/* the third server's authority is none of the client's */
		if (i == 2)
			write_pem("DNS:mail.example.com", "other.pem");
		duo.back_tls.client = tls_client_load(true, in_folder(i == 2 ? "other.pem" : "mail.pem"),
		    &duo.error);
		assert_non_null(duo.back_tls.client);
		duo.back_tls.name = names[i % 2];
		stream_accept_tls(&duo.front.stream, &duo.front_tls);
		stream_connect_tls(&duo.back.stream, &duo.back_tls);
		tape_await(&duo.back, i == 0 ? STREAM_TLS_READY : STREAM_FAILED, 1);
		if (i == 1)
			assert_string_equal(duo.back.reason, "hostname mismatch");
		if (i == 2)
			assert_non_null(strstr(duo.back.reason, "self-signed certificate"));
		close_duo(&duo);
	}
}

/* Moves what the client has to say to the stream, and the stream's answer back. */
static void
pump(SSL *client, struct loop *loop, int fd)
{
	char bytes[16384];
	ssize_t n;

	SSL_do_handshake(client);
	while ((n = BIO_read(SSL_get_wbio(client), bytes, sizeof(bytes))) > 0)
		assert_int_equal(write(fd, bytes, (size_t)n), n);
	turn_a_little(loop);
	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		BIO_write(SSL_get_rbio(client), bytes, (int)n);
}

struct greeting {
	struct tape tape;
	struct tls_front front;
};

/* TLS begins with what is read. */
static size_t
begin_with_data(struct stream *stream, enum stream_event event, struct slice data, void *owner)
{
	struct greeting *greeting = owner;

	assert_int_equal(event, STREAM_DATA);
	assert_true(data.len > 0);
	greeting->tape.counts[STREAM_DATA]++;
	stream_set_owner(stream, tape_record, &greeting->tape);
	stream_accept_tls(stream, &greeting->front);
	loop_stop(stream->loop);
	return 0;
}

/*
 * A client whose hello was read up to `early` before TLS began, within the callback or later; the socket
 * brings the rest.
 */
static void
greet_early(size_t early, bool within)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *client = SSL_new(ctx);
	struct greeting greeting = { .front = { .context = context, .alpn = "imap" } };
	struct tape *tape = &greeting.tape;
	struct loop *loop = loop_new(0);
	char hello[4096];
	int n, fds[2];

	make_pair(fds);
	SSL_set_bio(client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(client);
	SSL_do_handshake(client);
	n = BIO_read(SSL_get_wbio(client), hello, sizeof(hello));
	assert_true(n > 0);
	if (early > (size_t)n)
		early = (size_t)n;
	stream_open(&tape->stream, loop, fds[0], within ? begin_with_data : tape_record, &greeting);
	tape->leaves = SIZE_MAX;
	assert_int_equal(write(fds[1], hello, early), early);
	tape_await(tape, STREAM_DATA, 1);
	tape->leaves = 0;
	if (!within)
		stream_accept_tls(&tape->stream, &greeting.front);
	turn_a_little(loop);
	assert_int_equal(write(fds[1], hello + early, (size_t)n - early), (size_t)n - early);
	memset(hello, 0, sizeof(hello));
	for (int flight = 0; flight < 4; flight++)
		pump(client, loop, fds[1]);
	assert_int_equal(tape->counts[STREAM_TLS_READY], 1);
	assert_int_equal(SSL_write(client, "a NOOP", 6), 6);
	pump(client, loop, fds[1]);
	assert_true(slice_equals(buf_slice(&tape->data), "a NOOP"));
	tape_close(tape);
	close(fds[1]);
	SSL_free(client);
	SSL_CTX_free(ctx);
	loop_free(&loop);
}

static void
a_hello_that_was_read_already_is_heard(void **state)
{
	(void)state;
	for (int within = 0; within < 2; within++) {
		for (size_t early = 1; early < 12; early++)
			greet_early(early, within != 0);
		greet_early(100, within != 0);
		greet_early(SIZE_MAX, within != 0);
	}
	assert_int_equal(stream_memory_used(), 0);
}

/* The front has read this and not consumed it. */
static void
leave_unread(struct duo *duo, const char *text)
{
	duo->front.leaves = SIZE_MAX;
	stream_write(&duo->back.stream, slice_of(text));
	tape_await(&duo->front, STREAM_DATA, 1);
	assert_int_equal(stream_unread(&duo->front.stream), strlen(text));
	duo->front.leaves = 0;
}

static void
what_was_read_already_may_be_no_hello(void **state)
{
	struct duo duo;

	(void)state;
	open_duo(&duo);
	leave_unread(&duo, "a LOGIN bob secret\r\n");
	stream_accept_tls(&duo.front.stream, &duo.front_tls);
	assert_int_equal(duo.front.counts[STREAM_FAILED], 0);	/* never before it returns */
	tape_await(&duo.front, STREAM_FAILED, 1);
	assert_string_equal(duo.front.reason, "wrong version number");
	assert_int_equal(buf_len(&duo.front.data), 0);
	close_duo(&duo);

	/* closed before it was looked at: nothing leaks */
	open_duo(&duo);
	leave_unread(&duo, "\x16\x03\x01");
	stream_accept_tls(&duo.front.stream, &duo.front_tls);
	close_duo(&duo);
	assert_int_equal(stream_memory_used(), 0);
}

/* RFC 2595's injection, by a server: it is no part of what TLS brings. */
static void
plaintext_behind_a_servers_go_ahead_is_never_told(void **state)
{
	struct duo duo;

	(void)state;
	open_duo(&duo);
	duo.back.leaves = strlen("* injected\r\n");
	stream_write(&duo.front.stream, slice_of("OK begin TLS\r\n* injected\r\n"));
	tape_await(&duo.back, STREAM_DATA, 1);
	duo.back.leaves = 0;
	stream_connect_tls(&duo.back.stream, &duo.back_tls);
	tape_await(&duo.back, STREAM_FAILED, 1);
	assert_true(slice_equals(buf_slice(&duo.back.data), "OK begin TLS\r\n"));
	close_duo(&duo);
}

static void
a_flood_of_key_updates_ends_the_stream(void **state)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *client = SSL_new(ctx);
	struct tls_front front = { .context = context, .alpn = "imap" };
	struct loop *loop = loop_new(0);
	struct tape tape = { 0 };
	const char *flood;
	size_t left;
	int fds[2];

	(void)state;
	make_pair(fds);
	SSL_set_bio(client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(client);
	stream_open(&tape.stream, loop, fds[0], tape_record, &tape);
	stream_accept_tls(&tape.stream, &front);
	while (tape.counts[STREAM_TLS_READY] == 0)
		pump(client, loop, fds[1]);

	/* a few are fine */
	for (int i = 0; i < 4000; i++) {
		assert_int_equal(SSL_key_update(client, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(client), 1);
		if (i == 10) {
			assert_int_equal(SSL_write(client, "still here", 10), 10);
			pump(client, loop, fds[1]);
			assert_true(slice_equals(buf_slice(&tape.data), "still here"));
		}
	}
	left = (size_t)BIO_get_mem_data(SSL_get_wbio(client), &flood);
	while (left > 0 && tape.counts[STREAM_FAILED] == 0) {
		ssize_t n = write(fds[1], flood, left);

		if (n > 0) {
			flood += n;
			left -= (size_t)n;
		}
		turn_a_little(loop);
	}
	assert_int_equal(tape.counts[STREAM_FAILED], 1);
	assert_string_equal(tape.reason, "protocol error");
	tape_close(&tape);
	close(fds[1]);
	SSL_free(client);
	SSL_CTX_free(ctx);
	loop_free(&loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ends_shake_hands_and_talk),
		cmocka_unit_test(a_ticket_waits_for_the_greeting),
		cmocka_unit_test(nothing_is_moved_unread_out_of_tls_or_into_it),
		cmocka_unit_test(openssl_gives_back_no_secret_of_a_secret_stream),
		cmocka_unit_test(sessions_are_resumed_with_the_same_server),
		cmocka_unit_test(a_late_ticket_finds_where_it_belongs),
		cmocka_unit_test(large_blocks_pass_whole_through_a_slow_receiver),
		cmocka_unit_test(a_small_read_size_leaves_nothing_behind),
		cmocka_unit_test(the_go_ahead_is_sent_in_the_clear),
		cmocka_unit_test(plaintext_before_the_hello_ends_the_connection),
		cmocka_unit_test(a_client_that_goes_during_the_handshake_is_a_failure),
		cmocka_unit_test(a_fin_without_close_notify_is_the_end_too),
		cmocka_unit_test(cleartext_after_close_notify_is_never_read),
		cmocka_unit_test(close_says_farewell),
		cmocka_unit_test(servers_are_verified_by_authority_and_name),
		cmocka_unit_test(a_hello_that_was_read_already_is_heard),
		cmocka_unit_test(what_was_read_already_may_be_no_hello),
		cmocka_unit_test(plaintext_behind_a_servers_go_ahead_is_never_told),
		cmocka_unit_test(a_flood_of_key_updates_ends_the_stream),
	};

	signal(SIGPIPE, SIG_IGN);
	if (!CRYPTO_set_mem_functions(allocate, reallocate, look_and_free))
		return 1;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
