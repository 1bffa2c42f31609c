/* SPDX-License-Identifier: BSD-2-Clause */
/* check_code.h: what came of a check, in the words that HAProxy's users and their tools know. */
#ifndef HEALTH_CHECK_CODE_H
#define HEALTH_CHECK_CODE_H

#include <stdbool.h>

/* Layer 4 is the connect, 6 is TLS, 7 the dialogue. */
#define CHECK_CODES(row) \
	row(UNK, false, "unknown") \
	row(INI, false, "not checked yet") \
	row(SOCKERR, false, "files, ports or memory are short here") \
	row(L4OK, true, "connected") \
	row(L4TOUT, false, "timeout while connecting") \
	row(L4CON, false, "not connected") \
	row(L6OK, true, "connected with TLS") \
	row(L6TOUT, false, "timeout in the TLS handshake") \
	row(L6RSP, false, "TLS failed") \
	row(L7OK, true, "answers as it should") \
	row(L7TOUT, false, "timeout in the dialogue") \
	row(L7RSP, false, "out of protocol, or lost") \
	row(L7STS, false, "says that it does not serve")

#define CHECK_CODE_ENUM(name, is_good, text) CHECK_CODE_##name,
enum check_code { CHECK_CODES(CHECK_CODE_ENUM) CHECK_CODE_COUNT };

const char *check_code_name(enum check_code code);	/* "L7OK" */
const char *check_code_text(enum check_code code);
bool check_code_is_good(enum check_code code);
/* Does it tell of the server at all? */
static inline bool
check_code_is_verdict(enum check_code code)
{
	return code > CHECK_CODE_SOCKERR;
}

#endif
