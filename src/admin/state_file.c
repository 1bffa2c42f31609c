/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state_file.c: lines of words; in names and texts blanks, control characters and % are %XX, and "-" is
 * nothing.
 */
#include "admin/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "balance/machine.h"
#include "base/hash.h"
#include "base/xalloc.h"

enum { FILE_MAX = 16 << 20, FILE_MODE = 0640, READ_STEP = 64 << 10, TIME_BITS = 40 };

static const char title[] = "gatepost state ";
static const char version[] = "3", old_version[] = "1";	/* with one when, who and why for both words */
static const char servers_version[] = "2";		/* no more than servers */
static const char setting_word[] = "set";
static const char *const kinds[] = { "farm", "pool", "service" };
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) == SERVER_KIND_COUNT, "one word per kind");

const char *
server_kind_text(enum server_kind kind)
{
	return kinds[kind];
}

static void
word_init(struct server_word *word, int value)
{
	word->now = word->in_file = value;
	word->who = xstrdup("");
	word->why = xstrdup("");
}

static void
word_clear(struct server_word *word)
{
	xfree(word->who);
	xfree(word->why);
}

struct server_record *
server_record_new(enum server_kind kind, const char *owner, const char *name)
{
	struct server_record *record = xcalloc(1, sizeof(*record));

	record->kind = kind;
	record->owner = xstrdup(owner);
	record->name = xstrdup(name);
	word_init(&record->state, 0);
	word_init(&record->weight, -1);
	return record;
}

void
server_record_free(struct server_record **record)
{
	struct server_record *gone = *record;

	*record = NULL;
	if (gone == NULL)
		return;
	list_remove(&gone->node);
	xfree(gone->owner);
	xfree(gone->name);
	word_clear(&gone->state);
	word_clear(&gone->weight);
	xfree(gone);
}

void
server_record_set_text(char **field, const char *text)
{
	char *copy = xstrdup(text);

	xfree(*field);
	*field = copy;
}

bool
server_word_deviates(const struct server_word *word)
{
	return word->now != word->in_file;
}

bool
server_word_is_overruled(const struct server_word *word, int in_file)
{
	return server_word_deviates(word) && word->in_file != in_file && word->now != in_file;
}

bool
server_record_deviates(const struct server_record *record)
{
	return server_word_deviates(&record->state) || server_word_deviates(&record->weight);
}

static void
put_word(struct buf *out, const char *text)
{
	if (*text == '\0' || strcmp(text, "-") == 0)
		buf_append_text(out, *text == '\0' ? "-" : "%2D");
	for (const char *c = text; *c != '\0' && strcmp(text, "-") != 0; c++) {
		if ((unsigned char)*c <= ' ' || *c == '%' || *c == '\x7f')
			buf_printf(out, "%%%02X", (unsigned char)*c);
		else
			buf_append(out, c, 1);
	}
}

static void
put_history(struct buf *out, const struct server_word *word)
{
	buf_printf(out, " %" PRId64 " ", word->when);
	put_word(out, word->who);
	buf_append_text(out, " ");
	put_word(out, word->why);
}

static void
put_record(struct buf *out, const struct server_record *r)
{
	buf_printf(out, "%s ", kinds[r->kind]);
	put_word(out, r->owner);
	buf_append_text(out, " ");
	put_word(out, r->name);
	buf_printf(out, " %s %s", admin_state_text((enum admin_state)r->state.now),
	    admin_state_text((enum admin_state)r->state.in_file));
	put_history(out, &r->state);
	buf_printf(out, " %d %d", r->weight.now, r->weight.in_file);
	put_history(out, &r->weight);
	buf_append_text(out, "\n");
}

void
setting_free(struct setting **setting)
{
	struct setting *gone = *setting;

	*setting = NULL;
	list_remove(&gone->node);
	xfree(gone->kind);
	xfree(gone->subject);
	xfree(gone->what);
	xfree(gone->now);
	xfree(gone->in_file);
	xfree(gone->who);
	xfree(gone->why);
	xfree(gone);
}

static size_t
put_settings(struct buf *out, const struct list *settings)
{
	size_t count = 0;

	list_each(node, settings) {
		const struct setting *s = list_entry(node, struct setting, node);
		const char *const words[] = {
			s->kind, s->subject, s->what, s->now, s->in_file, s->who, s->why,
		};

		buf_printf(out, "%s %" PRId64, setting_word, s->when);
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
			buf_append_text(out, " ");
			put_word(out, words[i]);
		}
		buf_append_text(out, "\n");
		count++;
	}
	return count;
}

static size_t
put_records(struct buf *out, const struct list *records)
{
	size_t count = 0;

	list_each(node, records) {
		const struct server_record *r = list_entry(node, struct server_record, node);

		if (!server_record_deviates(r))
			continue;
		put_record(out, r);
		count++;
	}
	return count;
}

void
state_format(const struct state_lists *lists, struct buf *out)
{
	size_t start = buf_len(out), count;
	struct slice whole;

	buf_printf(out, "%s%s\n", title, version);
	count = put_records(out, lists->records);
	count += put_records(out, lists->more_records);
	count += put_settings(out, lists->settings);
	count += put_settings(out, lists->more_settings);
	whole = slice_from(buf_slice(out), start);
	buf_printf(out, "end %zu %08" PRIx32 "\n", count, hash_crc32c(whole.data, whole.len));
}

static int
hex_digit(char c)
{
	const char *digits = "0123456789ABCDEF", *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

/* Into *field; false: it is no word of ours. */
static bool
take_text(struct slice *line, char **field)
{
	struct slice word = slice_word(line);
	struct buf text = { 0 };
	bool ok = word.len > 0;

	for (size_t i = 0; ok && i < word.len && !slice_equals(word, "-"); i++) {
		char c = word.data[i];

		if (c == '%') {
			int high = i + 2 < word.len ? hex_digit(word.data[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(word.data[i + 2]) : -1;

			ok = low >= 0 && high * 16 + low != 0;
			c = (char)(high * 16 + low);
			i += 2;
		}
		if (ok)
			buf_append(&text, &c, 1);
	}
	if (ok) {
		xfree(*field);
		*field = xstrndup(buf_slice(&text).data, buf_len(&text));
	}
	buf_clear(&text);
	return ok;
}

static bool
take_state(struct slice *line, int *state)
{
	struct slice word = slice_word(line);

	for (*state = 0; *state < ADMIN_STATE_COUNT; (*state)++)
		if (slice_equals(word, admin_state_text((enum admin_state)*state)))
			return true;
	return false;
}

static bool
take_weight(struct slice *line, bool has_weight, int *weight)
{
	struct slice word = slice_word(line);
	uint64_t number;

	*weight = -1;
	if (!has_weight)
		return slice_equals(word, "-1");
	if (!slice_to_number(word, MACHINE_WEIGHT_MAX, &number))
		return false;
	*weight = (int)number;
	return true;
}

static bool
take_history(struct slice *line, struct server_word *word)
{
	uint64_t when = 0;
	bool ok = slice_to_number(slice_word(line), UINT64_C(1) << TIME_BITS, &when) &&
	    take_text(line, &word->who) && take_text(line, &word->why);

	word->when = (int64_t)when;
	return ok;
}

/* A weight's history was that of the state; why was the state's alone. */
static bool
take_old_words(struct slice *line, struct server_record *r, bool has_weight)
{
	if (!take_state(line, &r->state.now) || !take_weight(line, has_weight, &r->weight.now) ||
	    !take_state(line, &r->state.in_file) || !take_weight(line, has_weight, &r->weight.in_file) ||
	    !take_history(line, &r->state))
		return false;
	r->weight.when = r->state.when;
	server_record_set_text(&r->weight.who, r->state.who);
	return true;
}

static bool
take_words(struct slice *line, struct server_record *r, bool has_weight)
{
	return take_state(line, &r->state.now) && take_state(line, &r->state.in_file) &&
	    take_history(line, &r->state) && take_weight(line, has_weight, &r->weight.now) &&
	    take_weight(line, has_weight, &r->weight.in_file) && take_history(line, &r->weight);
}

static bool
parse_setting(struct slice line, struct list *settings)
{
	struct setting *s = xcalloc(1, sizeof(*s));
	char **const fields[] = { &s->kind, &s->subject, &s->what, &s->now, &s->in_file, &s->who, &s->why };
	uint64_t when = 0;
	bool ok = slice_to_number(slice_word(&line), UINT64_C(1) << TIME_BITS, &when);

	s->when = (int64_t)when;
	for (size_t i = 0; ok && i < sizeof(fields) / sizeof(fields[0]); i++)
		ok = take_text(&line, fields[i]);
	list_append(settings, &s->node);
	if (ok && slice_word(&line).len == 0)
		return true;
	setting_free(&s);
	return false;
}

static bool
parse_record(struct slice line, bool is_old, struct list *records)
{
	struct server_record *r = server_record_new(SERVER_OF_FARM, "", "");
	struct slice word = slice_word(&line);
	bool ok, has_weight;
	int kind = 0;

	while (kind < SERVER_KIND_COUNT && !slice_equals(word, kinds[kind]))
		kind++;
	has_weight = kind != SERVER_SERVICE;
	r->kind = (enum server_kind)kind;
	ok = kind < SERVER_KIND_COUNT && take_text(&line, &r->owner) && take_text(&line, &r->name) &&
	    (is_old ? take_old_words : take_words)(&line, r, has_weight) && slice_word(&line).len == 0;
	if (ok)
		list_append(records, &r->node);
	else
		server_record_free(&r);
	return ok;
}

static bool
parse_line(struct slice line, bool is_old, const struct state_lists *lists)
{
	struct slice rest = line;

	if (slice_equals(slice_word(&rest), setting_word))
		return parse_setting(rest, lists->settings);
	return parse_record(line, is_old, lists->records);
}

static bool
check_end(struct slice line, struct slice before, size_t count, struct error *error)
{
	char wanted[64];

	snprintf(wanted, sizeof(wanted), "end %zu %08" PRIx32, count, hash_crc32c(before.data, before.len));
	return slice_equals(line, wanted) || error_set(error, "its sum is wrong");
}

static bool
parse_lines(struct slice text, const struct state_lists *lists, struct error *error)
{
	struct slice rest = text, line;
	size_t count = 0;
	int number = 1;
	bool is_old;

	line = slice_take(&rest, '\n');
	if (!slice_has_prefix(line, title))
		return error_set(error, "it is no state file of gatepost's");
	line = slice_from(line, strlen(title));
	is_old = slice_equals(line, old_version);
	if (!is_old && !slice_equals(line, servers_version) && !slice_equals(line, version))
		return error_set(error, "it has the version %.*s, and this gatepost knows %s",
		    SLICE_ARGS(line), version);
	while (rest.len > 0) {
		struct slice before = slice_make(text.data, (size_t)(rest.data - text.data));

		number++;
		if (memchr(rest.data, '\n', rest.len) == NULL)
			break;
		line = slice_take(&rest, '\n');
		if (slice_has_prefix(line, "end "))
			return (rest.len == 0 || error_set(error, "something stands behind its end")) &&
			    check_end(line, before, count, error);
		if (!parse_line(line, is_old, lists))
			return error_set(error, "its line %d is not understood", number);
		count++;
	}
	return error_set(error, "it is cut short");
}

static void
drop_all(const struct state_lists *lists)
{
	list_each(node, lists->records) {
		struct server_record *r = list_entry(node, struct server_record, node);

		server_record_free(&r);
	}
	list_each(node, lists->settings) {
		struct setting *s = list_entry(node, struct setting, node);

		setting_free(&s);
	}
}

static void
append_all(struct list *to, struct list *from)
{
	list_each(node, from) {
		list_remove(node);
		list_append(to, node);
	}
}

bool
state_parse(struct slice text, const struct state_lists *lists, struct error *error)
{
	struct list records, settings;
	const struct state_lists found = { .records = &records, .settings = &settings };

	list_init(&records);
	list_init(&settings);
	if (!parse_lines(text, &found, error)) {
		drop_all(&found);
		return false;
	}
	append_all(lists->records, &records);
	append_all(lists->settings, &settings);
	return true;
}

bool
state_read(const char *path, const struct state_lists *lists, struct error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct buf text = { 0 };
	struct stat st;
	ssize_t n = 0;
	bool ok;

	if (fd < 0 && errno == ENOENT)
		return true;
	if (fd < 0)
		return error_set(error, "%s", strerror(errno));
	ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	while (ok && buf_len(&text) <= FILE_MAX &&
	    (n = read(fd, buf_reserve(&text, READ_STEP), READ_STEP)) > 0)
		buf_added(&text, (size_t)n);
	if (!ok)
		error_set(error, "it is not a regular file");
	else if (n < 0)
		ok = error_set(error, "%s", strerror(errno));
	else if (buf_len(&text) > FILE_MAX)
		ok = error_set(error, "it is larger than %d MiB", FILE_MAX >> 20);
	else
		ok = state_parse(buf_slice(&text), lists, error);
	close(fd);
	buf_clear(&text);
	return ok;
}

/* That the name is another file's, too, is on the disk. */
static void
sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash == NULL ? xstrdup(".") : xstrndup(path, (size_t)(slash - path) + 1);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	xfree(folder);
	if (fd < 0)
		return;
	(void)fsync(fd);
	close(fd);
}

static bool
write_all(int fd, struct slice text)
{
	while (text.len > 0) {
		ssize_t n = write(fd, text.data, text.len);

		if (n < 0 && errno != EINTR)
			return false;
		text = slice_from(text, n > 0 ? (size_t)n : 0);
	}
	return fsync(fd) == 0;
}

/*
 * The next file, empty and this process's alone: what two wrote into would be nobody's.  -1: the error tells.
 * Who had it before may have given it its name meanwhile.
 */
static int
open_next(const char *path, struct error *error)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
	struct stat ours, there;
	bool is_free;

	if (fd < 0) {
		error_set(error, "%s", strerror(errno));
		return -1;
	}
	is_free = flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &ours) == 0 && lstat(path, &there) == 0 &&
	    ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
	if (is_free && ftruncate(fd, 0) == 0)
		return fd;
	if (is_free)
		error_set(error, "%s", strerror(errno));
	else
		error_set(error, "another process is writing it");
	close(fd);
	return -1;
}

bool
state_write(const char *path, struct slice text, struct error *error)
{
	char *new_path = xasprintf("%s.new", path);
	int fd = open_next(new_path, error);
	bool ok = fd >= 0 && write_all(fd, text) && rename(new_path, path) == 0;

	if (fd >= 0 && !ok) {
		error_set(error, "%s", strerror(errno));
		(void)unlink(new_path);
	}
	if (fd >= 0)
		close(fd);
	if (ok)
		sync_folder(path);
	xfree(new_path);
	return ok;
}
