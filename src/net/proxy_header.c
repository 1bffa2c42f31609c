/* SPDX-License-Identifier: BSD-2-Clause */
/* proxy_header.c: PROXY headers as HAProxy's proxy-protocol.txt has them, versions 1 and 2. */
#include "net/proxy_header.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"
#include "net/proxy_wire.h"

enum { VERIFIED = 0, NOTHING_VERIFIED = 1 };	/* what four octets tell of the client's certificate */

static bool
is_ip(const struct addr *addr)
{
	return addr->sa.sa_family == AF_INET || addr->sa.sa_family == AF_INET6;
}

/* `addr` in the family of `other`, or as near as it can be told there. */
static struct addr
in_family_of(const struct addr *other, const struct addr *addr)
{
	struct addr out = { 0 };

	if (addr->sa.sa_family == other->sa.sa_family)
		return *addr;
	out.sa.sa_family = other->sa.sa_family;
	if (out.sa.sa_family == AF_INET6 && addr->sa.sa_family == AF_INET) {
		out.in6.sin6_addr.s6_addr[10] = out.in6.sin6_addr.s6_addr[11] = 0xff;
		memcpy(&out.in6.sin6_addr.s6_addr[12], &addr->in.sin_addr, sizeof(addr->in.sin_addr));
	}
	addr_set_port(&out, addr_port(addr));
	return out;
}

static void
append_number(struct buf *out, uint32_t number, size_t octets)
{
	for (size_t left = octets; left-- > 0;) {
		uint8_t octet = (uint8_t)(number >> 8 * left);

		buf_append(out, &octet, 1);
	}
}

static void
write_line(struct buf *out, const struct addr *from, const struct addr *to)
{
	char from_text[ADDR_TEXT_MAX], to_text[ADDR_TEXT_MAX];
	struct addr near = in_family_of(from, to);

	buf_printf(out, "PROXY %s %s %s %u %u\r\n", from->sa.sa_family == AF_INET ? "TCP4" : "TCP6",
	    addr_host(from, from_text), addr_host(&near, to_text), (unsigned)addr_port(from),
	    (unsigned)addr_port(&near));
}

static void
write_version_1(const struct proxy_header *header, struct buf *out)
{
	const struct identity *identity = header->identity;

	if (identity != NULL && is_ip(&identity->client))
		write_line(out, &identity->client, &identity->local);
	else if (is_ip(&header->from))
		write_line(out, &header->from, &header->to);
	else
		buf_append_text(out, "PROXY UNKNOWN\r\n");
}

static void
append_address(struct buf *out, const struct addr *addr)
{
	if (addr->sa.sa_family == AF_INET)
		buf_append(out, &addr->in.sin_addr, sizeof(addr->in.sin_addr));
	else
		buf_append(out, &addr->in6.sin6_addr, sizeof(addr->in6.sin6_addr));
}

static void
append_addresses(struct buf *out, const struct addr *client, const struct addr *local)
{
	struct addr near = in_family_of(client, local);

	append_address(out, client);
	append_address(out, &near);
	append_number(out, addr_port(client), 2);
	append_number(out, addr_port(&near), 2);
}

static void
append_tlv(struct buf *out, enum proxy_tlv type, struct slice value)
{
	append_number(out, (uint32_t)type, 1);
	append_number(out, (uint32_t)value.len, 2);
	buf_append_slice(out, value);
}

static void
append_text(struct buf *out, enum proxy_tlv type, const char *text)
{
	if (text != NULL && *text != '\0')
		append_tlv(out, type, slice_of(text));
}

static uint32_t
client_bits(const struct proxy_header *header)
{
	uint32_t bits = PROXY_CLIENT_SSL;

	if (header->tls.has_certificate)
		bits |= PROXY_CLIENT_CERT_SESS;
	if (header->tls.has_certificate && !header->tls.resumed)
		bits |= PROXY_CLIENT_CERT_CONN;
	return bits;
}

static void
append_tls(struct buf *out, const struct proxy_header *header)
{
	const struct identity *identity = header->identity;
	struct buf value = { 0 };

	append_number(&value, client_bits(header), 1);
	append_number(&value, header->tls.is_verified ? VERIFIED : NOTHING_VERIFIED, 4);
	append_text(&value, PROXY_TLV_SSL_VERSION, identity->tls_version);
	if (header->tls.is_verified)
		append_text(&value, PROXY_TLV_SSL_CN, identity->certificate_user);
	append_text(&value, PROXY_TLV_SSL_CIPHER, identity->tls_cipher);
	append_tlv(out, PROXY_TLV_SSL, buf_slice(&value));
	buf_clear(&value);
}

static void
set_length(struct buf *out, size_t length)
{
	buf_data(out)[PROXY_LENGTH_AT] = (char)(uint8_t)(length >> 8);
	buf_data(out)[PROXY_LENGTH_AT + 1] = (char)(uint8_t)length;
}

/* Over all of the header, with zeros in its own place. */
static void
seal(struct buf *out)
{
	struct buf crc = { 0 };

	append_number(&crc, hash_crc32c(buf_data(out), buf_len(out)), PROXY_CRC_SIZE);
	memcpy(buf_data(out) + buf_len(out) - PROXY_CRC_SIZE, buf_data(&crc), PROXY_CRC_SIZE);
	buf_clear(&crc);
}

static void
write_client(const struct proxy_header *header, struct buf *out)
{
	const struct identity *identity = header->identity;

	append_addresses(out, &identity->client, &identity->local);
	append_text(out, PROXY_TLV_ALPN, header->tls.alpn);
	append_text(out, PROXY_TLV_AUTHORITY, header->tls.sni);
	append_text(out, PROXY_TLV_UNIQUE_ID, identity_session(identity));
	if (identity->tls_version != NULL)
		append_tls(out, header);
	append_tlv(out, PROXY_TLV_CRC32C, slice_make("\0\0\0\0", PROXY_CRC_SIZE));
	set_length(out, buf_len(out) - PROXY_FIXED_SIZE);
	seal(out);
}

static void
write_version_2(const struct proxy_header *header, struct buf *out)
{
	const struct identity *identity = header->identity;
	bool has_client = identity != NULL && is_ip(&identity->client);
	int family = !has_client ? PROXY_FAMILY_NONE :
	    identity->client.sa.sa_family == AF_INET ? PROXY_FAMILY_TCP4 : PROXY_FAMILY_TCP6;

	buf_append(out, PROXY_SIGNATURE, sizeof(PROXY_SIGNATURE) - 1);
	append_number(out, has_client ? PROXY_COMMAND_PROXY : PROXY_COMMAND_LOCAL, 1);
	append_number(out, (uint32_t)family, 1);
	append_number(out, 0, 2);
	if (has_client)
		write_client(header, out);
}

void
proxy_header_write(const struct proxy_header *header, struct buf *out)
{
	assert(buf_len(out) == 0);
	if (header->version == PROXY_VERSION_1)
		write_version_1(header, out);
	else if (header->version == PROXY_VERSION_2)
		write_version_2(header, out);
	assert(buf_len(out) <= PROXY_HEADER_MAX);
}
