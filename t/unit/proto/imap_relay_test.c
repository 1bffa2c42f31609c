/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * imap_relay_test.c: boundaries of random streams, whose generator knows
 * them, under random chunking; IDLE, refused literals and COMPRESS; the cost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "proto/imap.h"

static max_align_t memory[8];

static void *
filter_new(void)
{
	assert_true(imap_relay.size <= sizeof(memory));
	memset(memory, 0xff, sizeof(memory));
	imap_relay.init(memory);
	return memory;
}

static bool
sees(const void *filter, enum filter_look what)
{
	return (imap_relay.look(filter) & what) != 0;
}

static void
pass(bool from_client, void *filter, struct slice data)
{
	if (from_client)
		imap_relay.client(filter, data);
	else
		imap_relay.server(filter, data);
}

static void
server(const char *text)
{
	imap_relay.server(memory, slice_of(text));
}

static void
client(const char *text)
{
	imap_relay.client(memory, slice_of(text));
}

static void
expect(bool at_boundary, bool is_quiet)
{
	assert_int_equal(sees(memory, FILTER_BOUNDARY), at_boundary);
	assert_int_equal(sees(memory, FILTER_QUIET), is_quiet);
}

static void
boundaries_of_responses(void **state)
{
	(void)state;
	filter_new();
	expect(true, true);
	client("a FETCH 1 BODY[]\r\n");
	expect(true, false);
	server("* 1 FETCH (BODY[] {1");
	expect(false, false);
	server("0}\r");
	server("\n0123456");
	expect(false, false);
	server("789");
	expect(false, false);
	server(" X ~{3}\r\nabc)\r\n");
	expect(true, false);
	server("* 2 FETCH (BODY[] {0}\r\n");
	expect(false, false);
	server(")\r\n");
	expect(true, false);
	server("a");
	expect(false, false);
	server(" OK done\r\n");
	expect(true, true);
}

static void
text_is_no_literal(void **state)
{
	static const char *const lines[] = { "* OK text {5}\r\n", "* NO {5}\r\n", "* BAD [X] y {5+}\r\n",
		"* bye {5}\r\n", "* PREAUTH x {5}\r\n", "a OK subject {5}\r\n", "+ go on {5}\r\n",
		"* LIST () \"/\" {5}x\r\n", "* LIST () {} \r\n", "* X {a}\r\n", "* X {5 }\r\n", "* X {+}\r\n",
		"* X 5}\r\n", "* X {5+ }\r\n", "\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		filter_new();
		server(lines[i]);
		assert_true(sees(memory, FILTER_BOUNDARY));
		filter_new();
		for (const char *p = lines[i]; *p != '\0'; p++)
			imap_relay.server(memory, slice_make(p, 1));
		assert_true(sees(memory, FILTER_BOUNDARY));
	}
}

/* Whether it is a literal must not depend on how much of it is seen at once. */
static void
size_with_too_many_digits(void **state)
{
	static const char line[] = "* X {000000000000000000005}\r\n";

	(void)state;
	filter_new();
	server(line);
	assert_true(sees(memory, FILTER_BOUNDARY));
	filter_new();
	for (const char *p = line; *p != '\0'; p++)
		imap_relay.server(memory, slice_make(p, 1));
	assert_true(sees(memory, FILTER_BOUNDARY));
	filter_new();
	server("* X {00000000000000000005}\r\n");
	assert_false(sees(memory, FILTER_BOUNDARY));
}

static void
idle(void **state)
{
	(void)state;
	filter_new();
	client("a IDLE\r\n");
	expect(true, false);
	server("+ idling\r\n");
	expect(true, true);
	server("* 3 EXI");
	expect(false, true);
	server("STS\r\n");
	expect(true, true);
	client("DO");
	expect(true, false);
	client("NE\r\n");
	expect(true, false);
	server("a OK done\r\n");
	expect(true, true);
	/* refused */
	client("b idle\r\n");
	server("b NO not now\r\n");
	expect(true, true);
	client("c NOOP\r\n");
	server("+ odd\r\n");
	expect(true, false);
	server("c OK\r\n");
	/* DONE right behind IDLE */
	client("d IDLE\r\nDONE\r\n");
	server("+ idling\r\n");
	expect(true, false);
	server("d OK\r\n");
	expect(true, true);
}

static void
literals_of_the_client(void **state)
{
	(void)state;
	filter_new();
	/* accepted: its content is no command */
	client("a APPEND x {20}\r\n");
	server("+ go\r\n");
	client("b COMPRESS DEFLATE\r\n");
	server("b OK\r\n* x\r\n");
	assert_true(sees(memory, FILTER_BOUNDARY));
	server("a OK\r\n");
	expect(true, false);
	client("\r\n");
	server("a OK\r\n");
	expect(true, true);
	/* refused: what follows is a command */
	client("c APPEND x {20}\r\n");
	expect(true, false);
	server("c NO [TOOBIG]\r\n");
	expect(true, true);
	client("d COMPRESS DEFLATE\r\n");
	server("d OK\r\n");
	expect(false, false);
}

static void
refusal_of_another_command(void **state)
{
	(void)state;
	filter_new();
	client("a NOOP\r\nb APPEND x {4}\r\n");
	server("a OK\r\n");
	server("+ go\r\n");
	client("a b\r\n");
	expect(true, false);
	client("\r\n");
	server("b OK\r\n");
	expect(true, true);
}

/* Each turn, and whether the server owes something behind it: only between two commands does it. */
static void
the_server_owes_what_was_asked(void **state)
{
	static const struct {
		char from;
		const char *text;
		bool owes;
	} turns[] = {
		{ 'S', "* 1 EXISTS\r\n", false },
		{ 'C', "a NO", false }, { 'C', "OP\r\n", true }, { 'S', "* 2 EXISTS\r\n", true },
		{ 'S', "a OK\r\n", false }, { 'C', "\r\n", false },
		{ 'C', "b NOOP\r\nc NOOP\r\n", true }, { 'S', "b OK\r\n", true },
		{ 'S', "c OK\r\n", false },
		{ 'C', "d NOOP\r\ne NO", false }, { 'S', "d OK\r\n", false }, { 'C', "OP\r\n", true },
		{ 'S', "e OK\r\n", false },
		/* a prompt is due; then the client's octets are */
		{ 'C', "f APPEND x {4}\r\n", true }, { 'S', "+ go\r\n", false }, { 'C', "ab", false },
		{ 'C', "cd", false }, { 'C', "\r\n", true }, { 'S', "f OK\r\n", false },
		{ 'C', "g APPEND x {4+}\r\n", false }, { 'C', "abcd\r\n", true },
		{ 'S', "g OK\r\n", false },
		{ 'C', "h APPEND x {4}\r\n", true }, { 'S', "h NO\r\n", false },
		/* in IDLE nobody is waited for */
		{ 'C', "i IDLE\r\n", true }, { 'S', "+ idling\r\n", false },
		{ 'S', "* 3 EXISTS\r\n", false },
		{ 'C', "DO", false }, { 'C', "NE\r\n", true }, { 'S', "i OK\r\n", false },
		/* who is not followed owes nothing that one could tell */
		{ 'C', "j COMPRESS DEFLATE\r\n", true }, { 'S', "j OK\r\n", false },
		{ 'C', "k NOOP\r\n", false },
	};

	(void)state;
	filter_new();
	for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++) {
		(turns[i].from == 'C' ? client : server)(turns[i].text);
		if (sees(memory, FILTER_OWED) != turns[i].owes)
			fail_msg("behind %zu: %s", i, turns[i].text);
	}
}

static void
compress(void **state)
{
	(void)state;
	filter_new();
	client("a compress DEFLATE\r\n");
	expect(true, false);
	server("* 1 EXISTS\r\nb OK other\r\n");
	assert_true(sees(memory, FILTER_BOUNDARY));
	server("a NO not here\r\n");
	expect(true, true);
	client("b COMPRESS DEFLATE\r\n");
	server("b O");
	server("K go\r\n* 2 EXISTS\r\n");
	expect(false, false);
	server("* 3 EXISTS\r\n");
	client("c NOOP\r\n");
	server("c OK\r\n");
	expect(false, false);
}

static void
out_of_step(void **state)
{
	(void)state;
	filter_new();
	server("x\x9c");
	expect(false, false);
	server("\r\n* OK\r\n");
	expect(false, false);
	filter_new();
	server("* OK\r\n");
	server("\r\n");
	expect(true, true);
}

/* Random streams: the generator marks which offsets are boundaries. */
struct stream {
	struct buf bytes;
	bool *is_boundary;		/* behind so many bytes */
};

static void
add(struct stream *s, const char *text, size_t len)
{
	buf_append(&s->bytes, text, len);
}

static void
add_response(struct stream *s)
{
	char line[64], literal[64];
	int count = (int)(random() % 4);

	if (random() % 4 == 0) {
		snprintf(line, sizeof(line), "t%ld OK said {%ld}\r\n", random() % 100, random() % 100);
		add(s, line, strlen(line));
	} else {
		snprintf(line, sizeof(line), "* %ld FETCH (", random() % 1000);
		add(s, line, strlen(line));
		for (int i = 0; i < count; i++) {
			size_t size = (size_t)random() % 40;

			snprintf(line, sizeof(line), "BODY[%d] %s{%zu%s}\r\n", i, random() % 2 ? "~" : "",
			    size, random() % 8 == 0 ? "+" : "");
			add(s, line, strlen(line));
			for (size_t j = 0; j < size; j++)
				literal[j] = "\r\n{5}* +a\x80"[random() % 10];
			add(s, literal, size);
			add(s, " ", (size_t)random() % 2);
		}
		add(s, random() % 2 ? ")\r\n" : "))\n", 3);
	}
	s->is_boundary[buf_len(&s->bytes)] = true;
}

static void
random_streams_in_random_chunks(void **state)
{
	enum { RESPONSES = 40, ROOM = RESPONSES * 512 };

	(void)state;
	srandom(11);
	for (int round = 0; round < 400; round++) {
		static bool is_boundary[ROOM];
		struct stream s = { .is_boundary = is_boundary };
		size_t chunk;

		memset(is_boundary, 0, sizeof(is_boundary));
		is_boundary[0] = true;
		for (int i = 0; i < RESPONSES; i++)
			add_response(&s);
		filter_new();
		for (size_t at = 0; at < buf_len(&s.bytes); at += chunk) {
			size_t left = buf_len(&s.bytes) - at;

			chunk = round == 0 ? 1 : 1 + (size_t)random() % (round % 3 == 0 ? 5 : 200);
			chunk = chunk < left ? chunk : left;
			imap_relay.server(memory, slice_make(buf_data(&s.bytes) + at, chunk));
			if (sees(memory, FILTER_BOUNDARY) != is_boundary[at + chunk])
				fail_msg("round %d, offset %zu", round, at + chunk);
		}
		buf_clear(&s.bytes);
	}
}

/* What is said in turns, and what holds behind each; %s is the exchange's tag. */
struct turn {
	char from;
	const char *text;
	bool at_boundary, is_quiet;
};

enum { TURNS_MAX = 7 };

static const struct turn exchanges[][TURNS_MAX] = {
	{ { 'C', "%s NOOP\r\n", true, false }, { 'S', "%s OK\r\n", true, true } },
	{ { 'C', "%s FETCH 1 BODY[]\r\n", true, false },
	    { 'S', "* 1 FETCH (BODY[] {12}\r\n{5}\r\n01\r\n+ {", false, false },
	    { 'S', " X ~{2}\r\n\r\n)\r\n* 2 FETCH ({0}\r\n)\r\n", true, false },
	    { 'S', "%s OK done {5}\r\n", true, true } },
	{ { 'C', "%s IDLE\r\n", true, false }, { 'S', "+ idling {3}\r\n", true, true },
	    { 'S', "* 3 EX", false, true }, { 'S', "ISTS\r\n", true, true },
	    { 'C', "DONE\r\n", true, false }, { 'S', "%s OK\r\n", true, true } },
	{ { 'C', "%s idle\r\n", true, false }, { 'S', "%s NO not now\r\n", true, true } },
	{ { 'C', "%s APPEND x {20}\r\n", true, false }, { 'S', "+ go\r\n", true, false },
	    { 'C', "b COMPRESS DEFLATE\r\n", true, false }, { 'S', "* 4 EXISTS\r\n", true, false },
	    { 'C', "\r\n", true, false }, { 'S', "%s OK\r\n", true, true } },
	{ { 'C', "%s APPEND x {20}\r\n", true, false }, { 'S', "%s NO [TOOBIG]\r\n", true, true } },
	{ { 'C', "%s APPEND x {4}\r\n01", true, false }, { 'S', "%s NO [TOOBIG]\r\n", true, false },
	    { 'C', "23\r\n", true, true } },
	{ { 'C', "%s APPEND x {3+}\r\n{9\r\n", true, false }, { 'S', "%s OK\r\n", true, true } },
	{ { 'C', "%s COMPRESS DEFLATE\r\n", true, false }, { 'S', "* 5 EXISTS\r\n", true, false },
	    { 'S', "%s NO not here\r\n", true, true } },
	/* the last of all: nothing is known behind it */
	{ { 'C', "%s COMPRESS DEFLATE\r\n", true, false }, { 'S', "%s OK\r\n", false, false },
	    { 'S', "\x01\r\n* OK\r\n", false, false }, { 'C', "x NOOP\r\n", false, false } },
};

enum { EXCHANGES = sizeof(exchanges) / sizeof(exchanges[0]) };

/* One turn in random pieces; a second filter gets it byte by byte. */
static void
take_turn(const struct turn *turn, const char *tag, void *second)
{
	bool from_client = turn->from == 'C';
	struct buf text = { 0 };
	const char *at = strstr(turn->text, "%s");
	size_t chunk;

	if (at != NULL)
		buf_append_text(&text, tag);
	buf_append_text(&text, at != NULL ? at + 2 : turn->text);
	for (struct slice rest = buf_slice(&text); rest.len > 0; rest = slice_from(rest, chunk)) {
		chunk = 1 + (size_t)random() % (random() % 2 ? 3 : rest.len);
		chunk = chunk < rest.len ? chunk : rest.len;
		pass(from_client, memory, slice_make(rest.data, chunk));
		for (size_t i = 0; i < chunk; i++)
			pass(from_client, second, slice_make(rest.data + i, 1));
		assert_int_equal(sees(memory, FILTER_BOUNDARY), sees(second, FILTER_BOUNDARY));
		assert_int_equal(sees(memory, FILTER_QUIET), sees(second, FILTER_QUIET));
		assert_int_equal(sees(memory, FILTER_OWED), sees(second, FILTER_OWED));
	}
	buf_clear(&text);
	if (sees(memory, FILTER_BOUNDARY) != turn->at_boundary ||
	    sees(memory, FILTER_QUIET) != turn->is_quiet)
		fail_msg("behind %s", turn->text);
}

static void
random_exchanges_in_random_chunks(void **state)
{
	enum { EXCHANGES_MAX = 30 };
	static max_align_t second[8];
	char tag[16];

	(void)state;
	srandom(17);
	for (int round = 0; round < 500; round++) {
		filter_new();
		imap_relay.init(second);
		for (int i = 0; i <= EXCHANGES_MAX; i++) {
			const struct turn *turns =
			    exchanges[i == EXCHANGES_MAX ? EXCHANGES - 1 : random() % (EXCHANGES - 1)];

			snprintf(tag, sizeof(tag), "t%d", i);
			for (int k = 0; k < TURNS_MAX && turns[k].text != NULL; k++)
				take_turn(&turns[k], tag, second);
		}
	}
}

/* Any bytes both ways, for the sanitizers; once blind, it stays so. */
static void
noise(void **state)
{
	(void)state;
	srandom(13);
	for (int round = 0; round < 2000; round++) {
		filter_new();
		for (int i = 0; i < 50; i++) {
			char bytes[32];
			size_t len = (size_t)random() % sizeof(bytes);

			for (size_t j = 0; j < len; j++)
				bytes[j] = "ab* +{}19\r\n OKcompress"[random() % 22];
			if (random() % 40 == 0)
				bytes[0] = '\x01';
			pass(random() % 2 != 0, memory, slice_make(bytes, len));
		}
		filter_new();
		server("\x01\r\n");
		for (int i = 0; i < 10; i++) {
			server(&"* OK\r\n"[random() % 6]);
			expect(false, false);
		}
	}
}

static void
measure(const char *what, struct slice data)
{
	enum { ROUNDS = 200 };
	struct timespec from, to;
	double us;

	filter_new();
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	for (int i = 0; i < ROUNDS; i++)
		imap_relay.server(memory, data);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	assert_true(sees(memory, FILTER_BOUNDARY));
	us = (double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3;
	printf("# 64 KiB of %s: %.2f us\n", what, us / ROUNDS);
}

static void
cost(void **state)
{
	struct buf data = { 0 };

	(void)state;
	buf_append_text(&data, "* 1 FETCH (BODY[] {65510}\r\n");
	memset(buf_reserve(&data, 65510), 'x', 65510);
	buf_added(&data, 65510);
	buf_append_text(&data, ")\r\n");
	measure("one literal", buf_slice(&data));
	buf_clear(&data);
	while (buf_len(&data) < 65536 - 80)
		buf_append_text(
		    &data, "* 1234 FETCH (UID 123456 FLAGS (\\Seen \\Answered) MODSEQ (123456789012))\r\n");
	measure("lines of 74 octets", buf_slice(&data));
	buf_clear(&data);
}

/* However it comes; a mail may say the word. */
static void
unauthenticate_does_not_pass(void **state)
{
	static const char *const bad[] = { "a UNAUTHENTICATE\r\n", "b NOOP\r\nc unauthenticate\n",
		"a IDLE\r\nb Unauthenticate\r\n", "a APPEND x {3+}\r\nabc\r\nb UNAUTHENTICATE \r\n" };
	static const char *const good[] = { "a UNAUTHENTICATED\r\n", "a UNAUTHENTICAT\r\n",
		"a APPEND x {18+}\r\nb UNAUTHENTICATE\r\n\r\n", "a SEARCH UNAUTHENTICATE\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		void *filter = filter_new();

		for (const char *c = bad[i]; *c != '\0'; c++) {
			bool may_pass = imap_relay.client(filter, slice_make(c, 1));

			assert_int_equal(may_pass, c[1] != '\0');
		}
		assert_false(imap_relay.client(filter_new(), slice_of(bad[i])));
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		void *filter = filter_new();

		assert_true(imap_relay.client(filter, slice_of(good[i])));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(boundaries_of_responses),
		cmocka_unit_test(text_is_no_literal),
		cmocka_unit_test(size_with_too_many_digits),
		cmocka_unit_test(idle),
		cmocka_unit_test(unauthenticate_does_not_pass),
		cmocka_unit_test(literals_of_the_client),
		cmocka_unit_test(refusal_of_another_command),
		cmocka_unit_test(the_server_owes_what_was_asked),
		cmocka_unit_test(compress),
		cmocka_unit_test(out_of_step),
		cmocka_unit_test(random_streams_in_random_chunks),
		cmocka_unit_test(random_exchanges_in_random_chunks),
		cmocka_unit_test(noise),
		cmocka_unit_test(cost),
	};

	return cmocka_run_group_tests_name("imap_relay", tests, NULL, NULL);
}
