/* SPDX-License-Identifier: BSD-2-Clause */
/* base64.h: RFC 4648 section 4, strict: padding demanded, no line breaks, unused bits 0. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

void base64_encode(struct slice in, struct buf *out);			/* appends */
bool base64_decode(struct slice in, struct buf *out);	/* appends; false and nothing added: not base64 */

#endif
