/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * commands_route.c: where a client would go, and why, by the very functions that sessions are routed by;
 * nothing is taken, bound or counted.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "access/access.h"
#include "access/limits.h"
#include "access/penalty.h"
#include "access/screen.h"
#include "access/screen_memory.h"
#include "admin/command_tables.h"
#include "admin/report.h"
#include "admin/target.h"
#include "auth/auth.h"
#include "auth/users.h"
#include "balance/balance.h"
#include "balance/endpoint_report.h"
#include "balance/member.h"
#include "base/xalloc.h"
#include "proto/proto.h"
#include "session/departure.h"
#include "session/listener_settings.h"
#include "session/placement.h"
#include "session/route_rule.h"
#include "state/affinity.h"

enum { PEEK_MS = 2000, VALUE_MAX = 512 };

/* Who is to be routed, and what is found of it step by step. */
struct inquiry {
	struct admin_call *call;
	struct report report;
	const struct listener_settings *listener;
	const char *user_word, *client_word, *sni, *tls, *recipient;	/* NULL: not said */
	struct addr client;
	char *user;				/* canonical; NULL: nobody logs in */
	const struct pool *pool;
	char *pool_name;			/* a reload may come before the answer about the binding */
	struct affinity_request request;
	bool is_bound;				/* `request` has the binding */
	const char *refusal;			/* why it comes to no server; or NULL */
};

static const struct report_column columns[] = { { .name = "step" }, { .name = "value" }, { .name = "why" } };

static void
tell(struct inquiry *inquiry, const char *step, const char *value, const char *why)
{
	report_word(&inquiry->report, step);
	report_word(&inquiry->report, value);
	report_word(&inquiry->report, why);
}

/* The first counts. */
static void
refuse(struct inquiry *inquiry, const char *why)
{
	if (inquiry->refusal == NULL)
		inquiry->refusal = why;
}

static void
free_inquiry(struct inquiry *inquiry)
{
	buf_clear(&inquiry->report.cells);
	xfree(inquiry->user);
	xfree(inquiry->pool_name);
	xfree(inquiry);
}

static const struct root *
root_of(const struct inquiry *inquiry)
{
	return cockpit_root(inquiry->call->cockpit);
}

static struct slice
key_of(const struct inquiry *inquiry)
{
	return inquiry->user != NULL ? users_key(root_of(inquiry)->users, inquiry->user) : slice_make("", 0);
}

static void
tell_listener(struct inquiry *inquiry)
{
	const struct listener_settings *l = inquiry->listener;
	const char *why = NULL;

	tell(inquiry, "listener", l->conf.title, l->proto->name);
	if (inquiry->client_word == NULL)
		return;
	if (listener_wants_header(l, &inquiry->client))
		why = "must send a PROXY header: what follows is of itself";
	else if (listener_trusts(l, &inquiry->client))
		why = "is trusted: no limits, and its word of its clients counts";
	tell(inquiry, "client", inquiry->client_word, why);
}

/* As far as is said; nobody has told of a certificate. */
static void
describe_client(const struct inquiry *inquiry, struct condition_subject *subject)
{
	static const struct addr nobody = { .sa.sa_family = AF_UNSPEC };
	bool has_tls = inquiry->tls != NULL ? strcmp(inquiry->tls, "off") != 0 : inquiry->sni != NULL;
	bool knows_user = inquiry->user != NULL || !inquiry->listener->proto->has_login;

	*subject = (struct condition_subject){
		.known = (has_tls || inquiry->tls != NULL ? KNOWN_TLS : 0) | (knows_user ? KNOWN_USER : 0),
		.client = inquiry->client_word != NULL ? &inquiry->client : &nobody,
		.listener = inquiry->listener->conf.title,
		.tls_version = !has_tls ? NULL : inquiry->tls != NULL ? inquiry->tls : "TLSv1.3",
		.sni = inquiry->sni,
		.user = slice_of(inquiry->user),
		.recipient = slice_of(inquiry->recipient),
		.geo = root_of(inquiry)->geo,
		.now = time(NULL),
	};
}

static void
tell_place(struct inquiry *inquiry)
{
	struct location facts;
	char text[VALUE_MAX];

	if (root_of(inquiry)->geo == NULL || inquiry->client_word == NULL)
		return;
	facts = geo_look_up(root_of(inquiry)->geo, &inquiry->client);
	snprintf(text, sizeof(text), "continent %s, network AS%lu",
	    facts.continent[0] != '\0' ? facts.continent : "unknown", (unsigned long)facts.asn);
	tell(inquiry, "country", facts.country[0] != '\0' ? facts.country : "unknown",
	    facts.asn != 0 || facts.continent[0] != '\0' ? text : "the databases of `geoip` do not know it");
}

/* What `access` says as far as is known by then; true: to be asked again when more is known. */
static bool
tell_access_at(struct inquiry *inquiry, const char *step, unsigned known, const struct limits **limits)
{
	const struct access *access = inquiry->listener->access;
	char where[CONF_WHERE_MAX] = "", why[VALUE_MAX];
	struct condition_subject subject;
	struct access_answer answer;

	describe_client(inquiry, &subject);
	subject.known &= known;
	access_judge(access, &subject, &answer);
	if (answer.rule != NULL)
		conf_where_text(conf_where(&answer.rule->conf, NULL), where, sizeof(where));
	if (answer.verdict == ACCESS_LATER)
		snprintf(why, sizeof(why), "not decided before more is known: by the rule at %s", where);
	else if (answer.rule == NULL)
		snprintf(why, sizeof(why), "no rule matches: allowed");
	else
		snprintf(why, sizeof(why), "%s by the rule at %s",
		    answer.verdict == ACCESS_DENY ? "turned away" : "allowed", where);
	tell(inquiry, step, access->conf.title, why);
	if (buf_len(&answer.tags) > 0) {
		buf_append(&answer.tags, "", 1);
		tell(inquiry, "tags", buf_data(&answer.tags), NULL);
	}
	if (answer.verdict == ACCESS_DENY)
		refuse(inquiry, "turned away by `access`");
	*limits = answer.limits != NULL ? answer.limits : *limits;
	buf_clear(&answer.tags);
	return answer.verdict == ACCESS_LATER;
}

/* At the connect, and last of all. */
static void
tell_access(struct inquiry *inquiry, const struct limits **limits)
{
	const struct listener_settings *l = inquiry->listener;

	if (l->access == NULL)
		return;
	if (inquiry->client_word == NULL)
		tell(inquiry, "access", l->access->conf.title, "not judged, as no client was named");
	else if (listener_trusts(l, &inquiry->client))
		tell(inquiry, "access", l->access->conf.title, "not asked of a trusted peer itself");
	else if (tell_access_at(inquiry, "access", 0, limits))
		tell_access_at(inquiry, "access_then", KNOWN_TLS | KNOWN_USER, limits);
}

/* What it would wait for, unless it is known; nobody is asked. */
static void
explain_tests(const struct control *control, const struct screen *screen, const struct addr *client,
    char why[VALUE_MAX])
{
	const struct screen_key key = screen_key(screen, client);
	int64_t now = loop_now(control->loop);
	const struct screen_passed passed = screen_memory_passed(control->assets.screened, &key, now);
	bool has_waited = passed.greeting_until > now, is_unlisted = passed.lists_until > now;
	double delay = has_waited ? 0 : (double)screen->greeting_delay.ms / 1000;
	size_t lists = is_unlisted ? 0 : screen->zone_count;

	if (has_waited && lists == 0)
		snprintf(why, VALUE_MAX, "the client has passed before: it is greeted at once");
	else
		snprintf(why, VALUE_MAX, "the client %s: it waits %g s for its greeting, %zu lists are asked",
		    has_waited || is_unlisted ? "has passed in part" : "is not known", delay, lists);
}

static void
tell_screen(struct inquiry *inquiry, const struct limits *limits)
{
	const struct listener_settings *l = inquiry->listener;
	struct control *control = inquiry->call->cockpit->control;
	const struct screen *screen = l->proto->screen != NULL ? l->screen : NULL;
	const struct addr *client = &inquiry->client;
	char why[VALUE_MAX] = "not looked at, as no client was named";

	if (screen == NULL)
		return;
	if (inquiry->client_word != NULL) {
		if (screen_allows(screen, client) || listener_trusts(l, client) ||
		    (limits != NULL && limits_exempt(limits, client)))
			snprintf(why, sizeof(why), "the client is spared");
		else
			explain_tests(control, screen, client, why);
	}
	tell(inquiry, "screen", screen->conf.title, why);
}

/* Those of the listener, by which bans go, or of a rule of access. */
static void
tell_limits(struct inquiry *inquiry)
{
	const struct listener_settings *l = inquiry->listener;
	struct control *control = inquiry->call->cockpit->control;
	const struct addr *client = &inquiry->client;
	const struct limits *limits = l->limits;
	const char *name = limits != NULL ? limits->conf.title : NULL;

	if (l->limits == NULL || inquiry->client_word == NULL) {
		tell(inquiry, "limits", name, NULL);
	} else if (limits_exempt(l->limits, client) || listener_trusts(l, client)) {
		tell(inquiry, "limits", name, "the client is exempt");
	} else if (penalty_bans(control->assets.penalty, l->limits, client, loop_now(control->loop))) {
		tell(inquiry, "limits", name, "the client is banned now: it is turned away");
		refuse(inquiry, "turned away, as it is banned");
	} else {
		tell(inquiry, "limits", name, "the client is not banned");
	}
	tell_access(inquiry, &limits);
	if (limits != l->limits)
		tell(inquiry, "limits", limits->conf.title, "by that rule of `access`");
	tell_screen(inquiry, limits);
}

static void
tell_auth(struct inquiry *inquiry)
{
	const struct listener_settings *l = inquiry->listener;
	const struct auth *auth;

	if (!l->proto->has_login)
		return;
	if (inquiry->user == NULL) {
		tell(inquiry, "auth", NULL, "no user was named");
		return;
	}
	tell(inquiry, "user", inquiry->user, "the canonical name");
	auth = auth_first_for(&l->auth, inquiry->user);
	if (auth != NULL) {
		tell(inquiry, "auth", auth->conf.title, auth->domains.count > 0 ?
		    "its domains match; its answer may name another pool or host" :
		    "the first that takes all users; its answer may name another pool or host");
	} else if (l->auth.count > 0) {
		tell(inquiry, "auth", NULL, "no source takes users of this domain: the login is refused");
		refuse(inquiry, "the login is refused");
	} else {
		tell(inquiry, "auth", "server", "the listener has no `auth`: the mail server judges");
	}
}

static void
choose_pool(struct inquiry *inquiry)
{
	const struct listener_settings *l = inquiry->listener;
	struct condition_subject subject;
	const struct route_rule *rule;
	char why[VALUE_MAX];

	describe_client(inquiry, &subject);
	rule = route_rule_match(&l->route, &subject);
	inquiry->pool = route_rule_find(&l->route, &subject, l->pool);
	if (rule != NULL)
		snprintf(why, sizeof(why), "route %s matches", rule->conf.title);
	else
		snprintf(why, sizeof(why), l->route.count > 0 ? "no route matches" : "the listener's pool");
	tell(inquiry, "pool", inquiry->pool->conf.title, why);
	tell(inquiry, "farm", inquiry->pool->farm != NULL ? inquiry->pool->farm->conf.title : NULL,
	    inquiry->pool->farm == NULL ? "the pool has servers of its own" : NULL);
	tell(inquiry, "balance", inquiry->pool->balancer->name, inquiry->pool->is_bound ?
	    "a user belongs on one server" : "a session that fails goes to the next server");
}

static void
describe_held(struct endpoint *e, char out[VALUE_MAX])
{
	char failure[ENDPOINT_FAILURE_TEXT_MAX];
	int64_t age_ms;

	if (!endpoint_last_failure(e, failure, &age_ms))
		snprintf(failure, sizeof(failure), "at another address");
	snprintf(out, VALUE_MAX, "held, as tries fail: %s", failure);
}

/* "drain by root (unix): disk swap", "down: connect refused": why it takes nobody, or that it does. */
static void
describe(struct endpoint *e, char out[VALUE_MAX])
{
	struct machine_facts machine;
	struct endpoint_facts facts;
	const struct standing *admin;

	machine_read(e->machine, &machine);
	endpoint_read(e, &facts);
	admin = facts.admin.state > machine.admin.state ? &facts.admin : &machine.admin;
	if (machine.agent_admin.state > admin->state)
		admin = &machine.agent_admin;
	if (admin->state != ADMIN_READY)
		snprintf(out, VALUE_MAX, "%s: %s", admin_state_text((enum admin_state)admin->state),
		    admin->why);
	else if (facts.health.state == HEALTH_DOWN || facts.health.state == HEALTH_UNRESOLVED)
		snprintf(out, VALUE_MAX, "%s: %s", health_state_text((enum health_state)facts.health.state),
		    facts.health.why);
	else if (machine.agent_down.state != 0)
		snprintf(out, VALUE_MAX, "down: its agent says so: %s", machine.agent_down.why);
	else if (endpoint_load(e).share == 0)
		snprintf(out, VALUE_MAX, "its weight is 0");
	else if (endpoint_is_held(e))
		describe_held(e, out);
	else if (!endpoint_has_room(e))
		snprintf(out, VALUE_MAX, "full: %d sessions", endpoint_load(e).connections);
	else
		snprintf(out, VALUE_MAX, "usable: weight %d, %d sessions", machine.weight,
		    endpoint_load(e).connections);
}

static void
tell_endpoints(struct inquiry *inquiry)
{
	char text[VALUE_MAX];

	for (size_t i = 0; i < inquiry->pool->endpoint_count; i++) {
		describe(inquiry->pool->endpoints[i], text);
		tell(inquiry, "endpoint", inquiry->pool->endpoints[i]->name, text);
	}
}

/* By a roster of its own: the turn of no session is taken. */
static struct endpoint *
pick(const struct inquiry *inquiry)
{
	struct roster *roster = members_roster(inquiry->pool);
	struct balance_key key = {
		.user = key_of(inquiry), .full_too = inquiry->pool->is_bound,
		.client = inquiry->client_word != NULL ? &inquiry->client : NULL,
	};
	struct endpoint *e = roster_pick(roster, 0, &key);

	key.full_too = true;
	if (e == NULL)
		e = roster_pick(roster, 0, &key);
	roster_put(&roster);
	return e;
}

static bool
depends_on_turn(const struct inquiry *inquiry)
{
	return !inquiry->pool->balancer->hashes;
}

/* Where somebody who is not bound goes; "…" stands before the reason. */
static void
tell_choice(struct inquiry *inquiry, const char *before)
{
	struct endpoint *e = pick(inquiry);
	char why[2 * VALUE_MAX];

	if (e == NULL)
		snprintf(why, sizeof(why),
		    "%sno server takes sessions: it waits for `queue_timeout`, then hears to come later",
		    before);
	else if (!endpoint_has_room(e))
		snprintf(why, sizeof(why), "%sthe choice of `balance %s`, full: it waits for room there",
		    before, inquiry->pool->balancer->name);
	else
		snprintf(why, sizeof(why), "%sthe choice of `balance %s`%s", before,
		    inquiry->pool->balancer->name,
		    depends_on_turn(inquiry) ? "; the next session may be sent to another" : "");
	tell(inquiry, "result", e != NULL ? e->name : NULL, why);
	endpoint_put(&e);
}

static bool
has_other(const struct inquiry *inquiry, const struct endpoint *bound)
{
	struct endpoint *other = pick(inquiry);
	bool has = other != NULL && other != bound;

	endpoint_put(&other);
	return has;
}

static void
tell_bound(struct inquiry *inquiry)
{
	const struct affinity_binding *binding = &inquiry->request.binding;
	struct endpoint *e = pool_find(inquiry->pool, binding->server);
	char text[VALUE_MAX], why[2 * VALUE_MAX];

	tell(inquiry, "binding", binding->server, binding->is_held ? "has sessions" : "has no session left");
	if (e == NULL) {
		tell_choice(inquiry, "the server it is bound to is not of this pool: ");
		return;
	}
	describe(e, text);
	if (!placement_keeps(inquiry->pool, e) && !placement_may_replace(inquiry->pool, e)) {
		snprintf(why, sizeof(why),
		    "the user is bound there; the server is %s, and not by `check_quorum`: it waits for "
		    "`queue_timeout`, then hears to come later", text);
		tell(inquiry, "result", e->name, why);
	} else if (!placement_keeps(inquiry->pool, e)) {
		snprintf(why, sizeof(why), "the server it is bound to is %s; bound anew: ", text);
		tell_choice(inquiry, why);
	} else if (departure_is_due(e, key_of(inquiry), binding, loop_now(inquiry->request.loop)) &&
	    has_other(inquiry, e)) {
		snprintf(why, sizeof(why), "the server it is bound to is to be left; bound anew: ");
		tell_choice(inquiry, why);
	} else {
		snprintf(why, sizeof(why), "the user is bound there; the server is %s", text);
		tell(inquiry, "result", e->name, why);
	}
	endpoint_put(&e);
}

static void
finish(struct inquiry *inquiry)
{
	struct admin_call *call = inquiry->call;

	tell_endpoints(inquiry);
	if (inquiry->refusal != NULL)
		tell(inquiry, "result", NULL, inquiry->refusal);
	else if (inquiry->is_bound)
		tell_bound(inquiry);
	else
		tell_choice(inquiry, "");
	report_end(&inquiry->report);
	free_inquiry(inquiry);
	call_done(call);
}

static void
on_peeked(struct affinity_request *request, enum affinity_answer answer)
{
	struct inquiry *inquiry = request->owner;
	struct admin_call *call = inquiry->call;

	inquiry->pool = find_pool(root_of(inquiry), slice_of(inquiry->pool_name));
	if (inquiry->pool == NULL) {
		free_inquiry(inquiry);
		call_fail(call, "The configuration has changed meanwhile.");
		return;
	}
	inquiry->is_bound = answer == AFFINITY_BOUND;
	if (answer == AFFINITY_LATER)
		tell(inquiry, "binding", NULL, "nobody can say now");
	else if (answer != AFFINITY_BOUND)
		tell(inquiry, "binding", NULL, "the user is not bound");
	finish(inquiry);
}

static void
on_cancel(struct admin_call *call)
{
	struct inquiry *inquiry = call->work;

	affinity_cancel(&inquiry->request);
	free_inquiry(inquiry);
}

static void
look_at_binding(struct inquiry *inquiry)
{
	struct loop *loop = inquiry->call->cockpit->control->loop;
	struct affinity *bindings = inquiry->pool->farm != NULL ? inquiry->pool->farm->bindings : NULL;

	inquiry->request = (struct affinity_request){
		.loop = loop, .user = key_of(inquiry), .deadline = loop_now(loop) + PEEK_MS,
		.on_answer = on_peeked, .owner = inquiry,
	};
	if (bindings == NULL || inquiry->user == NULL) {
		finish(inquiry);
		return;
	}
	inquiry->pool_name = xstrdup(inquiry->pool->conf.title);
	inquiry->call->work = inquiry;
	inquiry->call->on_cancel = on_cancel;
	affinity_peek(bindings, &inquiry->request);
}

/* False: the call has failed. */
static bool
read_words(struct inquiry *inquiry)
{
	struct admin_call *call = inquiry->call;
	const struct {
		const char *word;
		const char **value;
	} rows[] = {
		{ "user", &inquiry->user_word }, { "client", &inquiry->client_word },
		{ "sni", &inquiry->sni }, { "tls", &inquiry->tls }, { "recipient", &inquiry->recipient },
	};
	enum { COUNT = sizeof(rows) / sizeof(rows[0]) };

	for (int i = 1; i < call->count; i += 2) {
		size_t row = 0;

		while (row < COUNT && strcmp(rows[row].word, call->words[i]) != 0)
			row++;
		if (row == COUNT || call->words[i + 1] == NULL) {
			call_fail(call,
			    "'%s' is not understood: user NAME, client ADDRESS, tls VERSION|off, sni NAME "
			    "and recipient ADDRESS may stand there.", call->words[i]);
			return false;
		}
		*rows[row].value = call->words[i + 1];
	}
	if (inquiry->client_word != NULL &&
	    !addr_parse(slice_of(inquiry->client_word), 0, &inquiry->client)) {
		call_fail(call, "'%s' is no address.", inquiry->client_word);
		return false;
	}
	return true;
}

static void
run_explain(struct admin_call *call)
{
	struct inquiry *inquiry;
	const struct listener_settings *listener;

	if (call->count == 0) {
		call_fail(call, "Which listener?");
		return;
	}
	listener = target_listener(call, call->words[0]);
	if (listener == NULL)
		return;
	inquiry = xcalloc(1, sizeof(*inquiry));
	inquiry->call = call;
	inquiry->listener = listener;
	if (!read_words(inquiry)) {
		free_inquiry(inquiry);
		return;
	}
	if (inquiry->user_word != NULL)
		inquiry->user = users_canonical(root_of(inquiry)->users, slice_of(inquiry->user_word));
	report_begin(&inquiry->report, call, REPORT_TABLE, columns, REPORT_COUNT(columns));
	tell_listener(inquiry);
	if (inquiry->sni != NULL)
		tell(inquiry, "sni", inquiry->sni, "decides on the certificate alone");
	tell_place(inquiry);
	tell_limits(inquiry);
	tell_auth(inquiry);
	choose_pool(inquiry);
	look_at_binding(inquiry);
}

#define CLIENT_WORDS "[user NAME] [client ADDRESS] [tls VERSION|off] [sni NAME] [recipient ADDRESS]"

const struct admin_command route_commands[] = {
	{
		.name = "route explain",
		.arguments = "LISTENER " CLIENT_WORDS,
		.level = ADMIN_LEVEL_OPERATOR, .has_json = true, .looks = CALL_WORDS_MAX, .run = run_explain,
		.help = "Where such a client would go, and why: listener, country, limits, access at the "
		    "connect and when all is known, screen, auth source, pool, binding, the state of every "
		    "server, and the result. Nothing is touched; what an auth source would answer is not "
		    "asked, nor lists of the DNS, nor are rates counted.",
	},
	{ 0 }
};
