/* SPDX-License-Identifier: BSD-2-Clause */
/* md5_test.c: that MD5 which goes on from a state is the same as OpenSSL's of the whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/md5.h"
#include "base/random.h"

static void
goes_on_from_a_state(void **state)
{
	enum { MOST = 4 * MD5_BLOCK_SIZE };
	char text[MD5_BLOCK_SIZE + MOST];
	struct slice block = { text, MD5_BLOCK_SIZE };
	uint8_t whole[DIGEST_SIZE_MAX], begun[MD5_SIZE], ended[MD5_SIZE];

	(void)state;
	random_bytes(text, sizeof(text));
	md5_begin(begun);
	md5_block(begun, (const uint8_t *)text);
	for (size_t len = 0; len <= MOST; len++) {
		struct slice rest = { text + MD5_BLOCK_SIZE, len };

		assert_true(digest_both(DIGEST_MD5, block, rest, whole));
		md5_end(begun, rest, ended);
		assert_memory_equal(ended, whole, MD5_SIZE);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_on_from_a_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
