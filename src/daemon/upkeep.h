/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * upkeep.h: what is due from time to time: changed user files and renewed certificates are taken up, ticket
 * keys change, hosts that nobody uses any more are forgotten.
 */
#ifndef DAEMON_UPKEEP_H
#define DAEMON_UPKEEP_H

#include "daemon/control.h"

void upkeep_start(struct control *control);
void upkeep_stop(struct control *control);

#endif
