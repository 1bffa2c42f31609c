/* SPDX-License-Identifier: BSD-2-Clause */
/* reason.c: the words behind `reason`. */
#include "admin/reason.h"

#include <stdio.h>
#include <string.h>

#include "base/log_line.h"

/* The first word is what the command is about, whatever its name. */
static int
find_reason(const struct admin_call *call)
{
	for (int i = 1; i < call->count; i++)
		if (strcmp(call->words[i], "reason") == 0)
			return i;
	return call->count;
}

const char *
reason_take(struct admin_call *call, char out[REASON_MAX])
{
	int at = find_reason(call);
	struct buf text = { 0 }, printable = { 0 };

	for (int i = at + 1; i < call->count; i++)
		buf_printf(&text, "%s%s", i > at + 1 ? " " : "", call->words[i]);
	if (buf_len(&text) > 0)
		log_line_quote(buf_slice(&text), &printable);
	snprintf(out, REASON_MAX, "by %s%s%.*s", call->who, buf_len(&text) > 0 ? ": " : "",
	    SLICE_ARGS(buf_slice(&printable)));
	buf_clear(&text);
	buf_clear(&printable);
	call->count = at;
	call->words[at] = NULL;
	return out;
}
