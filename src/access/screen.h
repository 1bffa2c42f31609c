/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * screen.h: the block `screen`: how clients of the world's port 25 are looked at before they are greeted, and
 * what lists of the DNS (RFC 5782) make of an address: the sum of the weights of those that match.
 */
#ifndef ACCESS_SCREEN_H
#define ACCESS_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/buf.h"
#include "conf/directive.h"

enum screen_action { SCREEN_IGNORE, SCREEN_LOG, SCREEN_ENFORCE, SCREEN_DROP };

enum { DNSBL_ADDRESSES_MAX = 8 };
/* What a list says of a client; what it says beyond so many addresses is not looked at. */
struct dnsbl_answer {
	bool is_known;			/* false: it could not say */
	uint8_t count;			/* 0: the client is not on it */
	uint32_t addresses[DNSBL_ADDRESSES_MAX];	/* 127.0.0.2 is 0x7f000002 */
	int64_t until;			/* as loop_now: its TTL is over; of what is known */
};

struct dnsbl_pattern {			/* all addresses between two, or what each of four octets may be */
	bool is_range;
	uint32_t from, to;
	uint8_t octets[4][32];		/* a bit each */
};
struct dnsbl_patterns { struct dnsbl_pattern *items; size_t count; };

struct dnsbl_rule {			/* dnsbl ZONE { … } */
	struct conf_block conf;
	const char *zone;
	struct dnsbl_patterns reply;	/* any of them */
	int64_t weight;
	const char *name;		/* what is said of it; never NULL once prepared */
	size_t question;		/* which of the zones that are asked: rules of one zone have one */
};

struct screen {				/* screen NAME { … } */
	struct conf_block conf;
	struct duration greeting_delay;
	int pregreet;			/* enum screen_action but LOG */
	struct duration passed_ttl;
	struct network_list allow;
	struct conf_list rules;		/* struct dnsbl_rule */
	int64_t threshold;
	int action;			/* enum screen_action but IGNORE */
	size_t zone_count;		/* that are asked, each once */
};
extern const struct block screen_block;

bool screen_allows(const struct screen *screen, const struct addr *client);

/* What asks the i-th zone of a client: "2.0.0.127.zen.example.net"; false: it has no address to ask of. */
bool screen_write_question(const struct screen *screen, size_t i, const struct addr *client, struct buf *out);
const struct dnsbl_rule *screen_zone(const struct screen *screen, size_t i);	/* its first rule */

/*
 * The score by the zones' answers; what is not known counts for nothing.  Into `zones` go the names of the
 * rules that match, commas between them; *worst is that of the heaviest, NULL where none is above 0.
 */
int64_t screen_score(const struct screen *screen, const struct dnsbl_answer *answers, struct buf *zones,
    const char **worst);

/* Until when a client that passes by these answers need not be looked up again. */
int64_t screen_lists_until(const struct screen *screen, const struct dnsbl_answer *answers, int64_t now);

/* As what a client is known that has passed: by its whole address, of IPv6 by 64 bits of it; by the block. */
enum { SCREEN_KEY_MAX = 32 };
struct screen_key {
	char bytes[SCREEN_KEY_MAX];
	size_t len;
};
struct screen_key screen_key(const struct screen *screen, const struct addr *client);

#endif
