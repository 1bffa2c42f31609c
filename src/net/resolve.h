/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * resolve.h: the addresses of a host, or of a service's hosts (SRV, RFC
 * 2782), without blocking.  The name is absolute: no search domain is tried.
 * An address as a name is its own answer; then the hosts file is looked at,
 * then name servers are asked: each for 2 s and once more for 4 s, the next
 * one where one does not answer or fails, over TCP what is long.  Only
 * resolve.c includes c-ares.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include "base/addr.h"
#include "conf/directive.h"
#include "net/loop.h"

enum {
	RESOLVE_ADDRESSES_MAX = 256,		/* of one answer */
	RESOLVE_TARGETS_MAX = 256,		/* of one service */
	RESOLVE_TTL_FIXED = 60			/* seconds, for what no name server said */
};

enum resolve_kind {
	RESOLVE_ADDRESS,
	RESOLVE_IPV4,			/* A records, as name servers have them: no hosts file, no numbers */
	RESOLVE_SRV
};

enum resolve_status {		/* the worse the higher */
	RESOLVE_OK,
	RESOLVE_NOT_FOUND,	/* no such name, or nothing of this kind; or no name at all */
	RESOLVE_FAILED,		/* SERVFAIL, REFUSED, garbage, no name server: it may be there */
	RESOLVE_TIMED_OUT,	/* so may this */
	RESOLVE_STATUS_COUNT
};

struct resolve_address {
	struct addr addr;		/* with the question's port, or the service's */
	uint16_t priority, weight;	/* of the service; 0 for ADDRESS */
	uint32_t ttl;			/* seconds; the least of SRV, aliases and address; may be 0 */
	const char *host;		/* whose address it is: the question's name, or SRV's target */
};

struct resolve_result {			/* its own and what it points to end with on_answer */
	enum resolve_status status;	/* OK where there is an address, whatever else went wrong */
	/*
	 * The worst of what was asked for a family.  Beyond NOT_FOUND, who is missing among the addresses may
	 * well be there.
	 */
	enum resolve_status ipv4, ipv6;
	const struct resolve_address *addresses;	/* each once; IPv4 and IPv6 in no certain order */
	size_t count;
	uint32_t absent_ttl;		/* NOT_FOUND: for how many seconds that holds */
	bool is_cut;			/* there were more of them, or of the targets */
	const char *text;		/* what went worst, "AAAA d03.example.com: ..."; or "" */
};

struct resolver;
struct lookup;

/* Embedded in its owner; zero but for what the owner sets. */
struct resolve_question {
	enum resolve_kind kind;
	const char *name;		/* copied */
	uint16_t port;			/* ADDRESS: of the server that is to be reached there */
	void (*on_answer)(struct resolve_question *question, const struct resolve_result *result);
	struct lookup *lookup;		/* the resolver's; NULL while nothing is asked */
};

/* servers: whom to ask, instead of those of resolv.conf, where there are any; copied.  One for each loop. */
struct resolver *resolver_new(struct loop *loop, const struct address_list *servers);
void resolver_free(struct resolver **resolver);	/* before its loop; questions get no answer any more */

/*
 * on_answer comes once, never before this returns.  It may ask again, and free the question's owner, but not
 * the resolver.
 */
void resolve_start(struct resolver *resolver, struct resolve_question *question);
void resolve_cancel(struct resolve_question *question);	/* no answer comes; fine where nothing is asked */
uint64_t resolve_count(enum resolve_status status);	/* questions that ended so, all resolvers' */
const char *resolve_status_text(enum resolve_status status);

#endif
