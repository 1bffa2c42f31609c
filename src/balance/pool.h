/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool.h: one service on the servers of a farm, as configured: part of a
 * snapshot.  What lives longer is in its endpoints.
 */
#ifndef BALANCE_POOL_H
#define BALANCE_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "balance/check_settings.h"
#include "base/login_way.h"
#include "base/map.h"
#include "conf/directive.h"
#include "net/tls_context.h"

struct affinity;
struct endpoint;
struct balancer;
struct balance_key;
struct endpoint_table;
struct member;
struct roster;

enum server_tls_mode { SERVER_TLS_OFF, SERVER_TLS_STARTTLS, SERVER_TLS_IMPLICIT };

struct server_tls {			/* server_tls MODE { … } */
	struct conf_block conf;
	int mode;
	bool verify;
	const char *ca, *name;		/* NULL: the system's; each server's address */
	const char *certificate;	/* ours; NULL: none */
	struct string_list pin;
};

enum on_down { ON_DOWN_CLOSE, ON_DOWN_KEEP };

/* What a farm may say for its pools, and a pool for itself. */
struct pool_options {
	int balance;			/* BALANCER_... of balance.h */
	int login;			/* enum login_way */
	int forward;			/* enum forward_way */
	struct server_tls *server_tls;
	struct address_list source;
	struct duration connect_timeout, login_timeout, queue_timeout, close_spread;
	const char *master_user, *master_password_file;
	int64_t retries, max_connections, hash_balance_factor;
	int64_t check_quorum;		/* of quorum.h */
	struct duration slow_start;
	int on_down;			/* enum on_down */
	bool panic, observe, vital;
	int64_t error_limit;
	struct conf_list checks;	/* struct check_settings; none only where no configuration was read */
};

enum server_resolve { SERVER_RESOLVE_FIRST, SERVER_RESOLVE_ALL };

struct server {				/* server NAME { … } */
	struct conf_block conf;
	struct address address;		/* text NULL: `srv` says it */
	const char *srv;		/* NULL: `address` says it */
	int resolve;			/* enum server_resolve */
	int64_t weight;
	int state;			/* enum admin_state */
	bool backup;
	struct address agent;		/* without text: it has none */
	struct duration agent_interval;
	struct check_text agent_send;
};

struct farm {				/* farm NAME { … } */
	struct conf_block conf;
	struct pool_options options;
	struct duration affinity;	/* 0: users are not bound */
	const char *flush_script;	/* NULL: none */
	struct duration flush_timeout;
	struct conf_list servers;	/* struct server */

	struct affinity *bindings;	/* one reference, over reloads; NULL without affinity */
};

struct pool {				/* pool NAME { … } */
	struct conf_block conf;
	const char *protocol;		/* a name; what it means is known further up */
	struct farm *farm;
	int64_t port;
	struct pool_options options;
	struct conf_list servers;	/* struct server; empty with a farm */

	/* Filled in by pool_open. */
	struct endpoint_table *table;
	struct service *service;	/* one reference */
	unsigned era;			/* that its sessions come in */
	const struct balancer *balancer;
	struct endpoint **endpoints;	/* in the order of the file, one reference each; control's */
	struct member *members;		/* one an endpoint, see member.h */
	size_t endpoint_count;
	struct roster *roster;		/* what the commit gives to the service; NULL behind it */
	struct tls_client *tls_client;	/* NULL with server_tls off */
	char **check_passwords;		/* one a check; NULL: it needs none */
	char *master_password;		/* or what servers want of a trusted peer; NULL: none */
	bool is_bound;			/* a user belongs on one server: no other because of a failure */
};

extern const struct block farm_block, pool_block;
extern const struct choice login_choices[], forward_choices[];	/* the words of enum login_way, forward_way */

/* The servers of a pool, its own or its farm's: struct server. */
const struct conf_list *pool_servers(const struct pool *pool);
const struct balancer *pool_balancer(const struct pool *pool);		/* as its options say */
/* Where this pool reaches one of them that has no name. */
struct addr pool_server_addr(const struct pool *pool, const struct server *server);
bool server_has_name(const struct server *server);	/* or a service's: its addresses are to be found */
bool server_is_many(const struct server *server);	/* each of its addresses is a server */
const char *server_host(const struct server *server);	/* what TLS asks for by default; NULL: the address */

/*
 * Everything of a pool that can fail: its TLS client, its passwords.  Endpoints are kept or made, but nothing
 * of a living endpoint changes before pool_commit.  false: reported at the directive.
 */
bool pool_open(struct pool *pool, struct endpoint_table *table, struct conf_problems *problems);
void pool_commit(struct pool *pool);		/* addresses, weights and bounds take effect; cannot fail */
/*
 * Has the pool's endpoints follow what was found of its servers' names; false: none of it is new.  Who left
 * keeps his sessions, and is forgotten behind them.  Then health_commit.
 */
bool pool_follow(struct pool *pool);
void pool_drop(struct pool *pool);		/* no configuration has it any more: its sessions are to go */
/* Gives back what pool_open took, where it did.  Then endpoint_table_forget_unused. */
void pool_close(struct pool *pool);

/* Of one of its checks, as its file has it; NULL: it needs none. */
const char *pool_check_password(const struct pool *pool, const struct check_settings *settings);
/* These two give one reference.  The endpoint of a server by its name; NULL: the pool has none such. */
struct endpoint *pool_find(const struct pool *pool, const char *server);
/* The ad-hoc endpoint of a host that none of its endpoints has: one reference.  From any thread. */
struct endpoint *pool_adhoc(const struct pool *pool, const struct addr *addr);
/* Not down, nor in maintenance; or health does not count, as the pool panics. */
bool pool_may_use(const struct pool *pool, const struct endpoint *e);
struct endpoint *pool_pick(const struct pool *pool, int worker, const struct balance_key *key);

#endif
