/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proxy_reader_test.c: good PROXY headers and what they tell, cut at each
 * place, and bad ones of each kind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/xalloc.h"
#include "net/proxy_header.h"
#include "net/proxy_reader.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define IPV4 "\xc0\x00\x02\x07" "\xc6\x33\x64\x01" "\x12\x67" "\x00\x19"	/* as of the line below */
#define IPV6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07" "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" \
    "\x12\x67" "\x00\x19"
#define LINE "PROXY TCP4 192.0.2.7 198.51.100.1 4711 25\r\n"
#define HIGHEST "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
#define MAPPED "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\7" \
    "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x33\x64\1" "\x12\x67\0\x19"
#define TLS_TLV "\x20\x00\x1a\x01\0\0\0\1" "\x21\x00\x07TLSv1.3" "\x22\x00\x01\xff" "\x23\x00\x04TLS_"
#define NAME_TLVS "\x01\x00\x04imap" "\x02\x00\x06mail.x" "\x05\x00\x03" "1-2"
#define ODD_TLVS "\x04\x00\x02\xff\xff" "\xee\x00\x00"
#define PLACE_OF_SUM "\x03\x00\x04\0\0\0\0"
#define BYTES(literal) slice_make((literal), sizeof(literal) - 1)

/* In memory of its very size, so that a look beyond its end is seen; the facts point nowhere then. */
static enum proxy_result
read_exactly(struct slice in, struct proxy_facts *facts)
{
	char *copy = xmalloc(in.len > 0 ? in.len : 1);
	enum proxy_result result;

	memcpy(copy, in.data, in.len);
	result = proxy_facts_read(slice_make(copy, in.len), facts);
	xfree(copy);
	return result;
}

static void
expect_bad(struct slice in, const char *why)
{
	struct proxy_facts facts;

	if (read_exactly(in, &facts) != PROXY_BAD)
		fail_msg("not refused: %.*s", SLICE_ARGS(in));
	assert_string_equal(facts.why, why);
}
#define EXPECT_BAD(literal, why) expect_bad(BYTES(literal), why)

/* Good, whole or cut, alone or with something behind it. */
static struct proxy_facts
expect_good(struct slice in)
{
	struct buf longer = { 0 };
	struct proxy_facts facts;

	for (size_t len = 0; len < in.len; len++)
		if (read_exactly(slice_make(in.data, len), &facts) != PROXY_MORE)
			fail_msg("%zu bytes of %.*s are no beginning: %s", len, SLICE_ARGS(in), facts.why);
	buf_append_slice(&longer, in);
	buf_append_text(&longer, "\r\nPROXY \x16\x03\x01");
	assert_int_equal(read_exactly(buf_slice(&longer), &facts), PROXY_DONE);
	assert_int_equal(facts.len, in.len);
	buf_clear(&longer);
	if (proxy_facts_read(in, &facts) != PROXY_DONE)
		fail_msg("refused: %.*s: %s", SLICE_ARGS(in), facts.why);
	assert_int_equal(facts.len, in.len);
	return facts;
}

static void
expect_addresses(struct slice in, const char *client, const char *local)
{
	struct proxy_facts facts = expect_good(in);
	char text[ADDR_TEXT_MAX];

	assert_true(facts.has_addresses);
	assert_string_equal(addr_format(&facts.client, text), client);
	assert_string_equal(addr_format(&facts.local, text), local);
}

static void
expect_no_addresses(struct slice in)
{
	struct proxy_facts facts = expect_good(in);

	assert_false(facts.has_addresses);
	assert_false(facts.has_tls);
}

static void
lines_tell_addresses(void **state)
{
	(void)state;
	expect_addresses(BYTES(LINE), "192.0.2.7:4711", "198.51.100.1:25");
	expect_addresses(BYTES("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n"), "0.0.0.0:0",
	    "255.255.255.255:65535");
	expect_addresses(BYTES("PROXY TCP6 2001:DB8::7 ::1 4711 25\r\n"), "[2001:db8::7]:4711", "[::1]:25");
	expect_addresses(BYTES("PROXY TCP6 " HIGHEST " " HIGHEST " 65535 65535\r\n"), "[" HIGHEST "]:65535",
	    "[" HIGHEST "]:65535");
	expect_addresses(BYTES("PROXY TCP6 ::ffff:192.0.2.7 2001:db8::1 4711 25\r\n"), "192.0.2.7:4711",
	    "[2001:db8::1]:25");
}

static void
lines_may_know_nothing(void **state)
{
	(void)state;
	expect_no_addresses(BYTES("PROXY UNKNOWN\r\n"));
	expect_no_addresses(BYTES("PROXY UNKNOWN 192.0.2.7 x  -1 \r\n"));
	/* the longest of all: 107 octets */
	expect_no_addresses(BYTES("PROXY UNKNOWN " HIGHEST " " HIGHEST " 65535 65535\r\n"));
}

static void
bad_lines_are_refused(void **state)
{
	static const struct {
		const char *line, *why;
	} bad[] = {
		{ "X", "it begins otherwise" },
		{ "a LOGIN bob secret\r\n", "it begins otherwise" },
		{ "\x16\x03\x01", "it begins otherwise" },
		{ "proxy TCP4", "it begins otherwise" },
		{ " PROXY", "it begins otherwise" },
		{ "\nPROXY", "it begins otherwise" },
		{ "PROXI", "it begins otherwise" },
		{ "PROXY\r\n", "it begins otherwise" },
		{ "PROXY\tTCP4 192.0.2.7 198.51.100.1 4711 25\r\n", "it begins otherwise" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 4711 25\n", "its line has other octets than text" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 4711 25\rX", "its line has other octets than text" },
		{ "PROXY TCP4 192.0.2.7\t198.51.100.1 4711 25\r\n", "its line has other octets than text" },
		{ "PROXY UNKNOWN \x7f", "its line has other octets than text" },
		{ "PROXY UNKNOWN \xc3\xa4\r\n", "its line has other octets than text" },
		{ "PROXY \r\n", "an unknown family" },
		{ "PROXY  TCP4 192.0.2.7 198.51.100.1 4711 25\r\n", "an unknown family" },
		{ "PROXY TCP5 192.0.2.7 198.51.100.1 4711 25\r\n", "an unknown family" },
		{ "PROXY UDP4 192.0.2.7 198.51.100.1 4711 25\r\n", "an unknown family" },
		{ "PROXY tcp4 192.0.2.7 198.51.100.1 4711 25\r\n", "an unknown family" },
		{ "PROXY UNKNOWNX\r\n", "an unknown family" },
		{ "PROXY TCP4\r\n", "a bad address" },
		{ "PROXY TCP4  192.0.2.7 198.51.100.1 4711 25\r\n", "a bad address" },
		{ "PROXY TCP4 192.0.2.7\r\n", "a bad address" },
		{ "PROXY TCP4 192.0.2.7 \r\n", "a bad address" },
		{ "PROXY TCP4 192.0.2.256 198.51.100.1 4711 25\r\n", "a bad address" },
		{ "PROXY TCP4 192.0.2 198.51.100.1 4711 25\r\n", "a bad address" },
		{ "PROXY TCP4 192.0.2.07 198.51.100.1 4711 25\r\n", "a bad address" },
		{ "PROXY TCP4 0xc0.0.2.7 198.51.100.1 4711 25\r\n", "a bad address" },
		{ "PROXY TCP4 localhost 198.51.100.1 4711 25\r\n", "a bad address" },
		{ "PROXY TCP4 192.0.2.7 ::1 4711 25\r\n", "a bad address" },
		{ "PROXY TCP4 ::1 192.0.2.7 4711 25\r\n", "a bad address" },
		{ "PROXY TCP4 ::ffff:192.0.2.7 192.0.2.8 1 1\r\n", "a bad address" },
		{ "PROXY TCP6 192.0.2.7 198.51.100.1 4711 25\r\n", "a bad address" },
		{ "PROXY TCP6 [::1] ::1 4711 25\r\n", "a bad address" },
		{ "PROXY TCP6 fe80::1%lo ::1 4711 25\r\n", "a bad address" },
		{ "PROXY TCP6 1::2::3 ::1 4711 25\r\n", "a bad address" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1\r\n", "a bad port" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n", "a bad port" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 4711 \r\n", "a bad port" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 4711 25 \r\n", "a bad port" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 4711 25 x\r\n", "a bad port" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1  4711 25\r\n", "a bad port" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 4711  25\r\n", "a bad port" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 04711 25\r\n", "a bad port" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 4711 00\r\n", "a bad port" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 +4711 25\r\n", "a bad port" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 -1 25\r\n", "a bad port" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 65536 25\r\n", "a bad port" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 4294967297 25\r\n", "a bad port" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 0x10 25\r\n", "a bad port" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_bad(slice_of(bad[i].line), bad[i].why);
	EXPECT_BAD("PROXY UNKNOWN \0\r\n", "its line has other octets than text");
	EXPECT_BAD("PROXY TCP4 192.0.2.7 198.51.100.1 4711 25\0\r\n", "its line has other octets than text");
}

static void
endless_lines_are_refused_at_once(void **state)
{
	char line[200];
	struct proxy_facts facts;

	(void)state;
	memset(line, ' ', sizeof(line));
	memcpy(line, "PROXY UNKNOWN", 13);
	assert_int_equal(read_exactly(slice_make(line, 105), &facts), PROXY_MORE);
	expect_bad(slice_make(line, 106), "its line is too long");
	expect_bad(slice_make(line, sizeof(line)), "its line is too long");
	memcpy(line + 106, "\r\n", 2);
	expect_bad(slice_make(line, sizeof(line)), "its line is too long");
}

/* A header of version 2 with its length, and its checksum where it ends in a place for one. */
static struct slice
pack(struct buf *out, uint8_t command, uint8_t family, struct slice block)
{
	uint8_t fixed[4] = { command, family, (uint8_t)(block.len >> 8), (uint8_t)block.len };
	static const char place[] = PLACE_OF_SUM;
	size_t n = sizeof(place) - 1;

	buf_clear(out);
	buf_append_slice(out, BYTES(SIGNATURE));
	buf_append(out, fixed, sizeof(fixed));
	buf_append_slice(out, block);
	if (block.len >= n && memcmp(block.data + block.len - n, place, n) == 0) {
		uint32_t sum = hash_crc32c(buf_data(out), buf_len(out));

		for (size_t i = 0; i < 4; i++)
			buf_data(out)[buf_len(out) - 4 + i] = (char)(uint8_t)(sum >> (24 - 8 * i));
	}
	return buf_slice(out);
}

static void
blocks_tell_addresses(void **state)
{
	struct buf out = { 0 };

	(void)state;
	expect_addresses(pack(&out, 0x21, 0x11, BYTES(IPV4)), "192.0.2.7:4711", "198.51.100.1:25");
	expect_addresses(pack(&out, 0x21, 0x21, BYTES(IPV6)), "[2001:db8::7]:4711", "[2001:db8::1]:25");
	expect_addresses(pack(&out, 0x21, 0x21, BYTES(MAPPED)), "192.0.2.7:4711", "198.51.100.1:25");
	buf_clear(&out);
}

static void
blocks_may_know_nothing(void **state)
{
	char unix_paths[2 * 108] = "/run/a";
	struct buf out = { 0 };

	(void)state;
	expect_no_addresses(pack(&out, 0x20, 0x00, BYTES("")));
	expect_no_addresses(pack(&out, 0x20, 0x00, BYTES("\x04\x00\x01x" PLACE_OF_SUM)));
	/* of LOCAL nothing is believed, and its family is ignored */
	expect_no_addresses(pack(&out, 0x20, 0x00, BYTES("\x20\x00\x05\x01\0\0\0\0")));
	expect_no_addresses(pack(&out, 0x20, 0x11, BYTES(IPV4)));
	expect_no_addresses(pack(&out, 0x20, 0x11, BYTES("")));
	expect_no_addresses(pack(&out, 0x20, 0xff, BYTES("whatever")));
	expect_no_addresses(pack(&out, 0x21, 0x00, BYTES("")));
	expect_no_addresses(pack(&out, 0x21, 0x31, slice_make(unix_paths, sizeof(unix_paths))));
	buf_clear(&out);
}

static void
tlvs_tell_of_tls(void **state)
{
	struct buf out = { 0 };
	struct proxy_facts facts;

	(void)state;
	facts = expect_good(pack(&out, 0x21, 0x11, BYTES(IPV4 NAME_TLVS ODD_TLVS TLS_TLV PLACE_OF_SUM)));
	assert_true(facts.has_addresses);
	assert_true(facts.has_tls);
	assert_true(slice_equals(facts.tls_version, "TLSv1.3"));
	assert_true(slice_equals(facts.tls_cipher, "TLS_"));
	assert_true(slice_equals(facts.sni, "mail.x"));
	assert_true(slice_equals(facts.unique_id, "1-2"));

	/* the client's bit is what counts; a certificate that was shown once is no TLS */
	facts = expect_good(pack(&out, 0x21, 0x11, BYTES(IPV4 "\x20\x00\x05\x06\0\0\0\0")));
	assert_false(facts.has_tls);
	facts = expect_good(pack(&out, 0x21, 0x00, BYTES("\x20\x00\x05\x07\0\0\0\0")));
	assert_true(facts.has_tls);
	assert_int_equal(facts.tls_version.len, 0);
	buf_clear(&out);
}

/* They are good: the specification lets them hold anything. */
static void
names_that_cannot_be_shown_are_not_told(void **state)
{
	char tlvs[128 + 3] = "\x05\x00\x80";
	struct buf out = { 0 };
	struct proxy_facts facts;

	(void)state;
	facts = expect_good(pack(&out, 0x21, 0x00, BYTES("\x02\x00\x02\xc3\xa4" "\x05\x00\x02\n\n")));
	assert_int_equal(facts.sni.len + facts.unique_id.len, 0);
	memset(tlvs + 3, 'a', 128);
	facts = expect_good(pack(&out, 0x21, 0x00, slice_make(tlvs, sizeof(tlvs))));
	assert_int_equal(facts.unique_id.len, 0);
	buf_clear(&out);
}

static void
bad_blocks_are_refused(void **state)
{
	static const struct {
		uint8_t command, family;
		struct slice block;
		const char *why;
	} bad[] = {
		{ 0x11, 0x11, SLICE_LITERAL(IPV4), "an unknown version or command" },
		{ 0x31, 0x11, SLICE_LITERAL(IPV4), "an unknown version or command" },
		{ 0x22, 0x11, SLICE_LITERAL(IPV4), "an unknown version or command" },
		{ 0x2f, 0x00, SLICE_LITERAL(""), "an unknown version or command" },
		{ 0x00, 0x00, SLICE_LITERAL(""), "an unknown version or command" },
		{ 0x21, 0x12, SLICE_LITERAL(IPV4), "an unknown family" },
		{ 0x21, 0x22, SLICE_LITERAL(IPV6), "an unknown family" },
		{ 0x21, 0x10, SLICE_LITERAL(IPV4), "an unknown family" },
		{ 0x21, 0x01, SLICE_LITERAL(""), "an unknown family" },
		{ 0x21, 0x41, SLICE_LITERAL(""), "an unknown family" },
		{ 0x21, 0x32, SLICE_LITERAL(""), "an unknown family" },
		{ 0x21, 0x11, SLICE_LITERAL("\xc0\x00\x02\x07\xc6\x33\x64\x01\x12\x67\x00"),
		    "it is too short for its addresses" },
		{ 0x21, 0x21, SLICE_LITERAL(IPV4), "it is too short for its addresses" },
		{ 0x21, 0x31, SLICE_LITERAL(IPV6), "it is too short for its addresses" },
		{ 0x21, 0x11, SLICE_LITERAL(IPV4 "\x04"), "a TLV is cut off" },
		{ 0x21, 0x11, SLICE_LITERAL(IPV4 "\x04\x00"), "a TLV is cut off" },
		{ 0x21, 0x11, SLICE_LITERAL(IPV4 "\x04\x00\x01"), "a TLV goes over the end" },
		{ 0x21, 0x11, SLICE_LITERAL(IPV4 "\x04\x00\x01x\x04\xff\xffy"), "a TLV goes over the end" },
		{ 0x20, 0x00, SLICE_LITERAL("\x04\x00\x01"), "a TLV goes over the end" },
		{ 0x21, 0x11, SLICE_LITERAL(IPV4 "\x03\x00\x03\0\0\0"), "its checksum has a bad size" },
		{ 0x21, 0x11, SLICE_LITERAL(IPV4 "\x03\x00\x00"), "its checksum has a bad size" },
		{ 0x21, 0x11, SLICE_LITERAL(IPV4 "\x03\x00\x05\0\0\0\0\0"),
		    "its checksum has a bad size" },
		{ 0x21, 0x11, SLICE_LITERAL(IPV4 "\x03\x00\x04\0\0\0\1"), "its checksum is wrong" },
		{ 0x20, 0x00, SLICE_LITERAL("\x03\x00\x04\0\0\0\1"), "its checksum is wrong" },
		{ 0x21, 0x11, SLICE_LITERAL(IPV4 PLACE_OF_SUM PLACE_OF_SUM), "a TLV is there twice" },
		{ 0x21, 0x11, SLICE_LITERAL(IPV4 "\x02\x00\x01" "a\x02\x00\x01" "b"),
		    "a TLV is there twice" },
		{ 0x21, 0x11, SLICE_LITERAL(IPV4 "\x05\x00\x00\x05\x00\x00"), "a TLV is there twice" },
		{ 0x21, 0x00, SLICE_LITERAL("\x20\x00\x05\0\0\0\0\0\x20\x00\x05\1\0\0\0\0"),
		    "a TLV is there twice" },
		{ 0x21, 0x00, SLICE_LITERAL("\x20\x00\x00"), "the TLV about TLS is too short" },
		{ 0x21, 0x00, SLICE_LITERAL("\x20\x00\x04\1\0\0\0"), "the TLV about TLS is too short" },
		{ 0x21, 0x00, SLICE_LITERAL("\x20\x00\x06\1\0\0\0\0\x21"), "a TLV is cut off" },
		{ 0x21, 0x00, SLICE_LITERAL("\x20\x00\x08\1\0\0\0\0\x21\0\1\x04\0\0"),
		    "a TLV goes over the end" },
		{ 0x21, 0x00, SLICE_LITERAL("\x20\x00\x09\1\0\0\0\0\x21\0\1\n"),
		    "the TLV about TLS has other octets than text" },
		{ 0x21, 0x00, SLICE_LITERAL("\x20\x00\x09\1\0\0\0\0\x23\0\1\xe4"),
		    "the TLV about TLS has other octets than text" },
		{ 0x21, 0x00, SLICE_LITERAL("\x20\x00\x0b\1\0\0\0\0\x21\0\0\x21\0\0"),
		    "a TLV is there twice" },
	};
	struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_bad(pack(&out, bad[i].command, bad[i].family, bad[i].block), bad[i].why);
	buf_clear(&out);
}

static void
too_long_names_are_refused(void **state)
{
	char tlvs[256 + 3] = "\x02\x01\x00";
	struct buf out = { 0 };

	(void)state;
	expect_bad(pack(&out, 0x21, 0x00, slice_make(tlvs, 256 + 3)), "the name of the server is too long");
	memcpy(tlvs, "\x05\x00\x81", 3);
	expect_bad(pack(&out, 0x21, 0x00, slice_make(tlvs, 129 + 3)), "the unique id is too long");
	buf_clear(&out);
}

/* What is wrong in the beginning is known before the rest has come. */
static void
bad_beginnings_are_refused_at_once(void **state)
{
	(void)state;
	EXPECT_BAD("\r\r", "it begins otherwise");
	EXPECT_BAD("\r\n\r\n\0\r\nQUIT\r", "it begins otherwise");
	EXPECT_BAD(SIGNATURE "\x23", "an unknown version or command");
	EXPECT_BAD(SIGNATURE "\x21\x12", "an unknown family");
	EXPECT_BAD(SIGNATURE "\x21\x11\x00\x0b", "it is too short for its addresses");
	EXPECT_BAD(SIGNATURE "\x21\x11\x10\x01", "it is too long");
	EXPECT_BAD(SIGNATURE "\x20\x00\xff\xff", "it is too long");
}

static void
the_longest_is_taken(void **state)
{
	char block[4096] = "\x04\x0f\xfd";
	struct buf out = { 0 };

	(void)state;
	expect_no_addresses(pack(&out, 0x21, 0x00, slice_make(block, sizeof(block))));
	assert_int_equal(buf_len(&out), PROXY_READ_MAX);
	buf_clear(&out);
}

/* Each bit counts under a checksum; what is flipped is refused or, in its first octets, of another kind. */
static void
a_flipped_bit_is_seen(void **state)
{
	struct buf out = { 0 };
	struct proxy_facts facts;

	(void)state;
	pack(&out, 0x21, 0x11, BYTES(IPV4 "\x05\x00\x03" "1-2" PLACE_OF_SUM));
	for (size_t bit = 0; bit < 8 * buf_len(&out); bit++) {
		bool is_type_of_crc = bit / 8 == 16 + 12 + 6;	/* then it is another TLV: there is no sum */
		bool is_local = bit == 8 * 12;			/* of which the family is ignored */

		buf_data(&out)[bit / 8] = (char)(buf_data(&out)[bit / 8] ^ 1 << bit % 8);
		if (!is_type_of_crc && !is_local)
			assert_int_not_equal(read_exactly(buf_slice(&out), &facts), PROXY_DONE);
		buf_data(&out)[bit / 8] = (char)(buf_data(&out)[bit / 8] ^ 1 << bit % 8);
	}
	buf_clear(&out);
}

static void
what_we_write_is_read(void **state)
{
	struct identity identity = { .session = "0123456789abcdef", .tls_version = "TLSv1.3",
		.tls_cipher = "TLS_AES_256_GCM_SHA384" };
	struct proxy_header header = { .identity = &identity, .tls.sni = "mail.example.com",
		.tls.alpn = "imap" };
	struct buf out = { 0 };
	struct proxy_facts facts;

	(void)state;
	addr_parse(slice_of("2001:db8::7"), 4711, &identity.client);
	addr_parse(slice_of("198.51.100.1"), 25, &identity.local);
	for (header.version = PROXY_VERSION_1; header.version <= PROXY_VERSION_2; header.version++) {
		proxy_header_write(&header, &out);
		expect_addresses(buf_slice(&out), "[2001:db8::7]:4711", "198.51.100.1:25");
		facts = expect_good(buf_slice(&out));
		assert_int_equal(facts.has_tls, header.version == PROXY_VERSION_2);
		if (facts.has_tls) {
			assert_true(slice_equals(facts.tls_cipher, "TLS_AES_256_GCM_SHA384"));
			assert_true(slice_equals(facts.sni, "mail.example.com"));
			assert_true(slice_equals(facts.unique_id, "0123456789abcdef"));
		}
		buf_clear(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_tell_addresses),
		cmocka_unit_test(lines_may_know_nothing),
		cmocka_unit_test(bad_lines_are_refused),
		cmocka_unit_test(endless_lines_are_refused_at_once),
		cmocka_unit_test(blocks_tell_addresses),
		cmocka_unit_test(blocks_may_know_nothing),
		cmocka_unit_test(tlvs_tell_of_tls),
		cmocka_unit_test(names_that_cannot_be_shown_are_not_told),
		cmocka_unit_test(bad_blocks_are_refused),
		cmocka_unit_test(too_long_names_are_refused),
		cmocka_unit_test(bad_beginnings_are_refused_at_once),
		cmocka_unit_test(the_longest_is_taken),
		cmocka_unit_test(a_flipped_bit_is_seen),
		cmocka_unit_test(what_we_write_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
