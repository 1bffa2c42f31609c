/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * affinity_redis_words.c: holds and pins are with the user's binding, where each login sees them, and words
 * of a register, of which each proxy knows: what Redis has lost comes back from there.  Names are "pin" or
 * "hold", a tab and the user; words a server, or a hold's ms from when it was said, or "-".
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "state/affinity_redis.h"

static const char pin_kind[] = "pin", hold_kind[] = "hold", nothing[] = "-";

static void
say(struct shared *shared, const char *kind, struct slice user, const char *word)
{
	struct buf name = { 0 };

	if (slice_is_printable(user)) {
		buf_printf(&name, "%s\t%.*s", kind, SLICE_ARGS(user));
		register_tell(shared->words, buf_slice(&name), slice_of(word), 0);
	}
	buf_clear(&name);
}

void
shared_say_pin(struct shared *shared, struct slice user, const char *server)
{
	say(shared, pin_kind, user, server != NULL ? server : nothing);
}

void
shared_say_hold(struct shared *shared, struct slice user, int64_t ms)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, ms);
	say(shared, hold_kind, user, ms > 0 ? text : nothing);
}

static void
on_done(struct cluster_call *call, const struct redis_reply *reply)
{
	(void)reply;
	shared_work_free(list_entry(call, struct work, call));
}

/* The word's memory is the caller's. */
static struct slice
keep_server(struct work *work, struct slice server)
{
	if (!slice_equals(server, nothing))
		snprintf(work->server, sizeof(work->server), "%.*s", SLICE_ARGS(server));
	return slice_of(work->server);
}

static void
restore_pin(struct work *work, struct slice server, int64_t age_ms)
{
	struct shared *shared = work->shared;
	int64_t keep_ms = shared->lease_ms + atomic_load(&shared->retention_ms);
	const struct slice args[] = {
		keep_server(work, server), shared_number(work, 0, (uint64_t)keep_ms), slice_of(work->user),
		shared_number(work, 1, (uint64_t)age_ms),
	};

	if (server.len >= sizeof(work->server) || !shared_run(work, &affinity_script_pin, args, 4))
		shared_work_free(work);
}

static void
restore_hold(struct work *work, struct slice word, int64_t age_ms)
{
	uint64_t ms = 0;
	bool is_over = !slice_to_number(word, INT64_MAX, &ms) || ms <= (uint64_t)age_ms;
	const struct slice args[] = {
		shared_number(work, 0, is_over ? 0 : ms - (uint64_t)age_ms), slice_of("0"),
		slice_of(work->user), slice_of(""), shared_number(work, 1, (uint64_t)age_ms),
	};

	/* one that has ended by itself is not to be released */
	if ((is_over && !slice_equals(word, nothing)) ||
	    !shared_run(work, &affinity_script_hold, args, 5))
		shared_work_free(work);
}

/* The user's binding may not have it any more; where Redis is not there now, all is read again later. */
static void
on_word(void *owner, struct slice name, struct slice word, int64_t age_ms)
{
	struct shared *shared = owner;
	struct slice kind = slice_take(&name, '\t');
	bool is_pin = slice_equals(kind, pin_kind);
	struct work *work;

	if (name.len == 0 || (!is_pin && !slice_equals(kind, hold_kind)))
		return;
	work = shared_work(shared, cluster_control(shared->cluster), name, on_done);
	if (is_pin)
		restore_pin(work, word, age_ms);
	else
		restore_hold(work, word, age_ms);
}

static void
on_all(void *owner)
{
	(void)owner;
}

void
shared_words_begin(struct shared *shared)
{
	shared->words_name = xasprintf("users/%s", shared->ear.name);
	shared->words = register_new(&(struct register_settings){ .cluster = shared->cluster,
		.name = shared->words_name, .on_word = on_word, .on_all = on_all, .owner = shared });
}

void
shared_words_end(struct shared *shared)
{
	register_free(&shared->words);
	xfree(shared->words_name);
}
