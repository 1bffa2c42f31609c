/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * imap_arguments.c: reads IMAP's arguments, lists and status lines.
 * What is read here is only used decoded, never passed on as it came.
 */
#include "proto/imap.h"

#include <string.h>

#include "proto/mail_string.h"

enum { ID_MAX_PAIRS = 30 };		/* RFC 2971 section 3.3 */

bool
imap_take_astring(struct slice *rest, struct buf *out)
{
	size_t i = 0;

	if (rest->len > 0 && (rest->data[0] == '"' || rest->data[0] == '{'))
		return mail_string_take(rest, out);
	/* "%", "*" and "\" belong in quotes, but clients are about that do not know, and nothing is lost */
	while (i < rest->len && rest->data[i] > ' ' && rest->data[i] <= '~' &&
	    strchr("(){\"", rest->data[i]) == NULL)
		i++;
	buf_append(out, rest->data, i);
	*rest = slice_from(*rest, i);
	return i > 0;
}

static bool
take_nil(struct slice *rest)
{
	if (!slice_has_prefix_nocase(*rest, "NIL"))
		return false;
	*rest = slice_from(*rest, 3);
	return true;
}

static bool
take_pair(struct slice *rest, struct xclient *told)
{
	struct buf name = { 0 }, value = { 0 };
	bool is_good = mail_string_take(rest, &name) && mail_string_take_blank(rest) &&
	    (take_nil(rest) || mail_string_take(rest, &value));

	if (is_good)
		xclient_take_id(buf_slice(&name), buf_slice(&value), told);
	buf_clear(&name);
	buf_clear(&value);
	return is_good;
}

bool
imap_take_id(struct slice *rest, struct xclient *told)
{
	bool is_good = true;

	if (take_nil(rest))
		return true;
	if (rest->len == 0 || rest->data[0] != '(')
		return false;
	*rest = slice_from(*rest, 1);
	for (int pairs = 0; is_good && rest->len > 0 && rest->data[0] != ')'; pairs++)
		is_good = pairs < ID_MAX_PAIRS && (pairs == 0 || mail_string_take_blank(rest)) &&
		    take_pair(rest, told);
	is_good = is_good && rest->len > 0;
	*rest = slice_from(*rest, 1);
	return is_good;
}

void
imap_split_status(struct slice line, struct imap_status *status)
{
	const char *end;

	*status = (struct imap_status){ .code = slice_of(NULL) };
	status->word = slice_word(&line);
	status->text = slice_trim(line);
	if (status->text.len == 0 || status->text.data[0] != '[')
		return;
	end = memchr(status->text.data, ']', status->text.len);
	if (end == NULL)
		return;
	status->code = slice_make(status->text.data + 1, (size_t)(end - status->text.data) - 1);
	status->text = slice_trim(slice_from(status->text, status->code.len + 2));
}

/* UNAUTHENTICATE (RFC 8437) would have a client come back as another user, at a server that is not theirs. */
static bool
is_capability(struct slice word)
{
	if (slice_equals_nocase(word, "UNAUTHENTICATE"))
		return false;
	for (size_t i = 0; i < word.len; i++)
		if (word.data[i] <= ' ' || word.data[i] > '~' || strchr("[]\"\\(){", word.data[i]) != NULL)
			return false;
	return true;
}

bool
imap_take_capabilities(struct slice text, struct buf *words)
{
	if (!slice_equals_nocase(slice_word(&text), "CAPABILITY"))
		return false;
	buf_clear(words);
	for (struct slice word = slice_word(&text); word.len > 0; word = slice_word(&text)) {
		if (!is_capability(word))
			continue;
		if (buf_len(words) > 0)
			buf_append_text(words, " ");
		buf_append_slice(words, word);
	}
	return true;
}
