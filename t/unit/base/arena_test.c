/* SPDX-License-Identifier: BSD-2-Clause */
/* arena_test.c: zeroed and aligned memory of any size, and cleanups newest first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdalign.h>
#include <stdint.h>

#include "base/arena.h"

static void
memory_is_zeroed_and_aligned(void **state)
{
	static const char zeros[20000];
	struct arena *arena = arena_new();
	size_t sizes[] = { 0, 1, 15, 16, 17, 2048, 2049, 8192, 20000 };

	(void)state;
	for (size_t round = 0; round < 20; round++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			char *p = arena_alloc(arena, sizes[i]);

			assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
			assert_memory_equal(p, zeros, sizes[i]);
			memset(p, 0xa5, sizes[i]);
		}
	}
	arena_free(&arena);
	assert_null(arena);
	arena_free(&arena);
}

static void
neighbours_do_not_overlap(void **state)
{
	struct arena *arena = arena_new();
	char *texts[3000];

	(void)state;
	for (int i = 0; i < 3000; i++)
		texts[i] = arena_printf(arena, "%d-%0*d", i, i % 50, 7);
	for (int i = 0; i < 3000; i++)
		assert_string_equal(texts[i], arena_printf(arena, "%d-%0*d", i, i % 50, 7));
	assert_string_equal(arena_strdup(arena, ""), "");
	assert_memory_equal(arena_strndup(arena, "ab\0cd", 4), "ab\0c", 5);
	arena_free(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_and_aligned),
		cmocka_unit_test(neighbours_do_not_overlap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
