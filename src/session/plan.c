/* SPDX-License-Identifier: BSD-2-Clause */
/* plan.c: how a login is presented to its server: with whose credentials, in whose name. */
#include "session/plan.h"

#include <string.h>

#include "balance/endpoint.h"
#include "base/hash.h"
#include "base/xalloc.h"
#include "session/session.h"
#include "session/route_rule.h"

/* What a server is told where it takes any password from us: it must not be empty. */
static const char trusted_password[] = "trusted";

bool
plan_shows_client(const struct pool *pool)
{
	return pool->options.login == LOGIN_PASSWORD;
}

unsigned
plan_mechanisms(const struct pool *pool, unsigned announced)
{
	return plan_shows_client(pool) ? mechanisms_to_show(announced) : ~0U;
}

const char *
plan_find_pool(const struct snapshot *snapshot, const struct listener_settings *settings,
    const struct auth_answer *answer, struct condition_subject *subject, struct pool **pool)
{
	*pool = answer->pool != NULL ? snapshot_find_pool(snapshot, answer->pool, settings->proto) :
	    route_rule_find(&settings->route, subject, settings->pool);
	if (*pool == NULL)
		return "there is no pool of the name that the auth source gave";
	if (answer->tls != AUTH_TLS_POOL && (*pool)->tls_client == NULL)
		return "the auth source wants TLS with the server, and the pool has no server_tls";
	return NULL;
}

const char *
plan_find_mail_pool(const struct snapshot *snapshot, const struct listener_settings *settings,
    const struct auth_answer *answer, struct condition_subject *subject, struct pool **pool)
{
	const char *why = plan_find_pool(snapshot, settings, answer, subject, pool);

	if (why == NULL && answer->delay_ms > 0)
		why = "the auth source wants it to wait: the user is being moved";
	return why;
}

const char *
plan_refusal(const struct pool *pool, const struct auth_answer *answer, const struct credentials *client)
{
	bool is_own = answer->pass == NULL && (plan_shows_client(pool) || answer->master != NULL);
	bool is_empty = is_own ? buf_len(&client->password) == 0 :
	    answer->pass != NULL && *answer->pass == '\0';

	if (answer->verdict == AUTH_BY_SERVER && (!plan_shows_client(pool) || answer->pass != NULL))
		return "nobody would check the password: the server is not shown the client's";
	if (pool->options.login == LOGIN_NONE && (answer->pass != NULL || answer->master != NULL))
		return "the auth source says how to log in, and the pool has `login none`";
	if (is_own && mechanism_facts[client->mechanism].shown == SHOWN_NOWHERE)
		return "the server wants a password, and the client has shown none";
	/* a server that is asked for the name alone would take the user for the master */
	if (answer->master != NULL && is_empty)
		return "the auth source names a master user, and there is no password for it";
	return NULL;
}

static void
set_text(struct buf *buf, const char *text)
{
	buf_wipe(buf);
	buf_append_text(buf, text);
}

static void
set_slice(struct buf *buf, struct slice slice)
{
	buf_wipe(buf);
	buf_append_slice(buf, slice);
}

/* In the words of the auth source, or else with the client's own password. */
static void
take_password(struct credentials *back, const struct auth_answer *answer, const struct credentials *client)
{
	if (answer->pass != NULL) {
		set_text(&back->password, answer->pass);
	} else {
		set_slice(&back->password, buf_slice(&client->password));
		if (credentials_kind(client) == CREDENTIAL_TOKEN)
			back->mechanism = client->mechanism;
	}
	if (answer->verdict == AUTH_BY_SERVER && answer->user == NULL && answer->destuser == NULL) {
		/* as it was written: the server judges all of it */
		set_slice(&back->user, buf_slice(&client->user));
		set_slice(&back->authzid, buf_slice(&client->authzid));
	}
}

/* As the auth source wrote it, where it did. */
static const char *
name_there(const struct auth_answer *answer, const char *user)
{
	if (answer->destuser != NULL)
		return answer->destuser;
	return answer->user != NULL ? answer->user : user;
}

static void
act_for(struct credentials *back, const char *user, const char *master)
{
	set_text(&back->authzid, user);
	set_text(&back->user, master);
}

void
plan_take_place(struct leg_way *way, const struct auth_answer *answer, const struct auth *source)
{
	way->source = source;
	way->has_host = answer->host != NULL;
	way->host_port = answer->port;
	way->timeout_ms = answer->timeout_ms;
	if (answer->host != NULL && !addr_parse(slice_of(answer->host), 0, &way->host))
		way->host_name = xstrdup(answer->host);
	if (answer->server != NULL)
		way->server = xstrdup(answer->server);
}

void
plan_take_credentials(struct leg_way *way, const struct auth_answer *answer, const char *user,
    const struct credentials *client)
{
	const struct pool *pool = way->pool;
	struct credentials *back = &way->credentials;
	const char *name = name_there(answer, user);

	credentials_wipe(back);
	back->mechanism = MECHANISM_PLAIN;
	set_text(&back->user, name);
	if (answer->pass != NULL || answer->master != NULL || plan_shows_client(pool)) {
		take_password(back, answer, client);
		if (answer->master != NULL)
			act_for(back, name, answer->master);
	} else if (pool->options.login == LOGIN_MASTER) {
		set_text(&back->password, pool->master_password);
		act_for(back, name, pool->options.master_user);
	} else if (pool->options.login == LOGIN_TRUSTED) {
		set_text(&back->password,
		    pool->master_password != NULL ? pool->master_password : trusted_password);
	}
}

static void
fill_order(struct leg *leg, struct dial_order *order)
{
	struct leg_way *way = leg->way;
	const struct pool_options *options = &way->pool->options;

	order->identity = &leg->session->identity;
	order->hostname = way->hostname;
	order->credentials = options->login != LOGIN_NONE ? &way->credentials : NULL;
	order->login = (enum login_way)options->login;
	/* the auth source has said with which password, or who acts for the user */
	if (order->login == LOGIN_XCLIENT &&
	    (buf_len(&way->credentials.password) > 0 || buf_len(&way->credentials.authzid) > 0))
		order->login = LOGIN_PASSWORD;
	order->wishes = way->wishes;
	order->wants_capabilities = way->wants_capabilities;
	order->until_login = false;
}

/* What goes before the server's first word. */
static void
fill_proxy(struct session *s, struct back_proxy *proxy)
{
	if (proxy->version == PROXY_VERSION_NONE)
		return;
	tls_facts_read(&s->front, &proxy->tls);
}

/* The certificate is to bear the name that the auth source gave, as one of a resumed session has. */
static void
fill_name(struct leg_way *way)
{
	const struct server_tls *settings = way->pool->options.server_tls;
	const char *name = way->host_name;

	if (name == NULL || way->plan.tls == NULL || settings->name != NULL)
		return;
	way->tls.back.name = name;
	way->tls.back.server = hash_bytes(name, strlen(name), way->tls.back.server);
}

const struct proto *
plan_proto(const struct session *s, const struct pool *pool)
{
	bool is_own = pool->protocol == NULL || strcmp(pool->protocol, s->proto->name) == 0;

	return is_own ? s->proto : proto_find(pool->protocol);
}

void
plan_fill(struct leg *leg, struct endpoint *endpoint)
{
	struct session *s = leg->session;
	struct leg_way *way = leg->way;

	memset(&way->plan, 0, sizeof(way->plan));
	way->plan.order.proto = plan_proto(s, way->pool);
	back_plan_server(&way->plan, &way->tls, way->pool, endpoint, &s->worker->next_source);
	fill_order(leg, &way->plan.order);
	/* only servers that are told of clients are told where they came to; without a dial, by a header */
	if (way->plan.proxy.version != PROXY_VERSION_NONE ||
	    (s->proto->dial != NULL && way->plan.order.forward != FORWARD_NONE))
		front_learn_local(s);
	fill_proxy(s, &way->plan.proxy);
	if (endpoint->is_adhoc)
		fill_name(way);
	way->plan.deadline = way->route.deadline;
}
