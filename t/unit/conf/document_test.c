/* SPDX-License-Identifier: BSD-2-Clause */
/* document_test.c: the manual's lists and the reference file, as the rows tell them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conf/document.h"
#include "sample.h"

static char *
document(void (*write)(const struct block *root, FILE *out))
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	write(&sample_root, out);
	fclose(out);
	return text;
}

static void
assert_has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("missing: %s\nin: %s", part, text);
}

static void
writes_the_manual(void **state)
{
	char *text = document(document_mdoc);

	(void)state;
	assert_has(text,
	    ".Ss Outside all blocks\n.Bl -tag -width Ds\n"
	    ".It Ic threads Ar \\&number | Ar \\&auto\n"
	    "Worker threads.\nDefault: auto.\nRange: 1 to 256.\nA change needs a restart.\n");
	assert_has(text, ".It Ic users Brq Ar ...\nThe names of users.\n");
	assert_has(text, ".It Ic pool Ar \\&name Brq Ar ...\n");
	assert_has(text, ".It Ic bind Ar \\&address Op Brq Ar ...\n");
	assert_has(text, ".Ss bind\nWhere it listens.\n.Bl -tag -width Ds\n.It Ic freebind");
	assert_has(text, ".It Ic protocol Ar \\&imap | Ar \\&pop3 | Ar \\&lmtp\n");
	assert_has(text, ".It Ic connect_timeout Ar \\&duration\n");
	assert_has(text, "At least 1m.\n");
	assert_has(text,
	    "\n\\&.forward is \\fBnot read\\fR, \\e is a backslash and this sentence is too long\n"
	    "for one line.\n0 is none.\n");
	assert_has(text, ".Ss auth\nWho judges passwords.\n.Ss ");
	free(text);
}

static void
writes_the_reference(void **state)
{
	char *text = document(document_conf);
	struct conf_problems problems = { 0 };
	struct conf *conf;

	(void)state;
	assert_has(text,
	    "## Worker threads.\n"
	    "## Default: auto. Range: 1 to 256. A change needs a restart. Values: number |\n"
	    "## auto.\n#threads auto\n\n");
	assert_has(text, "#users {\n#\t# Before the detail.\n#\t# Default: +.\n#\tdelimiter +\n#}\n");
	assert_has(text, "#\tserver name {\n#\t\t# Where it is.\n#\t\t# Required.\n#\t\taddress address\n");
	assert_has(text,
	    "#\t# How the proxy logs in.\n"
	    "#\t# Default: password. Values: none | password | master.\n"
	    "#\tlogin password\n");
	assert_has(text, "#\tserver_tls off {\n");
	for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1)
		assert_true(*line == '#' || *line == '\n');
	conf = conf_load_text("reference", text, &sample_root, &problems);
	assert_non_null(conf);
	conf_free(&conf);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_the_manual),
		cmocka_unit_test(writes_the_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
