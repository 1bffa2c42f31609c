/* SPDX-License-Identifier: BSD-2-Clause */
/* smtp_parts_tmp.c: the least of smtp_dial.c, smtp_relay.c and smtp_arguments.c, until they are there. */
#include "proto/smtp.h"

#include <ctype.h>
#include <string.h>

#include "base/base64.h"

static enum answer
read_reply(struct dial *dial, struct slice line)
{
	(void)dial;
	if (line.len > 3 && line.data[3] == '-')
		return ANSWER_MORE;
	if (line.len < 3)
		return ANSWER_GARBLED;
	return line.data[0] == '2' ? ANSWER_OK : line.data[0] == '4' ? ANSWER_LATER : ANSWER_REFUSED;
}

static void
send_ehlo(struct dial *dial)
{
	buf_printf(&dial->out, "EHLO %s\r\n", dial->order.hostname != NULL ? dial->order.hostname : "proxy");
}

static void
send_auth(struct dial *dial)
{
	const struct credentials *c = dial->order.credentials;
	struct buf response = { 0 };

	buf_append(&response, "", 1);
	buf_append_slice(&response, buf_slice(&c->user));
	buf_append(&response, "", 1);
	buf_append_slice(&response, buf_slice(&c->password));
	buf_append_text(&dial->out, "AUTH PLAIN ");
	base64_encode(buf_slice(&response), &dial->out);
	buf_append_text(&dial->out, "\r\n");
	buf_wipe(&response);
}

const struct dial_step smtp_dial[] = {
	{ "reading the greeting", NULL, NULL, read_reply, 0, NULL },
	{ "saying hello", NULL, send_ehlo, read_reply, 0, NULL },
	{ "logging in", NULL, send_auth, read_reply, DIAL_LOGIN | DIAL_SECRET | DIAL_FORWARD, NULL },
	{ 0 }
};

const struct mediator smtp_mediator = { 0 };

bool
smtp_helo_is_valid(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] <= ' ' || name.data[i] > '~')
			return false;
	return name.len > 0 && name.len <= 255;
}

bool
smtp_is_header(struct slice line)
{
	size_t len = 0;

	while (len < line.len && (isalnum((unsigned char)line.data[len]) || line.data[len] == '-'))
		len++;
	return len > 0 && len < line.len && line.data[len] == ':';
}
