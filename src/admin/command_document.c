/* SPDX-License-Identifier: BSD-2-Clause */
/* command_document.c: an item of a list for each command. */
#include "admin/command_document.h"

#include "admin/call.h"
#include "conf/document.h"

/* Each word alone, so that none is taken for a macro, and no bracket at its end for a delimiter. */
static void
print_words(const char *macro, const char *text, FILE *out)
{
	struct slice rest = slice_of(text), word;

	fprintf(out, " %s", macro);
	while ((word = slice_word(&rest)).len > 0)
		fprintf(out, " \\&%.*s\\&", SLICE_ARGS(word));
}

static void
print_row(const struct admin_command *row, FILE *out)
{
	fputs(".It", out);
	print_words("Ic", row->name, out);
	if (row->arguments != NULL)
		print_words("Ar", row->arguments, out);
	fputs("\n", out);
	document_mdoc_text(row->help, out);
	fprintf(out, "For level\n.Cm %s%s.\n", admin_level_text(row->level),
	    row->has_json ? " ;\nanswers as JSON too" : " ");
}

void
command_document_mdoc(FILE *out)
{
	const struct admin_command *row;

	fputs(".Bl -tag -width Ds\n", out);
	for (size_t i = 0; (row = admin_command_row(i)) != NULL; i++)
		print_row(row, out);
	fputs(".El\n", out);
}
