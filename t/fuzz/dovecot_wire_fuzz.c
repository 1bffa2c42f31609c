/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dovecot_wire_fuzz.c: lines of an auth server, of any kind, and what is said
 * to it of clients with any names: one line each, which reads back.
 */
#include "fuzz.h"

#include "auth/dovecot_wire.h"
#include "base/base64.h"

static void
read_line(struct slice text)
{
	struct dovecot_line line;
	struct buf out = { 0 };

	if (!dovecot_line_read(text, &line))
		return;
	must(line.id != 0 || line.command < DOVECOT_OK, "replies have an id");
	(void)dovecot_version_is_ours(&line);
	must(dovecot_mechanism(&line).len <= text.len, "a mechanism is within its line");
	if (dovecot_read_message(&line, &out))
		must(buf_len(&out) <= text.len, "a message is shorter than its base64");
	buf_clear(&out);
	if (dovecot_read_words(&line, &out)) {
		must(buf_len(&out) <= text.len + 1, "words do not grow");
		must(buf_len(&out) == 0 || buf_data(&out)[buf_len(&out) - 1] == '\0', "all words end");
		(void)dovecot_word(&out, "user");
	}
	buf_clear(&out);
}

/* Whatever a name is, it makes no second line, nor another parameter, and comes back. */
static void
write_name(struct slice text)
{
	const struct addr nowhere = { .sa.sa_family = AF_UNIX };
	char *name = xstrndup(text.data, strnlen(text.data, text.len));
	struct dovecot_facts facts = {
		.service = "imap", .client = &nowhere, .local = &nowhere, .session = name, .name = name,
		.certificate_user = name,
	};
	struct buf out = { 0 }, words = { 0 };
	struct dovecot_line line = { 0 };

	if (dovecot_write_auth(1, "PLAIN", &facts, &text, &out)) {
		struct slice written = buf_slice(&out);

		must(written.len <= DOVECOT_LINE_MAX, "a line is no longer than it may be");
		must(memchr(written.data, '\n', written.len) == written.data + written.len - 1, "one line");
		must(memchr(written.data, '\0', written.len) == NULL, "without a NUL");
		line.parameters = slice_make(written.data, written.len - 1);
		must(dovecot_read_words(&line, &words), "it reads back");
		must_equal(slice_of(dovecot_word(&words, "session")), slice_of(name), "the session");
		must_equal(slice_of(dovecot_word(&words, "cert_username")), slice_of(name), "the name");
		buf_clear(&out);
		must(base64_decode(slice_of(dovecot_word(&words, "resp")), &out), "the response is base64");
		must_equal(buf_slice(&out), text, "the response");
	}
	buf_clear(&words);
	buf_clear(&out);
	xfree(name);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = exact(slice_make((const char *)data, size));

	read_line(slice_make(copy, size));
	write_name(slice_make(copy, size));
	xfree(copy);
	return 0;
}
