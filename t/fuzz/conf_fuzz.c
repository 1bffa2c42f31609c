/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_fuzz.c: configurations of the daemon's own blocks: a good one prints
 * as one that loads again and prints the same; a bad one has problems.
 */
#include "fuzz.h"

#include "daemon/config.h"

static struct conf *
load(const char *text, struct buf *problems_out)
{
	struct conf_problems problems = { 0 };
	struct conf *conf = conf_load_text("fuzz.conf", text, &root_block, &problems);
	char *printed = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&printed, &size);

	must((conf == NULL) == (problems.count > 0), "a configuration or problems");
	conf_problems_print(&problems, out);
	fclose(out);
	buf_append(problems_out, printed, size);
	free(printed);
	conf_problems_clear(&problems);
	return conf;
}

static char *
print(const struct conf *conf)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	conf_print(conf, out);
	fclose(out);
	return text;
}

/* Takes the remark at the end of lines that nobody has written. */
static void
strip_remarks(char *text)
{
	static const char remark[] = " # default\n";

	for (char *found = strstr(text, remark); found != NULL; found = strstr(found, remark))
		memmove(found, found + sizeof(remark) - 2, strlen(found + sizeof(remark) - 2) + 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xstrndup((const char *)data, size), *first, *second;
	struct buf problems = { 0 };
	struct conf *conf = NULL, *again = NULL;

	/* other files are no part of the input */
	if (strcasestr(text, "include") == NULL)
		conf = load(text, &problems);
	if (conf != NULL) {
		first = print(conf);
		again = load(first, &problems);
		if (again == NULL)
			fprintf(stderr, "%s\n%.*s", first, SLICE_ARGS(buf_slice(&problems)));
		must(again != NULL, "what is printed loads");
		second = print(again);
		strip_remarks(first);
		strip_remarks(second);
		must_equal(slice_of(second), slice_of(first), "what is printed is what was meant");
		free(first);
		free(second);
	}
	conf_free(&conf);
	conf_free(&again);
	buf_clear(&problems);
	xfree(text);
	return 0;
}
