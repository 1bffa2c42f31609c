/* SPDX-License-Identifier: BSD-2-Clause */
/* sieve_arguments.c: reads and writes ManageSieve's replies, capabilities and strings. */
#include "proto/sieve.h"

#include <string.h>

#include "proto/mail_string.h"

enum { QUOTED_MAX = 1024 };		/* RFC 5804 section 4 */

/* Takes "(CODE …)" off the front of *rest, strings with brackets in them and all; false: it has no end. */
static bool
take_code(struct slice *rest, struct slice *code)
{
	struct slice inner = slice_from(*rest, 1);
	struct buf ignored = { 0 };
	bool is_good = true;

	*rest = inner;
	while (is_good && rest->len > 0 && rest->data[0] != ')') {
		if (rest->data[0] == '"' || rest->data[0] == '{')
			is_good = mail_string_take(rest, &ignored);
		else
			*rest = slice_from(*rest, 1);
	}
	buf_clear(&ignored);
	inner.len -= rest->len;
	*code = slice_word(&inner);
	is_good = is_good && rest->len > 0;
	*rest = slice_from(*rest, 1);
	return is_good;
}

bool
sieve_take_status(struct slice line, struct sieve_status *status)
{
	*status = (struct sieve_status){ .word = slice_word(&line), .code = slice_of(NULL) };
	if (!slice_equals_nocase(status->word, "OK") && !slice_equals_nocase(status->word, "NO") &&
	    !slice_equals_nocase(status->word, "BYE"))
		return false;
	mail_string_take_blank(&line);
	if (line.len > 0 && line.data[0] == '(') {
		if (!take_code(&line, &status->code))
			return false;
		mail_string_take_blank(&line);
	}
	status->text = line;
	return true;
}

bool
sieve_take_capability(struct slice line, struct buf *entry)
{
	struct buf value = { 0 };
	struct slice rest;
	bool is_good;

	is_good = mail_string_take(&line, entry) &&
	    (line.len == 0 || (mail_string_take_blank(&line) && mail_string_take(&line, &value))) &&
	    slice_trim(line).len == 0;
	/* a name of several words would be another's */
	if (buf_len(entry) > 0 && memchr(buf_data(entry), ' ', buf_len(entry)) != NULL)
		buf_truncate(entry, 0);
	rest = buf_slice(&value);
	for (struct slice word = slice_word(&rest); word.len > 0; word = slice_word(&rest))
		if (buf_len(entry) > 0)
			buf_printf(entry, " %.*s", SLICE_ARGS(word));
	buf_clear(&value);
	return is_good;
}

void
sieve_write_string(struct buf *out, struct slice text, bool to_server)
{
	if (text.len <= QUOTED_MAX) {
		mail_string_write_quoted(out, text);
		return;
	}
	buf_printf(out, "{%zu%s}\r\n", text.len, to_server ? "+" : "");
	buf_append_slice(out, text);
}

/* Quoted or a literal; where something is escaped, it is not base64 anyway. */
bool
sieve_take_response(struct slice line, struct slice *base64)
{
	struct slice rest = line;
	struct buf content = { 0 };
	bool is_string = mail_string_take(&rest, &content) && rest.len == 0;
	bool is_quoted = line.len > 0 && line.data[0] == '"';

	if (is_string && is_quoted)
		*base64 = slice_make(line.data + 1, line.len - 2);
	else if (is_string)
		*base64 = slice_from(line, line.len - buf_len(&content));
	buf_wipe(&content);
	return is_string;
}

void
sieve_write_response(struct buf *out, struct slice base64)
{
	sieve_write_string(out, base64, true);
	buf_append_text(out, "\r\n");
}
