/* SPDX-License-Identifier: BSD-2-Clause */
/* dns_message.h: name servers' messages, written record by record. */
#ifndef UNIT_NET_DNS_MESSAGE_H
#define UNIT_NET_DNS_MESSAGE_H

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

#include "base/slice.h"
#include "net/dns_answer.h"

enum {
	MESSAGE_MAX = 16384, MESSAGE_HEADER = 12, MESSAGE_OWN_NAME = 0xc000 | MESSAGE_HEADER,
	MESSAGE_ANSWER = 0x8180, MESSAGE_TRUNCATED = 0x0200,
	SERVFAIL = 2, NXDOMAIN = 3, REFUSED = 5
};

struct message {
	uint8_t data[MESSAGE_MAX];
	size_t len;
	size_t record;			/* where the data of the last record begins */
};

static inline void
message_number(struct message *m, unsigned number)
{
	assert_true(m->len + 2 <= MESSAGE_MAX);
	m->data[m->len++] = (uint8_t)(number >> 8);
	m->data[m->len++] = (uint8_t)number;
}

static inline void
message_bytes(struct message *m, const void *bytes, size_t len)
{
	assert_true(m->len + len <= MESSAGE_MAX);
	memcpy(m->data + m->len, bytes, len);
	m->len += len;
}

/* NULL: the question's, by a pointer; "": the root. */
static inline void
message_name(struct message *m, const char *name)
{
	if (name == NULL) {
		message_number(m, MESSAGE_OWN_NAME);
		return;
	}
	while (*name != '\0') {
		size_t len = strcspn(name, ".");

		m->data[m->len++] = (uint8_t)len;
		message_bytes(m, name, len);
		name += len + (name[len] == '.');
	}
	m->data[m->len++] = 0;
}

static inline void
message_set(struct message *m, size_t at, unsigned number)
{
	m->data[at] = (uint8_t)(number >> 8);
	m->data[at + 1] = (uint8_t)number;
}

static inline unsigned
message_get(const struct message *m, size_t at)
{
	return (unsigned)m->data[at] << 8 | m->data[at + 1];
}

/* A question alone; as a name server's it gets flags. */
static inline void
message_ask(struct message *m, const char *name, enum dns_type type)
{
	const uint8_t header[MESSAGE_HEADER] = { 0, 0, MESSAGE_ANSWER >> 8, MESSAGE_ANSWER & 0xff, 0, 1 };

	m->len = 0;
	message_bytes(m, header, sizeof(header));
	message_name(m, name);
	message_number(m, type);
	message_number(m, 1);
}

/* Behind it the record's data, then message_end. */
static inline void
message_begin(struct message *m, const char *owner, enum dns_type type, uint32_t ttl)
{
	message_name(m, owner);
	message_number(m, type);
	message_number(m, 1);
	message_number(m, ttl >> 16);
	message_number(m, ttl & 0xffff);
	message_number(m, 0);
	m->record = m->len;
}

static inline void
message_end(struct message *m)
{
	message_set(m, m->record - 2, (unsigned)(m->len - m->record));
	message_set(m, 6, message_get(m, 6) + 1);
}

static inline void
message_address(struct message *m, const char *owner, const char *text, uint32_t ttl)
{
	uint8_t bytes[16];
	int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;

	assert_int_equal(inet_pton(family, text, bytes), 1);
	message_begin(m, owner, family == AF_INET ? DNS_A : DNS_AAAA, ttl);
	message_bytes(m, bytes, family == AF_INET ? 4 : 16);
	message_end(m);
}

static inline void
message_alias(struct message *m, const char *owner, const char *target, uint32_t ttl)
{
	message_begin(m, owner, DNS_CNAME, ttl);
	message_name(m, target);
	message_end(m);
}

static inline void
message_service(struct message *m, const uint16_t numbers[3], const char *target, uint32_t ttl)
{
	message_begin(m, NULL, DNS_SRV, ttl);
	for (int i = 0; i < 3; i++)
		message_number(m, numbers[i]);
	message_name(m, target);
	message_end(m);
}

static inline struct slice
message_slice(const struct message *m)
{
	return slice_make((const char *)m->data, m->len);
}

#endif
