/* SPDX-License-Identifier: BSD-2-Clause */
/* smtp_reply.c: reads a line of a server's reply, and nothing into its text. */
#include "proto/smtp.h"

enum { CODE_DIGITS = 3, CODE_MIN = 200, CODE_MAX = 599 };	/* 1yz is in no command's reply */

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
