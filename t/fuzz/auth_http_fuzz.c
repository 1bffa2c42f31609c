/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_http_fuzz.c: replies of any content, of which only one with a clear
 * OK is good; and questions about clients who say anything, which stay as
 * many lines as there are headers.
 */
#include "fuzz.h"

#include "auth/auth_http_message.h"

static bool
is_safe(const char *text, bool is_ascii)
{
	for (; text != NULL && *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == '\x7f' || (is_ascii && (unsigned char)*text > '~'))
			return false;
	return true;
}

static void
read_reply(struct slice lines)
{
	struct auth_http_reply reply;

	auth_http_read(lines, &reply);
	must(is_safe(reply.text, true) && is_safe(reply.code, true), "clients are told printable words");
	must(is_safe(reply.user, false) && is_safe(reply.pass, false), "one line each");
	must(is_safe(reply.server, false) && is_safe(reply.pool, false), "one line each");
	must((reply.status == AUTH_HTTP_ERROR) <= (reply.text[0] != '\0'), "an error has a text");
	must((reply.status == AUTH_HTTP_GARBAGE) == (reply.garbage != NULL), "garbage is named");
	if (reply.status == AUTH_HTTP_OK)
		must(memmem(lines.data, lines.len, "OK", 2) != NULL, "nobody else is let in");
	auth_http_reply_clear(&reply);
}

static size_t
count_lines(const struct buf *out)
{
	size_t count = 0;

	for (size_t i = 0; i < buf_len(out); i++) {
		bool is_end = buf_data(out)[i] == '\n';

		must(!is_end || (i > 0 && buf_data(out)[i - 1] == '\r'), "no bare LF");
		must(buf_data(out)[i] != '\r' || i + 1 < buf_len(out), "no bare CR at the end");
		must(buf_data(out)[i] != '\r' || buf_data(out)[i + 1] == '\n', "no bare CR");
		count += is_end;
	}
	return count;
}

static void
write_question(const struct input *input)
{
	struct auth auth = { .escape = has_option(input, 1) ? AUTH_HTTP_STRICT : AUTH_HTTP_NGINX };
	struct identity identity = { .tls_version = has_option(input, 2) ? "TLSv1.3" : NULL };
	struct credentials credentials = { .mechanism = MECHANISM_PLAIN };
	struct auth_scene scene = { .listener = "l", .protocol = "imap", .mail = input->body,
		.recipient = input->body, .mail_name = has_option(input, 3) ? "smtp" : NULL };
	struct auth_request request = { .identity = &identity, .scene = &scene, .user = "u",
		.credentials = &credentials, .is_lookup = has_option(input, 4) };
	size_t lines = 7 + (has_option(input, 2) ? 2 : 0) + (has_option(input, 3) ? 1 : 0);
	struct buf out = { 0 };

	buf_append_slice(&credentials.user, input->body);
	buf_append_slice(&credentials.password, input->body);
	auth_http_write(&request, &auth, "h", NULL, &out);
	if (has_option(input, 3) && has_option(input, 4))
		lines += 3;
	must(count_lines(&out) == lines, "no header is injected");
	credentials_wipe(&credentials);
	buf_clear(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input;
	char *copy;

	if (!input_read(data, size, &input))
		return 0;
	copy = exact(input.body);
	input.body = slice_make(copy, input.body.len);
	if (has_option(&input, 0))
		write_question(&input);
	else
		read_reply(input.body);
	xfree(copy);
	return 0;
}
