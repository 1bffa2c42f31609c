/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * observe.c: the workers leave notes under a lock and post no more than that
 * there are some, so that what is not read at the end is not lost.
 */
#include "health/observe.h"

#include "balance/endpoint_report.h"
#include "base/xalloc.h"

enum { NOT_DEAD = -1 };

/* Of an endpoint, with a reference. */
struct note {
	struct list node;
	struct endpoint *endpoint;
	int64_t dead_until;		/* as loop_now; NOT_DEAD: it is suspicious */
};

struct observe {
	struct endpoint_observer observer;
	struct loop *loop;
	observe_callback *on_suspicion;
	void *owner;
	struct loop_timer timer;	/* the first of `dead` is due */
	struct list dead;		/* struct note, the first to be due first */
	pthread_mutex_t lock;		/* of what follows */
	struct list notes;		/* struct note, not read yet, oldest first */
};

static void
note_free(struct note *note)
{
	list_remove(&note->node);
	endpoint_put(&note->endpoint);
	xfree(note);
}

static void
set_timer(struct observe *observe)
{
	if (list_is_empty(&observe->dead))
		loop_timer_stop(observe->loop, &observe->timer);
	else
		loop_timer_set(observe->loop, &observe->timer,
		    list_entry(observe->dead.next, struct note, node)->dead_until);
}

/* In the order of time. */
static void
keep(struct observe *observe, struct note *note)
{
	struct list *behind = observe->dead.prev;

	while (behind != &observe->dead &&
	    list_entry(behind, struct note, node)->dead_until > note->dead_until)
		behind = behind->prev;
	list_append(behind->next, &note->node);
}

static void
on_time(struct loop_timer *timer)
{
	struct observe *observe = loop_owner(timer, struct observe, timer);
	int64_t now = loop_now(observe->loop);

	while (!list_is_empty(&observe->dead)) {
		struct note *note = list_entry(observe->dead.next, struct note, node);

		if (note->dead_until > now)
			break;
		note->dead_until = endpoint_tick(note->endpoint, now);
		if (note->dead_until == 0) {
			note_free(note);
			continue;
		}
		list_remove(&note->node);
		keep(observe, note);
	}
	set_timer(observe);
}

/* Of two deaths of an endpoint the later one counts: workers tell of them in any order. */
static void
remember(struct observe *observe, struct note *note)
{
	list_each(node, &observe->dead) {
		struct note *known = list_entry(node, struct note, node);

		if (known->endpoint != note->endpoint)
			continue;
		if (known->dead_until > note->dead_until)
			note->dead_until = known->dead_until;
		note_free(known);
	}
	keep(observe, note);
}

static void
read_note(struct observe *observe, struct note *note)
{
	struct endpoint *e = note->endpoint;

	if (note->dead_until != NOT_DEAD)
		remember(observe, note);
	/* before it is told, since what fails from now on may be suspicious anew */
	atomic_store(&e->is_suspected, false);
	if (observe->on_suspicion != NULL)
		observe->on_suspicion(e, observe->owner);
	if (note->dead_until == NOT_DEAD)
		note_free(note);
}

static struct note *
next_note(struct observe *observe)
{
	struct note *note = NULL;

	pthread_mutex_lock(&observe->lock);
	if (!list_is_empty(&observe->notes)) {
		note = list_entry(observe->notes.next, struct note, node);
		list_remove(&note->node);
	}
	pthread_mutex_unlock(&observe->lock);
	return note;
}

static void
on_notes(struct loop *loop, void *arg)
{
	struct observe *observe = arg;
	struct note *note;

	(void)loop;
	while ((note = next_note(observe)) != NULL)
		read_note(observe, note);
	set_timer(observe);
}

static void
leave_note(struct observe *observe, struct endpoint *e, int64_t dead_until)
{
	struct note *note = xcalloc(1, sizeof(*note));
	bool is_first;

	note->endpoint = endpoint_get(e);
	note->dead_until = dead_until;
	pthread_mutex_lock(&observe->lock);
	is_first = list_is_empty(&observe->notes);
	list_append(&observe->notes, &note->node);
	pthread_mutex_unlock(&observe->lock);
	if (is_first)
		loop_post(observe->loop, on_notes, observe);
}

static void
suspect(struct observe *observe, struct endpoint *e)
{
	if (observe->on_suspicion != NULL && !atomic_exchange(&e->is_suspected, true))
		leave_note(observe, e, NOT_DEAD);
}

static void
on_result(struct endpoint *e, enum endpoint_result result, enum endpoint_verdict verdict, void *owner)
{
	int limit = atomic_load_explicit(&e->error_limit, memory_order_relaxed);

	(void)result;
	if (limit == 0)
		return;
	switch (verdict) {
	case ENDPOINT_GOOD:
		atomic_store_explicit(&e->errors, 0, memory_order_relaxed);
		break;
	case ENDPOINT_BAD:
		if (atomic_fetch_add_explicit(&e->errors, 1, memory_order_relaxed) + 1 < limit)
			break;
		atomic_store_explicit(&e->errors, 0, memory_order_relaxed);
		suspect(owner, e);
		break;
	case ENDPOINT_UNJUDGED:
		break;
	}
}

static void
on_dead(struct endpoint *e, int64_t until, void *owner)
{
	leave_note(owner, e, until);
}

struct observe *
observe_new(struct loop *control, observe_callback *on_suspicion, void *owner)
{
	struct observe *observe = xcalloc(1, sizeof(*observe));

	observe->loop = control;
	observe->on_suspicion = on_suspicion;
	observe->owner = owner;
	loop_timer_init(&observe->timer, on_time);
	list_init(&observe->dead);
	list_init(&observe->notes);
	pthread_mutex_init(&observe->lock, NULL);
	observe->observer = (struct endpoint_observer){ .on_result = on_result, .on_dead = on_dead,
		.owner = observe };
	endpoint_observe(&observe->observer);
	return observe;
}

static void
free_notes(struct list *notes)
{
	while (!list_is_empty(notes))
		note_free(list_entry(notes->next, struct note, node));
}

void
observe_free(struct observe **observe)
{
	struct observe *gone = *observe;

	*observe = NULL;
	if (gone == NULL)
		return;
	endpoint_observe(NULL);
	loop_timer_stop(gone->loop, &gone->timer);
	free_notes(&gone->dead);
	free_notes(&gone->notes);
	pthread_mutex_destroy(&gone->lock);
	xfree(gone);
}
