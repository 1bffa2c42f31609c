/* SPDX-License-Identifier: BSD-2-Clause */
/* pool_rows.c: what the blocks `farm`, `pool`, `server` and `server_tls` may say. */
#include <inttypes.h>
#include <string.h>

#include "balance/balance.h"
#include "balance/check_settings.h"
#include "balance/machine.h"
#include "balance/pool.h"
#include "balance/quorum.h"
#include "conf/conf.h"
#include "net/dns_answer.h"
#include "state/affinity.h"

#define BALANCER_WORD(name) { #name, BALANCER_##name }
static const struct choice balances[] = { BALANCERS(BALANCER_WORD), { 0 } };

const struct choice login_choices[] = {
	{ "password", LOGIN_PASSWORD },
	{ "master", LOGIN_MASTER },
	{ "trusted", LOGIN_TRUSTED },
	{ "xclient", LOGIN_XCLIENT },
	{ "none", LOGIN_NONE },
	{ 0 }
};

const struct choice forward_choices[] = {
	{ "auto", FORWARD_AUTO },
	{ "id", FORWARD_ID },
	{ "xclient", FORWARD_XCLIENT },
	{ "proxy", FORWARD_PROXY },
	{ "proxy_v2", FORWARD_PROXY_V2 },
	{ "none", FORWARD_NONE },
	{ 0 }
};

static const struct choice server_tls_modes[] = {
	{ "off", SERVER_TLS_OFF },
	{ "starttls", SERVER_TLS_STARTTLS },
	{ "implicit", SERVER_TLS_IMPLICIT },
	{ 0 }
};

static const struct directive server_tls_directives[] = {
	CONF_CHOICE(struct server_tls, mode, "off", server_tls_modes, 0,
	    "TLS with the servers: `off` connects without, `starttls` asks the server for it and gives up "
	    "where it is not offered, `implicit` begins with it."),
	CONF_BOOL(struct server_tls, verify, "yes", 0,
	    "Whether a server must show a valid certificate for its name.  With `no` anybody in between can "
	    "read along."),
	CONF_PATH(struct server_tls, ca, NULL, 0,
	    "A file of PEM certificates that may sign those of the servers.  Default: the system's."),
	CONF_STRING(struct server_tls, name, NULL, 0,
	    "The name that the servers' certificates bear, and that they are asked for (SNI).  Default: what "
	    "`address` says, a name or an address."),
	CONF_PATH(struct server_tls, certificate, NULL, 0,
	    "A file of PEM with the certificate that servers get which ask for one, its chain and its key.  "
	    "It is read at start and reload."),
	CONF_STRINGS(struct server_tls, pin, NULL, 0,
	    "SHA-256 of the servers' public keys, in base64: a server must have one of them, besides what "
	    "`verify` wants.  `openssl x509 -in mail.pem -pubkey -noout | openssl pkey -pubin -outform der | "
	    "openssl dgst -sha256 -binary | base64` tells it."),
	{ 0 }
};

static void
check_server_tls(struct conf_context *context, void *object)
{
	static const char *const settings[] = { "ca", "name", "certificate", "pin" };
	const struct server_tls *tls = object;

	for (size_t i = 0; tls->mode == SERVER_TLS_OFF && i < sizeof(settings) / sizeof(settings[0]); i++)
		if (conf_is_set(&tls->conf, settings[i]))
			conf_error_at(context->problems, &tls->conf, settings[i],
			    "%s has no meaning with server_tls off", settings[i]);
	if (tls->mode != SERVER_TLS_OFF && !tls->verify && tls->ca != NULL)
		conf_error_at(context->problems, &tls->conf, "ca", "ca has no meaning with verify no");
}

static const struct block server_tls_block = {
	.name = "server_tls", .directives = server_tls_directives, .size = BLOCK_SIZE(struct server_tls),
	.title = TITLE_VALUE, .check = check_server_tls,
	.help = "How connections to the servers are encrypted.",
};

static const struct choice on_down_words[] = { { "close", ON_DOWN_CLOSE }, { "keep", ON_DOWN_KEEP }, { 0 } };

static const struct choice quorum_words[] = {
	{ "none", QUORUM_NONE }, { "majority", QUORUM_MAJORITY }, { 0 }
};

static const struct directive option_directives[] = {
	CONF_CHOICE(struct pool_options, balance, "by protocol: user for mailboxes, else leastconn", balances,
	    CONF_COMPUTED,
	    "How a server is chosen.  `roundrobin`: in turn.  `leastconn`: the one with the fewest "
	    "connections.  `random`: of two drawn by lot the one with fewer connections.  `first`: the first "
	    "of the file that has room, so that the last ones are idle.  `source`: by a hash of the client's "
	    "address, so that all its sessions meet on one server, or on the next where that one is down, "
	    "full or fails.  `user`: by a hash of the user's name, so that all sessions of a user meet on "
	    "one server; a login then never goes to another server because of a failed connect or a full "
	    "server.  Both hashes find the same server through every proxy with the same servers, in "
	    "whatever order, and a server that leaves moves only who was there.  All but `first` heed "
	    "`weight`; a weight of 0 is heeded by all."),
	CONF_NUMBER(struct pool_options, hash_balance_factor, "0", "0", "1000", 0,
	    "With `balance source`, no server gets more than this percentage of the average of the servers' "
	    "connections, by weight: what is over goes to the next server of the client's own order.  100 to "
	    "1000; 0: no bound."),
	CONF_CHOICE(struct pool_options, login, "by protocol: password where users log in, else none",
	    login_choices, CONF_COMPUTED,
	    "How users are logged in at the server.  `password`: with the client's own credentials.  "
	    "`master`: as `master_user`, who acts for the user (SASL PLAIN, Dovecot and Cyrus).  `trusted`: "
	    "as the user, with the password of `master_password_file` or any: for servers that take it from "
	    "trusted peers only.  `xclient`: by the name alone, in the command XCLIENT, which Postfix takes "
	    "from `smtpd_authorized_xclient_hosts`.  `none`: not at all.  All but `password` need an `auth` "
	    "that knows the users."),
	CONF_STRING(struct pool_options, master_user, NULL, 0,
	    "Who logs in for the users, with `login master`."),
	CONF_PATH(struct pool_options, master_password_file, NULL, 0,
	    "A file whose first line is the master user's password, or that of trusted logins."),
	CONF_CHOICE(struct pool_options, forward, "auto", forward_choices, 0,
	    "How the server learns the client's address and session.  `auto`: as the server announces.  "
	    "`id`, `xclient`: by the command ID or XCLIENT, announced or not.  `proxy`, `proxy_v2`: by a "
	    "PROXY header before the first word, version 1, or version 2 with TLS and the session in it; the "
	    "server must be told to expect it, and then takes connections without one no more.  Where "
	    "there is no client's address (unix sockets, health checks), the header names the connection "
	    "itself.  `none`: not at all.  For mail transfer and submission: a server that cannot tell "
	    "clients from this proxy must not trust it, so keep the proxy out of Postfix's `mynetworks`."),
	CONF_BLOCK(struct pool_options, server_tls, &server_tls_block, "off", 0),
	CONF_ADDRESSES(struct pool_options, source, NULL, CONF_NUMERIC | CONF_NO_PORT,
	    "Own addresses to connect to the servers from, used in turn; each gives some 28,000 "
	    "connections to a server's port.  Default: the kernel's choice."),
	CONF_DURATION(struct pool_options, connect_timeout, "5s", "100ms", "5m", 0,
	    "Time for one attempt to connect to a server, its TLS handshake included."),
	CONF_DURATION(struct pool_options, login_timeout, "30s", "1s", "10m", 0,
	    "Time from the first attempt to connect until the server has accepted the login, over all "
	    "attempts."),
	CONF_NUMBER(struct pool_options, retries, "3", "0", "100", 0,
	    "How often a session tries again after a failed connect: at the next server, and, where all "
	    "have failed, after a second at any; with `balance user`, at the same one after a second.  0: it "
	    "fails at once."),
	CONF_DURATION(struct pool_options, queue_timeout, "by protocol", "0s", "1h",
	    CONF_COMPUTED,
	    "How long a session waits where all servers have `max_connections`, or none takes sessions at "
	    "all, before its client is told to come later.  0s: not at all."),
	CONF_DURATION(struct pool_options, close_spread, "30s", "0s", "1h", 0,
	    "When sessions are told to go, at a stop, because their pool was dropped or for their server's "
	    "state, they are told over this time, so that clients do not all connect again in one second; "
	    "those in IDLE go first."),
	CONF_NUMBER(struct pool_options, max_connections, "0", "0", "1000000", 0,
	    "Connections to one server at once, those of this pool.  Who comes later waits in the order of "
	    "coming: for room at any server, or, with `balance user`, at the user's.  0: no bound."),
	CONF_DURATION(struct pool_options, slow_start, "0s", "0s", "1h", 0,
	    "Over which time a server that was down gets its whole share of new sessions again, beginning "
	    "with a hundredth.  Choices by a hash (`user`, `source`), and `first`, know no slow start."),
	CONF_BOOL(struct pool_options, observe, "yes", 0,
	    "Whether sessions judge the servers, besides the checks.  A server that fails them (refuses the "
	    "connection, breaks off, takes too long, says that it is unavailable) is tried by fewer at once, "
	    "and by nobody when as many have failed in a row as may try: for a second, which doubles up to a "
	    "minute each time that the one who tries then fails as well.  Successes let more in again.  "
	    "Meanwhile logins wait with `balance user`, else sessions go to other servers."),
	CONF_NUMBER(struct pool_options, error_limit, "10", "1", "1000000", 0,
	    "When so many sessions in a row have failed at a server, it is checked at once."),
	CONF_CHOICE(struct pool_options, on_down, "close", on_down_words, 0,
	    "What becomes of the sessions of a server that goes down.  `close`: they are told to go, over "
	    "`close_spread`, as they are where a server comes into maintenance; those that wait for its "
	    "words are cut off ten seconds after their time.  `keep`: they stay, as long as server and "
	    "client do."),
	CONF_BOOL(struct pool_options, vital, "yes", 0,
	    "With `affinity`: whether a server that is down in this pool is down for the users who are bound "
	    "to it.  With `no` they stay bound there, logins to this pool wait and are then told to come "
	    "later, and the other pools go on."),
	CONF_NUMBER_OR(struct pool_options, check_quorum, "none", quorum_words, "1", "1000", 0,
	    "With `affinity` and a `cluster`: how many proxies, this one included, must find a server down "
	    "before the users who are bound to it are bound to another one.  `majority`: more than half of "
	    "those that check it.  `none`: this one alone.  A proxy never sends sessions to a server that it "
	    "finds down itself; where the others do not, bound users wait here for `queue_timeout` and are "
	    "then told to come later, while those who come through another proxy are served.  More than "
	    "there are proxies is all of them.  A word of an operator (maintenance) or of the server's "
	    "agent needs nobody else's; and a proxy that has heard nothing of the others for five seconds, "
	    "as Redis is away, goes by its own checks."),
	CONF_BOOL(struct pool_options, panic, "no", 0,
	    "Where every server is down: choose among them as if none were, since it may be the checks that "
	    "are wrong.  With `no`, clients wait and are then told to come later."),
	CONF_BLOCKS_OR_ONE(struct pool_options, checks, &check_block, 0),
	{ 0 }
};

static const struct choice server_states[] = {
	{ "ready", ADMIN_READY }, { "drain", ADMIN_DRAIN }, { "maintenance", ADMIN_MAINTENANCE }, { 0 }
};

static const struct choice server_resolves[] = {
	{ "first", SERVER_RESOLVE_FIRST }, { "all", SERVER_RESOLVE_ALL }, { 0 }
};

static const struct directive server_directives[] = {
	CONF_ADDRESS(struct server, address, NULL, 0,
	    "The server's IPv4 or IPv6 address, and its port where that is not the pool's: `10.1.0.11`, "
	    "`[2001:db8::11]:1143`; or its name, as in `d03.example.com:1143`, which is asked for again "
	    "whenever its time to live is over, or after 1 to 30 s where nobody answers.  Until there is an "
	    "answer, the server is unresolved and gets no sessions; later, its last addresses stay while "
	    "there is none."),
	CONF_CHOICE(struct server, resolve, "first, of a name", server_resolves, CONF_COMPUTED,
	    "What the addresses of a name are.  `first`: one server, at one of them, the lowest IPv4 address "
	    "or else the lowest IPv6 address; it stays there for as long as that is among the addresses.  "
	    "`all`: each of them is a server, named as in `d03@10.1.0.13`, 256 at most."),
	CONF_STRING(struct server, srv, NULL, 0,
	    "In place of an address, a service whose hosts are asked for (SRV records): "
	    "`_imap._tcp.example.com`.  Each of their addresses is a server, named as in `d03@10.1.0.13`, "
	    "at the port that is told there and with the weight that is told there; those of a higher "
	    "priority number take sessions while all of the lower ones are down.  Certificates should bear "
	    "the domain, `example.com`, unless `server_tls` has a `name`."),
	CONF_NUMBER(struct server, weight, "1, or what srv tells", "0", "256", CONF_COMPUTED,
	    "The server's share of new sessions compared with the others.  0: it gets none, and keeps "
	    "those it has."),
	CONF_CHOICE(struct server, state, "ready", server_states, 0,
	    "`drain`: the server gets no new sessions, keeps those it has, and users who are bound to it by "
	    "`affinity`; an `auth` that names it for a user is obeyed.  Without `affinity` nobody is bound: "
	    "a user's next session goes elsewhere while others stay.  `maintenance`: nobody; its sessions "
	    "are told to go over `close_spread`."),
	CONF_BOOL(struct server, backup, "no", 0,
	    "Takes sessions only while all servers without `backup` are down."),
	CONF_ADDRESS(struct server, agent, NULL, CONF_NUMERIC | CONF_NEEDS_PORT,
	    "Where the server's agent listens, which tells in one line how busy the server is, in the "
	    "language of HAProxy's `agent-check`; gatepost-agent(8) is one for Postfix and Dovecot.  `75%` "
	    "is a share of `weight`, `weight:N` comes in its place; choices by a hash (`user`, `source`) "
	    "know neither.  `maxconn:N` bounds the connections of each pool, besides `max_connections`.  "
	    "`drain` and `maint` are as in `state`, until `ready`.  `down`, `stopped` and `fail` take the "
	    "server down, until `up`, which does not overrule the checks.  What is not said stays, and so "
	    "does all while the agent does not answer.  The agent is asked once for all pools of a farm."),
	CONF_DURATION(struct server, agent_interval, "10s", "1s", "1d", 0,
	    "From one question to the agent to the next."),
	CONF_CUSTOM(struct server, agent_send, NULL, check_text_set, "text", CONF_ESCAPES,
	    "What the agent is sent before it answers, with the escapes of `send`.  Default: nothing."),
	{ 0 }
};

static void
prepare_server(struct conf_context *context, void *object)
{
	struct server *server = object;

	if (server->srv == NULL)
		conf_set_default(context, &server->conf, "weight", "1");
	if (server->srv == NULL && server_has_name(server))
		conf_set_default(context, &server->conf, "resolve", "first");
}

static void
check_found(struct conf_context *context, const struct server *server)
{
	const char *name = server->srv != NULL ? server->srv : server->address.host;

	if (server_has_name(server) && !dns_is_name(name))
		conf_error_at(context->problems, &server->conf, server->srv != NULL ? "srv" : "address",
		    "%s is no name that can be asked for", name);
	if (server->srv != NULL && conf_is_set(&server->conf, "weight"))
		conf_error_at(context->problems, &server->conf, "weight",
		    "weight has no meaning with srv, which tells weights");
	if (!server_has_name(server) && conf_is_set(&server->conf, "resolve"))
		conf_error_at(context->problems, &server->conf, "resolve",
		    "resolve has no meaning without a name as address");
	else if (server->srv != NULL && conf_is_set(&server->conf, "resolve"))
		conf_error_at(context->problems, &server->conf, "resolve",
		    "resolve has no meaning with srv: each address is a server");
}

/* Bindings know their server by its name; behind "d03@" there is an address with a port. */
static void
check_server(struct conf_context *context, void *object)
{
	enum { FOUND_NAME_MAX = 56 };
	const struct server *server = object;
	size_t most = AFFINITY_SERVER_MAX - 1 - (server_is_many(server) ? FOUND_NAME_MAX : 0);

	if (server->agent.text == NULL && server->agent_send.len > 0)
		conf_error_at(context->problems, &server->conf, "agent_send",
		    "agent_send has no meaning without agent");
	if (server->agent.text != NULL && server_is_many(server))
		conf_error_at(context->problems, &server->conf, "agent",
		    "agent tells of one server: with %s each address is another",
		    server->srv != NULL ? "srv" : "resolve all");
	if (strlen(server->conf.title) > most)
		conf_error_at(context->problems, &server->conf, NULL,
		    "the name of a server has at most %zu octets", most);
	if (server->address.text == NULL && server->srv == NULL)
		conf_error_at(context->problems, &server->conf, NULL, "server %s needs address or srv",
		    server->conf.title);
	else if (server->address.text != NULL && server->srv != NULL)
		conf_error_at(context->problems, &server->conf, "srv",
		    "srv has no meaning with address: one of them says where the server is");
	else
		check_found(context, server);
}

/* Does one of them have the name that an address of another may get? */
static void
check_names(struct conf_context *context, const struct conf_list *servers)
{
	for (size_t i = 0; i < servers->count; i++) {
		const struct server *server = servers->items[i];
		const char *at = strchr(server->conf.title, '@');

		for (size_t j = 0; at != NULL && j < servers->count; j++) {
			const struct server *other = servers->items[j];
			size_t len = strlen(other->conf.title);

			if (server_is_many(other) && len == (size_t)(at - server->conf.title) &&
			    memcmp(server->conf.title, other->conf.title, len) == 0)
				conf_error_at(context->problems, &server->conf, NULL,
				    "%s is how an address of server %s would be named", server->conf.title,
				    other->conf.title);
		}
	}
}

static const struct block server_block = {
	.name = "server", .directives = server_directives, .size = BLOCK_SIZE(struct server),
	.title = TITLE_NAME, .prepare = prepare_server, .check = check_server,
	.help = "A machine of the mail farm.  A changed address or weight counts for new sessions.",
};

static const struct choice affinity_words[] = { { "none", 0 }, { 0 } };

static const struct directive farm_directives[] = {
	CONF_GROUP(struct farm, options, option_directives),
	CONF_DURATION_OR(struct farm, affinity, "none", affinity_words, "0s", "7d", 0,
	    "Binds a user to one server, over all pools of this farm, for as long as any of the user's "
	    "sessions lives and for this time longer.  `none`: sessions meet by the hash of "
	    "`balance user` only."),
	CONF_PATH(struct farm, flush_script, NULL, 0,
	    "A program that is run when a user is moved to another server, after the sessions have ended and "
	    "before anybody gets in again; at the proxy that moves.  Its arguments are those of a Director's "
	    "flush script: FLUSH, a number that the user's name hashes to, the old address, the new one, up "
	    "or down for the old server, and the weight of that.  In its environment are GATEPOST_USER, "
	    "GATEPOST_FARM, GATEPOST_OLD_SERVER and GATEPOST_NEW_SERVER.  Where it fails the user is moved "
	    "all the same, and that is logged."),
	CONF_DURATION(struct farm, flush_timeout, "30s", "1s", "1h", 0,
	    "How long flush_script may run before it is killed."),
	CONF_BLOCKS(struct farm, servers, &server_block, CONF_OWN),
	{ 0 }
};

/* Below the average is no bound that all could keep. */
static void
check_factor(struct conf_context *context, const struct conf_block *conf, int64_t factor)
{
	if (factor > 0 && factor < 100 && conf_origin(conf, "hash_balance_factor") != CONF_ORIGIN_INHERITED)
		conf_error_at(context->problems, conf, "hash_balance_factor",
		    "hash_balance_factor: %" PRId64 " is neither 0 nor 100 to 1000", factor);
}

static void
check_farm(struct conf_context *context, void *object)
{
	const struct farm *farm = object;

	check_settings_judge(context->problems, &farm->options.checks);
	check_factor(context, &farm->conf, farm->options.hash_balance_factor);
	if (farm->flush_script != NULL && farm->affinity.ms == 0)
		conf_error_at(context->problems, &farm->conf, "flush_script",
		    "flush_script has no meaning without affinity");
	check_names(context, &farm->servers);
	if (farm->servers.count == 0)
		conf_error_at(context->problems, &farm->conf, NULL, "farm %s needs a server",
		    farm->conf.title);
}

const struct block farm_block = {
	.name = "farm", .directives = farm_directives, .size = BLOCK_SIZE(struct farm), .title = TITLE_NAME,
	.flags = BLOCK_HAS_DEFAULT, .check = check_farm,
	.help = "Servers stated once for several pools, and what these pools have in common.",
};

static const struct directive pool_directives[] = {
	CONF_STRING(struct pool, protocol, "the title where that is one, else that of the listeners",
	    CONF_COMPUTED, "The protocol that the servers speak."),
	CONF_REFERENCE(struct pool, farm, NULL, &farm_block, 0,
	    "The farm whose servers the pool uses, where it has none of its own."),
	CONF_NUMBER(struct pool, port, "the protocol's", "1", "65535", CONF_COMPUTED,
	    "The servers' port, where their address has none."),
	CONF_GROUP(struct pool, options, option_directives),
	CONF_BLOCKS(struct pool, servers, &server_block, CONF_OWN),
	{ 0 }
};

static void
check_login(struct conf_context *context, const struct pool *pool)
{
	const struct pool_options *options = &pool->options;

	if (options->login == LOGIN_MASTER &&
	    (options->master_user == NULL || options->master_password_file == NULL))
		conf_error_at(context->problems, &pool->conf, "login",
		    "login master needs master_user and master_password_file");
	if (options->login != LOGIN_MASTER && conf_origin(&pool->conf, "master_user") == CONF_ORIGIN_WRITTEN)
		conf_error_at(context->problems, &pool->conf, "master_user",
		    "master_user has no meaning without login master");
	if (options->login != LOGIN_MASTER && options->login != LOGIN_TRUSTED &&
	    conf_origin(&pool->conf, "master_password_file") == CONF_ORIGIN_WRITTEN)
		conf_error_at(context->problems, &pool->conf, "master_password_file",
		    "master_password_file has no meaning without login master or trusted");
}

static void
check_pool(struct conf_context *context, void *object)
{
	const struct pool *pool = object;

	check_login(context, pool);
	check_names(context, &pool->servers);
	if (conf_origin(&pool->conf, "check") != CONF_ORIGIN_INHERITED)
		check_settings_judge(context->problems, &pool->options.checks);
	check_factor(context, &pool->conf, pool->options.hash_balance_factor);
	if (pool->options.check_quorum != QUORUM_NONE &&
	    conf_origin(&pool->conf, "check_quorum") == CONF_ORIGIN_WRITTEN &&
	    (pool->farm == NULL || pool->farm->affinity.ms == 0))
		conf_error_at(context->problems, &pool->conf, "check_quorum",
		    "check_quorum has no meaning without a farm with affinity");
	if (pool->farm != NULL && pool->servers.count != 0)
		conf_error_at(context->problems, &pool->conf, "farm",
		    "pool %s has servers of its own, so that it cannot use farm %s", pool->conf.title,
		    pool->farm->conf.title);
}

static const struct conf_block *
inherits(const void *object)
{
	const struct pool *pool = object;

	return pool->farm != NULL ? &pool->farm->conf : NULL;
}

const struct block pool_block = {
	.name = "pool", .directives = pool_directives, .size = BLOCK_SIZE(struct pool), .title = TITLE_NAME,
	.flags = BLOCK_HAS_DEFAULT, .inherits = inherits, .check = check_pool,
	.help = "One service on the servers of a farm, or on servers of its own.  It needs neither where the "
		"`auth` of its listeners names a host for each user.",
};
