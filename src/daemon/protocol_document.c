/* SPDX-License-Identifier: BSD-2-Clause */
/* protocol_document.c: one entry a protocol: its help, and `directive value; …` of all that has a default. */
#include "daemon/protocol_document.h"

#include "balance/pool.h"
#include "base/buf.h"
#include "proto/proto.h"

static void
write_default(struct buf *out, const char *directive, const char *value)
{
	if (value != NULL)
		buf_printf(out, "%s%s %s", buf_len(out) > 0 ? "; " : "", directive, value);
}

static void
write_defaults(struct buf *out, const struct proto *proto)
{
	write_default(out, "starttls", proto->default_starttls);
	write_default(out, "login_timeout", proto->default_login_timeout);
	write_default(out, "idle_timeout", proto->default_idle_timeout);
	write_default(out, "reply_timeout", proto->default_reply_timeout);
	write_default(out, "max_errors", proto->default_max_errors);
	write_default(out, "bare_newline", proto->default_bare_newline);
	write_default(out, "queue_timeout", proto->default_queue_timeout);
	write_default(out, "balance", proto->is_bound ? "user" : "leastconn");
	if (proto->port != 0)
		buf_printf(out, "; port %u", proto->port);
}

/* "login password master none" */
static void
write_ways(struct buf *out, const char *directive, const struct choice *choices, unsigned known)
{
	buf_append_text(out, directive);
	for (const struct choice *c = choices; c->word != NULL; c++)
		if ((known & PROTO_WAY(c->value)) != 0)
			buf_printf(out, " %s", c->word);
}

static void
print_mdoc(const struct proto *proto, FILE *out)
{
	struct buf defaults = { 0 }, ways = { 0 };

	write_defaults(&defaults, proto);
	write_ways(&ways, "login", login_choices, proto->logins);
	write_ways(&ways, "; forward", forward_choices, proto->forwards);
	fprintf(out, ".It Ic %s\n%s\n", proto->name, proto->help);
	fprintf(out, ".br\nDefaults: %.*s.\n", SLICE_ARGS(buf_slice(&defaults)));
	fprintf(out, ".br\nPools have: %.*s.\n", SLICE_ARGS(buf_slice(&ways)));
	buf_clear(&defaults);
	buf_clear(&ways);
}

void
protocol_document_mdoc(FILE *out)
{
	fputs(".Ss Protocols\nWhat a listener and its pools may speak, and the defaults that go by it.\n"
	      ".Bl -tag -width Ds\n", out);
	for (int i = 0; protocols[i] != NULL; i++)
		print_mdoc(protocols[i], out);
	fputs(".El\n", out);
}

void
protocol_document_conf(FILE *out)
{
	fputs("## The protocols, and the defaults that go by them:\n", out);
	for (int i = 0; protocols[i] != NULL; i++) {
		struct buf defaults = { 0 };

		write_defaults(&defaults, protocols[i]);
		fprintf(out, "##   %s: %.*s\n", protocols[i]->name, SLICE_ARGS(buf_slice(&defaults)));
		buf_clear(&defaults);
	}
}
