/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_data_test.c: which octets end mail data, under each policy and however
 * they are cut; random data against a second reading; no smuggling to a
 * server that takes anything for an end; the cost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "plain_data.h"

static const enum bare_newline policies[] = { BARE_NEWLINE_REJECT, BARE_NEWLINE_NORMALIZE,
	BARE_NEWLINE_PASS };
enum { POLICIES = sizeof(policies) / sizeof(policies[0]) };

static const char *const policy_names[] = {
	[BARE_NEWLINE_REJECT] = "reject",
	[BARE_NEWLINE_NORMALIZE] = "normalize",
	[BARE_NEWLINE_PASS] = "pass",
};

static void
print_text(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c == '\r' || c == '\n')
			printf("%s", c == '\r' ? "<CR>" : "<LF>");
		else
			printf("%c", c);
	}
	printf("\n");
}

static void
judge(const struct delivery *d, struct slice all)
{
	const char *wrong = delivery_judge(d, all);

	if (wrong == NULL)
		return;
	printf("# %s: ", policy_names[d->data.policy]);
	print_text(all);
	printf("# at the server: ");
	print_text(buf_slice(&d->server));
	fail_msg("%s", wrong);
}

static struct delivery
deliver_split(enum bare_newline policy, struct slice all, size_t split)
{
	struct delivery d = { 0 };

	smtp_data_start(&d.data, policy);
	delivery_take(&d, slice_make(all.data, split));
	delivery_take(&d, slice_from(all, split));
	return d;
}

static struct delivery
deliver_octets(enum bare_newline policy, struct slice all)
{
	struct delivery d = { 0 };

	smtp_data_start(&d.data, policy);
	for (size_t i = 0; i < all.len; i++)
		delivery_take(&d, slice_make(all.data + i, 1));
	return d;
}

static struct delivery
deliver_random(enum bare_newline policy, struct slice all)
{
	struct delivery d = { 0 };
	long longest = random() % 2 ? 4 : 400;

	smtp_data_start(&d.data, policy);
	for (size_t at = 0; at < all.len;) {
		size_t len = 1 + (size_t)(random() % longest);

		len = len < all.len - at ? len : all.len - at;
		delivery_take(&d, slice_make(all.data + at, len));
		at += len;
	}
	return d;
}

/* A sequence behind a line of text, the true end at last; ends: those policies where the sequence is one. */
enum { ENDS_NONE = 0, ENDS_REJECTED = 1, ENDS_NORMALIZED = 2, ENDS_PASSED = 4, ENDS_ALL = 7 };

static const struct sequence {
	const char *text;
	unsigned ends;
	bool has_bare_cr, has_bare_lf;
	const char *normalized;
} sequences[] = {
	{ "\r\n.\r\n", ENDS_ALL, false, false, "\r\n.\r\n" },
	{ "\n.\n", ENDS_NONE, false, true, "\r\n..\r\n" },
	{ "\n.\r\n", ENDS_NONE, false, true, "\r\n..\r\n" },
	{ "\r\n.\n", ENDS_NONE, false, true, "\r\n..\r\n" },
	{ "\r\n.\r\r\n", ENDS_NONE, true, false, "\r\n..\r\n\r\n" },
	{ "\r\r\n.\r\r\n", ENDS_NONE, true, false, "\r\n\r\n..\r\n\r\n" },
	{ "\r\r\n.\r\n", ENDS_REJECTED | ENDS_PASSED, true, false, "\r\n\r\n..\r\n" },
	{ "\r.\r", ENDS_NONE, true, false, "\r\n..\r\n" },
	{ "\r.\r\n", ENDS_NONE, true, false, "\r\n..\r\n" },
	{ "\r\n.\r", ENDS_NONE, true, false, "\r\n..\r\n" },
	{ "\n.\r", ENDS_NONE, true, true, "\r\n..\r\n" },
	{ "\r.\n", ENDS_NONE, true, true, "\r\n..\r\n" },
	{ "\n\r\n.\r\n", ENDS_ALL, false, true, "\r\n\r\n.\r\n" },
	{ "\n\r.\r\n", ENDS_NONE, true, true, "\r\n\r\n..\r\n" },
	{ "\r\n.\r.\r\n", ENDS_NONE, true, false, "\r\n..\r\n..\r\n" },
	{ "\r\n.\n.\r\n", ENDS_NONE, false, true, "\r\n..\r\n..\r\n" },
	{ "\r\n.\r\r\n.\r\n", ENDS_REJECTED | ENDS_PASSED, true, false, "\r\n..\r\n\r\n..\r\n" },
	{ "\r\n..\r\n", ENDS_NONE, false, false, "\r\n..\r\n" },
	{ "\r\n..\n", ENDS_NONE, false, true, "\r\n..\r\n" },
	{ "\n..\r\n", ENDS_NONE, false, true, "\r\n...\r\n" },
	{ "\r\n.x\r\n", ENDS_NONE, false, false, "\r\n.x\r\n" },
	{ "\r\n. \r\n", ENDS_NONE, false, false, "\r\n. \r\n" },
	{ "\n.x\r\n", ENDS_NONE, false, true, "\r\n..x\r\n" },
};

static const char head[] = "From: a\r\n\r\nSome text", tail[] = "And then\r\n.\r\n";

static void
expect_sequence(const struct sequence *s, const struct delivery *d, struct slice all)
{
	static const unsigned ends[] = {
		[BARE_NEWLINE_REJECT] = ENDS_REJECTED,
		[BARE_NEWLINE_NORMALIZE] = ENDS_NORMALIZED,
		[BARE_NEWLINE_PASS] = ENDS_PASSED,
	};
	bool is_end = (s->ends & ends[d->data.policy]) != 0;
	struct buf wanted = { 0 };

	judge(d, all);
	assert_true(d->is_over);
	assert_int_equal(d->used, is_end ? strlen(head) + strlen(s->text) : all.len);
	assert_int_equal(d->data.has_bare_cr, s->has_bare_cr);
	assert_int_equal(d->data.has_bare_lf, s->has_bare_lf);
	if (d->data.policy == BARE_NEWLINE_NORMALIZE) {
		buf_printf(&wanted, "%s%s%s", head, s->normalized, is_end ? "" : tail);
		assert_int_equal(buf_len(&d->server), buf_len(&wanted));
		assert_memory_equal(buf_data(&d->server), buf_data(&wanted), buf_len(&wanted));
		buf_clear(&wanted);
	}
}

static void
sequences_that_end_data(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]) * POLICIES; i++) {
		const struct sequence *s = &sequences[i / POLICIES];
		enum bare_newline policy = policies[i % POLICIES];
		struct buf all = { 0 };
		struct delivery d;

		buf_printf(&all, "%s%s%s", head, s->text, tail);
		for (size_t split = 0; split <= buf_len(&all); split++) {
			d = deliver_split(policy, buf_slice(&all), split);
			expect_sequence(s, &d, buf_slice(&all));
			buf_clear(&d.server);
		}
		d = deliver_octets(policy, buf_slice(&all));
		expect_sequence(s, &d, buf_slice(&all));
		buf_clear(&d.server);
		buf_clear(&all);
	}
}

static void
nul_is_text(void **state)
{
	static const char text[] = "a\r\n\0.\r\nb\r\n.\0\r\nc\r\n.\r\n";
	struct slice all = slice_make(text, sizeof(text) - 1);

	(void)state;
	for (size_t i = 0; i < POLICIES; i++) {
		struct delivery d = deliver_split(policies[i], all, 0);

		judge(&d, all);
		assert_int_equal(d.used, all.len);
		assert_int_equal(buf_len(&d.server), all.len);
		buf_clear(&d.server);
	}
}

static void
data_that_begins_with_the_end(void **state)
{
	struct slice all = slice_of(".\r\nQUIT\r\n");

	(void)state;
	for (size_t i = 0; i < POLICIES * all.len; i++) {
		struct delivery d = deliver_split(policies[i % POLICIES], all, i / POLICIES);

		judge(&d, all);
		assert_int_equal(d.used, 3);
		assert_int_equal(d.data.size, 0);
		buf_clear(&d.server);
	}
}

/* Every stream of so many octets, in every split and octet by octet. */
static void
all_short_streams(void **state)
{
	enum { LEN = 7 };
	static const char alphabet[] = { '\r', '\n', '.', 'a' };
	char text[LEN] = { 0 };
	struct slice all = slice_make(text, LEN);

	(void)state;
	for (unsigned i = 0; i < POLICIES << 2 * LEN; i++) {
		enum bare_newline policy = policies[i >> 2 * LEN];
		struct delivery d;

		for (unsigned j = 0; j < LEN; j++)
			text[j] = alphabet[i >> 2 * j & 3];
		for (size_t split = 0; split < LEN; split++) {
			d = deliver_split(policy, all, split);
			judge(&d, all);
			buf_clear(&d.server);
		}
		d = deliver_octets(policy, all);
		judge(&d, all);
		buf_clear(&d.server);
	}
}

/* Mostly whole lines, so that much lies behind each other before the end; with some odd octets. */
static void
make_stream(struct buf *all, long oddity)
{
	static const char *const pieces[] = { "\r\n", "\r\n..", "\r\n.a", "a", " ", "a.", "\r\n\r\n",
		"a line of text that is a little longer.  It ends here.\r\n" };
	long count = random() % 60;

	for (long i = 0; i < count; i++) {
		if (oddity > 0 && random() % oddity == 0)
			buf_append(all, &"\r\n.a "[random() % 5], 1);
		else
			buf_append_text(all, pieces[random() % 8]);
	}
	if (random() % 4 != 0)
		buf_append_text(all, "\r\n.\r\n");
	if (random() % 4 == 0)
		buf_append_text(all, "NOOP\n\r.\r\n");
}

static void
random_streams_in_random_pieces(void **state)
{
	static const long oddities[] = { 0, 1, 2, 8, 60 };

	(void)state;
	srandom(19);
	for (int round = 0; round < 5000; round++) {
		struct buf all = { 0 };
		struct delivery d;

		make_stream(&all, oddities[round % 5]);
		for (size_t i = 0; i < POLICIES; i++) {
			d = deliver_split(policies[i], buf_slice(&all), 0);
			judge(&d, buf_slice(&all));
			buf_clear(&d.server);
			d = deliver_random(policies[i], buf_slice(&all));
			judge(&d, buf_slice(&all));
			buf_clear(&d.server);
		}
		buf_clear(&all);
	}
}

/* Wherever in a long block something stands that is no plain text. */
static void
every_place_in_a_long_block(void **state)
{
	enum { LEN = 600 };
	static const char *const odd[] = { "\r", "\n", "\r\n.\r\n", "\r\n.\n", "\r\r\n.\r\n", "\n.\r\n",
		"\r\n.." };
	char text[LEN] = { 0 };
	struct slice all = slice_make(text, LEN);

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]) * LEN; i++) {
		const char *what = odd[i / LEN];
		size_t len = strlen(what) < LEN - i % LEN ? strlen(what) : LEN - i % LEN;
		struct delivery d;

		for (size_t j = 0; j < LEN; j++)
			text[j] = "line.\r\n"[j % 7];
		memcpy(text + i % LEN, what, len);
		for (size_t j = 0; j < 2 * POLICIES; j++) {
			d = deliver_split(policies[j / 2], all, j % 2 == 0 ? 0 : i % 11);
			judge(&d, all);
			buf_clear(&d.server);
		}
	}
}

/* Nothing is copied where nothing is wrong. */
static void
clean_blocks_pass_as_they_are(void **state)
{
	static const char text[] = "one\r\n..two\r\n.x\r\n\r\nthree";
	struct slice in = slice_make(text, sizeof(text) - 1), pass;

	(void)state;
	for (size_t i = 0; i < POLICIES; i++) {
		struct buf out = { 0 };
		struct smtp_data data;
		size_t used;

		smtp_data_start(&data, policies[i]);
		for (int block = 0; block < 3; block++) {
			assert_false(smtp_data_take(&data, in, &used, &pass, &out));
			assert_int_equal(used, in.len);
			assert_ptr_equal(pass.data, in.data);
			assert_int_equal(pass.len, in.len);
		}
		assert_null(out.data);
	}
}

static void
measure(const char *line, enum bare_newline policy)
{
	enum { SIZE = 65536, ROUNDS = 100 };
	static char block[SIZE];
	struct slice in = slice_make(block, SIZE), pass;
	struct timespec from, to;
	struct buf out = { 0 };
	struct smtp_data data;
	size_t used;
	double ns;

	for (size_t i = 0; i < SIZE; i++)
		block[i] = line[i % strlen(line)];
	smtp_data_start(&data, policy);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	for (int i = 0; i < ROUNDS; i++) {
		assert_false(smtp_data_take(&data, in, &used, &pass, &out));
		assert_int_equal(used, SIZE);
		buf_truncate(&out, 0);
	}
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	ns = (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
	printf("# lines of %zu octets, %s: %.2f GB/s\n", strlen(line), policy_names[policy],
	    (double)SIZE * ROUNDS / ns);
	buf_clear(&out);
}

static void
cost(void **state)
{
	static const char line[] =
	    "All the letters that are of any use stand here, 64 and 12 more of them.  :-)\r\n";
	static const char stuffed[] =
	    "..l the letters that are of any use stand here, 64 and 12 more of them.  :-)\r\n";

	(void)state;
	for (size_t i = 0; i < POLICIES; i++)
		measure(line, policies[i]);
	measure(stuffed, BARE_NEWLINE_NORMALIZE);
	measure("a line that ends in LF\n", BARE_NEWLINE_NORMALIZE);
	measure("\n", BARE_NEWLINE_NORMALIZE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sequences_that_end_data),
		cmocka_unit_test(nul_is_text),
		cmocka_unit_test(data_that_begins_with_the_end),
		cmocka_unit_test(all_short_streams),
		cmocka_unit_test(random_streams_in_random_pieces),
		cmocka_unit_test(every_place_in_a_long_block),
		cmocka_unit_test(clean_blocks_pass_as_they_are),
		cmocka_unit_test(cost),
	};

	return cmocka_run_group_tests_name("smtp_data", tests, NULL, NULL);
}
