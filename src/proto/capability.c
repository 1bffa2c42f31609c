/* SPDX-License-Identifier: BSD-2-Clause */
/* capability.c: sorted lists of entries, one a line. */
#include "proto/capability.h"

#include <inttypes.h>
#include <string.h>

static struct slice
first_word(struct slice entry)
{
	const char *blank = entry.len > 0 ? memchr(entry.data, ' ', entry.len) : NULL;

	return blank != NULL ? slice_make(entry.data, (size_t)(blank - entry.data)) : entry;
}

static bool
is_printable(struct slice entry)
{
	for (size_t i = 0; i < entry.len; i++)
		if (entry.data[i] < ' ' || entry.data[i] > '~')
			return false;
	return entry.len > 0 && entry.data[0] != ' ';
}

static char
to_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* As strcmp: the first word without regard to case, then the arguments as they are. */
static int
compare(struct slice a, struct slice b)
{
	bool folds = true;

	for (size_t i = 0; i < a.len && i < b.len; i++) {
		unsigned char x = (unsigned char)a.data[i], y = (unsigned char)b.data[i];

		if (folds) {
			x = (unsigned char)to_upper((char)x);
			y = (unsigned char)to_upper((char)y);
		}
		if (x != y)
			return x < y ? -1 : 1;
		if (x == ' ')
			folds = false;
	}
	return a.len < b.len ? -1 : a.len > b.len;
}

struct slice
capability_next(struct slice *rest)
{
	const char *newline = rest->len > 0 ? memchr(rest->data, '\n', rest->len) : NULL;
	struct slice entry = newline != NULL ? slice_make(rest->data, (size_t)(newline - rest->data)) : *rest;

	*rest = slice_from(*rest, entry.len + 1);
	return entry;
}

void
capability_add(struct buf *list, struct slice entry)
{
	struct slice rest = buf_slice(list), before = rest;
	size_t position, behind, word = first_word(entry).len;
	char *place;

	if (!is_printable(entry))
		return;
	while (rest.len > 0) {
		struct slice other = capability_next(&rest);
		int order = compare(entry, other);

		if (order == 0)
			return;
		if (order < 0)
			break;
		before = rest;
	}
	behind = before.len;
	position = buf_len(list) - behind;
	buf_reserve(list, entry.len + 1);
	buf_added(list, entry.len + 1);
	place = buf_data(list) + position;
	memmove(place + entry.len + 1, place, behind);
	memcpy(place, entry.data, entry.len);
	place[entry.len] = '\n';
	/* what is behind the name may be case sensitive: "RIGHTS=kxten" (RFC 4314) */
	for (size_t i = 0; i < word && entry.data[i] != '='; i++)
		place[i] = to_upper(place[i]);
}

bool
capability_has(struct slice list, const char *name)
{
	while (list.len > 0)
		if (compare(first_word(capability_next(&list)), slice_of(name)) == 0)
			return true;
	return false;
}

/* "10" or "RCPTMAX=10": *name is empty or "RCPTMAX=".  POP3's "NEVER" bounds nothing.  False: no number. */
static bool
take_number(struct slice argument, struct slice *name, uint64_t *number)
{
	const char *equals = argument.len > 0 ? memchr(argument.data, '=', argument.len) : NULL;

	*name = slice_make(argument.data, equals != NULL ? (size_t)(equals - argument.data) + 1 : 0);
	*number = 0;
	if (slice_equals_nocase(argument, "NEVER"))
		return true;
	return slice_to_number(slice_from(argument, name->len), UINT64_MAX, number);
}

/* False: there is no number of this name. */
static bool
find_number(struct slice arguments, struct slice name, uint64_t *number)
{
	struct slice its_name;

	for (struct slice word = slice_word(&arguments); word.len > 0; word = slice_word(&arguments))
		if (take_number(word, &its_name, number) && compare(its_name, name) == 0)
			return true;
	return false;
}

static bool
has_argument(struct slice arguments, struct slice argument)
{
	for (struct slice word = slice_word(&arguments); word.len > 0; word = slice_word(&arguments))
		if (compare(word, argument) == 0)
			return true;
	return false;
}

/* Writes an argument as another server's allow it: plain words are those that both have. */
static void
write_argument(struct buf *out, struct slice argument, struct slice others)
{
	struct slice name;
	uint64_t number, bound;
	bool is_number = take_number(argument, &name, &number);
	bool is_bounded = is_number && find_number(others, name, &bound) && bound > 0 &&
	    (number == 0 || bound < number);

	if (is_bounded)
		buf_printf(out, " %.*s%" PRIu64, SLICE_ARGS(name), bound);
	else if (is_number || has_argument(others, argument))
		buf_printf(out, " %.*s", SLICE_ARGS(argument));
}

/* Writes one entry as two of the same first word allow it. */
static void
write_common(struct buf *out, struct slice entry, struct slice other)
{
	struct slice rest, name, word = slice_word(&entry);
	uint64_t number, bound;

	slice_word(&other);
	buf_append_slice(out, word);
	rest = entry;
	for (word = slice_word(&rest); word.len > 0; word = slice_word(&rest))
		write_argument(out, word, other);
	rest = other;
	for (word = slice_word(&rest); word.len > 0; word = slice_word(&rest))
		if (take_number(word, &name, &bound) && bound > 0 && !find_number(entry, name, &number))
			buf_printf(out, " %.*s", SLICE_ARGS(word));
}

/* Makes of the entry what others of its first word allow; false: there is none. */
static bool
bound_entry(struct buf *entry, struct slice others)
{
	bool found = false;

	while (others.len > 0) {
		struct slice other = capability_next(&others);
		struct buf common = { 0 };

		if (compare(first_word(other), first_word(buf_slice(entry))) != 0)
			continue;
		found = true;
		write_common(&common, buf_slice(entry), other);
		buf_clear(entry);
		*entry = common;
	}
	return found;
}

void
capability_intersect(struct buf *list, struct slice other)
{
	struct buf kept = { 0 }, entry = { 0 };

	for (struct slice rest = buf_slice(list); rest.len > 0;) {
		buf_append_slice(&entry, capability_next(&rest));
		if (bound_entry(&entry, other))
			capability_add(&kept, buf_slice(&entry));
		buf_truncate(&entry, 0);
	}
	buf_clear(&entry);
	buf_clear(list);
	*list = kept;
}

bool
capability_is_among(struct slice entry, const char *const *words)
{
	struct slice word = first_word(entry);

	for (; *words != NULL; words++) {
		size_t len = strlen(*words);
		bool is_prefix = len > 0 && (*words)[len - 1] == '*';
		struct slice start = is_prefix && word.len > len - 1 ? slice_make(word.data, len - 1) : word;

		if (compare(start, slice_make(*words, is_prefix ? len - 1 : len)) == 0)
			return true;
	}
	return false;
}

bool
capability_is_own(struct slice entry, const struct proto *proto)
{
	if (proto->capability_passed != NULL)
		return !capability_is_among(entry, proto->capability_passed);
	return proto->capability_own != NULL && capability_is_among(entry, proto->capability_own);
}

void
capability_pass(struct slice list, const struct proto *proto, struct buf *out)
{
	while (list.len > 0) {
		struct slice entry = capability_next(&list);

		if (!capability_is_own(entry, proto))
			buf_printf(out, "%.*s\n", SLICE_ARGS(entry));
	}
}

void
capability_write(struct slice list, const char *before, const char *behind, struct buf *out)
{
	while (list.len > 0) {
		struct slice entry = capability_next(&list);

		buf_printf(out, "%s%.*s%s", before, SLICE_ARGS(entry), behind);
	}
}
