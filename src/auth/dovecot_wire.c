/* SPDX-License-Identifier: BSD-2-Clause */
/* dovecot_wire.c: commands and parameters, cut, escaped and put together. */
#include "auth/dovecot_wire.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "base/base64.h"

enum {
	ESCAPE = '\1',
	OUR_MAJOR = 1,
	OUR_MINOR = 2		/* with 3 servers would offer channel bindings, with 4 acknowledge CANCEL */
};

static const struct command {
	const char *name;
	enum dovecot_command command;
	bool has_id;
} commands[] = {
	{ "VERSION",  DOVECOT_VERSION,  false },
	{ "MECH",     DOVECOT_MECH,     false },
	{ "DONE",     DOVECOT_DONE,     false },
	{ "OK",       DOVECOT_OK,       true },
	{ "CONT",     DOVECOT_CONT,     true },
	{ "FAIL",     DOVECOT_FAIL,     true },
	{ "PASS",     DOVECOT_PASS,     true },
	{ "NOTFOUND", DOVECOT_NOTFOUND, true },
};

/* Also those that are yet to be invented look like this. */
static bool
is_command(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!isupper((unsigned char)name.data[i]) && name.data[i] != '-' && name.data[i] != '_')
			return false;
	return name.len > 0;
}

bool
dovecot_line_read(struct slice text, struct dovecot_line *line)
{
	struct slice name = slice_take(&text, '\t');
	uint64_t id = 0;

	*line = (struct dovecot_line){ .command = DOVECOT_OTHER };
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!slice_equals(name, commands[i].name))
			continue;
		if (commands[i].has_id &&
		    (!slice_to_number(slice_take(&text, '\t'), UINT32_MAX, &id) || id == 0))
			return false;
		line->command = commands[i].command;
	}
	line->id = (uint32_t)id;
	line->parameters = text;
	return is_command(name);
}

bool
dovecot_version_is_ours(const struct dovecot_line *line)
{
	struct slice rest = line->parameters;
	uint64_t major;

	return slice_to_number(slice_take(&rest, '\t'), UINT32_MAX, &major) && major == OUR_MAJOR;
}

struct slice
dovecot_mechanism(const struct dovecot_line *line)
{
	struct slice rest = line->parameters, name = slice_take(&rest, '\t');

	while (rest.len > 0)
		if (slice_equals(slice_take(&rest, '\t'), "private"))
			return slice_of("");
	return name;
}

bool
dovecot_read_message(const struct dovecot_line *line, struct buf *message)
{
	struct slice rest = line->parameters;

	return base64_decode(slice_take(&rest, '\t'), message);
}

static char
unescaped(char c)
{
	switch (c) {
	case '0': return '\0';
	case '1': return ESCAPE;
	case 't': return '\t';
	case 'r': return '\r';
	case 'n': return '\n';
	default: return c;
	}
}

static bool
read_word(struct slice text, struct buf *words)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c == ESCAPE && i + 1 < text.len)
			c = unescaped(text.data[++i]);
		if (c == '\0')
			return false;
		buf_append(words, &c, 1);
	}
	buf_append(words, "", 1);
	return true;
}

bool
dovecot_read_words(const struct dovecot_line *line, struct buf *words)
{
	struct slice rest = line->parameters;

	while (rest.len > 0)
		if (!read_word(slice_take(&rest, '\t'), words))
			return false;
	return true;
}

const char *
dovecot_word(const struct buf *words, const char *name)
{
	struct slice all = buf_slice(words);
	size_t len = strlen(name);
	const char *found = NULL;

	for (size_t i = 0; i < all.len; i += strlen(all.data + i) + 1) {
		const char *word = all.data + i;

		if (strncmp(word, name, len) == 0 && (word[len] == '=' || word[len] == '\0'))
			found = word + len + (word[len] == '=');
	}
	return found;
}

static void
write_escaped(struct slice text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		switch (text.data[i]) {
		case '\0': buf_append_text(out, "\0010"); break;
		case ESCAPE: buf_append_text(out, "\0011"); break;
		case '\t': buf_append_text(out, "\001t"); break;
		case '\r': buf_append_text(out, "\001r"); break;
		case '\n': buf_append_text(out, "\001n"); break;
		default: buf_append(out, text.data + i, 1); break;
		}
	}
}

static void
write_parameter(const char *name, const char *value, struct buf *out)
{
	buf_printf(out, "\t%s=", name);
	write_escaped(slice_of(value), out);
}

/* That of a unix socket is none. */
static void
write_address(const char *ip, const char *port, const struct addr *addr, struct buf *out)
{
	char text[ADDR_TEXT_MAX];

	if (addr->sa.sa_family == AF_INET || addr->sa.sa_family == AF_INET6)
		buf_printf(out, "\t%s=%s\t%s=%u", ip, addr_host(addr, text), port, addr_port(addr));
}

static void
write_facts(const struct dovecot_facts *facts, struct buf *out)
{
	write_parameter("service", facts->service, out);
	write_address("lip", "lport", facts->local, out);
	write_address("rip", "rport", facts->client, out);
	write_parameter("session", facts->session, out);
	if (facts->name != NULL)
		write_parameter("local_name", facts->name, out);
	if (facts->is_secured)
		buf_append_text(out, "\tsecured");
	if (facts->certificate_user == NULL)
		return;
	buf_append_text(out, "\tvalid-client-cert");
	write_parameter("cert_username", facts->certificate_user, out);
}

/* What was written from `begin` on, as a line; or nothing where it is too long. */
static bool
end_line(size_t begin, struct buf *out)
{
	buf_append_text(out, "\n");
	if (buf_len(out) - begin <= DOVECOT_LINE_MAX)
		return true;
	buf_truncate(out, begin);
	return false;
}

void
dovecot_write_handshake(bool is_master, uint32_t process, struct buf *out)
{
	buf_printf(out, "VERSION\t%d\t%d\n", OUR_MAJOR, OUR_MINOR);
	if (!is_master)
		buf_printf(out, "CPID\t%" PRIu32 "\n", process);
}

bool
dovecot_write_auth(uint32_t id, const char *mechanism, const struct dovecot_facts *facts,
    const struct slice *initial, struct buf *out)
{
	size_t begin = buf_len(out);

	if (initial != NULL && initial->len > DOVECOT_RESPONSE_MAX)
		return false;
	buf_printf(out, "AUTH\t%" PRIu32 "\t%s", id, mechanism);
	write_facts(facts, out);
	if (initial != NULL) {
		buf_append_text(out, "\tresp=");
		base64_encode(*initial, out);
	}
	return end_line(begin, out);
}

bool
dovecot_write_cont(uint32_t id, struct slice message, struct buf *out)
{
	size_t begin = buf_len(out);

	if (message.len > DOVECOT_RESPONSE_MAX)
		return false;
	buf_printf(out, "CONT\t%" PRIu32 "\t", id);
	base64_encode(message, out);
	return end_line(begin, out);
}

bool
dovecot_write_pass(uint32_t id, const char *user, const struct dovecot_facts *facts, struct buf *out)
{
	size_t begin = buf_len(out);

	buf_printf(out, "PASS\t%" PRIu32 "\t", id);
	write_escaped(slice_of(user), out);
	write_facts(facts, out);
	return end_line(begin, out);
}

void
dovecot_write_cancel(uint32_t id, struct buf *out)
{
	buf_printf(out, "CANCEL\t%" PRIu32 "\n", id);
}
