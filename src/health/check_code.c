/* SPDX-License-Identifier: BSD-2-Clause */
/* check_code.c: the codes of checks by their rows. */
#include "health/check_code.h"

#define CHECK_CODE_ROW(name, is_good, text) { #name, text, is_good },
static const struct code_row {
	const char *name, *text;
	bool is_good;
} rows[] = { CHECK_CODES(CHECK_CODE_ROW) };

const char *
check_code_name(enum check_code code)
{
	return rows[code].name;
}

const char *
check_code_text(enum check_code code)
{
	return rows[code].text;
}

bool
check_code_is_good(enum check_code code)
{
	return rows[code].is_good;
}
