/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user_table.c: the lines of a user file.  The text is kept as it was read, cut into fields where it lies;
 * an entry points into it.
 */
#include <stdatomic.h>
#include <string.h>

#include "auth/auth_fields.h"
#include "auth/password.h"
#include "auth/user_file.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/map.h"
#include "base/spare.h"
#include "base/xalloc.h"

enum { COMPLAINTS_MAX = 20, FIELDS_BEFORE_EXTRA = 5 };	/* uid, gid, gecos, home, shell */

struct user_table {
	atomic_int references;
	struct buf text;
	struct arena *arena;
	struct map *users;
	const struct user *typical, *typical_scram;
	unsigned proofs;		/* by which all can be judged who are not locked */
};

/* Users whose passwords cost the same; and those of them whom SCRAM can judge. */
struct class {
	const struct user *first, *first_scram;
	int count, count_scram;
};

struct reader {
	const char *path;
	struct user_table *table;
	struct buf *complaints;
	struct map *classes;
	uint32_t line;
	int bad, most, most_scram;
	unsigned proofs;		/* those that every user so far can be judged by */
};

static void
complain(struct reader *reader, const char *text)
{
	if (++reader->bad <= COMPLAINTS_MAX)
		buf_printf(reader->complaints, "%s:%u: %s\n", reader->path, reader->line, text);
}

/* Ends the field with a NUL and moves behind it; false: it was the last one. */
static bool
next_field(char **at)
{
	char *colon = strchr(*at, ':');

	if (colon == NULL)
		return false;
	*colon = '\0';
	*at = colon + 1;
	return true;
}

static bool
is_number(const char *text)
{
	return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* The short form has extra fields where the long one has the uid; those may hold colons, as host=::1 does. */
static bool
is_short_form(const char *rest)
{
	const char *colon = strchr(rest, ':'), *equals = strchr(rest, '=');

	if (colon == NULL)
		return !is_number(rest);
	return equals != NULL && equals < colon;
}

/* Moves *at to the extra fields, to the line's end where there are none; false: one stands before them. */
static bool
find_extra(char **at)
{
	bool is_last = false;

	if (is_short_form(*at))
		return true;
	for (int i = 0; i < FIELDS_BEFORE_EXTRA && !is_last; i++) {
		const char *field = *at;

		is_last = !next_field(at);
		if (auth_fields_are_in(field))
			return false;
	}
	if (is_last)
		*at = strchr(*at, '\0');
	return true;
}

static struct class *
find_class(struct reader *reader, const struct password *password)
{
	struct buf name = { 0 };
	struct class *class;

	password_class(password, &name);
	class = map_get(reader->classes, buf_slice(&name));
	if (class == NULL) {
		class = arena_alloc(reader->table->arena, sizeof(*class));
		map_set(reader->classes, buf_slice(&name), class);
	}
	buf_clear(&name);
	return class;
}

static void
count_user(const struct user *user, const struct user **first, int *count, const struct user **typical,
    int *most)
{
	if ((*count)++ == 0)
		*first = user;
	if (*count > *most) {
		*most = *count;
		*typical = *first;
	}
}

static void
count_class(struct reader *reader, const struct user *user, const struct password *password)
{
	struct user_table *table = reader->table;
	struct class *class;

	if (password->scheme == NULL)
		return;
	class = find_class(reader, password);
	count_user(user, &class->first, &class->count, &table->typical, &reader->most);
	if ((password_proofs(password) & MECHANISM_BIT(MECHANISM_SCRAM_SHA_256)) != 0)
		count_user(user, &class->first_scram, &class->count_scram, &table->typical_scram,
		    &reader->most_scram);
}

/* One with nopassword is judged by the server, and only with a password. */
static void
count_proofs(struct reader *reader, const struct password *password, const struct auth_fields *fields)
{
	if (password->scheme == NULL && fields->nopassword == NULL)
		return;
	reader->proofs &= password_proofs(password);
	reader->table->proofs = reader->proofs;
}

static void
add_user(struct reader *reader, const char *name, const struct user *found)
{
	struct map *users = reader->table->users;
	const struct user *other = map_get(users, slice_of(name));
	struct auth_fields fields;
	struct password password;
	struct error error;
	struct user *user;

	if (other != NULL) {
		(void)error_set(&error, "the user is there twice, first in line %u", other->line);
		complain(reader, error.text);
	} else if (!password_read(found->password, &password, &error) ||
	    !auth_fields_read(found->fields, found->fields_size, &fields, &error)) {
		complain(reader, error.text);
	} else if (fields.nopassword != NULL && *found->password != '\0') {
		complain(reader, "nopassword, and a password");
	} else {
		user = arena_alloc(reader->table->arena, sizeof(*user));
		*user = *found;
		map_set(users, slice_of(name), user);
		count_class(reader, user, &password);
		count_proofs(reader, &password, &fields);
	}
}

static bool
has_control(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)line[i] < ' ' && line[i] != '\t') || line[i] == '\x7f')
			return true;
	return false;
}

/* The line has a NUL behind it. */
static void
read_line(struct reader *reader, char *line, size_t len)
{
	struct user user = { .line = reader->line, .password = "" };
	char *at = line;

	if (has_control(line, len)) {
		complain(reader, "a control character");
		return;
	}
	if (*line == '#' || line[strspn(line, " \t")] == '\0')
		return;
	if (!next_field(&at)) {
		complain(reader, "no : after the user's name");
		return;
	}
	if (*line == '\0') {
		complain(reader, "no name before the first :");
		return;
	}
	user.password = at;
	if (!next_field(&at)) {
		at = line + len;
	} else if (!find_extra(&at)) {
		complain(reader, "an extra field where uid, gid, gecos, home or shell is");
		return;
	}
	user.fields = at;
	user.fields_size = (uint32_t)(line + len - at);
	for (; *at != '\0'; at++)
		if (*at == ' ' || *at == '\t')
			*at = '\0';
	add_user(reader, line, &user);
}

static void
read_lines(struct reader *reader)
{
	struct buf *text = &reader->table->text;
	char *end = buf_reserve(text, 1);	/* the last line may need it for its NUL */
	char *begin = buf_data(text);

	for (char *line = begin, *next; line < end && !spare_is_used(); line = next + 1) {
		size_t len;

		next = memchr(line, '\n', (size_t)(end - line));
		if (next == NULL)
			next = end;
		len = (size_t)(next - line);
		if (len > 0 && line[len - 1] == '\r')
			len--;
		line[len] = '\0';
		reader->line++;
		read_line(reader, line, len);
	}
}

struct user_table *
user_table_read(const char *path, struct buf *text, struct buf *complaints)
{
	struct user_table *table = xcalloc(1, sizeof(*table));
	struct reader reader = {
		.path = path, .table = table, .complaints = complaints,
		.proofs = mechanisms_provable(),
	};

	atomic_init(&table->references, 1);
	table->text = *text;
	*text = (struct buf){ 0 };
	table->arena = arena_new();
	table->users = map_new();
	reader.classes = map_new();
	if (buf_len(&table->text) >= UINT32_MAX)
		complain(&reader, "the file is too large");
	else
		read_lines(&reader);
	if (spare_is_used())
		complain(&reader, "out of memory");
	map_free(&reader.classes);
	if (reader.bad > COMPLAINTS_MAX)
		buf_printf(complaints, "%s: %d more bad lines\n", path, reader.bad - COMPLAINTS_MAX);
	if (reader.bad > 0)
		user_table_put(&table);
	return table;
}

struct user_table *
user_table_get(struct user_table *table)
{
	atomic_fetch_add_explicit(&table->references, 1, memory_order_relaxed);
	return table;
}

void
user_table_put(struct user_table **table)
{
	struct user_table *t = *table;

	*table = NULL;
	if (t == NULL || atomic_fetch_sub(&t->references, 1) != 1)
		return;
	map_free(&t->users);
	arena_free(&t->arena);
	buf_wipe(&t->text);
	xfree(t);
}

const struct user *
user_table_find(const struct user_table *table, struct slice name)
{
	return map_get(table->users, name);
}

size_t
user_table_count(const struct user_table *table)
{
	return map_count(table->users);
}

const struct user *
user_table_typical(const struct user_table *table)
{
	return table->typical;
}

const struct user *
user_table_typical_scram(const struct user_table *table)
{
	return table->typical_scram;
}

unsigned
user_table_proofs(const struct user_table *table)
{
	return table->proofs;
}
