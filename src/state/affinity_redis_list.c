/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * affinity_redis_list.c: all bindings, page by page.  The cursor is that of
 * the server that is asked, with its number in the upper bits: servers that
 * come or go meanwhile may be told of twice, or not.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "state/affinity_redis.h"

enum { SERVER_SHIFT = 48, PAGE = 200 };

struct page {
	struct work *scan;
	struct affinity_request *request;
	struct list looks;		/* struct look: users that are looked at */
	uint64_t next;
	bool has_failed;
};

struct look {
	struct list node;
	struct cluster_call call;
	struct page *page;
	char *keys[2];
};

struct pick {
	uint64_t wanted, seen;
	unsigned slot;
	bool is_found;
};

static void
pick(unsigned slot, const char *name, void *arg)
{
	struct pick *pick = arg;

	(void)name;
	if (pick->seen++ != pick->wanted)
		return;
	pick->slot = slot;
	pick->is_found = true;
}

static void
look_free(struct look *look)
{
	cluster_cancel(&look->call);
	list_remove(&look->node);
	xfree(look->keys[0]);
	xfree(look->keys[1]);
	xfree(look);
}

static void
finish(struct page *page)
{
	struct affinity_request *request = page->request;
	enum affinity_answer result = page->has_failed ? AFFINITY_LATER : AFFINITY_BOUND;

	request->cursor = page->next;
	request->work = NULL;
	shared_work_free(page->scan);
	xfree(page);
	affinity_answer(request, result);
}

static void
on_look(struct cluster_call *call, const struct redis_reply *reply)
{
	struct look *look = list_entry(call, struct look, call);
	struct page *page = look->page;
	struct affinity_request *request = page->request;
	struct said said;

	if (!shared_read(reply, &said)) {
		page->has_failed = true;
	} else if (said.status != AFFINITY_STATUS_UNBOUND) {
		shared_tell(&said, &request->binding);
		request->on_binding(request, reply->elements[6].text, &request->binding, said.sessions);
	}
	look_free(look);
	if (list_is_empty(&page->looks))
		finish(page);
}

static bool
begin_look(struct page *page, struct slice key)
{
	struct look *look = xcalloc(1, sizeof(*look));
	const struct work *scan = page->scan;
	struct slice words[2];

	look->call.on_reply = on_look;
	look->page = page;
	look->keys[0] = xstrndup(key.data, key.len);
	look->keys[1] = xasprintf("%.*sl", (int)key.len - 1, key.data);
	words[0] = slice_of(look->keys[0]);
	words[1] = slice_of(look->keys[1]);
	list_append(&page->looks, &look->node);
	if (cluster_run(scan->shared->cluster, scan->loop, &look->call, &affinity_script_peek, words, 2))
		return true;
	look_free(look);
	return false;
}

/* [cursor, [key, ...]] */
static void
on_scan(struct cluster_call *call, const struct redis_reply *reply)
{
	struct work *work = list_entry(call, struct work, call);
	struct page *page = work->page;
	uint64_t cursor = 0, server = page->next >> SERVER_SHIFT;

	page->has_failed = reply == NULL || reply->type != REDIS_ARRAY || reply->count != 2 ||
	    reply->elements[1].type != REDIS_ARRAY || !slice_to_number(reply->elements[0].text,
	    ((uint64_t)1 << SERVER_SHIFT) - 1, &cursor);
	page->next = cursor != 0 ? server << SERVER_SHIFT | cursor : (server + 1) << SERVER_SHIFT;
	for (size_t i = 0; !page->has_failed && i < reply->elements[1].count; i++)
		page->has_failed = !begin_look(page, reply->elements[1].elements[i].text);
	if (list_is_empty(&page->looks))
		finish(page);
}

void
shared_list(struct affinity_request *request)
{
	struct shared *shared = request->affinity->store;
	struct page *page = xcalloc(1, sizeof(*page));
	struct pick which = { .wanted = request->cursor >> SERVER_SHIFT };
	char cursor[24], pattern[256], count[8];
	struct slice words[6] = { [0] = SLICE_LITERAL("SCAN"), [2] = SLICE_LITERAL("MATCH"),
		[4] = SLICE_LITERAL("COUNT") };

	page->request = request;
	page->next = request->cursor;
	list_init(&page->looks);
	page->scan = shared_work(shared, request->loop, slice_of(""), on_scan);
	page->scan->request = request;
	page->scan->page = page;
	request->work = page->scan;
	cluster_each(shared->cluster, request->loop, pick, &which);
	snprintf(cursor, sizeof(cursor), "%" PRIu64, request->cursor & (((uint64_t)1 << SERVER_SHIFT) - 1));
	snprintf(pattern, sizeof(pattern), "%s:{%.100s:*}:b", cluster_prefix(shared->cluster),
	    shared->ear.name);
	snprintf(count, sizeof(count), "%d", PAGE);
	words[1] = slice_of(cursor);
	words[3] = slice_of(pattern);
	words[5] = slice_of(count);
	page->has_failed = !which.is_found && which.seen == 0;
	if (!which.is_found) {
		page->next = 0;
		finish(page);
	} else if (cluster_send(shared->cluster, request->loop, &page->scan->call, which.slot, words, 6)) {
		affinity_wait(request);
	} else {
		page->has_failed = true;
		finish(page);
	}
}

void
shared_list_cancel(struct affinity_request *request)
{
	struct page *page = ((struct work *)request->work)->page;

	request->work = NULL;
	list_each(node, &page->looks)
		look_free(list_entry(node, struct look, node));
	shared_work_free(page->scan);
	xfree(page);
}
