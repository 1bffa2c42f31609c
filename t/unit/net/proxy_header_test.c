/* SPDX-License-Identifier: BSD-2-Clause */
/* proxy_header_test.c: PROXY headers byte by byte, for each kind of client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "net/proxy_header.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define SESSION "0123456789abcdef"

static struct addr
addr_of(const char *host, uint16_t port)
{
	struct addr addr = { 0 };

	if (strcmp(host, "unix") == 0)
		addr.sa.sa_family = AF_UNIX;
	else
		assert_true(addr_parse(slice_of(host), port, &addr));
	return addr;
}

static struct identity
identity_of(const char *client, const char *local)
{
	struct identity identity = { .client = addr_of(client, 4711), .local = addr_of(local, 25),
		.session = SESSION };

	return identity;
}

static struct proxy_header
header_of(enum proxy_version version, const struct identity *identity)
{
	struct proxy_header header = { .version = version, .identity = identity,
		.from = addr_of("10.0.0.9", 50000), .to = addr_of("10.0.0.1", 25) };

	return header;
}

static void
expect_written(const struct proxy_header *header, const char *bytes, size_t n)
{
	struct buf out = { 0 };

	proxy_header_write(header, &out);
	assert_int_equal(buf_len(&out), n);
	assert_memory_equal(buf_slice(&out).data, bytes, n);
	buf_clear(&out);
}
#define EXPECT(header, bytes) expect_written(header, bytes, sizeof(bytes) - 1)

static void
expect_line(const char *client, const char *local, const char *line)
{
	struct identity identity = identity_of(client, local);
	struct proxy_header header = header_of(PROXY_VERSION_1, &identity);

	expect_written(&header, line, strlen(line));
}

static void
version_1_is_a_line(void **state)
{
	(void)state;
	expect_line("192.0.2.7", "198.51.100.1", "PROXY TCP4 192.0.2.7 198.51.100.1 4711 25\r\n");
	expect_line("2001:db8::7", "2001:db8::1", "PROXY TCP6 2001:db8::7 2001:db8::1 4711 25\r\n");
	expect_line("::ffff:192.0.2.7", "::ffff:198.51.100.1",
	    "PROXY TCP4 192.0.2.7 198.51.100.1 4711 25\r\n");
}

/* The client's address is the one that counts. */
static void
families_are_never_mixed(void **state)
{
	(void)state;
	expect_line("2001:db8::7", "198.51.100.1",
	    "PROXY TCP6 2001:db8::7 ::ffff:198.51.100.1 4711 25\r\n");
	expect_line("192.0.2.7", "2001:db8::1", "PROXY TCP4 192.0.2.7 0.0.0.0 4711 25\r\n");
	expect_line("192.0.2.7", "unix", "PROXY TCP4 192.0.2.7 0.0.0.0 4711 0\r\n");
	expect_line("2001:db8::7", "unix", "PROXY TCP6 2001:db8::7 :: 4711 0\r\n");
}

static void
version_1_without_a_client_is_our_own(void **state)
{
	struct identity identity = identity_of("unix", "unix");
	struct proxy_header header = header_of(PROXY_VERSION_1, &identity);

	(void)state;
	EXPECT(&header, "PROXY TCP4 10.0.0.9 10.0.0.1 50000 25\r\n");
	header.identity = NULL;
	EXPECT(&header, "PROXY TCP4 10.0.0.9 10.0.0.1 50000 25\r\n");
	header.from = addr_of("::1", 50000);
	header.to = addr_of("::1", 25);
	EXPECT(&header, "PROXY TCP6 ::1 ::1 50000 25\r\n");
	header.from = header.to = addr_of("unix", 0);
	EXPECT(&header, "PROXY UNKNOWN\r\n");
}

static void
version_2_without_a_client_is_local(void **state)
{
	struct identity identity = identity_of("unix", "unix");
	struct proxy_header header = header_of(PROXY_VERSION_2, &identity);

	(void)state;
	EXPECT(&header, SIGNATURE "\x20\x00\x00\x00");
	header.identity = NULL;
	header.tls.alpn = "imap";
	EXPECT(&header, SIGNATURE "\x20\x00\x00\x00");
}

static void
expect_unique_id(const struct proxy_header *header, const char *id)
{
	struct buf out = { 0 };

	proxy_header_write(header, &out);
	assert_non_null(memmem(buf_data(&out), buf_len(&out), id, strlen(id)));
	assert_null(memmem(buf_data(&out), buf_len(&out), SESSION, strlen(SESSION)));
	buf_clear(&out);
}

static void
version_2_has_addresses_and_the_session(void **state)
{
	struct identity identity = identity_of("192.0.2.7", "198.51.100.1");
	struct proxy_header header = header_of(PROXY_VERSION_2, &identity);
	static const char wanted[] =
	    "\r\n\r\n\0\r\nQUIT\n" "\x21\x11\x00\x26"
	    "\xc0\x00\x02\x07" "\xc6\x33\x64\x01" "\x12\x67" "\x00\x19"
	    "\x05\x00\x10" SESSION
	    "\x03\x00\x04" "\x67\xff\x01\x25";

	char origin[] = "the-first-proxy-";

	(void)state;
	expect_written(&header, wanted, sizeof(wanted) - 1);

	/* who has told of the client has given it the id that goes on */
	identity.origin = origin;
	expect_unique_id(&header, origin);
}

static void
version_2_tells_of_tls(void **state)
{
	struct identity identity = identity_of("2001:db8::7", "2001:db8::1");
	struct proxy_header header = header_of(PROXY_VERSION_2, &identity);
	static const char wanted[] =
	    "\r\n\r\n\0\r\nQUIT\n" "\x21\x21\x00\x83"
	    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
	    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" "\x12\x67" "\x01\xd1"
	    "\x01\x00\x04" "imap"
	    "\x02\x00\x10" "mail.example.com"
	    "\x05\x00\x10" SESSION
	    "\x20\x00\x28" "\x01" "\x00\x00\x00\x01"
	    "\x21\x00\x07" "TLSv1.3"
	    "\x23\x00\x16" "TLS_AES_256_GCM_SHA384"
	    "\x03\x00\x04" "\x67\xa9\x9a\x71";

	(void)state;
	addr_set_port(&identity.local, 465);
	identity.tls_version = "TLSv1.3";
	identity.tls_cipher = "TLS_AES_256_GCM_SHA384";
	header.tls.alpn = "imap";
	header.tls.sni = "mail.example.com";
	expect_written(&header, wanted, sizeof(wanted) - 1);
}

/* The SSL TLV of a header. */
static void
expect_tls(const struct proxy_header *header, const char *bytes, size_t n)
{
	struct buf out = { 0 };

	proxy_header_write(header, &out);
	/* before it: what all have, the addresses and the session; behind it the sum */
	assert_int_equal(buf_len(&out), 16 + 12 + 19 + n + 7);
	assert_memory_equal(buf_data(&out) + 16 + 12 + 19, bytes, n);
	buf_clear(&out);
}
#define EXPECT_TLS(header, bytes) expect_tls(header, bytes, sizeof(bytes) - 1)

static void
version_2_names_verified_users_only(void **state)
{
	struct identity identity = identity_of("192.0.2.7", "198.51.100.1");
	struct proxy_header header = header_of(PROXY_VERSION_2, &identity);
	char user[] = "user1";

	(void)state;
	identity.tls_version = "TLSv1.3";
	EXPECT_TLS(&header, "\x20\x00\x0f" "\x01" "\x00\x00\x00\x01" "\x21\x00\x07" "TLSv1.3");
	header.tls.has_certificate = true;
	identity.certificate_user = user;
	EXPECT_TLS(&header, "\x20\x00\x0f" "\x07" "\x00\x00\x00\x01" "\x21\x00\x07" "TLSv1.3");
	header.tls.is_verified = true;
	EXPECT_TLS(&header, "\x20\x00\x17" "\x07" "\0\0\0\0" "\x21\x00\x07" "TLSv1.3" "\x22\x00\x05" "user1");
	header.tls.resumed = true;
	identity.certificate_user = NULL;
	EXPECT_TLS(&header, "\x20\x00\x0f" "\x05" "\0\0\0\0" "\x21\x00\x07" "TLSv1.3");
}

/* Who reads it sums it up with zeros in the sum's place. */
static void
the_sum_is_right_for_every_client(void **state)
{
	struct identity identity = identity_of("192.0.2.1", "2001:db8::1");
	struct proxy_header header = header_of(PROXY_VERSION_2, &identity);
	struct buf out = { 0 };
	uint32_t sum, told;

	(void)state;
	for (uint16_t port = 1; port < 1000; port++) {
		addr_set_port(&identity.client, port);
		proxy_header_write(&header, &out);
		memcpy(&told, buf_data(&out) + buf_len(&out) - sizeof(told), sizeof(told));
		memset(buf_data(&out) + buf_len(&out) - sizeof(told), 0, sizeof(told));
		sum = hash_crc32c(buf_data(&out), buf_len(&out));
		assert_int_equal(ntohl(told), sum);
		buf_clear(&out);
	}
}

static void
the_longest_fits_a_segment(void **state)
{
	struct identity identity = identity_of("2001:db8:1111:2222:3333:4444:5555:6666", "192.0.2.255");
	struct proxy_header header = header_of(PROXY_VERSION_2, &identity);
	struct buf out = { 0 };
	char name[256], user[257] = "";

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	header.tls.sni = name;
	header.tls.alpn = "managesieve";
	identity.tls_version = "TLSv1.3";
	identity.tls_cipher = "ECDHE-ECDSA-CHACHA20-POLY1305-SHA256";
	identity.certificate_user = user;
	header.tls.has_certificate = header.tls.is_verified = true;
	memset(user, 'u', sizeof(user) - 1);
	proxy_header_write(&header, &out);
	assert_in_range(buf_len(&out), 660, PROXY_HEADER_MAX);
	buf_clear(&out);
}

static void
no_version_writes_nothing(void **state)
{
	struct identity identity = identity_of("192.0.2.1", "192.0.2.2");
	struct proxy_header header = header_of(PROXY_VERSION_NONE, &identity);

	(void)state;
	EXPECT(&header, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_1_is_a_line),
		cmocka_unit_test(families_are_never_mixed),
		cmocka_unit_test(version_1_without_a_client_is_our_own),
		cmocka_unit_test(version_2_without_a_client_is_local),
		cmocka_unit_test(version_2_has_addresses_and_the_session),
		cmocka_unit_test(version_2_tells_of_tls),
		cmocka_unit_test(version_2_names_verified_users_only),
		cmocka_unit_test(the_sum_is_right_for_every_client),
		cmocka_unit_test(the_longest_fits_a_segment),
		cmocka_unit_test(no_version_writes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
