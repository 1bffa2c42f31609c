/* SPDX-License-Identifier: BSD-2-Clause */
/* bans.h: addresses that are banned, from a process to the one that replaces it.  On control's loop. */
#ifndef DAEMON_BANS_H
#define DAEMON_BANS_H

#include "daemon/control.h"
#include "net/channel.h"

void bans_give(const struct control *control, struct channel *channel);
void bans_take(const struct control *control, const struct channel_message *message);

#endif
