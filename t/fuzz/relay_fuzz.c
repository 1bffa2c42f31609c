/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_fuzz.c: IMAP's boundaries while two sides talk, cut in any way; and
 * those of a server alone against a plain second reading of RFC 9051 that
 * knows the whole stream.
 */
#include "fuzz.h"

#include "proto/imap.h"

enum { DIGITS_MAX = 20 };

static void *
filter_new(void)
{
	void *state = xmalloc(imap_relay.size);

	memset(state, 0xff, imap_relay.size);
	imap_relay.init(state);
	return state;
}

static bool
sees(const void *state, enum filter_look what)
{
	return (imap_relay.look(state) & what) != 0;
}

static void
pass(void *state, bool from_client, struct slice data)
{
	char *copy = exact(data);

	if (from_client)
		imap_relay.client(state, slice_make(copy, data.len));
	else
		imap_relay.server(state, slice_make(copy, data.len));
	xfree(copy);
}

static void
pass_pieces(void *state, bool from_client, struct slice data, unsigned *cut)
{
	while (data.len > 0) {
		size_t len = cut_next(cut, data.len);

		pass(state, from_client, slice_make(data.data, len));
		data = slice_from(data, len);
	}
}

static void
talk(struct slice script, unsigned cut)
{
	void *whole = filter_new(), *pieces = filter_new();
	struct slice text;
	char letter;

	while (script_next(&script, &letter, &text)) {
		bool from_client = letter == 'C', was_lost = !sees(whole, FILTER_BOUNDARY);

		pass(whole, from_client, text);
		pass_pieces(pieces, from_client, text, &cut);
		must(sees(whole, FILTER_BOUNDARY) == sees(pieces, FILTER_BOUNDARY),
		    "cutting changes no boundary");
		must(sees(whole, FILTER_QUIET) == sees(pieces, FILTER_QUIET), "cutting makes no noise");
		must(sees(whole, FILTER_OWED) == sees(pieces, FILTER_OWED),
		    "cutting makes no debts");
		if (from_client && was_lost)
			must(!sees(whole, FILTER_BOUNDARY), "clients end no response");
	}
	xfree(whole);
	xfree(pieces);
}

/* How many bytes are announced at the end of a line (without its end)?  -1: none. */
static int64_t
announced(struct slice line)
{
	size_t end = line.len, digits = 0;
	uint64_t size;

	if (end < 3 || line.data[--end] != '}')
		return -1;
	if (line.data[end - 1] == '+')
		end--;
	while (digits < end && line.data[end - digits - 1] >= '0' && line.data[end - digits - 1] <= '9')
		digits++;
	if (digits == 0 || digits > DIGITS_MAX || digits == end || line.data[end - digits - 1] != '{')
		return -1;
	if (!slice_to_number(slice_make(line.data + end - digits, digits), INT64_MAX, &size))
		return INT64_MAX;
	return (int64_t)size;
}

/* Begins with two printable words and a blank between them, or has one: what is no such line is not valid. */
static bool
is_response(struct slice line)
{
	int blanks = 0;

	for (size_t i = 0; i < line.len && blanks < 2; i++) {
		if (line.data[i] < ' ' || line.data[i] > '~')
			return false;
		if (line.data[i] == ' ' && (i == 0 || line.data[i - 1] == ' '))
			return false;
		blanks += line.data[i] == ' ';
	}
	return line.len > 0;
}

/* Has the response that begins with this line literals?  Only data has, not text. */
static bool
has_data(struct slice line)
{
	static const char *const texts[] = { "OK", "NO", "BAD", "BYE", "PREAUTH", NULL };
	struct slice rest = line, word = slice_word(&rest);

	if (!slice_has_prefix_nocase(word, "*"))
		return false;
	word = slice_word(&rest);
	for (int i = 0; texts[i] != NULL; i++)
		if (slice_equals_nocase(word, texts[i]))
			return false;
	return true;
}

/* Behind which bytes do responses end?  The number of bytes that are valid. */
static size_t
read_stream(struct slice all, bool *is_boundary)
{
	size_t at = 0;
	bool in_response = false, is_data = false;

	is_boundary[0] = true;
	while (at < all.len) {
		struct slice rest = slice_from(all, at), line;
		const char *newline = memchr(rest.data, '\n', rest.len);
		int64_t size;

		if (newline == NULL || newline == rest.data || newline[-1] != '\r')
			return at;
		line = slice_make(rest.data, (size_t)(newline - rest.data) - 1);
		at += line.len + 2;
		if (!in_response && (!is_response(line) || memchr(line.data, '\r', line.len) != NULL))
			return at - line.len - 2;
		if (!in_response)
			is_data = has_data(line);
		size = is_data ? announced(line) : -1;
		in_response = size >= 0;
		if (!in_response)
			is_boundary[at] = true;
		else if ((uint64_t)size >= all.len - at)
			return all.len;
		else
			at += (size_t)size;
	}
	return at;
}

static void
compare(struct slice all, unsigned cut)
{
	bool *is_boundary = xcalloc(all.len + 1, sizeof(bool));
	size_t valid = read_stream(all, is_boundary);
	void *state = filter_new();

	for (size_t at = 0; at < valid;) {
		size_t len = cut_next(&cut, valid - at);

		pass(state, false, slice_make(all.data + at, len));
		at += len;
		if (sees(state, FILTER_BOUNDARY) != is_boundary[at])
			fprintf(stderr, "behind %zu bytes\n", at);
		must(sees(state, FILTER_BOUNDARY) == is_boundary[at], "both find the same boundaries");
	}
	xfree(state);
	xfree(is_boundary);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input;

	if (!input_read(data, size, &input))
		return 0;
	if (has_option(&input, 0))
		compare(input.body, input.cut);
	else
		talk(input.body, input.cut);
	return 0;
}
