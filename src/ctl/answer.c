/* SPDX-License-Identifier: BSD-2-Clause */
/* answer.c: lines, and where an answer begins and ends. */
#include "ctl/answer.h"

enum { PREFIX = 5, SEVERITY_ERROR = 3 };	/* "[3]: ", as in syslog: less is worse */

static bool
has_prefix(struct slice line)
{
	return line.len >= PREFIX && line.data[0] == '[' && line.data[1] >= '0' && line.data[1] <= '7' &&
	    line.data[2] == ']' && line.data[3] == ':' && line.data[4] == ' ';
}

static void
tell_blanks(struct answer *answer, size_t count)
{
	for (; count > 0; count--)
		answer->on_line(slice_of("\n"), answer->is_failure, answer->arg);
	answer->blanks = 0;
}

static void
begin_answer(struct answer *answer, struct slice line)
{
	if (answer->is_within)
		tell_blanks(answer, answer->blanks - 1);
	answer->blanks = 0;
	answer->is_within = true;
	answer->is_failure = line.data[1] - '0' <= SEVERITY_ERROR;
	answer->has_failed |= answer->is_failure;
}

static void
take_line(struct answer *answer, struct slice line)
{
	if (line.len == 1) {
		answer->blanks++;
		return;
	}
	if (has_prefix(line) && (!answer->is_within || answer->blanks > 0)) {
		begin_answer(answer, line);
		line = slice_from(line, PREFIX);
	} else {
		tell_blanks(answer, answer->is_within ? answer->blanks : 0);
		answer->blanks = 0;
		answer->is_within = true;
	}
	answer->on_line(line, answer->is_failure, answer->arg);
}

void
answer_feed(struct answer *answer, struct slice data)
{
	const char *end;

	buf_append_slice(&answer->rest, data);
	data = buf_slice(&answer->rest);
	while ((end = memchr(data.data, '\n', data.len)) != NULL) {
		size_t len = (size_t)(end - data.data) + 1;

		take_line(answer, slice_make(data.data, len));
		data = slice_from(data, len);
	}
	buf_consume(&answer->rest, buf_len(&answer->rest) - data.len);
}

bool
answer_end(struct answer *answer)
{
	bool is_whole = buf_len(&answer->rest) == 0 && answer->blanks > 0;

	if (answer->is_within && answer->blanks > 1)
		tell_blanks(answer, answer->blanks - 1);
	buf_clear(&answer->rest);
	return is_whole;
}
