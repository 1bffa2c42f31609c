/* SPDX-License-Identifier: BSD-2-Clause */
/* frame_fuzz.c: where commands end, however they are cut. */
#include "fuzz.h"

#include "proto/frame.h"

typedef enum frame_result framer(struct frame *frame, struct slice in, const struct frame_limits *limits);

struct run {
	framer *find;
	struct frame_limits limits;
	struct frame frame;
	size_t start;			/* of the command at hand */
	bool is_over;
	struct buf trace;
};

static void
note(struct run *run, enum frame_result result)
{
	buf_printf(&run->trace, "%d at %zu, ", (int)result, run->start + run->frame.scanned);
}

/* All frames of what has come so far. */
static void
look(struct run *run, struct slice all)
{
	while (!run->is_over) {
		struct slice in = slice_from(all, run->start);
		char *copy = exact(in);
		enum frame_result result = run->find(&run->frame, slice_make(copy, in.len), &run->limits);

		xfree(copy);
		must(run->frame.scanned <= in.len, "no more is scanned than is there");
		if (result == FRAME_MORE)
			break;
		if (result == FRAME_TOO_LONG) {
			run->is_over = true;
			buf_append_text(&run->trace, "too long");
			break;
		}
		note(run, result);
		if (result == FRAME_PROMPT)
			continue;
		must(run->frame.scanned > 0, "a command has a length");
		run->start += run->frame.scanned;
		run->frame = (struct frame){ 0 };
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input;
	struct run whole = { 0 };

	if (!input_read(data, size, &input))
		return 0;
	whole.find = has_option(&input, 0) ? frame_line : frame_literals;
	whole.limits.max_line = has_option(&input, 1) ? 40 : 8192;
	whole.limits.max_literals = has_option(&input, 2) ? 20 : 4096;

	struct run pieces = whole;

	look(&whole, input.body);
	for (size_t at = 0; at < input.body.len;) {
		at += cut_next(&input.cut, input.body.len - at);
		look(&pieces, slice_make(input.body.data, at));
	}
	must_equal(buf_slice(&pieces.trace), buf_slice(&whole.trace), "cutting changes no frame");
	buf_clear(&pieces.trace);
	buf_clear(&whole.trace);
	return 0;
}
