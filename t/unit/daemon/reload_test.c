/* SPDX-License-Identifier: BSD-2-Clause */
/* reload_test.c: what is kept, new and dropped between two configurations. */
#include "daemon/reload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct conf_block blocks[] = {
	{ .title = "a" }, { .title = "b" }, { .title = "c" }, { .title = "d" }
};
static void *abc[] = { &blocks[0], &blocks[1], &blocks[2] };
static void *bd[] = { &blocks[1], &blocks[3] };

static void
must_compare(struct conf_list before, struct conf_list now, const char *wanted)
{
	struct buf out = { 0 };

	reload_compare("pools", &before, &now, &out);
	if (!slice_equals(buf_slice(&out), wanted))
		fail_msg("\"%.*s\" instead of \"%s\"", SLICE_ARGS(buf_slice(&out)), wanted);
	buf_clear(&out);
}

static void
names_what_changed(void **state)
{
	struct conf_list none = { 0 }, three = { abc, 3 }, two = { bd, 2 };

	(void)state;
	must_compare(none, none, "");
	must_compare(three, three, "pools: 3 kept");
	must_compare(none, two, "pools: 0 kept, b d new");
	must_compare(three, none, "pools: 0 kept, a b c dropped");
	must_compare(three, two, "pools: 1 kept, d new, a c dropped");
}

static void
goes_on_behind_others(void **state)
{
	struct conf_list two = { bd, 2 };
	struct buf out = { 0 };

	(void)state;
	buf_append_text(&out, "listeners: 1 kept");
	reload_compare("pools", &two, &two, &out);
	assert_true(slice_equals(buf_slice(&out), "listeners: 1 kept; pools: 2 kept"));
	buf_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_what_changed),
		cmocka_unit_test(goes_on_behind_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
