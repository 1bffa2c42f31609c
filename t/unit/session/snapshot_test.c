/* SPDX-License-Identifier: BSD-2-Clause */
/* snapshot_test.c: control hears of a snapshot once, and not before the last of several workers let it go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/xalloc.h"
#include "session/snapshot.h"

enum { WORKERS = 3 };

struct watch {
	struct snapshot snapshot;
	struct loop *control;
	int unused;
};

static void
on_unused(struct snapshot *snapshot)
{
	((struct watch *)(void *)snapshot)->unused++;
}

static void
stop(struct loop *loop, void *arg)
{
	(void)arg;
	loop_stop(loop);
}

/* Until what was posted to control before has been handled. */
static void
settle(struct watch *watch)
{
	loop_post(watch->control, stop, NULL);
	loop_run(watch->control);
}

static void
is_unused_when_all_let_go(void **state)
{
	struct watch watch = { .control = loop_new(LOOP_CONTROL) };
	struct snapshot *snapshot = &watch.snapshot;

	(void)state;
	snapshot->control = watch.control;
	snapshot->on_unused = on_unused;
	snapshot->workers = WORKERS;
	snapshot->shares = xcalloc_aligned(WORKERS * sizeof(snapshot->shares[0]));

	for (int i = 0; i < WORKERS; i++)
		snapshot_get(snapshot, i);
	snapshot_get(snapshot, 1);
	for (int i = 0; i < WORKERS; i++) {
		snapshot_put(snapshot, i);
		settle(&watch);
		assert_int_equal(watch.unused, 0);
	}
	snapshot_put(snapshot, 1);
	assert_int_equal(watch.unused, 0);	/* it is told on control's own loop */
	settle(&watch);
	assert_int_equal(watch.unused, 1);

	xfree(snapshot->shares);
	loop_free(&watch.control);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_unused_when_all_let_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
