/* SPDX-License-Identifier: BSD-2-Clause */
/* user_file_test.c: the lines of a user file, what is said of bad ones, and how a changed file is taken. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/auth_fields.h"
#include "auth/user_file.h"
#include "base/xalloc.h"

static const char *
text_of(struct buf *complaints)
{
	*buf_reserve(complaints, 1) = '\0';
	return buf_data(complaints);
}

static struct user_table *
read_good(const char *lines)
{
	struct buf text = { 0 }, complaints = { 0 };
	struct user_table *table;

	buf_append_text(&text, lines);
	table = user_table_read("users", &text, &complaints);
	if (table == NULL)
		fail_msg("%s", text_of(&complaints));
	assert_int_equal(buf_len(&complaints), 0);
	return table;
}

static void
expect_fields(const struct user_table *table, const char *name, const char *host, const char *pool)
{
	const struct user *user = user_table_find(table, slice_of(name));
	struct auth_fields fields;
	struct error error;

	if (user == NULL)
		fail_msg("no %s", name);
	assert_string_equal(user->password, "{PLAIN}x");
	assert_true(auth_fields_read(user->fields, user->fields_size, &fields, &error));
	assert_true((fields.host == NULL) == (host == NULL));
	if (host != NULL)
		assert_string_equal(fields.host, host);
	assert_true((fields.pool == NULL) == (pool == NULL));
	if (pool != NULL)
		assert_string_equal(fields.pool, pool);
}

static void
reads_both_forms(void **state)
{
	static const char text[] =
	    "# users\n\n  \t\n"
	    "long:{PLAIN}x:1000:1000:Long Name:/home/long:/bin/sh:host=10.0.0.1 pool=a\n"
	    "empty:{PLAIN}x::::::host=::1\tpool=a\r\n"
	    "short:{PLAIN}x:host=10.0.0.1  pool=a \n"
	    "colons:{PLAIN}x:host=::1 pool=a:b\n"
	    "flag:{PLAIN}x:proxy\n"
	    "uid:{PLAIN}x:1000\n"
	    "name:{PLAIN}x:vmail:vmail::/home:\n"
	    "alone:{PLAIN}x\n"
	    "ended:{PLAIN}x:\n"
	    "a b@example.com:{PLAIN}x\n"
		"last:{PLAIN}x:pool=a";
	struct user_table *table = read_good(text);

	(void)state;
	assert_int_equal(user_table_count(table), 11);
	expect_fields(table, "long", "10.0.0.1", "a");
	expect_fields(table, "empty", "::1", "a");
	expect_fields(table, "short", "10.0.0.1", "a");
	expect_fields(table, "colons", "::1", "a:b");
	expect_fields(table, "flag", NULL, NULL);
	expect_fields(table, "uid", NULL, NULL);
	expect_fields(table, "name", NULL, NULL);
	expect_fields(table, "alone", NULL, NULL);
	expect_fields(table, "ended", NULL, NULL);
	expect_fields(table, "a b@example.com", NULL, NULL);
	expect_fields(table, "last", NULL, "a");
	assert_null(user_table_find(table, slice_of("Long")));
	assert_null(user_table_find(table, slice_of("# users")));
	user_table_put(&table);
	table = read_good("");
	assert_int_equal(user_table_count(table), 0);
	assert_null(user_table_typical(table));
	user_table_put(&table);
}

static void
all_bad_lines_are_told(void **state)
{
	static const char text[] =
	    "good:{PLAIN}x\nnobody\n:{PLAIN}x\nbad:{ROT13}x\ngood:{PLAIN}y\n"
	    "port:{PLAIN}x:port=0\nbell:{PLAIN}\a\nnul:\0x\nboth:{PLAIN}x:nopassword\nfree::nopassword\n";
	static const char wanted[] =
	    "users:2: no : after the user's name\n"
	    "users:3: no name before the first :\n"
	    "users:4: unknown password scheme {ROT13}\n"
	    "users:5: the user is there twice, first in line 1\n"
	    "users:6: port is a number from 1 to 65535\n"
	    "users:7: a control character\n"
	    "users:8: a control character\n"
	    "users:9: nopassword, and a password\n";
	struct buf whole = { 0 }, complaints = { 0 };

	(void)state;
	buf_append(&whole, text, sizeof(text) - 1);
	assert_null(user_table_read("users", &whole, &complaints));
	assert_string_equal(text_of(&complaints), wanted);
	buf_clear(&complaints);
}

/* A colon too many or too few must not have a restriction read over. */
static void
misplaced_fields_are_told(void **state)
{
	static const char *const rests[] = {
		"nologin:1000", "1000:nologin", ":nologin", "::nologin", ":::nologin", "::::nologin",
		"::::::nologin", ":::::nologin:", "::::allow_nets=10.0.0.0/8", "::::::allow_nets=10.0.0.0/8",
		"1000:1000::/home:nologin",
		"1000:1000:Bob:/home:/bin/sh allow_nets=10.0.0.0/8", "proxy=y:nologin", "nologin:",
		"allow_nets=10.0.0.0/8:1000", "::::host=::1", "host=a:b:nologin",
	};
	static const char *const good[] = {
		":::::nologin", "1000:1000:Pool Host:/home/nologin:/usr/sbin/nologin:allow_nets=10.0.0.0/8",
		"nologin", "nologin reason=a:b", "::::/bin/sh",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
		struct buf text = { 0 }, complaints = { 0 };

		buf_printf(&text, "u:{PLAIN}x:%s\n", rests[i]);
		if (user_table_read("users", &text, &complaints) != NULL)
			fail_msg("%s is taken", rests[i]);
		assert_non_null(strstr(text_of(&complaints), "users:1: "));
		buf_clear(&complaints);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char text[128];
		struct user_table *table;

		snprintf(text, sizeof(text), "u:{PLAIN}x:%s\n", good[i]);
		table = read_good(text);
		user_table_put(&table);
	}
}

static void
too_many_bad_lines_are_counted(void **state)
{
	struct buf text = { 0 }, complaints = { 0 };
	size_t lines = 0;

	(void)state;
	for (int i = 0; i < 50; i++)
		buf_append_text(&text, "bad\n");
	assert_null(user_table_read("users", &text, &complaints));
	assert_non_null(strstr(text_of(&complaints), "users: 30 more bad lines\n"));
	for (const char *c = text_of(&complaints); (c = strchr(c, '\n')) != NULL; c++)
		lines++;
	assert_int_equal(lines, 21);
	buf_clear(&complaints);
}

#define HASH "sQJI1Iw4ldNFN3Yi$Ze6rkGbLel70F3VnKP7TNm8k794fjlDyGioDcVcL61C\n"

static void
the_typical_password_is_that_of_most(void **state)
{
	static const char text[] =
	    "a:{PLAIN}a\n"
	    "b:{BLF-CRYPT}$2y$05$cet7eTOGqEvekwmU/R2pxOQ1rfFL2aFdafag6Ao.3uCYKkiwKNQPW\n"
	    "c:{SHA256-CRYPT}$5$sQJI1Iw4ldNFN3Yi$Ze6rkGbLel70F3VnKP7TNm8k794fjlDyGioDcVcL61C\n"
	    "d:!\ne:!\nf:!\n"
	    "g:{SHA256-CRYPT}$5$other$Ze6rkGbLel70F3VnKP7TNm8k794fjlDyGioDcVcL61C\n";
	struct user_table *table = read_good(text);

	(void)state;
	assert_ptr_equal(user_table_typical(table), user_table_find(table, slice_of("c")));
	user_table_put(&table);
	/* by the rounds, not by the method; and whoever comes behind, it stays the first of them */
	table = read_good("a:$5$rounds=1000$" HASH "b:$5$rounds=1000$" HASH "c:$5$rounds=500000$" HASH
			  "d:$5$" HASH "e:$5$rounds=500000$" HASH "f:$5$rounds=500000$" HASH
			  "g:{SHA256-CRYPT}$5$rounds=500000$" HASH);
	assert_ptr_equal(user_table_typical(table), user_table_find(table, slice_of("c")));
	user_table_put(&table);
	table = read_good("d:!\ne:\n");
	assert_null(user_table_typical(table));
	user_table_put(&table);
}

#define KEYS \
	",W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=," \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\n"

static void
so_is_that_of_those_whom_scram_can_judge(void **state)
{
	static const struct {
		const char *text, *typical;	/* or nobody */
	} rows[] = {
		{ "a:{PLAIN}a\nb:{SCRAM-SHA-256}5000" KEYS "c:{SCRAM-SHA-256}5000" KEYS, "b" },
		{ "a:{SCRAM-SHA-256}4096" KEYS "b:{SCRAM-SHA-256}5000" KEYS "c:{SCRAM-SHA-256}5000" KEYS,
		  "b" },
		/* those who are as cheap but cannot be judged do not count */
		{ "a:{SHA}y5/IUz3Tf3I3r1xLOYKDQJPvDpU=\nb:{SHA}y5/IUz3Tf3I3r1xLOYKDQJPvDpU=\nc:{PLAIN}c\n"
		  "d:{SCRAM-SHA-256}5000" KEYS "e:{SCRAM-SHA-256}5000" KEYS, "d" },
		{ "a:$5$" HASH "b:{PLAIN}b\nc:$5$" HASH, "b" },
		{ "a:$5$" HASH "b:!\nc:$5$" HASH, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct user_table *table = read_good(rows[i].text);
		const struct user *typical = user_table_typical_scram(table);

		assert_true((typical == NULL) == (rows[i].typical == NULL));
		if (typical != NULL)
			assert_ptr_equal(typical, user_table_find(table, slice_of(rows[i].typical)));
		user_table_put(&table);
	}
}

static void
a_hundred_thousand_users_are_read_quickly(void **state)
{
	enum { USERS = 100000, MOST_MS = 5000 };	/* with sanitizers; without it takes about 100 */
	static const char hash[] = "{SHA512-CRYPT}$6$O.KOwN0GLPiSC/Kf$NQ68dTukmr4ZfFdYzbNsX8kTIYTfQ6RFVM9Jo"
				   "/Odk2oBlsgXH4glxY4hBk93js7OW/f5qVr1CRVZEUj7xdYOz0";
	struct buf text = { 0 };
	struct user_table *table;
	clock_t begun;
	long long ms;

	(void)state;
	for (int i = 0; i < USERS; i++)
		buf_printf(&text, "user%06d@example.com:%s::::::pool=a\n", i, hash);
	*buf_reserve(&text, 1) = '\0';
	/* of the processor, which may have other work */
	begun = clock();
	table = read_good(buf_data(&text));
	ms = (long long)(clock() - begun) * 1000 / CLOCKS_PER_SEC;
	print_message("# %d users in %lld ms\n", USERS, ms);
	assert_true(ms < MOST_MS);
	assert_int_equal(user_table_count(table), USERS);
	user_table_put(&table);
	buf_clear(&text);
}

/* A file in a folder of its own; its time is `age` seconds ago. */
struct place {
	char folder[64], path[80];
};

static void
write_file(const struct place *place, const char *text, int age)
{
	FILE *out = fopen(place->path, "w");
	struct timespec times[2] = { { .tv_sec = time(NULL) - age } };

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
	times[1] = times[0];
	assert_int_equal(utimensat(AT_FDCWD, place->path, times, 0), 0);
}

static int
make_place(void **state)
{
	struct place *place = xcalloc(1, sizeof(*place));

	snprintf(place->folder, sizeof(place->folder), "/tmp/user_file_test.XXXXXX");
	if (mkdtemp(place->folder) == NULL)
		return -1;
	snprintf(place->path, sizeof(place->path), "%s/users", place->folder);
	*state = place;
	return 0;
}

static int
remove_place(void **state)
{
	struct place *place = *state;

	unlink(place->path);
	rmdir(place->folder);
	xfree(place);
	return 0;
}

static bool
knows(struct user_file *file, const char *name)
{
	struct user_table *users = user_file_users(file);
	bool found = user_table_find(users, slice_of(name)) != NULL;

	user_table_put(&users);
	return found;
}

static void
a_changed_file_is_taken(void **state)
{
	const struct place *place = *state;
	struct buf complaints = { 0 };
	struct user_table *old;
	struct user_file *file;
	bool changed;

	write_file(place, "a:{PLAIN}x\n", 100);
	file = user_file_open(place->path, &complaints);
	assert_non_null(file);
	assert_string_equal(user_file_path(file), place->path);
	assert_true(user_file_refresh(file, false, &changed, &complaints));
	assert_false(changed);
	old = user_file_users(file);
	write_file(place, "b:{PLAIN}x\n", 50);
	assert_true(knows(file, "a"));
	assert_true(user_file_refresh(file, false, &changed, &complaints));
	assert_true(changed && knows(file, "b") && !knows(file, "a"));
	assert_non_null(user_table_find(old, slice_of("a")));		/* who has them keeps them */
	user_table_put(&old);
	assert_int_equal(buf_len(&complaints), 0);
	user_file_put(&file);
	buf_clear(&complaints);
}

/* As a service user meets a file that root renewed; whoever is not root cannot read a mode of 0. */
static bool
refresh_as_other(struct user_file *file, bool *changed, struct buf *complaints)
{
	enum { OTHER = 65534 };
	bool is_root = geteuid() == 0, ok;

	if (is_root)
		assert_int_equal(seteuid(OTHER), 0);
	ok = user_file_refresh(file, false, changed, complaints);
	if (is_root)
		assert_int_equal(seteuid(0), 0);
	return ok;
}

static void
a_file_that_becomes_readable_is_taken(void **state)
{
	const struct place *place = *state;
	struct buf complaints = { 0 };
	struct user_file *file;
	bool changed;

	assert_int_equal(chmod(place->folder, 0711), 0);
	write_file(place, "a:{PLAIN}x\n", 100);
	file = user_file_open(place->path, &complaints);
	assert_non_null(file);
	write_file(place, "b:{PLAIN}x\n", 50);
	assert_int_equal(chmod(place->path, 0), 0);
	assert_false(refresh_as_other(file, &changed, &complaints));
	assert_non_null(strstr(text_of(&complaints), "Permission denied"));
	assert_true(knows(file, "a"));
	assert_int_equal(chmod(place->path, 0644), 0);
	assert_true(refresh_as_other(file, &changed, &complaints));
	assert_true(changed && knows(file, "b"));
	user_file_put(&file);
	buf_clear(&complaints);
}

static void
a_bad_change_is_said_once_and_left(void **state)
{
	const struct place *place = *state;
	struct buf complaints = { 0 };
	struct user_file *file;
	bool changed;

	write_file(place, "a:{PLAIN}x\n", 100);
	file = user_file_open(place->path, &complaints);
	write_file(place, "b:{PLAIN}x\nbad\n", 50);
	assert_false(user_file_refresh(file, false, &changed, &complaints));
	assert_non_null(strstr(text_of(&complaints), "users:2: no :"));
	assert_false(changed);
	assert_true(knows(file, "a"));
	buf_clear(&complaints);
	assert_true(user_file_refresh(file, false, &changed, &complaints));
	assert_false(changed);
	assert_false(user_file_refresh(file, true, &changed, &complaints));	/* a reload wants to know */
	unlink(place->path);
	buf_clear(&complaints);
	assert_false(user_file_refresh(file, false, &changed, &complaints));
	assert_non_null(strstr(text_of(&complaints), "users: No such file"));
	assert_true(knows(file, "a"));
	write_file(place, "a:{PLAIN}x\nc:{PLAIN}x\n", 40);
	assert_true(user_file_refresh(file, false, &changed, &complaints));
	assert_true(changed && knows(file, "c"));
	user_file_put(&file);
	buf_clear(&complaints);
}

static void
what_is_being_written_is_left_for_the_next_look(void **state)
{
	const struct place *place = *state;
	struct buf complaints = { 0 };
	struct user_file *file;
	bool changed;

	write_file(place, "a:{PLAIN}x\n", 100);
	file = user_file_open(place->path, &complaints);
	write_file(place, "b:{PLA", 0);
	assert_true(user_file_refresh(file, false, &changed, &complaints));
	assert_true(!changed && knows(file, "a"));
	write_file(place, "b:{PLAIN}x\n", 0);
	assert_true(user_file_refresh(file, true, &changed, &complaints));
	assert_true(changed && knows(file, "b"));
	write_file(place, "c:{PLAIN}x\n", -1000);		/* a clock that is wrong */
	assert_true(user_file_refresh(file, false, &changed, &complaints));
	assert_true(changed && knows(file, "c"));
	user_file_put(&file);
	buf_clear(&complaints);
}

static void
what_is_no_file_is_told(void **state)
{
	const struct place *place = *state;
	struct buf complaints = { 0 };

	assert_null(user_file_open(place->path, &complaints));
	assert_non_null(strstr(text_of(&complaints), "users: No such file"));
	buf_clear(&complaints);
	assert_null(user_file_open(place->folder, &complaints));
	assert_true(buf_len(&complaints) > 0);
	buf_clear(&complaints);
	assert_int_equal(mkfifo(place->path, 0600), 0);
	assert_null(user_file_open(place->path, &complaints));
	assert_true(buf_len(&complaints) > 0);
	buf_clear(&complaints);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_both_forms),
		cmocka_unit_test(all_bad_lines_are_told),
		cmocka_unit_test(misplaced_fields_are_told),
		cmocka_unit_test(too_many_bad_lines_are_counted),
		cmocka_unit_test(the_typical_password_is_that_of_most),
		cmocka_unit_test(so_is_that_of_those_whom_scram_can_judge),
		cmocka_unit_test(a_hundred_thousand_users_are_read_quickly),
		cmocka_unit_test_setup_teardown(a_changed_file_is_taken, make_place, remove_place),
		cmocka_unit_test_setup_teardown(a_file_that_becomes_readable_is_taken, make_place,
		    remove_place),
		cmocka_unit_test_setup_teardown(a_bad_change_is_said_once_and_left, make_place, remove_place),
		cmocka_unit_test_setup_teardown(what_is_being_written_is_left_for_the_next_look, make_place,
		    remove_place),
		cmocka_unit_test_setup_teardown(what_is_no_file_is_told, make_place, remove_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
