/* SPDX-License-Identifier: BSD-2-Clause */
/* check_plan.c: the pool's way to a server with what a check says otherwise. */
#include "health/check_plan.h"

#include "balance/endpoint.h"

/* For who only connects, or has words of its own. */
static const struct proto wordless = { .name = "none" };

static int
tls_mode(const struct check_order *order)
{
	const struct server_tls *tls = order->pool->options.server_tls;

	switch (order->settings->tls) {
	case CHECK_TLS_OFF:
		return SERVER_TLS_OFF;
	case CHECK_TLS_STARTTLS:
		return SERVER_TLS_STARTTLS;
	case CHECK_TLS_IMPLICIT:
		return SERVER_TLS_IMPLICIT;
	default:
		return tls != NULL ? tls->mode : SERVER_TLS_OFF;
	}
}

static void
choose_tls(struct check *check, bool has_words)
{
	struct back_plan *plan = &check->plan;
	int mode = tls_mode(&check->order);

	if (mode == SERVER_TLS_STARTTLS && !has_words)
		mode = SERVER_TLS_OFF;
	plan->order.starttls = mode == SERVER_TLS_STARTTLS;
	plan->order.needs_tls = mode != SERVER_TLS_OFF;
	plan->implicit_tls = mode == SERVER_TLS_IMPLICIT;
	if (mode == SERVER_TLS_OFF)
		plan->tls = NULL;
	/* a session that is resumed shows no certificate, but what was seen of one before */
	check->tls.back.server = 0;
}

static void
choose_proxy(struct back_proxy *proxy, const struct check_settings *settings)
{
	if (settings->has_proxy && !settings->proxy)
		proxy->version = PROXY_VERSION_NONE;
	if (settings->has_proxy && settings->proxy && proxy->version == PROXY_VERSION_NONE)
		proxy->version = PROXY_VERSION_2;
}

static void
choose_login(struct check *check)
{
	const struct check_settings *settings = check->order.settings;
	struct credentials *credentials = &check->credentials;

	if (settings->kind != CHECK_LOGIN)
		return;
	credentials->mechanism = MECHANISM_PLAIN;
	buf_append_text(&credentials->user, settings->user);
	buf_append_text(&credentials->password, pool_check_password(check->order.pool, settings));
	check->plan.order.credentials = credentials;
	check->plan.order.login = LOGIN_PASSWORD;
}

void
check_plan_fill(struct check *check)
{
	const struct check_order *order = &check->order;
	const struct check_settings *settings = order->settings;
	bool has_words = settings->kind == CHECK_PROTOCOL || settings->kind == CHECK_LOGIN;
	struct back_plan *plan = &check->plan;
	size_t next_source = 0;		/* any of them will do */

	plan->order.proto = order->proto;
	back_plan_server(plan, &check->tls, order->pool, order->endpoint, &next_source);
	choose_tls(check, has_words);
	choose_proxy(&plan->proxy, settings);
	choose_login(check);
	if (!has_words)
		plan->order.proto = &wordless;
	if (settings->port != 0)
		addr_set_port(&plan->to, (uint16_t)settings->port);
	plan->order.hostname = order->hostname;
	plan->order.until_login = settings->kind != CHECK_LOGIN;
	plan->seen = &check->seen;
	plan->deadline = settings->timeout.ms;
	plan->deadline += order->began_at != 0 ? order->began_at : loop_now(check->loop);
}
