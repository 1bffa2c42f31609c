/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listener_settings.c: the rows of `listener` and `bind`, their defaults by
 * protocol, and what must fit together.
 */
#include "session/listener_settings.h"

#include <string.h>

#include "access/access.h"
#include "access/limits.h"
#include "access/screen.h"
#include "auth/auth.h"
#include "balance/pool.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "net/local.h"
#include "proto/capability.h"
#include "proto/mediator.h"
#include "proto/proto.h"
#include "session/plan.h"
#include "session/pool_fit.h"
#include "session/route_rule.h"

static const struct choice starttls_choices[] = {
	{ "off", STARTTLS_OFF }, { "optional", STARTTLS_OPTIONAL }, { "required", STARTTLS_REQUIRED }, { 0 }
};
static const struct choice unavailable_choices[] = {
	{ "no", UNAVAILABLE_NO }, { "bye", UNAVAILABLE_BYE }, { 0 }
};
static const struct choice bare_newline_choices[] = {
	{ "reject", BARE_NEWLINE_REJECT }, { "normalize", BARE_NEWLINE_NORMALIZE },
	{ "pass", BARE_NEWLINE_PASS }, { 0 }
};
static const struct choice never[] = { { "none", 0 }, { 0 } };

static bool
read_seconds(struct conf_words *words, size_t i, int max, int *seconds, struct error *error)
{
	struct duration duration;

	if (!conf_words_duration(words, i, &duration, error))
		return false;
	if (duration.ms < 1000 || duration.ms / 1000 > max || duration.ms % 1000 != 0)
		return error_set(error, "%s is outside 1s to %ds, in whole seconds", words->words[i], max);
	*seconds = (int)(duration.ms / 1000);
	return true;
}

/* tcp_keepalive IDLE INTERVAL COUNT */
static bool
set_keepalive(struct conf_words *words, void *field, struct error *error)
{
	enum { IDLE_MAX = 32767, COUNT_MAX = 127 };	/* the kernel's */
	struct keepalive *keepalive = field;
	int64_t count;

	if (words->count != 3)
		return error_set(error, "wants three values: idle interval count, as in 2m 30s 4");
	if (!read_seconds(words, 0, IDLE_MAX, &keepalive->idle_s, error))
		return false;
	if (!read_seconds(words, 1, IDLE_MAX, &keepalive->interval_s, error))
		return false;
	if (!conf_words_number(words, 2, &count, error))
		return false;
	if (count < 1 || count > COUNT_MAX)
		return error_set(error, "%s is outside 1 to %d", words->words[2], COUNT_MAX);
	keepalive->count = (int)count;
	return true;
}

#define BIND_HELP \
	"Where clients connect to: an address and port, `*` for all of IPv4 and IPv6, or `unix:PATH`."
#define BIND_ROWS(help) \
	CONF_ADDRESS(struct bind_settings, address, NULL, \
	    CONF_REQUIRED | CONF_NEEDS_PORT | CONF_NUMERIC | CONF_ANY | CONF_UNIX, help), \
	CONF_BOOL(struct bind_settings, freebind, "no", CONF_RESTART, \
	    "Listen on an address that this machine does not have yet (a floating one)."), \
	CONF_NUMBER(struct bind_settings, backlog, "4096", "1", "65535", CONF_RESTART, \
	    "Connections that may wait to be accepted; the kernel's `net.core.somaxconn` bounds it too."), \
	CONF_STRING(struct bind_settings, interface, NULL, 0, \
	    "Take connections that come in through this network interface only.")

static const struct directive bind_directives[] = { BIND_ROWS(BIND_HELP), { 0 } };
static const struct directive bind_tls_directives[] = {
	BIND_ROWS(BIND_HELP " TLS from the first byte."), { 0 }
};

static const struct block bind_block = {
	.name = "bind", .directives = bind_directives, .size = BLOCK_SIZE(struct bind_settings),
	.title = TITLE_VALUE, .help = "A socket where STARTTLS is offered, or none."
};
static const struct block bind_tls_block = {
	.name = "bind_tls", .directives = bind_tls_directives, .size = BLOCK_SIZE(struct bind_settings),
	.title = TITLE_VALUE, .help = "A socket with TLS from the first byte."
};

static const struct directive listener_directives[] = {
	CONF_STRING(struct listener_settings, protocol, "the block's name", CONF_COMPUTED,
	    "What is spoken here, one of the protocols below."),
	CONF_BLOCKS(struct listener_settings, bind, &bind_block, CONF_OWN),
	CONF_BLOCKS(struct listener_settings, bind_tls, &bind_tls_block, CONF_OWN),
	CONF_REFERENCE(struct listener_settings, tls, NULL, &tls_block, 0,
	    "The `tls` block with the certificates, for `bind_tls` and STARTTLS."),
	CONF_CHOICE(struct listener_settings, starttls,
	    "by protocol", starttls_choices, CONF_COMPUTED,
	    "Whether TLS is offered within the protocol. `required`: no login before it, and no mail."),
	CONF_BOOL(struct listener_settings, plaintext_login, "no", 0,
	    "Take passwords without TLS. They can be read by everybody on the way."),
	CONF_NETWORKS(struct listener_settings, trusted, NULL, 0,
	    "Peers that are proxies of yours: webmail, or another gatepost. What they tell of their clients "
	    "is believed: address and port, the address it came to, the session's id, and how many proxies "
	    "it may pass yet, in the way of their protocol (below). They count as on TLS. "
	    "A user's name is never taken from them."),
	CONF_REFERENCES(struct listener_settings, auth, NULL, &auth_block, 0,
	    "Who decides about a login, in order. Without it the mail server does."),
	CONF_REFERENCE(struct listener_settings, access, NULL, &access_block, 0,
	    "The `access` block with who may come here. Without it everybody may."),
	CONF_REFERENCE(struct listener_settings, limits, NULL, &limits_block, 0,
	    "The `limits` block with what clients may do here. Without it, guessing passwords costs nothing. "
	    "For what `trusted` peers do nothing is counted, unless they tell of their client."),
	CONF_REFERENCE(struct listener_settings, screen, NULL, &screen_block, 0,
	    "The `screen` block by which clients are looked at before they are greeted, with smtp. Without "
	    "it they are greeted at once."),
	CONF_REFERENCES(struct listener_settings, lookup, NULL, &auth_block, 0,
	    "Who is asked about each recipient, in order and without a password, where users do not log in "
	    "to send: the answer says where its mail goes, as that to a login does; where it does not, "
	    "`route` and `pool` do.  With smtp the first of a mail decides, and later ones who belong "
	    "elsewhere are put off with a 451.  "
	    "Whom nobody knows is put off, too, unless the source has a 5xx code for that. "
	    "Default: nobody."),
	CONF_REFERENCE(struct listener_settings, pool, NULL, &pool_block, CONF_REQUIRED,
	    "The pool of servers that sessions go to, unless a `route` says otherwise."),
	CONF_BLOCKS(struct listener_settings, route, &route_block, 0),
	CONF_DURATION_OR(struct listener_settings, login_timeout, "by protocol", never,
	    "0s", "30m", CONF_COMPUTED,
	    "Time a client has from connecting to a finished login, or to its first message where "
	    "nobody logs in."),
	CONF_DURATION_OR(struct listener_settings, idle_timeout,
	    "by protocol", never, "0s", "7d", CONF_COMPUTED,
	    "Silence after which a session ends, while the client is the one to speak."),
	CONF_DURATION_OR(struct listener_settings, reply_timeout, "by protocol", never, "0s", "1d",
	    CONF_COMPUTED,
	    "Silence after which a session ends, while the server is the one to speak. Where mail is sent "
	    "the client hears a temporary failure in place of the reply, and a reply to a whole message "
	    "has 10 minutes at least; but with lmtp it is each server's time, for that reply too, and costs "
	    "its recipients a temporary failure. Without it `idle_timeout` counts then, too."),
	CONF_CUSTOM(struct listener_settings, tcp_keepalive, "2m 30s 4", set_keepalive,
	    "idle interval count", 0,
	    "Both sides of a silent session are probed after this time, this often, so many times."),
	CONF_DURATION_OR(struct listener_settings, tcp_user_timeout, "3m", never, "0s", "1h", 0,
	    "How long sent bytes may stay unacknowledged before the connection counts as lost."),
	CONF_NUMBER(struct listener_settings, max_connections, "0", "0", "10000000", 0,
	    "Clients of this listener at once; more wait in the backlog. 0: no bound of its own."),
	CONF_NUMBER(struct listener_settings, max_errors, "by protocol", "1",
	    "1000", CONF_COMPUTED,
	    "Bad commands and failed logins before a client is disconnected. Where mail is taken "
	    "`hard_errors` of its `limits` stand in for it."),
	CONF_CHOICE(struct listener_settings, unavailable, "no", unavailable_choices, 0,
	    "What a client hears when no server can be had: `no`, it may stay and try again; `bye`, it is "
	    "disconnected."),
	CONF_CHOICE(struct listener_settings, bare_newline, "by protocol",
	    bare_newline_choices, CONF_COMPUTED,
	    "What is done about CR and LF that stand alone in mail data, by which mails can be smuggled. "
	    "`reject`: the message is refused at its end, and the client disconnected; commands of a mail "
	    "that end in LF alone are refused, too.  `normalize`: they become CRLF.  `pass`: nothing, for "
	    "servers that take only CRLF.CRLF for the end of a message."),
	CONF_NETWORKS(struct listener_settings, bare_newline_exempt, NULL, 0,
	    "Clients for whom it is `bare_newline pass`."),
	CONF_NETWORKS(struct listener_settings, accept_proxy, NULL, 0,
	    "Load balancers that must send a PROXY header, version 1 or 2, within 5 seconds and before all "
	    "else, TLS too. The client's address is the one that it tells; a client that has TLS with them "
	    "counts as one on TLS. Nobody else can send such a header."),
	CONF_STRINGS(struct listener_settings, capabilities, "auto", 0,
	    "What is announced before the login: `auto`, what all servers of the pool are known to have; or "
	    "a fixed list, with tokens where `mechanisms` names them; `\"\"` is the empty "
	    "one. The proxy's own words (below, by protocol) are never taken from either: in a list they "
	    "have no effect, and a warning says so."),
	CONF_HOST(struct listener_settings, hostname, "that of the root", CONF_COMPUTED,
	    "Our name in greetings of this listener."),
	{ 0 }
};

const struct block listener_block = {
	.name = "listener", .directives = listener_directives, .size = BLOCK_SIZE(struct listener_settings),
	.title = TITLE_NAME, .flags = BLOCK_HAS_DEFAULT,
	.help = "Ports where clients connect, what they are offered there and where their sessions go."
};

bool
bind_is_tls(const struct bind_settings *bind)
{
	return bind->conf.kind == &bind_tls_block;
}

struct listen_spec
bind_spec(const struct bind_settings *bind)
{
	struct listen_spec spec = {
		.addr = bind->address.addr,
		.freebind = bind->freebind,
		.backlog = (int)bind->backlog,
		.interface = bind->interface,
	};

	if (bind->address.addr.sa.sa_family == AF_UNSPEC) {
		spec.dual_stack = true;
		spec.addr.sa.sa_family = AF_INET6;
		addr_set_port(&spec.addr, bind->address.port);
	}
	return spec;
}

/* A socket of another machine, of another network namespace or of one interface is not met from here. */
static bool
is_met_at(const struct bind_settings *bind, const struct addr *to)
{
	struct listen_spec spec;

	if (bind->conf.broken || bind->interface != NULL)
		return false;
	spec = bind_spec(bind);
	if (addr_equals(&spec.addr, to))
		return true;
	if (!addr_is_any(&spec.addr) || addr_port(&spec.addr) != addr_port(to))
		return false;
	return (spec.dual_stack || spec.addr.sa.sa_family == to->sa.sa_family) && local_has(to);
}

static bool
has_bind_at(const struct conf_list *binds, const struct addr *to)
{
	for (size_t i = 0; i < binds->count; i++)
		if (is_met_at(binds->items[i], to))
			return true;
	return false;
}

bool
listeners_are_at(const struct conf_list *listeners, const struct addr *to)
{
	for (size_t i = 0; i < listeners->count; i++) {
		const struct listener_settings *l = listeners->items[i];

		if (has_bind_at(&l->bind, to) || has_bind_at(&l->bind_tls, to))
			return true;
	}
	return false;
}

static bool
has_login(const struct listener_settings *l)
{
	return l->proto->has_login || l->auth.count == 0;
}

/* TLS within the protocol is begun by a command. */
static bool
has_starttls(const struct listener_settings *l)
{
	return l->proto->verbs != NULL || l->starttls == STARTTLS_OFF;
}

static bool
hears_client(const struct listener_settings *l)
{
	return l->proto->verbs != NULL;
}

static bool
reads_data(const struct listener_settings *l)
{
	return l->proto->mediator != NULL || l->proto->fanout != NULL;
}

static bool
goes_by_recipients(const struct listener_settings *l)
{
	return reads_data(l) && !l->proto->has_login;
}

static bool
can_screen(const struct listener_settings *l)
{
	return l->proto->screen != NULL;
}

/* What has no meaning for some protocols: said in a `default` block it is for the other listeners. */
static const struct {
	const char *directive;
	bool (*fits)(const struct listener_settings *l);
} by_protocol[] = {
	{ "auth", has_login },
	{ "lookup", goes_by_recipients },
	{ "screen", can_screen },
	{ "starttls", has_starttls },
	{ "trusted", hears_client },
	{ "bare_newline", reads_data },
	{ "bare_newline_exempt", reads_data },
};
enum { BY_PROTOCOL = sizeof(by_protocol) / sizeof(by_protocol[0]) };

static void
default_by_protocol(struct conf_context *context, struct listener_settings *l, const char *hostname)
{
	for (size_t i = 0; i < BY_PROTOCOL; i++)
		if (!by_protocol[i].fits(l))
			pool_fit_forget(context, &l->conf, by_protocol[i].directive);
	for (const struct proto_default *d = l->proto->listener_defaults; d->directive != NULL; d++)
		conf_set_default(context, &l->conf, d->directive, d->text);
	conf_set_default(context, &l->conf, "hostname", hostname);
}

static bool
is_auto(const struct string_list *words)
{
	return words->count == 1 && strcmp(words->items[0], "auto") == 0;
}

static void
prepare_capabilities(struct conf_context *context, struct listener_settings *l)
{
	struct buf words = { 0 }, announced = { 0 };

	if (is_auto(&l->capabilities))
		return;
	for (size_t i = 0; i < l->capabilities.count; i++)
		capability_add(&words, slice_of(l->capabilities.items[i]));
	capability_pass(buf_slice(&words), l->proto, &announced);
	l->announced = arena_strndup(context->arena, buf_data(&announced), buf_len(&announced));
	buf_clear(&words);
	buf_clear(&announced);
}

static void
prepare_listener(struct conf_context *context, struct listener_settings *l, const char *hostname)
{
	if (proto_find(l->conf.title) != NULL)
		conf_set_default(context, &l->conf, "protocol", l->conf.title);
	l->proto = l->protocol != NULL ? proto_find(l->protocol) : NULL;
	if (l->proto != NULL) {
		default_by_protocol(context, l, hostname);
		prepare_capabilities(context, l);
	}
	l->tcp = (struct tcp_settings){
		.keepalive_idle_s = l->tcp_keepalive.idle_s,
		.keepalive_interval_s = l->tcp_keepalive.interval_s,
		.keepalive_count = l->tcp_keepalive.count,
		.user_timeout_ms = (int)l->tcp_user_timeout.ms,
	};
}

struct pool *
listener_pool(const struct listener_settings *l, size_t i)
{
	return i == 0 ? l->pool : ((const struct route_rule *)l->route.items[i - 1])->pool;
}

void
listener_settings_prepare(struct conf_context *context, const struct conf_list *listeners,
    const char *hostname)
{
	for (size_t i = 0; i < listeners->count; i++)
		prepare_listener(context, listeners->items[i], hostname);
}

static void
check_tls(struct conf_problems *problems, const struct listener_settings *l)
{
	if (l->tls == NULL && l->bind_tls.count > 0)
		conf_error_at(problems, &((struct bind_settings *)l->bind_tls.items[0])->conf, NULL,
		    "bind_tls needs `tls NAME` in listener %s", l->conf.title);
	else if (l->tls == NULL && l->starttls != STARTTLS_OFF && has_starttls(l))
		conf_error_at(problems, &l->conf, "starttls",
		    "starttls %s needs `tls NAME` in listener %s, or say `starttls off`",
		    starttls_choices[l->starttls].word, l->conf.title);
	else if (l->proto->has_login && l->starttls == STARTTLS_OFF && l->bind.count > 0 &&
	    !l->plaintext_login && l->trusted.count == 0)
		conf_error_at(problems, &l->conf, "starttls",
		    "nobody can log in at `bind` of listener %s: there is no TLS, and plaintext_login is no",
		    l->conf.title);
}

/* A pool that sessions of the listener go to, as `where` says. */
static void
check_pool_of(struct conf_problems *problems, const struct listener_settings *l, const struct pool *pool,
    const struct conf_block *where)
{
	if (pool->protocol != NULL && !proto_is_served_by(l->proto, pool->protocol))
		conf_error_at(problems, where, "pool", "pool %s speaks %s, and listener %s speaks %s",
		    pool->conf.title, pool->protocol, l->conf.title, l->protocol);
	else if (l->proto->has_login && !plan_shows_client(pool) && !auth_knows_users(&l->auth))
		conf_error_at(problems, where, "pool",
		    "nobody would check the password at listener %s: `login` of pool %s keeps it from the "
		    "server, and %s",
		    l->conf.title, pool->conf.title, l->auth.count == 0 ? "there is no `auth`" :
		    "`auth` leaves it to the server");
}

static void
check_route_line(struct conf_problems *problems, const struct listener_settings *l,
    const struct condition *condition)
{
	switch (condition->line.kind) {
	case CONDITION_USER:
	case CONDITION_USER_FILE:
	case CONDITION_DOMAIN:
		if (!l->proto->has_login && l->proto->fanout == NULL)
			conf_error_at(problems, &condition->conf, NULL, "%s: %s knows no users",
			    condition_word(condition->line.kind), l->protocol);
		break;
	case CONDITION_RECIPIENT_DOMAIN:
		if (!goes_by_recipients(l))
			conf_error_at(problems, &condition->conf, NULL,
			    "recipient_domain: %s does not go by recipients", l->protocol);
		break;
	default:
		break;
	}
}

static bool
binds_users(const struct pool *pool)
{
	return (pool->farm != NULL && pool->farm->affinity.ms > 0) || pool_balancer(pool)->binds;
}

/* By the client alone, a user would be on two servers. */
static void
check_farms(struct conf_problems *problems, const struct listener_settings *l, const struct route_rule *rule)
{
	const struct condition *condition = route_rule_of_client(rule);

	if (condition == NULL || rule->pool == NULL || !binds_users(rule->pool))
		return;
	for (size_t i = 0; i <= l->route.count; i++) {
		const struct pool *other = listener_pool(l, i);

		if (other == NULL || other == rule->pool || !binds_users(other) ||
		    (other->farm != NULL && other->farm == rule->pool->farm))
			continue;
		conf_error_at(problems, &condition->conf, NULL,
		    "%s would choose between pool %s and pool %s, which bind users to servers of different "
		    "farms: a user with two clients would be on both",
		    condition_word(condition->line.kind), rule->pool->conf.title, other->conf.title);
		return;
	}
}

static void
check_routes(struct conf_problems *problems, const struct listener_settings *l)
{
	for (size_t i = 0; i < l->route.count; i++) {
		const struct route_rule *rule = l->route.items[i];

		if (rule->pool != NULL)
			check_pool_of(problems, l, rule->pool, &rule->conf);
		for (size_t j = 0; j < rule->lines.count; j++)
			check_route_line(problems, l, rule->lines.items[j]);
		check_farms(problems, l, rule);
	}
}

static void
check_capabilities(struct conf_problems *problems, const struct listener_settings *l)
{
	for (size_t i = 0; l->announced != NULL && i < l->capabilities.count; i++)
		if (strcmp(l->capabilities.items[i], "auto") == 0)
			conf_error_at_value(problems, &l->conf, "capabilities", i, "auto stands alone");
}

/* What users and servers leave is seen later; here, whether anything can be left at all. */
static void
check_offer(struct conf_problems *problems, const struct listener_settings *l)
{
	unsigned all = auth_mechanisms(&l->auth) & (mechanisms_of_sasl() | l->proto->own_mechanisms);
	unsigned left = all;

	for (size_t i = 0; i <= l->route.count; i++)
		if (listener_pool(l, i) != NULL)
			left &= plan_mechanisms(listener_pool(l, i), ~0U) | auth_answered(&l->auth);
	if (l->auth.count > 0 && left == 0)
		conf_error_at(problems, &l->conf, "auth", "nobody could log in at listener %s: %s",
		    l->conf.title, all == 0 ? "its `auth` have no mechanism in common that its protocol has" :
		    "with `login password` a server can be shown none of its `mechanisms`");
}

static void
check_protocol_knows(struct conf_problems *problems, const struct listener_settings *l)
{
	for (size_t i = 0; i < BY_PROTOCOL; i++) {
		const char *directive = by_protocol[i].directive;

		if (!by_protocol[i].fits(l) && conf_origin(&l->conf, directive) == CONF_ORIGIN_WRITTEN)
			conf_error_at(problems, &l->conf, directive, "%s has no meaning with protocol %s",
			    directive, l->protocol);
	}
}

static void
check_screen(struct conf_problems *problems, const struct listener_settings *l)
{
	int64_t delay = l->screen != NULL && can_screen(l) ? l->screen->greeting_delay.ms : 0;

	if (delay > 0 && l->login_timeout.ms > 0 && delay >= l->login_timeout.ms)
		conf_error_at(problems, &l->conf, "screen",
		    "login_timeout of listener %s would be over before a client is greeted: greeting_delay "
		    "of screen %s is as long", l->conf.title, l->screen->conf.title);
}

static bool
has_address(const struct network_list *networks, const struct addr *addr)
{
	for (size_t i = 0; i < networks->count; i++)
		if (network_has(&networks->items[i], addr))
			return true;
	return false;
}

bool
listener_trusts(const struct listener_settings *l, const struct addr *peer)
{
	return has_address(&l->trusted, peer);
}

bool
listener_wants_header(const struct listener_settings *l, const struct addr *peer)
{
	return has_address(&l->accept_proxy, peer);
}

int
listener_bare_newline(const struct listener_settings *l, const struct addr *client)
{
	return has_address(&l->bare_newline_exempt, client) ? BARE_NEWLINE_PASS : l->bare_newline;
}

static void
check_listener(struct conf_problems *problems, const struct listener_settings *l)
{
	pool_fit_protocol(problems, &l->conf, l->protocol);
	if (l->bind.count == 0 && l->bind_tls.count == 0)
		conf_error_at(problems, &l->conf, NULL, "a listener needs `bind` or `bind_tls`");
	if (l->proto == NULL)
		return;
	check_tls(problems, l);
	check_protocol_knows(problems, l);
	if (l->proto->has_login)
		check_offer(problems, l);
	if (l->lookup.count > 0 && !auth_looks_up(&l->lookup))
		conf_error_at(problems, &l->conf, "lookup", "nobody would be asked: %s cannot look users up",
		    ((const struct auth *)l->lookup.items[0])->conf.title);
	check_capabilities(problems, l);
	check_screen(problems, l);
	if (l->pool != NULL)
		check_pool_of(problems, l, l->pool, &l->conf);
	check_routes(problems, l);
}

void
listener_settings_check(struct conf_context *context, const struct conf_list *listeners)
{
	for (size_t i = 0; i < listeners->count; i++) {
		const struct listener_settings *l = listeners->items[i];

		if (!l->conf.broken)
			check_listener(context->problems, l);
	}
}

static void
warn_of_capability(const struct listener_settings *l, size_t i)
{
	const char *word = l->capabilities.items[i];
	char where[CONF_WHERE_MAX];

	if (*word != '\0' && capability_is_own(slice_of(word), l->proto))
		log_write(LOG_WARNING,
		    "%s: listener %s: %s in `capabilities` has no effect: the proxy speaks for it",
		    conf_where_text(conf_where(&l->conf, "capabilities"), where, sizeof(where)),
		    l->conf.title, word);
}

void
listener_settings_warn(const struct conf_list *listeners)
{
	for (size_t i = 0; i < listeners->count; i++) {
		const struct listener_settings *l = listeners->items[i];

		/* what a `default` block says for listeners of several protocols holds where it can */
		if (l->conf.broken || l->announced == NULL ||
		    conf_origin(&l->conf, "capabilities") != CONF_ORIGIN_WRITTEN)
			continue;
		for (size_t k = 0; k < l->capabilities.count; k++)
			warn_of_capability(l, k);
	}
}

bool
listener_settings_open(struct listener_settings *l, const struct condition_scope *scope,
    struct conf_problems *problems)
{
	bool ok = true;

	for (size_t i = 0; i < l->route.count; i++)
		ok &= route_rule_open(l->route.items[i], scope, problems);
	return ok;
}

void
listener_settings_close(struct listener_settings *l)
{
	for (size_t i = 0; i < l->route.count; i++)
		route_rule_close(l->route.items[i]);
}

void
listener_settings_refresh(struct listener_settings *l)
{
	for (size_t i = 0; i < l->route.count; i++)
		route_rule_refresh(l->route.items[i]);
}
