/* SPDX-License-Identifier: BSD-2-Clause */
/* protocol_document.c: one entry a protocol: its help, and `directive value; …` of all that has a default. */
#include "daemon/protocol_document.h"

#include "balance/pool.h"
#include "base/buf.h"
#include "conf/document.h"
#include "session/pool_fit.h"

static void
write_rows(struct buf *out, const struct proto_default *rows)
{
	for (; rows->directive != NULL; rows++)
		buf_printf(out, "%s%s %s", buf_len(out) > 0 ? "; " : "", rows->directive, rows->text);
}

static void
write_defaults(struct buf *out, const struct proto *proto)
{
	struct pool_defaults defaults;

	pool_fit_defaults(proto, NULL, &defaults);
	write_rows(out, proto->listener_defaults);
	write_rows(out, defaults.rows);
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
print_words(const char *before, const char *const *words, FILE *out)
{
	fputs(before, out);
	for (; *words != NULL; words++)
		fprintf(out, " %s", *words);
	fputs(".\n", out);
}

static void
print_mdoc(const struct proto *proto, FILE *out)
{
	struct buf defaults = { 0 }, ways = { 0 };

	write_defaults(&defaults, proto);
	write_ways(&ways, "login", login_choices, proto->logins);
	write_ways(&ways, "; forward", forward_choices, proto->forwards);
	fprintf(out, ".It Ic %s\n", proto->name);
	document_mdoc_text(proto->help, out);
	fprintf(out, ".br\nDefaults: %.*s.\n", SLICE_ARGS(buf_slice(&defaults)));
	fprintf(out, ".br\nPools have: %.*s.\n", SLICE_ARGS(buf_slice(&ways)));
	if (proto->capability_own != NULL)
		print_words(".br\nThe proxy's own words:", proto->capability_own, out);
	if (proto->capability_passed != NULL)
		print_words(".br\nThe proxy's own words are all but:", proto->capability_passed, out);
	if (proto->trusted_help != NULL)
		fprintf(out, ".br\nTrusted peers tell of their clients %s.\n", proto->trusted_help);
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
