/* SPDX-License-Identifier: BSD-2-Clause */
/* limits.h: the block `limits`: what one client may do, and what becomes of those who guess passwords. */
#ifndef ACCESS_LIMITS_H
#define ACCESS_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "conf/directive.h"

struct failure_delay {			/* auth_failure_delay FIRST LONGEST; 0: none */
	int64_t first_ms, longest_ms;
};

struct failure_ban {			/* auth_ban COUNT WITHIN FOR; count 0: none */
	int64_t count, within_ms, for_ms;
};

/* How many at once, and how often; 0: no limit. */
struct limits_counts {
	/* of one client: */
	int64_t client_connections, client_connection_rate, client_tls_rate, client_auth_rate;
	int64_t client_message_rate, client_recipient_rate;
	struct duration rate_unit;
	int64_t user_connections, user_client_connections;	/* of a user's sessions */
};

/* What becomes of clients of mail that err, idle and dawdle; 0: nothing. */
struct limits_manners {
	int64_t soft_errors, hard_errors, junk_commands;
	struct duration error_delay;
	int64_t min_data_rate;			/* octets a second */
};

struct limits {				/* limits NAME { … } */
	struct conf_block conf;
	int64_t ipv4_prefix, ipv6_prefix;
	struct network_list exempt;
	struct limits_counts counts;
	struct limits_manners manners;
	struct failure_delay auth_failure_delay;
	struct duration auth_known_ttl;
	struct failure_ban auth_ban;
};
extern const struct block limits_block;

/* What counts as one client: the bits of the address that matter, as bytes that no other client has. */
enum { LIMITS_CLIENT_MAX = 18 };
struct limits_client {
	uint8_t bytes[LIMITS_CLIENT_MAX];
	uint8_t len;			/* 0: a unix socket tells nothing of who is there */
};

struct limits_client limits_client(const struct limits *limits, const struct addr *addr);
/* "192.0.2.7", "2001:db8::/64"; returns out. */
enum { LIMITS_CLIENT_TEXT_MAX = ADDR_TEXT_MAX + 4 };
const char *limits_client_text(const struct limits_client *client, char out[LIMITS_CLIENT_TEXT_MAX]);
bool limits_exempt(const struct limits *limits, const struct addr *addr);
bool limits_count(const struct limits *limits);		/* is there any limit but of failed logins? */

#endif
