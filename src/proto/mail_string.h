/* SPDX-License-Identifier: BSD-2-Clause */
/* mail_string.h: strings as IMAP (RFC 9051 section 4.3) and ManageSieve (RFC 5804 section 1.2) have them. */
#ifndef PROTO_MAIL_STRING_H
#define PROTO_MAIL_STRING_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

bool mail_string_take_blank(struct slice *rest);	/* one; false: there is none */
/* Takes a quoted string or a literal, {n} or {n+}, off the front of *rest; false: *rest is of no more use. */
bool mail_string_take(struct slice *rest, struct buf *out);	/* appends the content */
void mail_string_write_quoted(struct buf *out, struct slice text);	/* controls are left out */

#endif
