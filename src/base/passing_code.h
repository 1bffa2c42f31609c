/* SPDX-License-Identifier: BSD-2-Clause */
/* passing_code.h: response codes of mail protocols by which a failure is a matter of time. */
#ifndef BASE_PASSING_CODE_H
#define BASE_PASSING_CODE_H

#include <stdbool.h>

#include "base/slice.h"

/* Is it one of IMAP (RFC 9051), POP3 (RFC 3206, 2449) or ManageSieve (RFC 5804)?  Without regard to case. */
bool passing_code_is(struct slice code);

#endif
