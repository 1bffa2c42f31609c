/* SPDX-License-Identifier: BSD-2-Clause */
/* user_order.h: what the command `user` does to one: behind the name. */
#ifndef ADMIN_USER_ORDER_H
#define ADMIN_USER_ORDER_H

#include "admin/call.h"

#define USER_ORDERS "move SERVER|hold TIME|release|pin SERVER|unpin"

/* Takes the call, whose first word is a name; false: the next one is no order. */
bool user_order_run(struct admin_call *call);

#endif
