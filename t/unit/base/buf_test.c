/* SPDX-License-Identifier: BSD-2-Clause */
/* buf_test.c: growing, sliding, and the overwriting of memory that is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <malloc.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/xalloc.h"

/* Whether memory given back held this text; global, for xfree takes no more arguments. */
static const char secret[] = "hunter2-hunter2";
static bool was_leaked;
static int free_count;

/* These stand in for xalloc.c, because only here can be seen what a buffer gives back. */
void *
xmalloc(size_t n)
{
	void *p = malloc(n);

	assert_non_null(p);
	return p;
}

void
xfree(void *p)
{
	if (p != NULL) {
		free_count++;
		if (memmem(p, malloc_usable_size(p), secret, sizeof(secret) - 1) != NULL)
			was_leaked = true;
	}
	free(p);
}

static void
grows_by_doubling(void **state)
{
	struct buf b = { 0 };
	char filler[256];

	(void)state;
	memset(filler, 'x', sizeof(filler));
	assert_int_equal(buf_slice(&b).len, 0);
	assert_non_null(buf_slice(&b).data);
	buf_append(&b, filler, 256);
	assert_int_equal(b.size, 256);
	buf_append(&b, "y", 1);
	assert_int_equal(b.size, 512);
	assert_int_equal(buf_len(&b), 257);
	assert_int_equal(buf_data(&b)[256], 'y');
	buf_reserve(&b, 3000);
	assert_int_equal(b.size, 4096);
	buf_clear(&b);
	assert_null(b.data);
	assert_int_equal(b.size, 0);
}

static void
is_tight_only_at_first(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_append_tight(&b, slice_of(""));
	assert_null(b.data);
	buf_append_tight(&b, slice_of("hello"));
	assert_int_equal(b.size, 5);
	buf_append_tight(&b, slice_of("!"));
	assert_int_equal(b.size, 10);
	assert_true(slice_equals(buf_slice(&b), "hello!"));
	assert_true(sizeof(b) <= 24);
	buf_clear(&b);
}

static void
slides_instead_of_growing(void **state)
{
	struct buf b = { 0 };
	char filler[200] = { 0 };

	(void)state;
	buf_append(&b, filler, sizeof(filler));
	buf_append_text(&b, "tail");
	buf_consume(&b, sizeof(filler));
	buf_append(&b, filler, 100);
	assert_int_equal(b.size, 256);
	assert_int_equal(buf_len(&b), 104);
	assert_memory_equal(buf_data(&b), "tail", 4);
	buf_consume(&b, 104);
	assert_int_equal(b.start, 0);
	assert_int_equal(b.size, 256);
	buf_clear(&b);
}

static void
prints_over_the_edge(void **state)
{
	struct buf b = { 0 };

	(void)state;
	for (int i = 0; i < 100; i++)
		buf_printf(&b, "%04d,", i);
	assert_int_equal(buf_len(&b), 500);
	assert_memory_equal(buf_data(&b) + 495, "0099,", 5);
	buf_printf(&b, "%s", "");
	assert_int_equal(buf_len(&b), 500);
	buf_truncate(&b, 600);
	assert_int_equal(buf_len(&b), 500);
	buf_truncate(&b, 4);
	buf_append_slice(&b, slice_of("!"));
	assert_true(slice_equals(buf_slice(&b), "0000!"));
	buf_clear(&b);
}

/* Texts are copied here, all else is printf's; a slice ends at its NUL, as printf has it. */
static void
prints_texts_and_all_else(void **state)
{
	struct slice none = slice_of("");
	struct buf b = { 0 };

	(void)state;
	buf_printf(&b, "%s:%.*s|%.*s|%.*s", "a", 2, "bcd", SLICE_ARGS(none), 5, "e\0fgh");
	assert_true(slice_equals(buf_slice(&b), "a:bc||e"));
	buf_printf(&b, "%s%% %d %s %5.2s%.1s", "x", -7, "y", "zzz", "wv");
	assert_true(slice_equals(buf_slice(&b), "a:bc||ex% -7 y    zzw"));
	buf_truncate(&b, 0);
	buf_printf(&b, "plain");
	assert_true(slice_equals(buf_slice(&b), "plain"));
	buf_clear(&b);
}

/* Text that exactly fills the memory leaves no room for vsnprintf's NUL. */
static void
prints_to_the_last_byte(void **state)
{
	struct buf b = { 0 };
	char filler[251];

	(void)state;
	memset(filler, 'x', sizeof(filler));
	buf_append(&b, filler, sizeof(filler));
	buf_printf(&b, "%s", "12345");
	assert_int_equal(buf_len(&b), 256);
	assert_memory_equal(buf_data(&b) + 251, "12345", 5);
	buf_clear(&b);
}

static void
leaves_no_secret_behind(void **state)
{
	struct buf b = { 0 };

	(void)state;
	was_leaked = false;
	free_count = 0;
	buf_append_text(&b, secret);
	buf_reserve(&b, 1000);
	assert_int_equal(free_count, 1);
	assert_false(was_leaked);
	assert_true(slice_equals(buf_slice(&b), secret));
	buf_consume(&b, buf_len(&b));
	buf_append_text(&b, "x");
	buf_wipe(&b);
	assert_int_equal(free_count, 2);
	assert_false(was_leaked);
	assert_null(b.data);

	buf_append_text(&b, secret);
	buf_clear(&b);
	assert_true(was_leaked);	/* the probe itself works */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_by_doubling),
		cmocka_unit_test(is_tight_only_at_first),
		cmocka_unit_test(slides_instead_of_growing),
		cmocka_unit_test(prints_over_the_edge),
		cmocka_unit_test(prints_texts_and_all_else),
		cmocka_unit_test(prints_to_the_last_byte),
		cmocka_unit_test(leaves_no_secret_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
