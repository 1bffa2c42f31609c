/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_data_fuzz.c: mail data under each policy, whole and cut in any way,
 * against a second reading of it; and no end for any server but the true one.
 */
#include "fuzz.h"

#include "../unit/proto/plain_data.h"

static struct delivery
deliver(enum bare_newline policy, struct slice all, unsigned cut, bool is_whole)
{
	struct delivery d = { 0 };

	smtp_data_start(&d.data, policy);
	while (all.len > 0) {
		size_t len = is_whole ? all.len : cut_next(&cut, all.len);

		delivery_take(&d, slice_make(all.data, len));
		all = slice_from(all, len);
	}
	return d;
}

static void
judge(const struct delivery *d, struct slice all)
{
	const char *wrong = delivery_judge(d, all);

	must(wrong == NULL, wrong);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum bare_newline policies[] = { BARE_NEWLINE_REJECT, BARE_NEWLINE_NORMALIZE,
		BARE_NEWLINE_PASS, BARE_NEWLINE_NORMALIZE };
	struct input input;
	struct delivery whole, pieces;
	enum bare_newline policy;

	if (!input_read(data, size, &input))
		return 0;
	policy = policies[input.options & 3];
	whole = deliver(policy, input.body, 0, true);
	judge(&whole, input.body);
	pieces = deliver(policy, input.body, input.cut, false);
	judge(&pieces, input.body);
	must(whole.used == pieces.used, "cutting moves no end");
	if (policy != BARE_NEWLINE_REJECT || !(whole.data.has_bare_cr || whole.data.has_bare_lf))
		must_equal(buf_slice(&whole.server), buf_slice(&pieces.server), "cutting changes no data");
	buf_clear(&whole.server);
	buf_clear(&pieces.server);
	return 0;
}
