/* SPDX-License-Identifier: BSD-2-Clause */
/* worker.c: the sockets and the sessions of one thread, and what control asks of it. */
#include "session/worker.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "access/dnsbl.h"
#include "auth/auth.h"
#include "balance/endpoint.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/random.h"
#include "base/xalloc.h"
#include "net/connect.h"
#include "session/departure.h"
#include "session/listener_kept.h"
#include "session/offer.h"
#include "session/relay.h"
#include "session/session_list.h"

enum {
	FULL_RETRY_MS = 100,		/* how soon to look again when max_connections is reached */
	KEPT_PART = 32			/* of max_connections: so much of it is kept for who has little */
};

/* max_connections bounds the process, so that the count cannot be one worker's. */
static struct process process = { .orders = { .max_connections = LISTENER_AS_CONFIGURED } };

static const struct metric process_rows[] = {
	METRIC_GAUGE(struct process, sessions, "Sessions of all listeners, from accept to close."),
};
const struct metric_table process_metrics = {
	"process", process_rows, sizeof(process_rows) / sizeof(process_rows[0])
};

const struct process *
worker_process(void)
{
	return &process;
}

int
listener_stress(const struct listener *listener)
{
	int own = stress_level(&listener->stress), all = stress_level(&process.stress);

	return own > all ? own : all;
}

struct stress *
worker_process_stress(void)
{
	return &process.stress;
}

struct listener_orders *
worker_process_orders(void)
{
	return &process.orders;
}

/*
 * The last places are for listeners that have less than an equal share: one that is flooded leaves the others
 * some.
 */
static bool
is_process_full(const struct gate *gate)
{
	const struct snapshot *snapshot = gate->worker->snapshot;
	int64_t max = listener_orders_max(&process.orders, snapshot->max_connections);
	int64_t sessions = atomic_load_explicit(&process.sessions, memory_order_relaxed);
	int64_t own = atomic_load_explicit(&gate->settings->listener->connections, memory_order_relaxed);
	int64_t listeners = (int64_t)snapshot->listeners.count;

	if (max == 0 || sessions < max - max / KEPT_PART)
		return false;
	return sessions >= max || (listeners > 1 && own >= max / listeners);
}

static bool
is_listener_full(const struct gate *gate)
{
	struct listener *listener = gate->settings->listener;
	int64_t max = listener_orders_max(&listener->orders, gate->settings->max_connections);

	return max > 0 && atomic_load_explicit(&listener->connections, memory_order_relaxed) >= max;
}

static void
open_parked(struct gate *gate)
{
	int fd = gate->parked;

	gate->parked = -1;
	if (fd >= 0)
		session_open(gate, fd, &gate->parked_peer);
}

static bool
has_room(const struct gate *gate)
{
	return !is_process_full(gate) && !is_listener_full(gate);
}

/* False: the gate takes nobody, by an operator's word, or since somebody else listens there. */
static bool
follow_listener(struct gate *gate)
{
	bool was_refusing = gate->acceptor.is_refusing;

	if (atomic_load(&gate->settings->listener->orders.is_disabled)) {
		acceptor_refuse(&gate->acceptor);
		return false;
	}
	if (acceptor_listen(&gate->acceptor, gate->backlog))
		return true;
	if (was_refusing)
		log_write(LOG_ERR, "listener %s cannot listen again: %s", gate->settings->conf.title,
		    strerror(errno));
	return false;
}

static void
report_full(struct loop *control, void *arg)
{
	struct worker *worker = arg;

	(void)control;
	worker->on_full(worker);
}

/* Who came to a place first this time comes last the next time. */
static void
rotate(struct list *gates)
{
	struct list *first = gates->next;

	if (list_is_empty(gates))
		return;
	list_remove(first);
	list_append(gates, first);
}

/* Stops or goes on accepting, gate by gate; clients wait in the backlog meanwhile, one a gate beside it. */
static void
admit(struct worker *worker)
{
	bool waits = false, was_full = worker->is_full;

	rotate(&worker->gates);
	list_each(node, &worker->gates) {
		struct gate *gate = list_entry(node, struct gate, node);

		if (gate->held != NULL || gate->is_yielded)
			continue;
		if (has_room(gate))
			open_parked(gate);
		if (!follow_listener(gate)) {
			waits = waits || gate->parked >= 0;
			continue;
		}
		if (!has_room(gate)) {
			acceptor_pause(&gate->acceptor);
			waits = true;
		} else if (worker->is_full) {
			acceptor_resume(&gate->acceptor);
		}
	}
	worker->is_full = waits;
	if (waits && !was_full && worker->on_full != NULL)
		loop_post(worker->control, report_full, worker);
	if (waits)
		loop_timer_set(worker->loop, &worker->retry, loop_now(worker->loop) + FULL_RETRY_MS);
}

static void
on_retry(struct loop_timer *timer)
{
	admit(loop_owner(timer, struct worker, retry));
}

static void
on_client(struct acceptor *acceptor, int fd, const struct addr *peer)
{
	struct gate *gate = acceptor->owner;

	if (gate->held == NULL && !has_room(gate)) {
		/* another worker has taken the last place meanwhile */
		gate->parked = fd;
		gate->parked_peer = *peer;
	} else {
		session_open(gate, fd, peer);
	}
	if (gate->held == NULL && !has_room(gate))
		admit(gate->worker);
}

static void
report_empty(struct loop *control, void *arg)
{
	struct worker *worker = arg;

	(void)control;
	worker->on_empty(worker);
}

static void
look_whether_empty(struct worker *worker)
{
	if (!worker->reports_empty || !list_is_empty(&worker->gates) || !list_is_empty(&worker->sessions))
		return;
	worker->reports_empty = false;		/* said once */
	loop_post(worker->control, report_empty, worker);
}

static void
on_gate_gone(struct acceptor *acceptor)
{
	struct gate *gate = acceptor->owner;

	list_remove(&gate->node);
	snapshot_put(gate->held, gate->worker->index);
	look_whether_empty(gate->worker);
	loop_defer(gate->worker->loop, xfree, gate);
}

/* Takes the clients that wait already, under the settings they came for, and closes. */
static void
drop_gate(struct worker *worker, struct gate *gate)
{
	if (gate->held != NULL)
		return;
	gate->held = worker->snapshot;
	snapshot_get(gate->held, worker->index);
	open_parked(gate);
	acceptor_resume(&gate->acceptor);
	acceptor_drop(&gate->acceptor);
}

struct yield {
	struct worker *worker;
	size_t count;
	int kept[];
};

static bool
is_kept(const struct yield *yield, const struct gate *gate)
{
	for (size_t i = 0; i < yield->count; i++)
		if (yield->kept[i] == gate->socket)
			return true;
	return false;
}

static void
on_yield(struct loop *loop, void *arg)
{
	struct yield *yield = arg;

	(void)loop;
	list_each(node, &yield->worker->gates) {
		struct gate *gate = list_entry(node, struct gate, node);

		if (gate->held != NULL || is_kept(yield, gate))
			continue;
		gate->is_yielded = true;
		open_parked(gate);
		acceptor_pause(&gate->acceptor);
	}
	xfree(yield);
}

static void
on_resume(struct loop *loop, void *arg)
{
	struct worker *worker = arg;

	(void)loop;
	list_each(node, &worker->gates) {
		struct gate *gate = list_entry(node, struct gate, node);

		if (!gate->is_yielded)
			continue;
		gate->is_yielded = false;
		acceptor_resume(&gate->acceptor);
		/* the other process may have had it listen, or not: `admit` says so anew */
		gate->acceptor.is_refusing = !atomic_load(&gate->settings->listener->orders.is_disabled);
	}
	admit(worker);
}

/* Whoever waits there is accepted by the other process. */
static void
close_yielded(struct worker *worker)
{
	list_each(node, &worker->gates) {
		struct gate *gate = list_entry(node, struct gate, node);

		if (!gate->is_yielded)
			continue;
		acceptor_close(&gate->acceptor);
		list_remove(&gate->node);
		loop_defer(worker->loop, xfree, gate);
	}
}

static void
start_gate(struct gate *gate)
{
	gate->parked = -1;
	gate->acceptor.on_client = on_client;
	gate->acceptor.on_gone = on_gate_gone;
	gate->acceptor.owner = gate;
	acceptor_start(&gate->acceptor, gate->worker->loop, gate->fd);
}

static const struct gate_order *
find_order(const struct worker_change *change, int socket)
{
	for (size_t i = 0; i < change->order_count; i++)
		if (change->orders[i].socket == socket)
			return &change->orders[i];
	return NULL;
}

static void
obey(struct worker *worker, const struct worker_change *change)
{
	list_each(node, &worker->gates) {
		struct gate *gate = list_entry(node, struct gate, node);
		const struct gate_order *order = find_order(change, gate->socket);

		if (order == NULL) {
			drop_gate(worker, gate);
			continue;
		}
		gate->settings = order->settings;
		gate->backlog = order->backlog;
		gate->is_tls = order->is_tls;
		connect_set_options(gate->fd, &gate->settings->tcp);
	}
}

static bool
is_to_leave(const struct session *s, bool all)
{
	/* who was to leave in its own time leaves with the others */
	return s->phase == FRONT_RELAY && (s->relay->leave_at == 0 || s->relay->departs != DEPARTS_NOT) &&
	    (all || relay_is_outdated(s));
}

/*
 * Sets the time of all that are quiet, or of the others: number `first` and those behind it, of `count`.  At
 * any time of its part: other workers have few as well, and servers may go down one after the other.
 */
static int
set_times(struct worker *worker, bool all, bool quiet, int first, int count)
{
	int64_t now = loop_now(worker->loop);
	double part = all ? 0 : (double)(random_number() % 1000) / 1000;

	list_each(node, &worker->sessions) {
		struct session *s = list_entry(node, struct session, node);

		if (!is_to_leave(s, all) || ((relay_look(s) & RELAY_QUIET) != 0) != quiet)
			continue;
		s->relay->departs = DEPARTS_NOT;
		relay_leave_at(s, now + (int64_t)(relay_close_spread(s) * (first++ + part) / count));
	}
	return first;
}

/* Has relayed sessions go over the pool's close_spread, quiet ones first: all, or those without a server. */
static void
send_away(struct worker *worker, bool all)
{
	int count = 0, first;

	list_each(node, &worker->sessions)
		count += is_to_leave(list_entry(node, struct session, node), all);
	if (count == 0)
		return;
	first = set_times(worker, all, true, 0, count);
	set_times(worker, all, false, first, count);
}

static uint64_t
hash_of(const struct address_list *servers)
{
	uint64_t hash = servers->count;

	for (size_t i = 0; i < servers->count; i++)
		hash = hash_bytes(&servers->items[i].addr, sizeof(servers->items[i].addr), hash);
	return hash;
}

/* What an old one was asked is answered, but where name servers change again and again. */
static void
use_nameservers(struct worker *worker, const struct address_list *servers)
{
	uint64_t hash = hash_of(servers);

	if (worker->resolver != NULL && hash == worker->nameservers)
		return;
	resolver_free(&worker->old_resolver);
	worker->old_resolver = worker->resolver;
	worker->resolver = resolver_new(worker->loop, servers);
	worker->nameservers = hash;
	auth_clients_use_resolver(worker->clients, worker->resolver);
	dnsbl_use_nameservers(worker->dnsbl, servers);
}

static void
on_change(struct loop *loop, void *arg)
{
	struct worker_change *change = arg;
	struct worker *worker = change->worker;
	struct snapshot *before = worker->snapshot;

	(void)loop;
	obey(worker, change);
	offers_forget(worker);
	worker->snapshot = change->snapshot;
	snapshot_get(worker->snapshot, worker->index);
	if (before != NULL)
		snapshot_put(before, worker->index);
	use_nameservers(worker, &worker->snapshot->nameservers);
	auth_warm(&worker->snapshot->auths, worker->clients);
	list_each(node, &change->gates) {
		list_remove(node);
		list_append(&worker->gates, node);
		start_gate(list_entry(node, struct gate, node));
	}
	admit(worker);
	send_away(worker, false);
	xfree(change->orders);
	xfree(change);
}

/* Nobody waits for words that may never come. */
static void
look_at_servers(struct session *s)
{
	for (struct leg *leg = s->leg, *next; leg != NULL; leg = next) {
		next = leg->next;
		leg_look_at_server(leg);
	}
}

static void
on_send_away(struct loop *loop, void *arg)
{
	struct worker *worker = arg;

	(void)loop;
	atomic_store(&worker->is_to_look, false);
	send_away(worker, false);
	departure_review(worker);
	list_each(node, &worker->sessions)
		look_at_servers(list_entry(node, struct session, node));
}

static void
on_review(struct loop *loop, void *arg)
{
	struct worker *worker = arg;

	(void)loop;
	list_each(node, &worker->sessions)
		session_review(list_entry(node, struct session, node));
}

static void
on_leave(struct loop *loop, void *arg)
{
	struct worker *worker = arg;

	(void)loop;
	worker->reports_empty = true;
	close_yielded(worker);
	list_each(node, &worker->gates)
		drop_gate(worker, list_entry(node, struct gate, node));
	look_whether_empty(worker);
}

static void
on_send_all_away(struct loop *loop, void *arg)
{
	struct worker *worker = arg;

	(void)loop;
	worker->is_draining = true;
	send_away(worker, true);
	list_each(node, &worker->sessions)
		session_dequeue(list_entry(node, struct session, node));
}

static void
on_drain(struct loop *loop, void *arg)
{
	on_send_all_away(loop, arg);
	on_leave(loop, arg);
}

static void
on_finish(struct loop *loop, void *arg)
{
	struct worker *worker = arg;

	(void)loop;
	list_each(node, &worker->sessions)
		session_finish(list_entry(node, struct session, node));
}

static void
on_stopped(struct loop *loop, void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void
close_clients(struct worker *worker)
{
	auth_clients_free(&worker->clients);
	dnsbl_free(&worker->dnsbl);
	resolver_free(&worker->resolver);
	resolver_free(&worker->old_resolver);
}

static void
on_stop(struct loop *loop, void *arg)
{
	struct worker *worker = arg;

	worker->is_stopping = true;
	list_each(node, &worker->sessions)
		session_stop(list_entry(node, struct session, node));
	list_each(node, &worker->gates) {
		struct gate *gate = list_entry(node, struct gate, node);

		acceptor_close(&gate->acceptor);
		if (gate->parked >= 0)
			close(gate->parked);
		if (gate->held != NULL)
			snapshot_put(gate->held, worker->index);
		list_remove(&gate->node);
		loop_defer(loop, xfree, gate);
	}
	offers_forget(worker);
	if (worker->snapshot != NULL)
		snapshot_put(worker->snapshot, worker->index);
	worker->snapshot = NULL;
	loop_timer_stop(loop, &worker->retry);
	close_clients(worker);
	/* behind what is under way to waiters that are gone now: it must go back */
	loop_post(loop, on_stopped, NULL);
}

struct worker *
worker_new(int index, struct loop *control, uint64_t log_salt, void (*on_empty)(struct worker *worker))
{
	struct worker *worker = xcalloc(1, sizeof(*worker));

	worker->loop = loop_new(index);
	worker->clients = auth_clients_new(worker->loop, index);
	worker->dnsbl = dnsbl_new(worker->loop);
	worker->control = control;
	worker->index = index;
	worker->on_empty = on_empty;
	worker->next_session = random_number();
	worker->log_salt = log_salt;
	list_init(&worker->gates);
	list_init(&worker->sessions);
	list_init(&worker->walks);
	list_init(&worker->offers);
	loop_timer_init(&worker->retry, on_retry);
	return worker;
}

void
worker_free(struct worker **worker)
{
	close_clients(*worker);
	loop_free(&(*worker)->loop);
	xfree(*worker);
	*worker = NULL;
}

void
worker_commit(struct worker *worker, struct worker_change *change)
{
	change->worker = worker;
	loop_post(worker->loop, on_change, change);
}

/* Servers may go down many at a time: one look at the sessions is for all of them. */
void
worker_send_away(struct worker *worker)
{
	if (!atomic_exchange(&worker->is_to_look, true))
		loop_post(worker->loop, on_send_away, worker);
}

static void
report_followed(struct loop *control, void *arg)
{
	struct gates_follow *follow = arg;

	(void)control;
	follow->on_done(follow, follow->is_ok);
}

static void
on_follow(struct loop *loop, void *arg)
{
	struct gates_follow *follow = arg;
	struct worker *worker = follow->worker;

	(void)loop;
	admit(worker);
	follow->is_ok = true;
	list_each(node, &worker->gates) {
		const struct gate *gate = list_entry(node, struct gate, node);

		if (gate->acceptor.is_refusing && !atomic_load(&gate->settings->listener->orders.is_disabled))
			follow->is_ok = false;
	}
	loop_post(worker->control, report_followed, follow);
}

void
worker_follow(struct gates_follow *follow)
{
	loop_post(follow->worker->loop, on_follow, follow);
}

void
worker_review(struct worker *worker)
{
	loop_post(worker->loop, on_review, worker);
}

void
worker_drain(struct worker *worker)
{
	loop_post(worker->loop, on_drain, worker);
}

void
worker_yield(struct worker *worker, const int *kept, size_t count)
{
	struct yield *yield = xcalloc(1, sizeof(*yield) + count * sizeof(yield->kept[0]));

	yield->worker = worker;
	yield->count = count;
	if (count > 0)
		memcpy(yield->kept, kept, count * sizeof(kept[0]));
	loop_post(worker->loop, on_yield, yield);
}

void
worker_resume(struct worker *worker)
{
	loop_post(worker->loop, on_resume, worker);
}

void
worker_leave(struct worker *worker)
{
	loop_post(worker->loop, on_leave, worker);
}

void
worker_send_all_away(struct worker *worker)
{
	loop_post(worker->loop, on_send_all_away, worker);
}

void
worker_finish(struct worker *worker)
{
	loop_post(worker->loop, on_finish, worker);
}

void
worker_stop(struct worker *worker)
{
	loop_post(worker->loop, on_stop, worker);
}

void
worker_session_came(struct worker *worker, struct session *session)
{
	list_append(&worker->sessions, &session->node);
	atomic_fetch_add_explicit(&process.sessions, 1, memory_order_relaxed);
}

void
worker_session_gone(struct worker *worker, struct session *session)
{
	session_walks_pass(worker, session);
	list_remove(&session->node);
	atomic_fetch_sub_explicit(&process.sessions, 1, memory_order_relaxed);
	if (!worker->is_stopping)
		look_whether_empty(worker);
}
