/* SPDX-License-Identifier: BSD-2-Clause */
/* listener_settings.h: the `listener` block: what a port offers and where its sessions go. */
#ifndef SESSION_LISTENER_SETTINGS_H
#define SESSION_LISTENER_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "net/connect.h"
#include "net/listener.h"
#include "net/tls_context.h"

struct condition_scope;
struct access;
struct limits;
struct listener;
struct pool;
struct proto;
struct screen;

enum starttls { STARTTLS_OFF, STARTTLS_OPTIONAL, STARTTLS_REQUIRED };
enum unavailable { UNAVAILABLE_NO, UNAVAILABLE_BYE };

struct bind_settings {			/* bind ADDRESS { … } and bind_tls ADDRESS { … } */
	struct conf_block conf;
	struct address address;
	bool freebind;
	int64_t backlog;
	const char *interface;
};

struct keepalive {			/* tcp_keepalive IDLE INTERVAL COUNT */
	int idle_s, interval_s, count;
};

struct listener_settings {		/* listener NAME { … } */
	struct conf_block conf;
	const char *protocol;
	struct conf_list bind, bind_tls;	/* struct bind_settings */
	struct tls_settings *tls;
	int starttls;				/* enum starttls */
	bool plaintext_login;
	struct network_list trusted;		/* peers whose word about their clients counts */
	struct conf_list auth;			/* struct auth; empty: the server decides */
	struct limits *limits;			/* or NULL */
	struct access *access;			/* or NULL */
	struct screen *screen;			/* or NULL */
	struct conf_list lookup;		/* struct auth; empty: nobody is asked about recipients */
	struct pool *pool;
	struct conf_list route;			/* struct route_rule */
	struct duration login_timeout, idle_timeout, reply_timeout, tcp_user_timeout;
	struct keepalive tcp_keepalive;
	int64_t max_connections, max_errors;
	int unavailable;			/* enum unavailable */
	struct string_list capabilities;	/* as it is written */
	const char *announced;			/* the same in capability.h's form; NULL: learned */
	const char *hostname;
	int bare_newline;			/* enum bare_newline */
	struct network_list bare_newline_exempt, accept_proxy;

	/* Filled in when the configuration is prepared and opened. */
	const struct proto *proto;
	struct listener *listener;		/* what outlives the snapshot */
	struct tls_front front_tls;		/* context NULL: no TLS */
	struct tcp_settings tcp;
};

extern const struct block listener_block;

/* For the root's prepare and check, before the pools': defaults by protocol, and what must fit together. */
void listener_settings_prepare(struct conf_context *context, const struct conf_list *listeners,
    const char *hostname);
void listener_settings_check(struct conf_context *context, const struct conf_list *listeners);
/* Where its sessions go: its pool and then, up to i = route.count, those of its routes; NULL: not written. */
struct pool *listener_pool(const struct listener_settings *l, size_t i);
void listener_settings_warn(const struct conf_list *listeners);	/* logs what has no effect */
bool listener_trusts(const struct listener_settings *l, const struct addr *peer);
bool listener_wants_header(const struct listener_settings *l, const struct addr *peer);	/* a PROXY header */
int listener_bare_newline(const struct listener_settings *l, const struct addr *client);
/* Would a connect to there come to one of these listeners (struct listener_settings)? */
bool listeners_are_at(const struct conf_list *listeners, const struct addr *to);
bool bind_is_tls(const struct bind_settings *bind);
/* What to listen at. */
struct listen_spec bind_spec(const struct bind_settings *bind);

/* The files that its routes name; false: told at the conditions. */
bool listener_settings_open(struct listener_settings *l, const struct condition_scope *scope,
    struct conf_problems *problems);
void listener_settings_close(struct listener_settings *l);
void listener_settings_refresh(struct listener_settings *l);	/* control's: takes up changed ones */

#endif
