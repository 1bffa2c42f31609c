/* SPDX-License-Identifier: BSD-2-Clause */
/* smtp_reply.c: reads a server's reply, line by line or as a whole, and nothing into its text. */
#include "proto/smtp.h"

#include <string.h>

enum {
	CODE_DIGITS = 3, CODE_MIN = 200, CODE_MAX = 599,	/* 1yz is in no command's reply */
	REPLY_MAX = 16 * 1024		/* octets of a reply with all its lines */
};

bool
smtp_take_reply(struct slice line, struct smtp_reply *reply)
{
	char separator = line.len > CODE_DIGITS ? line.data[CODE_DIGITS] : ' ';
	uint64_t code;

	if (line.len < CODE_DIGITS || !slice_to_number(slice_make(line.data, CODE_DIGITS), CODE_MAX, &code))
		return false;
	if (code < CODE_MIN || (separator != ' ' && separator != '-'))
		return false;
	*reply = (struct smtp_reply){
		.code = (int)code,
		.is_last = separator == ' ',
		.text = slice_from(line, CODE_DIGITS + 1),
	};
	return true;
}

enum smtp_found
smtp_find_reply(struct slice in, struct slice *whole, struct slice *last, int *code)
{
	struct smtp_reply reply = { 0 };
	size_t at = 0;

	while (!reply.is_last) {
		struct slice rest = slice_from(in, at);
		const char *newline = rest.len > 0 ? memchr(rest.data, '\n', rest.len) : NULL;
		int before = reply.code;
		bool is_reply;

		if (newline == NULL)
			return in.len > REPLY_MAX ? SMTP_FOUND_GARBAGE : SMTP_FOUND_PART;
		at += (size_t)(newline - rest.data) + 1;
		*last = slice_trim(slice_make(rest.data, (size_t)(newline - rest.data)));
		is_reply = smtp_take_reply(*last, &reply) && (before == 0 || reply.code == before);
		if (at > REPLY_MAX || !is_reply)
			return SMTP_FOUND_GARBAGE;
	}
	*whole = slice_make(in.data, at);
	*code = reply.code;
	return memchr(in.data, '\0', at) == NULL ? SMTP_FOUND_WHOLE : SMTP_FOUND_GARBAGE;
}
