/* SPDX-License-Identifier: BSD-2-Clause */
/* error.h: the text of what went wrong while loading; set once, where it is known. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

struct error {
	char text[512];
};

/* Sets the text; returns false, so that a caller can `return error_set(...)`. */
_Bool error_set(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
