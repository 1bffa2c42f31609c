/* SPDX-License-Identifier: BSD-2-Clause */
/* error.c: an error's text, cut where it does not fit. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

_Bool
error_set(struct error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return 0;
}
