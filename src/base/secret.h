/* SPDX-License-Identifier: BSD-2-Clause */
/* secret.h: passwords that stand in files of their own. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/error.h"

/*
 * The file's first line, without its end; the caller ends it with secret_free (base/digest.h).  NULL and an
 * error that names the file: it cannot be read, or holds nothing there, or a NUL.
 */
char *secret_read(const char *path, struct error *error);

#endif
