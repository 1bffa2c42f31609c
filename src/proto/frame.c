/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frame.c: finds the ends of lines and of literals.  The limits bound what a
 * client can make us keep, so they are judged before the bytes are awaited.
 */
#include "proto/frame.h"

#include <string.h>

struct literal {
	uint64_t size;
	bool is_synchronising;
};

static enum frame_result
find_line_end(struct frame *frame, struct slice in, const struct frame_limits *limits)
{
	const char *newline = NULL;
	size_t end = in.len;

	if (frame->scanned < in.len)
		newline = memchr(in.data + frame->scanned, '\n', in.len - frame->scanned);
	if (newline != NULL)
		end = (size_t)(newline - in.data) + 1;
	if (end - frame->literal_total > limits->max_line)
		return FRAME_TOO_LONG;
	frame->scanned = end;
	return newline != NULL ? FRAME_COMPLETE : FRAME_MORE;
}

/* Does the line end in {n} or {n+}?  A number too large for us is as large as can be. */
static bool
find_literal(struct slice line, struct literal *literal)
{
	size_t start, end = line.len - 1;

	if (end > 0 && line.data[end - 1] == '\r')
		end--;
	if (end < 3 || line.data[end - 1] != '}')
		return false;
	end--;
	literal->is_synchronising = line.data[end - 1] != '+';
	if (!literal->is_synchronising)
		end--;
	for (start = end; start > 0 && line.data[start - 1] >= '0' && line.data[start - 1] <= '9'; start--)
		continue;
	if (start == end || start == 0 || line.data[start - 1] != '{')
		return false;
	if (!slice_to_number(slice_make(line.data + start, end - start), UINT64_MAX, &literal->size))
		literal->size = UINT64_MAX;
	return true;
}

enum frame_result
frame_line(struct frame *frame, struct slice in, const struct frame_limits *limits)
{
	return find_line_end(frame, in, limits);
}

enum frame_result
frame_literals(struct frame *frame, struct slice in, const struct frame_limits *limits)
{
	for (;;) {
		struct literal literal;
		enum frame_result result;
		size_t skipped = in.len - frame->scanned;
		struct slice line;

		if (skipped > frame->literal_left)
			skipped = (size_t)frame->literal_left;
		frame->scanned += skipped;
		frame->literal_left -= skipped;
		if (frame->literal_left > 0)
			return FRAME_MORE;

		result = find_line_end(frame, in, limits);
		if (result != FRAME_COMPLETE)
			return result;
		line = slice_make(in.data + frame->line_start, frame->scanned - frame->line_start);
		if (!find_literal(line, &literal))
			return FRAME_COMPLETE;
		if (frame->literal_total > limits->max_literals ||
		    literal.size > limits->max_literals - frame->literal_total)
			return literal.is_synchronising ? FRAME_LITERAL_TOO_BIG : FRAME_TOO_LONG;

		frame->literal_left = literal.size;
		frame->literal_total += (size_t)literal.size;
		frame->line_start = frame->scanned + (size_t)literal.size;
		if (literal.is_synchronising)
			return FRAME_PROMPT;
	}
}
