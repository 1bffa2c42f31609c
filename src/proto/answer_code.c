/* SPDX-License-Identifier: BSD-2-Clause */
/* answer_code.c: what is a code in each protocol, so that nothing else gets into a reply's place for one. */
#include "proto/answer_code.h"

#include <ctype.h>
#include <string.h>

#include "base/passing_code.h"

enum { CODE_MAX = 64, SUBJECT_DIGITS_MAX = 3, SMTP_DIGITS = 3 };

static const struct slice no_code = { 0 };

static bool
is_atom(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!isalnum((unsigned char)text.data[i]) && strchr("-/_.", text.data[i]) == NULL)
			return false;
	return text.len > 0 && text.len <= CODE_MAX && isalpha((unsigned char)text.data[0]);
}

static struct slice
take_atom(struct slice code, bool *is_temporary)
{
	*is_temporary = is_atom(code) && passing_code_is(code);
	return is_atom(code) ? code : no_code;
}

struct slice
code_take_imap(struct slice code, bool *is_temporary)
{
	return take_atom(code, is_temporary);
}

struct slice
code_take_sieve(struct slice code, bool *is_temporary)
{
	return take_atom(code, is_temporary);
}

struct slice
code_take_pop3(struct slice code, bool *is_temporary)
{
	static const char reply[] = "-ERR [";
	struct slice rest = code;

	if (slice_has_prefix_nocase(code, reply)) {
		rest = slice_from(code, sizeof(reply) - 1);
		code = slice_take(&rest, ']');
	}
	return take_atom(code, is_temporary);
}

/* Takes "7.8" off what stands behind a class: a dot and 1 to 3 digits. */
static bool
take_number(struct slice *rest)
{
	size_t digits = 0;

	if (rest->len == 0 || rest->data[0] != '.')
		return false;
	*rest = slice_from(*rest, 1);
	while (digits < rest->len && isdigit((unsigned char)rest->data[digits]))
		digits++;
	*rest = slice_from(*rest, digits);
	return digits > 0 && digits <= SUBJECT_DIGITS_MAX;
}

/* RFC 3463: its class is that of the reply. */
static bool
is_enhanced(struct slice text, char class)
{
	struct slice rest;

	if (text.len == 0 || text.data[0] != class)
		return false;
	rest = slice_from(text, 1);
	return take_number(&rest) && take_number(&rest) && rest.len == 0;
}

struct slice
code_take_smtp(struct slice code, bool *is_temporary)
{
	bool is_code = code.len >= SMTP_DIGITS && (code.data[0] == '4' || code.data[0] == '5') &&
	    isdigit((unsigned char)code.data[1]) && isdigit((unsigned char)code.data[2]);

	*is_temporary = is_code && code.data[0] == '4';
	if (is_code && code.len > SMTP_DIGITS)
		is_code = code.data[SMTP_DIGITS] == ' ' &&
		    is_enhanced(slice_from(code, SMTP_DIGITS + 1), code.data[0]);
	return is_code ? code : no_code;
}
