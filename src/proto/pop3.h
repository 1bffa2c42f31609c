/* SPDX-License-Identifier: BSD-2-Clause */
/* pop3.h: what POP3's files share. */
#ifndef PROTO_POP3_H
#define PROTO_POP3_H

#include "proto/dial.h"

/* In dialogue->wishes, and so in dial_order.wishes. */
enum { POP3_WISH_UTF8 = 1 };

/* pop3_dial.c */
extern const struct dial_step pop3_dial[];
enum answer pop3_read_status(struct dial *dial, struct slice line);
const char *pop3_refuses_plain(const struct dial *dial);
void pop3_write_login_ok(struct dialogue *d, const struct dial *dial);
void pop3_write_login_refused(struct dialogue *d, const struct dial *dial);

#endif
