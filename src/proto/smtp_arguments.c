/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_arguments.c: reads and writes what stands behind SMTP's verbs.  A path
 * is only measured: what an address may be is for the server to judge.
 */
#include "proto/smtp.h"

#include <string.h>

enum { NAME_MAX_OCTETS = 255 };		/* of a host name, RFC 5321 section 4.5.3.1.2 */

static bool
is_visible(char c)
{
	return c > ' ' && c <= '~';
}

bool
smtp_is_clean(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
			return false;
	return true;
}

static struct slice
skip_blanks(struct slice text)
{
	while (text.len > 0 && text.data[0] == ' ')
		text = slice_from(text, 1);
	return text;
}

/* How long the path is that the text starts with; within quotes, and behind a backslash, nothing ends it. */
static bool
measure_path(struct slice text, bool is_bracketed, size_t *len)
{
	bool is_quoted = false;
	size_t i = 0;

	for (; i < text.len; i++) {
		char c = text.data[i];

		if (c == '\\')
			i++;
		else if (c == '"')
			is_quoted = !is_quoted;
		else if (!is_quoted && (c == '<' || c == '>' || c == ' '))
			break;
	}
	if (is_quoted || i > text.len)
		return false;
	*len = i;
	if (is_bracketed)
		return i < text.len && text.data[i] == '>';
	return i > 0 && (i == text.len || text.data[i] == ' ');
}

bool
smtp_take_path(struct slice *args, const char *keyword, struct slice *path)
{
	struct slice rest = skip_blanks(*args);
	size_t colon = strlen(keyword), len;
	bool is_bracketed;

	if (!smtp_is_clean(rest) || !slice_has_prefix_nocase(rest, keyword))
		return false;
	if (rest.len == colon || rest.data[colon] != ':')
		return false;
	rest = skip_blanks(slice_from(rest, colon + 1));
	is_bracketed = rest.len > 0 && rest.data[0] == '<';
	rest = slice_from(rest, is_bracketed ? 1 : 0);
	if (!measure_path(rest, is_bracketed, &len))
		return false;

	struct slice found = slice_make(rest.data, len);

	rest = slice_from(rest, len + (is_bracketed ? 1 : 0));
	if (rest.len > 0 && rest.data[0] != ' ')
		return false;
	*path = found;
	*args = rest;
	return true;
}

bool
smtp_take_chunk(struct slice args, uint64_t *octets, bool *is_last)
{
	struct slice count, last;

	if (!smtp_is_clean(args))
		return false;
	count = slice_word(&args);
	last = slice_word(&args);
	if (last.len > 0 && !slice_equals_nocase(last, "LAST"))
		return false;
	if (slice_word(&args).len > 0 || !slice_to_number(count, UINT64_MAX, octets))
		return false;
	*is_last = last.len > 0;
	return true;
}

bool
smtp_helo_is_valid(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!is_visible(name.data[i]))
			return false;
	return name.len > 0 && name.len <= NAME_MAX_OCTETS;
}

void
smtp_write_xtext(struct buf *out, struct slice value)
{
	size_t done = 0;

	for (size_t i = 0; i < value.len; i++) {
		char c = value.data[i];

		if (is_visible(c) && c != '+' && c != '=')
			continue;
		buf_append(out, value.data + done, i - done);
		buf_printf(out, "+%02X", (unsigned)(unsigned char)c);
		done = i + 1;
	}
	buf_append_slice(out, slice_from(value, done));
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool
smtp_read_xtext(struct slice text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		int high, low;

		if (!is_visible(c) || c == '=')
			return false;
		if (c == '+') {
			if (text.len - i < 3)
				return false;
			high = hex_digit(text.data[++i]);
			low = hex_digit(text.data[++i]);
			if (high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
		}
		buf_append(out, &c, 1);
	}
	return true;
}

bool
smtp_is_header(struct slice line)
{
	size_t name = 0;

	while (name < line.len && is_visible(line.data[name]) && line.data[name] != ':')
		name++;
	return name > 0 && name < line.len && line.data[name] == ':';
}

bool
smtp_is_no_verb(struct slice line)
{
	char first = line.len > 0 ? line.data[0] : ' ';
	bool is_letter = (first >= 'A' && first <= 'Z') || (first >= 'a' && first <= 'z');

	return !is_letter && first != ' ' && first != '\t' && first != '\r' && first != '\n';
}

bool
smtp_is_foreign(struct slice line, struct slice word)
{
	static const char *const words[] = { "GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS", "DELETE",
		NULL };

	for (int i = 0; words[i] != NULL; i++)
		if (slice_equals_nocase(word, words[i]))
			return true;
	return smtp_is_header(line);
}
