/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rig.h: a worker with one listener and a pool of servers that say what they
 * are told, all on one loop; and at the end, that nothing is counted,
 * referred to or left over.
 */
#ifndef UNIT_SESSION_RIG_H
#define UNIT_SESSION_RIG_H

#include "door.h"
#include "language.h"

#include "balance/endpoint_table.h"
#include "base/xalloc.h"
#include "session/listener_kept.h"
#include "session/login.h"
#include "state/affinity.h"

enum { SERVERS_MAX = 2 };

/* What the configuration says; NULL: nothing. */
struct rig_text {
	const char *protocol, *top, *pool, *listener;
	const char *farm;	/* lines of farm `f`, which has the servers; NULL: the pool has them */
	const char *mechanisms;	/* of the auth source that decides (bound.h); NULL: those with a password */
};

struct rig {
	struct door doors[SERVERS_MAX];
	int server_count;
	struct conf *conf;
	struct language *language;
	struct endpoint_table *table;
	struct pool *pool;			/* the last one: those of rig_text.top stand before it */
	struct affinity *bindings;		/* of farm `f`; or NULL */
	struct listener_settings *settings;
	struct snapshot snapshot;
	struct worker *worker;
	struct loop *loop;
	struct gate gate;
};

static int empties;		/* how often the worker said that it is empty: its callback has no owner */

static inline void
on_empty(struct worker *worker)
{
	empties++;
	loop_stop(worker->loop);
}

static inline void
on_unused(struct snapshot *snapshot)
{
	snapshot->on_unused = NULL;		/* said once */
}

static inline const char *
text_or_none(const char *text)
{
	return text != NULL ? text : "";
}

static inline void
rig_write(const struct rig *rig, const struct rig_text *text, struct buf *out)
{
	char addr[ADDR_TEXT_MAX];

	buf_printf(out, "%s\n", text_or_none(text->top));
	if (text->farm != NULL)
		buf_printf(out, "farm f {\n%s\n", text->farm);
	else
		buf_printf(out, "pool %s {\n%s\n", text->protocol, text_or_none(text->pool));
	for (int i = 0; i < rig->server_count; i++)
		buf_printf(out, "server d%02d { address %s }\n", i, addr_format(&rig->doors[i].addr, addr));
	if (text->farm != NULL)
		buf_printf(out, "}\npool %s { farm f\n%s\n", text->protocol, text_or_none(text->pool));
	buf_printf(out, "}\nlistener %s { bind *:1; starttls off; plaintext_login yes; pool %s\n%s\n}\n",
	    text->protocol, text->protocol, text_or_none(text->listener));
	buf_append(out, "", 1);
}

static inline void
rig_load(struct rig *rig, const struct rig_text *text)
{
	struct conf_problems problems = { 0 };
	struct buf written = { 0 };

	rig_write(rig, text, &written);
	rig->conf = load(buf_slice(&written).data, &rig->language);
	buf_clear(&written);
	rig->settings = rig->language->listeners.items[0];
	rig->pool = rig->settings->pool;
	for (size_t i = 0; i < rig->language->pools.count; i++) {
		assert_true(pool_open(rig->language->pools.items[i], rig->table, &problems));
		pool_commit(rig->language->pools.items[i]);
	}
	for (size_t i = 0; i < rig->language->auths.count; i++)
		assert_true(auth_open(rig->language->auths.items[i], NULL, &problems));
	if (rig->pool->farm != NULL && rig->pool->farm->affinity.ms > 0)
		rig->bindings = rig->pool->farm->bindings =
		    affinity_new(&affinity_memory, rig->pool->farm->affinity.ms);
	rig->settings->listener = listener_new(text->protocol, 1);
}

static inline void
rig_open_doors(struct rig *rig, int servers)
{
	memset(rig, 0, sizeof(*rig));
	empties = 0;
	rig->worker = worker_new(0, NULL, 0, on_empty);
	rig->loop = rig->worker->control = rig->worker->loop;
	for (rig->server_count = 0; rig->server_count < servers; rig->server_count++)
		door_open(&rig->doors[rig->server_count], rig->loop);
}

/* The doors are open. */
static inline void
rig_open_text(struct rig *rig, const struct rig_text *text)
{
	rig->table = endpoint_table_new(1);
	rig_load(rig, text);
	rig->snapshot.pools = rig->language->pools;
	rig->snapshot.listeners = rig->language->listeners;
	rig->snapshot.users = rig->language->users;
	rig->snapshot.control = rig->loop;
	rig->snapshot.workers = 1;
	rig->snapshot.on_unused = on_unused;
	rig->snapshot.hash_unknown_users = true;
	rig->snapshot.events = SESSION_EVENT_LOGIN | SESSION_EVENT_LOGIN_FAILED | SESSION_EVENT_MESSAGE |
	    SESSION_EVENT_SESSION;
	rig->snapshot.shares = xcalloc_aligned(sizeof(rig->snapshot.shares[0]));
	snapshot_get(&rig->snapshot, 0);
	rig->worker->snapshot = &rig->snapshot;
	rig->gate.worker = rig->worker;
	rig->gate.settings = rig->settings;
	turn_a_little(rig->loop);
}

static inline void
rig_open(struct rig *rig, int servers, const char *protocol, const char *pool, const char *listener)
{
	rig_open_doors(rig, servers);
	rig_open_text(rig, &(struct rig_text){ .protocol = protocol, .pool = pool, .listener = listener });
}

/* Sessions that look for a server once more find the listener's settings. */
static inline void
rig_list_gate(struct rig *rig)
{
	list_append(&rig->worker->gates, &rig->gate.node);
}

/* Waits until the last session is gone. */
static inline void
expect_all_gone(struct rig *rig)
{
	int before = empties;

	if (list_is_empty(&rig->worker->sessions))
		return;
	list_remove(&rig->gate.node);
	rig->worker->reports_empty = true;
	await(rig->loop, &empties, before + 1);
}

static inline struct endpoint *
endpoint_at(const struct rig *rig, size_t i)
{
	return rig->pool->endpoints[i];
}

static inline void
rig_close(struct rig *rig)
{
	expect_all_gone(rig);
	list_remove(&rig->gate.node);
	for (int i = 0; i < rig->server_count; i++)
		door_close(&rig->doors[i]);
	turn_a_little(rig->loop);
	for (size_t i = 0; i < rig->pool->endpoint_count; i++) {
		assert_int_equal(atomic_load(&endpoint_at(rig, i)->connections), 0);
		assert_int_equal(atomic_load(&endpoint_at(rig, i)->dialling), 0);
		/* the table's, the pool's, the roster's */
		assert_int_equal(atomic_load(&endpoint_at(rig, i)->references), 3);
	}
	assert_int_equal(atomic_load(&rig->settings->listener->connections), 0);
	assert_int_equal(atomic_load(&rig->settings->listener->references), 1);
	assert_int_equal(rig->snapshot.shares[0].references, rig->worker->snapshot != NULL ? 1 : 0);
	assert_true((rig->snapshot.on_unused == NULL) == (rig->worker->snapshot == NULL));
	offers_forget(rig->worker);
	listener_put(&rig->settings->listener);
	for (size_t i = 0; i < rig->language->pools.count; i++)
		pool_close(rig->language->pools.items[i]);
	for (size_t i = 0; i < rig->language->auths.count; i++)
		auth_close(rig->language->auths.items[i]);
	affinity_put(&rig->bindings);
	endpoint_table_free(&rig->table);
	conf_free(&rig->conf);
	xfree(rig->snapshot.shares);
	worker_free(&rig->worker);
}

#endif
