/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns_answer.h: what a name server's message says (RFC 1035, 2782, 3596):
 * the records of the type that was asked for, at the end of the aliases
 * (CNAME) that lead there.  Whether it answers what was asked has been found
 * out before.
 */
#ifndef NET_DNS_ANSWER_H
#define NET_DNS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_SOA = 6, DNS_AAAA = 28, DNS_SRV = 33 };
enum {
	DNS_NAME_MAX = 253,		/* as text, without the dot at the end */
	DNS_LABEL_MAX = 63,
	DNS_WIRE_MAX = 255,		/* a name in a message */
	DNS_RECORDS_MAX = 1024,		/* what a message has beyond them is not looked at */
	DNS_ALIASES_MAX = 16		/* a longer chain is an error */
};

struct dns_name {			/* labels behind their lengths, in lower case */
	uint8_t wire[DNS_WIRE_MAX];
	size_t len;
};

struct dns_answer {			/* a message that is walked; it must stay where it is */
	const uint8_t *message;
	size_t len;
	enum dns_type type;
	struct dns_name name;		/* the end of the aliases */
	uint32_t ttl;			/* the least of the aliases; UINT32_MAX without */
	size_t first, at;		/* where the records begin, and the next one */
	unsigned count, left;
};

struct dns_record {
	uint32_t ttl;			/* seconds; the least of the record and of the aliases to it */
	uint8_t address[16];		/* A: 4 of them */
	uint16_t priority, weight, port;
	char target[DNS_NAME_MAX + 1];	/* SRV: "." is no service, "" what dns_is_name would not take */
};

/* false: the message is malformed, or its aliases lead nowhere. */
bool dns_answer_open(struct dns_answer *answer, struct slice message, enum dns_type type);
/* The next record, in the message's order; false: there is none. */
bool dns_answer_next(struct dns_answer *answer, struct dns_record *record);

/* How many seconds a message that has no such record holds (RFC 2308), or else what is given. */
uint32_t dns_answer_absence(struct slice message, uint32_t otherwise);

/* A name that can be asked for: letters, digits, "-" and "_" between dots, one of which may end it. */
bool dns_is_name(const char *name);

#endif
