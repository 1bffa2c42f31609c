/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * resolve.c: c-ares on a loop.  What it is asked is one query, a name and a type, each; a lookup is the
 * queries of one question, which for a service grow by its answer.  So many are under way at once, the others
 * wait: answers to a thousand would not fit into the socket's buffer.  The channel lives while somebody asks,
 * so that a changed resolv.conf is seen.
 */
#include "net/resolve.h"

#include <ares.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "net/dns_answer.h"

enum {
	QUERIES_MAX = 64,		/* under way at once */
	TIMEOUT_MS = 2000, TRIES = 2,
	CLASS_IN = 1,
	WHY_MAX = 128, TEXT_MAX = DNS_NAME_MAX + WHY_MAX
};

struct resolver {
	struct loop *loop;
	struct ares_addr_port_node *servers;	/* an array, each one with the next; NULL: the system's */
	ares_channel channel;			/* NULL while nobody asks */
	struct list sockets;			/* of struct socket_watch */
	struct list waiting;			/* of struct query: not given to c-ares yet */
	struct list over;			/* of struct lookup: to be told */
	int asked;				/* queries that c-ares has */
	struct loop_timer patience;		/* c-ares' */
	struct loop_timer due;			/* to tell, and to close an idle channel */
};

struct socket_watch {
	struct loop_io io;
	struct resolver *resolver;
	struct list node;
	int fd;
};

struct target {				/* a host whose addresses are wanted */
	char name[DNS_NAME_MAX + 1];
	uint16_t port, priority, weight;
	uint32_t ttl;			/* of what led to it */
};

struct lookup {
	struct resolver *resolver;
	struct resolve_question *question;	/* NULL: cancelled */
	struct list node;			/* in `over` */
	int pending;				/* queries that wait or are asked */
	char name[DNS_NAME_MAX + 1];
	struct target *targets;
	struct resolve_address *addresses;
	struct resolve_result result;
	enum resolve_status worst;		/* which `text` is about */
	char text[TEXT_MAX];
};

struct query {
	struct list node;
	struct lookup *lookup;
	enum dns_type type;
	struct target *target;		/* A, AAAA: whose address */
};

static void
raise_status(struct lookup *lookup, enum dns_type type, enum resolve_status status)
{
	struct resolve_result *result = &lookup->result;

	if (type != DNS_AAAA && status > result->ipv4)
		result->ipv4 = status;
	if (type != DNS_A && status > result->ipv6)
		result->ipv6 = status;
}

/* The type is what was asked for; SRV stands for both families.  name may be NULL. */
static void
note(struct lookup *lookup, enum dns_type type, const char *name, enum resolve_status status, const char *why)
{
	const char *word = type == DNS_A ? "A" : type == DNS_AAAA ? "AAAA" : "SRV";

	raise_status(lookup, type, status);
	if (status <= lookup->worst)
		return;
	lookup->worst = status;
	if (name != NULL)
		snprintf(lookup->text, sizeof(lookup->text), "%s %s: %s", word, name, why);
	else
		snprintf(lookup->text, sizeof(lookup->text), "%s", why);
}

static void
lookup_free(struct lookup *lookup)
{
	if (lookup->question != NULL)
		lookup->question->lookup = NULL;
	list_remove(&lookup->node);
	xfree(lookup->targets);
	xfree(lookup->addresses);
	xfree(lookup);
}

/* Where nothing is pending, it is told in a turn to come. */
static void
settle(struct lookup *lookup)
{
	struct resolver *resolver = lookup->resolver;

	if (lookup->pending > 0)
		return;
	if (lookup->question == NULL) {
		lookup_free(lookup);
		return;
	}
	list_append(&resolver->over, &lookup->node);
	loop_timer_set(resolver->loop, &resolver->due, loop_now(resolver->loop));
}

static void
note_absence(struct lookup *lookup, struct slice message)
{
	uint32_t ttl = dns_answer_absence(message, RESOLVE_TTL_FIXED);

	if (ttl < lookup->result.absent_ttl)
		lookup->result.absent_ttl = ttl;
}

static struct addr
make_addr(int family, const void *bytes, uint16_t port)
{
	struct addr addr = { .sa.sa_family = (sa_family_t)family };

	if (family == AF_INET)
		memcpy(&addr.in.sin_addr, bytes, sizeof(addr.in.sin_addr));
	else
		memcpy(&addr.in6.sin6_addr, bytes, sizeof(addr.in6.sin6_addr));
	addr_set_port(&addr, port);
	return addr;
}

/* Of two services at one address, the one that is preferred counts. */
static void
merge(struct resolve_address *into, const struct resolve_address *address)
{
	uint32_t ttl = address->ttl < into->ttl ? address->ttl : into->ttl;

	if (address->priority < into->priority)
		*into = *address;
	into->ttl = ttl;
}

static void
add_address(struct lookup *lookup, const struct target *target, const struct addr *addr, uint32_t ttl)
{
	struct resolve_result *result = &lookup->result;
	struct resolve_address address = {
		.addr = *addr, .priority = target->priority, .weight = target->weight,
		.ttl = ttl < target->ttl ? ttl : target->ttl, .host = target->name,
	};

	for (size_t i = 0; i < result->count; i++) {
		if (addr_equals(&lookup->addresses[i].addr, addr)) {
			merge(&lookup->addresses[i], &address);
			return;
		}
	}
	if (result->count == RESOLVE_ADDRESSES_MAX) {
		result->is_cut = true;
		return;
	}
	lookup->addresses = xrealloc(lookup->addresses, (result->count + 1) * sizeof(address));
	lookup->addresses[result->count++] = address;
}

static void
add_query(struct lookup *lookup, enum dns_type type, struct target *target)
{
	struct query *query = xcalloc(1, sizeof(*query));

	*query = (struct query){ .lookup = lookup, .type = type, .target = target };
	list_append(&lookup->resolver->waiting, &query->node);
	lookup->pending++;
}

static bool
find_numeric(struct lookup *lookup, const struct target *target)
{
	struct addr addr;

	if (!addr_parse(slice_of(target->name), target->port, &addr))
		return false;
	add_address(lookup, target, &addr, RESOLVE_TTL_FIXED);
	raise_status(lookup, addr.sa.sa_family == AF_INET ? DNS_AAAA : DNS_A, RESOLVE_NOT_FOUND);
	return true;
}

static bool
find_in_hosts(struct lookup *lookup, const struct target *target, int family)
{
	struct hostent *host;

	if (ares_gethostbyname_file(lookup->resolver->channel, target->name, family, &host) != ARES_SUCCESS)
		return false;
	for (char **bytes = host->h_addr_list; *bytes != NULL; bytes++) {
		struct addr addr = make_addr(family, *bytes, target->port);

		add_address(lookup, target, &addr, RESOLVE_TTL_FIXED);
	}
	ares_free_hostent(host);
	return true;
}

static void
find_target(struct lookup *lookup, struct target *target)
{
	bool has_ipv4 = find_in_hosts(lookup, target, AF_INET);
	bool has_ipv6 = find_in_hosts(lookup, target, AF_INET6);

	if (!has_ipv4 && !has_ipv6) {
		add_query(lookup, DNS_A, target);
		add_query(lookup, DNS_AAAA, target);
	} else if (!has_ipv4 || !has_ipv6) {
		raise_status(lookup, has_ipv4 ? DNS_AAAA : DNS_A, RESOLVE_NOT_FOUND);
	}
}

static void
add_target(struct lookup *lookup, const struct dns_record *record, struct target *target)
{
	*target = (struct target){
		.port = record->port, .priority = record->priority, .weight = record->weight,
		.ttl = record->ttl,
	};
	memcpy(target->name, record->target, sizeof(target->name));
	find_target(lookup, target);
}

static void
read_services(struct lookup *lookup, struct dns_answer *answer)
{
	size_t count = 0;
	struct dns_record record;

	lookup->targets = xcalloc(RESOLVE_TARGETS_MAX, sizeof(lookup->targets[0]));
	while (dns_answer_next(answer, &record)) {
		if (strcmp(record.target, ".") == 0)
			continue;
		if (record.target[0] == '\0')
			note(lookup, DNS_SRV, lookup->name, RESOLVE_FAILED, "it names what is no host");
		else if (count == RESOLVE_TARGETS_MAX)
			lookup->result.is_cut = true;
		else
			add_target(lookup, &record, &lookup->targets[count++]);
	}
	if (count == 0)
		note(lookup, DNS_SRV, lookup->name, RESOLVE_NOT_FOUND, "there is no such service");
}

static void
read_addresses(const struct query *query, struct dns_answer *answer)
{
	int family = query->type == DNS_A ? AF_INET : AF_INET6;
	struct dns_record record;
	bool is_found = false;

	while (dns_answer_next(answer, &record)) {
		struct addr addr = make_addr(family, record.address, query->target->port);

		add_address(query->lookup, query->target, &addr, record.ttl);
		is_found = true;
	}
	if (!is_found)
		note(query->lookup, query->type, query->target->name, RESOLVE_NOT_FOUND,
		    "there is no such address");
}

static const char *
query_name(const struct query *query)
{
	return query->type == DNS_SRV ? query->lookup->name : query->target->name;
}

static void
note_failure(const struct query *query, int status)
{
	enum resolve_status result = RESOLVE_FAILED;
	const char *why = ares_strerror(status);

	switch (status) {
	case ARES_ENOTFOUND:
		result = RESOLVE_NOT_FOUND;
		why = "there is no such name";
		break;
	case ARES_ENODATA:
		result = RESOLVE_NOT_FOUND;
		why = "the name has no such record";
		break;
	case ARES_ETIMEOUT:
		result = RESOLVE_TIMED_OUT;
		why = "no name server answered in time";
		break;
	case ARES_ECONNREFUSED:		/* this is what c-ares calls SERVFAIL and REFUSED, too */
		why = "the name servers cannot be reached, fail or refuse";
		break;
	default:
		break;
	}
	note(query->lookup, query->type, query_name(query), result, why);
}

static void
read_reply(const struct query *query, int status, struct slice message)
{
	struct lookup *lookup = query->lookup;
	struct dns_answer answer;

	note_absence(lookup, message);
	if (status != ARES_SUCCESS)
		note_failure(query, status);
	else if (!dns_answer_open(&answer, message, query->type))
		note(lookup, query->type, query_name(query), RESOLVE_FAILED, "the answer is garbage");
	else if (query->type == DNS_SRV)
		read_services(lookup, &answer);
	else
		read_addresses(query, &answer);
}

/* c-ares calls it, perhaps from within ares_query; nothing may be asked here. */
static void
on_reply(void *arg, int status, int timeouts, unsigned char *message, int len)
{
	struct query *query = arg;
	struct lookup *lookup = query->lookup;

	(void)timeouts;
	lookup->resolver->asked--;
	lookup->pending--;
	if (lookup->question != NULL)
		read_reply(query, status, slice_make((const char *)message, (size_t)len));
	xfree(query);
	settle(lookup);
}

static void
set_patience(struct resolver *resolver)
{
	struct timeval space, *left;

	left = resolver->asked > 0 ? ares_timeout(resolver->channel, NULL, &space) : NULL;
	if (left == NULL)
		loop_timer_stop(resolver->loop, &resolver->patience);
	else
		loop_timer_set(resolver->loop, &resolver->patience,
		    loop_now(resolver->loop) + (int64_t)left->tv_sec * 1000 + left->tv_usec / 1000 + 1);
}

static struct query *
take_waiting(struct resolver *resolver)
{
	struct query *query = list_entry(resolver->waiting.next, struct query, node);

	list_remove(&query->node);
	return query;
}

static void
drop(struct query *query)
{
	struct lookup *lookup = query->lookup;

	lookup->pending--;
	xfree(query);
	settle(lookup);
}

/* Comes after whatever may have taken queries or brought replies. */
static void
ask_on(struct resolver *resolver)
{
	while (resolver->asked < QUERIES_MAX && !list_is_empty(&resolver->waiting)) {
		struct query *query = take_waiting(resolver);

		if (query->lookup->question == NULL) {
			drop(query);
			continue;
		}
		resolver->asked++;
		ares_query(resolver->channel, query_name(query), CLASS_IN, (int)query->type, on_reply, query);
	}
	set_patience(resolver);
	if (resolver->asked == 0)
		loop_timer_set(resolver->loop, &resolver->due, loop_now(resolver->loop));
}

static void
process(struct resolver *resolver, int read_fd, int write_fd)
{
	ares_process_fd(resolver->channel, read_fd, write_fd);
	ask_on(resolver);
}

static void
on_ready(struct loop_io *io, int events)
{
	struct socket_watch *watch = loop_owner(io, struct socket_watch, io);

	process(watch->resolver, events & LOOP_READ ? watch->fd : ARES_SOCKET_BAD,
	    events & LOOP_WRITE ? watch->fd : ARES_SOCKET_BAD);
}

static void
on_patience(struct loop_timer *timer)
{
	process(loop_owner(timer, struct resolver, patience), ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static struct socket_watch *
find_watch(struct resolver *resolver, int fd)
{
	list_each(node, &resolver->sockets)
		if (list_entry(node, struct socket_watch, node)->fd == fd)
			return list_entry(node, struct socket_watch, node);
	return NULL;
}

/* c-ares says what it awaits of a socket; nothing, before it closes it. */
static void
on_socket(void *data, ares_socket_t fd, int wants_read, int wants_write)
{
	struct resolver *resolver = data;
	struct socket_watch *watch = find_watch(resolver, fd);
	int events = (wants_read ? LOOP_READ : 0) | (wants_write ? LOOP_WRITE : 0);

	if (watch == NULL && events == 0)
		return;
	if (watch == NULL) {
		watch = xcalloc(1, sizeof(*watch));
		watch->resolver = resolver;
		watch->fd = fd;
		loop_io_init(&watch->io, fd, on_ready);
		list_append(&resolver->sockets, &watch->node);
	}
	if (events != 0) {
		loop_io_watch(resolver->loop, &watch->io, events);
		return;
	}
	loop_io_stop(resolver->loop, &watch->io);
	list_remove(&watch->node);
	loop_defer(resolver->loop, xfree, watch);
}

static int
open_channel(struct resolver *resolver)
{
	struct ares_options options = {
		.timeout = TIMEOUT_MS, .tries = TRIES,
		.sock_state_cb = on_socket, .sock_state_cb_data = resolver,
	};
	int status;

	if (resolver->channel != NULL)
		return ARES_SUCCESS;
	status = ares_init_options(&resolver->channel, &options,
	    ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
	if (status == ARES_SUCCESS && resolver->servers != NULL)
		status = ares_set_servers_ports(resolver->channel, resolver->servers);
	if (status != ARES_SUCCESS && resolver->channel != NULL) {
		ares_destroy(resolver->channel);
		resolver->channel = NULL;
	}
	return status;
}

static void
close_channel(struct resolver *resolver)
{
	if (resolver->channel == NULL)
		return;
	ares_destroy(resolver->channel);
	resolver->channel = NULL;
}

/* Global, since resolvers are many, and come and go. */
static _Atomic uint64_t counts[RESOLVE_STATUS_COUNT];

uint64_t
resolve_count(enum resolve_status status)
{
	return atomic_load_explicit(&counts[status], memory_order_relaxed);
}

static void
tell(struct lookup *lookup)
{
	struct resolve_question *question = lookup->question;
	struct resolve_result *result = &lookup->result;

	result->addresses = lookup->addresses;
	result->text = lookup->text;
	if (result->absent_ttl == UINT32_MAX)
		result->absent_ttl = RESOLVE_TTL_FIXED;
	if (result->count == 0)
		result->status = result->ipv4 > result->ipv6 ? result->ipv4 : result->ipv6;
	question->lookup = NULL;
	lookup->question = NULL;
	atomic_fetch_add_explicit(&counts[result->status], 1, memory_order_relaxed);
	question->on_answer(question, result);
	lookup_free(lookup);
}

static void
on_due(struct loop_timer *timer)
{
	struct resolver *resolver = loop_owner(timer, struct resolver, due);
	struct list due = { 0 };

	/* what is over meanwhile is for another turn */
	list_init(&due);
	list_each(node, &resolver->over) {
		list_remove(node);
		list_append(&due, node);
	}
	while (!list_is_empty(&due)) {
		struct lookup *lookup = list_entry(due.next, struct lookup, node);

		list_remove(&lookup->node);
		tell(lookup);
	}
	if (resolver->asked == 0 && list_is_empty(&resolver->waiting))
		close_channel(resolver);
}

static struct ares_addr_port_node *
copy_servers(const struct address_list *servers)
{
	struct ares_addr_port_node *copies;

	if (servers == NULL || servers->count == 0)
		return NULL;
	copies = xcalloc(servers->count, sizeof(copies[0]));
	for (size_t i = 0; i < servers->count; i++) {
		const struct addr *addr = &servers->items[i].addr;
		struct ares_addr_port_node *copy = &copies[i];

		copy->next = i + 1 < servers->count ? copy + 1 : NULL;
		copy->family = addr->sa.sa_family;
		if (copy->family == AF_INET)
			copy->addr.addr4 = addr->in.sin_addr;
		else
			memcpy(&copy->addr.addr6, &addr->in6.sin6_addr, sizeof(copy->addr.addr6));
		copy->udp_port = copy->tcp_port = addr_port(addr);	/* 0: 53 */
	}
	return copies;
}

struct resolver *
resolver_new(struct loop *loop, const struct address_list *servers)
{
	struct resolver *resolver = xcalloc(1, sizeof(*resolver));

	resolver->loop = loop;
	resolver->servers = copy_servers(servers);
	list_init(&resolver->sockets);
	list_init(&resolver->waiting);
	list_init(&resolver->over);
	loop_timer_init(&resolver->patience, on_patience);
	loop_timer_init(&resolver->due, on_due);
	return resolver;
}

void
resolver_free(struct resolver **resolver)
{
	struct resolver *r = *resolver;

	if (r == NULL)
		return;
	while (!list_is_empty(&r->waiting))
		drop(take_waiting(r));
	close_channel(r);	/* has on_reply called for each query that is under way */
	list_each(node, &r->over)
		lookup_free(list_entry(node, struct lookup, node));
	loop_timer_stop(r->loop, &r->patience);
	loop_timer_stop(r->loop, &r->due);
	xfree(r->servers);
	xfree(r);
	*resolver = NULL;
}

/* The only target of a question that is not for a service. */
static void
add_own_target(struct lookup *lookup)
{
	struct target *target = xcalloc(1, sizeof(*target));

	memcpy(target->name, lookup->name, sizeof(target->name));
	target->port = lookup->question->port;
	target->ttl = UINT32_MAX;
	lookup->targets = target;
}

/* The name is one that can be asked for. */
static void
find(struct lookup *lookup)
{
	int status = open_channel(lookup->resolver);

	if (status != ARES_SUCCESS)
		note(lookup, DNS_SRV, NULL, RESOLVE_FAILED, ares_strerror(status));
	else if (lookup->question->kind == RESOLVE_SRV)
		add_query(lookup, DNS_SRV, NULL);
	else if (lookup->question->kind == RESOLVE_IPV4)
		add_query(lookup, DNS_A, lookup->targets);
	else
		find_target(lookup, lookup->targets);
}

static struct lookup *
lookup_new(struct resolver *resolver, struct resolve_question *question)
{
	struct lookup *lookup = xcalloc(1, sizeof(*lookup));
	size_t len = strnlen(question->name, DNS_NAME_MAX + 1);

	if (len > 0 && question->name[len - 1] == '.')
		len--;
	if (len <= DNS_NAME_MAX)	/* without its dot, as the hosts file writes it; else it is refused */
		memcpy(lookup->name, question->name, len);
	lookup->resolver = resolver;
	lookup->result.absent_ttl = UINT32_MAX;
	lookup->question = question;
	question->lookup = lookup;
	return lookup;
}

void
resolve_start(struct resolver *resolver, struct resolve_question *question)
{
	struct lookup *lookup = lookup_new(resolver, question);

	if (question->kind != RESOLVE_SRV)
		add_own_target(lookup);
	if (question->kind != RESOLVE_ADDRESS || !find_numeric(lookup, lookup->targets)) {
		if (dns_is_name(question->name))
			find(lookup);
		else
			note(lookup, DNS_SRV, NULL, RESOLVE_NOT_FOUND, "no name that can be asked for");
	}
	settle(lookup);
	ask_on(resolver);
}

void
resolve_cancel(struct resolve_question *question)
{
	struct lookup *lookup = question->lookup;

	if (lookup == NULL)
		return;
	question->lookup = NULL;
	lookup->question = NULL;
	if (lookup->pending == 0)
		lookup_free(lookup);
}

const char *
resolve_status_text(enum resolve_status status)
{
	static const char *const texts[] = {
		[RESOLVE_OK] = "ok",
		[RESOLVE_NOT_FOUND] = "not found",
		[RESOLVE_FAILED] = "failed",
		[RESOLVE_TIMED_OUT] = "timed out",
	};

	_Static_assert(sizeof(texts) / sizeof(texts[0]) == RESOLVE_STATUS_COUNT, "one text per status");
	return texts[status];
}
