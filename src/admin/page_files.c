/* SPDX-License-Identifier: BSD-2-Clause */
/* page_files.c: the assembler takes the files in; the compiler knows where they begin and end. */
#include "admin/page_files.h"

#include <stddef.h>

/* `symbol` is the file's name in C. */
#define FILE_SYMBOLS(symbol, path) \
	extern const char symbol##_begin[], symbol##_end[]; \
	__asm__( \
	    ".pushsection .rodata, \"a\"\n" \
	    ".hidden " #symbol "_begin\n.globl " #symbol "_begin\n" #symbol "_begin:\n" \
	    ".incbin \"" path "\"\n" \
	    ".hidden " #symbol "_end\n.globl " #symbol "_end\n" #symbol "_end:\n" \
	    ".byte 0\n" \
	    ".popsection\n")

FILE_SYMBOLS(page_html, "admin/page.html");
FILE_SYMBOLS(page_css, "admin/page.css");
FILE_SYMBOLS(page_js, "admin/page.js");
FILE_SYMBOLS(icon_svg, "admin/icon.svg");

static const struct {
	const char *name, *begin, *end;
} files[] = {
	{ "page.html", page_html_begin, page_html_end },
	{ "page.css", page_css_begin, page_css_end },
	{ "page.js", page_js_begin, page_js_end },
	{ "icon.svg", icon_svg_begin, icon_svg_end },
};

struct slice
page_file(const char *name)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (strcmp(files[i].name, name) == 0)
			return slice_make(files[i].begin,
			    (size_t)((uintptr_t)files[i].end - (uintptr_t)files[i].begin));
	return slice_make("", 0);
}
