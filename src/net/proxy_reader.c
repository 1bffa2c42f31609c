/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proxy_reader.c: reads PROXY headers as HAProxy's proxy-protocol.txt has
 * them.  Whatever is not exactly so is refused, as early as it shows: who
 * sends a header wrongly may mean another client.
 */
#include "net/proxy_reader.h"

#include <string.h>

#include "base/hash.h"
#include "net/proxy_wire.h"

enum {
	LINE_MAX_SIZE = 107,		/* of version 1, with its CRLF */
	CRLF_SIZE = 2,
	IPV4_SIZE = 4,
	IPV6_SIZE = 16,
	PORT_SIZE = 2,
	UNIX_PATH_SIZE = 108,
	TLV_FIXED_SIZE = 3,		/* its type, and how long its value is */
	SNI_MAX = 255,			/* as DNS has it */
	UNIQUE_ID_MAX = 128,
	UNIQUE_ID_KEPT = 64		/* a longer one is good, and is not told */
};

/* How many octets the addresses of version 2 have. */
static const struct family {
	enum proxy_family code;
	size_t size;
} families[] = {
	{ PROXY_FAMILY_NONE, 0 },
	{ PROXY_FAMILY_TCP4, 2 * (IPV4_SIZE + PORT_SIZE) },
	{ PROXY_FAMILY_TCP6, 2 * (IPV6_SIZE + PORT_SIZE) },
	{ PROXY_FAMILY_UNIX, 2 * UNIX_PATH_SIZE },
};

static enum proxy_result
refuse(struct proxy_facts *facts, const char *why)
{
	facts->why = why;
	return PROXY_BAD;
}

static bool
begins_alike(struct slice in, struct slice wanted)
{
	return memcmp(in.data, wanted.data, in.len < wanted.len ? in.len : wanted.len) == 0;
}

static size_t
count_printable(struct slice s)
{
	size_t n = 0;

	while (n < s.len && s.data[n] >= ' ' && s.data[n] <= '~')
		n++;
	return n;
}

static bool
is_printable(struct slice s)
{
	return count_printable(s) == s.len;
}

/* Strictly of that family: addr_parse takes more. */
static bool
read_host(struct slice word, bool is_ipv6, struct addr *addr)
{
	bool has_colon = memchr(word.data, ':', word.len) != NULL;

	return has_colon == is_ipv6 && word.len > 0 && word.data[0] != '[' && addr_parse(word, 0, addr);
}

static bool
read_port(struct slice word, struct addr *addr)
{
	bool has_leading_zero = word.len > 1 && word.data[0] == '0';
	uint64_t port;

	if (has_leading_zero || !slice_to_number(word, UINT16_MAX, &port))
		return false;
	addr_set_port(addr, (uint16_t)port);
	return true;
}

/* What is behind "PROXY ". */
static enum proxy_result
read_words(struct slice rest, struct proxy_facts *facts)
{
	struct slice family = slice_take(&rest, ' ');
	bool is_ipv6 = slice_equals(family, "TCP6");
	struct slice client, local, client_port;

	if (slice_equals(family, "UNKNOWN"))
		return PROXY_DONE;
	if (!is_ipv6 && !slice_equals(family, "TCP4"))
		return refuse(facts, "an unknown family");
	client = slice_take(&rest, ' ');
	local = slice_take(&rest, ' ');
	client_port = slice_take(&rest, ' ');
	if (!read_host(client, is_ipv6, &facts->client) || !read_host(local, is_ipv6, &facts->local))
		return refuse(facts, "a bad address");
	if (!read_port(client_port, &facts->client) || !read_port(rest, &facts->local))
		return refuse(facts, "a bad port");
	facts->has_addresses = true;
	return PROXY_DONE;
}

static enum proxy_result
read_version_1(struct slice in, struct slice start, struct proxy_facts *facts)
{
	size_t n = count_printable(in);

	if (!begins_alike(in, start))
		return refuse(facts, "it begins otherwise");
	if (n > LINE_MAX_SIZE - CRLF_SIZE)
		return refuse(facts, "its line is too long");
	if (n < in.len && !begins_alike(slice_from(in, n), slice_of("\r\n")))
		return refuse(facts, "its line has other octets than text");
	if (in.len < n + CRLF_SIZE)
		return PROXY_MORE;
	facts->len = n + CRLF_SIZE;
	return read_words(slice_from(slice_make(in.data, n), start.len), facts);
}

static uint8_t
octet_at(struct slice in, size_t i)
{
	return (uint8_t)in.data[i];
}

/* Two octets as a number. */
static uint16_t
number_at(struct slice in, size_t i)
{
	return (uint16_t)(octet_at(in, i) << 8 | octet_at(in, i + 1));
}

/* Which TLV's value goes where; data is NULL until then. */
struct wanted {
	enum proxy_tlv type;
	struct slice *value;
};

/* False: it was there before. */
static bool
keep(const struct wanted *wanted, size_t count, uint8_t type, struct slice value)
{
	for (size_t i = 0; i < count; i++) {
		if (wanted[i].type != type)
			continue;
		if (wanted[i].value->data != NULL)
			return false;
		*wanted[i].value = value;
	}
	return true;
}

/* The values of those wanted; others are overlooked.  NULL, or what is wrong. */
static const char *
walk_tlvs(struct slice rest, const struct wanted *wanted, size_t count)
{
	while (rest.len > 0) {
		size_t size;

		if (rest.len < TLV_FIXED_SIZE)
			return "a TLV is cut off";
		size = number_at(rest, 1);
		if (size > rest.len - TLV_FIXED_SIZE)
			return "a TLV goes over the end";
		if (!keep(wanted, count, octet_at(rest, 0), slice_make(rest.data + TLV_FIXED_SIZE, size)))
			return "a TLV is there twice";
		rest = slice_from(rest, TLV_FIXED_SIZE + size);
	}
	return NULL;
}

/* Over all of the header, with zeros in its own place. */
static bool
is_sum_right(struct slice header, struct slice crc)
{
	char copy[PROXY_READ_MAX];
	uint32_t told = (uint32_t)number_at(crc, 0) << 16 | number_at(crc, 2);

	memcpy(copy, header.data, header.len);
	memset(copy + (crc.data - header.data), 0, PROXY_CRC_SIZE);
	return hash_crc32c(copy, header.len) == told;
}

static const char *
read_ssl(struct slice ssl, struct proxy_facts *facts)
{
	struct slice version = { 0 }, cipher = { 0 };
	const struct wanted wanted[] = {
		{ PROXY_TLV_SSL_VERSION, &version }, { PROXY_TLV_SSL_CIPHER, &cipher }
	};
	const char *why;

	if (ssl.len < PROXY_SSL_FIXED_SIZE)
		return "the TLV about TLS is too short";
	why = walk_tlvs(slice_from(ssl, PROXY_SSL_FIXED_SIZE), wanted, sizeof(wanted) / sizeof(wanted[0]));
	if (why != NULL)
		return why;
	if (!is_printable(version) || !is_printable(cipher))
		return "the TLV about TLS has other octets than text";
	facts->has_tls = (octet_at(ssl, 0) & PROXY_CLIENT_SSL) != 0;
	facts->tls_version = version;
	facts->tls_cipher = cipher;
	return NULL;
}

/* These two may hold anything: what could not be shown is not told. */
static const char *
read_names(struct slice sni, struct slice unique_id, struct proxy_facts *facts)
{
	if (sni.len > SNI_MAX)
		return "the name of the server is too long";
	if (unique_id.len > UNIQUE_ID_MAX)
		return "the unique id is too long";
	if (is_printable(sni))
		facts->sni = sni;
	if (unique_id.len <= UNIQUE_ID_KEPT && is_printable(unique_id))
		facts->unique_id = unique_id;
	return NULL;
}

static const char *
read_tlvs(struct slice header, size_t start, struct proxy_facts *facts)
{
	struct slice crc = { 0 }, ssl = { 0 }, sni = { 0 }, unique_id = { 0 };
	const struct wanted wanted[] = {
		{ PROXY_TLV_CRC32C, &crc }, { PROXY_TLV_SSL, &ssl },
		{ PROXY_TLV_AUTHORITY, &sni }, { PROXY_TLV_UNIQUE_ID, &unique_id }
	};
	const char *why;

	why = walk_tlvs(slice_from(header, start), wanted, sizeof(wanted) / sizeof(wanted[0]));
	if (why == NULL && crc.data != NULL && crc.len != PROXY_CRC_SIZE)
		why = "its checksum has a bad size";
	if (why == NULL && crc.data != NULL && !is_sum_right(header, crc))
		why = "its checksum is wrong";
	if (why == NULL && ssl.data != NULL)
		why = read_ssl(ssl, facts);
	if (why == NULL)
		why = read_names(sni, unique_id, facts);
	return why;
}

static struct addr
ipv4_at(struct slice in, size_t i)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET };

	memcpy(&in4.sin_addr, in.data + i, sizeof(in4.sin_addr));
	return addr_from_sockaddr((const struct sockaddr *)&in4, sizeof(in4));
}

static struct addr
ipv6_at(struct slice in, size_t i)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	memcpy(&in6.sin6_addr, in.data + i, sizeof(in6.sin6_addr));
	return addr_from_sockaddr((const struct sockaddr *)&in6, sizeof(in6));
}

static void
read_addresses(struct slice in, const struct family *family, struct proxy_facts *facts)
{
	size_t ports = PROXY_FIXED_SIZE + family->size - 2 * PORT_SIZE;

	if (family->code == PROXY_FAMILY_TCP4) {
		facts->client = ipv4_at(in, PROXY_FIXED_SIZE);
		facts->local = ipv4_at(in, PROXY_FIXED_SIZE + IPV4_SIZE);
	} else if (family->code == PROXY_FAMILY_TCP6) {
		facts->client = ipv6_at(in, PROXY_FIXED_SIZE);
		facts->local = ipv6_at(in, PROXY_FIXED_SIZE + IPV6_SIZE);
	} else {
		return;
	}
	addr_set_port(&facts->client, number_at(in, ports));
	addr_set_port(&facts->local, number_at(in, ports + PORT_SIZE));
	facts->has_addresses = true;
}

static const struct family *
find_family(uint8_t code)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (families[i].code == code)
			return &families[i];
	return NULL;
}

/* The peer's own connection: of what it says of a client nothing counts, and only form is looked at. */
static const char *
read_local(struct slice header)
{
	struct proxy_facts ignored = { 0 };

	return octet_at(header, PROXY_FAMILY_AT) == PROXY_FAMILY_NONE ?
	    read_tlvs(header, PROXY_FIXED_SIZE, &ignored) : NULL;
}

static const char *
read_client(struct slice header, const struct family *family, struct proxy_facts *facts)
{
	read_addresses(header, family, facts);
	return read_tlvs(header, PROXY_FIXED_SIZE + family->size, facts);
}

static enum proxy_result
read_version_2(struct slice in, struct slice start, struct proxy_facts *facts)
{
	uint8_t command = in.len > PROXY_COMMAND_AT ? octet_at(in, PROXY_COMMAND_AT) : PROXY_COMMAND_LOCAL;
	bool is_local = command == PROXY_COMMAND_LOCAL;
	const struct family *family =
	    find_family(in.len > PROXY_FAMILY_AT ? octet_at(in, PROXY_FAMILY_AT) : PROXY_FAMILY_NONE);

	if (!begins_alike(in, start))
		return refuse(facts, "it begins otherwise");
	if (!is_local && command != PROXY_COMMAND_PROXY)
		return refuse(facts, "an unknown version or command");
	if (!is_local && family == NULL)
		return refuse(facts, "an unknown family");
	if (in.len < PROXY_FIXED_SIZE)
		return PROXY_MORE;
	facts->len = PROXY_FIXED_SIZE + (size_t)number_at(in, PROXY_LENGTH_AT);
	if (facts->len > PROXY_READ_MAX)
		return refuse(facts, "it is too long");
	if (!is_local && facts->len < PROXY_FIXED_SIZE + family->size)
		return refuse(facts, "it is too short for its addresses");
	if (in.len < facts->len)
		return PROXY_MORE;
	in.len = facts->len;
	facts->why = is_local ? read_local(in) : read_client(in, family, facts);
	return facts->why == NULL ? PROXY_DONE : PROXY_BAD;
}

enum proxy_result
proxy_facts_read(struct slice in, struct proxy_facts *facts)
{
	static const struct slice line = SLICE_LITERAL("PROXY "), signature = SLICE_LITERAL(PROXY_SIGNATURE);

	*facts = (struct proxy_facts){ 0 };
	if (in.len == 0)
		return PROXY_MORE;
	if (in.data[0] == line.data[0])
		return read_version_1(in, line, facts);
	return read_version_2(in, signature, facts);
}
