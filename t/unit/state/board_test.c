/* SPDX-License-Identifier: BSD-2-Clause */
/* board_test.c: proxies read each other's sheets, as long as they are there. */
#include "shared_rig.h"

#include "state/board.h"

#ifdef HAVE_HIREDIS
struct side {
	struct rig *rig;
	struct board *board;
	const char *text;		/* its sheet */
	int reads;
	char heard[200];		/* of the other one */
	size_t len;
	const char *wanted;
};

static void
write_sheet(void *owner, struct buf *sheet)
{
	buf_append_text(sheet, ((struct side *)owner)->text);
}

static void
note_sheet(const struct board_sheet *sheet, void *arg)
{
	struct side *side = arg;

	side->len = sheet->text.len;
	snprintf(side->heard, sizeof(side->heard), "%s: %.*s", sheet->proxy, SLICE_ARGS(sheet->text));
}

static void
on_read(void *owner)
{
	struct side *side = owner;

	side->reads++;
	side->heard[0] = '\0';
	board_each(side->board, note_sheet, side);
}

static void
start_side(struct side *side, struct rig *rig, int i, const char *text)
{
	*side = (struct side){ .rig = rig, .text = text };
	side->board = board_new(&(struct board_settings){ .cluster = rig->clusters[i], .name = "test",
		.write = write_sheet, .on_read = on_read, .owner = side });
}

static bool
has_heard(void *arg)
{
	const struct side *side = arg;

	return strcmp(side->heard, side->wanted) == 0;
}

static void
await_sheet(struct side *side, const char *wanted)
{
	side->wanted = wanted;
	await_that(side->rig, has_heard, side);
}

static void
sheets_are_read_as_they_change(void **state)
{
	struct rig *rig = *state;
	struct side one, two;
	int reads;

	start_side(&one, rig, 0, "first\n");
	start_side(&two, rig, 1, "second\n");
	await_sheet(&one, "lb2: second\n");
	await_sheet(&two, "lb1: first\n");
	assert_int_equal(board_count(one.board), 1);
	reads = one.reads;
	one.text = "third\n";
	await_sheet(&two, "lb1: third\n");
	/* what has not changed is not told again */
	assert_int_equal(one.reads, reads);
	run_cli(rig, "flushall");
	two.text = "";
	await_sheet(&one, "lb2: ");
	board_free(&two.board);
	await_sheet(&one, "");
	assert_int_equal(board_count(one.board), 0);
	board_free(&one.board);
}

static void
without_redis_nobody_is_there(void **state)
{
	struct rig *rig = *state;
	struct side one, two;

	start_side(&one, rig, 0, "first\n");
	start_side(&two, rig, 1, "second\n");
	await_sheet(&one, "lb2: second\n");
	redis_server_stop(&rig->server);
	await_sheet(&one, "");
	redis_server_start(&rig->server, "");
	await_sheet(&one, "lb2: second\n");
	board_free(&one.board);
	board_free(&two.board);
}

static bool
has_heard_long(void *arg)
{
	const struct side *side = arg;

	return side->len > 0;
}

static void
of_too_long_a_sheet_whole_lines_are_told(void **state)
{
	enum { LINE = 1000, LINES = 100 };
	struct rig *rig = *state;
	struct side one, two;
	char *text = malloc(LINE * LINES + 1);

	memset(text, 'x', LINE * LINES);
	for (int i = 1; i <= LINES; i++)
		text[LINE * i - 1] = '\n';
	text[LINE * LINES] = '\0';
	begin_logging(rig);
	start_side(&one, rig, 0, text);
	start_side(&two, rig, 1, "second\n");
	await_that(rig, has_heard_long, &two);
	assert_int_equal(two.len, BOARD_SHEET_MAX / LINE * LINE);
	/* more exchanges, and not more of the log */
	two.text = "third\n";
	await_sheet(&one, "lb2: third\n");
	board_exchange(one.board);
	board_free(&one.board);
	board_free(&two.board);
	free(text);
	assert_int_equal(end_logging(rig, "cluster: other proxies are told 65000 octets of test"), 1);
}
#endif

int
main(void)
{
#ifdef HAVE_HIREDIS
	const struct CMUnitTest tests[] = {
		REDIS_TEST(sheets_are_read_as_they_change),
		REDIS_TEST(of_too_long_a_sheet_whole_lines_are_told),
		REDIS_TEST(without_redis_nobody_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
#else
	puts("1..0 # SKIP built without hiredis");
	return 0;
#endif
}
