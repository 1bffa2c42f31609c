/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dovecot_client.c: sites, which are what becomes of a socket: its connection,
 * the next one while that is opened, and old ones whose questions are still
 * answered; and who waits until one of them can be asked.
 */
#include "auth/dovecot_client.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/random.h"
#include "base/xalloc.h"

enum {
	PAUSE_MIN_MS = 500,		/* between two attempts to connect, doubling */
	PAUSE_MAX_MS = 5000,
	OPENING_MAX_MS = 10000,		/* for a name, a connection and a handshake */
	AGE_MS = 120 * 1000,
	AGE_CHANCE_MS = 180 * 1000
};

struct site {
	struct dovecot_client *client;
	struct dovecot_socket *socket;
	struct dovecot_link *link;	/* ready, and asked; or NULL */
	struct dovecot_link *next;	/* while it is opened; or NULL */
	struct list old;		/* that are asked no more */
	struct resolve_question question;
	struct loop_timer timer;	/* until when something is opened, or when that begins */
	bool is_opening;
	int64_t pause_ms;
	unsigned attempts;
	char name[DOVECOT_WHY_MAX];	/* for logs: "auth sasl: unix:/run/dovecot/auth" */
	char fault[DOVECOT_WHY_MAX];	/* why it cannot be asked */
};

struct dovecot_client {
	struct auth_client base;
	struct auth_clients *clients;
	struct loop *loop;
	struct dovecot_sockets *sockets;
	bool is_master;
	int64_t age_ms, age_chance_ms;
	uint32_t last_id;
	struct list waiting;		/* requests */
	size_t pending;			/* requests, until they are over: also those in no list */
	size_t count;
	struct site sites[];
};

static struct dovecot_request *
request_of(struct list *node)
{
	return list_entry(node, struct dovecot_request, node);
}

/* The client need not outlive it any more. */
static void
end(struct dovecot_request *request)
{
	struct dovecot_client *client = request->client;

	loop_timer_stop(client->loop, &request->timer);
	list_remove(&request->node);
	request->link = NULL;
	request->client = NULL;
	client->pending--;
}

static void
fail(struct dovecot_request *request)
{
	end(request);
	request->kind->on_line(request, NULL);
}

static bool
try_link(struct dovecot_request *request, struct dovecot_link *link)
{
	struct buf line = { 0 };
	bool ok = request->kind->write(request, link->mechanisms, &line);

	if (ok) {
		list_remove(&request->node);
		list_append(&link->asked, &request->node);
		request->link = link;
		request->sent_at = loop_now(request->client->loop);
		dovecot_link_ask(link, request->id, &request->node, buf_slice(&line));
	}
	buf_wipe(&line);
	return ok;
}

/* Asks where it can; false: nowhere, now. */
static bool
try_sites(struct dovecot_request *request, bool *may_wait)
{
	struct dovecot_client *client = request->client;

	*may_wait = false;
	for (size_t i = 0; i < client->count; i++) {
		struct dovecot_link *link = client->sites[i].link;

		if (link == NULL || !dovecot_link_takes(link))
			*may_wait = true;
		else if (try_link(request, link))
			return true;
	}
	return false;
}

static void
feed(struct dovecot_client *client)
{
	struct list now;
	bool may_wait;

	list_init(&now);
	while (!list_is_empty(&client->waiting)) {
		struct list *node = client->waiting.next;

		list_remove(node);
		list_append(&now, node);
	}
	while (!list_is_empty(&now)) {
		struct dovecot_request *request = request_of(now.next);

		list_remove(&request->node);
		if (try_sites(request, &may_wait))
			continue;
		if (may_wait)
			list_append(&client->waiting, &request->node);
		else
			fail(request);
	}
}

static void
drop_when_idle(struct dovecot_link *link)
{
	struct site *site = link->site;

	if (!link->is_closed && link != site->link && link != site->next && dovecot_link_count(link) == 0)
		dovecot_link_close(link);
}

static void
make_old(struct site *site)
{
	struct dovecot_link *link = site->link;

	site->link = NULL;
	loop_timer_stop(site->client->loop, &link->timer);
	list_append(&site->old, &link->node);
	drop_when_idle(link);
}

static void open_next(struct site *site);

static void
open_later(struct site *site)
{
	struct loop *loop = site->client->loop;
	int64_t chance = (int64_t)(random_number() % (uint64_t)(site->pause_ms / 4));

	loop_timer_set(loop, &site->timer, loop_now(loop) + site->pause_ms + chance);
	site->pause_ms = site->pause_ms * 2 < PAUSE_MAX_MS ? site->pause_ms * 2 : PAUSE_MAX_MS;
}

static void
tell_why(const struct site *site, const char *why, char out[DOVECOT_WHY_MAX])
{
	snprintf(out, DOVECOT_WHY_MAX, "%.100s: %.150s", site->socket->text, why);
}

static void
note_fault(struct site *site, const char *why)
{
	tell_why(site, why, site->fault);
	if (!atomic_exchange(&site->socket->is_away, true))
		log_write(LOG_WARNING, "%s: %s", site->name, why);
}

/* What was about to be opened will not be. */
static void
give_up_next(struct site *site, const char *why)
{
	struct dovecot_link *next = site->next;

	site->is_opening = false;
	site->next = NULL;
	resolve_cancel(&site->question);
	if (next != NULL)
		dovecot_link_close(next);
	if (site->link == NULL)
		note_fault(site, why);
	open_later(site);
}

static void
on_age(struct loop_timer *timer)
{
	struct dovecot_link *link = loop_owner(timer, struct dovecot_link, timer);
	struct site *site = link->site;

	if (!site->is_opening)
		open_next(site);
}

static void
set_age(const struct site *site, struct dovecot_link *link)
{
	const struct dovecot_client *client = site->client;
	int64_t chance = (int64_t)(random_number() % (uint64_t)client->age_chance_ms);

	loop_timer_init(&link->timer, on_age);
	loop_timer_set(client->loop, &link->timer, loop_now(client->loop) + client->age_ms + chance);
}

static void
on_ready(struct dovecot_link *link)
{
	struct site *site = link->site;
	struct dovecot_client *client = site->client;

	loop_timer_stop(client->loop, &site->timer);
	site->is_opening = false;
	site->next = NULL;
	if (site->link != NULL)
		make_old(site);
	site->link = link;
	site->fault[0] = '\0';
	link->ready_at = loop_now(client->loop);
	set_age(site, link);
	atomic_store_explicit(&site->socket->mechanisms, link->mechanisms, memory_order_relaxed);
	if (atomic_exchange(&site->socket->is_away, false))
		log_write(LOG_NOTICE, "%s: can be asked again", site->name);
	feed(client);
}

static void
on_drained(struct dovecot_link *link)
{
	struct site *site = link->site;

	feed(site->client);
}

static void
on_lost(struct dovecot_link *link, const char *why)
{
	struct site *site = link->site;
	char text[DOVECOT_WHY_MAX];

	snprintf(text, sizeof(text), "%s", why);
	if (link == site->next) {
		give_up_next(site, text);
		return;
	}
	dovecot_link_close(link);
	if (link == site->link) {
		site->link = NULL;
		note_fault(site, text);
		if (loop_now(site->client->loop) > link->ready_at + PAUSE_MAX_MS)
			site->pause_ms = PAUSE_MIN_MS;
		if (!site->is_opening)
			open_later(site);
	}
	while (!list_is_empty(&link->asked)) {
		struct dovecot_request *request = request_of(link->asked.next);

		tell_why(site, text, request->why);
		request->has_no_reply = true;
		request->link = NULL;
		list_remove(&request->node);
		/* who waits for its client is told when that has answered */
		if (loop_timer_is_set(&request->timer))
			fail(request);
	}
}

/* Who was asked for more hears of it when that is there, as of a lost link. */
static void
break_off(struct dovecot_request *request, const char *why)
{
	struct dovecot_link *link = request->link;

	tell_why(link->site, why, request->why);
	list_remove(&request->node);
	request->link = NULL;
	dovecot_link_forget(link, request->id);
	drop_when_idle(link);
}

static void
on_line(struct dovecot_link *link, struct list *question, const struct dovecot_line *line)
{
	struct dovecot_request *request = request_of(question);
	struct site *site = link->site;

	site->pause_ms = PAUSE_MIN_MS;
	/* it cannot have judged what it has not heard yet; but give up it may */
	if (!loop_timer_is_set(&request->timer) && line->command != DOVECOT_FAIL) {
		break_off(request, "it goes on before its client has answered");
		return;
	}
	if (line->command == DOVECOT_CONT)
		loop_timer_stop(site->client->loop, &request->timer);
	else
		end(request);
	request->kind->on_line(request, line);
	drop_when_idle(link);
}

static const struct dovecot_link_owner link_owner = { on_ready, on_drained, on_lost, on_line };

static void
open_to(struct site *site, const struct addr *to)
{
	struct dovecot_client *client = site->client;
	struct dovecot_link *link = xcalloc(1, sizeof(*link));

	list_init(&link->node);
	list_init(&link->asked);
	link->owner = &link_owner;
	link->site = site;
	link->name = site->name;
	link->is_master = client->is_master;
	site->next = link;
	dovecot_link_open(link, client->loop, to);
}

static void
on_resolved(struct resolve_question *question, const struct resolve_result *result)
{
	struct site *site = loop_owner(question, struct site, question);

	if (result->status != RESOLVE_OK)
		give_up_next(site, result->text[0] != '\0' ? result->text :
		    resolve_status_text(result->status));
	else
		open_to(site, &result->addresses[site->attempts % result->count].addr);
}

static void
open_next(struct site *site)
{
	struct dovecot_client *client = site->client;
	const struct dovecot_socket *socket = site->socket;

	site->is_opening = true;
	site->attempts++;
	loop_timer_set(client->loop, &site->timer, loop_now(client->loop) + OPENING_MAX_MS);
	if (socket->path != NULL) {
		open_to(site, &(struct addr){ .sa.sa_family = AF_UNIX, .path = socket->path });
		return;
	}
	site->question = (struct resolve_question){
		.kind = RESOLVE_ADDRESS, .name = socket->host, .port = socket->port,
		.on_answer = on_resolved,
	};
	resolve_start(auth_clients_resolver(client->clients), &site->question);
}

static void
on_site_time(struct loop_timer *timer)
{
	struct site *site = loop_owner(timer, struct site, timer);

	if (site->is_opening)
		give_up_next(site, "no handshake in time");
	else
		open_next(site);
}

static struct auth_client *
open_client(struct auth_clients *clients, const char *key, const void *arg)
{
	const struct dovecot_settings *settings = arg;
	struct dovecot_sockets *sockets = settings->sockets;
	struct dovecot_client *client = xcalloc(1,
	    sizeof(*client) + sockets->count * sizeof(client->sites[0]));

	(void)key;
	client->clients = clients;
	client->loop = auth_clients_loop(clients);
	client->sockets = dovecot_sockets_get(sockets);
	client->is_master = settings->is_master;
	client->age_ms = settings->age_ms > 0 ? settings->age_ms : AGE_MS;
	client->age_chance_ms = settings->age_chance_ms > 0 ? settings->age_chance_ms : AGE_CHANCE_MS;
	list_init(&client->waiting);
	client->count = sockets->count;
	for (size_t i = 0; i < client->count; i++) {
		struct site *site = &client->sites[i];

		site->client = client;
		site->socket = &sockets->items[i];
		site->pause_ms = PAUSE_MIN_MS;
		list_init(&site->old);
		loop_timer_init(&site->timer, on_site_time);
		snprintf(site->name, sizeof(site->name), "auth %s: %s", sockets->title, site->socket->text);
		open_next(site);
	}
	return &client->base;
}

static void
close_site(struct site *site)
{
	loop_timer_stop(site->client->loop, &site->timer);
	resolve_cancel(&site->question);
	if (site->link != NULL)
		dovecot_link_close(site->link);
	if (site->next != NULL)
		dovecot_link_close(site->next);
	list_each(node, &site->old)
		dovecot_link_close(list_entry(node, struct dovecot_link, node));
}

static void
close_client(struct auth_client *base)
{
	struct dovecot_client *client = (struct dovecot_client *)base;

	for (size_t i = 0; i < client->count; i++)
		close_site(&client->sites[i]);
	dovecot_sockets_put(&client->sockets);
	loop_defer(client->loop, xfree, client);
}

static bool
is_idle(const struct auth_client *base)
{
	const struct dovecot_client *client = (const struct dovecot_client *)base;
	/* an exchange whose link is lost is in no list, and comes back yet */
	bool idle = client->pending == 0;

	for (size_t i = 0; i < client->count; i++) {
		const struct site *site = &client->sites[i];

		idle = idle && list_is_empty(&site->old) &&
		    (site->link == NULL || dovecot_link_count(site->link) == 0);
	}
	return idle;
}

static const struct auth_client_kind client_kind = { open_client, close_client, is_idle };

struct dovecot_client *
dovecot_client_get(struct auth_clients *clients, const struct dovecot_settings *settings)
{
	const struct dovecot_sockets *sockets = settings->sockets;
	struct buf key = { 0 };
	struct auth_client *client;

	buf_printf(&key, "%s %s", settings->is_master ? "lookup" : "login", sockets->title);
	for (size_t i = 0; i < sockets->count; i++)
		buf_printf(&key, " %s", sockets->items[i].text);
	buf_append(&key, "", 1);
	client = auth_client_get(clients, &client_kind, buf_data(&key), settings);
	buf_clear(&key);
	return (struct dovecot_client *)client;
}

/* Why nobody could be asked. */
static void
tell_fault(struct dovecot_request *request)
{
	const struct dovecot_client *client = request->client;
	const char *fault = client->sites[0].fault;

	snprintf(request->why, sizeof(request->why), "%s",
	    fault[0] != '\0' ? fault : "none of its sockets has answered yet");
}

/* A server that says nothing at all is asked on a new connection: this one may lead nowhere. */
static void
doubt(struct dovecot_link *link, int64_t since)
{
	struct site *site = link->site;

	if (link->heard_at > since || link != site->link)
		return;
	make_old(site);
	note_fault(site, "does not answer");
	if (!site->is_opening)
		open_next(site);
}

static void
on_request_time(struct loop_timer *timer)
{
	struct dovecot_request *request = loop_owner(timer, struct dovecot_request, timer);
	struct dovecot_link *link = request->link;

	request->has_no_reply = true;
	if (link == NULL) {
		tell_fault(request);
		fail(request);
		return;
	}
	tell_why(link->site, "no answer in time", request->why);
	dovecot_link_forget(link, request->id);
	list_remove(&request->node);
	request->link = NULL;
	doubt(link, request->sent_at);
	drop_when_idle(link);
	fail(request);
}

static bool
is_taken(const struct dovecot_client *client, uint32_t id)
{
	bool taken = id == 0;

	for (size_t i = 0; i < client->count; i++) {
		const struct site *site = &client->sites[i];

		taken = taken || (site->link != NULL && dovecot_link_has(site->link, id));
		list_each(node, &site->old)
			taken = taken || dovecot_link_has(list_entry(node, struct dovecot_link, node), id);
	}
	return taken;
}

void
dovecot_ask(struct dovecot_client *client, struct dovecot_request *request)
{
	int64_t now = loop_now(client->loop);
	bool may_wait;

	request->client = client;
	client->pending++;
	request->link = NULL;
	list_init(&request->node);
	loop_timer_init(&request->timer, on_request_time);
	loop_timer_set(client->loop, &request->timer, now + request->timeout_ms);
	do
		request->id = ++client->last_id;
	while (is_taken(client, request->id));
	snprintf(request->why, sizeof(request->why), "%s", "it does not take what the client has shown");
	if (try_sites(request, &may_wait))
		return;
	if (may_wait)
		list_append(&client->waiting, &request->node);
	else
		fail(request);
}

void
dovecot_cancel(struct dovecot_request *request)
{
	struct dovecot_link *link = request->link;

	if (request->client == NULL)
		return;
	end(request);
	if (link == NULL)
		return;
	dovecot_link_forget(link, request->id);
	drop_when_idle(link);
}

void
dovecot_continue(struct dovecot_request *request, struct slice message)
{
	struct dovecot_link *link = request->link;
	struct loop *loop = request->client->loop;
	struct buf line = { 0 };

	if (link == NULL) {
		fail(request);
		return;
	}
	if (!dovecot_write_cont(request->id, message, &line)) {
		snprintf(request->why, sizeof(request->why), "%s", "the client's message is too long");
		dovecot_cancel(request);
		request->kind->on_line(request, NULL);
		return;
	}
	request->sent_at = loop_now(loop);
	loop_timer_set(loop, &request->timer, request->sent_at + request->timeout_ms);
	dovecot_link_say(link, buf_slice(&line));
	buf_wipe(&line);
}
