/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user_file_fuzz.c: user files of any content: good, with every line's user
 * in it, or bad with complaints; and passwords that are cheap to match.
 */
#include "fuzz.h"

#include "auth/auth_fields.h"
#include "auth/password.h"
#include "auth/user_file.h"

static void
check_user(const struct user *user)
{
	struct auth_fields fields;
	struct password password;
	struct error error;
	struct buf class = { 0 }, texts = { 0 };

	must(user != NULL, "every line's user is there");
	must(password_read(user->password, &password, &error), "passwords of good files are good");
	must(auth_fields_read(user->fields, user->fields_size, &fields, &error), "so are fields");
	auth_fields_expand(&fields, "bob@example.com", &texts);
	buf_wipe(&texts);
	password_class(&password, &class);
	must((password.scheme == NULL) == (buf_len(&class) == 0), "only what is locked has no class");
	buf_clear(&class);
	if (password.scheme == NULL)
		must(!password_matches(&password, slice_of("")), "nothing matches what is locked");
	else if (!password_is_slow(&password))
		password_matches(&password, slice_of("secret"));
}

/* All names, found by a second reading of the lines. */
static size_t
check_lines(const struct user_table *table, struct slice text)
{
	size_t count = 0;

	while (text.len > 0) {
		const char *newline = memchr(text.data, '\n', text.len), *colon;
		size_t len = newline != NULL ? (size_t)(newline - text.data) : text.len;
		struct slice line = slice_make(text.data, len);

		text = slice_from(text, line.len + 1);
		if (line.len == 0 || line.data[0] == '#')
			continue;
		colon = memchr(line.data, ':', line.len);
		if (colon == NULL) {
			must(slice_trim(line).len == 0, "only blank lines have no user");
			continue;
		}
		check_user(user_table_find(table, slice_make(line.data, (size_t)(colon - line.data))));
		count++;
	}
	return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text = { 0 }, complaints = { 0 };
	struct slice lines = slice_make((const char *)data, size);
	struct user_table *table;

	buf_append_slice(&text, lines);
	table = user_table_read("users", &text, &complaints);
	must((table == NULL) == (buf_len(&complaints) > 0), "users or complaints");
	if (table != NULL) {
		must(check_lines(table, lines) == user_table_count(table), "no others");
		user_table_put(&table);
	}
	buf_clear(&complaints);
	return 0;
}
