/* SPDX-License-Identifier: BSD-2-Clause */
/* state_file_test.c: what is written is read; what is not whole is refused, whatever is wrong with it. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmocka.h>

#include "admin/state_file.h"
#include "balance/machine.h"
#include "base/hash.h"
#include "base/xalloc.h"

/* What is read, and beside it nothing. */
struct state {
	struct list records, settings, no_records, no_settings;
	struct state_lists lists;
};

static const struct state_lists *
begin(struct state *state)
{
	list_init(&state->records);
	list_init(&state->settings);
	list_init(&state->no_records);
	list_init(&state->no_settings);
	state->lists = (struct state_lists){ &state->records, &state->no_records, &state->settings,
		&state->no_settings };
	return &state->lists;
}

static struct server_record *
add(struct list *records, enum server_kind kind, const char *owner, const char *name)
{
	struct server_record *record = server_record_new(kind, owner, name);

	list_append(records, &record->node);
	return record;
}

static void
add_setting(struct list *settings, const char *subject, const char *why)
{
	struct setting *setting = xcalloc(1, sizeof(*setting));

	setting->kind = xstrdup("listener");
	setting->subject = xstrdup(subject);
	setting->what = xstrdup("max_connections");
	setting->now = xstrdup("77");
	setting->in_file = xstrdup("0");
	setting->who = xstrdup("uid 0 (pid 1)");
	setting->why = xstrdup(why);
	setting->when = 1764400002;
	list_append(settings, &setting->node);
}

static void
fill(struct state *state)
{
	struct list *records = &state->records;
	struct server_record *record;

	begin(state);
	add_setting(&state->settings, "imap", "100%\n");
	add_setting(&state->settings, "", "-");
	record = add(records, SERVER_OF_FARM, "dovecot", "d03@2001:db8::1");
	record->state.now = ADMIN_DRAIN;
	record->weight.now = record->weight.in_file = 7;
	record->state.when = 1764400000;
	server_record_set_text(&record->state.who, "root (unix)");
	server_record_set_text(&record->state.why, "drain by root (unix): 100% \"full\"\n\xC3\xA4");
	record = add(records, SERVER_OF_POOL, "smtp", "-");
	record->weight.now = 0;
	record->weight.in_file = 256;
	record->weight.when = 1764400001;
	server_record_set_text(&record->weight.who, "somebody");
	server_record_set_text(&record->weight.why, "by somebody: hot");
	record = add(records, SERVER_SERVICE, "imap", "d04");
	record->state.now = ADMIN_MAINTENANCE;
	/* as the file says: not kept */
	record = add(records, SERVER_OF_FARM, "dovecot", "d05");
	record->weight.now = record->weight.in_file = 1;
}

static void
clear(struct state *state)
{
	list_each(node, &state->records) {
		struct server_record *record = list_entry(node, struct server_record, node);

		server_record_free(&record);
	}
	list_each(node, &state->settings) {
		struct setting *setting = list_entry(node, struct setting, node);

		setting_free(&setting);
	}
}

static void
format(struct buf *text)
{
	struct state written;

	fill(&written);
	state_format(&written.lists, text);
	clear(&written);
}

static size_t
count(const struct list *records)
{
	size_t n = 0;

	list_each(node, records)
		n++;
	return n;
}

static void
what_is_written_is_read(void **state)
{
	struct state read;
	const struct server_record *record;
	const struct setting *setting;
	struct buf text = { 0 }, again = { 0 };
	struct error error;

	(void)state;
	format(&text);
	assert_true(state_parse(buf_slice(&text), begin(&read), &error));
	assert_int_equal(count(&read.records), 3);
	record = list_entry(read.records.next, struct server_record, node);
	assert_string_equal(record->name, "d03@2001:db8::1");
	assert_string_equal(record->state.why, "drain by root (unix): 100% \"full\"\n\xC3\xA4");
	assert_int_equal(record->state.now, ADMIN_DRAIN);
	assert_int_equal(record->weight.now, 7);
	assert_int_equal(record->state.when, 1764400000);
	record = list_entry(read.records.next->next, struct server_record, node);
	assert_string_equal(record->name, "-");
	assert_string_equal(record->state.why, "");
	assert_string_equal(record->weight.why, "by somebody: hot");
	assert_string_equal(record->weight.who, "somebody");
	assert_int_equal(record->weight.when, 1764400001);
	assert_int_equal(count(&read.settings), 2);
	setting = list_entry(read.settings.next, struct setting, node);
	assert_string_equal(setting->kind, "listener");
	assert_string_equal(setting->subject, "imap");
	assert_string_equal(setting->what, "max_connections");
	assert_string_equal(setting->now, "77");
	assert_string_equal(setting->in_file, "0");
	assert_string_equal(setting->who, "uid 0 (pid 1)");
	assert_string_equal(setting->why, "100%\n");
	assert_int_equal(setting->when, 1764400002);
	setting = list_entry(read.settings.next->next, struct setting, node);
	assert_string_equal(setting->subject, "");
	assert_string_equal(setting->why, "-");
	state_format(&read.lists, &again);
	assert_int_equal(buf_len(&again), buf_len(&text));
	assert_memory_equal(buf_data(&again), buf_data(&text), buf_len(&text));
	clear(&read);
	buf_clear(&text);
	buf_clear(&again);
}

static void
refuse(struct slice text, const char *why)
{
	struct state read;
	struct error error;

	assert_false(state_parse(text, begin(&read), &error));
	assert_true(list_is_empty(&read.records));
	assert_true(list_is_empty(&read.settings));
	if (why != NULL && strstr(error.text, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", error.text, why);
}

static void
what_is_cut_short_anywhere_is_refused(void **state)
{
	struct buf text = { 0 };

	(void)state;
	format(&text);
	for (size_t n = 0; n < buf_len(&text); n++)
		refuse(slice_make(buf_data(&text), n), NULL);
	refuse(slice_make(buf_data(&text), buf_len(&text) - 1), "cut short");
	buf_clear(&text);
}

static void
a_byte_that_is_another_is_noticed(void **state)
{
	struct buf text = { 0 };

	(void)state;
	format(&text);
	for (size_t i = 0; i < buf_len(&text); i++) {
		buf_data(&text)[i] ^= 1;
		refuse(buf_slice(&text), NULL);
		buf_data(&text)[i] ^= 1;
	}
	buf_clear(&text);
}

static void
other_files_are_told_apart(void **state)
{
	(void)state;
	refuse(slice_of(""), "no state file");
	refuse(slice_of("127.0.0.1 localhost\n"), "no state file");
	refuse(slice_of("gatepost state 4\nend 0 00000000\n"), "version 4");
	refuse(slice_of("gatepost state 1\nfarm f d1 drain 300 ready 1 0 - -\nend 1 0\n"), "line 2");
	refuse(slice_of("gatepost state 1\nfarm f d%00 drain 1 ready 1 0 - -\nend 1 0\n"), "line 2");
	refuse(slice_of("gatepost state 1\nservice f d1 drain 1 ready -1 0 - -\nend 1 0\n"), "line 2");
	refuse(slice_of("gatepost state 1\nfarm f d1 gone 1 ready 1 0 - -\nend 1 0\n"), "line 2");
	refuse(slice_of("gatepost state 1\nend 0 00000000\n"), "sum");
	refuse(slice_of("gatepost state 2\nfarm f d1 drain ready 0 - - 300 1 0 - -\nend 1 0\n"), "line 2");
	refuse(slice_of("gatepost state 2\nfarm f d1 drain 1 ready 1 0 - -\nend 1 0\n"), "line 2");
	refuse(slice_of("gatepost state 3\nset x listener imap state 1 0 - -\nend 1 0\n"), "line 2");
	refuse(slice_of("gatepost state 3\nset 1 listener imap state 1 0 -\nend 1 0\n"), "line 2");
	refuse(slice_of("gatepost state 3\nset 1 listener imap state 1 0 - - -\nend 1 0\n"), "line 2");
}

/* Of the version before, where who and why were said once. */
static void
older_files_are_read(void **state)
{
	static const char old[] = "gatepost state 1\nfarm f d1 drain 7 ready 1 1764400000 root disk\n";
	const struct server_record *record;
	struct buf text = { 0 };
	struct state read;
	struct error error;

	(void)state;
	buf_printf(&text, "%send 1 %08x\n", old, (unsigned)hash_crc32c(old, strlen(old)));
	assert_true(state_parse(buf_slice(&text), begin(&read), &error));
	record = list_entry(read.records.next, struct server_record, node);
	assert_int_equal(record->state.now, ADMIN_DRAIN);
	assert_int_equal(record->state.in_file, ADMIN_READY);
	assert_int_equal(record->weight.now, 7);
	assert_int_equal(record->weight.in_file, 1);
	assert_string_equal(record->state.why, "disk");
	assert_string_equal(record->weight.who, "root");
	assert_string_equal(record->weight.why, "");
	clear(&read);
	buf_clear(&text);
}

static void
no_two_write_at_the_same_time(void **state)
{
	char folder[] = "/tmp/gatepost-state.XXXXXX", path[64], new_path[64], got[8] = "";
	struct error error;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/state", folder);
	snprintf(new_path, sizeof(new_path), "%s/state.new", folder);
	fd = open(new_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(write(fd, "half", 4), 4);
	assert_false(state_write(path, slice_of("something"), &error));
	assert_string_equal(error.text, "another process is writing it");
	assert_int_equal(pread(fd, got, sizeof(got), 0), 4);
	assert_string_equal(got, "half");
	close(fd);
	/* what one that was killed has left is no hindrance */
	assert_true(state_write(path, slice_of("something"), &error));
	assert_int_equal(access(new_path, F_OK), -1);
	unlink(path);
	rmdir(folder);
}

static void
files_are_replaced(void **state)
{
	char folder[] = "/tmp/gatepost-state.XXXXXX", path[64], new_path[64];
	struct buf text = { 0 };
	const struct state_lists *lists;
	struct state read;
	struct error error;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/state", folder);
	snprintf(new_path, sizeof(new_path), "%s/state.new", folder);
	lists = begin(&read);
	assert_true(state_read(path, lists, &error));
	assert_true(list_is_empty(&read.records));
	format(&text);
	assert_true(state_write(path, slice_of("something"), &error));
	assert_false(state_read(path, lists, &error));
	assert_true(state_write(path, buf_slice(&text), &error));
	assert_true(state_read(path, lists, &error));
	assert_int_equal(count(&read.records), 3);
	assert_int_equal(access(new_path, F_OK), -1);
	clear(&read);
	assert_false(state_read(folder, lists, &error));
	unlink(path);
	rmdir(folder);
	assert_false(state_write(path, buf_slice(&text), &error));
	buf_clear(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(what_is_cut_short_anywhere_is_refused),
		cmocka_unit_test(a_byte_that_is_another_is_noticed),
		cmocka_unit_test(other_files_are_told_apart),
		cmocka_unit_test(older_files_are_read),
		cmocka_unit_test(no_two_write_at_the_same_time),
		cmocka_unit_test(files_are_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
