/* SPDX-License-Identifier: BSD-2-Clause */
/* answer_code.h: codes that auth sources give for the answer to a login: a proto's take_code. */
#ifndef PROTO_ANSWER_CODE_H
#define PROTO_ANSWER_CODE_H

#include <stdbool.h>

#include "base/slice.h"

struct slice code_take_imap(struct slice code, bool *is_temporary);	/* "LIMIT", RFC 5530 */
/* "SYS/TEMP", RFC 3206; or within a whole reply, "-ERR [LOGIN-DELAY] Retry later". */
struct slice code_take_pop3(struct slice code, bool *is_temporary);
struct slice code_take_sieve(struct slice code, bool *is_temporary);	/* "TRYLATER", RFC 5804 */
struct slice code_take_smtp(struct slice code, bool *is_temporary);	/* "535", "451 4.3.2" */

#endif
