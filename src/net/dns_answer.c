/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns_answer.c: a message is read once from end to end before anything of it is used, so that nothing comes
 * out of one that is malformed further on.
 */
#include "net/dns_answer.h"

#include <assert.h>
#include <string.h>

enum {
	HEADER_SIZE = 12, QUESTIONS_AT = 4, RECORDS_AT = 6, AUTHORITIES_AT = 8,
	QUESTION_FIXED = 4,		/* type and class */
	RECORD_FIXED = 10,		/* type, class, TTL and length */
	SRV_FIXED = 6,			/* priority, weight and port */
	SOA_LEAST = 22, SOA_MINIMUM = 4,	/* two names and five numbers; the last of these */
	CLASS_IN = 1,
	IPV4_SIZE = 4, IPV6_SIZE = 16,
	POINTER = 0xc0			/* the two bits that make a length the first half of a pointer */
};

struct record {				/* of any type */
	struct dns_name owner;
	unsigned type, class;
	uint32_t ttl;
	size_t data, len;		/* where its data is */
	struct dns_name target;		/* CNAME, SRV */
};

static unsigned
read_16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t
read_32(const uint8_t *p)
{
	return (uint32_t)read_16(p) << 16 | read_16(p + 2);
}

static char
lower(uint8_t c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool
has_room(const struct dns_answer *a, size_t at, size_t n)
{
	return at <= a->len && n <= a->len - at;
}

/* One label, or the end where its length is 0. */
static bool
read_label(const struct dns_answer *a, size_t at, struct dns_name *name)
{
	size_t len = a->message[at];

	if (len > DNS_LABEL_MAX || !has_room(a, at, 1 + len) || name->len + 1 + len > DNS_WIRE_MAX)
		return false;
	name->wire[name->len++] = (uint8_t)len;
	for (size_t i = 0; i < len; i++)
		name->wire[name->len++] = (uint8_t)lower(a->message[at + 1 + i]);
	return true;
}

/* *at is moved behind it.  A pointer leads to before what led to it, so there is an end. */
static bool
read_name(const struct dns_answer *a, size_t *at, struct dns_name *name)
{
	size_t here = *at, bound = *at, behind = 0;

	name->len = 0;
	for (;;) {
		size_t len = has_room(a, here, 1) ? a->message[here] : POINTER;

		if (len < POINTER) {
			if (!read_label(a, here, name))
				return false;
			here += 1 + len;
			if (len == 0)
				break;
			continue;
		}
		if (!has_room(a, here, 2))
			return false;
		if (behind == 0)
			behind = here + 2;
		here = read_16(a->message + here) & ~((unsigned)POINTER << 8);
		if (here >= bound)
			return false;
		bound = here;
	}
	*at = behind != 0 ? behind : here;
	return true;
}

static bool
read_target(const struct dns_answer *a, struct record *record)
{
	size_t at = record->data + (record->type == DNS_SRV ? SRV_FIXED : 0);

	return read_name(a, &at, &record->target) && at == record->data + record->len;
}

/* *at is moved behind it; false: malformed, also within the data of a type that is of use here. */
static bool
read_record(const struct dns_answer *a, size_t *at, struct record *record)
{
	const uint8_t *fixed;

	if (!read_name(a, at, &record->owner) || !has_room(a, *at, RECORD_FIXED))
		return false;
	fixed = a->message + *at;
	record->type = read_16(fixed);
	record->class = read_16(fixed + 2);
	record->ttl = read_32(fixed + 4);
	if (record->ttl > INT32_MAX)
		record->ttl = 0;	/* RFC 2181, 8 */
	record->len = read_16(fixed + 8);
	record->data = *at + RECORD_FIXED;
	*at = record->data + record->len;
	if (!has_room(a, record->data, record->len))
		return false;
	if (record->class != CLASS_IN)
		return true;
	switch (record->type) {
	case DNS_A:
		return record->len == IPV4_SIZE;
	case DNS_AAAA:
		return record->len == IPV6_SIZE;
	case DNS_CNAME:
		return read_target(a, record);
	case DNS_SRV:
		return record->len > SRV_FIXED && read_target(a, record);
	default:
		return true;
	}
}

static bool
is_of(const struct dns_answer *a, const struct record *record, enum dns_type type)
{
	return record->type == type && record->class == CLASS_IN && record->owner.len == a->name.len &&
	    memcmp(record->owner.wire, a->name.wire, a->name.len) == 0;
}

/* Takes the name's alias, if it has one, in its place. */
static bool
follow_alias(struct dns_answer *a)
{
	size_t at = a->first;

	for (unsigned i = 0; i < a->count; i++) {
		struct record record;

		if (!read_record(a, &at, &record))
			return false;
		if (!is_of(a, &record, DNS_CNAME))
			continue;
		a->name = record.target;
		if (record.ttl < a->ttl)
			a->ttl = record.ttl;
		return true;
	}
	return false;
}

/* The question's name, and whether all records are whole. */
static bool
read_whole(struct dns_answer *a)
{
	size_t at = HEADER_SIZE;

	if (a->len < HEADER_SIZE || read_16(a->message + QUESTIONS_AT) != 1 || !read_name(a, &at, &a->name) ||
	    !has_room(a, at, QUESTION_FIXED))
		return false;
	at += QUESTION_FIXED;
	a->first = at;
	a->count = read_16(a->message + RECORDS_AT);
	if (a->count > DNS_RECORDS_MAX)
		a->count = DNS_RECORDS_MAX;
	for (unsigned i = 0; i < a->count; i++) {
		struct record record;

		if (!read_record(a, &at, &record))
			return false;
	}
	return true;
}

bool
dns_answer_open(struct dns_answer *answer, struct slice message, enum dns_type type)
{
	int aliases = 0;

	*answer = (struct dns_answer){
		.message = (const uint8_t *)message.data, .len = message.len, .type = type, .ttl = UINT32_MAX,
	};
	if (!read_whole(answer))
		return false;
	answer->at = answer->first;
	answer->left = answer->count;
	while (follow_alias(answer))
		if (++aliases > DNS_ALIASES_MAX)
			return false;
	return true;
}

/* Dots behind labels become dots between them. */
static void
write_target(const struct dns_name *name, char out[DNS_NAME_MAX + 1])
{
	size_t len = 0;

	for (size_t at = 0; name->wire[at] != 0; at += 1 + (size_t)name->wire[at]) {
		if (at > 0)
			out[len++] = '.';
		memcpy(out + len, name->wire + at + 1, name->wire[at]);
		len += name->wire[at];
	}
	assert(len <= DNS_NAME_MAX);
	out[len] = '\0';
	if (name->len == 1)
		memcpy(out, ".", sizeof("."));
	else if (strlen(out) != len || !dns_is_name(out))
		out[0] = '\0';
}

bool
dns_answer_next(struct dns_answer *answer, struct dns_record *out)
{
	while (answer->left > 0) {
		struct record record;
		const uint8_t *data;

		answer->left--;
		if (!read_record(answer, &answer->at, &record))
			return false;
		if (!is_of(answer, &record, answer->type))
			continue;
		data = answer->message + record.data;
		*out = (struct dns_record){ .ttl = record.ttl < answer->ttl ? record.ttl : answer->ttl };
		if (answer->type == DNS_SRV) {
			out->priority = (uint16_t)read_16(data);
			out->weight = (uint16_t)read_16(data + 2);
			out->port = (uint16_t)read_16(data + 4);
			write_target(&record.target, out->target);
		} else {
			memcpy(out->address, data, answer->type == DNS_A ? IPV4_SIZE : IPV6_SIZE);
		}
		return true;
	}
	return false;
}

uint32_t
dns_answer_absence(struct slice message, uint32_t otherwise)
{
	struct dns_answer a = { .message = (const uint8_t *)message.data, .len = message.len };
	struct record record;
	unsigned authorities;
	size_t at;

	if (!read_whole(&a))
		return otherwise;
	at = a.first;
	authorities = read_16(a.message + AUTHORITIES_AT);
	for (unsigned i = 0; i < a.count + authorities && read_record(&a, &at, &record); i++) {
		uint32_t minimum;

		if (i < a.count || record.type != DNS_SOA || record.len < SOA_LEAST)
			continue;
		minimum = read_32(a.message + at - SOA_MINIMUM);
		return minimum < record.ttl ? minimum : record.ttl;
	}
	return otherwise;
}

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    c == '-' || c == '_';
}

bool
dns_is_name(const char *name)
{
	size_t len = strlen(name), label = 0;

	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len == 0 || len > DNS_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (name[i] != '.' && !is_name_char(name[i]))
			return false;
		label = name[i] == '.' ? 0 : label + 1;
		if (label > DNS_LABEL_MAX || (name[i] == '.' && (i == 0 || name[i - 1] == '.')))
			return false;
	}
	return name[len - 1] != '.';
}
